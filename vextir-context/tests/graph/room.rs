//! What the graph takes is counted, and given back: retention removes events by what is left.

use crate::{day, fact};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use vextir_context::{Hub, SearchOptions};
use vextir_core::ManualClock;
use vextir_core::context::graph::{EntityKey, Episode, Fact};

/// About what a row is counted as.
const ROW: i64 = 150;

/// A hub in which nothing but the documents and the graph is counted.
fn hub(path: &Path) -> Hub {
    Hub::builder(path).search(SearchOptions::off()).open().unwrap()
}

/// The bytes that do not count as the log.
fn counted(path: &Path) -> i64 {
    rusqlite::Connection::open(path)
        .unwrap()
        .query_row("SELECT coalesce(max(value), 0) FROM meta WHERE name = 'context_bytes'", [], |row| {
            row.get(0)
        })
        .unwrap()
}

fn note(text: &str) -> Episode {
    let alike = Fact::value(("thing", "bühne"), "weiß", "größer");
    Episode::new("notiz", "eingang für post").at(day(1)).key("schlüssel").text(text).data(text).fact(alike)
}

#[tokio::test]
async fn what_is_said_again_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let hub = hub(&path);
    let graph = hub.context("ann").graph();
    let empty = counted(&path);
    graph.ingest(note("text number 000")).await.unwrap();
    let once = counted(&path);
    assert!(once > empty + 4 * ROW, "an episode, an entity, a link and a statement: {once}");
    for number in 1..=100 {
        graph.ingest(note(&format!("text number {number:03}"))).await.unwrap();
    }
    assert!((counted(&path) - once).abs() <= ROW, "{} after {once}", counted(&path));
    graph.ingest(note("")).await.unwrap();
    assert!(counted(&path) < once, "a shorter text takes less");
    graph.forget("eingang für post").await.unwrap();
    assert_eq!(counted(&path), empty);
    graph.ingest(note("text number 000")).await.unwrap();
    assert_eq!(counted(&path), once, "it came back");
}

#[tokio::test]
async fn a_relation_that_is_declared_again_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let hub = hub(&path);
    let graph = hub.context("ann").graph();
    graph.declare_single("likes", true).await.unwrap();
    let once = counted(&path);
    for number in 0..100 {
        graph.declare_single("likes", number % 2 == 0).await.unwrap();
    }
    assert_eq!(counted(&path), once);
}

#[tokio::test]
async fn what_a_document_links_to_is_counted_and_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let hub = hub(&path);
    let ann = hub.context("ann");
    ann.write("/kept", "x").await.unwrap();
    let ask = async || ann.graph().neighbours(EntityKey::document("/plan")).await.unwrap().links.len();
    assert_eq!(ask().await, 0);
    ann.write("/plan", "[[/kept]] @bob [[/größe]]").await.unwrap();
    let before = counted(&path);
    assert_eq!(ask().await, 3);
    let linked = counted(&path);
    assert!(linked >= before + 11 * ROW, "an episode, four entities, three links, three statements");
    ann.graph().ingest(Episode::new("note", "/plan").fact(fact("größe", "ist", "zählbar"))).await.unwrap();
    ann.graph().forget("/plan").await.unwrap();
    assert_eq!(counted(&path), before);
}

#[tokio::test]
async fn what_goes_for_good_with_its_document_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut left = Vec::new();
    for (name, has_graph) in [("x.db", true), ("y.db", false)] {
        let path = folder.path().join(name);
        let clock = Arc::new(ManualClock::starting(day(100)));
        let off = SearchOptions::off();
        let hub = Hub::builder(&path).search(off).clock(clock.clone()).open().unwrap();
        let ann = hub.context("ann");
        ann.write("/plan", "[[/größe]] and @bob").await.unwrap();
        if has_graph {
            let note = Episode::new("note", "/plan").key("schlüssel").fact(fact("größe", "ist", "x"));
            ann.graph().ingest(note).await.unwrap();
            assert_eq!(ann.graph().neighbours(EntityKey::document("/plan")).await.unwrap().links.len(), 2);
        }
        ann.write("/last", "x").await.unwrap();
        ann.remove("/plan").await.unwrap();
        clock.advance(Duration::from_secs(91 * 86_400));
        assert!(hub.tidy().await.unwrap().nodes > 0);
        left.push(counted(&path));
    }
    // The id under which each of the two hubs writes is now and then a byte shorter than the other's.
    assert!((left[0] - left[1]).abs() < ROW / 10, "{left:?}: with a graph, and without");
}
