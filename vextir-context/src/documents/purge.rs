//! What was removed long enough ago goes for good: first it can be restored no more, then it is erased from its
//! leaves up, a few rows at a time.

use super::desk::{Desk, ROW, Writing};
use super::keeping::{CONDEMNED, GONE, Places, Terms, maybe, since};
use super::node::{self, NodeId};
use super::trim::{SLICE, erase, mark};
use crate::decode::get;
use crate::fault::OrFault;
use crate::queries;
use rusqlite::Connection;
use std::time::Instant;
use vextir_core::{Result, Timestamp};

/// Nodes that are read at once.
const PAGE: i64 = 128;

/// Where the look for removed nodes goes on: behind this time and node.
pub(crate) type After = (i64, NodeId);

/// Removed nodes whose time is over, each with the time of its removal.
#[derive(Debug, Default)]
pub(crate) struct Overdue {
    pub(crate) found: Vec<(i64, NodeId)>,
    /// Those that stay for replicas that do not know yet that they were removed.
    pub(crate) held_back: u64,
    /// Where to go on; `None` at the end.
    pub(crate) next: Option<After>,
}

/// Looks for what is to be purged.
pub(crate) fn look(
    connection: &Connection,
    default: Terms,
    now: Timestamp,
    (time, id): After,
) -> Result<Overdue> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let mut places = Places::new(default);
    let mut overdue = Overdue::default();
    {
        let sql = "SELECT removed, id FROM node WHERE removed IS NOT NULL AND removed >= ?1 AND (removed, id) > (?1, ?2)
                   ORDER BY removed, id LIMIT ?3";
        let mut statement = snapshot.prepare_cached(sql).or_fault()?;
        let mut rows = statement.query((time, id, PAGE)).or_fault()?;
        while let Some(row) = rows.next().or_fault()? {
            let (removed, id) = (get::<i64>(row, 0)?, get::<NodeId>(row, 1)?);
            overdue.next = Some((removed, id));
            if removed != CONDEMNED {
                let terms = places.terms(&snapshot, id)?;
                if terms.removed == i64::MAX || removed > since(now, terms.removed) {
                    continue;
                }
                if last_change(&snapshot, id)? > terms.acknowledged {
                    overdue.held_back += 1;
                    continue;
                }
            }
            overdue.found.push((removed, id));
        }
    }
    snapshot.finish().or_fault()?;
    Ok(overdue)
}

fn last_change(connection: &Connection, node: NodeId) -> Result<u64> {
    queries::number(connection, "SELECT coalesce(max(seq), 0) FROM change WHERE node = ?1", [node])
}

/// From here on nobody can restore it; false if somebody just did.
pub(crate) fn condemn(connection: &Connection, (removed, node): (i64, NodeId)) -> Result<bool> {
    let sql = "UPDATE node SET removed = ?3 WHERE id = ?1 AND removed = ?2";
    let done = connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute((node, removed, CONDEMNED)))
        .or_fault()?;
    if done > 0 && removed >= 0 {
        mark(connection, node, last_change(connection, node)?, removed)?;
    }
    Ok(done > 0)
}

/// Some nodes of a condemned tree that have nothing below them; empty when all are erased.
pub(crate) fn leaves(connection: &Connection, top: NodeId) -> Result<Vec<NodeId>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    // It may be erased already.
    let condemned = "SELECT id FROM node WHERE id = ?1 AND removed = -1";
    if maybe(&snapshot, condemned, top)?.is_none() {
        return Ok(Vec::new());
    }
    let mut way = vec![top];
    let found = loop {
        let Some(folder) = way.last() else { break Vec::new() };
        let below = below(&snapshot, *folder)?;
        let inner = below.iter().copied().find_map(|(id, has_more)| has_more.then_some(id));
        match inner {
            Some(id) if way.len() <= node::DEEPEST => way.push(id),
            _ if below.is_empty() => {
                break maybe(&snapshot, condemned, *folder)?.into_iter().collect();
            }
            _ => break below.into_iter().map(|(id, _)| id).collect(),
        }
    };
    snapshot.finish().or_fault()?;
    Ok(found)
}

/// Some of what is directly in a folder, also what is removed, and whether anything is below it.
fn below(connection: &Connection, folder: NodeId) -> Result<Vec<(NodeId, bool)>> {
    let sql = "SELECT id, EXISTS (SELECT 1 FROM node AS n WHERE n.parent = o.id AND n.removed IS NULL)
                       OR EXISTS (SELECT 1 FROM node AS n WHERE n.parent = o.id AND n.removed IS NOT NULL)
               FROM (SELECT id FROM node WHERE parent = ?1 AND removed IS NULL
                     UNION ALL SELECT id FROM node WHERE parent = ?1 AND removed IS NOT NULL) AS o LIMIT ?2";
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement.query_map((folder, PAGE), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .or_fault()
}

/// Erases nodes without anything below them for a while, in the writer's transaction.
pub(crate) fn slice(mut file: Writing<'_>, nodes: &[NodeId]) -> Result<Erased> {
    let began = Instant::now();
    let mut erased = Erased::default();
    for node in nodes {
        if !is_condemned(file.connection, *node)? || !below(file.connection, *node)?.is_empty() {
            erased.passed += 1;
            continue;
        }
        mark(file.connection, *node, last_change(file.connection, *node)?, until(file.connection, *node)?)?;
        while erase(file.connection, file.desk, *node, (u64::MAX, [0, 0]))? > 0 {
            if began.elapsed() > SLICE {
                return Ok(erased);
            }
        }
        crate::sync::bury(&mut file, *node)?;
        forget(file.connection, file.desk, *node)?;
        erased.passed += 1;
        erased.nodes += 1;
        if began.elapsed() > SLICE {
            break;
        }
    }
    Ok(erased)
}

/// How far a slice came.
#[derive(Debug, Default)]
pub(crate) struct Erased {
    /// Nodes that it is done with.
    pub(crate) passed: usize,
    /// Of these, those that it erased: others were changed meanwhile.
    pub(crate) nodes: u64,
}

/// When the last was removed of what is being purged in a node's tree.
fn until(connection: &Connection, node: NodeId) -> Result<i64> {
    let root = node::chain(connection, node)?.first().map_or(0, |root| root.id);
    Ok(maybe(connection, "SELECT removed FROM trimmed WHERE node = ?1", root)?.unwrap_or(0))
}

fn is_condemned(connection: &Connection, id: NodeId) -> Result<bool> {
    if node::node(connection, id)?.is_none() {
        return Ok(false);
    }
    Ok(node::chain(connection, id)?
        .iter()
        .any(|node| node.removed.is_some_and(|at| at.as_micros() == CONDEMNED)))
}

/// Erases all that is known of a node whose changes are gone. Whoever keeps rows about nodes adds a line here.
fn forget(connection: &Connection, desk: &mut Desk, id: NodeId) -> Result<()> {
    let execute = |sql: &str| {
        connection.prepare_cached(sql).and_then(|mut statement| statement.execute([id])).or_fault()
    };
    let size = maybe(connection, "SELECT size FROM document WHERE node = ?1", id)?.unwrap_or(0);
    desk.bytes = desk.bytes.saturating_sub(ROW + size.unsigned_abs());
    desk.bytes = desk.bytes.saturating_add_signed(crate::search::forget(connection, id)?);
    desk.bytes = desk.bytes.saturating_sub(crate::graph::purge(connection, id)?);
    execute("DELETE FROM document WHERE node = ?1")?;
    execute("DELETE FROM shortened WHERE node = ?1")?;
    execute("DELETE FROM keeping WHERE node = ?1")?;
    execute("DELETE FROM former WHERE parent = ?1")?;
    execute("DELETE FROM errand WHERE node = ?1 AND round = 0")?;
    execute("DELETE FROM entitlement WHERE node = ?1")?;
    execute("DELETE FROM fact WHERE node = ?1")?;
    execute("DELETE FROM alias WHERE node = ?1")?;
    execute("DELETE FROM orphan WHERE node = ?1")?;
    // A number that is given to nothing else: the last one would be given again, and so would a shared path.
    let stays =
        "SELECT EXISTS (SELECT 1 FROM mount WHERE node = ?1) OR EXISTS (SELECT 1 FROM change WHERE node = ?1)
                 OR ?1 = (SELECT max(id) FROM node)";
    if queries::number(connection, stays, [id])? == 0 {
        execute("DELETE FROM trimmed WHERE node = ?1")?;
        return execute("DELETE FROM node WHERE id = ?1").map(drop);
    }
    execute("UPDATE change SET body = NULL, detail = NULL WHERE node = ?1")?;
    let root = node::chain(connection, id)?.first().map_or(0, |root| root.id);
    connection
        .prepare_cached("UPDATE node SET uid = randomblob(16), parent = ?2, name = '', kind = 2, removed = ?3 WHERE id = ?1")
        .and_then(|mut statement| statement.execute((id, root, GONE)))
        .or_fault()
        .map(drop)
}
