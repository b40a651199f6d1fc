//! Documents that the embedder refused: found by words alone, until they or the embedder change.

use super::entry::{self, execute};
use super::round::Refused;
use crate::decode::get;
use crate::documents::node::{self, NodeId};
use crate::fault::{OrFault, damaged};
use crate::queries;
use rusqlite::Connection;
use vextir_core::{Error, Result};

/// Sets documents aside, in the writer's transaction; which they are. One that has changed meanwhile goes on waiting.
pub(super) fn set_aside(connection: &Connection, refused: &[Refused]) -> Result<Vec<NodeId>> {
    let mut aside = Vec::new();
    for Refused { node, seq, reason } in refused {
        let waited = "DELETE FROM search_queue WHERE node = ?1 AND seq = ?2";
        if execute(connection, waited, (node, seq))? == 0 {
            continue;
        }
        // What there is belongs to a text that is no more.
        entry::remove_pieces(connection, *node)?;
        let sql = "INSERT OR REPLACE INTO search_refused (node, seq, reason) VALUES (?1, ?2, ?3)";
        execute(connection, sql, (node, seq, reason))?;
        aside.push(*node);
    }
    Ok(aside)
}

/// A document is not set aside any more.
pub(super) fn readmit(connection: &Connection, node: NodeId) -> Result<()> {
    execute(connection, "DELETE FROM search_refused WHERE node = ?1", [node]).map(drop)
}

/// No document is, because another embedder may take them.
pub(super) fn readmit_all(connection: &Connection) -> Result<()> {
    execute(connection, "DELETE FROM search_refused", []).map(drop)
}

/// How many documents are set aside, and why the last one is, with its place.
pub(super) fn report(hub: &Connection) -> Result<(u64, Option<Error>)> {
    let snapshot = hub.unchecked_transaction().or_fault()?;
    let report = report_from(&snapshot)?;
    snapshot.finish().or_fault()?;
    Ok(report)
}

fn report_from(hub: &Connection) -> Result<(u64, Option<Error>)> {
    let count = queries::number(hub, "SELECT count(*) FROM search_refused", [])?;
    let sql = "SELECT node, reason FROM search_refused ORDER BY seq DESC, node DESC LIMIT 1";
    let last = queries::one(hub, sql, [], |row| Ok((get::<NodeId>(row, 0)?, get::<String>(row, 1)?)))?;
    let Some((node, reason)) = last else { return Ok((count, None)) };
    let chain = node::chain(hub, node)?;
    // The name of a root is its user.
    let Some((root, below)) = chain.split_first() else { return Err(damaged("a folder")) };
    let path = node::join("/", below.iter().map(|node| node.name.as_str()));
    let error =
        Error::invalid(reason).context(format!("{path} of {} is found by its words alone", root.name));
    Ok((count, Some(error)))
}
