//! The planner: turns "file it away" and "put it back" into moves. All moves of one plan are one commit, so a
//! plan is in the log as a whole or not at all.

use crate::catalog::{Catalog, Filed};
use crate::events::{Apply, Folder, Move, Skipped, Undo, Undone};
use crate::layout::folders;
use crate::ledger::Ledger;
use crate::plan::{Found, Step, plan, way_back};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use vextir::drivers::files::unescape;
use vextir::prelude::*;
use vextir::{Error, Result};

/// More moves than this are left for the next plan.
pub(crate) const MOST_MOVES: usize = 10_000;

pub(crate) struct Planner {
    pub(crate) root: PathBuf,
    pub(crate) ledger: Ledger,
}

/// Plans which file goes where.
#[driver("planner", version = "1", timeout = "10m", concurrency = 1, effect = "reads")]
impl Planner {
    /// Files away what is not in its place.
    #[on]
    async fn file_away(&self, _ask: Apply) -> Result<Vec<Move>, Error> {
        let catalog = self.ledger.read().await?;
        let plan = plan(&catalog, &|path| probe(&self.root, path));
        let steps = plan.steps.into_iter().take(MOST_MOVES);
        let moves = steps.filter_map(|step| self.intent(&catalog, step)).collect();
        Ok(keeping_what_is_needed(moves))
    }

    /// Puts back what some runs filed away, as far as it is still there.
    #[on]
    async fn put_back(&self, ask: Undo) -> Result<(Undone, Vec<Move>, Vec<Skipped>), Error> {
        let catalog = self.ledger.read().await?;
        let (ways, gone) = filed(&catalog, &ask.runs);
        let pairs: Vec<(String, String)> =
            ways.iter().map(|(now, way)| (now.clone(), way.first.from.clone())).collect();
        let steps = way_back(&catalog, &pairs, &|path| probe(&self.root, path));
        let back = |step: Step| {
            let way = ways.get(&step.from)?;
            let intent = self.intent(&catalog, step)?;
            // The way there, turned round; what is there keeps the permissions that it has now.
            let is_missing = |folder: &&Folder| probe(&self.root, &folder.path).is_none();
            let make = way.first.leave.iter().rev().filter(is_missing).cloned().collect();
            Some(Move { make, leave: way.made.clone(), ..intent })
        };
        let back = keeping_what_is_needed(steps.into_iter().filter_map(back).collect());
        Ok((Undone { runs: ask.runs }, back, gone))
    }

    /// A step with all that its handler has to know.
    fn intent(&self, catalog: &Catalog, step: Step) -> Option<Move> {
        let entry = catalog.files.get(&step.from)?;
        let hash = entry.hash.clone()?;
        let is_missing = |folder: &&str| probe(&self.root, folder).is_none();
        let make = folders(&step.to).filter(is_missing).map(|path| Folder { path: path.into(), mode: None });
        let make = make.collect();
        let leave = folders(&step.from)
            .rev()
            .map(|path| Folder { path: path.into(), mode: mode(&self.root, path) })
            .collect();
        let Step { from, to } = step;
        Some(Move { from, to, size: entry.size, modified: entry.modified, hash, make, leave })
    }
}

/// No move removes a folder that another one goes to: between the two its permissions would be lost.
fn keeping_what_is_needed(mut moves: Vec<Move>) -> Vec<Move> {
    let needed: BTreeSet<String> =
        moves.iter().flat_map(|step| folders(&step.to)).map(str::to_owned).collect();
    for step in &mut moves {
        step.leave.retain(|folder| !needed.contains(&folder.path));
    }
    moves
}

/// How a file came to where it is: in one move, or in one of each of several runs.
struct Way {
    first: Move,
    /// The folders that were made on the way, the last first.
    made: Vec<Folder>,
}

/// What these runs filed away, by where it is now; and what is nowhere.
fn filed(catalog: &Catalog, runs: &[String]) -> (BTreeMap<String, Way>, Vec<Skipped>) {
    let (mut ways, mut gone) = (BTreeMap::new(), Vec::new());
    let asked = catalog.runs.iter().filter(|run| !run.undone && runs.contains(&run.name));
    for Filed { step, now } in asked.flat_map(|run| &run.moved) {
        let Some(now) = now.as_ref().filter(|now| catalog.files.contains_key(*now)) else {
            let reason = "it is not there any more".into();
            gone.push(Skipped { from: step.to.clone(), to: step.from.clone(), reason });
            continue;
        };
        let made = step.make.iter().rev().cloned();
        match ways.entry(now.clone()) {
            Entry::Vacant(place) => {
                place.insert(Way { first: step.clone(), made: made.collect() });
            }
            Entry::Occupied(mut place) => {
                let way: &mut Way = place.get_mut();
                way.made = made.chain(std::mem::take(&mut way.made)).collect();
            }
        }
    }
    (ways, gone)
}

/// What is at a path below the folder; links are not followed.
pub(crate) fn probe(root: &Path, path: &str) -> Option<Found> {
    let found = std::fs::symlink_metadata(root.join(unescape(path).ok()?)).ok()?;
    Some(if found.is_dir() { Found::Folder } else { Found::Other })
}

#[cfg(unix)]
fn mode(root: &Path, path: &str) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let found = std::fs::symlink_metadata(root.join(unescape(path).ok()?)).ok()?;
    Some(found.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_root: &Path, _path: &str) -> Option<u32> {
    None
}
