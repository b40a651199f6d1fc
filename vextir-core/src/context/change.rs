//! What somebody wants changed: intents, merged by the store.

use super::graph::GraphChange;
use super::{Content, Keep, Level, LineEdit, Principal, Version, edit_lines, nothing_at, patch_json};
use crate::{Error, Name, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One intent. The store merges it with what others did meanwhile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Change {
    /// The document or folder.
    pub path: String,
    /// What to do with it.
    pub what: Intent,
    /// New metadata, for an intent about content.
    pub metadata: Option<Value>,
    /// The version that it builds on: what others changed since then is kept, where the two do not touch. 0: nothing
    /// was there. A version that the document never had is refused.
    pub base: Option<Version>,
    /// The document that it builds on ([`Document::id`](super::Document::id)); refused where another one stands now.
    #[serde(default)]
    pub of: Option<String>,
    /// Refuse unless this is the current version; 0 for "not there yet".
    pub expected: Option<Version>,
    /// The agent that acts.
    pub agent: Option<Name>,
}

impl Change {
    /// An intent about a path.
    #[must_use]
    pub fn new(path: impl Into<String>, what: Intent) -> Self {
        Self { path: path.into(), what, metadata: None, base: None, of: None, expected: None, agent: None }
    }
}

/// What to do with a document or folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Intent {
    /// Replace the content; make the document if it is not there.
    Write(Content),
    /// Add to the end of a text; make the document if it is not there.
    Append(String),
    /// Merge into JSON as RFC 7396 says: `null` removes a key. Makes the document if it is not there.
    Patch(Value),
    /// Replace lines of a text.
    Edit(Vec<LineEdit>),
    /// Change the metadata alone.
    Describe,
    /// Give it another path.
    Move(String),
    /// Remove it, with all that is in it.
    Remove,
    /// Bring back what was removed last from this path.
    Restore,
    /// Set the folder's index guide; make the folder if it is not there.
    Guide(String),
    /// Give this level to somebody, instead of what was granted before; [`Level::None`] revokes.
    Grant(Principal, Level),
    /// Cut off what the folder inherits, or inherit again.
    Restrict(bool),
    /// Say how long the folder keeps what is not current any more.
    Keep(Keep),
    /// Change the graph. The path is that of the document which is the source, or `/`.
    Graph(Box<GraphChange>),
}

impl Intent {
    /// Whether it is about content or metadata, and not about the structure around it.
    #[must_use]
    pub fn is_content(&self) -> bool {
        matches!(
            self,
            Self::Write(_)
                | Self::Append(_)
                | Self::Patch(_)
                | Self::Edit(_)
                | Self::Describe
                | Self::Guide(_)
        )
    }

    /// Whether it makes a document that is not there.
    #[must_use]
    pub fn makes(&self) -> bool {
        matches!(self, Self::Write(_) | Self::Append(_) | Self::Patch(_) | Self::Guide(_))
    }

    /// The content after this intent; `None` where there is no document yet.
    ///
    /// # Errors
    /// It does not fit the content.
    pub fn on(&self, content: Option<Content>, path: &str) -> Result<Content> {
        let text_only =
            || Error::invalid(format!("{path} holds JSON; append and edit are for text, patch is for JSON"));
        let json_only = || Error::invalid(format!("{path} holds text; patch is for JSON, edit is for text"));
        match (self, content) {
            (Self::Write(new), _) => Ok(new.clone()),
            (Self::Guide(text), _) => Ok(Content::Text(text.clone())),
            (Self::Append(more), None) => Ok(Content::Text(more.clone())),
            (Self::Append(more), Some(Content::Text(text))) => Ok(Content::Text(text + more)),
            (Self::Edit(edits), Some(Content::Text(text))) => Ok(Content::Text(edit_lines(&text, edits)?)),
            (Self::Append(_) | Self::Edit(_), Some(Content::Json(_))) => Err(text_only()),
            (Self::Patch(patch), None) => {
                let mut value = Value::Null;
                patch_json(&mut value, patch);
                Ok(Content::Json(value))
            }
            (Self::Patch(patch), Some(Content::Json(mut value))) => {
                patch_json(&mut value, patch);
                Ok(Content::Json(value))
            }
            (Self::Patch(_), Some(Content::Text(_))) => Err(json_only()),
            (_, Some(content)) => Ok(content),
            (_, None) => Err(nothing_at(path)),
        }
    }
}
