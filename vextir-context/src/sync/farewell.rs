//! What is told of nodes that went out of a user's sight.

use super::fact::{self, Fact, Say};
use super::identity::{Has, Replicas};
use super::name::{Stamp, Uid};
use super::outgoing::{MOVED, Sending};
use super::rule::standing;
use super::scope::{View, nodes};
use super::wire::{Record, Scope};
use crate::decode::get;
use crate::documents::node::{self, NodeId};
use crate::fault::{OrFault, damaged};
use crate::queries;
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use vextir_core::Result;

/// What is told of a node that went out of sight, to who may have seen it: that it is gone, and not where to.
pub(super) fn farewell(
    view: &mut View<'_>,
    replicas: &Replicas,
    sending: &Sending,
    top: NodeId,
    (node, what, detail): (NodeId, i64, Option<String>),
    said: Vec<Fact>,
) -> Result<Vec<Fact>> {
    let parent = match detail.filter(|_| what == MOVED) {
        Some(detail) => {
            let detail: Value = serde_json::from_str(&detail).map_err(|_| damaged("a move"))?;
            detail["parent"].as_i64()
        }
        None => view.chain(node)?.iter().rev().nth(1).map(|(row, _)| row.id),
    };
    let Some(parent) = parent else { return Ok(Vec::new()) };
    if !view.is_within(parent, top)? || !was_told(view.connection, replicas, &sending.has, node)? {
        return Ok(Vec::new());
    }
    parting(view, node, said)
}

/// What may be told of what was said about a node that is out of sight.
fn parting(view: &View<'_>, node: NodeId, said: Vec<Fact>) -> Result<Vec<Fact>> {
    let own = format!("u:{}", view.actor.user);
    let all = fact::said(&fact::of_node(view.connection, node)?, "x");
    let hidden: Vec<Stamp> = standing(&all).filter(|(_, open)| *open == 0).map(|(stamp, _)| stamp).collect();
    let kept = said.into_iter().filter_map(|mut fact| {
        let stamp = fact.stamp();
        match &mut fact.say {
            // What happens to it behind the restriction is not told.
            Say::Place { parent, name, .. } if hidden.iter().all(|hidden| *hidden > stamp) => {
                *parent = None;
                name.clear();
            }
            Say::Restricted { .. } if hidden.contains(&stamp) => {}
            Say::Level { who, .. } if *who == own => {}
            _ => return None,
        }
        Some(fact)
    });
    Ok(kept.collect())
}

/// Whether the other side has the operation that made a node.
fn was_told(connection: &Connection, replicas: &Replicas, has: &Has, node: NodeId) -> Result<bool> {
    let made: Option<(i64, Option<i64>, Option<i64>)> = connection
        .prepare_cached(
            "SELECT fact.seq, operation.replica, counter FROM fact LEFT JOIN operation ON operation.seq = fact.seq
             WHERE node = ?1 AND topic = 'c' ORDER BY fact.seq LIMIT 1",
        )
        .and_then(|mut statement| {
            statement.query_row([node], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
        })
        .or_fault()?;
    let (by, n) = match made {
        Some((_, Some(replica), Some(counter))) => (replicas.id(replica)?, counter.cast_unsigned()),
        Some((sequence, ..)) if sequence > 0 => replicas.name(sequence.cast_unsigned())?,
        _ => return Ok(false),
    };
    Ok(n <= has.of(by))
}

/// What went out of a scope that somebody may have seen before, for who gets no changes of it: what is restricted now, and
/// what was moved elsewhere.
pub(super) fn out_of_sight(
    connection: &Connection,
    user: &str,
    (scope, has): (&Scope, &Has),
    moved: &mut Moved,
) -> Result<Vec<Record>> {
    let mut view = View::new(connection, user);
    let Some(top) = fact::node_of(connection, scope.top)?.filter(|_| scope.owner != user) else {
        return Ok(Vec::new());
    };
    let replicas = Replicas::read(connection)?;
    let mut found = Vec::new();
    for node in candidates(&mut view, scope.top, moved)? {
        if view.is_within(node, top)? || !was_told(connection, &replicas, has, node)? {
            continue;
        }
        let mut facts = fact::of_node(connection, node)?;
        // Where it was in sight is known.
        facts.retain(|fact| !is_place_within(&mut view, fact, top).unwrap_or(true));
        let facts = parting(&view, node, facts)?;
        let Some(row) = node::node(connection, node)?.filter(|_| !facts.is_empty()) else { continue };
        found.push(Record {
            node: fact::uid(connection, node)?,
            folder: !row.is_document(),
            created: row.created.as_micros(),
            facts,
            state: None,
        });
    }
    Ok(found)
}

fn is_place_within(view: &mut View<'_>, fact: &Fact, top: NodeId) -> Result<bool> {
    let Say::Place { parent, .. } = &fact.say else { return Ok(false) };
    let folder = parent.map(|parent| fact::node_of(view.connection, parent)).transpose()?.flatten();
    folder.map_or(Ok(false), |folder| view.is_within(folder, top))
}

/// What lies in the folders of a scope, or was ever moved there or from there.
fn candidates(view: &mut View<'_>, top: Uid, moved: &mut Moved) -> Result<BTreeSet<NodeId>> {
    let connection = view.connection;
    let moved = moved.read(connection)?;
    let mut found = BTreeSet::new();
    for folder in nodes(view, top)? {
        let below = "SELECT id FROM node WHERE parent = ?1 AND removed IS NULL
                     UNION ALL SELECT id FROM node WHERE parent = ?1 AND removed IS NOT NULL";
        found.extend(queries::rows(connection, below, [folder], |row| get::<NodeId>(row, 0))?);
        found.extend(moved.get(&fact::uid(connection, folder)?).into_iter().flatten());
    }
    Ok(found)
}

/// The nodes that were ever in a folder, of those that were moved: of the whole file, so it is read once for all scopes.
#[derive(Debug, Default)]
pub(super) struct Moved(Option<BTreeMap<Uid, Vec<NodeId>>>);

impl Moved {
    fn read(&mut self, connection: &Connection) -> Result<&BTreeMap<Uid, Vec<NodeId>>> {
        let moved = match self.0.take() {
            Some(moved) => moved,
            None => moved(connection)?,
        };
        Ok(self.0.insert(moved))
    }
}

fn moved(connection: &Connection) -> Result<BTreeMap<Uid, Vec<NodeId>>> {
    let sql = "SELECT DISTINCT json_extract(value, '$.parent'), node FROM fact
               WHERE node IN (SELECT node FROM fact INDEXED BY fact_moved WHERE topic = 'm')
               AND topic IN ('c', 'm') AND json_extract(value, '$.parent') IS NOT NULL";
    let mut moved: BTreeMap<Uid, Vec<NodeId>> = BTreeMap::new();
    for (parent, node) in
        queries::rows(connection, sql, [], |row| Ok((get::<String>(row, 0)?, get(row, 1)?)))?
    {
        let parent = Uid::try_from(parent).map_err(|_| damaged("a fact"))?;
        moved.entry(parent).or_default().push(node);
    }
    Ok(moved)
}
