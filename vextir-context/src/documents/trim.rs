//! Old changes go: what is older than a place keeps is folded into one base, from which the versions that stay are
//! rebuilt. Read and folded beside the writer; the writer stores the base, and removes rows a few at a time.

use super::desk::{Desk, ROW};
use super::keeping::{Places, Terms, since};
use super::node::{self, NodeId};
use crate::crdt::Body;
use crate::decode::{count, get};
use crate::fault::OrFault;
use crate::queries::{self, signed};
use rusqlite::Connection;
use std::time::{Duration, Instant};
use vextir_core::context::Version;
use vextir_core::{Result, Sequence, Timestamp};

/// How long one reading, and one slice of the writer, goes on.
pub(crate) const SLICE: Duration = Duration::from_millis(4);

/// How many old changes of one document are looked at in one go.
const ROWS: i64 = 4_096;

/// How many bytes of changes of one document are folded in one go, unless one of them is longer.
const HEAVY: i64 = 64 << 20;

/// How many rows are removed before the time is looked at.
const STEP: i64 = 32;

/// Nodes that are read at once.
const PAGE: i64 = 64;

/// Old changes of one node that may go.
#[derive(Debug)]
pub(crate) struct Trim {
    node: NodeId,
    /// All of its changes up to here, but for `stays`.
    last: Sequence,
    stays: [Sequence; 2],
    /// What stands in their place.
    base: Option<Base>,
    /// There are more than are looked at in one go.
    has_more: bool,
}

#[derive(Debug)]
struct Base {
    seq: Sequence,
    version: Version,
    /// Until it is folded, the changes; then one.
    bodies: Vec<Vec<u8>>,
}

/// A stretch of the nodes.
#[derive(Debug, Default)]
pub(crate) struct Trims {
    pub(crate) found: Option<Trim>,
    /// Nodes of which more is kept, for replicas that do not have it yet.
    pub(crate) held_back: u64,
    /// Where to go on; `None` at the end.
    pub(crate) next: Option<NodeId>,
}

/// Looks for what may be trimmed.
pub(crate) fn look(connection: &Connection, default: Terms, now: Timestamp, after: NodeId) -> Result<Trims> {
    let began = Instant::now();
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let head = queries::number(&snapshot, "SELECT coalesce(max(seq), 0) FROM change", [])?;
    let (mut places, mut trims) = (Places::new(default), Trims { next: Some(after), ..Trims::default() });
    while let Some(after) = trims.next
        && trims.found.is_none()
        && began.elapsed() < SLICE
    {
        let ids = ids(&snapshot, after)?;
        trims.next = ids.last().copied();
        for id in ids {
            let terms = places.terms(&snapshot, id)?;
            if terms.versions == i64::MAX {
                continue;
            }
            let found = of_node(&snapshot, id, terms, (now, head))?;
            // A node with more to trim is looked at once more.
            if !found.as_ref().is_some_and(|trim| trim.has_more) {
                trims.held_back += u64::from(is_held_back(&snapshot, id, terms, (now, head))?);
            }
            if let Some(trim) = found {
                trims.next = Some(if trim.has_more { id - 1 } else { id });
                trims.found = Some(trim);
                break;
            }
        }
    }
    snapshot.finish().or_fault()?;
    Ok(trims)
}

fn ids(connection: &Connection, after: NodeId) -> Result<Vec<NodeId>> {
    let sql = "SELECT id FROM node WHERE id > ?1 ORDER BY id LIMIT ?2";
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map((after, PAGE), |row| row.get(0))?.collect())
        .or_fault()
}

/// Whether old changes stay for a replica that does not have them; of what is removed the purge tells.
fn is_held_back(
    connection: &Connection,
    node: NodeId,
    terms: Terms,
    (now, head): (Timestamp, Sequence),
) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM change WHERE node = ?1 AND seq > ?2 AND at <= ?3
               AND seq < (SELECT max(seq) FROM change WHERE node = ?1)
               AND (SELECT removed FROM node WHERE id = ?1) IS NULL)";
    let old = (node, signed(terms.acknowledged), since(now, terms.versions));
    Ok(terms.acknowledged < head && queries::number(connection, sql, old)? != 0)
}

/// What may go of one node, if it is worth a commit.
fn of_node(
    connection: &Connection,
    node: NodeId,
    terms: Terms,
    (now, head): (Timestamp, Sequence),
) -> Result<Option<Trim>> {
    let sql = "SELECT seq, version, what, at, length(body) FROM change
               WHERE node = ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3";
    let limit = since(now, terms.versions);
    let (mut old, mut base, mut removal) = (Vec::new(), None, 0);
    let (mut contents, mut weight, mut full) = (0, 0, false);
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query((node, signed(terms.acknowledged), ROWS)).or_fault()?;
    while let Some(row) = rows.next().or_fault()? {
        let (seq, at) = (count(row, 0)?, get::<i64>(row, 3)?);
        if at > limit || seq == head {
            break;
        }
        let length = get::<Option<i64>>(row, 4)?;
        weight += length.unwrap_or(0);
        if weight > HEAVY && contents > 1 {
            full = true;
            break;
        }
        old.push((seq, at));
        if length.is_some() {
            base = Some((seq, count(row, 1)?));
            contents += 1;
        }
        match get::<i64>(row, 2)? {
            3 => removal = seq,
            4 => removal = 0,
            _ => {}
        }
    }
    drop(rows);
    let full = full || old.len() as i64 == ROWS;
    let stays = [base.map_or(0, |(seq, _)| seq), removal];
    let Some((first, at)) = old.iter().find(|(seq, _)| !stays.contains(seq)).copied() else {
        return Ok(None);
    };
    // One fold for many changes: the oldest stays a sixteenth longer.
    let is_due = at <= limit.saturating_sub(terms.versions / 16) || full;
    let last = old.iter().rfind(|(seq, _)| !stays.contains(seq)).map_or(first, |(seq, _)| *seq);
    if !is_due {
        return Ok(None);
    }
    let base = match base.filter(|_| contents > 1) {
        Some((seq, version)) => Some(Base { seq, version, bodies: bodies(connection, node, seq)? }),
        None => None,
    };
    Ok(Some(Trim { node, last, stays, base, has_more: full }))
}

fn bodies(connection: &Connection, node: NodeId, last: Sequence) -> Result<Vec<Vec<u8>>> {
    let sql = "SELECT body FROM change WHERE node = ?1 AND seq <= ?2 AND body IS NOT NULL ORDER BY seq";
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map((node, signed(last)), |row| row.get(0))?.collect())
        .or_fault()
}

impl Trim {
    /// Whose changes they are.
    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// Makes one change of those that go. Takes its time: not for the writer.
    pub(crate) fn fold(mut self) -> Result<Self> {
        if let Some(base) = &mut self.base {
            let whole = Body::of_updates(&base.bodies)?.whole();
            base.bodies = vec![whole];
        }
        Ok(self)
    }

    /// Removes for a while, in the writer's transaction; how many changes went, and what is left to do.
    pub(crate) fn slice(mut self, connection: &Connection, desk: &mut Desk) -> Result<(u64, Option<Self>)> {
        let began = Instant::now();
        mark(connection, self.node, self.last, 0)?;
        if let Some(base) = self.base.take()
            && !store(connection, desk, self.node, &base)?
        {
            // Somebody else was there; the next pass looks again.
            return Ok((0, None));
        }
        let mut gone = 0;
        while began.elapsed() < SLICE {
            let some = erase(connection, desk, self.node, (self.last, self.stays))?;
            gone += some;
            if some < STEP.cast_unsigned() {
                return Ok((gone, None));
            }
        }
        Ok((gone, Some(self)))
    }
}

/// Puts the base in the place of the change that it ends with.
fn store(connection: &Connection, desk: &mut Desk, node: NodeId, base: &Base) -> Result<bool> {
    let Some(body) = base.bodies.first() else { return Ok(false) };
    let sql = "SELECT coalesce((SELECT length(body) + 1 FROM change WHERE seq = ?1 AND node = ?2 AND version = ?3), 0)";
    let key = (signed(base.seq), node, signed(base.version));
    let Some(before) = queries::number(connection, sql, key)?.checked_sub(1) else { return Ok(false) };
    let execute = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params)).or_fault()
    };
    execute("UPDATE change SET body = ?2 WHERE seq = ?1", &[&signed(base.seq), body])?;
    execute(
        "INSERT OR REPLACE INTO shortened (node, version) VALUES (?1, ?2)",
        &[&node, &signed(base.version)],
    )?;
    desk.bytes = (desk.bytes + body.len() as u64).saturating_sub(before);
    Ok(true)
}

/// Removes some changes of a node up to a place; how many.
pub(super) fn erase(
    connection: &Connection,
    desk: &mut Desk,
    node: NodeId,
    (last, [one, other]): (Sequence, [Sequence; 2]),
) -> Result<u64> {
    let sql = "DELETE FROM change WHERE seq IN (
                 SELECT seq FROM change WHERE node = ?1 AND seq <= ?2 AND seq NOT IN (?3, ?4)
                 AND seq <> (SELECT max(seq) FROM change) ORDER BY seq LIMIT ?5
               ) RETURNING length(body), seq";
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let params = (node, signed(last), signed(one), signed(other), STEP);
    let mut rows = statement.query(params).or_fault()?;
    let (mut gone, mut latest) = (0, 0);
    while let Some(row) = rows.next().or_fault()? {
        latest = latest.max(get::<i64>(row, 1)?);
        let length = get::<Option<i64>>(row, 0)?.unwrap_or(0).unsigned_abs();
        desk.bytes = desk.bytes.saturating_sub(ROW + length);
        gone += 1;
    }
    drop(rows);
    if gone > 0 {
        note_trimmed(connection, latest)?;
    }
    Ok(gone)
}

/// Notes up to where changes are gone: who reads the log below, as replicas and the search index do, has to look at
/// whole documents.
fn note_trimmed(connection: &Connection, latest: i64) -> Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES ('changes_trimmed', ?1)
               ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute([latest])).or_fault().map(drop)
}

/// Notes where a watch would miss changes up to `last`: in its owner's tree, and where a way to it is shared.
/// `removed`: what was removed until then may be gone there.
pub(super) fn mark(connection: &Connection, node: NodeId, last: Sequence, removed: i64) -> Result<()> {
    for (depth, node) in node::chain(connection, node)?.iter().enumerate() {
        let shared = "SELECT EXISTS (SELECT 1 FROM mount WHERE node = ?1)";
        if depth > 0 && queries::number(connection, shared, [node.id])? == 0 {
            continue;
        }
        let sql = "INSERT INTO trimmed (node, seq, removed) VALUES (?1, ?2, ?3) ON CONFLICT (node)
                   DO UPDATE SET seq = max(seq, excluded.seq), removed = max(removed, excluded.removed)";
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute((node.id, signed(last), removed)))
            .or_fault()?;
    }
    Ok(())
}
