//! What is in the context: documents, folders, and who may do what with them.

use super::Version;
use crate::{Error, EventId, Name, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// What a document holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// Text, merged by its places.
    Text(String),
    /// JSON, merged by its leaves.
    Json(Value),
}

impl Content {
    /// The text, or the JSON in its canonical form: no spaces, keys sorted.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Json(value) => value.to_string().into(),
        }
    }

    /// The JSON value; `None` for a text.
    #[must_use]
    pub fn as_json(&self) -> Option<&Value> {
        match self {
            Self::Text(_) => None,
            Self::Json(value) => Some(value),
        }
    }
}

impl From<Value> for Content {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// One document as a user sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Document {
    /// What it is called whatever its path is; empty where the store does not say.
    #[serde(default)]
    pub id: String,
    /// Path under the user's root.
    pub path: String,
    /// What it holds.
    pub content: Content,
    /// Metadata, an object.
    pub metadata: Value,
    /// Grows with each change; compare against it with
    /// [`expect_version`](super::Writing::expect_version). In a handler, own writes do not change it.
    pub version: Version,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

impl Document {
    /// For stores: a document.
    #[must_use]
    pub fn new(path: impl Into<String>, content: Content, metadata: Value, version: Version) -> Self {
        let unset = Timestamp::UNSET;
        Self {
            id: String::new(),
            path: path.into(),
            content,
            metadata,
            version,
            created: unset,
            updated: unset,
        }
    }

    /// The text with its lines numbered from 1, for a model that edits by line
    /// ([`Context::edit`](super::Context::edit)).
    #[must_use]
    pub fn numbered(&self) -> String {
        super::edit::numbered(&self.content.to_text(), 1, usize::MAX)
    }
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Item {
    /// Its path.
    pub path: String,
    /// Folder or document.
    pub kind: ItemKind,
    /// When it was changed last.
    pub updated: Timestamp,
}

impl Item {
    /// For stores: an entry.
    #[must_use]
    pub fn new(path: impl Into<String>, kind: ItemKind, updated: Timestamp) -> Self {
        Self { path: path.into(), kind, updated }
    }
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ItemKind {
    /// It holds other entries, and a guide.
    Folder,
    /// It holds text or JSON.
    Document,
}

/// What somebody may do. Each level holds those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing: for this user it does not exist.
    #[default]
    None,
    /// Read, list, watch, history.
    Read,
    /// For applications that let readers comment: the context itself treats it as `Read`.
    Comment,
    /// Write, move, remove, restore.
    Write,
    /// Grant, revoke, restrict.
    Admin,
}

/// Whom a right is granted to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// One user.
    User(Name),
    /// All users of a group.
    Group(Name),
    /// An agent, for whichever user it acts; that user's own rights limit it.
    Agent(Name),
}

impl From<&str> for Principal {
    fn from(user: &str) -> Self {
        Self::User(user.into())
    }
}

impl From<Name> for Principal {
    fn from(user: Name) -> Self {
        Self::User(user)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user {name}"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::Agent(name) => write!(f, "agent {name}"),
        }
    }
}

/// What an actor may do at a place, and who else may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Access {
    /// What the actor itself may do.
    pub level: Level,
    /// Whether the place inherits nothing from above.
    pub restricted: bool,
    /// What is granted at this very place, for administrators; empty for others.
    pub granted: Vec<(Principal, Level)>,
}

impl Access {
    /// For stores.
    #[must_use]
    pub fn new(level: Level, restricted: bool, granted: Vec<(Principal, Level)>) -> Self {
        Self { level, restricted, granted }
    }
}

/// Who acts on the context: this decides the rights, and stands in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Actor {
    /// The user whose rights hold, and under whose root paths begin.
    pub user: Name,
    /// The agent that acts for the user, within its own rights.
    pub agent: Option<Name>,
    /// The driver whose handler acts.
    pub driver: Option<Name>,
    /// The event that is handled.
    pub cause: Option<EventId>,
}

impl Actor {
    /// A user who acts.
    #[must_use]
    pub fn user(user: impl Into<Name>) -> Self {
        Self { user: user.into(), agent: None, driver: None, cause: None }
    }

    /// The same, through an agent or without one.
    #[must_use]
    pub fn acting_as(self, agent: Option<Name>) -> Self {
        Self { agent, ..self }
    }

    /// The driver that handles `event` acts for the event's user.
    #[must_use]
    pub fn handler(event: &crate::Event, driver: &Name) -> Self {
        let cause = Some(event.id.clone());
        Self { user: event.user_id.clone(), agent: None, driver: Some(driver.clone()), cause }
    }
}

/// One change of a document or folder, as history tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Revision {
    /// The version that it made; 0 where the content was left alone.
    pub version: Version,
    /// What was done.
    pub what: Deed,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
}

impl Revision {
    /// For stores: one change.
    #[must_use]
    pub fn new(version: Version, what: Deed, at: Timestamp, by: Actor) -> Self {
        Self { version, what, at, by }
    }
}

/// What was done to a document or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Deed {
    /// It was made.
    Created,
    /// Its content or metadata changed.
    Written,
    /// It got another place.
    Moved,
    /// It was removed. A watch tells this also of what its user may not see any more.
    Removed,
    /// It came back.
    Restored,
    /// The folder's guide changed.
    Guided,
    /// Rights changed. Administrators of the place are told, and a watch tells whom it concerns.
    Granted,
    /// The folder was restricted, or opened again. Administrators are told, and a watch tells others of what was opened.
    Restricted,
}

/// A folder's index guide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Guide {
    /// The folder.
    pub path: String,
    /// What its guide says.
    pub text: String,
}

impl Guide {
    /// For stores: a guide.
    #[must_use]
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// What a user hears who asks for what is not there, or not there for this user.
#[must_use]
pub fn nothing_at(path: &str) -> Error {
    Error::new(crate::ErrorKind::NotFound, format!("there is nothing at {path}"))
}
