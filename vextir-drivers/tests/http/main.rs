//! The web as it is: servers that lie, hang, flood, and lead inside.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate vextir_core as vextir;

mod again;
mod fetch;
mod inside;
mod search;
mod server;

use std::time::Duration;
use vextir_core::{MemoryBus, Processor, Result, RetryPolicy};
use vextir_drivers::http::{HttpFetch, HttpFetched, HttpTools};

/// A processor that tries again at once.
async fn app(tools: HttpTools) -> Processor {
    let retry = RetryPolicy { base: Duration::from_millis(1), cap: Duration::from_millis(1) };
    Processor::builder(MemoryBus::new()).driver(tools).retry(retry).start().await.unwrap()
}

async fn get(tools: HttpTools, url: &str) -> Result<HttpFetched> {
    app(tools).await.as_user("ann").request(HttpFetch::get(url)).await
}

/// The server's machine is allowed.
fn here() -> HttpTools {
    HttpTools::new().allow_private("127.0.0.1:*")
}
