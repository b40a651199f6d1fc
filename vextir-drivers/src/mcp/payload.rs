//! What becomes of a server, as events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vextir::Payload;

/// A server can be called: at the start, and again after it was down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "mcp.up", category = "output")]
pub struct McpUp {
    /// The server's name.
    pub server: String,
    /// How many tools it has.
    pub tools: usize,
    /// What was wrong with what it says about them; at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

/// A server was lost. It is started again, unless that was tried too often: then it is given up, and tried once each
/// restart window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "mcp.down", category = "output")]
pub struct McpDown {
    /// The server's name.
    pub server: String,
    /// Why, with the end of what it wrote to its error output.
    pub reason: String,
    /// Calls fail at once, and do not wait for a restart.
    pub given_up: bool,
}

/// A server has other tools than before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "mcp.changed", category = "output")]
pub struct McpChanged {
    /// The server's name.
    pub server: String,
    /// The events of the tools that appeared.
    pub added: Vec<String>,
    /// The events of those that are gone.
    pub removed: Vec<String>,
    /// What was wrong with what it says; at most 32. If its new list was refused, the old one stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}
