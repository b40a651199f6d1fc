//! Models: what they are asked over the wire, what becomes of services that fail, who is asked instead, and who pays.
#![cfg(feature = "agent")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate vextir_core as vextir;

mod chain;
mod handle;
mod hostile;
mod ledger;
mod llm;
mod secrets;
mod server;
mod wire;

use server::Server;
use std::time::Duration;
use vextir_core::{MemoryBus, Processor, ProcessorBuilder, RetryPolicy};
use vextir_drivers::agent::{Message, ModelRegistry, ModelRequest, ModelSpec, Models};

/// A processor that asks these models, and is quick to try again.
fn asking(models: ModelRegistry) -> ProcessorBuilder {
    let retry = RetryPolicy { base: Duration::from_millis(1), cap: Duration::from_millis(5) };
    Processor::builder(MemoryBus::new()).retry(retry).driver(Models::new(models))
}

/// A model of OpenAI's form on this server.
fn model(server: &Server) -> ModelSpec {
    ModelSpec::compatible(format!("{}/v1", server.base), "tiny")
}

fn hello() -> ModelRequest {
    ModelRequest::new([Message::user("Hello")])
}
