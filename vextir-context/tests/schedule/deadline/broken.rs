//! Bad keys, bad documents, bad declarations.

use super::{HOUR, Watch, overdue, paid, sent};
use crate::monday;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::prelude::*;
use vextir_core::schedule::Deadline;
use vextir_core::{MemoryBus, Processor};

/// What the only dead letter says.
async fn letter(app: &Processor) -> String {
    app.idle().await;
    let letters = app.dead_letters(0, 10).await.unwrap();
    assert_eq!(letters.len(), 1, "{letters:?}");
    app.discard(&vextir_core::Letters::all()).await.unwrap();
    letters[0].reason.clone()
}

#[tokio::test]
async fn an_event_without_a_key_is_a_dead_letter_that_says_so() {
    let watch = Watch::new(overdue()).await;
    let data = [
        (json!({}), "invoice.sent: data.invoice.id is missing"),
        (json!({"invoice": {"id": null}}), "missing"),
        (json!({"invoice": "A"}), "missing"),
        (json!({"invoice": {"id": ["A"]}}), "no text, number or boolean"),
        (json!({"invoice": {"id": "x".repeat(100_000)}}), "100000 bytes; a key has at most 512"),
    ];
    for (data, why) in data {
        watch.app.emit(Event::new("invoice.sent").with_data(data)).await.unwrap();
        let error = letter(&watch.app).await;
        assert!(error.contains("deadline.overdue") && error.contains(why), "{error} should say {why}");
    }
    assert!(watch.waiting("local", "overdue").await.is_empty());
}

#[tokio::test]
async fn odd_keys_are_kept_apart() {
    let mut watch = Watch::new(overdue()).await;
    let long = "x".repeat(512);
    let odd = ["", ".", "..", "~", "../../x", "a/b", " a ", "\u{0}", "e\u{301}", "\u{e9}", "A", "a", &long];
    for key in odd {
        watch.comes(sent(key)).await;
    }
    // The number and the text are one.
    for id in [json!(17), json!("17")] {
        watch.comes(Event::new("invoice.sent").with_data(json!({"invoice": {"id": id}}))).await;
    }
    assert_eq!(watch.waiting("local", "overdue").await.len(), odd.len() + 1);
    watch.clock.advance(HOUR);
    let mut told = std::collections::BTreeSet::new();
    for _ in 0..=odd.len() {
        told.insert(watch.key().await);
    }
    assert!(odd.iter().all(|key| told.contains(*key)) && told.contains("17"), "{told:?}");
    watch.quiet().await;
}

#[tokio::test]
async fn what_is_too_large_to_carry_is_told_without_it() {
    let mut watch = Watch::new(overdue()).await;
    let mut deep = json!(1);
    for _ in 0..124 {
        deep = json!([deep]);
    }
    for (key, much) in [("large", json!("x".repeat(200_000))), ("deep", json!([[deep]]))] {
        let event = Event::new("invoice.sent").with_data(json!({"invoice": {"id": key}, "much": much}));
        watch.comes(event).await;
        watch.clock.advance(HOUR);
        let told = watch.next().await;
        assert_eq!(told.metadata["key"], key);
        assert_eq!(told.data.value(), json!({"tone": "stern", "after": null}));
    }
    assert_eq!(watch.app.dead_letters(0, 10).await.unwrap(), []);
}

#[tokio::test]
async fn nobody_else_speaks_for_a_deadline() {
    let mut watch = Watch::new(overdue()).await;
    watch.comes(sent("A")).await;
    for event_type in ["deadline.overdue.due", "deadline.overdue.heard"] {
        watch.app.as_user("local").emit(Event::new(event_type).with_data(json!({"key": "A"}))).await.unwrap();
        let error = letter(&watch.app).await;
        assert!(error.contains("only the driver deadline.overdue says this"), "{error}");
    }
    let mine = watch.app.as_user("local").emit(Event::new("x").with_source("deadline.overdue")).await;
    assert!(mine.unwrap_err().to_string().contains("driver's name"));
    watch.quiet().await;
    assert_eq!(watch.waiting("local", "overdue").await, ["A"]);
}

#[tokio::test]
async fn a_document_that_is_no_wait_is_named() {
    let watch = Watch::new(overdue()).await;
    let context = watch.app.context("local");
    context.write("/System/Deadlines/overdue/A", json!({"what": 1})).await.unwrap();
    watch.app.emit(sent("A")).await.unwrap();
    let error = letter(&watch.app).await;
    assert!(error.contains("/System/Deadlines/overdue/A: nothing that waits"), "{error}");
    context.remove("/System/Deadlines/overdue/A").await.unwrap();
    watch.comes(sent("A")).await;
    assert_eq!(watch.waiting("local", "overdue").await, ["A"]);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_at_the_start() {
    let made = |after: &'static str, within, event| Deadline::new("odd", after, within, event);
    let tick = || Event::new("told");
    let refused = [
        (made("a.b", Duration::ZERO, tick()), "`within` is nothing"),
        (made("a..b", HOUR, tick()), "a..b"),
        (made("a.b", HOUR, tick()).unless("a*"), "mixes '*' with text"),
        (made("a.b", HOUR, Event::new("no type!")), "no type!"),
        (made("a.b", HOUR, tick()).by("a..b"), "`by` has an empty segment"),
        (made("a.b", HOUR, tick()).by(""), "`by` has an empty segment"),
        (made("a.b", HOUR, tick().with_data(json!([1]))), "no object"),
        (made("a.b", HOUR, tick().with_data(json!({"after": 1}))), "has an `after` already"),
        (Deadline::new("../x", "a.b", HOUR, tick()), "deadline.../x"),
    ];
    for (deadline, why) in refused {
        let start = Processor::builder(Hub::in_memory().unwrap()).clock(monday()).driver(deadline).start();
        let error = start.await.unwrap_err().to_string();
        assert!(error.contains(why), "{error} should say {why}");
    }
}

#[tokio::test]
async fn without_a_store_it_says_what_is_missing() {
    let app = Processor::builder(MemoryBus::new()).clock(monday()).driver(overdue()).start().await.unwrap();
    app.emit(sent("A")).await.unwrap();
    let error = letter(&app).await;
    assert!(error.contains("no context store; run it on a Hub"), "{error}");
}

#[tokio::test]
async fn without_room_to_wait_it_is_tried_again_and_told_at_last() {
    let clock = monday();
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::builder(folder.path().join("hub.db")).backlog(3).open().unwrap();
    let mut watch = Watch::on(hub, clock.clone(), vec![overdue()]).await;
    for key in ["A", "B", "C"] {
        watch.comes(sent(key)).await;
    }
    watch.app.emit(sent("D")).await.unwrap();
    for _ in 0..2_000 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        clock.advance(Duration::from_millis(100));
        if !watch.app.dead_letters(0, 1).await.unwrap().is_empty() {
            break;
        }
    }
    let error = letter(&watch.app).await;
    assert!(error.contains("raise the backlog limit"), "{error}");
    assert_eq!(watch.waiting("local", "overdue").await, ["A", "B", "C"]);
    watch.comes(paid("B")).await;
    watch.comes(sent("D")).await;
    assert_eq!(watch.waiting("local", "overdue").await, ["A", "C", "D"], "an answer makes room");
    watch.clock.advance(HOUR);
    let told = [watch.key().await, watch.key().await, watch.key().await];
    assert_eq!(told.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    watch.quiet().await;
}
