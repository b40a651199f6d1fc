//! The context: what users do with documents, and what others must not see of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod merging;
mod model;
mod past;
mod paths;
mod rights;
mod settle;

mod store;
mod watching;

use serde_json::Value;
use vextir_context::Hub;
use vextir_core::context::Item;
use vextir_core::{Context, Error, ErrorKind};

fn hub() -> Hub {
    Hub::in_memory().unwrap()
}

async fn text(context: &Context, path: &str) -> String {
    context.read(path).await.unwrap().unwrap().content.to_text().into_owned()
}

async fn value(context: &Context, path: &str) -> Value {
    context.read(path).await.unwrap().unwrap().content.as_json().cloned().unwrap()
}

fn paths(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.path.as_str()).collect()
}

/// An error of a kind that says something.
#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>, kind: ErrorKind, says: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "{error}");
}
