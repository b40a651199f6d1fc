//! What SQLite reports, in the words of the kernel's error type.

use rusqlite::ErrorCode;
use vextir_core::{Error, ErrorKind, Result};

/// What to do about a damaged file.
pub(crate) const REMEDY: &str =
    "restore a backup, or move the file away to begin anew; nothing was changed in it";

/// Turns a result of SQLite into one of the kernel.
pub(crate) trait OrFault<T> {
    /// The value, or the failure as an [`Error`].
    fn or_fault(self) -> Result<T>;
}

impl<T> OrFault<T> for rusqlite::Result<T> {
    fn or_fault(self) -> Result<T> {
        self.map_err(fault)
    }
}

/// The kernel's error for a failure of SQLite.
pub(crate) fn fault(error: rusqlite::Error) -> Error {
    let (kind, message) = match error.sqlite_error_code() {
        Some(code) => of_code(code),
        None => (ErrorKind::Corrupt, "a stored row does not have the expected form"),
    };
    Error::new(kind, message).with_source(error)
}

fn of_code(code: ErrorCode) -> (ErrorKind, &'static str) {
    match code {
        ErrorCode::DiskFull => (
            ErrorKind::Unavailable,
            "there is no room left; nothing was stored. Free disk space, raise HubBuilder::max_bytes, \
             or let retention keep less",
        ),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            (ErrorKind::Corrupt, "the file is damaged; restore a backup, or move the file away to begin anew")
        }
        ErrorCode::ConstraintViolation => {
            (ErrorKind::Conflict, "an id or key in it is in use already; use a new one")
        }
        ErrorCode::TooBig => (ErrorKind::Invalid, "a value is larger than SQLite can store"),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            (ErrorKind::Unavailable, "the file cannot be written; give this process the right to write it")
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => (
            ErrorKind::Unavailable,
            "another program holds a lock on the file; close it (a database browser, a backup)",
        ),
        ErrorCode::OutOfMemory => (ErrorKind::Unavailable, "SQLite is out of memory; nothing was stored"),
        _ => (ErrorKind::Unavailable, "the storage failed; nothing was stored"),
    }
}

/// A row that cannot be read back.
pub(crate) fn damaged(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Corrupt, format!("{what} is damaged; {REMEDY}"))
}
