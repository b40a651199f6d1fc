//! SQL of users: what it answers, and what it must never tell.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod attacks;
mod bounds;
mod rights;

use serde_json::Value;
use vextir_context::Hub;
use vextir_core::{Context, Error};

/// The single column of all rows.
async fn column(context: &Context, sql: &str) -> Vec<Value> {
    let rows = context.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| row.as_object().unwrap().values().next().unwrap().clone()).collect()
}

/// The error that refuses a query, with all that it holds.
async fn refusal(context: &Context, sql: &str) -> Error {
    match context.query(sql).await {
        Ok(rows) => panic!("{sql} was answered with {rows:?}"),
        Err(error) => error,
    }
}

/// A hub in a file, which goes with the folder.
fn stored() -> (tempfile::TempDir, Hub) {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    (folder, hub)
}
