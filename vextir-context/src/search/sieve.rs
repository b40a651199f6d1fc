//! Which documents a search may find: rights first, then what the user asked for.

use super::entry::known_tree;
use super::eyes::Eyes;
use super::ids;
use crate::decode::get;
use crate::documents::node::NodeId;
use crate::queries;
use rusqlite::Connection;
use serde_json::Value;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::rc::Rc;
use vextir_core::context::{ContentKind, Search, is_within};
use vextir_core::{Actor, Result, Timestamp};

/// A document that may be found.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) node: NodeId,
    pub(super) path: String,
    pub(super) updated: Timestamp,
}

/// One search among what one actor may read.
#[derive(Debug)]
pub(super) struct Sieve<'c, 's> {
    pub(super) eyes: Eyes<'c>,
    search: &'s Search,
    /// The tree of the user, if anything of it is indexed.
    pub(super) own: Option<i64>,
    /// The trees of others in which something is shared with the user, in order.
    pub(super) others: Vec<i64>,
    known: HashMap<NodeId, Option<Rc<Candidate>>>,
}

impl<'c, 's> Sieve<'c, 's> {
    pub(super) fn new(hub: &'c Connection, actor: &Actor, search: &'s Search) -> Result<Self> {
        let eyes = Eyes::of(hub, actor);
        let (own, shared) = eyes.roots()?;
        let own = own.map_or(Ok(None), |root| known_tree(hub, root))?;
        let mut others = Vec::new();
        for root in shared {
            others.extend(known_tree(hub, root)?.filter(|tree| Some(*tree) != own));
        }
        others.sort_unstable();
        Ok(Self { eyes, search, own, others, known: HashMap::new() })
    }

    /// The connection.
    pub(super) fn hub(&self) -> &'c Connection {
        self.eyes.hub
    }

    /// Stretches of the index that the actor has to do with: the own tree, and from the first tree of others to the
    /// last one.
    pub(super) fn stretches(&self) -> Vec<RangeInclusive<i64>> {
        let mut stretches: Vec<_> = self.own.into_iter().map(ids::of_tree).collect();
        if let (Some(first), Some(last)) = (self.others.first(), self.others.last()) {
            stretches.push(*ids::of_tree(*first).start()..=*ids::of_tree(*last).end());
        }
        stretches
    }

    /// Whether a row lies in a tree that the actor has to do with.
    pub(super) fn has(&self, row: i64) -> bool {
        let tree = ids::tree(row);
        self.own == Some(tree) || self.others.binary_search(&tree).is_ok()
    }

    /// Whether nothing of the own tree need be looked at more closely than one document at a time.
    pub(super) fn is_all_own(&self) -> bool {
        self.eyes.actor.agent.is_none() && self.search.under.is_none()
    }

    /// Whether nothing but the place of a document matters.
    pub(super) fn is_plain(&self) -> bool {
        let search = self.search;
        search.kind.is_none()
            && search.since.is_none()
            && search.until.is_none()
            && search.metadata.is_empty()
    }

    /// Whether documents in a folder may be found, as far as the folder tells.
    pub(super) fn admits_folder(&mut self, folder: NodeId) -> Result<bool> {
        let Some(place) = self.eyes.folder(folder)?.filter(|place| place.is_readable()) else {
            return Ok(false);
        };
        let path = place.path().unwrap_or_default();
        // The path may be that of a single document in the folder.
        Ok(self.search.under.as_deref().is_none_or(|under| is_within(path, under) || is_within(under, path)))
    }

    /// The document, if it may be found.
    pub(super) fn admit(&mut self, node: NodeId) -> Result<Option<Rc<Candidate>>> {
        if let Some(known) = self.known.get(&node) {
            return Ok(known.clone());
        }
        let found = self.look_at(node)?.map(Rc::new);
        self.known.insert(node, found.clone());
        Ok(found)
    }

    fn look_at(&mut self, id: NodeId) -> Result<Option<Candidate>> {
        let Some((node, path)) = self.eyes.document(id)? else { return Ok(None) };
        let search = self.search;
        let is_asked_for = search.under.as_deref().is_none_or(|under| is_within(&path, under))
            && search.since.is_none_or(|since| node.updated >= since)
            && search.until.is_none_or(|until| node.updated < until);
        if !is_asked_for || !self.has_form(id)? {
            return Ok(None);
        }
        Ok(Some(Candidate { node: id, path, updated: node.updated }))
    }

    /// Whether kind and metadata are what was asked for.
    fn has_form(&self, node: NodeId) -> Result<bool> {
        let search = self.search;
        if search.kind.is_none() && search.metadata.is_empty() {
            return Ok(true);
        }
        let sql = "SELECT kind, metadata FROM document WHERE node = ?1";
        let found = queries::one(self.hub(), sql, [node], |row| {
            Ok((get::<i64>(row, 0)?, get::<Option<String>>(row, 1)?))
        })?;
        let Some((kind, metadata)) = found else { return Ok(false) };
        let kind = if kind == 0 { ContentKind::Text } else { ContentKind::Json };
        let metadata: Value = metadata.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let is_there =
            |(key, value): &(String, Value)| metadata.get(key).is_some_and(|found| is_in(value, found));
        Ok(search.kind.is_none_or(|wanted| wanted == kind) && search.metadata.iter().all(is_there))
    }
}

/// Whether a value is the one that is asked for, or a list that has it.
fn is_in(value: &Value, found: &Value) -> bool {
    match found {
        Value::Array(items) if !value.is_array() => items.contains(value),
        found => found == value,
    }
}
