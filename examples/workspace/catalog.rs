//! What is known about the folder: a fold over the log, and nothing but that. Whatever happened in earlier
//! runs is in it as soon as the log was read.

use crate::class::{Class, by_name, has_new_extension};
use crate::events::{Applied, Apply, Described, Move, Moved, Skipped, Summarized, Undone};
use crate::summary::Summary;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use vextir::drivers::files::{FileChanged, FileCreated, FileMoved, FileRemoved, FileScanned, FileUnreadable};
use vextir::{Event, EventId, Payload, Result, Timestamp};

/// One file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) size: u64,
    pub(crate) modified: Timestamp,
    pub(crate) media_type: String,
    pub(crate) hash: Option<String>,
    described: Option<Class>,
    pub(crate) title: Option<String>,
}

impl Entry {
    /// Its class; by its name as long as nobody looked into it.
    pub(crate) fn class(&self, path: &str) -> Class {
        self.described.or_else(|| by_name(path, &self.media_type)).unwrap_or(Class::Other)
    }
}

/// One run that filed files away.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) moved: Vec<Filed>,
    pub(crate) undone: bool,
}

/// A file that was moved, and where it is now: its owner may have moved it on.
#[derive(Debug, Clone)]
pub(crate) struct Filed {
    pub(crate) step: Move,
    pub(crate) now: Option<String>,
}

/// What happened since the last summary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) created: u64,
    pub(crate) changed: u64,
    pub(crate) moved: u64,
    pub(crate) removed: u64,
}

/// How far the work is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Files that somebody has to look into, and their bytes.
    pub(crate) found: u64,
    pub(crate) bytes: u64,
    pub(crate) described: u64,
    pub(crate) moves: u64,
    pub(crate) moved: u64,
}

impl Progress {
    fn found(&mut self, size: u64) {
        self.found += 1;
        self.bytes += size;
    }
}

/// All that the log says.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// The folder that it is about.
    pub(crate) root: Option<String>,
    pub(crate) files: BTreeMap<String, Entry>,
    pub(crate) unreadable: BTreeSet<String>,
    pub(crate) runs: Vec<Run>,
    /// The run that was begun and is not over: the next one goes on with it.
    pub(crate) unfinished: Option<String>,
    /// What was moved to where, by the order at the root.
    done: Vec<(EventId, String)>,
    /// What was not moved, by the order at the root.
    skipped: Vec<(EventId, Skipped)>,
    pub(crate) news: News,
    pub(crate) summary: Option<(Timestamp, Summary)>,
    /// The last event that changed what a summary would say.
    pub(crate) changed_at: u64,
    pub(crate) progress: Progress,
    /// Which run an `apply` belongs to.
    applies: HashMap<EventId, String>,
    detours: Detours,
}

/// What this program moved since the last scan: the scan still calls such a file by the path that it had.
#[derive(Debug, Default)]
struct Detours {
    /// From the path that the scan knows to the one that the file has.
    there: HashMap<String, String>,
    /// And the other way round.
    back: HashMap<String, String>,
}

impl Detours {
    fn begin(&mut self, from: &str, to: &str) {
        let known = self.back.remove(from).unwrap_or_else(|| from.to_owned());
        self.there.remove(&known);
        if known != to {
            self.there.insert(known.clone(), to.to_owned());
            self.back.insert(to.to_owned(), known);
        }
    }

    /// The scan says something about a path that it knew; where that file really was, if elsewhere.
    fn end(&mut self, known: &str) -> Option<String> {
        let there = self.there.remove(known)?;
        self.back.remove(&there);
        Some(there)
    }

    /// The scan met the file where it is.
    fn met(&mut self, path: &str) {
        if let Some(known) = self.back.remove(path) {
            self.there.remove(&known);
        }
    }
}

impl Catalog {
    /// Takes in one event of the log.
    pub(crate) fn apply(&mut self, sequence: u64, event: &Event) -> Result<()> {
        let is_change = match event.event_type.as_str() {
            FileCreated::TYPE => self.created(event.decode()?),
            FileChanged::TYPE => self.changed(event.decode()?),
            FileMoved::TYPE => self.renamed(event.decode()?),
            FileRemoved::TYPE => self.removed(&event.decode()?),
            FileUnreadable::TYPE => self.unreadable.insert(event.decode::<FileUnreadable>()?.path),
            Described::TYPE => self.described(event.decode()?),
            Moved::TYPE => self.moved(event, event.decode::<Moved>()?.step),
            Summarized::TYPE => {
                self.summary = Some((event.timestamp, event.decode::<Summarized>()?.summary));
                self.news = News::default();
                false
            }
            _ => {
                self.order(event)?;
                false
            }
        };
        if is_change {
            self.changed_at = sequence;
        }
        Ok(())
    }

    /// What says nothing about the folder itself.
    fn order(&mut self, event: &Event) -> Result<()> {
        match event.event_type.as_str() {
            FileScanned::TYPE => self.root = Some(event.decode::<FileScanned>()?.root),
            Apply::TYPE => {
                let run = event.decode::<Apply>()?.run;
                self.unfinished = Some(run.clone());
                self.applies.insert(event.id.clone(), run);
            }
            Applied::TYPE => self.over(&[event.decode::<Applied>()?.run]),
            Move::TYPE => self.progress.moves += 1,
            Skipped::TYPE => {
                self.progress.moved += 1;
                self.skipped.push((event.root().clone(), event.decode()?));
            }
            Undone::TYPE => {
                let names = event.decode::<Undone>()?.runs;
                self.over(&names);
                self.runs
                    .iter_mut()
                    .filter(|run| names.contains(&run.name))
                    .for_each(|run| run.undone = true);
            }
            _ => {}
        }
        Ok(())
    }

    fn over(&mut self, runs: &[String]) {
        self.unfinished.take_if(|run| runs.contains(run));
    }

    /// The class of each file.
    pub(crate) fn class(&self, path: &str) -> Class {
        self.files.get(path).map_or(Class::Other, |entry| entry.class(path))
    }

    /// Where the files went that this order moved.
    pub(crate) fn moved_by(&self, order: &EventId) -> impl Iterator<Item = &String> {
        self.done.iter().filter(move |(root, _)| root == order).map(|(_, to)| to)
    }

    /// What this order could not move.
    pub(crate) fn skipped_by(&self, order: &EventId) -> impl Iterator<Item = &Skipped> {
        self.skipped.iter().filter(move |(root, _)| root == order).map(|(_, skipped)| skipped)
    }

    fn created(&mut self, file: FileCreated) -> bool {
        let FileCreated { root, path, size, media_type, hash, modified } = file;
        self.root = Some(root);
        self.unreadable.remove(&path);
        self.progress.found(size);
        self.detours.met(&path);
        match self.files.get_mut(&path) {
            // What this program put there itself, met by the scan.
            Some(entry) if entry.hash == hash => {
                entry.modified = modified;
                return false;
            }
            Some(_) => self.news.changed += 1,
            None => self.news.created += 1,
        }
        self.files.insert(path, Entry { size, modified, media_type, hash, described: None, title: None });
        true
    }

    fn changed(&mut self, file: FileChanged) -> bool {
        let FileChanged { path, size, media_type, hash, modified, .. } = file;
        self.progress.found(size);
        self.unreadable.remove(&path);
        // If this program took the file away, then this is another one in its old place.
        self.detours.end(&path);
        match self.files.contains_key(&path) {
            true => self.news.changed += 1,
            false => self.news.created += 1,
        }
        self.files.insert(path, Entry { size, modified, media_type, hash, described: None, title: None });
        true
    }

    fn renamed(&mut self, file: FileMoved) -> bool {
        let FileMoved { from, path, size, media_type, hash, modified, .. } = file;
        if has_new_extension(&from, &path) {
            self.progress.found(size);
        }
        let from = self.detours.end(&from).unwrap_or(from);
        if from == path && self.files.contains_key(&path) {
            return false;
        }
        self.detours.met(&path);
        self.news.moved += 1;
        self.rekey(&from, &path);
        let old = self.files.remove(&from);
        let described = old.as_ref().and_then(|old| old.described);
        let title = old.and_then(|old| old.title);
        self.files.insert(path, Entry { size, modified, media_type, hash, described, title });
        true
    }

    fn removed(&mut self, file: &FileRemoved) -> bool {
        self.unreadable.remove(&file.path);
        let path = self.detours.end(&file.path).unwrap_or_else(|| file.path.clone());
        if self.files.remove(&path).is_none() {
            return false;
        }
        self.news.removed += 1;
        for filed in self.runs.iter_mut().flat_map(|run| &mut run.moved) {
            filed.now.take_if(|now| *now == path);
        }
        true
    }

    fn described(&mut self, found: Described) -> bool {
        self.progress.described += 1;
        if let Some(entry) = self.files.get_mut(&found.path) {
            (entry.described, entry.title) = (Some(found.class), found.title);
        }
        true
    }

    /// This program moved a file itself: no news.
    fn moved(&mut self, event: &Event, step: Move) -> bool {
        self.progress.moved += 1;
        self.rekey(&step.from, &step.to);
        self.detours.begin(&step.from, &step.to);
        self.done.push((event.root().clone(), step.to.clone()));
        if let Some(entry) = self.files.remove(&step.from) {
            self.files.insert(step.to.clone(), entry);
        }
        // A move without an `apply` at its root is one back.
        let Some(name) = self.applies.get(event.root()) else { return true };
        let filed = Filed { now: Some(step.to.clone()), step };
        match self.runs.iter_mut().find(|run| run.name == *name) {
            Some(run) => run.moved.push(filed),
            None => self.runs.push(Run { name: name.clone(), moved: vec![filed], undone: false }),
        }
        true
    }

    fn rekey(&mut self, from: &str, to: &str) {
        for filed in self.runs.iter_mut().flat_map(|run| &mut run.moved) {
            if filed.now.as_deref() == Some(from) {
                filed.now = Some(to.to_owned());
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
