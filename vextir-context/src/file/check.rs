//! Whether a file is a hub's and whole. Looks without SQLite first, so that nothing is changed in a file
//! that is refused.

use super::lock::beside;
use crate::fault::{OrFault, REMEDY, fault};
use crate::schema::{APPLICATION_ID, VERSION};
use rusqlite::{Connection, ErrorCode};
use std::fs::{self, File};
use std::io::{ErrorKind as IoKind, Read};
use std::path::Path;
use std::time::{Duration, Instant};
use vextir_core::{Error, ErrorKind, Result};

/// Files up to this size are checked whole whenever they are opened.
const SMALL: u64 = 16 << 20;

/// How long the check of a larger one may take, after a stop that was not orderly.
const PATIENCE: Duration = Duration::from_secs(2);

const HEADER: usize = 100;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// There is nothing yet.
    pub(crate) fresh: bool,
    /// A write-ahead log was left behind: the last stop was not orderly.
    pub(crate) unclean: bool,
    bytes: u64,
}

/// Looks at a path; refuses what is not a whole file of a hub.
pub(crate) fn examine(path: &Path) -> Result<Found> {
    let left_behind = |ending| fs::metadata(beside(path, ending)).map(|file| file.len()).unwrap_or(0) > 0;
    let (wal, journal) = (left_behind("-wal"), left_behind("-journal"));
    let metadata = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == IoKind::NotFound => None,
        Err(error) => return Err(unreadable(path, error)),
    };
    let bytes = metadata.as_ref().map_or(0, fs::Metadata::len);
    if let Some(metadata) = &metadata {
        if !metadata.is_file() {
            return Err(Error::invalid(format!("{} is not a file; name a file for the hub", path.display())));
        }
        if metadata.permissions().readonly() {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("{} is read-only; a hub must write its file: change its permissions", path.display()),
            ));
        }
    }
    if bytes == 0 && wal {
        let what = if metadata.is_some() { "is empty" } else { "is missing" };
        return Err(corrupt(path, &format!("{what}, but its write-ahead log is there")));
    }
    // Who died while the tables were made left a journal that SQLite rolls back to nothing.
    let being_made = journal && begins_with_nothing(&beside(path, "-journal"));
    if bytes > 0 && !being_made {
        check_header(path, bytes, wal)?;
    }
    Ok(Found { fresh: bytes == 0, unclean: wal || journal, bytes })
}

/// Whether a rollback journal is of a file that was empty before: its header says how many pages there were.
fn begins_with_nothing(journal: &Path) -> bool {
    const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let mut header = [0; 20];
    let read = File::open(journal).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header.starts_with(&MAGIC) && header[16..] == [0; 4]
}

fn check_header(path: &Path, bytes: u64, wal: bool) -> Result<()> {
    let mut header = [0; HEADER];
    File::open(path).and_then(|mut file| file.read_exact(&mut header)).map_err(|error| {
        match error.kind() {
            IoKind::UnexpectedEof => corrupt(path, "is cut off"),
            _ => unreadable(path, error),
        }
    })?;
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(corrupt(path, "is not a hub's file (no SQLite database)"));
    }
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    check_owner(path, number(68).cast_signed())?;
    check_version(path, number(60).cast_signed())?;
    let page = match u64::from(header[16]) << 8 | u64::from(header[17]) {
        1 => 65_536,
        size => size,
    };
    // With a write-ahead log, the pages that are missing may be there.
    let expected = u64::from(number(28)) * page;
    if !wal && number(24) == number(92) && bytes < expected {
        return Err(corrupt(path, &format!("is cut off: {bytes} of {expected} bytes are there")));
    }
    Ok(())
}

/// Refuses the database of another application.
pub(crate) fn check_owner(path: &Path, application: i32) -> Result<()> {
    if application == APPLICATION_ID {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{} is the database of another application; choose another path for the hub (nothing was changed in it)",
        path.display()
    )))
}

/// Refuses a file from the future.
pub(crate) fn check_version(path: &Path, version: i32) -> Result<()> {
    if version <= VERSION {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Corrupt,
        format!(
            "{} has version {version}, and this code knows {VERSION}: it was written by a newer vextir-context; \
             use that (nothing was changed in the file)",
            path.display()
        ),
    ))
}

/// Lets SQLite check the structure: always for a small file, and after a stop that was not orderly.
pub(crate) fn check_structure(path: &Path, connection: &mut Connection, found: Found) -> Result<()> {
    if found.bytes > SMALL && !found.unclean {
        return Ok(());
    }
    let began = Instant::now();
    connection.progress_handler(100_000, Some(move || began.elapsed() > PATIENCE)).or_fault()?;
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    connection.progress_handler(0, None::<fn() -> bool>).or_fault()?;
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(corrupt(path, &format!("is damaged ({})", verdict.replace('\n', " ")))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            tracing::info!(path = %path.display(), "the hub's file is large; it was checked in part");
            Ok(())
        }
        Err(error) => Err(refused(path, error)),
    }
}

/// What SQLite says about a file that it cannot open.
pub(crate) fn refused(path: &Path, error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            corrupt(path, "is damaged").with_source(error)
        }
        _ => fault(error).context(format!("{}", path.display())),
    }
}

fn corrupt(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("{} {what}; {REMEDY}", path.display()))
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{} cannot be read ({error})", path.display()))
        .with_source(error)
}
