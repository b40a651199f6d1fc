//! What an actor may read, asked at the moment of the search. Folders are remembered for its duration.

use crate::decode::get;
use crate::documents::node::{self, Node, NodeId};
use crate::documents::place::Way;
use crate::queries;
use rusqlite::Connection;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;
use vextir_core::{Actor, Level, Result};

/// How many folders deep a tree can be; more is a damaged file.
const DEEPEST: usize = 1_024;

/// A place on the way down.
#[derive(Debug)]
pub(super) struct Place(Way);

impl Place {
    /// Whether the actor may read what is here.
    pub(super) fn is_readable(&self) -> bool {
        self.path().is_some() && self.0.rights.level() >= Level::Read
    }

    /// As the user sees it; `None` where the user sees nothing.
    pub(super) fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }
}

/// The rights of one actor in one snapshot.
#[derive(Debug)]
pub(super) struct Eyes<'c> {
    pub(super) hub: &'c Connection,
    pub(super) actor: Actor,
    folders: HashMap<NodeId, Option<Rc<Place>>>,
}

impl<'c> Eyes<'c> {
    pub(super) fn of(hub: &'c Connection, actor: &Actor) -> Self {
        Self { hub, actor: actor.clone(), folders: HashMap::new() }
    }

    /// The roots of the trees in which the actor may find something: its user's own, if there is one, and those of
    /// others, in order.
    pub(super) fn roots(&self) -> Result<(Option<NodeId>, Vec<NodeId>)> {
        let own = node::root(self.hub, &self.actor.user)?.map(|root| root.id);
        let mut others = BTreeSet::new();
        let mut roots: HashMap<NodeId, NodeId> = HashMap::new();
        let sql = "SELECT node.id, node.parent FROM mount CROSS JOIN node ON node.id = mount.node WHERE mount.user = ?1";
        let mounts = queries::rows(self.hub, sql, [self.actor.user.as_str()], |row| {
            Ok::<(NodeId, NodeId), _>((get(row, 0)?, get(row, 1)?))
        })?;
        for (id, parent) in mounts {
            let root = match roots.get(&parent) {
                Some(root) => *root,
                None => node::chain(self.hub, id)?.first().map_or(id, |root| root.id),
            };
            roots.insert(parent, root);
            others.insert(root);
        }
        Ok((own, others.into_iter().collect()))
    }

    /// Documents that something was granted on themselves: the actor may read them also where it may not read the
    /// folder.
    pub(super) fn granted(&self) -> Result<HashSet<NodeId>> {
        let user = format!("u:{}", self.actor.user);
        let agent = self.actor.agent.as_ref().map(|agent| format!("a:{agent}"));
        let sql = "SELECT node.id FROM entitlement CROSS JOIN node ON node.id = entitlement.node
                   WHERE who IN (SELECT ?1 UNION ALL SELECT ?2 UNION ALL SELECT who FROM member WHERE user = ?3)
                   AND node.kind = 2";
        let params = (user, agent, self.actor.user.as_str());
        Ok(queries::rows(self.hub, sql, params, |row| get(row, 0))?.into_iter().collect())
    }

    /// A folder; `None` where there is none, or it is removed, or in something that is.
    pub(super) fn folder(&mut self, id: NodeId) -> Result<Option<Rc<Place>>> {
        let mut way = Vec::new();
        let mut next = id;
        let mut above = None;
        while next != 0 {
            if let Some(known) = self.folders.get(&next) {
                match known {
                    Some(place) => above = Some(place.clone()),
                    // What is below a removed folder is not there.
                    None => return Ok(None),
                }
                break;
            }
            let node = node::node(self.hub, next)?;
            let Some(node) = node.filter(|node| !node.is_document() && way.len() < DEEPEST) else {
                return Ok(None);
            };
            next = node.parent;
            way.push(node);
        }
        while let Some(node) = way.pop() {
            let place = self.enter(above.as_deref(), &node)?.map(Rc::new);
            self.folders.insert(node.id, place.clone());
            if place.is_none() {
                return Ok(None);
            }
            above = place;
        }
        Ok(above)
    }

    /// A document where the actor may read it.
    pub(super) fn document(&mut self, id: NodeId) -> Result<Option<(Node, String)>> {
        let Some(node) = node::node(self.hub, id)?.filter(Node::is_document) else { return Ok(None) };
        if node.removed.is_some() {
            return Ok(None);
        }
        let Some(folder) = self.folder(node.parent)? else { return Ok(None) };
        let Some(place) = self.enter(Some(&folder), &node)? else { return Ok(None) };
        if !place.is_readable() {
            return Ok(None);
        }
        Ok(place.0.path.map(|path| (node, path)))
    }

    /// Goes down into a node.
    fn enter(&self, above: Option<&Place>, node: &Node) -> Result<Option<Place>> {
        if node.removed.is_some() {
            return Ok(None);
        }
        let mut way = match above {
            Some(Place(above)) => above.clone(),
            None => Way::above(&self.actor, &node.name),
        };
        way.enter(self.hub, node)?;
        Ok(Some(Place(way)))
    }
}
