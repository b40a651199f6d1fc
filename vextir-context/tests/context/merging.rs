//! Writes at the same time: both are kept where they do not touch.

use crate::{hub, text, value};
use serde_json::json;
use std::future::IntoFuture;
use tokio::task::JoinSet;
use vextir_context::Hub;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_loses_what_was_written_beside_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let ann = hub.context("ann");
        writers.spawn(async move {
            for number in 0..20 {
                ann.patch("/data", json!({format!("w{writer}"): {format!("n{number}"): number}}))
                    .await
                    .unwrap();
                ann.append("/log", format!("{writer}-{number}\n")).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let ann = hub.context("ann");
    let data = value(&ann, "/data").await;
    assert_eq!(data.as_object().unwrap().len(), 8);
    assert!(data.as_object().unwrap().values().all(|own| own.as_object().unwrap().len() == 20));
    let log = text(&ann, "/log").await;
    assert_eq!(log.lines().count(), 160);
    for writer in 0..8 {
        let own: Vec<_> = log.lines().filter(|line| line.starts_with(&format!("{writer}-"))).collect();
        assert_eq!(own.len(), 20, "each line once, whole");
    }
    assert_eq!(ann.read("/log").await.unwrap().unwrap().version, 160);
}

#[tokio::test]
async fn a_write_keeps_what_others_did_since_its_author_read() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/t", "one\ntwo\nthree\n").await.unwrap();
    ann.write("/t", "one\ntwo\nTHREE\n").await.unwrap();
    ann.write("/t", "ONE\ntwo\nthree\n").based_on(1).await.unwrap();
    assert_eq!(text(&ann, "/t").await, "ONE\ntwo\nTHREE\n");
    ann.write("/j", json!({"a": 1, "b": 1})).metadata(json!({"x": 1})).await.unwrap();
    ann.write("/j", json!({"a": 2, "b": 1})).metadata(json!({"x": 1, "y": 1})).await.unwrap();
    ann.write("/j", json!({"a": 1, "b": 2})).metadata(json!({"x": 2})).based_on(1).await.unwrap();
    assert_eq!(value(&ann, "/j").await, json!({"a": 2, "b": 2}));
    assert_eq!(ann.read("/j").await.unwrap().unwrap().metadata, json!({"x": 2, "y": 1}));
    ann.write("/j", json!({"a": 0})).await.unwrap();
    assert_eq!(value(&ann, "/j").await, json!({"a": 0}), "without a base it is what it says");
}

/// One incarnation writes under one name: what was overwritten leaves next to nothing behind.
#[tokio::test]
async fn a_key_that_is_written_all_the_time_stays_small() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    for _ in 0..3 {
        let hub = Hub::builder(&file).synchronous(vextir_context::Synchronous::Normal).open().unwrap();
        let ann = hub.context("ann");
        for number in 0..300 {
            ann.patch("/counter", json!({"n": number})).await.unwrap();
        }
        hub.close().await.unwrap();
    }
    let tables = rusqlite::Connection::open(&file).unwrap();
    let number = |sql: &str| -> i64 { tables.query_row(sql, [], |row| row.get(0)).unwrap() };
    let state = number("SELECT length(state) FROM document");
    assert!(state < 300, "{state} bytes of state");
    let update = number("SELECT max(length(body)) FROM change");
    assert!(update < 100, "{update} bytes for one write");
    assert_eq!(number("SELECT count(*) FROM change WHERE body IS NOT NULL"), 900);
}

/// Two users reach one document by two paths, and may take two lanes: the writer still compares.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_document_under_two_paths_is_one() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/plan", "").await.unwrap();
    ann.grant("/plan", "bob", vextir_core::Level::Write).await.unwrap();
    ann.move_to("/plan", "/renamed").await.unwrap();
    let mut writers = JoinSet::new();
    for (user, path) in [("ann", "/renamed"), ("bob", "/Shared/ann/plan")] {
        for number in 0..20 {
            let context = hub.context(user);
            writers.spawn(async move { context.append(path, format!("{user}{number}\n")).await.unwrap() });
        }
    }
    writers.join_all().await;
    assert_eq!(text(&ann, "/renamed").await.lines().count(), 40);
}

#[tokio::test]
async fn a_large_document_keeps_nobody_waiting() {
    let hub = hub();
    let ann = hub.context("ann");
    let lines = |of: &str| (0..20_000).map(|n| format!("{n} {of}\n")).collect::<String>();
    ann.write("/large", lines("old")).await.unwrap();
    let mut ticks = 0;
    let mut writing = std::pin::pin!(ann.write("/large", lines("new")).into_future());
    loop {
        tokio::select! {
            biased;
            written = &mut writing => break assert_eq!(written.unwrap().version, Some(2)),
            () = tokio::time::sleep(std::time::Duration::from_millis(1)) => ticks += 1,
        }
    }
    assert!(ticks > 2, "the task's runtime had {ticks} turns");
    assert_eq!(text(&ann, "/large").await, lines("new"));
    assert_eq!(text(&ann.at_version(1), "/large").await, lines("old"));
}
