//! How long a place keeps what is not current any more, and what is told to who asks for what is gone.

use super::apply::Apply;
use super::node::{self, NodeId};
use super::place::{SHARED, demand_node};
use crate::decode::get;
use crate::fault::{OrFault, damaged};
use crate::queries;
use crate::sync;
use rusqlite::{Connection, OptionalExtension};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use vextir_core::context::{Deed, Keep, Version, is_within};
use vextir_core::{Actor, Error, Level, Result, Sequence, Timestamp};

/// Versions are kept so long in any case: what was begun with one of them must be merged.
const LEAST: i64 = 60 * 60 * 1_000_000;

/// The state of [`removed`](super::node::Node::removed) of what is being purged: nobody can restore it any more.
pub(crate) const CONDEMNED: i64 = -1;
/// And of what was purged, where a row must stay for what still refers to it.
pub(crate) const GONE: i64 = -2;

/// What is valid at one place, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) versions: i64,
    pub(crate) removed: i64,
    /// Changes up to here every replica has that was met: what comes later stays for them.
    pub(crate) acknowledged: Sequence,
}

impl Terms {
    /// What a hub says where no folder says anything.
    pub(crate) fn of(keep: Keep) -> Self {
        let micros = |set: Option<Duration>| set.map_or(i64::MAX, micros);
        Self {
            versions: micros(keep.versions).max(LEAST),
            removed: micros(keep.removed),
            acknowledged: Sequence::MAX,
        }
    }

    fn within(self, Row { versions, removed, above }: Row) -> Self {
        let versions = match versions.map(|versions| versions.max(LEAST)) {
            Some(versions) if above & 1 != 0 => versions.max(self.versions),
            versions => versions.unwrap_or(self.versions),
        };
        let removed = match removed {
            Some(removed) if above & 2 != 0 => removed.max(self.removed),
            removed => removed.unwrap_or(self.removed),
        };
        Self { versions, removed, ..self }
    }
}

/// What is said at one place.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    versions: Option<i64>,
    removed: Option<i64>,
    /// 1 for versions, 2 for what is removed: at least for as long as above, since replicas said both at the same time.
    above: i64,
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn duration(micros: i64) -> Duration {
    match u64::try_from(micros) {
        Ok(micros) if micros < i64::MAX.cast_unsigned() => Duration::from_micros(micros),
        Ok(_) => Duration::MAX,
        Err(_) => Duration::ZERO,
    }
}

/// The terms of places; those of folders are remembered for as long as this lives.
#[derive(Debug)]
pub(crate) struct Places {
    default: Terms,
    known: HashMap<NodeId, Terms>,
}

impl Places {
    pub(crate) fn new(default: Terms) -> Self {
        Self { default, known: HashMap::new() }
    }

    /// The terms at a node.
    pub(crate) fn terms(&mut self, connection: &Connection, id: NodeId) -> Result<Terms> {
        let (mut way, mut next) = (Vec::new(), id);
        let mut terms = loop {
            if let Some(known) = self.known.get(&next) {
                break *known;
            }
            if let (0, Some(root)) = (next, way.last()) {
                // One user's replicas hold up nobody else's tree.
                let acknowledged = sync::acknowledged(connection, Some(*root))?.unwrap_or(Sequence::MAX);
                break Terms { acknowledged, ..self.default };
            }
            if way.len() > node::DEEPEST {
                return Err(damaged("a folder"));
            }
            way.push(next);
            next = node::node(connection, next)?.ok_or_else(|| damaged("a folder"))?.parent;
        };
        for id in way.into_iter().rev() {
            if let Some(row) = said(connection, id)? {
                terms = terms.within(row);
            }
            self.known.insert(id, terms);
        }
        Ok(terms)
    }
}

fn said(connection: &Connection, id: NodeId) -> Result<Option<Row>> {
    connection
        .prepare_cached("SELECT versions, removed, above FROM keeping WHERE node = ?1")
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(Row { versions: row.get(0)?, removed: row.get(1)?, above: row.get(2)? })
            };
            statement.query_row([id], read).optional()
        })
        .or_fault()
}

/// What is said at this very place.
pub(crate) fn keep_at(connection: &Connection, id: NodeId) -> Result<Keep> {
    let Row { versions, removed, .. } = said(connection, id)?.unwrap_or_default();
    let mut keep = Keep::new();
    (keep.versions, keep.removed) = (versions.map(duration), removed.map(duration));
    Ok(keep)
}

impl Apply<'_> {
    /// Says how long a folder keeps the past.
    pub(super) fn keep(&mut self, path: &str, keep: Keep) -> Result<()> {
        let (place, node) = demand_node(self.file.connection, &self.actor, path, Level::Admin)?;
        if node.is_document() {
            return Err(Error::invalid(format!(
                "{path} is no folder; how long the past is kept, folders say"
            )));
        }
        self.set_keep(&place.owner, node.id, keep)
    }

    pub(super) fn set_keep(&mut self, owner: &str, id: NodeId, keep: Keep) -> Result<()> {
        let (versions, removed) = (keep.versions.map(micros), keep.removed.map(micros));
        self.file.execute(
            "INSERT OR REPLACE INTO keeping (node, versions, removed) VALUES (?1,?2,?3)",
            (id, versions, removed),
        )?;
        let detail = json!({"versions": versions, "removed": removed});
        self.note(owner, id, (Deed::Kept, 0), Some(&detail), None)
    }
}

/// Up to where changes are gone that an actor might have seen at or below a path.
pub(super) fn trimmed(connection: &Connection, actor: &Actor, prefix: &str) -> Result<Sequence> {
    mark(connection, "seq", actor, prefix)
}

/// What was removed until then, at or below a path, may be gone for good.
pub(super) fn purged(connection: &Connection, actor: &Actor, prefix: &str) -> Result<Timestamp> {
    Ok(Timestamp::from_micros(queries::signed(mark(connection, "removed", actor, prefix)?)))
}

fn mark(connection: &Connection, column: &str, actor: &Actor, prefix: &str) -> Result<u64> {
    let shared = format!("/{SHARED}");
    let own = if is_within(prefix, &shared) {
        0
    } else {
        let sql = format!(
            "SELECT coalesce(max({column}), 0) FROM trimmed WHERE node =
                   (SELECT id FROM node WHERE parent = 0 AND name = ?1 AND node.removed IS NULL)"
        );
        queries::number(connection, &sql, [actor.user.as_str()])?
    };
    if prefix != "/" && !is_within(prefix, &shared) {
        return Ok(own);
    }
    let sql = format!(
        "SELECT coalesce(max(trimmed.{column}), 0) FROM mount CROSS JOIN trimmed ON trimmed.node = mount.node
               WHERE user = ?1"
    );
    Ok(own.max(queries::number(connection, &sql, [actor.user.as_str()])?))
}

/// The first version of a document that is kept; 0 where all are.
pub(super) fn first_kept(connection: &Connection, id: NodeId) -> Result<Version> {
    let found: Option<i64> = connection
        .prepare_cached("SELECT version FROM shortened WHERE node = ?1")
        .and_then(|mut statement| statement.query_row([id], |row| row.get(0)).optional())
        .or_fault()?;
    u64::try_from(found.unwrap_or(0)).map_err(|_| damaged("a version"))
}

/// Whether any folder says how long versions are kept.
pub(crate) fn says_anything(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM keeping WHERE versions IS NOT NULL)";
    Ok(queries::number(connection, sql, [])? != 0)
}

/// What happened until here is older than `age`.
pub(crate) fn since(now: Timestamp, age: i64) -> i64 {
    now.as_micros().saturating_sub(age)
}

/// A number of a row that may be missing.
pub(super) fn maybe(connection: &Connection, sql: &str, id: NodeId) -> Result<Option<i64>> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row([id], |row| Ok(get(row, 0))).optional())
        .or_fault()?
        .transpose()
        .map(Option::flatten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearest_holds_and_versions_stay_for_an_hour() {
        let day = Duration::from_secs(24 * 60 * 60);
        let default = Terms::of(Keep::new().removed(90 * day));
        assert_eq!((default.versions, default.removed), (i64::MAX, micros(90 * day)));
        let inner = default.within(Row { versions: Some(5), ..Row::default() });
        assert_eq!((inner.versions, inner.removed), (LEAST, micros(90 * day)));
        let within = inner.within(Row { versions: Some(i64::MAX), removed: Some(0), above: 1 });
        assert_eq!((within.versions, within.removed), (i64::MAX, 0));
        let both = default.within(Row { versions: Some(5), removed: Some(0), above: 3 });
        assert_eq!((both.versions, both.removed), (i64::MAX, micros(90 * day)));
        assert_eq!(duration(micros(Duration::MAX)), Duration::MAX);
        assert_eq!(duration(micros(day)), day);
    }
}
