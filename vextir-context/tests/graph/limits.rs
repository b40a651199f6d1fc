//! Too much, too large, malformed: refused with a reason, and nothing is kept.

use crate::{day, fact, hub, near, refused, say};
use serde_json::json;
use std::time::Duration;
use vextir_context::{HubBuilder, QueryLimits};
use vextir_core::context::graph::{
    Episode, Fact, GraphChange, MAX_FACTS, MAX_KEY_BYTES, MAX_TEXT_BYTES, MAX_VALUE_BYTES,
};
use vextir_core::context::{Change, Intent};
use vextir_core::{Actor, ContextStore, ErrorKind};

#[tokio::test]
async fn what_cannot_be_kept_is_refused_by_the_handle_and_by_the_store() {
    let hub = hub();
    let graph = hub.context("ann").graph();
    let long = |bytes: usize| "x".repeat(bytes);
    let note = || Episode::new("note", "x");
    let many = (0..=MAX_FACTS).fold(note(), |note, number| note.fact(fact("a", "b", &number.to_string())));
    let cases = [
        (many, "501 facts"),
        (note().text(long(MAX_TEXT_BYTES + 1)), "text of an episode"),
        (note().data(long(MAX_TEXT_BYTES)), "data of an episode"),
        (note().fact(Fact::value(("a", "b"), "c", long(MAX_VALUE_BYTES))), "at most 16384"),
        (note().fact(Fact::new(("a", long(MAX_KEY_BYTES + 1)), "c", ("a", "b"))), "key of an entity"),
        (note().fact(Fact::new(("a", ""), "c", ("a", "b"))), "is empty"),
        (note().fact(Fact::new(("", "a"), "c", ("a", "b"))), "is empty"),
        (note().fact(Fact::new(("a", "b\0"), "c", ("a", "b"))), "control character"),
        (note().fact(fact("a", "", "b")), "is empty"),
        (note().key("\n"), "control character"),
        (note().key(""), "is empty"),
        (Episode::new("", "x"), "is empty"),
        (Episode::new("note", ""), "is empty"),
        (Episode::new("note", "/a/../b"), "segment . or .."),
        (note().fact(fact("a", "b", "c").valid_from(day(2)).valid_until(day(2))), "cease to hold"),
        (note().at(day(5)).fact(fact("a", "b", "c").valid_until(day(2))), "ceases to hold"),
        (note().fact(Fact::new(("document", "no path"), "c", ("a", "b"))), "does not begin with /"),
    ];
    for (episode, says) in cases {
        refused(graph.ingest(episode.clone()).await, ErrorKind::Invalid, says);
        let change = Change::new("/", Intent::Graph(Box::new(GraphChange::Ingest(episode))));
        let error = hub.change(&Actor::user("ann"), vec![change]).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound), "{error}");
    }
    refused(graph.forget("").await, ErrorKind::Invalid, "is empty");
    refused(graph.declare_single("", true).await, ErrorKind::Invalid, "is empty");
    refused(graph.ingest(Episode::new("note", "/nothing")).await, ErrorKind::NotFound, "nothing at");
    for number in 0..1_000 {
        graph.declare_single(format!("r{number}"), true).await.unwrap();
    }
    refused(graph.declare_single("one more", true).await, ErrorKind::Invalid, "at most 1000");
    graph.declare_single("r7", false).await.unwrap();
    assert!(hub.context("ann").query("SELECT 1 FROM links").await.unwrap().is_empty());
    assert!(hub.context("ann").query("SELECT 1 FROM entities").await.unwrap().is_empty());
}

#[tokio::test]
async fn the_largest_that_is_allowed_is_kept() {
    let graph = hub().context("ann").graph();
    let value = "x".repeat(MAX_VALUE_BYTES - 2);
    let note = Episode::new("note", "x").text("y".repeat(MAX_TEXT_BYTES)).fact(Fact::property(
        ("a", "k".repeat(MAX_KEY_BYTES)),
        "p",
        value.clone(),
    ));
    let note = (1..MAX_FACTS).fold(note, |note, number| note.fact(fact("a", "b", &number.to_string())));
    assert_eq!(graph.ingest(note).await.unwrap().unwrap().facts, MAX_FACTS);
    let kept = graph.entity(("a", "k".repeat(MAX_KEY_BYTES))).await.unwrap().unwrap();
    assert_eq!(kept.properties["p"], json!(value));
}

#[tokio::test]
async fn what_takes_too_long_is_stopped_and_says_what_to_narrow() {
    let limits = QueryLimits::default().with_deadline(Duration::from_micros(1));
    let hub = HubBuilder::in_memory().query_limits(limits).open().unwrap();
    let graph = hub.context("ann").graph();
    for part in 0..3 {
        let facts = (0..100).map(|number| fact("bob", "knows", &format!("x{part}-{number}")));
        say(&graph, "mail", part, facts).await;
    }
    say(&graph, "mail", 9, [fact("tea", "is", "hot")]).await;
    let bob = ("thing", "bob");
    for outcome in [
        graph.neighbours(bob).await.map(drop),
        graph.paths(bob, ("thing", "tea"), 3).await.map(drop),
        graph.timeline(bob, 1_000).await.map(drop),
    ] {
        refused(outcome, ErrorKind::Timeout, "fewer steps");
    }
    // What is small is looked at without asking for the time.
    assert_eq!(near(&graph, "tea").await, ["tea is hot"]);
}

#[tokio::test]
async fn a_bus_without_a_graph_says_so() {
    use vextir_core::{MemoryBus, Processor};
    let app = Processor::builder(MemoryBus::default()).start().await.unwrap();
    let graph = app.context("ann").graph();
    refused(graph.ingest(Episode::new("note", "x")).await, ErrorKind::Unsupported, "no context store");
    refused(graph.entity(("a", "b")).await, ErrorKind::Unsupported, "no context store");
    app.shutdown().await.unwrap();
}
