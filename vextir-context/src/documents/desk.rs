//! What documents are written with, inside the writer's transaction: the same for a change of this hub and for one
//! that came from another replica.

use super::merge::Merged;
use super::mounts::has_errands;
use super::node::NodeId;
use crate::cursors::Opening;
use crate::fault::OrFault;
use crate::key::bare;
use crate::queries::{self, signed};
use rusqlite::Connection;
use std::sync::Arc;
use vextir_core::context::Version;
use vextir_core::{EventId, Result, Sequence, Timestamp};

/// Where the file keeps [`Desk::bytes`].
pub(crate) const BYTES: &str = "context_bytes";

/// About how many bytes a node, or a row of the operation log, takes beside what it holds; indexes included.
pub(crate) const ROW: u64 = 150;

/// What the writer remembers about documents between transactions.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// The last change.
    pub(crate) head: Sequence,
    /// The last clock: microseconds that never repeat or go back.
    clock: i64,
    /// Bytes that documents and their history take, roughly: retention, which removes events, leaves them out.
    pub(crate) bytes: u64,
    /// The bytes that the file knows of.
    stored_bytes: u64,
    /// This opening of the hub, and whether the file knows it.
    pub(crate) opening: Option<Opening>,
    is_noted: bool,
    /// Whether something waits to be done between two batches.
    pub(crate) errands: bool,
    /// What the next command's changes were merged to.
    pub(crate) merged: Option<Arc<Merged>>,
}

impl Desk {
    /// What the file says.
    pub(crate) fn open(connection: &Connection) -> Result<Self> {
        let head = queries::number(connection, "SELECT coalesce(max(seq), 0) FROM change", [])?;
        let clock = queries::number(
            connection,
            "SELECT coalesce(max(clock), 0) FROM change WHERE seq = ?1",
            [signed(head)],
        )?;
        let bytes = queries::stored_number(connection, BYTES)?;
        let errands = has_errands(connection)?;
        let clock = signed(clock);
        Ok(Self {
            head,
            clock,
            bytes,
            stored_bytes: bytes,
            opening: None,
            is_noted: false,
            errands,
            merged: None,
        })
    }

    /// Notes the opening with its first change.
    pub(crate) fn note_opening(&mut self, connection: &Connection) -> Result<()> {
        if let Some(opening) = self.opening.filter(|_| !self.is_noted) {
            opening.note(connection)?;
            self.is_noted = true;
        }
        Ok(())
    }

    /// The clock of the next change.
    pub(crate) fn tick(&mut self, now: Timestamp) -> i64 {
        self.clock = (self.clock + 1).max(now.as_micros());
        self.clock
    }

    /// That of the last change.
    pub(super) fn last_clock(&self) -> i64 {
        self.clock
    }

    /// Changes come after what was seen, as far as it is not too far in the future.
    pub(crate) fn see(&mut self, clock: i64, most: i64) {
        self.clock = self.clock.max(clock.min(most));
    }

    /// The bytes, if the file is to be told.
    pub(crate) fn new_bytes(&mut self) -> Option<u64> {
        let changed = self.bytes != self.stored_bytes;
        self.stored_bytes = self.bytes;
        changed.then_some(self.bytes)
    }

    /// Forgets what a rolled-back transaction did. The clock stays: it may skip, and never goes back.
    pub(crate) fn roll_back(&mut self, connection: &Connection) {
        self.is_noted = false;
        match Self::open(connection) {
            Ok(found) => (self.head, self.bytes, self.stored_bytes) = (found.head, found.bytes, found.bytes),
            Err(error) => tracing::error!(%error, "the head of the changes could not be read"),
        }
    }
}

/// The transaction, and what the writer remembers.
pub(crate) struct Writing<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) desk: &'a mut Desk,
    /// Grows with each attempt to write.
    pub(crate) writes: &'a mut u64,
    pub(crate) now: Timestamp,
}

/// A row of the operation log, but for its place and its clock.
pub(crate) struct Entry<'a> {
    pub(crate) node: NodeId,
    /// The number of the [`Deed`](vextir_core::context::Deed).
    pub(crate) what: i64,
    /// The version that came of it; 0 for what is not about content.
    pub(crate) version: Version,
    /// When it was done, where it was done.
    pub(crate) at: Timestamp,
    /// Who did it.
    pub(crate) user: &'a str,
    /// Whose tree it is.
    pub(crate) owner: &'a str,
    pub(crate) agent: Option<&'a str>,
    pub(crate) driver: Option<&'a str>,
    pub(crate) cause: Option<&'a EventId>,
    pub(crate) detail: Option<String>,
    pub(crate) body: Option<&'a [u8]>,
}

/// The row of a document, but for its version.
pub(crate) struct Stored<'a> {
    pub(crate) is_json: bool,
    pub(crate) content: &'a str,
    pub(crate) metadata: Option<&'a str>,
    pub(crate) state: &'a [u8],
}

impl Writing<'_> {
    /// The same, for a part of the work.
    pub(crate) fn again(&mut self) -> Writing<'_> {
        Writing { connection: self.connection, desk: self.desk, writes: self.writes, now: self.now }
    }

    pub(crate) fn execute(&mut self, sql: &str, params: impl rusqlite::Params) -> Result<usize> {
        *self.writes += 1;
        self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).or_fault()
    }

    /// The clock of the next change.
    pub(crate) fn tick(&mut self) -> i64 {
        self.desk.tick(self.now)
    }

    /// Adds to the operation log; the entry's clock.
    pub(crate) fn log(&mut self, entry: &Entry<'_>) -> Result<i64> {
        self.desk.note_opening(self.connection)?;
        let clock = self.tick();
        let row = (
            entry.node,
            entry.what,
            signed(entry.version),
            entry.at.as_micros(),
            clock,
            Some(entry.user).filter(|user| *user != entry.owner),
            entry.agent,
            entry.driver,
            entry.cause.map(bare),
            &entry.detail,
            entry.body,
        );
        self.execute(
            "INSERT INTO change (node, what, version, at, clock, user, agent, driver, cause, detail, body)
             VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
            row,
        )?;
        self.desk.bytes += ROW + entry.body.map_or(0, <[u8]>::len) as u64;
        self.desk.head = self.connection.last_insert_rowid().cast_unsigned();
        Ok(clock)
    }

    /// The version of a document, or of a folder's guide; 0 where there is none.
    pub(crate) fn version(&self, node: NodeId) -> Result<Version> {
        queries::number(
            self.connection,
            "SELECT coalesce((SELECT version FROM document WHERE node = ?1), 0)",
            [node],
        )
    }

    /// Stores the content of a document.
    pub(crate) fn store(&mut self, node: NodeId, version: Version, document: &Stored<'_>) -> Result<()> {
        let Stored { is_json, content, metadata, state } = document;
        let size = (content.len() + metadata.map_or(0, str::len) + state.len()) as u64;
        let before = queries::number(
            self.connection,
            "SELECT coalesce((SELECT size FROM document WHERE node = ?1), 0)",
            [node],
        )?;
        self.execute(
            "INSERT INTO document (node, version, kind, size, metadata, content, state)
             VALUES (?1,?2,?3,?4,?5,?6,?7)
             ON CONFLICT (node) DO UPDATE SET version = excluded.version, kind = excluded.kind,
             size = excluded.size, metadata = excluded.metadata, content = excluded.content, state = excluded.state",
            (node, signed(version), *is_json, signed(size), metadata, content, state),
        )?;
        self.desk.bytes = (self.desk.bytes + size).saturating_sub(before);
        self.execute("UPDATE node SET updated = ?2 WHERE id = ?1", (node, self.now.as_micros())).map(drop)
    }
}
