//! The rows that the kernel writes, written with nothing around them: the one place that knows the schema.
//!
//! The limits stand or fall with this: they must write the same rows, with the same indexes, as the kernel does.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Statement, params};

use crate::Result;

/// Tables and indexes. The driver prints this below its table.
pub(crate) const SCHEMA: &str = "\
CREATE TABLE log (
    seq INTEGER PRIMARY KEY, id BLOB NOT NULL, type TEXT NOT NULL, category INTEGER NOT NULL,
    time INTEGER NOT NULL, logged INTEGER NOT NULL, user TEXT NOT NULL, source TEXT NOT NULL, data TEXT NOT NULL,
    cause BLOB, root BLOB NOT NULL, depth INTEGER NOT NULL, ordering_key TEXT, priority INTEGER NOT NULL,
    labels TEXT, metadata TEXT, policy TEXT);
CREATE UNIQUE INDEX log_id ON log (id);
CREATE TABLE delivery (
    pos INTEGER PRIMARY KEY, seq INTEGER NOT NULL, driver INTEGER NOT NULL, attempt INTEGER NOT NULL, due INTEGER);
CREATE TABLE lease (
    root BLOB PRIMARY KEY, user TEXT NOT NULL, drawn_events INTEGER NOT NULL, open INTEGER NOT NULL,
    first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL) WITHOUT ROWID;
";

/// As long as the payload of the peers.
const PAYLOAD: &str = r#"{"location":"Oslo","celsius":21.5}"#;

/// An event whose delivery is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    id: [u8; 16],
    delivery: i64,
}

/// The prepared statements over one connection, and the counters that give ids in order.
#[derive(Debug)]
pub(crate) struct Rows<'c> {
    insert_log: Statement<'c>,
    insert_delivery: Statement<'c>,
    open_lease: Statement<'c>,
    delete_delivery: Statement<'c>,
    settle_lease: Statement<'c>,
    seq: i64,
    delivery: i64,
    now: i64,
}

/// Opens a new file as the hub does: WAL, every commit synced, checkpoints by SQLite itself.
pub(crate) fn open(folder: &Path) -> Result<Connection> {
    let connection = Connection::open(folder.join("limit.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

impl<'c> Rows<'c> {
    pub(crate) fn prepare(connection: &'c Connection) -> Result<Rows<'c>> {
        Ok(Rows {
            insert_log: connection.prepare(
                "INSERT INTO log (seq, id, type, category, time, logged, user, source, data, cause, root, depth, \
                 priority) VALUES (?1, ?2, ?3, ?4, ?5, ?5, 'local', 'bench', ?6, ?7, ?8, ?9, 1)",
            )?,
            insert_delivery: connection
                .prepare("INSERT INTO delivery (pos, seq, driver, attempt) VALUES (?1, ?2, 1, 0)")?,
            open_lease: connection.prepare(
                "INSERT INTO lease (root, user, drawn_events, open, first_seq, last_seq) \
                 VALUES (?1, 'local', 1, ?2, ?3, ?3) ON CONFLICT (root) DO UPDATE SET \
                 drawn_events = drawn_events + 1, open = open + excluded.open, last_seq = excluded.last_seq",
            )?,
            delete_delivery: connection.prepare("DELETE FROM delivery WHERE pos = ?1")?,
            settle_lease: connection.prepare(
                "UPDATE lease SET drawn_events = drawn_events + 1, open = open - 1, last_seq = ?2 WHERE root = ?1",
            )?,
            seq: 0,
            delivery: 0,
            now: 0,
        })
    }

    /// Reads the clock, once for a transaction.
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        Ok(())
    }

    /// A root event that nobody handles.
    pub(crate) fn emit(&mut self) -> Result<()> {
        let id = self.log("bench.fact", None, None)?;
        self.open_lease.execute(params![id, 0, self.seq])?;
        Ok(())
    }

    /// A root event that one driver will handle.
    pub(crate) fn emit_to_driver(&mut self) -> Result<Open> {
        let id = self.log("bench.ask", None, None)?;
        self.delivery += 1;
        self.insert_delivery.execute(params![self.delivery, self.seq])?;
        self.open_lease.execute(params![id, 1, self.seq])?;
        Ok(Open { id, delivery: self.delivery })
    }

    /// The outcome of a delivery: one output, the lease, and the delivery gone, which must have been there.
    pub(crate) fn settle(&mut self, open: Open) -> Result<()> {
        self.log("bench.answer", Some(open.id), Some(open.id))?;
        if self.delete_delivery.execute(params![open.delivery])? != 1 {
            return Err("a delivery was settled twice".into());
        }
        self.settle_lease.execute(params![open.id, self.seq])?;
        Ok(())
    }

    fn log(&mut self, kind: &str, cause: Option<[u8; 16]>, root: Option<[u8; 16]>) -> Result<[u8; 16]> {
        self.seq += 1;
        let id = ordered_id(self.now, self.seq);
        let (category, depth) = if cause.is_some() { (2, 1) } else { (0, 0) };
        self.insert_log.execute(params![
            self.seq,
            id,
            kind,
            category,
            self.now,
            PAYLOAD,
            cause,
            root.unwrap_or(id),
            depth
        ])?;
        Ok(id)
    }
}

/// A UUIDv7: the milliseconds, then a counter where others put random bits, so that ids grow with the log.
fn ordered_id(now: i64, seq: i64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&now.to_be_bytes()[2..]);
    id[6] = 0x70;
    id[8..].copy_from_slice(&seq.to_be_bytes());
    id[8] |= 0x80;
    id
}
