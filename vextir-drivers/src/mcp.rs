//! The Model Context Protocol: tools of others, and ours for others.
//!
#![doc = include_str!("../docs/mcp.md")]

mod answer;
mod child;
mod config;
mod link;
mod mask;
mod name;
mod note;
mod offer;
mod payload;
mod server;
mod tool;
mod untrusted;
mod wire;

pub use answer::{McpAnswer, McpContent, McpMessage, McpPrompt, McpResource};
pub use config::{McpConfig, McpText};
pub use offer::{Offer, Serving};
pub use payload::{McpChanged, McpDown, McpUp};
pub use server::McpServer;
pub use tool::McpTool;
pub use untrusted::Untrusted;
