//! What the writer thread is asked for.

use super::{Answer, Writer};
use crate::documents::Merged;
use crate::outbox::Post;
use crate::rows::SqlRows;
use rusqlite::Connection;
use std::fmt;
use std::sync::Arc;
use vextir_core::Result;
use vextir_core::bus::{Attachment, Command, Receipt};

/// A reading function; it answers by itself.
pub(crate) type Reading = Box<dyn FnOnce(&Connection) + Send>;

/// Stores a step of the search index; by how many bytes it grew.
pub(crate) type Indexing = Box<dyn FnOnce(&Connection) -> Result<i64> + Send>;

/// Work on the rows in a transaction of its own; it answers by itself.
pub(crate) type Working = Box<dyn FnOnce(&mut Writer<'_>) + Send>;

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
    /// Store a step of the search index.
    Index(Indexing, Answer<()>),
    /// Anything else that is written: groups, house-keeping, what replicas send, what documents say to the graph.
    Work(Working),
    /// Finish what is queued and end.
    Close,
}

impl Job {
    /// Work of a few milliseconds in a transaction of its own; `answer` hears of it when it is committed.
    pub(crate) fn work<T: 'static>(
        work: impl FnOnce(&mut SqlRows<'_>) -> Result<T> + Send + 'static,
        answer: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Self {
        Self::Work(Box::new(move |writer| answer(writer.transact(work))))
    }
}

/// A command and who waits for it.
pub(crate) struct Commit {
    pub(crate) command: Command,
    /// What the documents that it changes were merged to.
    pub(crate) merged: Option<Arc<Merged>>,
    /// What another system's bus must learn of it.
    pub(crate) post: Option<Arc<Post>>,
    pub(crate) answer: Answer<Receipt>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit(_) => "Commit",
            Self::Attach(_) => "Attach",
            Self::Detach(_) => "Detach",
            Self::Read(_) => "Read",
            Self::Index(..) => "Index",
            Self::Work(_) => "Work",
            Self::Close => "Close",
        })
    }
}
