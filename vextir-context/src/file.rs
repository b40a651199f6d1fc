//! A hub's file: found whole or refused, locked, brought to the current version.

mod check;
mod lock;

pub(crate) use lock::{FileLock, beside};

use crate::fault::OrFault;
use crate::schema::{self, VERSION};
use crate::writer::Durability;
use check::Found;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;
use vextir_core::{Error, ErrorKind, Result};

/// How long SQLite waits for another program that has the file open.
const BUSY: Duration = Duration::from_secs(5);

/// The write-ahead log is folded into the file when it has so many pages.
const CHECKPOINT: u32 = 1_000;

/// What a connection that writes is set to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuning {
    pub(crate) durability: Durability,
    /// The most bytes the file may have.
    pub(crate) max_bytes: Option<u64>,
}

/// The path without links and dots, so that one file has one lock.
pub(crate) fn real_path(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Error::invalid("the path of the hub's file is empty"));
    }
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::invalid(format!("{} names no file", path.display())));
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let real = folder.canonicalize().map_err(|error| {
        let message = format!("the folder {} cannot be opened ({error}); make it first", folder.display());
        Error::new(ErrorKind::NotFound, message).with_source(error)
    })?;
    Ok(real.join(name))
}

/// Opens a hub's file for writing; makes it if there is none.
pub(crate) fn open(path: &Path, tuning: Tuning) -> Result<Connection> {
    let found = check::examine(path)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(|error| check::refused(path, error))?;
    // A file that is refused must stay as it is, also when the connection closes: what a crash left beside it
    // is not folded in.
    set_checkpoint_on_close(&connection, !found.unclean)?;
    connection.busy_timeout(BUSY).or_fault()?;
    if found.fresh || was_being_made(path, &connection, found)? {
        make(&connection)?;
    } else {
        inspect(path, &mut connection, found)?;
    }
    tune(&connection, tuning).map_err(|error| error.context(format!("{}", path.display())))?;
    set_checkpoint_on_close(&connection, true)?;
    Ok(connection)
}

/// A hub's tables in memory.
pub(crate) fn in_memory(tuning: Tuning) -> Result<Connection> {
    let connection = Connection::open_in_memory().or_fault()?;
    make(&connection)?;
    tune(&connection, tuning)?;
    Ok(connection)
}

/// A connection that only reads, beside the one that writes.
pub(crate) fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).or_fault()?;
    connection.busy_timeout(BUSY).or_fault()?;
    // The writer alone folds the log: a reader must not do it when it closes.
    set_checkpoint_on_close(&connection, false)?;
    keep_plans(&connection)?;
    connection
        .execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -2000; PRAGMA temp_store = MEMORY;")
        .or_fault()?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Makes the tables before the write-ahead log is turned on: the file is a hub's from its first byte.
fn make(connection: &Connection) -> Result<()> {
    connection.execute_batch("PRAGMA page_size = 4096;").or_fault()?;
    schema::migrate(connection, 0)
}

/// Whether a journal was left behind by who died while the tables were made: SQLite rolls it back to nothing.
fn was_being_made(path: &Path, connection: &Connection, found: Found) -> Result<bool> {
    let pages =
        |connection: &Connection| connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0));
    Ok(found.unclean && pages(connection).map_err(|error| check::refused(path, error))? == 0)
}

fn inspect(path: &Path, connection: &mut Connection, found: Found) -> Result<()> {
    let pragma = |connection: &Connection, name: &str| {
        connection
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0))
            .map_err(|error| check::refused(path, error))
    };
    check::check_owner(path, pragma(connection, "application_id")?)?;
    let version = pragma(connection, "user_version")?;
    check::check_version(path, version)?;
    check::check_structure(path, connection, found)?;
    if version < VERSION {
        schema::migrate(connection, version)?;
    }
    Ok(())
}

fn tune(connection: &Connection, tuning: Tuning) -> Result<()> {
    let Tuning { durability, max_bytes } = tuning;
    let synchronous = durability.name();
    keep_plans(connection)?;
    connection.set_prepared_statement_cache_capacity(96);
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -8000; PRAGMA wal_autocheckpoint = {CHECKPOINT};
             PRAGMA journal_size_limit = 16777216; PRAGMA trusted_schema = OFF;"
        ))
        .or_fault()?;
    if let Some(bytes) = max_bytes {
        let page = crate::space::measure(connection)?.page;
        let pages = (bytes / page).max(1);
        connection.execute_batch(&format!("PRAGMA max_page_count = {pages}")).or_fault()?;
    }
    Ok(())
}

/// A prepared statement stays prepared: without this, SQLite plans one with `LIMIT ?` or with a range between
/// parameters anew each time that these are bound.
fn keep_plans(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).or_fault()?;
    Ok(())
}

fn set_checkpoint_on_close(connection: &Connection, on: bool) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !on).or_fault()?;
    Ok(())
}

#[cfg(test)]
mod tests;
