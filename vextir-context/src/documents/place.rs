//! From a path to what stands there for an actor.

use super::keeping::keep_at;
use super::node::{self, Node, NodeId, is_live, join};
use super::rights::{Rights, all_granted, level_at};
use crate::decode::name;
use crate::fault::OrFault;
use rusqlite::{Connection, OptionalExtension};
use vextir_core::context::{Access, ItemKind, is_within, nothing_at, segments};
use vextir_core::{Actor, Error, ErrorKind, Level, Name, Result};

/// The folder below a user's root that holds what others share.
pub(crate) const SHARED: &str = "Shared";

/// Where a path leads.
#[derive(Debug)]
pub(crate) enum Spot {
    /// `/Shared`, or `/Shared/<owner>`: no node, only places of others.
    Area(Option<String>),
    /// Into somebody's tree.
    Place(Place),
    /// Nowhere that this actor knows of.
    Nowhere,
}

/// How far a path leads into a tree.
#[derive(Debug)]
pub(crate) struct Place {
    /// Whose tree it is.
    pub(crate) owner: Name,
    /// From the tree's root down to the last node that exists. Empty when there is not even a root.
    pub(crate) chain: Vec<Node>,
    /// The names that do not exist below it.
    pub(crate) missing: Vec<String>,
    /// What the actor may do at the end of the chain.
    pub(crate) level: Level,
    /// How many nodes of the chain stand above what the actor's path shows.
    pub(crate) hidden: usize,
}

impl Place {
    /// The node, if the whole path exists.
    pub(crate) fn node(&self) -> Option<&Node> {
        if self.missing.is_empty() { self.chain.last() } else { None }
    }

    /// The node, if it exists and may be read.
    pub(crate) fn readable(&self) -> Option<&Node> {
        self.node().filter(|_| self.level >= Level::Read)
    }
}

/// Finds what a clean path means for an actor.
pub(crate) fn find(connection: &Connection, actor: &Actor, path: &str) -> Result<Spot> {
    let mut names = segments(path);
    if segments(path).next() != Some(SHARED) {
        let way: Vec<&str> = std::iter::once(actor.user.as_str()).chain(names).collect();
        let chain = node::down(connection, 0, &way)?;
        let missing = &way[chain.len().max(1)..];
        return arrive(connection, actor, actor.user.clone(), (chain, missing), 0);
    }
    names.next();
    let Some(owner) = names.next() else { return Ok(Spot::Area(None)) };
    let Some(mounted) = names.next() else { return Ok(Spot::Area(Some(owner.to_owned()))) };
    let Some(id) = mount(connection, &actor.user, owner, mounted)? else { return Ok(Spot::Nowhere) };
    let chain = node::chain(connection, id)?;
    if !is_live(&chain) {
        return Ok(Spot::Nowhere);
    }
    let hidden = chain.len() - 1;
    // Its owner would not reach what stood there: the name means something else at the own root.
    if hidden == 0 && segments(path).nth(3) == Some(SHARED) {
        return Ok(Spot::Nowhere);
    }
    let Some(root) = chain.first().map(|root| root.name.clone()) else { return Ok(Spot::Nowhere) };
    let names: Vec<&str> = names.collect();
    let mut chain = chain;
    let below = node::down(connection, id, &names)?;
    let missing = &names[below.len()..];
    chain.extend(below);
    arrive(connection, actor, root, (chain, missing), hidden)
}

/// What the actor may do at the end of the way.
fn arrive(
    connection: &Connection,
    actor: &Actor,
    owner: Name,
    (chain, missing): (Vec<Node>, &[&str]),
    hidden: usize,
) -> Result<Spot> {
    let missing = missing.iter().map(|name| (*name).to_owned()).collect();
    let level = if chain.is_empty() {
        Rights::of(actor, &owner).level()
    } else {
        level_at(connection, actor, &chain)?
    };
    Ok(Spot::Place(Place { owner, chain, missing, level, hidden }))
}

fn mount(connection: &Connection, user: &str, owner: &str, name: &str) -> Result<Option<NodeId>> {
    connection
        .prepare_cached("SELECT node FROM mount WHERE user = ?1 AND owner = ?2 AND name = ?3")
        .and_then(|mut statement| statement.query_row((user, owner, name), |row| row.get(0)).optional())
        .or_fault()
}

/// The place that something is to be done at, where the actor has the right to.
pub(crate) fn demand(connection: &Connection, actor: &Actor, path: &str, level: Level) -> Result<Place> {
    match find(connection, actor, path)? {
        Spot::Nowhere => Err(nothing_at(path)),
        Spot::Area(_) => Err(Error::new(
            ErrorKind::Denied,
            format!("{path}: /{SHARED} holds what others share, as /{SHARED}/<owner>/<name>"),
        )),
        Spot::Place(place) if place.level >= level => Ok(place),
        Spot::Place(place) => {
            // What is hidden is refused as a free name in the same folder would be.
            let shown = shown_level(connection, actor, &place)?;
            if shown < Level::Read || shown >= level {
                return Err(nothing_at(path));
            }
            let message = format!("{path}: this takes the level {level:?}, and yours is {shown:?}");
            Err(Error::new(ErrorKind::Denied, message))
        }
    }
}

/// What an actor may do at the last node on the way to a place that it may read.
fn shown_level(connection: &Connection, actor: &Actor, place: &Place) -> Result<Level> {
    for end in (place.hidden + 1..=place.chain.len()).rev() {
        let level = level_at(connection, actor, &place.chain[..end])?;
        if level >= Level::Read {
            return Ok(level);
        }
    }
    Ok(Level::None)
}

/// As [`demand`], for a node that must exist.
pub(crate) fn demand_node(
    connection: &Connection,
    actor: &Actor,
    path: &str,
    level: Level,
) -> Result<(Place, Node)> {
    let place = match find(connection, actor, path)? {
        Spot::Place(place) if place.readable().is_none() => return Err(nothing_at(path)),
        _ => demand(connection, actor, path, level)?,
    };
    let node = place.node().cloned().ok_or_else(|| nothing_at(path))?;
    Ok((place, node))
}

/// What an actor may do at a path, and, for an administrator, what is granted there.
pub(crate) fn access(connection: &Connection, actor: &Actor, path: &str) -> Result<Option<Access>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let Spot::Place(place) = find(&snapshot, actor, path)? else { return Ok(None) };
    let Some(node) = place.readable() else { return Ok(None) };
    let granted = if place.level >= Level::Admin { all_granted(&snapshot, node.id)? } else { Vec::new() };
    let access = Access::new(place.level, node.restricted, granted);
    let access =
        if place.level >= Level::Admin { access.with_keep(keep_at(&snapshot, node.id)?) } else { access };
    snapshot.finish().or_fault()?;
    Ok(Some(access))
}

/// A way down a tree: what an actor may do at its end, and where the actor's user finds that.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    user: Name,
    is_own: bool,
    pub(crate) rights: Rights,
    /// The path of the end: it begins where the user may read all the way down from, since names above that are not for
    /// the user to know. `None` where the user sees nothing.
    pub(crate) path: Option<String>,
    /// Whether the path begins at the end.
    pub(crate) begins: bool,
}

impl Way {
    /// Above the root of a user's tree.
    pub(crate) fn above(actor: &Actor, owner: &str) -> Self {
        let (user, is_own) = (actor.user.clone(), actor.user == owner);
        Self { user, is_own, rights: Rights::of(actor, owner), path: None, begins: false }
    }

    /// Goes down into a node.
    pub(crate) fn enter(&mut self, connection: &Connection, node: &Node) -> Result<()> {
        if !self.rights.is_everywhere() {
            self.rights.enter(connection, node)?;
        }
        let above = self.path.take();
        self.begins = above.is_none();
        self.path = match above {
            _ if !self.is_open() => None,
            Some(above) => Some(join(&above, [node.name.as_str()])),
            None if self.is_own => Some("/".to_owned()),
            None => mount_path(connection, &self.user, node.id)?,
        };
        Ok(())
    }

    /// Whether the user may read here. The user's agent has less, which does not change what things are called.
    pub(crate) fn is_open(&self) -> bool {
        self.rights.of_user() >= Level::Read
    }
}

/// The path under which an actor sees the end of a chain: the one within `prefix` if there are several. `None` where
/// there is none.
pub(crate) fn seen_as(
    connection: &Connection,
    actor: &Actor,
    chain: &[Node],
    prefix: &str,
) -> Result<Option<String>> {
    let Some(root) = chain.first() else { return Ok(None) };
    let mut way = Way::above(actor, &root.name);
    // Where else it is found: something on the way was shared itself.
    let mut others: Vec<String> = Vec::new();
    for node in chain {
        way.enter(connection, node)?;
        if !way.is_open() {
            others.clear();
            continue;
        }
        for other in &mut others {
            *other = join(other, [node.name.as_str()]);
        }
        if !way.begins && !way.is_own && prefix != "/" {
            others.extend(mount_path(connection, &actor.user, node.id)?);
        }
    }
    let Some(path) = way.path else { return Ok(None) };
    if is_within(&path, prefix) {
        return Ok(Some(path));
    }
    Ok(Some(others.into_iter().find(|other| is_within(other, prefix)).unwrap_or(path)))
}

/// Where a user finds a node that was shared itself.
pub(crate) fn mount_path(connection: &Connection, user: &str, node: NodeId) -> Result<Option<String>> {
    let found = mounted(connection, user, node)?;
    Ok(found.map(|(owner, name)| join(&format!("/{SHARED}"), [owner.as_str(), name.as_str()])))
}

/// Under which owner and name a user finds a node that is shared.
pub(super) fn mounted(connection: &Connection, user: &str, node: NodeId) -> Result<Option<(Name, Name)>> {
    connection
        .prepare_cached("SELECT owner, name FROM mount WHERE user = ?1 AND node = ?2")
        .and_then(|mut statement| {
            let found =
                |row: &rusqlite::Row<'_>| Ok(name(row, 0).and_then(|owner| Ok((owner, name(row, 1)?))));
            statement.query_row((user, node), found).optional()
        })
        .or_fault()?
        .transpose()
}

/// The kind of a node as users see it.
pub(crate) fn item_kind(node: &Node) -> ItemKind {
    if node.is_document() { ItemKind::Document } else { ItemKind::Folder }
}
