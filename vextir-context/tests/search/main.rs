//! Search: what it finds, for whom, and how its index follows.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod embedding;
mod finding;
mod following;
mod killed;
mod refused;
mod rights;

use vextir_context::Hub;
use vextir_core::context::{Context, Hit};

/// A hub in a file, which goes with the folder.
fn stored() -> (tempfile::TempDir, Hub) {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    (folder, hub)
}

/// The hits of a search, when the index is up to date.
async fn hits(context: &Context, text: &str) -> Vec<Hit> {
    context.search(text).fresh().await.unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Their paths.
async fn paths(context: &Context, text: &str) -> Vec<String> {
    hits(context, text).await.into_iter().map(|hit| hit.path).collect()
}

/// The paths of what has words, whatever comes near by meaning.
async fn exact(context: &Context, text: &str) -> Vec<String> {
    let hits =
        context.search(text).text_only().fresh().await.unwrap_or_else(|error| panic!("{text}: {error}"));
    hits.into_iter().map(|hit| hit.path).collect()
}
