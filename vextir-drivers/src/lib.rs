//! Drivers for Vextir: families of ready drivers, each behind a feature.
//!
//! | feature | what it adds |
//! |---|---|
//! | `agent` | `agent::Agent`: models, tools, and agents whose every step is an event |
//! | `command` | `command::CommandDriver` runs commands within limits |
//! | `http` | `http::HttpTools`: `http.fetch` and `web.search` |
//! | `mcp` | `mcp::McpServer`: tools of MCP servers; `mcp::Offer`: what the processor can do, for others |
//! | `script` | `script::Scripts`: handlers as data, in a sandbox |
//! | `context` | `context::ContextDriver` reads and writes documents by event |
//! | `embed-http` | `embed::HttpEmbedder` has texts made into vectors by an OpenAI-compatible service |
//! | `workflow` | `workflow::Instruction`: instructions in YAML, checked before they run |
//! | `files` | `files::Files` watches folders: what is created, changed, moved and removed; `files::FileReader` reads files in them |
//!
//! Applications reach them as `vextir::drivers`, behind the same features of the facade.
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate vextir_core as vextir;

#[cfg(feature = "agent")]
pub mod agent;
#[cfg(all(feature = "command", unix))]
pub mod command;
#[cfg(feature = "context")]
pub mod context;
#[cfg(feature = "embed-http")]
pub mod embed;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "http")]
pub mod http;
#[cfg(any(feature = "agent", all(feature = "command", unix), feature = "context", feature = "script"))]
mod labels;
#[cfg(feature = "mcp")]
pub mod mcp;
#[cfg(any(all(feature = "command", unix), feature = "http"))]
mod note;
#[cfg(feature = "script")]
pub mod script;
#[cfg(any(feature = "agent", feature = "command", feature = "http", feature = "mcp"))]
pub mod secret;
#[cfg(any(feature = "agent", feature = "embed-http", feature = "mcp"))]
mod service;
#[cfg(feature = "workflow")]
pub mod workflow;
#[cfg(feature = "workflow")]
mod yaml;
