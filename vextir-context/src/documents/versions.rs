//! Versions at a name only grow, whichever documents stand there one after the other: who has read one of them and
//! names its version is never taken for a reader of another one.

use super::apply::Apply;
use super::node::{Node, NodeId};
use crate::decode::{count, get};
use crate::fault::OrFault;
use crate::queries::signed;
use rusqlite::{Connection, OptionalExtension};
use vextir_core::Result;
use vextir_core::context::{Deed, Version};

/// The highest version that a document had at a name when it left it, and which document that was.
pub(super) fn former(
    connection: &Connection,
    parent: NodeId,
    name: &str,
) -> Result<Option<(Version, NodeId)>> {
    connection
        .prepare_cached("SELECT version, node FROM former WHERE parent = ?1 AND name = ?2")
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(count(row, 0).and_then(|version| Ok((version, get::<NodeId>(row, 1)?))))
            };
            statement.query_row((parent, name), read).optional()
        })
        .or_fault()?
        .transpose()
}

impl Apply<'_> {
    /// Notes that a document leaves its name.
    pub(super) fn leaves(&mut self, node: &Node) -> Result<()> {
        if !node.is_document() {
            return Ok(());
        }
        let version = self.file.version(node.id)?;
        self.file.execute(
            "INSERT INTO former (parent, name, version, node) VALUES (?1,?2,?3,?4) ON CONFLICT (parent, name)
             DO UPDATE SET version = max(version, excluded.version), node = excluded.node",
            (node.parent, node.name.as_str(), signed(version), node.id),
        )
        .map(drop)
    }

    /// A document comes to a name by `deed`. If another one had its version there, it gets a new one, which is
    /// noted; 0 if there is none.
    pub(super) fn arrives(&mut self, node: &Node, parent: NodeId, name: &str) -> Result<Version> {
        if !node.is_document() {
            return Ok(0);
        }
        let (current, before) = (self.file.version(node.id)?, former(self.file.connection, parent, name)?);
        let stays = node.parent == parent && node.name == *name;
        let (next, arrived) = match before {
            Some((_, who)) if who == node.id && stays => return Ok(0),
            Some((version, who)) if who == node.id => (current, version),
            Some((version, _)) => (current.max(version + 1), version + 1),
            None => (current, 0),
        };
        self.file.execute("UPDATE node SET arrived = ?2 WHERE id = ?1", (node.id, signed(arrived)))?;
        if next == current {
            return Ok(0);
        }
        self.file.execute("UPDATE document SET version = ?2 WHERE node = ?1", (node.id, signed(next)))?;
        self.renumbered.insert(node.id, current);
        Ok(next)
    }

    /// Adds a move or a restoration to the operation log. A new version is one without any edit.
    pub(super) fn note_arrival(
        &mut self,
        owner: &str,
        node: NodeId,
        (deed, version): (Deed, Version),
        detail: Option<&serde_json::Value>,
    ) -> Result<()> {
        self.note(owner, node, (deed, version), detail, (version > 0).then_some(&[]))
    }
}
