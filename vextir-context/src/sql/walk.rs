//! The folders and documents that an actor may read, from the roots down, under the paths that the actor sees.
//! What may not be read is not gone into, so nothing hidden is fetched beyond the entry that says so.

use super::plan::{Entries, Paths, Wanted};
use super::reading::Ahead;
use crate::decode::{get, name};
use crate::documents::SHARED;
use crate::documents::node::{self, Node, NodeId, is_live, join};
use crate::documents::place::Way;
use crate::documents::rights::Rights;
use crate::queries;
use rusqlite::Connection;
use std::collections::VecDeque;
use vextir_core::{Actor, Level, Name, Result};

/// How many entries of a folder are read at once.
const PAGE: usize = 256;

/// The entries of a folder behind a name.
const ENTRIES: &str = "SELECT id, kind = 2, restricted, name FROM node
     WHERE parent = ?1 AND name > ?2 AND removed IS NULL ORDER BY name LIMIT ?3";

/// The same where all is the reader's own, and what is restricted does not matter: from the indexes alone, since each row of
/// `node` may be on a page of its own.
const OWN_ENTRIES: &str = "SELECT id, NOT EXISTS (SELECT 1 FROM node AS folder INDEXED BY node_folder
       WHERE folder.parent = ?1 AND folder.kind = 1 AND folder.removed IS NULL AND folder.id = node.id), 0, name
     FROM node WHERE parent = ?1 AND name > ?2 AND removed IS NULL ORDER BY name LIMIT ?3";

/// One folder or document that may be read.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: NodeId,
    pub(super) is_document: bool,
    /// The folder that it is in, if that may be read too.
    pub(super) parent: Option<NodeId>,
    pub(super) owner: Name,
    pub(super) path: String,
    pub(super) level: Level,
    pub(super) ahead: Ahead,
}

/// A folder that is being gone through.
#[derive(Debug)]
struct Open {
    item: Item,
    rights: Rights,
    after: String,
    page: VecDeque<Entry>,
    is_read: bool,
}

/// Goes through all that an actor may read and a query may want.
#[derive(Debug)]
pub(super) struct Walk {
    actor: Actor,
    paths: Paths,
    /// Where it begins, each with the rights there.
    roots: VecDeque<NodeId>,
    open: Vec<Open>,
}

impl Walk {
    pub(super) fn begin(hub: &Connection, actor: &Actor, wanted: &Wanted) -> Result<Self> {
        let mut walk = Self {
            actor: actor.clone(),
            paths: wanted.paths.clone(),
            roots: VecDeque::new(),
            open: Vec::new(),
        };
        if let Some(id) = &wanted.id {
            // A walk of one step: what is found is not gone into.
            walk.paths = Paths { start: String::new(), is_exact: true, folds: false };
            walk.roots.extend(by_uid(hub, id)?);
            return Ok(walk);
        }
        walk.roots.extend(node::root(hub, &actor.user)?.map(|root| root.id));
        let shared = format!("/{SHARED}");
        if walk.paths.has(&shared) || walk.paths.reach_below(&shared) {
            let sql = "SELECT owner, name, node FROM mount WHERE user = ?1 ORDER BY owner, name";
            let mounts = queries::rows(hub, sql, [actor.user.as_str()], |row| {
                let path = join(&shared, [name(row, 0)?.as_str(), name(row, 1)?.as_str()]);
                Ok((path, get(row, 2)?))
            })?;
            for (path, node) in mounts {
                if walk.paths.has(&path) || walk.paths.reach_below(&path) {
                    walk.roots.push_back(node);
                }
            }
        }
        Ok(walk)
    }

    /// The next one. `is_over` is asked before each entry.
    pub(super) fn next(
        &mut self,
        hub: &Connection,
        is_over: &dyn Fn() -> Result<()>,
    ) -> Result<Option<Item>> {
        loop {
            is_over()?;
            let Some(top) = self.open.last_mut() else {
                let Some(root) = self.roots.pop_front() else { return Ok(None) };
                match self.enter_root(hub, root)? {
                    Some(item) => return Ok(Some(item)),
                    None => continue,
                }
            };
            let Some(entry) = top.page.pop_front() else {
                if top.is_read {
                    self.open.pop();
                } else {
                    top.fill(hub, &self.paths)?;
                }
                continue;
            };
            let Entry { id, is_document, restricted, name } = entry;
            let path = join(&top.item.path, [name.as_str()]);
            let parent = (top.item.level >= Level::Read).then_some(top.item.id);
            let owner = top.item.owner.clone();
            let (level, ahead) = (top.rights.level(), Ahead::new());
            let mut item = Item { id, is_document, parent, owner, path, level, ahead };
            // Most are documents of the reader's own: nothing of what follows is about them.
            if is_document && top.rights.is_everywhere() {
                if self.paths.has(&item.path) {
                    return Ok(Some(item));
                }
                continue;
            }
            let mut rights = top.rights.clone();
            if !rights.is_everywhere() {
                rights.enter_at(hub, id, restricted)?;
                item.level = rights.level();
            }
            if let Some(item) = self.enter(item, rights) {
                return Ok(Some(item));
            }
        }
    }

    fn enter_root(&mut self, hub: &Connection, id: NodeId) -> Result<Option<Item>> {
        let Some((item, rights, is_mount)) = locate(hub, &self.actor, id)? else { return Ok(None) };
        // What lies in another shared folder is met there; by its id, everything is met alone.
        let is_by_id = self.paths.is_exact && self.paths.start.is_empty();
        if is_by_id {
            return Ok((item.level >= Level::Read).then_some(item));
        }
        Ok(if is_mount { self.enter(item, rights) } else { None })
    }

    /// Goes into what may hold something that is wanted; gives it back if it is wanted itself.
    fn enter(&mut self, item: Item, rights: Rights) -> Option<Item> {
        let Item { is_document, path, level, .. } = &item;
        // What the user may read may hold something that the user's agent may read.
        if !is_document && rights.of_user() >= Level::Read && self.paths.reach_below(path) {
            let (after, page) = (String::new(), VecDeque::new());
            self.open.push(Open { item: item.clone(), rights, after, page, is_read: false });
        }
        (*level >= Level::Read && self.paths.has(path)).then_some(item)
    }
}

impl Open {
    /// Reads the next entries.
    fn fill(&mut self, hub: &Connection, paths: &Paths) -> Result<()> {
        let folder = self.item.id;
        match paths.in_folder(&self.item.path) {
            Entries::One(name) => {
                self.page.extend(node::child(hub, folder, name)?.map(Entry::from));
                self.is_read = true;
            }
            Entries::From(start) => {
                if self.after.is_empty() && !start.is_empty() {
                    self.page.extend(node::child(hub, folder, start)?.map(Entry::from));
                    start.clone_into(&mut self.after);
                }
                let sql = if self.rights.is_everywhere() { OWN_ENTRIES } else { ENTRIES };
                let page = queries::rows(hub, sql, (folder, &self.after, PAGE as i64), |row| {
                    let (id, is_document) = (get(row, 0)?, get(row, 1)?);
                    Ok(Entry { id, is_document, restricted: get(row, 2)?, name: get(row, 3)? })
                })?;
                self.is_read = page.len() < PAGE;
                if let Some(last) = page.last() {
                    self.after.clone_from(&last.name);
                }
                self.is_read |= !self.after.starts_with(start);
                self.page.extend(page.into_iter().take_while(|entry| entry.name.starts_with(start)));
            }
        }
        Ok(())
    }
}

/// One entry of a folder.
#[derive(Debug)]
struct Entry {
    id: NodeId,
    is_document: bool,
    restricted: bool,
    name: String,
}

impl From<Node> for Entry {
    fn from(node: Node) -> Self {
        let (is_document, name) = (node.is_document(), node.name.to_string());
        Self { id: node.id, is_document, restricted: node.restricted, name }
    }
}

/// A node as the actor sees it, with the rights there, and whether a walk begins at it; `None` where the actor may
/// not see it under any path.
fn locate(hub: &Connection, actor: &Actor, id: NodeId) -> Result<Option<(Item, Rights, bool)>> {
    let chain = node::chain(hub, id)?;
    let (Some(root), Some(last), true) = (chain.first(), chain.last(), is_live(&chain)) else {
        return Ok(None);
    };
    let owner = root.name.clone();
    let mut way = Way::above(actor, &owner);
    // Whether the actor may read what is just above.
    let mut above = None;
    for (index, node) in chain.iter().enumerate() {
        above = (way.rights.level() >= Level::Read && index > 0).then_some(node.parent);
        way.enter(hub, node)?;
    }
    let Way { rights, path, begins, .. } = way;
    let Some(path) = path else { return Ok(None) };
    let parent = above.filter(|_| !begins);
    let (id, is_document, level) = (last.id, last.is_document(), rights.level());
    let item = Item { id, is_document, parent, owner, path, level, ahead: Ahead::new() };
    Ok(Some((item, rights, begins)))
}

/// The node with a public id.
fn by_uid(hub: &Connection, id: &str) -> Result<Option<NodeId>> {
    let Some(uid) = crate::key::unhex(id) else { return Ok(None) };
    queries::value(hub, "SELECT id FROM node WHERE uid = ?1", [uid.as_slice()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_an_index_and_in_order() {
        let connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&connection, 0).unwrap();
        for sql in [ENTRIES, OWN_ENTRIES] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let mut steps = statement.raw_query();
            while let Some(step) = steps.next().unwrap() {
                let step: String = step.get("detail").unwrap();
                assert!(!step.starts_with("SCAN") && !step.contains("TEMP B-TREE"), "{step}: {sql}");
            }
        }
    }
}
