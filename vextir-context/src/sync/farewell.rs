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
use std::collections::BTreeSet;
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
    scope: &Scope,
    has: &Has,
) -> Result<Vec<Record>> {
    let mut view = View::new(connection, user);
    let Some(top) = fact::node_of(connection, scope.top)?.filter(|_| scope.owner != user) else {
        return Ok(Vec::new());
    };
    let replicas = Replicas::read(connection)?;
    let mut found = Vec::new();
    for node in candidates(&mut view, scope.top)? {
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
fn candidates(view: &mut View<'_>, top: Uid) -> Result<BTreeSet<NodeId>> {
    let connection = view.connection;
    let (mut found, mut folders) = (BTreeSet::new(), BTreeSet::new());
    for folder in nodes(view, top)? {
        let below = "SELECT id FROM node WHERE parent = ?1 AND removed IS NULL
                     UNION ALL SELECT id FROM node WHERE parent = ?1 AND removed IS NOT NULL";
        found.extend(queries::rows(connection, below, [folder], |row| get::<NodeId>(row, 0))?);
        folders.insert(fact::uid(connection, folder)?);
    }
    let moved = "SELECT DISTINCT node FROM fact INDEXED BY fact_moved WHERE topic = 'm'";
    for node in queries::rows(connection, moved, [], |row| get::<NodeId>(row, 0))? {
        let was_in = |fact: &Fact| matches!(&fact.say, Say::Place { parent: Some(parent), .. } if folders.contains(parent));
        if fact::of_node(connection, node)?.iter().any(was_in) {
            found.insert(node);
        }
    }
    Ok(found)
}
