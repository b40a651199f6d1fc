//! What comes out of an export takes its place in a tree, in the writer's transaction: each folder and document whole,
//! and once, however often it comes.

use super::apply::Apply;
use super::bases::Shown;
use super::desk::Writing;
use super::merge::{From, Prepared, described};
use super::node::{self, Extent, Kind, Node, NodeId, is_live};
use super::rights::who;
use super::versions::former;
use crate::crdt::Body;
use crate::decode::get;
use crate::fault::{OrFault, damaged};
use crate::queries::{self, signed};
use rusqlite::OptionalExtension;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use vextir_core::context::{Deed, Keep, MAX_DEPTH, MAX_PATH_BYTES, MAX_SEGMENT_BYTES};
use vextir_core::{Actor, Content, Error, ErrorKind, Level, Name, Principal, Result, Timestamp};

/// How many identities are tried for one that arrives, and how many names.
const TRIES: u32 = 1_000;

/// A folder or document that arrives.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) uid: [u8; 16],
    pub(crate) path: String,
    pub(crate) is_folder: bool,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) restricted: bool,
    pub(crate) granted: Vec<(Principal, Level)>,
    pub(crate) keep: Keep,
    pub(crate) body: Option<Arrived>,
}

/// Content that is ready to be stored.
#[derive(Debug)]
pub(crate) struct Arrived(Prepared);

impl Arrived {
    /// Prepares content, outside of the writer: as an edit of the state that it had, if that is known, so that replicas
    /// that have it too do not take it for another one. `client` must be nobody's yet.
    pub(crate) fn new(client: u64, state: Option<&[u8]>, content: &Content, metadata: Value) -> Result<Self> {
        let mut body = Body::new(client);
        if let Some(state) = state {
            body.apply(state)?;
        }
        match content {
            Content::Text(text) => body.set_text(text)?,
            Content::Json(value) => body.set_json(value)?,
        }
        body.set_metadata(&metadata)?;
        let text = content.to_text().into_owned();
        let state = crate::crdt::squeeze(body.state(), &text);
        let (is_json, metadata) = (content.as_json().is_some(), described(&metadata)?);
        let shown = Arc::new(Shown { is_json, content: text, metadata });
        Ok(Self(Prepared { from: From::Nothing, same: false, shown, state, update: body.whole() }))
    }

    /// About how many bytes it brings along.
    pub(crate) fn weight(&self) -> usize {
        self.0.shown.content.len() + self.0.state.len()
    }
}

/// Where an arrival is now, and whether that is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) node: NodeId,
    pub(crate) is_new: bool,
}

/// Gives an arrival its place below a folder of the user, 0 for the root itself.
pub(crate) fn arrive(
    file: Writing<'_>,
    user: &Name,
    (parent, arrival): (NodeId, &Arrival),
) -> Result<Placed> {
    let mut actor = Actor::user(user.clone());
    actor.driver = Some("import".into());
    let mut apply = Apply::new(file, actor);
    let there = |node| Ok(Placed { node, is_new: false });
    if arrival.path == "/" {
        if let Some(root) = node::root(apply.file.connection, user)? {
            return there(root.id);
        }
        let uid = crate::sync::fresh_uid(Kind::Root, user);
        return apply.settle(user, (uid, 0, user), Kind::Root, arrival);
    }
    let uid = match apply.identity(user, arrival.uid)? {
        Identity::There(id) => {
            let row = node::node(apply.file.connection, id)?;
            if row.is_some_and(|row| row.is_document() != arrival.is_folder) {
                return there(id);
            }
            let message = format!("{}: something of another kind has its uid here", arrival.path);
            return Err(Error::invalid(message));
        }
        Identity::Free(uid) => uid,
    };
    let chain = if parent == 0 { Vec::new() } else { node::chain(apply.file.connection, parent)? };
    if chain.last().is_none_or(node::Node::is_document) {
        return Err(Error::invalid(format!("{}: its folder did not come before it", arrival.path)));
    }
    if !is_live(&chain) {
        let message = format!("the folder of {} was removed meanwhile; import again", arrival.path);
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    if chain.len() > MAX_DEPTH {
        return Err(Error::invalid(format!("{} would lie more than {MAX_DEPTH} folders deep", arrival.path)));
    }
    let name = arrival.path.rsplit('/').next().unwrap_or_default();
    match apply.place(parent, name, arrival)? {
        Spot::There(node) => there(node),
        Spot::Free(name) => {
            let extent = Extent::of([name.as_str()]);
            let names = chain.iter().skip(1).map(|node| node.name.as_str());
            if Extent::of(names).and(extent).bytes > MAX_PATH_BYTES {
                return Err(Error::invalid(format!("{} would get too long a path", arrival.path)));
            }
            apply.grow(&chain, extent)?;
            let kind = if arrival.is_folder { Kind::Folder } else { Kind::Document };
            apply.settle(user, (uid, parent, &name), kind, arrival)
        }
    }
}

enum Identity {
    There(NodeId),
    Free([u8; 16]),
}

enum Spot {
    There(NodeId),
    Free(String),
}

impl Apply<'_> {
    /// The node that an arrival is already, or an identity that nobody has: its own, or else one that follows from it,
    /// so that it is known when it comes again.
    fn identity(&self, user: &str, uid: [u8; 16]) -> Result<Identity> {
        for number in 0..TRIES {
            let uid = if number == 0 { uid } else { derived(uid, user, number) };
            let found: Option<NodeId> = self
                .file
                .connection
                .prepare_cached("SELECT id FROM node WHERE uid = ?1")
                .and_then(|mut statement| {
                    statement.query_row([uid.as_slice()], |row| Ok(get(row, 0))).optional()
                })
                .or_fault()?
                .transpose()?;
            let Some(id) = found else { return Ok(Identity::Free(uid)) };
            let chain = node::chain(self.file.connection, id)?;
            let is_own = chain.first().is_some_and(|root| root.name == *user);
            if is_own && is_live(&chain) {
                return Ok(Identity::There(id));
            }
        }
        Err(damaged("an identity"))
    }

    /// What stands at its place is the same, or it gets a name that is free.
    fn place(&self, parent: NodeId, name: &str, arrival: &Arrival) -> Result<Spot> {
        let mut free = name.to_owned();
        for number in 2..TRIES {
            let Some(there) = node::child(self.file.connection, parent, &free)? else {
                return Ok(Spot::Free(free));
            };
            if free == name && self.is_same(&there, arrival)? {
                return Ok(Spot::There(there.id));
            }
            free = format!("{name} ({number})");
            if free.len() > MAX_SEGMENT_BYTES {
                break;
            }
        }
        let message = format!("{}: something else is there; move it away, and import again", arrival.path);
        Err(Error::new(ErrorKind::Conflict, message))
    }

    fn is_same(&self, there: &Node, arrival: &Arrival) -> Result<bool> {
        if there.is_document() == arrival.is_folder {
            return Ok(false);
        }
        let (false, Some(Arrived(body))) = (arrival.is_folder, &arrival.body) else { return Ok(true) };
        let sql = "SELECT EXISTS (SELECT 1 FROM document WHERE node = ?1 AND kind = ?2 AND content = ?3 AND metadata IS ?4)";
        let same = (there.id, i64::from(body.shown.is_json), &body.shown.content, &body.shown.metadata);
        Ok(queries::number(self.file.connection, sql, same)? != 0)
    }

    /// Makes it, with all that belongs to it.
    fn settle(
        &mut self,
        user: &Name,
        (uid, parent, name): ([u8; 16], NodeId, &str),
        kind: Kind,
        arrival: &Arrival,
    ) -> Result<Placed> {
        let before = if kind == Kind::Document { former(self.file.connection, parent, name)? } else { None };
        let before = before.map_or(0, |(version, _)| version);
        let id = self.insert_as(uid, parent, name, (kind, Extent::default()))?;
        match &arrival.body {
            Some(Arrived(body)) => {
                let deed = if arrival.is_folder { Deed::Guided } else { Deed::Created };
                self.write(user, id, before + 1, deed, body)?;
            }
            None if kind == Kind::Root => {}
            None => self.note(user, id, (Deed::Created, 0), None, None)?,
        }
        let now = self.file.now;
        let times = (arrival.created.min(now), arrival.updated.min(now));
        self.file.execute(
            "UPDATE node SET created = ?2, updated = ?3, arrived = ?4 WHERE id = ?1",
            (id, times.0.as_micros(), times.1.as_micros(), if before > 0 { signed(before + 1) } else { 0 }),
        )?;
        if arrival.restricted && kind == Kind::Folder {
            self.file.execute("UPDATE node SET restricted = 1 WHERE id = ?1", [id])?;
            self.note(user, id, (Deed::Restricted, 0), Some(&json!({"on": true})), None)?;
        }
        if arrival.is_folder && arrival.keep != Keep::new() {
            self.set_keep(user, id, arrival.keep)?;
        }
        let node = node::node(self.file.connection, id)?.ok_or_else(|| damaged("a folder"))?;
        for (principal, level) in &arrival.granted {
            if *level > Level::None && !matches!(principal, Principal::User(own) if own == user) {
                let who = who(principal);
                self.entitle(id, &who, *level)?;
                self.mount_for(principal, user, &node)?;
                let detail = json!({"who": who, "level": level});
                self.note(user, id, (Deed::Granted, 0), Some(&detail), None)?;
            }
        }
        Ok(Placed { node: id, is_new: true })
    }
}

/// The identity of what comes from another user's tree: in its own one it may be on another replica.
pub(crate) fn identity_for(user: &str, uid: [u8; 16]) -> [u8; 16] {
    derived(uid, user, 0)
}

/// An identity that follows from another one: the same each time, and another one for each user.
fn derived(uid: [u8; 16], user: &str, number: u32) -> [u8; 16] {
    let hash =
        Sha256::new().chain_update(uid).chain_update(number.to_be_bytes()).chain_update(user).finalize();
    let mut uid = [0; 16];
    uid.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    uid
}
