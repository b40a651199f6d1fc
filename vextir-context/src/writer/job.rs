//! What the writer thread is asked for.

use super::Answer;
use crate::documents::{Enrollment, Merged};
use crate::graph::Batch;
use rusqlite::Connection;
use std::fmt;
use std::sync::Arc;
use vextir_core::bus::{Attachment, Command, Receipt};

/// A reading function; it answers by itself.
pub(crate) type Reading = Box<dyn FnOnce(&Connection) + Send>;

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
    /// Take into the graph what documents say.
    Index(Batch, Answer<bool>),
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
            Self::Close => "Close",
        })
    }
}
