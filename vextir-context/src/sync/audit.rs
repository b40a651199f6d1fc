//! Whether two replicas have the same: a hash of all that a user may read in a scope.

use super::fact::{self, Say, said};
use super::name::{Uid, hexadecimal};
use super::rule::lowest;
use super::scope::{View, nodes, scopes};
use super::settle::kept;
use crate::decode::get;
use crate::documents::node::{self, NodeId};
use crate::fault::{OrFault, damaged};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use vextir_core::{Level, Result};

/// What each node of a scope comes to.
pub(super) type Digests = BTreeMap<Uid, String>;

/// Bytes of a node's hash that are compared.
const SHORT: usize = 12;

/// The nodes of a scope: identity, kind, place, name, deletion, rights as far as the user may know them, content.
pub(super) fn digests(connection: &Connection, user: &str, scope: Uid) -> Result<Digests> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let mut view = View::new(&snapshot, user);
    let mut found = Digests::new();
    let top = fact::node_of(&snapshot, scope)?.unwrap_or_default();
    for node in nodes(&mut view, scope)? {
        if let Some((uid, hash)) = of_node(&mut view, node, top)? {
            found.insert(uid, hash);
        }
    }
    Ok(found)
}

/// What a user may read comes to, by scope.
pub(super) fn all(connection: &Connection, user: &str) -> Result<BTreeMap<Uid, Digests>> {
    let scopes = scopes(&mut View::new(connection, user))?.into_iter();
    scopes.map(|scope| Ok((scope.top, digests(connection, user, scope.top)?))).collect()
}

/// What the hash of a removed node begins with.
const REMOVED: char = '-';

/// Whether a hash is of something removed.
pub(super) fn is_removed(hash: &str) -> bool {
    hash.starts_with(REMOVED)
}

/// All of a scope in one hash, but for what was removed: the other side may have purged it.
pub(super) fn total(digests: &Digests) -> String {
    let live = digests.iter().filter(|(_, hash)| !is_removed(hash));
    let all = live.fold(Sha256::new(), |hash, (uid, node)| hash.chain_update(uid.0).chain_update(node));
    hexadecimal(&all.finalize())
}

fn of_node(view: &mut View<'_>, node: NodeId, top: NodeId) -> Result<Option<(Uid, String)>> {
    let row = node::node(view.connection, node)?.ok_or_else(|| damaged("a node"))?;
    let facts = fact::of_node(view.connection, node)?;
    let place = view.place(node, &facts)?;
    if place.is_none() && row.kind != node::Kind::Root {
        return Ok(None);
    }
    let is_admin = view.level(node)? >= Level::Admin;
    let own = format!("u:{}", view.actor.user);
    let mut rights = BTreeMap::new();
    for fact in &facts {
        if let Say::Level { who, .. } = &fact.say
            && (is_admin || *who == own)
        {
            rights.insert(who.clone(), lowest(&said(&facts, &fact.say.topic())));
        }
    }
    rights.retain(|_, level| *level > 0);
    let kept = kept(&facts).filter(|_| is_admin).map(|kept| (kept.versions, kept.removed));
    let uid = fact::uid(view.connection, node)?;
    let head = (place, row.is_document(), row.removed.is_some(), row.restricted, rights, kept);
    let head = serde_json::to_vec(&head).map_err(|_| damaged("a node"))?;
    let mut hash = Sha256::new().chain_update(head);
    let content = view
        .connection
        .prepare_cached("SELECT kind, metadata, content FROM document WHERE node = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([node], |row| {
                    Ok((get::<i64>(row, 0), get::<Option<String>>(row, 1), get::<String>(row, 2)))
                })
                .optional()
        })
        .or_fault()?;
    if let Some((kind, metadata, content)) = content {
        let part = serde_json::to_vec(&(kind?, metadata?, content?)).map_err(|_| damaged("a document"))?;
        hash = hash.chain_update(part);
    }
    let short = hash.finalize();
    let mut text = hexadecimal(short.get(..SHORT).unwrap_or_default());
    // As far as the other side knows what is above: what lies over the scope does not.
    if view.chain(node)?.iter().skip_while(|(row, _)| row.id != top).any(|(row, _)| row.removed.is_some()) {
        text.insert(0, REMOVED);
    }
    Ok(Some((uid, text)))
}
