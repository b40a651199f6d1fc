//! The contract of the context: the documents that an application remembers.
//!
//! The Context Hub implements it beside the bus, so that a handler's writes commit with its outputs and its
//! acknowledgement. A settlement carries the writes as [`Change`]s: intents, merged by the store.

use crate::{Data, Error, ErrorKind, Event, Name, Result, Sequence};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One document as a user sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Document {
    /// Path under the user's root.
    pub path: String,
    /// JSON or text (a JSON string).
    pub content: Data,
    /// Metadata, an object.
    pub metadata: Data,
    /// The version to compare against; grows with each change.
    pub version: Sequence,
}

/// What a handler wants changed. The store merges it with what others did meanwhile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Change {
    /// Replaces content and, if given, metadata.
    Write {
        /// The document.
        path: String,
        /// New content.
        content: Data,
        /// New metadata.
        metadata: Option<Data>,
        /// Refuse unless this is the current version.
        expected: Option<Sequence>,
    },
    /// Removes the document (restorable).
    Remove {
        /// The document.
        path: String,
    },
}

/// A store of documents. Reads are those of one user; what that user may not see does not exist.
#[async_trait]
pub trait ContextStore: fmt::Debug + Send + Sync + 'static {
    /// The document at a path.
    ///
    /// # Errors
    /// The back end failed.
    async fn read(&self, user: &Name, path: &str) -> Result<Option<Document>>;

    /// Paths below a folder, in order, after `after`, at most `limit`.
    ///
    /// # Errors
    /// The back end failed.
    async fn list(&self, user: &Name, folder: &str, after: &str, limit: usize) -> Result<Vec<String>>;

    /// Applies changes on behalf of (event, driver); doing so twice does nothing twice.
    ///
    /// # Errors
    /// A path that the user may not write, a version that does not match, or the back end failed.
    async fn apply(&self, cause: &Event, driver: &Name, changes: &[Change]) -> Result<()>;

    /// Rows of a read-only SQL query, as JSON objects. Optional.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] unless the store speaks SQL.
    async fn query(&self, _user: &Name, _sql: &str, _parameters: &[Data]) -> Result<Vec<Data>> {
        Err(Error::new(ErrorKind::Unsupported, "this context store does not answer SQL"))
    }

    /// Paths that fit a search, best first. Optional.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] unless the store searches.
    async fn search(&self, _user: &Name, _text: &str, _limit: usize) -> Result<Vec<String>> {
        Err(Error::new(ErrorKind::Unsupported, "this context store does not search"))
    }
}
