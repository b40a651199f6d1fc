//! The rows that the kernel writes, written with nothing around them: the one place that knows them.
//!
//! The limits stand or fall with this: they must write what the kernel writes. So the file is made by the hub
//! itself, tables and indexes are what they are there, and only the statements are repeated here.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::types::Null;
use rusqlite::{Connection, Statement, params};

use crate::Result;

/// The tables that an event loop writes to.
const TABLES: [&str; 3] = ["log", "delivery", "lease"];

/// As long as the payload of the peers.
const PAYLOAD: &str = r#"{"location":"Oslo","celsius":21.5}"#;

/// How the hub's writer sets its connection.
pub(crate) const SETTINGS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -8000; PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 16777216;";

/// An event whose delivery is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    id: [u8; 16],
    seq: i64,
    delivery: i64,
}

/// The prepared statements over one connection, and the counters that give ids in order.
#[derive(Debug)]
pub(crate) struct Rows<'c> {
    add_event: Statement<'c>,
    add_delivery: Statement<'c>,
    take_delivery: Statement<'c>,
    add_lease: Statement<'c>,
    set_lease: Statement<'c>,
    seq: i64,
    delivery: i64,
    now: i64,
}

/// Has the hub make its file, and opens it with the settings of the hub's writer.
pub(crate) fn open(folder: &Path) -> Result<Connection> {
    let file = folder.join("limit.db");
    drop(vextir::Hub::open(&file)?);
    let connection = Connection::open(&file)?;
    connection.execute_batch(SETTINGS)?;
    Ok(connection)
}

/// The tables and indexes that the limits write to, as the hub has made them.
pub(crate) fn schema(folder: &Path) -> Result<String> {
    let connection = open(folder)?;
    let mut lines =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE tbl_name = ?1 AND sql NOT NULL")?;
    let mut text = String::new();
    for table in TABLES {
        for sql in lines.query_map([table], |row| row.get::<_, String>(0))? {
            text.push_str(&sql?);
            text.push_str(";\n");
        }
    }
    Ok(text)
}

impl<'c> Rows<'c> {
    pub(crate) fn prepare(connection: &'c Connection) -> Result<Rows<'c>> {
        Ok(Rows {
            add_event: connection.prepare(
                "INSERT INTO log (seq, logged, policy, id, type, category, time, user, source, cause, root, depth,
                 ordering_key, deliver_at, priority, labels, metadata, data, branch)
                 VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18, NULL)",
            )?,
            add_delivery: connection.prepare(
                "INSERT INTO delivery (pos, seq, driver, logged, attempt, reclaims, due, obligations, error,
                 reserve) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
            )?,
            take_delivery: connection.prepare("DELETE FROM delivery WHERE pos = ?1")?,
            add_lease: connection.prepare(
                "INSERT INTO lease (root, user, events, first, last, open, parked, state, limits, units,
                 reserved, short) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
            )?,
            set_lease: connection.prepare(
                "UPDATE lease SET user = ?2, events = ?3, first = ?4, last = ?5, open = ?6, parked = ?7,
                 state = ?8, limits = ?9, units = ?10, reserved = ?11, short = ?12 WHERE root = ?1",
            )?,
            seq: 0,
            delivery: 0,
            now: 0,
        })
    }

    /// Reads the clock, once for a transaction.
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
        Ok(())
    }

    /// A root event that nobody handles: it leaves no work, so it has no lease either.
    pub(crate) fn emit(&mut self) -> Result<()> {
        self.log("bench.fact", "app", None).map(|_| ())
    }

    /// A root event that one driver will handle.
    pub(crate) fn emit_to_driver(&mut self) -> Result<Open> {
        let id = self.log("bench.ask", "app", None)?;
        let (seq, now) = (self.seq, self.now);
        self.delivery += 1;
        self.add_delivery.execute(params![self.delivery, seq, 1, now, 0, 0, Null, Null, Null, Null])?;
        self.add_lease.execute(params![id, "local", 1, seq, seq, 1, 0, 0, Null, Null, Null, Null])?;
        Ok(Open { id, seq, delivery: self.delivery })
    }

    /// The outcome of a delivery: one output, the lease, and the delivery gone, which must have been there.
    pub(crate) fn settle(&mut self, open: Open) -> Result<()> {
        if self.take_delivery.execute(params![open.delivery])? != 1 {
            return Err("a delivery was settled twice".into());
        }
        self.log("bench.answer", "answerer", Some(open.id))?;
        self.set_lease
            .execute(params![open.id, "local", 2, open.seq, self.seq, 0, 0, 0, Null, Null, Null, Null])?;
        Ok(())
    }

    /// A log row; one with a cause is the output of a root event.
    fn log(&mut self, kind: &str, source: &str, cause: Option<[u8; 16]>) -> Result<[u8; 16]> {
        self.seq += 1;
        let id = ordered_id(self.now, self.seq);
        let (category, depth) = if cause.is_some() { (2, 1) } else { (1, 0) };
        self.add_event.execute(params![
            self.seq, self.now, Null, id, kind, category, self.now, "local", source, cause, cause, depth,
            Null, Null, Null, Null, Null, PAYLOAD
        ])?;
        Ok(id)
    }
}

/// A UUIDv7: the milliseconds, then a counter where others put random bits, so that ids grow with the log.
fn ordered_id(now: i64, seq: i64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&(now / 1_000).to_be_bytes()[2..]);
    id[6] = 0x70;
    id[8..].copy_from_slice(&seq.to_be_bytes());
    id[8] |= 0x80;
    id
}
