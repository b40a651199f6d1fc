//! The index guides of the folders on a path.

use super::node::{Node, join};
use super::place::{Spot, find, seen_as};
use super::rights::Rights;
use crate::fault::OrFault;
use rusqlite::{Connection, OptionalExtension};
use vextir_core::context::Guide;
use vextir_core::{Actor, Level, Result};

/// The guides from the root down, as far as the actor sees the folders.
pub(super) fn guides(connection: &Connection, actor: &Actor, path: &str) -> Result<Vec<Guide>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let mut found = Vec::new();
    if let Spot::Place(place) = find(&snapshot, actor, path)? {
        let mut rights = Rights::of(actor, &place.owner);
        let mut shown = String::new();
        for (index, node) in place.chain.iter().enumerate().filter(|(_, node)| !node.is_document()) {
            rights.enter(&snapshot, node)?;
            if index < place.hidden {
                continue;
            }
            shown = if index == place.hidden {
                seen_as(&snapshot, actor, &place.chain[..=index], path)?.unwrap_or_default()
            } else {
                join(&shown, [node.name.as_str()])
            };
            if rights.level() >= Level::Read
                && let Some(text) = guide(&snapshot, node)?
            {
                found.push(Guide::new(shown.clone(), text));
            }
        }
    }
    snapshot.finish().or_fault()?;
    Ok(found)
}

fn guide(connection: &Connection, folder: &Node) -> Result<Option<String>> {
    connection
        .prepare_cached("SELECT content FROM document WHERE node = ?1")
        .and_then(|mut statement| statement.query_row([folder.id], |row| row.get(0)).optional())
        .or_fault()
}
