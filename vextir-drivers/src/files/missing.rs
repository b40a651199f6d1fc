//! Files that are gone from their old place, until it is known whether they turn up at a new one.

use super::record::{Record, Stat};
use std::collections::{BTreeMap, BTreeSet};

/// How many missing files wait for their new place.
const ROOM: usize = 65_536;

/// Missing files, found by what they were.
#[derive(Debug, Default)]
pub(super) struct Missing {
    records: BTreeMap<String, Record>,
    by_inode: BTreeSet<((u64, u64), String)>,
    by_hash: BTreeSet<(String, String)>,
    /// Those that turned up: a second walk may still meet their old checkpoints.
    found: BTreeSet<String>,
}

impl Missing {
    pub(super) fn is_full(&self) -> bool {
        self.records.len() + self.found.len() >= ROOM
    }

    pub(super) fn add(&mut self, path: String, record: Record) {
        if self.found.contains(&path) {
            return;
        }
        // What was never reported did not move.
        if record.is_reported() {
            if let Some(inode) = record.stat.and_then(|stat| stat.inode) {
                self.by_inode.insert((inode, path.clone()));
            }
            if let Some(hash) = &record.hash {
                self.by_hash.insert((hash.clone(), path.clone()));
            }
        }
        self.records.insert(path, record);
    }

    /// The missing file that is this one by inode, size and time of modification.
    pub(super) fn take_same_file(&mut self, stat: &Stat) -> Option<(String, Record)> {
        let inode = stat.inode?;
        let candidates = self.by_inode.range((inode, String::new())..).take_while(|(one, _)| *one == inode);
        let is_same = |path: &String| {
            self.records.get(path).and_then(|record| record.stat).is_some_and(|old| stat.is_same_file(&old))
        };
        let path = candidates.map(|(_, path)| path).find(|path| is_same(path))?.clone();
        self.take(path)
    }

    /// A missing file with this content. Empty files are all alike, so they prove nothing.
    pub(super) fn take_same_content(&mut self, hash: &str, size: u64) -> Option<(String, Record)> {
        if size == 0 {
            return None;
        }
        let from = (hash.to_owned(), String::new());
        let (_, path) = self.by_hash.range(from..).next().filter(|(one, _)| one == hash)?;
        let path = path.clone();
        self.take(path)
    }

    fn take(&mut self, path: String) -> Option<(String, Record)> {
        let record = self.records.remove(&path)?;
        if let Some(inode) = record.stat.and_then(|stat| stat.inode) {
            self.by_inode.remove(&(inode, path.clone()));
        }
        if let Some(hash) = &record.hash {
            self.by_hash.remove(&(hash.clone(), path.clone()));
        }
        self.found.insert(path.clone());
        Some((path, record))
    }

    /// All that did not turn up, in the order of their paths; nothing is left.
    pub(super) fn drain(&mut self) -> Vec<(String, Record)> {
        std::mem::take(self).records.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(inode: u64, modified: i64, hash: &str) -> Record {
        let stat = Stat { size: 1, modified, changed: 0, inode: Some((1, inode)) };
        Record { stat: Some(stat), hash: Some(hash.into()), young: false, blocked: None, reported: false }
    }

    #[test]
    fn a_file_is_found_by_its_inode_unless_that_was_given_to_another_one() {
        let mut missing = Missing::default();
        missing.add("a".into(), record(7, 100, "aa"));
        let reused = Stat { size: 1, modified: 200, changed: 0, inode: Some((1, 7)) };
        assert_eq!(missing.take_same_file(&reused), None);
        let renamed = Stat { size: 1, modified: 100, changed: 900, inode: Some((1, 7)) };
        assert_eq!(missing.take_same_file(&renamed).unwrap().0, "a");
        // Only once, also when a second walk meets its old checkpoint.
        missing.add("a".into(), record(7, 100, "aa"));
        assert_eq!(missing.take_same_file(&renamed), None);
        assert_eq!(missing.take_same_content("aa", 1), None);
        assert_eq!(missing.drain(), []);
    }

    #[test]
    fn two_names_of_one_file_are_two_files() {
        let mut missing = Missing::default();
        missing.add("b".into(), record(7, 1, "aa"));
        missing.add("a".into(), record(7, 1, "aa"));
        let stat = Stat { size: 1, modified: 1, changed: 0, inode: Some((1, 7)) };
        assert_eq!(missing.take_same_file(&stat).unwrap().0, "a");
        assert_eq!(missing.take_same_file(&stat).unwrap().0, "b");
    }

    #[test]
    fn a_file_is_found_by_its_content_unless_it_is_empty_or_was_never_reported() {
        let mut missing = Missing::default();
        missing.add("a".into(), record(1, 1, "aa"));
        let blocked = Record { blocked: Some("permission denied".into()), ..record(2, 1, "bb") };
        missing.add("b".into(), blocked);
        assert_eq!(missing.take_same_content("bb", 1), None);
        assert_eq!(missing.take_same_content("aa", 0), None);
        assert_eq!(missing.take_same_content("a", 1), None);
        assert_eq!(missing.take_same_content("aa", 1).unwrap().0, "a");
        assert_eq!(missing.drain().len(), 1);
    }
}
