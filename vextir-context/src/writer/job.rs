//! What the writer thread is asked for.

use super::Answer;
use rusqlite::Connection;
use std::fmt;
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
    /// Finish what is queued and end.
    Close,
}

/// A command and who waits for it.
pub(crate) struct Commit {
    pub(crate) command: Command,
    pub(crate) answer: Answer<Receipt>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commit(_) => "Commit",
            Self::Attach(_) => "Attach",
            Self::Detach(_) => "Detach",
            Self::Read(_) => "Read",
            Self::Close => "Close",
        })
    }
}
