//! Search by meaning with a model of a service: [`HttpEmbedder`] asks one that speaks as OpenAI's does.
//!
//! ```no_run
//! # extern crate vextir_core as vextir;
//! use vextir_context::{Hub, SearchOptions};
//! use vextir_drivers::embed::HttpEmbedder;
//!
//! # async fn run() -> vextir::Result<()> {
//! let embedder = HttpEmbedder::builder("http://127.0.0.1:11434/v1", "nomic-embed-text").connect().await?;
//! let hub = Hub::builder("vextir.db").search(SearchOptions::default().embedder(embedder)).open()?;
//! hub.context("ann").write("/walk", "Along the river with the dog").await?;
//! let near = hub.context("ann").search("a stroll").meaning_only().fresh().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **Texts go to the address that was given, and nowhere else**: redirects are not followed. A proxy that the environment
//!   names (`HTTPS_PROXY`) is used, but for an address on this machine.
//! * **Neither the key nor a text is in an error, in a log or in `Debug`.** What a service says about a failure is not passed
//!   on, because it may repeat both; a few well-known codes are.
//! * **Everything is bounded**: the time of a request, the number of attempts, the pauses, the size of an answer.
//! * **An answer that is wrong spoils nothing**: the number of vectors, their order, their dimensions and each number are
//!   checked.
//! * **What may pass by is tried again**: no connection, a timeout of a single text, an answer that breaks off, and the
//!   statuses 408, 429 and 5xx, with the pause that `retry-after` asks for. Where the service takes nothing (no connection,
//!   429, 503, or it asks for a pause), the embedder rests after the last attempt: calls fail at once, so that searches do
//!   not wait for a service that is away.
//! * **A text that the service refuses is [`ErrorKind::Invalid`](vextir::ErrorKind::Invalid)**, and nothing else is: the hub
//!   sets such a document aside and goes on. Several texts that do not come in time are not sent again: the hub asks for
//!   them one by one. A text at which the service fails each time stops none of the others.
//! * Dropping the future ends the request.

mod answer;
mod builder;
mod client;
mod failure;
mod service;

pub use builder::HttpEmbedderBuilder;
pub use client::HttpEmbedder;
