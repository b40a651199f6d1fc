//! What intents are merged into: the documents as they are, read beside the writer.

use super::node::NodeId;
use super::place::{Spot, find};
use crate::decode::{count, get};
use crate::fault::OrFault;
use crate::queries::signed;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use std::sync::Arc;
use vextir_core::context::{Change, Intent, Version, is_within, rebase};
use vextir_core::{Actor, Result};

/// Which document of a command: a folder's guide is one too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) path: String,
    is_guide: bool,
}

impl Key {
    pub(super) fn of(change: &Change) -> Self {
        Self { path: change.path.clone(), is_guide: matches!(change.what, Intent::Guide(_)) }
    }

    /// Its key after a change of structure; `None` when it is not there any more.
    pub(super) fn after(self, change: &Change) -> Option<Self> {
        match &change.what {
            Intent::Move(to) if is_within(&self.path, &change.path) => {
                Some(Self { path: rebase(&self.path, &change.path, to)?, ..self })
            }
            Intent::Remove | Intent::Restore if is_within(&self.path, &change.path) => None,
            _ => Some(self),
        }
    }
}

/// What one change is merged into.
#[derive(Debug)]
pub(super) enum Base {
    /// Nothing is there.
    Nothing,
    /// A document of the hub.
    Stored {
        stored: Arc<Stored>,
        /// The updates that make what the author of the change saw, where that is not the current version.
        seen: Option<Arc<Vec<Vec<u8>>>>,
    },
    /// It cannot be told before the command is done.
    Unclear,
}

/// A document as it is.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) node: NodeId,
    pub(super) version: Version,
    pub(super) state: Vec<u8>,
}

/// The bases of a command's changes.
#[derive(Debug)]
pub(crate) struct Bases(Vec<Base>);

impl Bases {
    pub(super) fn of(&self, index: usize) -> &Base {
        &self.0[index]
    }

    /// How many bytes there are to be merged into.
    pub(super) fn weight(&self) -> usize {
        let of_one = |base: &Base| match base {
            Base::Stored { stored, seen } => {
                stored.state.len()
                    + seen.iter().flat_map(|updates| updates.iter()).map(Vec::len).sum::<usize>()
            }
            _ => 0,
        };
        self.0.iter().map(of_one).sum()
    }

    /// Reads them, from one snapshot.
    pub(crate) fn read(connection: &Connection, actor: &Actor, changes: &[Change]) -> Result<Self> {
        let snapshot = connection.unchecked_transaction().or_fault()?;
        let mut known: HashMap<(NodeId, bool), Option<Arc<Stored>>> = HashMap::new();
        let mut bases = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            let base = match origin(&change.path, &changes[..index]) {
                _ if !change.what.is_content() => Base::Nothing,
                Origin::Nowhere => Base::Nothing,
                Origin::Unclear => Base::Unclear,
                Origin::At(path) => {
                    let actor = actor.clone().acting_as(change.agent.clone());
                    of_path(&snapshot, &actor, &path, change, &mut known)?
                }
            };
            bases.push(base);
        }
        snapshot.finish().or_fault()?;
        Ok(Self(bases))
    }
}

fn of_path(
    connection: &Connection,
    actor: &Actor,
    path: &str,
    change: &Change,
    known: &mut HashMap<(NodeId, bool), Option<Arc<Stored>>>,
) -> Result<Base> {
    // Whether the actor may is the writer's to say; here, what may not be seen is not there.
    let Spot::Place(place) = find(connection, actor, path)? else { return Ok(Base::Nothing) };
    let is_guide = matches!(change.what, Intent::Guide(_));
    let Some(node) = place.readable().filter(|node| node.is_document() != is_guide) else {
        return Ok(Base::Nothing);
    };
    let entry = match known.get(&(node.id, is_guide)) {
        Some(entry) => entry.clone(),
        None => {
            known.entry((node.id, is_guide)).or_insert(stored(connection, node.id)?.map(Arc::new)).clone()
        }
    };
    let Some(stored) = entry else { return Ok(Base::Nothing) };
    let seen = match change.base {
        Some(base) if base < stored.version && base > 0 => updates(connection, node.id, base)?.map(Arc::new),
        _ => None,
    };
    Ok(Base::Stored { stored, seen })
}

fn stored(connection: &Connection, node: NodeId) -> Result<Option<Stored>> {
    connection
        .prepare_cached("SELECT version, state FROM document WHERE node = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([node], |row| {
                    Ok(count(row, 0).and_then(|version| Ok(Stored { node, version, state: get(row, 1)? })))
                })
                .optional()
        })
        .or_fault()?
        .transpose()
}

/// The updates that make a version; `None` when they are not all kept any more.
pub(super) fn updates(
    connection: &Connection,
    node: NodeId,
    version: Version,
) -> Result<Option<Vec<Vec<u8>>>> {
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

/// Where a document comes from that a command changes.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    /// It is in the hub at this path, or nowhere.
    At(String),
    /// An earlier change of the command took away what was there.
    Nowhere,
    /// It cannot be told.
    Unclear,
}

/// Looks back from a path past the changes in front of it.
fn origin(path: &str, earlier: &[Change]) -> Origin {
    let mut path = path.to_owned();
    for change in earlier.iter().rev() {
        match &change.what {
            Intent::Move(to) if is_within(&path, to) => match rebase(&path, to, &change.path) {
                Some(before) => path = before,
                None => return Origin::Unclear,
            },
            Intent::Move(_) | Intent::Remove if is_within(&path, &change.path) => return Origin::Nowhere,
            Intent::Restore if is_within(&path, &change.path) => return Origin::Unclear,
            _ => {}
        }
    }
    Origin::At(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_followed_back_through_moves_and_removals() {
        let change = |path: &str, what| Change::new(path, what);
        let earlier = [
            change("/a/x", Intent::Remove),
            change("/a", Intent::Move("/b".into())),
            change("/c", Intent::Restore),
        ];
        assert_eq!(origin("/b/y", &earlier), Origin::At("/a/y".into()));
        assert_eq!(origin("/b/x", &earlier), Origin::Nowhere);
        assert_eq!(origin("/a/y", &earlier), Origin::Nowhere);
        assert_eq!(origin("/c/d", &earlier), Origin::Unclear);
        assert_eq!(origin("/d", &earlier), Origin::At("/d".into()));
    }
}
