//! Which other replicas there are, and what each of them has.

use super::identity::{Vector, head};
use super::name::Uid;
use crate::documents::desk::{ROW, Writing};
use crate::documents::node::NodeId;
use crate::fault::{OrFault, damaged};
use crate::queries::signed;
use rusqlite::{Connection, OptionalExtension};
use vextir_core::{Result, Sequence, Timestamp};

/// So many nodes that were purged are remembered however long ago it was: a replica may come after years.
const REMEMBERED: i64 = 200_000;

/// What another file has of a scope.
#[derive(Debug)]
pub(crate) struct Acknowledgement {
    pub(super) file: Uid,
    pub(super) user: String,
    pub(super) scope: Uid,
    pub(super) sequence: Sequence,
    pub(super) vector: Vector,
    pub(super) owner: String,
    /// Everything that this exchange is about: of other scopes the file gets nothing any more.
    pub(super) scopes: Vec<Uid>,
}

impl Acknowledgement {
    pub(super) fn store(&self, mut file: Writing<'_>) -> Result<()> {
        let vector = serde_json::to_string(&self.vector).map_err(|_| damaged("a vector"))?;
        let now = file.now.as_micros();
        let row = (self.file.0, &self.user, self.scope.0, signed(self.sequence), vector, now, &self.owner);
        let sql = "INSERT OR REPLACE INTO peer (file, user, scope, seq, vector, at, owner)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        file.execute(sql, row)?;
        let scopes = serde_json::to_string(&self.scopes).map_err(|_| damaged("a scope"))?;
        let sql = "DELETE FROM peer WHERE file = ?1 AND user = ?2
                   AND lower(hex(scope)) NOT IN (SELECT value FROM json_each(?3))";
        file.execute(sql, (self.file.0, &self.user, scopes)).map(drop)
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

/// Up to which change every replica has the log that was met, of one user's tree (its root) or of all; `None` when
/// there is none. What lies below may be trimmed: who comes later all the same gets whole nodes instead of changes.
pub(crate) fn acknowledged(connection: &Connection, root: Option<NodeId>) -> Result<Option<Sequence>> {
    let sql = "SELECT min(seq) FROM peer
               WHERE ?1 IS NULL OR owner = (SELECT name FROM node WHERE id = ?1)";
    let least: Option<i64> = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row([root], |row| row.get(0)))
        .or_fault()?;
    let head = head(connection)?;
    Ok(least.map(|least| least.cast_unsigned().min(head)))
}

/// Forgets files that were not seen since a time, what waits for them, and what they would be told of what was purged,
/// where that is much; how many rows of files that were.
pub(crate) fn forget(mut file: Writing<'_>, before: Timestamp) -> Result<usize> {
    let before = before.as_micros();
    let waited = "DELETE FROM early WHERE at < ?1 RETURNING octet_length(operation)";
    let waited: Vec<i64> = file
        .connection
        .prepare_cached(waited)
        .and_then(|mut statement| statement.query_map([before], |row| row.get(0))?.collect())
        .or_fault()?;
    let bytes: u64 = waited.into_iter().map(|length| ROW + length.unsigned_abs()).sum();
    let forgotten =
        "DELETE FROM purged WHERE at < min(?1, (SELECT at FROM purged ORDER BY at DESC LIMIT 1 OFFSET ?2))";
    let purged = file.execute(forgotten, (before, REMEMBERED))? as u64;
    file.desk.bytes = file.desk.bytes.saturating_sub(bytes + ROW * purged);
    file.execute("DELETE FROM peer WHERE at < ?1", [before])
}
