//! The planner: turns "file it away" and "put it back" into moves. All moves of one plan are one commit, so a
//! plan is in the log as a whole or not at all.

use crate::catalog::{Catalog, Filed};
use crate::events::{Apply, Folder, Move, Skipped, Undo, Undone};
use crate::layout::folders;
use crate::ledger::Ledger;
use crate::plan::{Found, Step, plan, way_back};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use vextir::drivers::files::unescape;
use vextir::prelude::*;
use vextir::{Error, Result};

pub(crate) struct Planner {
    pub(crate) root: PathBuf,
    pub(crate) ledger: Ledger,
    /// More moves than this are left for the next plan.
    pub(crate) batch: usize,
}

/// Plans which file goes where.
#[driver("planner", version = "1", timeout = "10m", concurrency = 1, effect = "reads")]
impl Planner {
    /// Files away what is not in its place.
    #[on]
    async fn file_away(&self, _ask: Apply) -> Result<Vec<Move>, Error> {
        let catalog = self.ledger.read().await?;
        let plan = plan(&catalog, &|path| probe(&self.root, path));
        let steps = plan.steps.into_iter().take(self.batch);
        let moves = steps.filter_map(|step| self.intent(&catalog, step)).collect();
        Ok(keeping_what_is_needed(moves))
    }

    /// Puts back what some runs filed away, as far as it is still there.
    #[on]
    async fn put_back(&self, ask: Undo) -> Result<(Undone, Vec<Move>, Vec<Skipped>), Error> {
        let catalog = self.ledger.read().await?;
        let Filing { first, made, gone } = Filing::of(&catalog, &ask.runs);
        let pairs: Vec<(String, String)> =
            first.iter().map(|(now, step)| (now.clone(), step.from.clone())).collect();
        let steps = way_back(&catalog, &pairs, &|path| probe(&self.root, path));
        let back = |step: Step| {
            let there = first.get(&step.from)?;
            let mut back = self.intent(&catalog, step)?;
            // What is there keeps the permissions that it has now.
            let is_missing = |folder: &&Folder| probe(&self.root, &folder.path).is_none();
            back.make = there.leave.iter().rev().filter(is_missing).cloned().collect();
            // Folders that were there before stay, also empty ones.
            back.leave.retain(|folder| made.contains(&folder.path));
            Some(back)
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

/// What some runs filed away.
#[derive(Default)]
struct Filing {
    /// The first move of each file, by where the file is now.
    first: BTreeMap<String, Move>,
    /// The folders that were made for them.
    made: BTreeSet<String>,
    /// What is nowhere any more.
    gone: Vec<Skipped>,
}

impl Filing {
    fn of(catalog: &Catalog, runs: &[String]) -> Self {
        let mut filing = Self::default();
        let asked = catalog.runs.iter().filter(|run| !run.undone && runs.contains(&run.name));
        for Filed { step, now } in asked.flat_map(|run| &run.moved) {
            filing.made.extend(step.make.iter().map(|folder| folder.path.clone()));
            if let Some(now) = now.as_ref().filter(|now| catalog.files.contains_key(*now)) {
                filing.first.entry(now.clone()).or_insert_with(|| step.clone());
            } else {
                let reason = "it is not there any more".into();
                filing.gone.push(Skipped { from: step.to.clone(), to: step.from.clone(), reason });
            }
        }
        filing
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::tests::{catalog, step, tell_below};
    use crate::events::Moved;

    #[test]
    fn a_file_that_went_a_long_way_goes_back_to_where_it_began() {
        let mut catalog = catalog(&[("x/a", "1"), ("x/b", "2")]);
        let made = |path: &str| Folder { path: path.into(), mode: None };
        tell_below(&mut catalog, Apply { run: "r1".into() }, "one");
        let first = Move { make: vec![made("Other"), made("Other/x")], ..step("x/a", "Other/x/a", "1") };
        tell_below(&mut catalog, Moved { step: first.clone() }, "one");
        tell_below(&mut catalog, Apply { run: "r2".into() }, "two");
        let second = Move { make: vec![made("Data")], ..step("Other/x/a", "Data/a", "1") };
        tell_below(&mut catalog, Moved { step: second }, "two");

        let filing = Filing::of(&catalog, &["r1".into(), "r2".into()]);
        assert_eq!(filing.first, BTreeMap::from([("Data/a".to_owned(), first)]));
        assert!(filing.made.iter().eq(["Data", "Other", "Other/x"]));
        assert_eq!(filing.gone, []);

        let removed = crate::catalog::tests::removed("Data/a", "1");
        crate::catalog::tests::tell(&mut catalog, removed);
        let filing = Filing::of(&catalog, &["r2".into()]);
        assert_eq!((filing.first.len(), filing.gone.len()), (0, 1));
    }

    #[test]
    fn no_move_removes_the_folder_of_another_one() {
        let leave = |paths: [&str; 2]| paths.map(|path| Folder { path: path.into(), mode: None }).to_vec();
        let moves = vec![
            Move { leave: leave(["Data/x", "Data"]), ..step("Data/x/a.txt", "Documents/x/a.txt", "1") },
            Move { leave: leave(["y/x", "y"]), ..step("y/x/b.csv", "Data/y/x/b.csv", "2") },
        ];
        let left: Vec<Vec<String>> = keeping_what_is_needed(moves)
            .into_iter()
            .map(|step| step.leave.into_iter().map(|folder| folder.path).collect())
            .collect();
        assert_eq!(left, [vec!["Data/x"], vec!["y/x", "y"]]);
    }
}
