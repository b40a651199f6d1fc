//! What the writer thread is asked for.

use super::Answer;
use crate::documents::{Enrollment, Merged};
use crate::graph::Batch;
use crate::rows::SqlRows;
use crate::sync::{Taken, Work};
use rusqlite::Connection;
use std::fmt;
use std::sync::Arc;
use vextir_core::Result;
use vextir_core::bus::{Attachment, Command, Receipt};

/// A reading function; it answers by itself.
pub(crate) type Reading = Box<dyn FnOnce(&Connection) + Send>;

/// Stores a step of the search index; by how many bytes it grew.
pub(crate) type Indexing = Box<dyn FnOnce(&Connection) -> Result<i64> + Send>;

/// A short piece of work on the rows, of a few milliseconds.
type Stroke = Box<dyn FnOnce(&mut SqlRows<'_>) -> Result<()> + Send>;

/// Work in a transaction of its own, and who is told when it is committed.
pub(crate) struct Slice {
    pub(crate) work: Stroke,
    pub(crate) done: Box<dyn FnOnce(Result<()>) + Send>,
}

/// One thing to do.
pub(crate) enum Job {
    /// Apply a command.
    Commit(Commit),
    /// A processor comes.
    Attach(Answer<Attachment>),
    /// The processor goes.
    Detach(Answer<()>),
    /// Read on the writer's connection: all of a hub in memory, and nothing of one in a file.
    Read(Reading),
    /// A user goes into a group, or out of it.
    Enroll(Enrollment, Answer<()>),
    /// Store a step of the search index.
    Index(Indexing, Answer<()>),
    /// A short piece of house-keeping.
    Slice(Slice),
    /// Take in what another replica sent, or note what it has.
    Sync(Box<Work>, Answer<Taken>),
    /// Take into the graph what documents say.
    Links(Batch, Answer<bool>),
    /// Finish what is queued and end.
    Close,
}

/// A command and who waits for it.
pub(crate) struct Commit {
    pub(crate) command: Command,
    /// What the documents that it changes were merged to.
    pub(crate) merged: Option<Arc<Merged>>,
    pub(crate) answer: Answer<Receipt>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit(_) => "Commit",
            Self::Attach(_) => "Attach",
            Self::Detach(_) => "Detach",
            Self::Read(_) => "Read",
            Self::Enroll(..) => "Enroll",
            Self::Index(..) => "Index",
            Self::Slice(_) => "Slice",
            Self::Sync(..) => "Sync",
            Self::Links(..) => "Links",
            Self::Close => "Close",
        })
    }
}
