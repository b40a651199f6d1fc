//! What a reader of a graph may see: asked for each episode, at its document as that is now.

use crate::decode::get;
use crate::documents::node::{self, NodeId, is_live};
use crate::documents::place::seen_as;
use crate::documents::rights::{Rights, level_at};
use crate::fault::OrFault;
use crate::key::hex;
use crate::queries;
use rusqlite::{Connection, Params};
use std::collections::{HashMap, HashSet};
use vextir_core::context::graph::{DOCUMENT, EntityKey, PAGE, View};
use vextir_core::{Level, Result, Timestamp};

/// How much is remembered of what was looked up.
const REMEMBERED: usize = 100_000;

/// How much is looked at between two looks at whether to go on.
const STRIDE: u32 = 64;

/// One reader's view of one graph, with what was found out about it.
pub(crate) struct Sight {
    pub(crate) view: View,
    /// What holds at this time, in microseconds.
    pub(super) valid: i64,
    /// As far as it is known at this time.
    pub(super) known: i64,
    /// Whether what has no document is seen.
    tree: Option<bool>,
    nodes: HashMap<NodeId, bool>,
    episodes: HashMap<i64, bool>,
    keys: HashMap<i64, Option<EntityKey>>,
    singles: HashSet<String>,
    /// Why not to go on; `None` where something else sees to it.
    check: Option<Box<dyn Fn() -> Result<()>>>,
    looked: u32,
}

/// How many episodes are looked at, at most, for whether somebody sees one of those that say a link or name an entity.
const LOOKS: usize = 1_000;

impl Sight {
    pub(crate) fn new(connection: &Connection, view: View, now: Timestamp) -> Result<Self> {
        let sql = "SELECT name FROM relation WHERE owner = ?1 AND single = 1";
        let singles = queries::rows(connection, sql, [view.owner.as_str()], |row| get(row, 0))?;
        Ok(Self {
            valid: view.valid_at.unwrap_or(now).as_micros(),
            known: view.known_at.map_or(super::EVER, Timestamp::as_micros),
            view,
            tree: None,
            nodes: HashMap::new(),
            episodes: HashMap::new(),
            keys: HashMap::new(),
            singles: singles.into_iter().collect(),
            check: None,
            looked: 0,
        })
    }

    /// Ends what must not go on: asked now and then, on and on.
    pub(crate) fn while_allowed(self, check: impl Fn() -> Result<()> + 'static) -> Self {
        Self { check: Some(Box::new(check)), ..self }
    }

    /// Asked for everything that is looked at.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        self.looked = self.looked.wrapping_add(1);
        match &self.check {
            Some(check) if self.looked.is_multiple_of(STRIDE) => check(),
            _ => Ok(()),
        }
    }

    /// Whether a later fact of such a link retires an earlier one.
    pub(super) fn is_single(&self, sort: i64, relation: &str) -> bool {
        sort == super::PROPERTY || self.singles.contains(relation)
    }

    /// Whether an episode may be seen.
    pub(super) fn sees(&mut self, connection: &Connection, episode: i64) -> Result<bool> {
        self.go_on()?;
        if let Some(seen) = self.episodes.get(&episode) {
            return Ok(*seen);
        }
        let sql = "SELECT removed IS NULL, node FROM episode WHERE id = ?1 AND owner = ?2";
        let params = (episode, self.view.owner.as_str());
        let found: Option<(bool, Option<NodeId>)> =
            queries::one(connection, sql, params, |row| Ok((get(row, 0)?, get(row, 1)?)))?;
        let seen = match found {
            Some((true, Some(node))) => self.reads(connection, node)?,
            Some((true, None)) => self.sees_tree(connection)?,
            _ => false,
        };
        if self.episodes.len() >= REMEMBERED {
            self.episodes.clear();
        }
        self.episodes.insert(episode, seen);
        Ok(seen)
    }

    /// Whether the reader may see what has no document: it is the owner, or an agent of the owner that may read all.
    fn sees_tree(&mut self, connection: &Connection) -> Result<bool> {
        if let Some(seen) = self.tree {
            return Ok(seen);
        }
        let actor = &self.view.actor;
        let level = match node::root(connection, &self.view.owner)? {
            _ if actor.user != self.view.owner => Level::None,
            Some(root) => level_at(connection, actor, &[root])?,
            None => Rights::of(actor, &self.view.owner).level(),
        };
        self.tree = Some(level >= Level::Read);
        Ok(level >= Level::Read)
    }

    /// Whether the reader may read a document now.
    pub(super) fn reads(&mut self, connection: &Connection, document: NodeId) -> Result<bool> {
        if let Some(seen) = self.nodes.get(&document) {
            return Ok(*seen);
        }
        // One that was removed for good may still be named.
        let seen = node::node(connection, document)?.is_some() && {
            let chain = node::chain(connection, document)?;
            is_live(&chain) && level_at(connection, &self.view.actor, &chain)? >= Level::Read
        };
        if self.nodes.len() >= REMEMBERED {
            self.nodes.clear();
        }
        self.nodes.insert(document, seen);
        Ok(seen)
    }

    /// What the reader knows an entity by, if there is nothing to hide about it. That something that the reader sees
    /// names it is for the caller to know.
    pub(crate) fn key(&mut self, connection: &Connection, entity: i64) -> Result<Option<EntityKey>> {
        self.go_on()?;
        if let Some(key) = self.keys.get(&entity) {
            return Ok(key.clone());
        }
        let sql = "SELECT kind, key, node FROM entity WHERE id = ?1 AND owner = ?2";
        let params = (entity, self.view.owner.as_str());
        let found: Option<(String, String, Option<NodeId>)> =
            queries::one(connection, sql, params, |row| Ok((get(row, 0)?, get(row, 1)?, get(row, 2)?)))?;
        let key = match found {
            Some((kind, key, None)) if kind == PAGE && !self.reads_place(connection, &key)? => None,
            Some((kind, key, None)) => Some(EntityKey::new(kind, key)),
            Some((_, _, Some(document))) => self.path(connection, document)?.map(EntityKey::document),
            None => None,
        };
        if self.keys.len() >= REMEMBERED {
            self.keys.clear();
        }
        self.keys.insert(entity, key.clone());
        Ok(key)
    }

    /// Whether there is nothing to hide about what a link leads to.
    pub(super) fn may_name(&mut self, connection: &Connection, object: Option<i64>) -> Result<bool> {
        object.map_or(Ok(true), |object| Ok(self.key(connection, object)?.is_some()))
    }

    /// Whether the reader may read where a page would stand. A page is a path of the owner's, which others do not know,
    /// and that nothing is there is as little for them to learn.
    fn reads_place(&self, connection: &Connection, path: &str) -> Result<bool> {
        let actor = &self.view.actor;
        if actor.user != self.view.owner {
            return Ok(false);
        }
        if actor.agent.is_none() {
            return Ok(true);
        }
        let Ok(path) = vextir_core::context::clean_path(path) else { return Ok(false) };
        let spot = crate::documents::place::find(connection, actor, &path)?;
        Ok(matches!(spot, crate::documents::place::Spot::Place(place) if place.level >= Level::Read))
    }

    /// The path of a document, as the reader sees it.
    pub(super) fn path(&mut self, connection: &Connection, document: NodeId) -> Result<Option<String>> {
        if !self.reads(connection, document)? {
            return Ok(None);
        }
        seen_as(connection, &self.view.actor, &node::chain(connection, document)?, "/")
    }

    /// The row of an entity that the reader names, if something that the reader sees says something about it.
    pub(super) fn find(&mut self, connection: &Connection, key: &EntityKey) -> Result<Option<i64>> {
        let Some(id) = self.row(connection, key)? else { return Ok(None) };
        Ok(if self.key(connection, id)?.is_some() && self.is_named(connection, id)? {
            Some(id)
        } else {
            None
        })
    }

    fn row(&self, connection: &Connection, key: &EntityKey) -> Result<Option<i64>> {
        let owner = self.view.owner.as_str();
        let by_key = |kind: &str, key: &str| {
            let sql = "SELECT id FROM entity WHERE owner = ?1 AND kind = ?2 AND key = ?3";
            queries::value(connection, sql, (owner, kind, key))
        };
        if key.kind != DOCUMENT {
            return by_key(&key.kind, &key.key);
        }
        let Ok(path) = vextir_core::context::clean_path(&key.key) else { return Ok(None) };
        let spot = crate::documents::place::find(connection, &self.view.actor, &path)?;
        let crate::documents::place::Spot::Place(place) = spot else { return Ok(None) };
        let Some(document) = place.readable().filter(|node| node.is_document()) else { return Ok(None) };
        by_key(DOCUMENT, &node::uid(connection, document.id)?)
    }

    /// Whether anything that the reader sees names an entity, whenever it holds.
    pub(crate) fn is_named(&mut self, connection: &Connection, entity: i64) -> Result<bool> {
        for end in ["subject", "object"] {
            let sql = format!(
                "SELECT episode FROM link CROSS JOIN statement ON statement.link = link.id WHERE {end} = ?1
                 AND known_from <= ?2 AND (known_until IS NULL OR known_until > ?2)"
            );
            if self.sees_any(connection, &sql, (entity, self.known))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether anything that the reader sees says a link, or said it.
    pub(super) fn is_said(&mut self, connection: &Connection, link: i64) -> Result<bool> {
        let by = format!("SELECT episode FROM statement WHERE link = ?1 LIMIT {LOOKS}");
        self.sees_any(connection, &by, [link])
    }

    /// Whether anything that the reader sees names an entity, or named it.
    pub(super) fn was_named(&mut self, connection: &Connection, entity: i64) -> Result<bool> {
        let by = |end: &str| {
            format!(
                "SELECT episode FROM link CROSS JOIN statement ON statement.link = link.id WHERE {end} = ?1
                 LIMIT {LOOKS}"
            )
        };
        Ok(self.sees_any(connection, &by("subject"), [entity])?
            || self.sees_any(connection, &by("object"), [entity])?)
    }

    /// Whether the reader sees one of the episodes that a query answers.
    fn sees_any(&mut self, connection: &Connection, sql: &str, params: impl Params) -> Result<bool> {
        let mut statement = connection.prepare_cached(sql).or_fault()?;
        let mut rows = statement.query(params).or_fault()?;
        while let Some(row) = rows.next().or_fault()? {
            if self.sees(connection, get(row, 0)?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The id of an entity.
    pub(crate) fn id(&self, connection: &Connection, entity: i64) -> Result<String> {
        let uid: Vec<u8> = connection
            .prepare_cached("SELECT uid FROM entity WHERE id = ?1")
            .and_then(|mut statement| statement.query_row([entity], |row| row.get(0)))
            .or_fault()?;
        Ok(hex(&uid))
    }

    /// Where an episode came from that the reader sees: a name, or the path of its document.
    pub(crate) fn source(&mut self, connection: &Connection, episode: i64) -> Result<String> {
        let (source, node): (String, Option<NodeId>) = connection
            .prepare_cached("SELECT source, node FROM episode WHERE id = ?1")
            .and_then(|mut statement| statement.query_row([episode], |row| Ok((row.get(0)?, row.get(1)?))))
            .or_fault()?;
        match node {
            Some(document) => Ok(self.path(connection, document)?.unwrap_or_default()),
            None => Ok(source),
        }
    }

    /// The ids of episodes.
    pub(super) fn uids(&self, connection: &Connection, episodes: &[i64]) -> Result<Vec<String>> {
        let mut found = Vec::with_capacity(episodes.len());
        for episode in episodes {
            let uid: Vec<u8> = connection
                .prepare_cached("SELECT uid FROM episode WHERE id = ?1")
                .and_then(|mut statement| statement.query_row([episode], |row| row.get(0)))
                .or_fault()?;
            found.push(hex(&uid));
        }
        Ok(found)
    }
}
