//! What a restoration will bring back, for those who change it in the same commit.

use super::history::content_of;
use super::list::page;
use super::node::{self, Node};
use super::place::{Spot, find};
use super::rights::{Rights, level_at};
use super::structure::restorable;
use crate::fault::OrFault;
use rusqlite::Connection;
use vextir_core::context::{Document, Item, segments};
use vextir_core::{Actor, Level, Name, Result};

/// The owner, and the chain down to a path at or below what will be restored; `None` unless the actor may read it.
pub(super) fn chain(
    connection: &Connection,
    actor: &Actor,
    (restored, before): (&str, usize),
    path: &str,
) -> Result<Option<(Name, Vec<Node>)>> {
    let Some((folder, name)) = restored.rsplit_once('/') else { return Ok(None) };
    let folder = if folder.is_empty() { "/" } else { folder };
    let Spot::Place(place) = find(connection, actor, folder)? else { return Ok(None) };
    let Some(above) = place.node().filter(|node| !node.is_document()) else { return Ok(None) };
    let found = restorable(connection, actor, &place.chain, above.id, name, before)?;
    let Some((removed, _)) = found else { return Ok(None) };
    let mut chain = place.chain;
    chain.push(removed);
    for name in segments(path.strip_prefix(restored).unwrap_or_default()) {
        let folder = chain.last().map_or(0, |last| last.id);
        let Some(below) = node::child(connection, folder, name)? else { return Ok(None) };
        chain.push(below);
    }
    Ok((level_at(connection, actor, &chain)? >= Level::Read).then_some((place.owner, chain)))
}

/// The document there.
pub(super) fn read(
    connection: &Connection,
    actor: &Actor,
    removed: (&str, usize),
    path: &str,
) -> Result<Option<Document>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let found = chain(&snapshot, actor, removed, path)?;
    let found = match found.as_ref().and_then(|(_, chain)| chain.last()) {
        Some(node) if node.is_document() => content_of(&snapshot, node, path)?,
        _ => None,
    };
    snapshot.finish().or_fault()?;
    Ok(found)
}

/// The entries of the folder there.
pub(super) fn list(
    connection: &Connection,
    actor: &Actor,
    removed: (&str, usize),
    (path, after, limit): (&str, &str, usize),
) -> Result<Vec<Item>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let items = match chain(&snapshot, actor, removed, path)? {
        Some((owner, chain)) => page(&snapshot, Rights::of(actor, &owner), &chain, (path, after, limit))?,
        None => Vec::new(),
    };
    snapshot.finish().or_fault()?;
    Ok(items)
}
