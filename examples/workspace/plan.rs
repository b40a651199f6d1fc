//! What to move where: a pure decision over the catalog.
//!
//! No target is a path that any file has now, and none is the target of two moves. So the moves of a plan do
//! not depend on each other, and may be done in any order, or twice. Nor is a target a path to which `--undo`
//! would bring a file back. So a run of many plans ends where one of a single plan does, and all of it can be
//! put back at once.

use crate::catalog::Catalog;
use crate::duplicates::groups;
use crate::layout::{aside, folders, place, projects};
use std::collections::{BTreeMap, BTreeSet};

/// One file and its new path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// A plan, and what it leaves alone.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// Files that stay because a file stands where a folder is needed.
    pub(crate) blocked: Vec<String>,
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Folder,
    Other,
}

/// Tells what is really there: the catalog knows no hidden files, no links and no empty folders.
pub(crate) type Probe<'a> = &'a dyn Fn(&str) -> Option<Found>;

/// Plans where the files of the catalog go.
pub(crate) fn plan(catalog: &Catalog, probe: Probe<'_>) -> Plan {
    let projects = projects(catalog.files.keys(), &|path| probe(path).is_some());
    let copies: BTreeSet<String> =
        groups(catalog).into_iter().flat_map(|group| group.paths.into_iter().skip(1)).collect();
    let mut taken = Taken::new(catalog, probe);
    taken.reserve(catalog);
    let (mut steps, mut blocked) = (Vec::new(), Vec::new());
    for (path, entry) in &catalog.files {
        // Without a hash nobody could tell later whether it was moved: it is being written, say.
        if entry.hash.is_none() || projects.iter().any(|project| project.holds(path)) {
            continue;
        }
        let is_copy = copies.contains(path);
        let wanted = if is_copy { aside(path) } else { place(path, entry.class(path)) };
        // What was set aside stays there, also when it is the last of its kind.
        if wanted == *path || path.starts_with(&aside("")) {
            continue;
        }
        match taken.free_name(&wanted) {
            Some(to) => {
                taken.add(&to);
                steps.push(Step { from: path.clone(), to });
            }
            None => blocked.push(path.clone()),
        }
    }
    Plan { steps, blocked }
}

/// Which of a run's files go back, and where: to the path that they had, or to a free name beside it.
pub(crate) fn way_back(catalog: &Catalog, moves: &[(String, String)], probe: Probe<'_>) -> Vec<Step> {
    let mut taken = Taken::new(catalog, probe);
    let mut steps = Vec::new();
    for (now, before) in moves {
        if let Some(to) = taken.free_name(before) {
            taken.add(&to);
            steps.push(Step { from: now.clone(), to });
        }
    }
    steps
}

/// How many steps go to each folder at the top.
pub(crate) fn by_folder(steps: &[Step]) -> BTreeMap<&str, usize> {
    let mut count = BTreeMap::new();
    for step in steps {
        *count.entry(step.to.split('/').next().unwrap_or_default()).or_default() += 1;
    }
    count
}

/// The paths that are in use, now or by the plan.
struct Taken<'a> {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
    /// Where files were before they were filed away.
    before: BTreeSet<String>,
    probe: Probe<'a>,
}

impl<'a> Taken<'a> {
    fn new(catalog: &Catalog, probe: Probe<'a>) -> Self {
        let mut taken =
            Self { files: BTreeSet::new(), folders: BTreeSet::new(), before: BTreeSet::new(), probe };
        catalog.files.keys().for_each(|path| taken.add(path));
        taken
    }

    /// Keeps the paths free to which files may have to go back.
    fn reserve(&mut self, catalog: &Catalog) {
        for run in catalog.runs.iter().filter(|run| !run.undone) {
            let is_going_on = catalog.unfinished.as_ref() == Some(&run.name);
            for filed in run.moved.iter().filter(|filed| filed.now.is_some()) {
                let path = &filed.step.from;
                self.folders.extend(folders(path).map(str::to_owned));
                // What was in the way when the run began is so until it ends.
                let paths = if is_going_on { &mut self.files } else { &mut self.before };
                paths.insert(path.clone());
            }
        }
    }

    fn add(&mut self, path: &str) {
        self.files.insert(path.to_owned());
        self.folders.extend(folders(path).map(str::to_owned));
    }

    /// The path itself, or with a number. `None` when a file stands where a folder is needed: that has to
    /// move first, in another run.
    fn free_name(&self, wanted: &str) -> Option<String> {
        let is_blocked =
            |folder: &str| self.files.contains(folder) || (self.probe)(folder) == Some(Found::Other);
        if folders(wanted).any(is_blocked) {
            return None;
        }
        let is_free = |path: &String| {
            let paths = [&self.files, &self.folders, &self.before];
            !paths.iter().any(|paths| paths.contains(path)) && (self.probe)(path).is_none()
        };
        std::iter::once(wanted.to_owned()).chain((2..).map(|number| numbered(wanted, number))).find(is_free)
    }
}

/// `a/name.ext` with a number: `a/name (2).ext`. One that has a number already gets the next one.
fn numbered(path: &str, number: u32) -> String {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let slash = if folder.is_empty() { "" } else { "/" };
    format!("{folder}{slash}{stem} ({number}){extension}")
}

#[cfg(test)]
mod tests;
