//! The events of this program, beside those of the `files` driver. All paths are below the folder, with `/`
//! between them, as the `files` driver writes them.

use crate::class::Class;
use crate::summary::Summary;
use vextir::Timestamp;
use vextir::prelude::*;

/// Someone looked into a file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "workspace.described")]
pub(crate) struct Described {
    pub(crate) path: String,
    pub(crate) class: Class,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
}

/// File away what is not in its place. One `--apply` is one name, however many plans it takes and
/// however often it is killed.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "workspace.apply", category = "input")]
pub(crate) struct Apply {
    pub(crate) run: String,
}

/// Everything that a run can file away is filed away: it is over. Without this, it was broken off.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "workspace.applied", category = "output")]
pub(crate) struct Applied {
    pub(crate) run: String,
}

/// Put back what these runs filed away.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "workspace.undo", category = "input")]
pub(crate) struct Undo {
    pub(crate) runs: Vec<String>,
}

/// What these runs filed away is being put back.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "workspace.undone")]
pub(crate) struct Undone {
    pub(crate) runs: Vec<String>,
}

/// The intent to move one file. It is in the log before anything happens, and it holds all that is needed to
/// see whether it has happened, and to turn it round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "workspace.move")]
pub(crate) struct Move {
    pub(crate) from: String,
    pub(crate) to: String,
    /// What the file must be: otherwise somebody changed it since it was looked at.
    pub(crate) size: u64,
    #[schemars(with = "String")]
    pub(crate) modified: Timestamp,
    pub(crate) hash: String,
    /// Folders to make for it, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) make: Vec<Folder>,
    /// Folders to remove if it leaves them empty, the innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) leave: Vec<Folder>,
}

/// A folder that is made or removed on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Folder {
    pub(crate) path: String,
    /// Its permissions, where they have to come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<u32>,
}

/// A file was moved.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "workspace.moved")]
pub(crate) struct Moved {
    pub(crate) step: Move,
}

/// A file was not moved, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "workspace.skipped")]
pub(crate) struct Skipped {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) reason: String,
}

/// Ask for a summary.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "workspace.report", category = "input")]
pub(crate) struct Report {
    /// The day, as in 2025-06-15.
    pub(crate) date: String,
}

/// It is time for the summary of a day.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "workspace.daily", category = "input")]
pub(crate) struct TimeToReport {
    /// The zone in which the day is counted, as in Europe/Berlin.
    pub(crate) timezone: String,
}

/// The summary of a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "workspace.summary", category = "output")]
pub(crate) struct Summarized {
    pub(crate) summary: Summary,
}
