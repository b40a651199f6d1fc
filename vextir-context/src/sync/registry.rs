//! Which other replicas there are, and what each of them has.

use super::identity::{Vector, head};
use super::name::Uid;
use crate::decode::{count, get};
use crate::documents::desk::{ROW, Writing};
use crate::documents::node::NodeId;
use crate::fault::damaged;
use crate::queries::{self, signed};
use rusqlite::Connection;
use vextir_core::{Result, Sequence, Timestamp};

/// So many nodes that were purged are remembered however long ago it was: a replica may come after years.
const REMEMBERED: i64 = 100_000;
/// How many rows one transaction forgets.
const SLICE: u64 = 500;

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
    let sql = "SELECT seq, vector FROM peer WHERE file = ?1 AND user = ?2 AND scope = ?3";
    queries::one(connection, sql, (file.0, user, scope.0), |row| {
        let vector = serde_json::from_str(&get::<String>(row, 1)?).map_err(|_| damaged("a vector"))?;
        Ok((count(row, 0)?, vector))
    })
}

/// Up to which change every replica has the log that was met, of one user's tree (its root) or of all; `None` when
/// there is none. What lies below may be trimmed: who comes later all the same gets whole nodes instead of changes.
pub(crate) fn acknowledged(connection: &Connection, root: Option<NodeId>) -> Result<Option<Sequence>> {
    let sql = "SELECT min(seq) FROM peer
               WHERE ?1 IS NULL OR owner = (SELECT name FROM node WHERE id = ?1)";
    let least = queries::value::<Option<i64>>(connection, sql, [root])?.flatten();
    let head = head(connection)?;
    Ok(least.map(|least| least.cast_unsigned().min(head)))
}

/// What one slice of forgetting did.
#[derive(Debug)]
pub(crate) struct Forgotten {
    /// Rows of files.
    pub(crate) files: u64,
    pub(crate) has_more: bool,
}

/// Forgets files that were not seen since a time, what waits for them, and what they would be told of what was purged,
/// where that is much: of each so much as one transaction of the writer may take.
pub(crate) fn forget(mut file: Writing<'_>, before: Timestamp) -> Result<Forgotten> {
    let old = (before.as_micros(), signed(SLICE));
    let sql = "DELETE FROM early WHERE (user, trusted, scope, replica, counter) IN
               (SELECT user, trusted, scope, replica, counter FROM early WHERE at < ?1 LIMIT ?2)
               RETURNING octet_length(operation)";
    let waited = queries::rows(file.connection, sql, old, |row| count(row, 0))?;
    let sql = "DELETE FROM purged WHERE uid IN (
                 SELECT uid FROM purged
                 WHERE at < min(?1, (SELECT at FROM purged ORDER BY at DESC LIMIT 1 OFFSET ?3)) LIMIT ?2)";
    let purged = file.execute(sql, (old.0, old.1, REMEMBERED))? as u64;
    let bytes: u64 = waited.iter().map(|length| ROW + length).sum();
    file.desk.bytes = file.desk.bytes.saturating_sub(bytes + ROW * purged);
    *file.writes += waited.len() as u64;
    // There are as many as users have devices, and they are the last to be told of nothing.
    let has_more = waited.len() as u64 == SLICE || purged == SLICE;
    let files = if has_more { 0 } else { file.execute("DELETE FROM peer WHERE at < ?1", [old.0])? as u64 };
    Ok(Forgotten { files, has_more })
}
