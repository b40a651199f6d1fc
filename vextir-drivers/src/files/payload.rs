//! What the driver emits.

use super::name::below;
use super::record::Record;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use vextir::{Payload, Result, Timestamp};

/// A file appeared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "file.created", category = "input")]
pub struct FileCreated {
    /// The watched folder, [escaped](super::escape).
    pub root: String,
    /// The path below it, [escaped](super::escape).
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// By the file name's extension; `application/octet-stream` when that says nothing.
    pub media_type: String,
    /// SHA-256 of the content, in hexadecimal. None for files that are too large, or that did not stand
    /// still long enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// When its content was modified.
    #[schemars(with = "String")]
    pub modified: Timestamp,
}

/// A file's content changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "file.changed", category = "input")]
pub struct FileChanged {
    /// The watched folder, [escaped](super::escape).
    pub root: String,
    /// The path below it, [escaped](super::escape).
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// By the file name's extension.
    pub media_type: String,
    /// SHA-256 of the content, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// When its content was modified.
    #[schemars(with = "String")]
    pub modified: Timestamp,
}

/// A file has another path now, and the same content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "file.moved", category = "input")]
pub struct FileMoved {
    /// The watched folder, [escaped](super::escape).
    pub root: String,
    /// The old path below it, [escaped](super::escape).
    pub from: String,
    /// The path below it, [escaped](super::escape).
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// By the file name's extension.
    pub media_type: String,
    /// SHA-256 of the content, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// When its content was modified.
    #[schemars(with = "String")]
    pub modified: Timestamp,
}

/// A file is gone. Size and hash are those that it had when it was last reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "file.removed", category = "input")]
pub struct FileRemoved {
    /// The watched folder, [escaped](super::escape).
    pub root: String,
    /// The path below it, [escaped](super::escape).
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// By the file name's extension.
    pub media_type: String,
    /// SHA-256 of the content, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// A file or folder cannot be read; said once, until it can be read again. What was reported of a file, or
/// of the files in a folder, still stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "file.unreadable", category = "input")]
pub struct FileUnreadable {
    /// The watched folder, [escaped](super::escape).
    pub root: String,
    /// The path below it, [escaped](super::escape); a folder's ends with a slash, the root's is empty.
    pub path: String,
    /// What the system says.
    pub reason: String,
}

/// A root was compared with what is remembered of it, for the first time since the start: everything that
/// happened before that moment is in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "file.scanned", category = "input")]
pub struct FileScanned {
    /// The watched folder, [escaped](super::escape).
    pub root: String,
    /// Files that are there.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files and folders that cannot be read.
    pub unreadable: u64,
    /// Events that came out of it.
    pub events: u64,
}

/// How a root is watched now, when that changed or is not the normal way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "file.watch", category = "input")]
pub struct FileWatch {
    /// The watched folder, [escaped](super::escape).
    pub root: String,
    /// The way.
    pub mode: WatchMode,
    /// Why, in a sentence.
    pub reason: String,
}

/// A way of watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum WatchMode {
    /// The system says when something changes.
    Notified,
    /// The system does not (its watches are exhausted, for example): compared at an interval.
    Interval,
    /// The folder is not there; it is watched again when it comes back.
    Missing,
}

/// The path of `path` below `root`, both escaped, as the system knows it.
///
/// # Errors
/// One of them is not what [`escape`](super::escape) makes.
fn location(root: &str, path: &str) -> Result<PathBuf> {
    below(&below(Path::new(""), root)?, path)
}

macro_rules! located {
    ($($payload:ident)+) => {
        $(impl $payload {
            /// Where the file is, as the system knows it.
            ///
            /// # Errors
            /// `root` or `path` is not what [`escape`](super::escape) makes.
            pub fn location(&self) -> Result<PathBuf> {
                location(&self.root, &self.path)
            }
        })+
    };
}

located!(FileCreated FileChanged FileMoved FileRemoved FileUnreadable);

macro_rules! described {
    ($($payload:ident)+) => {
        $(impl $payload {
            pub(super) fn of(root: &str, path: &str, record: &Record) -> Self {
                Self {
                    root: root.into(),
                    path: path.into(),
                    size: record.size(),
                    media_type: media_type(path),
                    hash: record.hash.clone(),
                    modified: record.modified_at(),
                }
            }
        })+
    };
}

described!(FileCreated FileChanged);

impl FileMoved {
    pub(super) fn of(root: &str, from: &str, path: &str, record: &Record) -> Self {
        let FileCreated { root, path, size, media_type, hash, modified } =
            FileCreated::of(root, path, record);
        Self { root, from: from.into(), path, size, media_type, hash, modified }
    }
}

impl FileRemoved {
    pub(super) fn of(root: &str, path: &str, record: &Record) -> Self {
        let FileCreated { root, path, size, media_type, hash, .. } = FileCreated::of(root, path, record);
        Self { root, path, size, media_type, hash }
    }
}

/// The media type by the extension of an escaped path.
pub(super) fn media_type(path: &str) -> String {
    let extension = path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, end)| end);
    let lower = extension.unwrap_or_default().to_ascii_lowercase();
    match lower.as_str() {
        // The table's answer is a video container.
        "ts" | "mts" | "cts" | "tsx" => "text/x-typescript".into(),
        _ => mime_guess::from_ext(&lower).first_or_octet_stream().to_string(),
    }
}
