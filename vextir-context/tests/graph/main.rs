//! The graph: what was seen, what it says, and for whom.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod documents;
mod forgetting;
mod handler;
mod ingest;
mod limits;
mod rights;
mod room;
mod time;
mod walking;

use std::sync::Arc;
use vextir_context::{Hub, HubBuilder};
use vextir_core::context::graph::{Episode, Fact, Graph, Ingested, Link, Object};
use vextir_core::{Error, ErrorKind, ManualClock, Timestamp};

fn hub() -> Hub {
    Hub::in_memory().unwrap()
}

/// A hub on a clock that is set by hand, at day 100.
fn timed() -> (Hub, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::starting(day(100)));
    (HubBuilder::in_memory().clock(clock.clone()).open().unwrap(), clock)
}

/// A day, counted from some day on.
fn day(number: i64) -> Timestamp {
    Timestamp::from_micros((20_000 + number) * 86_400_000_000)
}

/// `a relation b`, for which `person` stands on both sides.
fn fact(subject: &str, relation: &'static str, object: &str) -> Fact {
    Fact::new(("thing", subject), relation, ("thing", object))
}

async fn say(graph: &Graph, source: &str, at: i64, facts: impl IntoIterator<Item = Fact>) -> Ingested {
    let episode = Episode::new("note", source).at(day(at));
    graph.ingest(facts.into_iter().fold(episode, Episode::fact)).await.unwrap().unwrap()
}

/// Links as `a relation b`, in order.
fn shown(links: &[Link]) -> Vec<String> {
    let mut shown: Vec<String> = links
        .iter()
        .map(|link| {
            let object = match &link.object {
                Object::Entity(key) => key.key.clone(),
                Object::Value(value) | Object::Property(value) => value.to_string(),
                other => format!("{other:?}"),
            };
            format!("{} {} {object}", link.subject.key, link.relation)
        })
        .collect();
    shown.sort();
    shown
}

/// What is one link away.
async fn near(graph: &Graph, of: &str) -> Vec<String> {
    shown(&graph.neighbours(("thing", of)).depth(1).await.unwrap().links)
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>, kind: ErrorKind, says: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "{error}");
}
