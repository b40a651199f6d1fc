//! Compares what is there with what is remembered: a merge of two sorted streams, without I/O of its own.

use super::record::{Record, Stat};
use super::walk::Seen;
use std::iter::Peekable;
use vextir::Result;

/// A difference between a folder and its checkpoints, at an escaped path below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// A file that has no checkpoint.
    New(String, Stat),
    /// A file that may differ from its checkpoint.
    Outdated(String, Stat, Record),
    /// A checkpoint whose file is not there.
    Missing(String, Record),
    /// Something that cannot be read, and of which that is not known yet.
    Blocked(String, String, Option<Record>),
}

impl Change {
    pub(super) fn path(&self) -> &str {
        match self {
            Self::New(path, ..)
            | Self::Outdated(path, ..)
            | Self::Missing(path, ..)
            | Self::Blocked(path, ..) => path,
        }
    }
}

/// What was walked, whether it changed or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) unreadable: u64,
}

/// Merges a walk with the checkpoints of the same range; both sorted by path.
pub(super) struct Join<S: Iterator, K: Iterator> {
    seen: Peekable<S>,
    known: Peekable<K>,
    /// The folder that cannot be listed: what is remembered of it stays.
    blocked: Option<String>,
    /// Look again at what could not be read.
    retry: bool,
    totals: Totals,
}

impl<S, K> Join<S, K>
where
    S: Iterator<Item = Seen>,
    K: Iterator<Item = Result<(String, Record)>>,
{
    pub(super) fn new(seen: S, known: K, retry: bool) -> Self {
        Self {
            seen: seen.peekable(),
            known: known.peekable(),
            blocked: None,
            retry,
            totals: Totals::default(),
        }
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    fn known_only(&self, path: String, record: Record) -> Option<Change> {
        let is_kept = self.blocked.as_ref().is_some_and(|folder| path.starts_with(folder.as_str()));
        (!is_kept).then_some(Change::Missing(path, record))
    }

    fn seen(&mut self, seen: Seen, record: Option<Record>) -> Option<Change> {
        match seen {
            Seen::File(path, stat) => {
                self.totals.files += 1;
                self.totals.bytes += stat.size;
                match record {
                    None => Some(Change::New(path, stat)),
                    Some(record) if record.is_outdated(&stat, self.retry) => {
                        Some(Change::Outdated(path, stat, record))
                    }
                    Some(_) => None,
                }
            }
            Seen::BlockedFile(path, reason) => self.blocked(path, reason, record),
            Seen::BlockedFolder(path, reason) => {
                self.blocked = Some(path.clone());
                self.blocked(path, reason, record)
            }
        }
    }

    fn blocked(&mut self, path: String, reason: String, record: Option<Record>) -> Option<Change> {
        self.totals.unreadable += 1;
        let is_known = record.as_ref().is_some_and(|record| record.blocked.is_some());
        (!is_known).then_some(Change::Blocked(path, reason, record))
    }
}

impl<S, K> Iterator for Join<S, K>
where
    S: Iterator<Item = Seen>,
    K: Iterator<Item = Result<(String, Record)>>,
{
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Result<Change>> {
        loop {
            let seen = self.seen.peek().map(Seen::path);
            let known = match self.known.peek() {
                Some(Ok((path, _))) => Some(path.as_str()),
                None => None,
                Some(Err(_)) => return self.known.next()?.err().map(Err),
            };
            let (take_seen, take_known) = match (seen, known) {
                (None, None) => return None,
                (Some(_), None) => (true, false),
                (None, Some(_)) => (false, true),
                (Some(seen), Some(known)) => (seen <= known, known <= seen),
            };
            let record = if take_known { self.known.next()?.ok() } else { None };
            let change = match (take_seen, record) {
                (true, record) => {
                    let seen = self.seen.next()?;
                    self.seen(seen, record.map(|(_, record)| record))
                }
                (false, Some((path, record))) => self.known_only(path, record),
                (false, None) => None,
            };
            if let Some(change) = change {
                return Some(Ok(change));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn stat(size: u64) -> Stat {
        Stat { size, modified: 1, changed: 1, inode: Some((1, size)) }
    }

    fn record(size: u64) -> Record {
        Record { stat: Some(stat(size)), hash: None, young: false, blocked: None, reported: false }
    }

    fn join(seen: Vec<Seen>, known: Vec<(&str, Record)>) -> Vec<Change> {
        let known = known.into_iter().map(|(path, record)| Ok((path.to_owned(), record)));
        Join::new(seen.into_iter(), known, false).map(Result::unwrap).collect()
    }

    fn file(path: &str, size: u64) -> Seen {
        Seen::File(path.into(), stat(size))
    }

    #[test]
    fn differences_are_found_and_the_rest_is_passed_over() {
        let changes = join(
            vec![file("a", 1), file("c", 3), file("d", 5)],
            vec![("b", record(2)), ("c", record(3)), ("d", record(4)), ("e", record(6))],
        );
        assert_eq!(
            changes,
            [
                Change::New("a".into(), stat(1)),
                Change::Missing("b".into(), record(2)),
                Change::Outdated("d".into(), stat(5), record(4)),
                Change::Missing("e".into(), record(6)),
            ]
        );
    }

    #[test]
    fn what_is_in_a_folder_that_cannot_be_listed_stays_known() {
        let denied = || Seen::BlockedFolder("dir/".into(), "permission denied".into());
        let known = vec![("dir.txt", record(1)), ("dir/a", record(2)), ("dir0", record(3))];
        let changes = join(vec![denied()], known.clone());
        assert_eq!(
            changes,
            [
                Change::Missing("dir.txt".into(), record(1)),
                Change::Blocked("dir/".into(), "permission denied".into(), None),
                Change::Missing("dir0".into(), record(3)),
            ]
        );
        // Said once.
        let told = Record::blocked("permission denied".into());
        assert_eq!(join(vec![denied()], vec![("dir/", told), ("dir/a", record(2))]), []);
    }

    #[test]
    fn a_root_that_cannot_be_listed_keeps_everything() {
        let denied = Seen::BlockedFolder(String::new(), "input/output error".into());
        assert_eq!(join(vec![denied], vec![("a", record(1))]).len(), 1);
    }

    #[test]
    fn a_failure_to_read_checkpoints_ends_in_an_error() {
        let known = [Err(vextir::Error::new(vextir::ErrorKind::Unavailable, "disk full"))];
        let mut join = Join::new([file("a", 1)].into_iter(), known.into_iter(), false);
        assert!(join.next().unwrap().is_err());
    }

    proptest! {
        /// Applying what the join says to the known side gives the seen side.
        #[test]
        fn the_differences_lead_from_one_side_to_the_other(
            seen in proptest::collection::btree_map("[ab/.]{1,4}", 0u64..3, 0..12),
            known in proptest::collection::btree_map("[ab/.]{1,4}", 0u64..3, 0..12),
        ) {
            let files = seen.iter().map(|(path, size)| file(path, *size)).collect();
            let records = known.iter().map(|(path, size)| (path.as_str(), record(*size))).collect();
            let mut state: BTreeMap<String, u64> = known.clone();
            for change in join(files, records) {
                match change {
                    Change::New(path, stat) => prop_assert!(state.insert(path, stat.size).is_none()),
                    Change::Outdated(path, stat, _) => prop_assert!(state.insert(path, stat.size).is_some()),
                    Change::Missing(path, _) => prop_assert!(state.remove(&path).is_some()),
                    Change::Blocked(..) => prop_assert!(false),
                }
            }
            prop_assert_eq!(state, seen);
        }
    }
}
