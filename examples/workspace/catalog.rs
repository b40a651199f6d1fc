//! What is known about the folder: a fold over the log, and nothing but that. Whatever happened in earlier
//! runs is in it as soon as the log was read.

use crate::class::{Class, by_name};
use crate::events::{Apply, Described, Move, Moved, Skipped, Summarized, Undone};
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
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) described: u64,
    pub(crate) moves: u64,
    pub(crate) moved: u64,
    pub(crate) scans: u64,
}

/// All that the log says.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// The folder that it is about.
    pub(crate) root: Option<String>,
    pub(crate) files: BTreeMap<String, Entry>,
    pub(crate) unreadable: BTreeSet<String>,
    pub(crate) runs: Vec<Run>,
    /// What was not moved, by the event that asked for it.
    pub(crate) skipped: Vec<(EventId, Skipped)>,
    pub(crate) news: News,
    pub(crate) summary: Option<(Timestamp, Summary)>,
    /// The last event that changed what a summary would say.
    pub(crate) changed_at: u64,
    pub(crate) progress: Progress,
    /// Which run an `apply` belongs to.
    applies: HashMap<EventId, String>,
}

impl Catalog {
    /// Takes in one event of the log.
    pub(crate) fn apply(&mut self, sequence: u64, event: &Event) -> Result<()> {
        match event.event_type.as_str() {
            FileCreated::TYPE => self.created(event.decode()?),
            FileChanged::TYPE => self.changed(event.decode()?),
            FileMoved::TYPE => self.renamed(event.decode()?),
            FileRemoved::TYPE => self.removed(&event.decode()?),
            FileUnreadable::TYPE => {
                self.unreadable.insert(event.decode::<FileUnreadable>()?.path);
            }
            FileScanned::TYPE => {
                self.progress.scans += 1;
                self.root = Some(event.decode::<FileScanned>()?.root);
                return Ok(());
            }
            Described::TYPE => self.described(event.decode()?),
            Apply::TYPE => {
                self.applies.insert(event.id.clone(), event.decode::<Apply>()?.run);
                return Ok(());
            }
            Move::TYPE => {
                self.progress.moves += 1;
                return Ok(());
            }
            Moved::TYPE => self.moved(event, event.decode::<Moved>()?.step),
            Skipped::TYPE => {
                self.progress.moved += 1;
                self.skipped.push((event.root().clone(), event.decode()?));
                return Ok(());
            }
            Undone::TYPE => {
                let names = event.decode::<Undone>()?.runs;
                self.runs.iter_mut().filter(|run| names.contains(&run.name)).for_each(|run| run.undone = true);
                return Ok(());
            }
            Summarized::TYPE => {
                self.summary = Some((event.timestamp, event.decode::<Summarized>()?.summary));
                self.news = News::default();
                return Ok(());
            }
            _ => return Ok(()),
        }
        self.changed_at = sequence;
        Ok(())
    }

    /// The class of each file.
    pub(crate) fn class(&self, path: &str) -> Class {
        self.files.get(path).map_or(Class::Other, |entry| entry.class(path))
    }

    fn created(&mut self, file: FileCreated) {
        let FileCreated { root, path, size, media_type, hash, modified } = file;
        self.root = Some(root);
        self.unreadable.remove(&path);
        self.progress.files += 1;
        self.progress.bytes += size;
        match self.files.get_mut(&path) {
            // What this program put there itself, met by the scan.
            Some(entry) if entry.hash == hash => entry.modified = modified,
            _ => {
                self.news.created += 1;
                let entry = Entry { size, modified, media_type, hash, described: None, title: None };
                self.files.insert(path, entry);
            }
        }
    }

    fn changed(&mut self, file: FileChanged) {
        let FileChanged { path, size, media_type, hash, modified, .. } = file;
        self.unreadable.remove(&path);
        self.news.changed += 1;
        let entry = Entry { size, modified, media_type, hash, described: None, title: None };
        self.files.insert(path, entry);
    }

    fn renamed(&mut self, file: FileMoved) {
        let FileMoved { from, path, size, media_type, hash, modified, .. } = file;
        let is_known = !self.files.contains_key(&from)
            && self.files.get(&path).is_some_and(|entry| entry.hash == hash);
        if is_known {
            return;
        }
        self.news.moved += 1;
        self.rekey(&from, &path);
        let old = self.files.remove(&from);
        let described = old.as_ref().and_then(|old| old.described);
        let title = old.and_then(|old| old.title);
        self.files.insert(path, Entry { size, modified, media_type, hash, described, title });
    }

    fn removed(&mut self, file: &FileRemoved) {
        if self.files.remove(&file.path).is_some() {
            self.news.removed += 1;
            for filed in self.runs.iter_mut().flat_map(|run| &mut run.moved) {
                if filed.now.as_ref() == Some(&file.path) {
                    filed.now = None;
                }
            }
        }
    }

    fn described(&mut self, found: Described) {
        self.progress.described += 1;
        if let Some(entry) = self.files.get_mut(&found.path) {
            (entry.described, entry.title) = (Some(found.class), found.title);
        }
    }

    /// This program moved a file itself: no news.
    fn moved(&mut self, event: &Event, step: Move) {
        self.progress.moved += 1;
        self.rekey(&step.from, &step.to);
        if let Some(entry) = self.files.remove(&step.from) {
            self.files.insert(step.to.clone(), entry);
        }
        // A move without an `apply` at its root is one back.
        let Some(name) = self.applies.get(event.root()) else { return };
        let filed = Filed { now: Some(step.to.clone()), step };
        match self.runs.iter_mut().find(|run| run.name == *name) {
            Some(run) => run.moved.push(filed),
            None => self.runs.push(Run { name: name.clone(), moved: vec![filed], undone: false }),
        }
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
