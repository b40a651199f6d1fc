//! What the writer thread is asked for.

use rusqlite::Connection;
use std::fmt;
use tokio::sync::oneshot;
use vextir_core::bus::{Attachment, Command, Receipt};
use vextir_core::{Error, ErrorKind, Result};

/// Where an answer goes. Whoever asked may be gone.
pub(crate) type Answer<T> = oneshot::Sender<Result<T>>;

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

/// What everybody hears after the hub was closed.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the hub was closed")
}
