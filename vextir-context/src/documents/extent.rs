//! How far down paths reach. Each folder knows a bound for what lies below it, so that a move rarely looks at anything
//! but its own two places; what its author may not see never decides, short of what can be asked for at all.

use super::apply::Apply;
use super::node::{self, Extent, Node};
use super::place::Place;
use super::rights::Rights;
use vextir_core::context::{MAX_DEPTH, MAX_PATH_BYTES};
use vextir_core::{Error, Level, Result};

/// What can be asked for in any case, also with `/Shared/<owner>/<name>` in front of it.
const DEEPEST: usize = 90;
const LONGEST: usize = 3_500;

/// How many folders a move looks at before it is refused.
const FOLDERS: usize = 500;

fn too_deep(path: &str) -> Error {
    Error::invalid(format!(
        "{path}: this, or something in it, would lie too deep in the tree of its owner: at most {MAX_DEPTH} folders, \
         and {MAX_PATH_BYTES} bytes for a path"
    ))
}

/// How far down a place lies in the tree of its owner.
fn of_place(place: &Place) -> Extent {
    let above = Extent::of(place.chain.iter().skip(1).map(|node| node.name.as_str()));
    above.and(Extent::of(place.missing.iter().map(String::as_str)))
}

impl Apply<'_> {
    /// Whether something new may be made at a place.
    pub(super) fn check_extent(&self, place: &Place, path: &str) -> Result<()> {
        if of_place(place).fits(MAX_DEPTH, MAX_PATH_BYTES) { Ok(()) } else { Err(too_deep(path)) }
    }

    /// Whether what is at the end of a chain may be moved to a place.
    pub(super) fn check_move(&self, source: &Place, node: &Node, target: &Place, to: &str) -> Result<()> {
        let place = of_place(target);
        let (most, bound) = ((MAX_DEPTH, MAX_PATH_BYTES), place.and(node.extent));
        if !place.fits(most.0, most.1) || !bound.fits(DEEPEST, LONGEST) {
            return Err(too_deep(to));
        }
        if bound.fits(most.0, most.1) || place.and(self.visible_extent(source)?).fits(most.0, most.1) {
            return Ok(());
        }
        Err(too_deep(to))
    }

    /// That of the folders below a place, as far as the actor sees them. Their documents may be one step further down.
    fn visible_extent(&self, place: &Place) -> Result<Extent> {
        let mut rights = Rights::of(&self.actor, &place.owner);
        for node in &place.chain {
            rights.enter(self.file.connection, node)?;
        }
        let (mut most, mut looked_at) = (Extent::default(), 0);
        let mut open: Vec<_> =
            place.chain.last().map(|node| (node.id, rights, Extent::default())).into_iter().collect();
        while let Some((id, rights, extent)) = open.pop() {
            most = most.max(extent.and(Extent { depth: 1, bytes: 0 }));
            for folder in node::folders(self.file.connection, id, FOLDERS)? {
                looked_at += 1;
                if looked_at >= FOLDERS {
                    return Ok(Extent { depth: MAX_DEPTH, bytes: MAX_PATH_BYTES });
                }
                let mut rights = rights.clone();
                rights.enter(self.file.connection, &folder)?;
                if rights.level() >= Level::Read {
                    let below = extent.and(Extent::of([folder.name.as_str()]));
                    open.push((folder.id, rights, below));
                }
            }
        }
        Ok(most)
    }

    /// Notes in the folders of a chain that something now reaches so far below its end.
    pub(super) fn grow(&mut self, chain: &[Node], below: Extent) -> Result<()> {
        let mut extent = below;
        for folder in chain.iter().rev() {
            let grown = folder.extent.max(extent);
            if grown != folder.extent {
                let as_number = |length| i64::try_from(length).unwrap_or(i64::MAX);
                let row = (folder.id, as_number(grown.depth), as_number(grown.bytes));
                self.file.execute("UPDATE node SET tall = ?2, long = ?3 WHERE id = ?1", row)?;
            }
            extent = Extent::of([folder.name.as_str()]).and(extent);
        }
        Ok(())
    }
}
