//! What intents are merged into: the documents as they are, read beside the writer.

use super::node::{self, Node, NodeId};
use super::place::{Spot, find};
use super::restored;
use super::rights::acting;
use crate::crdt;
use crate::decode::{count, get};
use crate::fault::OrFault;
use crate::queries::{self, signed};
use rusqlite::{Connection, Row};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use vextir_core::context::{Change, Intent, Origin, Version, origin};
use vextir_core::{Actor, Level, Name, Result};

/// Which document of a command, whatever path leads to it; a folder's guide is one too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The last node that exists on the way to it; 0 for none.
    node: NodeId,
    /// What is missing below that node.
    names: Vec<String>,
    /// How many changes of the command come before it: 0, unless one of them took away what was at its path.
    since: usize,
    is_guide: bool,
}

impl Key {
    fn new(change: &Change, node: NodeId, names: Vec<String>) -> Self {
        Self { node, names, since: 0, is_guide: matches!(change.what, Intent::Guide(_)) }
    }
}

/// Who changes which document, and what the change is merged into.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) agent: Option<Name>,
    pub(super) key: Key,
    pub(super) base: Base,
}

/// What one change is merged into.
#[derive(Debug)]
pub(super) enum Base {
    /// Nothing is there.
    Nothing,
    /// The actor may not know what is there.
    Hidden,
    /// A document of the hub.
    Stored {
        stored: Arc<Stored>,
        /// The updates that make what the author of the change saw, where that is not the current version.
        seen: Option<Arc<Vec<Vec<u8>>>>,
    },
    /// It cannot be told before the command is done.
    Unclear,
    /// Another document stands there than the change was made from, or what it was made from is not kept.
    Other(String),
}

/// A document as it is.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(super) node: NodeId,
    pub(crate) version: Version,
    pub(crate) state: Vec<u8>,
    /// The other columns, unless the content is long, or empty.
    pub(super) shown: Option<Arc<Shown>>,
}

/// A document as its row shows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) is_json: bool,
    pub(super) content: String,
    pub(super) metadata: Option<String>,
}

/// The bases of a command's changes.
#[derive(Debug)]
pub(crate) struct Bases(Vec<Begin>);

impl Bases {
    pub(super) fn of(&self, index: usize) -> &Begin {
        &self.0[index]
    }

    /// How many bytes there are to be merged into.
    pub(super) fn weight(&self) -> usize {
        let of_one = |begin: &Begin| match &begin.base {
            Base::Stored { stored, seen } => {
                stored.state.len()
                    + seen.iter().flat_map(|updates| updates.iter()).map(Vec::len).sum::<usize>()
            }
            _ => 0,
        };
        self.0.iter().map(of_one).sum()
    }

    /// Whether two readings found the same: a race in between was with nobody else.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let version = |begin: &Begin| match &begin.base {
            Base::Stored { stored, .. } => Some((stored.node, stored.version)),
            _ => None,
        };
        let same = |(one, other): (&Begin, &Begin)| one.key == other.key && version(one) == version(other);
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }

    /// Reads them, from one snapshot.
    pub(crate) fn read(connection: &Connection, actor: &Actor, changes: &[Change]) -> Result<Self> {
        let snapshot = connection.unchecked_transaction().or_fault()?;
        let mut known = Known::default();
        let mut begins = Vec::with_capacity(changes.len());
        let mut structural = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            let actor = acting(actor, change)?;
            if !change.what.is_content() {
                structural.push((index, change));
                begins.push(Begin {
                    agent: actor.agent,
                    key: Key::new(change, 0, Vec::new()),
                    base: Base::Nothing,
                });
                continue;
            }
            let (key, base) = match origin(&change.path, &structural).0 {
                Origin::Nowhere { by, path } => {
                    (Key { since: by + 1, ..Key::new(change, 0, vec![path]) }, Base::Nothing)
                }
                Origin::At(path) => of_path(&snapshot, &actor, &path, change, &mut known)?,
                Origin::Removed { restored, before, path } => {
                    match restored::chain(&snapshot, &actor, (&restored, before), &path)? {
                        Some((_, chain)) => of_node(&snapshot, chain.last(), change, &mut known)?,
                        // What the restoration does not bring back is made below what it does.
                        None => (Key::new(change, 0, vec![restored, path]), Base::Nothing),
                    }
                }
                Origin::Unclear => (Key::new(change, 0, Vec::new()), Base::Unclear),
            };
            begins.push(Begin { agent: actor.agent, key, base });
        }
        snapshot.finish().or_fault()?;
        Ok(Self(begins))
    }
}

fn of_path(
    connection: &Connection,
    actor: &Actor,
    path: &str,
    change: &Change,
    known: &mut Known,
) -> Result<(Key, Base)> {
    // Whether the actor may is the writer's to say.
    let Spot::Place(place) = find(connection, actor, path)? else {
        return Ok((Key::new(change, 0, vec![String::new(), path.to_owned()]), Base::Nothing));
    };
    let key = match place.chain.last() {
        Some(last) => Key::new(change, last.id, place.missing.clone()),
        None => {
            let names = [place.owner.to_string()].into_iter().chain(place.missing.iter().cloned());
            Key::new(change, 0, names.collect())
        }
    };
    if place.level < Level::Read {
        return Ok((key, Base::Hidden));
    }
    match place.node() {
        Some(node) => of_node(connection, Some(node), change, known),
        None => Ok((key, Base::Nothing)),
    }
}

/// What was read for earlier changes of the command.
#[derive(Default)]
struct Known {
    stored: HashMap<NodeId, Option<Arc<Stored>>>,
    updates: HashMap<(NodeId, Version), Option<Arc<Updates>>>,
}

/// A document, or a folder's guide, that exists.
fn of_node(
    connection: &Connection,
    node: Option<&Node>,
    change: &Change,
    known: &mut Known,
) -> Result<(Key, Base)> {
    let key = Key::new(change, node.map_or(0, |node| node.id), Vec::new());
    let Some(node) = node.filter(|node| node.is_document() != key.is_guide) else {
        return Ok((key, Base::Nothing));
    };
    let entry = match known.stored.get(&node.id) {
        Some(entry) => entry.clone(),
        None => {
            let found = stored(connection, node.id).map_err(|error| error.context(change.path.clone()))?;
            known.stored.entry(node.id).or_insert(found.map(Arc::new)).clone()
        }
    };
    let Some(stored) = entry else { return Ok((key, Base::Nothing)) };
    let seen = match seen(connection, node.id, stored.version, change, known)? {
        Ok(seen) => seen,
        Err(refused) => return Ok((key, Base::Other(refused))),
    };
    Ok((key, Base::Stored { stored, seen }))
}

type Updates = Vec<Vec<u8>>;

/// The updates that make what the author of a change saw, where that is not the current version; or why there are none.
fn seen(
    connection: &Connection,
    node: NodeId,
    current: Version,
    change: &Change,
    known: &mut Known,
) -> Result<Result<Option<Arc<Updates>>, String>> {
    let Change { path, base, of, .. } = change;
    let Some(base) = *base else { return Ok(Ok(None)) };
    let refused = |why: &str| Ok(Err(format!("{path}: {why}; read it again")));
    if let Some(of) = of
        && *of != node::uid(connection, node)?
    {
        return refused("another document stands there now");
    }
    if base == 0 {
        // Only a whole value replaces what its author did not see.
        return Ok(Ok(matches!(change.what, Intent::Write(_)).then(Arc::default)));
    }
    let arrived = queries::number(connection, "SELECT arrived FROM node WHERE id = ?1", [node])?;
    if base > current || base < arrived {
        return refused(&format!("the document there never had the version {base}"));
    }
    if base == current {
        return Ok(Ok(None));
    }
    let found = match known.updates.get(&(node, base)) {
        Some(found) => found.clone(),
        None => {
            let found = updates(connection, node, base)?.map(Arc::new);
            known.updates.entry((node, base)).or_insert(found).clone()
        }
    };
    match found {
        Some(found) => Ok(Ok(Some(found))),
        None => refused(&format!("the version {base} is not kept any more")),
    }
}

/// A state is never squeezed beside a longer content, which then need not be read.
static STORED: LazyLock<String> = LazyLock::new(|| {
    let content = format!("iif(octet_length(content) <= {}, content, '')", crdt::LONGEST);
    format!("SELECT version, state, {content}, kind, metadata FROM document WHERE node = ?1")
});

pub(crate) fn stored(connection: &Connection, node: NodeId) -> Result<Option<Stored>> {
    queries::one(connection, &STORED, [node], |row| {
        let content: String = get(row, 2)?;
        let shown = match content.is_empty() {
            true => None,
            false => Some(Arc::new(Shown { is_json: get(row, 3)?, content, metadata: get(row, 4)? })),
        };
        Ok(Stored { node, version: count(row, 0)?, state: state(row, (1, 2))?, shown })
    })
}

/// What replicas merge, from the columns of a state and of its content.
pub(crate) fn state(row: &Row<'_>, (state, content): (usize, usize)) -> Result<Vec<u8>> {
    let blob = |at| row.get_ref(at).and_then(|value| Ok(value.as_bytes()?)).or_fault();
    Ok(crdt::unsqueeze(blob(state)?, blob(content)?)?.into_owned())
}

/// The updates that make a version; `None` when they are not all kept any more.
pub(super) fn updates(
    connection: &Connection,
    node: NodeId,
    version: Version,
) -> Result<Option<Vec<Vec<u8>>>> {
    if version < super::keeping::first_kept(connection, node)? {
        return Ok(None);
    }
    let sql = "SELECT version, body FROM change WHERE node = ?1 AND version <= ?2 AND body IS NOT NULL ORDER BY seq";
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query((node, signed(version))).or_fault()?;
    let (mut found, mut last) = (Vec::new(), None);
    while let Some(row) = rows.next().or_fault()? {
        last = Some(count(row, 0)?);
        found.push(get(row, 1)?);
    }
    Ok((last == Some(version)).then_some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_beside_the_longest_content_with_which_it_is_squeezed() {
        let connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&connection, 0).unwrap();
        for (node, more) in [(1, -1_isize), (2, 0), (3, 1)] {
            let length = crdt::LONGEST.checked_add_signed(more).unwrap();
            // Fewer characters than bytes.
            let content = format!("ü{}", &"of some words ".repeat(3_000)[..length - 2]);
            assert_eq!(content.len(), length);
            let state = [b"\x01", &content.as_bytes()[..1_000]].concat();
            let squeezed = crdt::squeeze(state.clone(), &content);
            assert_eq!(squeezed.len() < 100, more <= 0, "{} bytes", squeezed.len());
            let sql = "INSERT INTO document (node, version, kind, size, content, state) VALUES (?1, 1, 0, 0, ?2, ?3)";
            connection.execute(sql, (node, content, squeezed)).unwrap();
            assert_eq!(stored(&connection, node).unwrap().unwrap().state, state);
        }
    }
}
