//! History: who changed what, and documents as they were.

use crate::{hub, refused, text, value};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use vextir_context::HubBuilder;
use vextir_core::context::Deed;
use vextir_core::{Clock, ErrorKind, Level, ManualClock};

#[tokio::test]
async fn history_says_who_did_what() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/plan", "one").await.unwrap();
    ann.grant("/Team/plan", "bob", Level::Write).await.unwrap();
    bob.write("/Shared/ann/plan", "two").await.unwrap();
    ann.remove("/Team/plan").await.unwrap();
    ann.restore("/Team/plan").await.unwrap();
    let told = ann.history("/Team/plan", 10).await.unwrap();
    let told: Vec<_> = told.iter().map(|deed| (deed.what, deed.version, deed.by.user.as_str())).collect();
    let expected = [
        (Deed::Restored, 0, "ann"),
        (Deed::Removed, 0, "ann"),
        (Deed::Written, 2, "bob"),
        (Deed::Granted, 0, "ann"),
        (Deed::Created, 1, "ann"),
    ];
    assert_eq!(told, expected);
    let for_bob = bob.history("/Shared/ann/plan", 10).await.unwrap();
    assert!(for_bob.iter().all(|deed| deed.what != Deed::Granted), "{for_bob:?}");
    assert_eq!(ann.history("/Team/plan", 2).await.unwrap().len(), 2);
    refused(ann.history("/none", 2).await, ErrorKind::NotFound, "/none");
    refused(hub.context("eve").history("/Team/plan", 2).await, ErrorKind::NotFound, "/Team/plan");
}

#[tokio::test]
async fn a_document_is_read_as_it_was() {
    let clock = ManualClock::at("2025-06-01T00:00:00Z").unwrap();
    let hub = HubBuilder::in_memory().clock(Arc::new(clock.clone())).open().unwrap();
    let ann = hub.context("ann");
    let start = clock.now();
    let day = Duration::from_secs(24 * 60 * 60);
    let step = || clock.advance(day);
    step();
    ann.write("/a", json!({"n": 1})).metadata(json!({"m": 1})).await.unwrap();
    step();
    ann.patch("/a", json!({"n": 2, "x": "y"})).await.unwrap();
    step();
    ann.remove("/a").await.unwrap();
    step();
    ann.restore("/a").await.unwrap();
    ann.write("/a", "text now").await.unwrap();

    let at = |days: u32| ann.at(start.after(day * days + Duration::from_secs(1)));
    assert!(at(0).read("/a").await.unwrap().is_none(), "not made yet");
    assert_eq!(value(&at(1), "/a").await, json!({"n": 1}));
    assert_eq!(at(1).read("/a").await.unwrap().unwrap().metadata, json!({"m": 1}));
    assert_eq!(value(&at(2), "/a").await, json!({"n": 2, "x": "y"}));
    assert!(at(3).read("/a").await.unwrap().is_none(), "removed then");
    assert_eq!(text(&at(4), "/a").await, "text now");
    assert_eq!(value(&ann.at_version(2), "/a").await, json!({"n": 2, "x": "y"}));
    assert!(ann.at_version(9).read("/a").await.unwrap().is_none());
    refused(at(1).write("/a", "x").await, ErrorKind::Invalid, "past");
    let hidden = hub.context("bob").at(clock.now()).read("/a").await.unwrap();
    assert!(hidden.is_none());

    ann.remove("/a").await.unwrap();
    assert_eq!(value(&at(2), "/a").await, json!({"n": 2, "x": "y"}), "also when it is gone now");
}

#[tokio::test]
async fn two_versions_are_compared_by_line() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a", "one\ntwo\nthree\n").await.unwrap();
    ann.write("/a", "one\n2\nthree\nfour\n").await.unwrap();
    assert_eq!(ann.diff("/a", 1, 2).await.unwrap().text, " one\n-two\n+2\n three\n+four\n");
    assert_eq!(ann.diff("/a", 0, 1).await.unwrap().text, "+one\n+two\n+three\n");
    refused(ann.diff("/a", 1, 7).await, ErrorKind::NotFound, "/a");
}
