//! Documents by event.
#![cfg(feature = "context")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::context::Why;
use vextir_core::{ErrorKind, Event, EventBus, EventBusExt, Payload, Processor, Start, Tenant};
use vextir_drivers::context::*;

async fn tenant(user: &'static str) -> (Hub, Processor, Tenant) {
    let hub = Hub::in_memory().unwrap();
    let app = Processor::builder(hub.clone()).driver(ContextDriver).start().await.unwrap();
    let tenant = app.as_user(user);
    (hub, app, tenant)
}

async fn ask<R: Payload>(tenant: &Tenant, kind: &'static str, data: Value) -> vextir_core::Result<R> {
    tenant.request(Event::new(kind).with_data(data)).await
}

#[tokio::test]
async fn the_events_of_the_specification_read_and_write() {
    let (hub, app, ann) = tenant("user_123").await;
    let written: ContextWritten =
        ask(&ann, "context.write", json!({"path": "/Alerts/Weather", "content": {"level": 3}}))
            .await
            .unwrap();
    assert_eq!(written.path, "/Alerts/Weather");
    let read: ContextData = ask(&ann, "context.read", json!({"path": "/Alerts/Weather"})).await.unwrap();
    assert_eq!((read.found, read.content, read.version), (true, json!({"level": 3}), Some(1)));
    let folder: ContextData = ask(&ann, "context.read", json!({"path": "/Alerts"})).await.unwrap();
    assert_eq!((folder.items.len(), folder.items[0].kind.as_str()), (1, "document"));
    let absent: ContextData = ask(&ann, "context.read", json!({"path": "/Personal/Notes"})).await.unwrap();
    assert!(!absent.found);
    let other: ContextData =
        ask(&app.as_user("eve"), "context.read", json!({"path": "/Alerts/Weather"})).await.unwrap();
    assert!(!other.found, "another user's root");
    let by = &hub.context("user_123").history("/Alerts/Weather", 1).await.unwrap()[0].by;
    assert_eq!(by.driver.as_deref(), Some("context_hub"));
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn documents_are_searched_by_event_as_the_events_user() {
    let (hub, app, ann) = tenant("ann").await;
    let notes = hub.context("ann");
    notes
        .write("/Mail/printer", "# Invoice\nRepaired in June")
        .metadata(json!({"paid": true}))
        .await
        .unwrap();
    notes.write("/Mail/walk", json!({"body": "a walk in June"})).await.unwrap();
    let search = async |tenant: &Tenant, ask: Value| -> Vec<ContextHit> {
        let found: ContextFound = ask_for(tenant, ask).await.unwrap();
        assert_eq!((found.behind, found.rebuilding), (0, false));
        found.hits
    };
    let hits = search(&ann, json!({"text": "invoices from june", "fresh": true})).await;
    assert_eq!(
        (hits[0].path.as_str(), hits[0].title.as_str(), hits[0].rank),
        ("/Mail/printer", "Invoice", 1)
    );
    assert!(hits[0].why.contains(&Why::Text) && !hits[0].marks.is_empty());
    let hits = search(&ann, json!({"text": "june", "kind": "json", "path": "/Mail", "limit": 500})).await;
    assert_eq!(hits.iter().map(|hit| hit.path.as_str()).collect::<Vec<_>>(), ["/Mail/walk"]);
    let hits = search(&ann, json!({"text": "june", "metadata": {"paid": true}})).await;
    assert_eq!(hits.len(), 1);
    let past = json!({"text": "june", "until": "2001-01-01T00:00:00Z"});
    assert!(search(&ann, past).await.is_empty());
    assert!(search(&app.as_user("eve"), json!({"text": "june", "fresh": true})).await.is_empty());
    let refused = ask_for(&ann, json!({"text": "june", "kind": "image"})).await.unwrap_err();
    assert!(refused.to_string().contains("image"), "{refused}");
    app.shutdown().await.unwrap();
}

async fn ask_for(tenant: &Tenant, data: Value) -> vextir_core::Result<ContextFound> {
    ask(tenant, "context.search", data).await
}

#[tokio::test]
async fn every_other_event_does_what_it_says() {
    let (_hub, app, ann) = tenant("ann").await;
    let deeds = [
        ("context.append", json!({"path": "/log", "text": "one\ntwo\n"})),
        ("context.edit", json!({"path": "/log", "edits": [{"first": 2, "old": "two", "new": "TWO"}]})),
        ("context.patch", json!({"path": "/data", "patch": {"a": 1}})),
        (
            "context.write",
            json!({"path": "/data", "content": {"b": 2}, "metadata": {"m": 1}, "expected_version": 1}),
        ),
        ("context.move", json!({"path": "/log", "to": "/old/log"})),
        ("context.remove", json!({"path": "/data"})),
        ("context.restore", json!({"path": "/data"})),
    ];
    for (kind, data) in deeds {
        ask::<ContextWritten>(&ann, kind, data).await.unwrap();
    }
    let log: ContextData =
        ask(&ann, "context.read", json!({"path": "/old/log", "numbered": true})).await.unwrap();
    assert_eq!(log.content, json!("1: one\n2: TWO\n"));
    let data: ContextData = ask(&ann, "context.read", json!({"path": "/data"})).await.unwrap();
    assert_eq!(
        (data.content, data.metadata, data.version),
        (json!({"b": 2}), Some(json!({"m": 1})), Some(2))
    );
    let items: ContextItems = ask(&ann, "context.list", json!({"path": "/", "after": "data"})).await.unwrap();
    assert_eq!(items.items, [ContextItem { path: "/old".into(), kind: "folder".into() }]);
    let history: ContextRevisions =
        ask(&ann, "context.history", json!({"path": "/data", "limit": 2})).await.unwrap();
    let what: Vec<_> = history.revisions.iter().map(|one| one.what.clone()).collect();
    assert_eq!(what, [json!("restored"), json!("removed")]);
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_done_fails_with_its_reason() {
    let (_hub, app, ann) = tenant("ann").await;
    ask::<ContextWritten>(&ann, "context.write", json!({"path": "/a", "content": "one\n"})).await.unwrap();
    let failures = [
        ("context.write", json!({"path": "a", "content": 1}), ErrorKind::Failed, "begin with /"),
        ("context.write", json!({"path": "/a"}), ErrorKind::Invalid, "content"),
        (
            "context.write",
            json!({"path": "/a", "content": 1, "expected_version": 9}),
            ErrorKind::Failed,
            "expected",
        ),
        (
            "context.edit",
            json!({"path": "/a", "edits": [{"first": 1, "old": "x"}]}),
            ErrorKind::Failed,
            "1: one",
        ),
        ("context.remove", json!({"path": "/none"}), ErrorKind::Failed, "nothing at /none"),
    ];
    for (kind, data, error_kind, says) in failures {
        let error = ask::<ContextWritten>(&ann, kind, data).await.unwrap_err();
        assert_eq!(error.kind(), error_kind, "{kind}: {error}");
        assert!(error.to_string().contains(says), "{kind}: {error}");
    }
    app.shutdown().await.unwrap();
}

async fn changed(hub: &Hub, app: &Processor, count: usize) -> Vec<(String, Value)> {
    let all = async {
        loop {
            let page = hub.read(0, &"context.*".try_into().unwrap(), 1_000).await.unwrap();
            if page.events.len() >= count {
                return page.events;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let events = tokio::time::timeout(Duration::from_secs(5), all).await.unwrap();
    app.idle().await;
    let told = |event: &Event| {
        let told: ContextChanged = event.data.decode().unwrap();
        (format!("{} {}", event.user_id, told.path), told.what)
    };
    events.iter().map(|logged| told(&logged.event)).collect()
}

#[tokio::test]
async fn changes_become_events_once_also_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let start = async |hub: &Hub| {
        let watch = ContextWatch::new(hub.context("ann"), "/Inbox").and(hub.context("bob"), "/");
        Processor::builder(hub.clone()).driver(watch).start().await.unwrap()
    };
    let hub = Hub::open(&file).unwrap();
    hub.context("ann").write("/Inbox/before", "x").await.unwrap();
    let app = start(&hub).await;
    hub.context("ann").write("/elsewhere", "x").await.unwrap();
    hub.context("ann").write("/Inbox/one", "x").await.unwrap();
    hub.context("bob").write("/two", "x").await.unwrap();
    let mut told = changed(&hub, &app, 2).await;
    told.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(told, [("ann /Inbox/one".into(), json!("created")), ("bob /two".into(), json!("created"))]);
    app.shutdown().await.unwrap();
    hub.context("ann").append("/Inbox/one", "y").await.unwrap();
    hub.close().await.unwrap();

    let hub = Hub::open(&file).unwrap();
    hub.context("ann").remove("/Inbox/one").await.unwrap();
    let app = start(&hub).await;
    let told = changed(&hub, &app, 4).await;
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(
        told[2..],
        [("ann /Inbox/one".into(), json!("written")), ("ann /Inbox/one".into(), json!("removed"))]
    );
    app.shutdown().await.unwrap();
    hub.close().await.unwrap();

    // As if the history had been trimmed while nobody watched.
    let hub = Hub::open(&file).unwrap();
    hub.context("ann").write("/Inbox/lost", "x").await.unwrap();
    hub.close().await.unwrap();
    let tables = rusqlite::Connection::open(&file).unwrap();
    let trimmed = "INSERT INTO trimmed SELECT id, (SELECT max(seq) FROM change), 0 FROM node WHERE kind = 0";
    tables.execute(trimmed, []).unwrap();
    drop(tables);
    let hub = Hub::open(&file).unwrap();
    let gaps = "context.gap".try_into().unwrap();
    let mut gaps = Arc::new(hub.clone()).subscribe(gaps, Start::Now).await.unwrap();
    let app = start(&hub).await;
    let gap: ContextGap = gaps.next().await.unwrap().unwrap().data.decode().unwrap();
    assert_eq!(gap.path, "/Inbox");
    app.shutdown().await.unwrap();
}

/// The labels of the answer to an event with these.
async fn labels_of(app: &Processor, event: Event, answer: &str) -> Vec<String> {
    let mut answers = app.subscribe(answer.to_owned()).await.unwrap();
    app.as_user("ann").emit(event).await.unwrap();
    let event =
        tokio::time::timeout(Duration::from_secs(60), answers.next()).await.unwrap().unwrap().unwrap();
    event.labels.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn labels_travel_through_documents() {
    let (_hub, app, ann) = tenant("ann").await;
    let untrusted =
        |kind: &'static str, data: Value| Event::new(kind).with_data(data).with_label("untrusted");
    let plain = |kind: &'static str, data: Value| Event::new(kind).with_data(data);
    let page = json!({"path": "/Page", "content": "words of a stranger", "metadata": {"title": "Page", "labels": []}});
    labels_of(&app, untrusted("context.write", page), "context.written").await;
    let metadata = async |path: &str| ann.context().read(path).await.unwrap().unwrap().metadata;
    assert_eq!(metadata("/Page").await, json!({"title": "Page", "labels": ["untrusted"]}));
    let read = || plain("context.read", json!({"path": "/Page"}));
    assert_eq!(labels_of(&app, read(), "context.data").await, ["untrusted"]);
    let search = plain("context.search", json!({"text": "stranger", "fresh": true}));
    assert_eq!(labels_of(&app, search, "context.found").await, ["untrusted"]);
    let list = plain("context.list", json!({"path": "/"}));
    assert_eq!(labels_of(&app, list, "context.items").await, ["untrusted"]);
    let folder = plain("context.read", json!({"path": "/"}));
    assert_eq!(labels_of(&app, folder, "context.data").await, ["untrusted"]);
    // What is written over it without a label does not make it trusted; metadata that are set do.
    labels_of(&app, plain("context.append", json!({"path": "/Page", "text": "."})), "context.written").await;
    assert_eq!(labels_of(&app, read(), "context.data").await, ["untrusted"]);
    let own = json!({"path": "/Page", "content": "mine", "metadata": {"title": "Page"}});
    labels_of(&app, plain("context.write", own), "context.written").await;
    assert!(labels_of(&app, read(), "context.data").await.is_empty());
    // Each way of writing brings them in, beside those that are there.
    for (kind, path, data) in [
        ("context.append", "/A", json!({"path": "/A", "text": "x"})),
        ("context.edit", "/B", json!({"path": "/B", "edits": [{"first": 1, "old": "text", "new": "x"}]})),
        ("context.patch", "/C", json!({"path": "/C", "patch": {"a": 1}})),
        ("context.write", "/D", json!({"path": "/D", "content": "x"})),
        ("context.write", "/E", json!({"path": "/E", "content": "x", "metadata": {"title": "E"}})),
    ] {
        let first = if path == "/C" { json!({}).into() } else { vextir_core::Content::from("text") };
        ann.context().write(path, first).metadata(json!({"labels": ["private"]})).await.unwrap();
        labels_of(&app, untrusted(kind, data), "context.written").await;
        assert_eq!(metadata(path).await["labels"], json!(["private", "untrusted"]), "{kind}");
    }
    let other = plain("context.search", json!({"text": "nothing of it", "fresh": true}));
    assert!(labels_of(&app, other, "context.found").await.is_empty());
}
