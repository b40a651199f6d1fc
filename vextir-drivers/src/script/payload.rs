//! What the driver is asked, and what it answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vextir::Payload;

/// A handler: install it, or put it in the place of the one with its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[serde(deny_unknown_fields)]
#[payload(type = "handler.install")]
pub struct HandlerInstall {
    /// What it is called: letters, digits, `_` and `-`.
    pub id: String,
    /// The event type that it handles; one handler for each.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its code, in Rhai; at most 64 KiB.
    pub code: String,
}

/// A handler is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "handler.installed", category = "output")]
pub struct HandlerInstalled {
    /// What it is called.
    pub id: String,
    /// The event type that it handles.
    #[serde(rename = "type")]
    pub event_type: String,
}

/// Remove a handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "handler.remove")]
pub struct HandlerRemove {
    /// What it is called.
    pub id: String,
}

/// A handler is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "handler.removed", category = "output")]
pub struct HandlerRemoved {
    /// What it was called.
    pub id: String,
}

/// Which handlers are there?
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "handler.list")]
pub struct HandlerList {}

/// The handlers of a user, and those of the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "handler.items", category = "output")]
pub struct HandlerItems {
    /// By id; those of the application first.
    pub handlers: Vec<HandlerItem>,
}

/// One handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HandlerItem {
    /// What it is called.
    pub id: String,
    /// The event type that it handles.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Whether it is the application's own, and cannot be removed.
    #[serde(default)]
    pub builtin: bool,
}
