//! What the driver is asked, and what it answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vextir::context::{Changed, Revision};
use vextir::{Payload, Timestamp};

/// Read a document, or see what is in a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.read")]
pub struct ContextRead {
    /// The document or folder.
    pub path: String,
    /// Whether a text comes with its lines numbered, to be edited by line.
    #[serde(default)]
    pub numbered: bool,
}

/// What is at a path.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.data", category = "output")]
pub struct ContextData {
    /// The document or folder.
    pub path: String,
    /// Whether there is something that this user may read.
    pub found: bool,
    /// The content of a document: a string for a text.
    #[serde(default)]
    pub content: Value,
    /// The metadata of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// The version of a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What is in a folder; at most 1,000 entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ContextItem>,
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextItem {
    /// Its path.
    pub path: String,
    /// `folder` or `document`.
    pub kind: String,
}

/// List what is in a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.list")]
pub struct ContextList {
    /// The folder.
    pub path: String,
    /// Only names after this one.
    #[serde(default)]
    pub after: String,
    /// At most so many; 1,000 by default and at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// What is in a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.items", category = "output")]
pub struct ContextItems {
    /// The folder.
    pub path: String,
    /// Its entries, by name.
    pub items: Vec<ContextItem>,
}

/// Write a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.write")]
pub struct ContextWrite {
    /// The document.
    pub path: String,
    /// A string for a text, everything else is JSON.
    pub content: Value,
    /// New metadata, an object; the old ones stay without it.
    #[serde(default)]
    pub metadata: Option<Value>,
    /// Refuse unless this is the current version; 0 for "not there yet".
    #[serde(default)]
    pub expected_version: Option<u64>,
}

/// A document or folder was changed, and this is where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.written", category = "output")]
pub struct ContextWritten {
    /// Its path.
    pub path: String,
}

/// Add to the end of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.append")]
pub struct ContextAppend {
    /// The document.
    pub path: String,
    /// What is added.
    pub text: String,
}

/// Merge into a JSON document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.patch")]
pub struct ContextPatch {
    /// The document.
    pub path: String,
    /// Keys with their new values; null removes one.
    pub patch: Value,
}

/// Replace lines of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.edit")]
pub struct ContextEdit {
    /// The document.
    pub path: String,
    /// The edits; all line numbers count in the text as it is now.
    pub edits: Vec<EditedLines>,
}

/// One edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EditedLines {
    /// The number of the first line, from 1; one past the end adds at the end.
    pub first: usize,
    /// What the lines read now; empty to insert before the first.
    #[serde(default)]
    pub old: String,
    /// What they shall read; empty to remove them.
    #[serde(default)]
    pub new: String,
}

/// Give a document or folder another path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.move")]
pub struct ContextMove {
    /// Its path.
    pub path: String,
    /// Its new path.
    pub to: String,
}

/// Remove a document or folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.remove")]
pub struct ContextRemove {
    /// Its path.
    pub path: String,
}

/// Bring back what was removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.restore")]
pub struct ContextRestore {
    /// The path that it had.
    pub path: String,
}

/// Ask for the history of a document or folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.history")]
pub struct ContextHistory {
    /// Its path.
    pub path: String,
    /// At most so many revisions; 20 by default, at most 1,000.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// The history of a document or folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.revisions", category = "output")]
pub struct ContextRevisions {
    /// Its path.
    pub path: String,
    /// What was done, last first.
    pub revisions: Vec<ContextRevision>,
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextRevision {
    /// The version that it made; 0 where the content was left alone.
    pub version: u64,
    /// What was done: `created`, `written`, `moved`, ..
    pub what: Value,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// By which user.
    pub user: String,
    /// Through which agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// By which driver's handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Because of which event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
}

impl From<Revision> for ContextRevision {
    fn from(revision: Revision) -> Self {
        let by = revision.by;
        Self {
            version: revision.version,
            // A unit of an enumeration always has a JSON form.
            what: serde_json::to_value(revision.what).unwrap_or_default(),
            at: revision.at,
            user: by.user.to_string(),
            agent: by.agent.map(|agent| agent.to_string()),
            driver: by.driver.map(|driver| driver.to_string()),
            event_id: by.cause.map(|cause| cause.to_string()),
        }
    }
}

/// Something changed at or below a watched path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.changed", category = "input")]
pub struct ContextChanged {
    /// The document or folder, as it is called now.
    pub path: String,
    /// What was done: `created`, `written`, `moved`, ..
    pub what: Value,
    /// The path before a move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version that it made; 0 where the content was left alone.
    pub version: u64,
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// By which user.
    pub user: String,
    /// Through which agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// By which driver's handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Because of which event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
}

impl From<Changed> for ContextChanged {
    fn from(changed: Changed) -> Self {
        let Changed { path, what, from, version, at, by, .. } = changed;
        let done = ContextRevision::from(Revision::new(version, what, at, by));
        let ContextRevision { what, user, agent, driver, event_id, .. } = done;
        Self { path, what, from, version, at, user, agent, driver, event_id }
    }
}

/// Changes at or below a watched path were not told, and are not kept any more: read the documents anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.gap", category = "input")]
pub struct ContextGap {
    /// The watched path.
    pub path: String,
    /// What happened.
    pub reason: String,
}
