//! What the reader is asked, and what it answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vextir::Payload;

/// Read a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "files.read")]
pub struct FileRead {
    /// The file: whole, or below the first folder that is granted.
    pub path: String,
    /// From which byte on; the beginning by default.
    #[serde(default)]
    pub offset: u64,
    /// At most so many bytes; 64 KiB by default, at most 512 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// What is in a file. It is labelled `untrusted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "files.content", category = "output")]
pub struct FileContent {
    /// The file, as the system knows it.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// From which byte on.
    pub offset: u64,
    /// The text; empty if it is none. What is not UTF-8 in it is replaced.
    pub text: String,
    /// Where to read on, if there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<u64>,
    /// It is no text.
    #[serde(default)]
    pub binary: bool,
}

/// List what is in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "files.list")]
pub struct FileList {
    /// The folder: whole, or below the first one that is granted; that one by default.
    #[serde(default)]
    pub path: String,
    /// Only names after this one.
    #[serde(default)]
    pub after: String,
    /// At most so many; 1,000 by default and at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// What is in a folder. It is labelled `untrusted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "files.items", category = "output")]
pub struct FileItems {
    /// The folder, as the system knows it.
    pub path: String,
    /// What is in it, by name.
    pub items: Vec<FileItem>,
    /// There are more after the last one.
    #[serde(default)]
    pub more: bool,
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileItem {
    /// Its name, [escaped](crate::files::escape).
    pub name: String,
    /// `file`, `folder`, `link` or `other`.
    pub kind: String,
    /// The size of a file in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}
