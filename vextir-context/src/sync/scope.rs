//! What a user may read of whose tree, as the other side may know it.

use super::fact::{self, Fact, Say};
use super::name::{Stamp, Uid};
use super::settle::{belongs, held};
use super::wire::Scope;
use crate::decode::get;
use crate::documents::node::{self, Node, NodeId};
use crate::documents::rights::level_at;
use crate::fault::OrFault;
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use vextir_core::{Actor, Level, Result};

/// How many nodes are remembered at a time.
const REMEMBERED: usize = 10_000;

/// The nodes from the root down, with what the user may do at each.
pub(super) type Chain = Arc<Vec<(Node, Level)>>;

/// The tree through the eyes of one user.
pub(super) struct View<'c> {
    pub(super) connection: &'c Connection,
    pub(super) actor: Actor,
    known: HashMap<NodeId, Chain>,
    held: Option<BTreeMap<NodeId, Stamp>>,
}

impl<'c> View<'c> {
    pub(super) fn new(connection: &'c Connection, user: &str) -> Self {
        Self { connection, actor: Actor::user(user), known: HashMap::new(), held: None }
    }

    /// Forgets what rights were, after they changed.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.held = None;
    }

    pub(super) fn chain(&mut self, node: NodeId) -> Result<Chain> {
        if let Some(chain) = self.known.get(&node) {
            return Ok(chain.clone());
        }
        let nodes = node::chain(self.connection, node)?;
        let mut chain = Vec::with_capacity(nodes.len());
        for end in 1..=nodes.len() {
            chain.push((nodes[end - 1].clone(), level_at(self.connection, &self.actor, &nodes[..end])?));
        }
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let chain = Arc::new(chain);
        self.known.insert(node, chain.clone());
        Ok(chain)
    }

    pub(super) fn level(&mut self, node: NodeId) -> Result<Level> {
        Ok(self.chain(node)?.last().map_or(Level::None, |(_, level)| *level))
    }

    /// Whether a node is in a scope: below its top, and readable all the way.
    pub(super) fn is_within(&mut self, node: NodeId, top: NodeId) -> Result<bool> {
        let chain = self.chain(node)?;
        let at = chain.iter().position(|(node, _)| node.id == top);
        Ok(at.is_some_and(|at| chain[at..].iter().all(|(_, level)| *level >= Level::Read)))
    }

    /// Whether a node is shared with the user by itself, and its folder is not.
    pub(super) fn is_top(&mut self, node: NodeId) -> Result<bool> {
        let chain = self.chain(node)?;
        let above = chain.len().checked_sub(2).and_then(|at| chain.get(at));
        Ok(chain.last().is_some_and(|(_, level)| *level >= Level::Read)
            && above.is_none_or(|(_, level)| *level < Level::Read))
    }

    /// What the user may know of what was said about a node.
    pub(super) fn veil(&mut self, node: NodeId, facts: Vec<Fact>) -> Result<Vec<Fact>> {
        let chain = self.chain(node)?;
        let Some((root, _)) = chain.first() else { return Ok(Vec::new()) };
        if root.name == self.actor.user {
            return Ok(facts);
        }
        let level = self.level(node)?;
        let own = format!("u:{}", self.actor.user);
        let mut shown = Vec::with_capacity(facts.len());
        for mut fact in facts {
            let stamp = fact.stamp();
            match &mut fact.say {
                Say::Level { who, .. } if level < Level::Admin && *who != own => continue,
                Say::Keep { .. } if level < Level::Admin => continue,
                Say::Place { parent, name, stub, .. } => {
                    let folder =
                        parent.map(|parent| fact::node_of(self.connection, parent)).transpose()?.flatten();
                    let is_shown = match folder {
                        Some(folder) => self.level(folder)? >= Level::Read,
                        None => false,
                    };
                    if !is_shown {
                        *stub = self.is_top(node)? && self.place_of(node)? == Some(stamp);
                        *parent = stub.then(|| Uid::of_root(&root.name));
                        if !*stub {
                            name.clear();
                        }
                    }
                }
                _ => {}
            }
            shown.push(fact);
        }
        Ok(shown)
    }

    /// The stamp of what says where a node is.
    fn place_of(&mut self, node: NodeId) -> Result<Option<Stamp>> {
        if let Some(stamp) = self.held()?.get(&node) {
            return Ok(Some(*stamp));
        }
        let facts = fact::of_node(self.connection, node)?;
        let places = facts.iter().filter(|fact| matches!(fact.say, Say::Place { .. }));
        Ok(places.map(Fact::stamp).max())
    }

    fn held(&mut self) -> Result<&BTreeMap<NodeId, Stamp>> {
        let held = match self.held.take() {
            Some(held) => held,
            None => held(self.connection)?,
        };
        Ok(self.held.insert(held))
    }

    /// Where a node belongs, as the user may know it; `None` where it cannot be shown.
    pub(super) fn place(&mut self, node: NodeId, facts: &[Fact]) -> Result<Option<(Uid, String)>> {
        let held = self.held()?.get(&node).copied();
        let Some((Some(parent), name, _)) = belongs(facts, held.as_ref()) else { return Ok(None) };
        let chain = self.chain(node)?;
        let Some((root, _)) = chain.first() else { return Ok(None) };
        let is_top = root.name != self.actor.user && self.is_top(node)?;
        Ok(Some((if is_top { Uid::of_root(&root.name) } else { parent }, name.to_owned())))
    }
}

/// What a user may read: the own tree, and the uppermost nodes of what others share with the user.
pub(super) fn scopes(view: &mut View<'_>) -> Result<Vec<Scope>> {
    let user = view.actor.user.to_string();
    let mut found = vec![Scope { top: Uid::of_root(&user), owner: user.clone() }];
    let connection = view.connection;
    let mut statement =
        connection.prepare_cached("SELECT node FROM entitlement WHERE who = ?1 ORDER BY node").or_fault()?;
    let mut rows = statement.query([format!("u:{user}")]).or_fault()?;
    while let Some(row) = rows.next().or_fault()? {
        let node = get(row, 0)?;
        let chain = view.chain(node)?;
        let Some((root, _)) = chain.first() else { continue };
        if *root.name != *user && view.is_top(node)? {
            found.push(Scope { top: fact::uid(connection, node)?, owner: root.name.to_string() });
        }
    }
    Ok(found)
}

/// The nodes of a scope, from the top down, removed ones among them.
pub(super) fn nodes(view: &mut View<'_>, top: Uid) -> Result<Vec<NodeId>> {
    let Some(top) = fact::node_of(view.connection, top)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    let mut next = vec![top];
    let connection = view.connection;
    while let Some(node) = next.pop() {
        let chain = view.chain(node)?;
        let Some((row, level)) = chain.last() else { continue };
        if *level < Level::Read {
            continue;
        }
        // What was moved out of sight counts as removed, with all that is in it.
        if row.removed.is_some() && view.place(node, &fact::of_node(view.connection, node)?)?.is_none() {
            continue;
        }
        found.push(node);
        let sql = "SELECT id FROM node WHERE parent = ?1 AND removed IS NULL
                   UNION ALL SELECT id FROM node WHERE parent = ?1 AND removed IS NOT NULL";
        let mut statement = connection.prepare_cached(sql).or_fault()?;
        let mut rows = statement.query([node]).or_fault()?;
        while let Some(row) = rows.next().or_fault()? {
            next.push(get(row, 0)?);
        }
    }
    Ok(found)
}
