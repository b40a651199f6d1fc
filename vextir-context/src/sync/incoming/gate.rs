//! What a peer may say.

use super::{Taking, invalid};
use crate::documents::SHARED;
use crate::documents::node::{self, Kind, NodeId};
use crate::sync::fact::{self, Fact, Say};
use crate::sync::name::Uid;
use crate::sync::wire::Scope;
use vextir_core::{Level, Result};

/// How deep trees of several replicas may become when they are merged. Each replica alone stops far earlier.
const DEPTH: usize = 512;

impl Taking<'_> {
    /// Whether the scope is the own tree of the user who speaks: all of it is the user's.
    pub(super) fn is_own_tree(&self) -> bool {
        self.intake.scope.owner == self.intake.user
    }

    /// A peer that is not trusted only speaks of what its user may read.
    pub(super) fn may_speak(&mut self) -> Result<bool> {
        let Scope { top, owner } = &self.intake.scope;
        if self.is_own_tree() {
            return Ok(*top == Uid::of_root(owner));
        }
        if self.intake.trusted {
            return Ok(true);
        }
        let Some(node) = fact::node_of(self.file.connection, *top)? else { return Ok(false) };
        let chain = self.view.chain(node)?;
        Ok(chain.first().is_some_and(|(root, _)| *root.name == **owner) && self.view.is_top(node)?)
    }

    /// Whether the peer may say this about a node. A peer that is not trusted speaks for its own user, and with this
    /// user's rights as they are here and now: who lost a right in the meantime cannot use it any more.
    pub(super) fn may(
        &mut self,
        node: Option<NodeId>,
        author: &str,
        facts: &[Fact],
        writes: bool,
    ) -> Result<bool> {
        if self.intake.trusted || self.is_own_tree() {
            return Ok(true);
        }
        if author != self.intake.user {
            return Ok(false);
        }
        let mut level = match node {
            Some(node) => self.view.level(node)?,
            None => Level::None,
        };
        for fact in facts {
            let may = match &fact.say {
                Say::Place { parent: Some(parent), stub: false, .. } => {
                    let above = match fact::node_of(self.file.connection, *parent)? {
                        Some(parent) => self.view.level(parent)?,
                        None => Level::None,
                    };
                    if node.is_none() {
                        level = above;
                    }
                    above >= Level::Write && level >= Level::Write && self.may_take_away(node)?
                }
                Say::Place { .. } => false,
                Say::Removed { .. } => level >= Level::Write && self.may_take_away(node)?,
                Say::Restricted { .. } | Say::Level { .. } | Say::Keep { .. } => level >= Level::Admin,
            };
            if !may {
                return Ok(false);
            }
        }
        // What neither says nor writes anything would still stand in the log.
        Ok(if writes || facts.is_empty() { level >= Level::Write } else { true })
    }

    /// Whether the user may change the folder that a node is in.
    fn may_take_away(&mut self, node: Option<NodeId>) -> Result<bool> {
        let Some(node) = node else { return Ok(true) };
        let chain = self.view.chain(node)?;
        let above = chain.len().checked_sub(2).and_then(|at| chain.get(at));
        Ok(above.is_some_and(|(_, level)| *level >= Level::Write))
    }

    /// Whether places are ones of this tree.
    pub(super) fn check_places(&self, facts: &[Fact]) -> Result<()> {
        let scope = &self.intake.scope;
        for fact in facts {
            let Say::Place { parent: Some(parent), name, .. } = &fact.say else { continue };
            let Some(folder) = fact::node_of(self.file.connection, *parent)? else { continue };
            let chain = node::chain(self.file.connection, folder)?;
            let is_folder = chain.last().is_some_and(|row| !row.is_document());
            if !is_folder || chain.first().is_none_or(|root| *root.name != *scope.owner) {
                return Err(invalid("a place that is no folder of this tree"));
            }
            if chain.len() == 1 && name == SHARED {
                return Err(invalid("a node with a reserved name"));
            }
        }
        Ok(())
    }

    /// Refuses trees that are too deep to be read.
    pub(super) fn check_depth(&self, node: NodeId) -> Result<()> {
        let Some(row) = node::node(self.file.connection, node)? else { return Ok(()) };
        let depth = node::chain(self.file.connection, node)?.len();
        let below = if row.kind == Kind::Folder {
            let sql = "WITH RECURSIVE below (id, depth) AS (
                         SELECT ?1, 0 UNION ALL
                         SELECT node.id, depth + 1 FROM below CROSS JOIN node ON node.parent = below.id
                         WHERE kind = 1 AND removed IS NULL AND depth < 600 LIMIT 20000
                       ) SELECT max(depth) FROM below";
            usize::try_from(crate::queries::number(self.file.connection, sql, [node])?).unwrap_or(DEPTH)
        } else {
            0
        };
        if depth + below > DEPTH { Err(invalid("folders that lie too deep in one another")) } else { Ok(()) }
    }
}
