//! Handlers are installed, act for their user, and are removed.

use crate::next;
use serde_json::{Value, json};
use vextir_context::Hub;
use vextir_core::context::Level;
use vextir_core::{Event, MemoryBus, Payload, Processor, Tenant};
use vextir_drivers::script::*;

const NOTE: &str = "
let seen = read(\"/Seen\");
if seen == () { seen = 0; }
write(\"/Seen\", seen + 1);
emit(\"noted\", #{ seen: read(\"/Seen\"), user: event.user_id });";

async fn app() -> (Hub, Processor) {
    let hub = Hub::in_memory().unwrap();
    let app = Processor::builder(hub.clone()).driver(Scripts::for_types(["note.*"]));
    (hub, app.start().await.unwrap())
}

fn form(id: &str, event_type: &str, code: &str) -> HandlerInstall {
    HandlerInstall { id: id.into(), event_type: event_type.into(), code: code.into() }
}

async fn install(tenant: &Tenant, id: &str, event_type: &str, code: &str) -> Result<(), String> {
    let installed: Result<HandlerInstalled, _> = tenant.request(form(id, event_type, code)).await;
    installed.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_handler_acts_for_its_user_alone() {
    let (_, app) = app().await;
    let (ann, bob) = (app.as_user("ann"), app.as_user("bob"));
    install(&ann, "note", "note.made", NOTE).await.unwrap();
    let mut noted = app.subscribe("noted").await.unwrap();
    bob.emit(Event::new("note.made")).await.unwrap();
    app.idle().await;
    for seen in 1..=3 {
        ann.emit(Event::new("note.made")).await.unwrap();
        assert_eq!(next(&mut noted).await.data.value(), json!({"seen": seen, "user": "ann"}));
    }
    assert_eq!(ann.context().read("/Seen").await.unwrap().unwrap().content, json!(3).into());
    assert!(bob.context().read("/Seen").await.unwrap().is_none());
    let document = ann.context().read("/System/Handlers/note").await.unwrap().unwrap();
    assert_eq!(document.content, json!({"id": "note", "type": "note.made", "code": NOTE}).into());
}

#[tokio::test]
async fn what_cannot_be_installed_says_why() {
    let (_, app) = app().await;
    let ann = app.as_user("ann");
    for (id, event_type, code, why) in [
        ("a", "note.made", "let x = 1;\nlet y = ;", "line 2, column 9"),
        ("a", "mail.made", "1", "may be installed for note.*; not for mail.made"),
        ("a", "note.*", "1", "note.*"),
        ("../a", "note.made", "1", "letters, digits"),
        (".types", "note.made", "1", "letters, digits"),
        ("", "note.made", "1", "letters, digits"),
        ("a", "handler.install", "1", "not handled by handlers"),
    ] {
        let error = install(&ann, id, event_type, code).await.unwrap_err();
        assert!(error.contains(why), "{id} {event_type}: {error}");
    }
    let error = install(&ann, "a", "note.made", &" ".repeat(70_000)).await.unwrap_err();
    assert!(error.contains("at most 65536"), "{error}");
    let untyped = Event::new("handler.install").with_data(json!({"id": "a", "type": "note.made"}));
    let error = ann.emit(untyped).await.unwrap_err().to_string();
    assert!(error.contains("code"), "{error}");
    let labelled = Event::of(&form("a", "note.made", "1")).unwrap().with_label("untrusted");
    let error = ann.request::<HandlerInstalled>(labelled).await.unwrap_err().to_string();
    assert!(error.contains("untrusted"), "{error}");
    let list: HandlerItems = ann.request(HandlerList {}).await.unwrap();
    assert!(list.handlers.is_empty());
}

#[tokio::test]
async fn each_type_has_one_handler() {
    let (_, app) = app().await;
    let ann = app.as_user("ann");
    install(&ann, "a", "note.made", "emit(\"noted\", 1)").await.unwrap();
    let error = install(&ann, "b", "note.made", "1").await.unwrap_err();
    assert!(error.contains("\"a\" handles note.made already"), "{error}");
    // The same one again, with other code and then for another type.
    install(&ann, "a", "note.made", "emit(\"noted\", 2)").await.unwrap();
    let mut noted = app.subscribe("noted").await.unwrap();
    ann.emit(Event::new("note.made")).await.unwrap();
    assert_eq!(next(&mut noted).await.data.value(), 2);
    install(&ann, "a", "note.read", "emit(\"noted\", 3)").await.unwrap();
    ann.emit(Event::new("note.made")).await.unwrap();
    ann.emit(Event::new("note.read")).await.unwrap();
    assert_eq!(next(&mut noted).await.data.value(), 3);
    install(&ann, "b", "note.made", "emit(\"noted\", 4)").await.unwrap();
    let list: HandlerItems = ann.request(HandlerList {}).await.unwrap();
    let types: Vec<_> =
        list.handlers.iter().map(|item| (item.id.as_str(), item.event_type.as_str())).collect();
    assert_eq!(types, [("a", "note.read"), ("b", "note.made")]);
    let _: HandlerRemoved = ann.request(HandlerRemove { id: "a".into() }).await.unwrap();
    assert!(ann.request::<HandlerRemoved>(HandlerRemove { id: "a".into() }).await.is_err());
    ann.emit(Event::new("note.read")).await.unwrap();
    ann.emit(Event::new("note.made")).await.unwrap();
    assert_eq!(next(&mut noted).await.data.value(), 4);
    install(&ann, "c", "note.read", "emit(\"noted\", 5)").await.unwrap();
    ann.emit(Event::new("note.read")).await.unwrap();
    assert_eq!(next(&mut noted).await.data.value(), 5);
}

#[tokio::test]
async fn two_at_once_for_one_type_leave_one() {
    let (_, app) = app().await;
    let ann = app.as_user("ann");
    let both = tokio::join!(install(&ann, "a", "note.made", "1"), install(&ann, "b", "note.made", "2"));
    assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
    let list: HandlerItems = ann.request(HandlerList {}).await.unwrap();
    assert_eq!(list.handlers.len(), 1);
}

#[tokio::test]
async fn handlers_outlive_the_process() {
    let (hub, first) = app().await;
    install(&first.as_user("ann"), "note", "note.made", NOTE).await.unwrap();
    first.shutdown().await.unwrap();
    let app = Processor::builder(hub).driver(Scripts::for_types(["**"])).start().await.unwrap();
    let mut noted = app.subscribe("noted").await.unwrap();
    app.as_user("ann").emit(Event::new("note.made")).await.unwrap();
    assert_eq!(next(&mut noted).await.data.value()["seen"], 1);
    let list: HandlerItems = app.as_user("ann").request(HandlerList {}).await.unwrap();
    assert_eq!(list.handlers.len(), 1);
}

#[tokio::test]
async fn a_handler_has_the_rights_of_its_user() {
    let (_, app) = app().await;
    let (ann, bob) = (app.as_user("ann"), app.as_user("bob"));
    bob.context().write("/Open/Plan", "secret plan").await.unwrap();
    bob.context().grant("/Open", "ann", Level::Read).await.unwrap();
    let read = "emit(\"noted\", read(\"/Shared/bob/Open/Plan\"))";
    install(&ann, "read", "note.read", read).await.unwrap();
    let mut noted = app.subscribe("noted").await.unwrap();
    ann.emit(Event::new("note.read")).await.unwrap();
    assert_eq!(next(&mut noted).await.data.value(), "secret plan");
    install(&ann, "write", "note.made", "emit(\"noted\", 1); write(\"/Shared/bob/Open/Plan\", \"mine\")")
        .await
        .unwrap();
    let mut errors = app.subscribe("error").await.unwrap();
    ann.emit(Event::new("note.made")).await.unwrap();
    let failed = next(&mut errors).await.data.value();
    assert_eq!(failed["driver"], "scripts", "{failed}");
    let plan = bob.context().read("/Open/Plan").await.unwrap().unwrap();
    assert_eq!(plan.content, "secret plan".into());
    bob.context().revoke("/Open", "ann").await.unwrap();
    ann.emit(Event::new("note.read")).await.unwrap();
    assert_eq!(next(&mut noted).await.data.value(), Value::Null, "what fails emits nothing");
}

#[tokio::test]
async fn labels_travel_through_what_is_read() {
    let (_, app) = app().await;
    let ann = app.as_user("ann");
    ann.context().write("/Page", "text").metadata(json!({"labels": ["untrusted"]})).await.unwrap();
    ann.context().write("/Copy", "old").metadata(json!({"title": "Copy"})).await.unwrap();
    install(&ann, "copy", "note.made", "write(\"/Copy\", read(\"/Page\")); emit(\"noted\", 1)")
        .await
        .unwrap();
    let mut noted = app.subscribe("noted").await.unwrap();
    ann.emit(Event::new("note.made")).await.unwrap();
    let labels: Vec<_> = next(&mut noted).await.labels.iter().map(ToString::to_string).collect();
    assert_eq!(labels, ["untrusted"]);
    let copy = ann.context().read("/Copy").await.unwrap().unwrap();
    assert_eq!(copy.metadata, json!({"title": "Copy", "labels": ["untrusted"]}));
}

/// A document where handlers are is a handler only if those may have written it whose events may install one.
#[tokio::test]
async fn what_is_untrusted_installs_nothing_by_writing_documents() {
    let (_, app) = app().await;
    let ann = app.as_user("ann");
    let code = json!({"id": "evil", "type": "note.read", "code": "emit(\"noted\", \"evil\")"});
    let untrusted = json!({"labels": ["untrusted"]});
    let place = "/System/Handlers";
    ann.context().write(&format!("{place}/evil"), code.clone()).metadata(untrusted.clone()).await.unwrap();
    ann.context().write(&format!("{place}/.types/note.read"), "evil").await.unwrap();
    let mut errors = app.subscribe("error").await.unwrap();
    ann.emit(Event::new("note.read")).await.unwrap();
    let failed = next(&mut errors).await.data.value();
    let said = failed["error"].as_str().unwrap();
    assert!(said.contains("/System/Handlers/evil is labelled untrusted"), "{said}");
    // Nor can it point to one that is there.
    install(&ann, "good", "note.made", "emit(\"noted\", \"good\")").await.unwrap();
    ann.context().write(&format!("{place}/.types/note.seen"), "good").metadata(untrusted).await.unwrap();
    ann.emit(Event::new("note.seen")).await.unwrap();
    let failed = next(&mut errors).await.data.value();
    let said = failed["error"].as_str().unwrap();
    assert!(said.contains(".types/note.seen is labelled untrusted"), "{said}");
    // It is not listed, stands in nobody's way once it is removed, and the others go on.
    let list: HandlerItems = ann.request(HandlerList {}).await.unwrap();
    assert_eq!(list.handlers.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["good"]);
    let _: HandlerRemoved = ann.request(HandlerRemove { id: "evil".into() }).await.unwrap();
    let mut noted = app.subscribe("noted").await.unwrap();
    install(&ann, "evil", "note.read", "emit(\"noted\", \"tamed\")").await.unwrap();
    ann.emit(Event::new("note.read")).await.unwrap();
    assert_eq!(next(&mut noted).await.data.value(), "tamed");
}

#[tokio::test]
async fn a_handler_writes_nothing_that_says_what_runs() {
    let (_, app) = app().await;
    let ann = app.as_user("ann");
    install(&ann, "mail", "note.mail", "write(event.data.path, event.data.code)").await.unwrap();
    let mut errors = app.subscribe("error").await.unwrap();
    for path in
        ["/System/Handlers/urgent", "System/x", "/System", "//System/x", "/Shared/bob/System/Handlers/x"]
    {
        let mail = Event::new("note.mail").with_data(json!({"path": path, "code": "x"}));
        ann.emit(mail.with_label("untrusted")).await.unwrap();
        let failed = next(&mut errors).await.data.value();
        let said = failed["error"].as_str().unwrap();
        assert!(said.contains("writes nothing below /System"), "{path}: {said}");
    }
    assert!(ann.context().read("/System/Handlers/urgent").await.unwrap().is_none());
}

#[tokio::test]
async fn what_a_handler_does_carries_the_labels_of_its_own_document() {
    let (_, app) = app().await;
    let ann = app.as_user("ann");
    let form = form("secret", "note.made", "write(\"/Out\", 1); emit(\"noted\", 1)");
    let _: HandlerInstalled = ann.request(Event::of(&form).unwrap().with_label("private")).await.unwrap();
    let mut noted = app.subscribe("noted").await.unwrap();
    ann.emit(Event::new("note.made")).await.unwrap();
    let labels: Vec<_> = next(&mut noted).await.labels.iter().map(ToString::to_string).collect();
    assert_eq!(labels, ["private"]);
    let out = ann.context().read("/Out").await.unwrap().unwrap();
    assert_eq!(out.metadata, json!({"labels": ["private"]}));
}

#[tokio::test]
async fn the_applications_own_are_checked_at_the_start_and_cannot_be_replaced() {
    let bad = Scripts::new().with_handler("bad", "note.made", "let x = 1;\n  let = 2;");
    let error = Processor::builder(MemoryBus::new()).driver(bad).start().await.unwrap_err().to_string();
    assert!(error.contains("handler \"bad\": line 2, column 7"), "{error}");
    let twice = Scripts::new().with_handler("a", "note.made", "1").with_handler("b", "note.made", "1");
    assert!(Processor::builder(MemoryBus::new()).driver(twice).start().await.is_err());
    let own = Scripts::for_types(["note.*"]).with_handler("own", "note.made", "emit(\"noted\", 1)");
    let app = Processor::builder(Hub::in_memory().unwrap()).driver(own).start().await.unwrap();
    let ann = app.as_user("ann");
    let error = install(&ann, "mine", "note.made", "1").await.unwrap_err();
    assert!(error.contains("the application has the handler \"own\""), "{error}");
    let list: HandlerItems = ann.request(HandlerList {}).await.unwrap();
    assert!(list.handlers[0].builtin);
    assert_eq!(HandlerInstall::TYPE, "handler.install");
}

#[tokio::test]
async fn a_failure_names_handler_line_and_column() {
    let (_, app) = app().await;
    let ann = app.as_user("ann");
    let code = "fn help(x) {\n    unknown(x)\n}\nlet a = 1;\nhelp(a);";
    install(&ann, "broken", "note.made", code).await.unwrap();
    let mut errors = app.subscribe("error").await.unwrap();
    ann.emit(Event::new("note.made")).await.unwrap();
    let failed = next(&mut errors).await.data.value();
    let error = failed["error"].as_str().unwrap();
    assert!(error.starts_with("handler \"broken\": line 2, column 5: "), "{error}");
    assert!(error.contains("unknown"), "{error}");
}
