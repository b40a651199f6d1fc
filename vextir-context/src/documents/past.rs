//! Documents as they were: also those that were removed since then, and those whose place another one has now.

use super::bases::updates;
use super::merge::replay;
use super::node::{self, Node, NodeId};
use super::place::{Spot, find};
use super::rights::level_at;
use crate::decode::{count, time};
use crate::fault::{OrFault, damaged};
use crate::queries::signed;
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;
use vextir_core::context::{Document, Version};
use vextir_core::{Actor, Error, ErrorKind, Level, Result, Timestamp};

/// How many nodes are looked at for one path.
const LOOKS: usize = 10_000;

/// Looks at all that stands or stood at a path, as far as the actor may read it, what is there now first; ends with the
/// first that is accepted.
pub(super) fn first_at<T>(
    connection: &Connection,
    actor: &Actor,
    path: &str,
    accept: &mut dyn FnMut(&[Node]) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let Spot::Place(place) = find(connection, actor, path)? else { return Ok(None) };
    let (known, below) = place.chain.split_at(place.chain.len().min(place.hidden + 1));
    let names: Vec<&str> =
        below.iter().map(|node| node.name.as_str()).chain(place.missing.iter().map(String::as_str)).collect();
    if known.is_empty() {
        return Ok(None);
    }
    let mut looks = LOOKS;
    let mut chain = known.to_vec();
    descend(connection, actor, &mut chain, &names, &mut looks, accept)
}

fn descend<T>(
    connection: &Connection,
    actor: &Actor,
    chain: &mut Vec<Node>,
    names: &[&str],
    looks: &mut usize,
    accept: &mut dyn FnMut(&[Node]) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let Some((name, rest)) = names.split_first() else {
        let is_seen = level_at(connection, actor, chain)? >= Level::Read;
        return if is_seen { accept(chain) } else { Ok(None) };
    };
    let folder = chain.last().map_or(0, |last| last.id);
    let present = node::child(connection, folder, name)?;
    // What was removed is only read when what is there is not accepted.
    for (index, live) in [true, false].into_iter().enumerate() {
        let found = if live {
            present.clone().into_iter().collect()
        } else {
            node::removed(connection, folder, name)?
        };
        for node in found {
            let Some(left) = looks.checked_sub(1 + index) else { return Ok(None) };
            *looks = left;
            chain.push(node);
            let accepted = descend(connection, actor, chain, rest, looks, accept)?;
            chain.pop();
            if accepted.is_some() {
                return Ok(accepted);
            }
        }
    }
    Ok(None)
}

/// A document as it was at a time, or with a version.
pub(super) fn past(
    connection: &Connection,
    actor: &Actor,
    path: &str,
    at: Option<Timestamp>,
    version: Option<Version>,
) -> Result<Option<Document>> {
    first_at(connection, actor, path, &mut |chain| {
        let Some(node) = chain.last().filter(|node| node.is_document()) else { return Ok(None) };
        if let Some(at) = at
            && (node.created > at || !was_there(connection, node.id, at)?)
        {
            return Ok(None);
        }
        as_it_was(connection, node, path, at, version)
    })
}

fn as_it_was(
    connection: &Connection,
    node: &Node,
    path: &str,
    at: Option<Timestamp>,
    version: Option<Version>,
) -> Result<Option<Document>> {
    // The last change until then that has content.
    let found = connection
        .prepare_cached(
            "SELECT version, at FROM change WHERE node = ?1 AND at <= ?2 AND version <= ?3 AND body IS NOT NULL
             ORDER BY seq DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            let at = at.map_or(i64::MAX, Timestamp::as_micros);
            let most = signed(version.unwrap_or(u64::MAX));
            let read = |row: &rusqlite::Row<'_>| Ok(count(row, 0).and_then(|v| Ok((v, time(row, 1)?))));
            statement.query_row((node.id, at, most), read).optional()
        })
        .or_fault()?
        .transpose()?;
    let Some((found, updated)) = found.filter(|(found, _)| version.is_none_or(|version| version == *found))
    else {
        return Ok(None);
    };
    let updates = updates(connection, node.id, found)?
        .ok_or_else(|| Error::new(ErrorKind::Gap, format!("{path}: version {found} is not kept any more")))?;
    let (content, metadata) = replay(&updates)?;
    let mut document = Document::new(path, content, metadata, found);
    (document.created, document.updated) = (node.created, updated);
    document.id = node::uid(connection, node.id)?;
    Ok(Some(document))
}

/// Whether nothing on the way to a node was removed at a time, on the way that led to it then.
fn was_there(connection: &Connection, id: NodeId, at: Timestamp) -> Result<bool> {
    let mut next = id;
    // A chain of folders is far shorter, or damaged.
    for _ in 0..1_024 {
        let last: Option<i64> = connection
            .prepare_cached(
                "SELECT what FROM change WHERE node = ?1 AND what IN (2, 3, 4) AND what <> 2 AND at <= ?2
                 ORDER BY seq DESC LIMIT 1",
            )
            .and_then(|mut statement| {
                statement.query_row((next, at.as_micros()), |row| row.get(0)).optional()
            })
            .or_fault()?;
        if last == Some(3) {
            return Ok(false);
        }
        next = parent_then(connection, next, at)?;
        if next == 0 {
            return Ok(true);
        }
    }
    Err(damaged("a folder"))
}

/// The folder that a node was in at a time: where the first move after it took it from.
fn parent_then(connection: &Connection, id: NodeId, at: Timestamp) -> Result<NodeId> {
    let moved: Option<String> = connection
        .prepare_cached(
            "SELECT detail FROM change WHERE node = ?1 AND what IN (2, 3, 4) AND what = 2 AND at > ?2
             ORDER BY seq LIMIT 1",
        )
        .and_then(|mut statement| statement.query_row((id, at.as_micros()), |row| row.get(0)).optional())
        .or_fault()?;
    if let Some(moved) = moved {
        let detail: Value = serde_json::from_str(&moved).map_err(|_| damaged("a move"))?;
        return detail["parent"].as_i64().ok_or_else(|| damaged("a move"));
    }
    Ok(node::node(connection, id)?.ok_or_else(|| damaged("a folder"))?.parent)
}
