//! Which other replicas there are, and what each of them has.

use super::identity::{Vector, head};
use super::name::Uid;
use crate::documents::desk::Writing;
use crate::fault::{OrFault, damaged};
use crate::queries::{self, signed};
use rusqlite::{Connection, OptionalExtension};
use vextir_core::{Result, Sequence, Timestamp};

/// What another file has of a scope.
#[derive(Debug)]
pub(crate) struct Acknowledgement {
    pub(super) file: Uid,
    pub(super) user: String,
    pub(super) scope: Uid,
    pub(super) sequence: Sequence,
    pub(super) vector: Vector,
}

impl Acknowledgement {
    pub(super) fn store(&self, mut file: Writing<'_>) -> Result<()> {
        let vector = serde_json::to_string(&self.vector).map_err(|_| damaged("a vector"))?;
        let row =
            (self.file.0, &self.user, self.scope.0, signed(self.sequence), vector, file.now.as_micros());
        let sql = "INSERT OR REPLACE INTO peer (file, user, scope, seq, vector, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        file.execute(sql, row).map(drop)
    }
}

/// What a file acknowledged last.
pub(super) fn last(
    connection: &Connection,
    file: Uid,
    user: &str,
    scope: Uid,
) -> Result<Option<(Sequence, Vector)>> {
    let found: Option<(i64, String)> = connection
        .prepare_cached("SELECT seq, vector FROM peer WHERE file = ?1 AND user = ?2 AND scope = ?3")
        .and_then(|mut statement| {
            statement.query_row((file.0, user, scope.0), |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .or_fault()?;
    let read = |(sequence, vector): (i64, String)| {
        let vector = serde_json::from_str(&vector).map_err(|_| damaged("a vector"))?;
        Ok((sequence.cast_unsigned(), vector))
    };
    found.map(read).transpose()
}

/// Up to which change every known replica has the log; `None` when no other replica is known. What lies below may be
/// trimmed: who comes later all the same gets whole nodes instead of changes.
pub(crate) fn acknowledged(connection: &Connection) -> Result<Option<Sequence>> {
    let known = queries::number(connection, "SELECT count(*) FROM peer", [])?;
    if known == 0 {
        return Ok(None);
    }
    let least = queries::number(connection, "SELECT min(seq) FROM peer", [])?;
    Ok(Some(least.min(head(connection)?)))
}

/// Forgets files that were not seen since a time; how many rows that were.
pub(super) fn forget(connection: &Connection, before: Timestamp) -> Result<usize> {
    connection.execute("DELETE FROM peer WHERE at < ?1", [before.as_micros()]).or_fault()
}
