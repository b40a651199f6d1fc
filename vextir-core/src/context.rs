//! The contract of the context: the documents that an application remembers.
//!
//! The Context Hub implements it beside the bus, so that a handler's writes commit with its outputs and its
//! acknowledgement. Everything that changes documents is a [`Change`]: an intent, merged by the store. Users hold
//! a [`Context`]; stores implement [`ContextStore`].

mod change;
mod diff;
mod document;
mod edit;
pub mod graph;
mod handle;
mod keep;
mod origin;
mod outbox;
mod path;
mod querying;
mod searching;
mod session;
mod watch;
mod writing;

pub use change::{Change, Intent};
pub use diff::{Hunk, hunks, reach};
pub use document::{
    Access, Actor, Content, Deed, Document, Guide, Item, ItemKind, Level, Principal, Revision, nothing_at,
};
pub use edit::{LineEdit, edit_lines, patch_json};
pub use handle::{Context, Diff};
pub use keep::Keep;
pub use origin::{Origin, origin};
pub use outbox::{Mark, Outbox, Posted};
pub use path::{MAX_DEPTH, MAX_PATH_BYTES, MAX_SEGMENT_BYTES, clean_path, is_within, rebase, segments};
pub use querying::Query;
pub use searching::{ContentKind, Embedder, Found, Hit, MAX_HITS, MAX_SEARCH_BYTES, Search, Searching, Why};
pub(crate) use session::Session;
pub use watch::{ChangePage, Changed, Watch};
pub use writing::{Writing, Written};

use crate::bus::Cursor;
use crate::{Error, ErrorKind, Result, Sequence, Timestamp};
use async_trait::async_trait;
use serde_json::Value;
use std::fmt;

/// Version of one document: 1 when it is made, and one more with each change. Versions at a name never go back: what is
/// made, moved or restored to where another document was goes on from there. A folder that takes another one's place
/// brings its documents with their own versions; [`Document::id`] tells documents apart in any case.
pub type Version = u64;

/// Which state of a document is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum When {
    /// The current one.
    #[default]
    Now,
    /// As it was at a time.
    At(Timestamp),
    /// As it was with a version.
    Version(Version),
}

/// A store of documents.
///
/// # What every implementation promises
///
/// * Paths come clean ([`clean_path`]), and begin at the root of [`Actor::user`].
/// * What an actor may not see does not exist for it: the same answer, no count, no hint.
/// * [`ContextStore::change`] applies all changes or none. A change without `expected` that lost a race is
///   merged, not refused.
/// * [`ContextStore::changes`] skips nothing silently.
#[async_trait]
pub trait ContextStore: fmt::Debug + Send + Sync + 'static {
    /// The document at a path.
    ///
    /// # Errors
    /// The back end failed; `Gap`: the state that is asked for is not kept any more.
    async fn read(&self, actor: &Actor, path: &str, when: When) -> Result<Option<Document>>;

    /// What is in a folder, by name, after the name `after`, at most `limit`. Nothing for what is no folder.
    ///
    /// # Errors
    /// The back end failed.
    async fn list(&self, actor: &Actor, folder: &str, after: &str, limit: usize) -> Result<Vec<Item>>;

    /// The document that a restoration would bring back at a path: at or below `restored`, whose last removal counts, or
    /// the one so many removals `before` that. Handlers read so what they restored. Optional.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] unless the store tells.
    async fn read_removed(
        &self,
        _actor: &Actor,
        _restored: &str,
        _before: usize,
        _path: &str,
    ) -> Result<Option<Document>> {
        Err(unrestored())
    }

    /// As [`ContextStore::list`], for such a folder: its path, the name to begin after, and the most entries. Optional.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] unless the store tells.
    async fn list_removed(
        &self,
        _actor: &Actor,
        _restored: &str,
        _before: usize,
        _page: (&str, &str, usize),
    ) -> Result<Vec<Item>> {
        Err(unrestored())
    }

    /// Applies changes in order, outside of any handler; the new version for each, 0 for one that is not about
    /// content.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Invalid`; `Conflict`: an expected version or line is not there. Nothing was changed.
    async fn change(&self, actor: &Actor, changes: Vec<Change>) -> Result<Vec<Version>>;

    /// What was done to a document or folder, last first, before the `before`-th, at most `limit`; each with its
    /// number.
    ///
    /// # Errors
    /// `NotFound`, or the back end failed.
    async fn history(
        &self,
        actor: &Actor,
        path: &str,
        before: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, Revision)>>;

    /// The guides of the folders on a path, from the root down; folders without one are left out.
    ///
    /// # Errors
    /// The back end failed.
    async fn guides(&self, actor: &Actor, path: &str) -> Result<Vec<Guide>>;

    /// What the actor may do at a path; what is granted there only if that is `Admin`. `None` where the actor sees
    /// nothing.
    ///
    /// # Errors
    /// The back end failed.
    async fn access(&self, actor: &Actor, path: &str) -> Result<Option<Access>>;

    /// Changes at or below a path after a place, in commit order.
    ///
    /// # Errors
    /// [`ErrorKind::Gap`] when changes after `after` are not kept any more.
    async fn changes(&self, actor: &Actor, prefix: &str, after: Sequence, limit: usize)
    -> Result<ChangePage>;

    /// The place of the last change; grows with each commit that changes documents.
    fn head(&self) -> tokio::sync::watch::Receiver<Sequence>;

    /// A cursor after a change. It goes to users, so it must not tell how many changes there are.
    fn cursor(&self, after: Sequence) -> Cursor;

    /// The place that a cursor was made for.
    ///
    /// # Errors
    /// `Invalid`: it is of another store, or of changes that this one does not have any more, or never had.
    fn place(&self, cursor: &Cursor) -> Result<Sequence>;

    /// Rows of a read-only SQL query over what the actor may read, as JSON objects. Optional.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] unless the store speaks SQL. `Invalid`: the query, or its result is too large.
    /// `Timeout`: it takes too long.
    async fn query(&self, _actor: &Actor, _sql: &str, _parameters: &[Value]) -> Result<Vec<Value>> {
        Err(Error::new(ErrorKind::Unsupported, "this context store does not answer SQL"))
    }

    /// Documents that fit a search, best first, among what the actor may read. Optional.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] unless the store searches. `Timeout`: it takes too long.
    async fn search(&self, _actor: &Actor, _search: &Search) -> Result<Found> {
        Err(Error::new(ErrorKind::Unsupported, "this context store does not search"))
    }

    /// The store's graph, if it has one.
    fn graph(&self) -> Option<&dyn graph::GraphStore> {
        None
    }

    /// The store's outbox, if it has one: through it handlers change documents though their bus is another system.
    fn outbox(&self) -> Option<&dyn Outbox> {
        None
    }
}

fn unrestored() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "this context store does not show what a handler restored; read it in the next event",
    )
}
