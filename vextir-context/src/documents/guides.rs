//! The index guides of the folders on a path.

use super::node::{Node, join};
use super::place::{Spot, find};
use super::rights::Rights;
use crate::fault::OrFault;
use rusqlite::{Connection, OptionalExtension};
use vextir_core::context::{Guide, segments};
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
                top(actor, &place.owner, path)
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

/// Where a tree, or what is shared of it, begins in a path.
fn top(actor: &Actor, owner: &str, path: &str) -> String {
    if actor.user == *owner { "/".to_owned() } else { join("/", segments(path).take(3)) }
}

fn guide(connection: &Connection, folder: &Node) -> Result<Option<String>> {
    connection
        .prepare_cached("SELECT content FROM document WHERE node = ?1")
        .and_then(|mut statement| statement.query_row([folder.id], |row| row.get(0)).optional())
        .or_fault()
}
