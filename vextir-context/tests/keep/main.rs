//! House-keeping: what is kept for how long, and what the operator does with a hub.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kills;
mod operator;
mod parcel;
mod retention;

use std::sync::Arc;
use std::time::Duration;
use vextir_context::{Hub, HubBuilder};
use vextir_core::{Context, Error, ErrorKind, ManualClock};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A hub in memory, and its clock.
fn hub() -> (Hub, ManualClock) {
    let clock = ManualClock::at("2025-06-15T00:00:00Z").unwrap();
    let hub = HubBuilder::in_memory().clock(Arc::new(clock.clone())).open().unwrap();
    (hub, clock)
}

async fn text(context: &Context, path: &str) -> String {
    context.read(path).await.unwrap().unwrap().content.to_text().into_owned()
}

/// An error of a kind that says something.
#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>, kind: ErrorKind, says: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "{error}");
}
