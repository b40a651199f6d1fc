//! One scan: finds the differences, looks at the files behind them, and commits what became of them.
//!
//! A scan collects changes before it settles them, so that a file which is missing here and new there is one
//! that moved. When there are too many to hold, it walks twice: once for what is missing, once for the rest,
//! a chunk at a time.

use super::diff::{Diff, Item, Stretch};
use super::dirty::Dirty;
use super::finding::Finding;
use super::hash::{Look, Reading};
use super::join::{Change, Totals};
use super::missing::Missing;
use super::record::{Record, Stat};
use super::sink::{BATCH, Sink, commit, stopped};
use super::wake::Notifier;
use super::walk::{Rules, Seen, Walk};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vextir::Result;

/// How many changes are held at a time.
const CHUNK: usize = 4_096;
/// How many bytes are read before a commit.
const BATCH_BYTES: u64 = 256 << 20;

/// A watched folder.
#[derive(Debug)]
pub(super) struct Root {
    /// Its escaped absolute path: what events and keys call it.
    pub(super) name: String,
    pub(super) rules: Arc<Rules>,
    pub(super) reading: Reading,
}

/// What to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// The whole root. With it, what could not be read is tried again.
    Whole,
    /// What is at and below these paths.
    Paths(Vec<String>),
}

/// What a scan found.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Of the root, when all of it was walked.
    pub(super) totals: Totals,
    pub(super) events: u64,
    /// Paths to look at again soon.
    pub(super) again: Dirty,
}

/// Scans a root. The notifier, if there is one, watches every folder that the scan enters.
pub(super) async fn scan(
    root: &Arc<Root>,
    sink: &Arc<dyn Sink>,
    scope: Scope,
    notifier: Option<Arc<Notifier>>,
) -> Result<Report> {
    if let Some(notifier) = notifier.clone() {
        blocking(move || notifier.tidy()).await?;
    }
    let paths = match scope {
        Scope::Whole => vec![String::new()],
        Scope::Paths(paths) => paths,
    };
    match Scan::new(root, sink, paths, notifier.clone()).run().await? {
        Some(report) => Ok(report),
        // A second answer of this kind comes from a stop alone.
        None => Scan::new(root, sink, vec![String::new()], notifier).run().await?.ok_or_else(stopped),
    }
}

struct Scan<'a> {
    root: &'a Arc<Root>,
    sink: &'a Arc<dyn Sink>,
    notifier: Option<Arc<Notifier>>,
    targets: Vec<String>,
    changes: Vec<Change>,
    missing: Missing,
    report: Report,
    stop: StopOnDrop,
}

/// Ends the reading of files when the scan is given up.
#[derive(Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl<'a> Scan<'a> {
    fn new(
        root: &'a Arc<Root>,
        sink: &'a Arc<dyn Sink>,
        targets: Vec<String>,
        notifier: Option<Arc<Notifier>>,
    ) -> Self {
        Self {
            root,
            sink,
            notifier,
            targets,
            changes: Vec::new(),
            missing: Missing::default(),
            report: Report::default(),
            stop: StopOnDrop::default(),
        }
    }

    /// `None` when the whole root has to be scanned instead.
    async fn run(mut self) -> Result<Option<Report>> {
        let mut resume: Option<(usize, String)> = None;
        for index in 0..self.targets.len() {
            let is_last = index + 1 == self.targets.len();
            let mut diff = self.open(index, None);
            loop {
                match diff.next().await? {
                    Item::Unclear => return Ok(None),
                    Item::Ended(totals) => {
                        self.report.totals = totals;
                        break;
                    }
                    Item::Change(Change::Missing(path, record)) => self.lost(path, record).await?,
                    Item::Change(_) if resume.is_some() => {}
                    Item::Change(change) => {
                        let path = change.path().to_owned();
                        self.changes.push(change);
                        if self.changes.len() == CHUNK && is_last && diff.is_known_ended() {
                            self.settle().await?;
                        } else if self.changes.len() == CHUNK {
                            resume = Some((index, path));
                        }
                    }
                }
            }
        }
        self.settle().await?;
        if let Some((index, after)) = resume
            && !self.walk_the_rest(index, after).await?
        {
            return Ok(None);
        }
        self.settle_missing().await?;
        Ok(Some(self.report))
    }

    /// The second walk, from where the first one had no more room. False when the whole root has to be
    /// scanned instead.
    async fn walk_the_rest(&mut self, first: usize, after: String) -> Result<bool> {
        let mut after = Some(after);
        for index in first..self.targets.len() {
            let mut diff = self.open(index, after.take().as_deref());
            loop {
                match diff.next().await? {
                    Item::Unclear => return Ok(false),
                    Item::Ended(_) => break,
                    Item::Change(Change::Missing(path, record)) => self.lost(path, record).await?,
                    Item::Change(change) => {
                        self.changes.push(change);
                        if self.changes.len() == CHUNK {
                            self.settle().await?;
                        }
                    }
                }
            }
        }
        self.settle().await?;
        Ok(true)
    }

    fn open(&self, index: usize, after: Option<&str>) -> Diff {
        let stretch = Stretch { target: self.targets[index].clone(), after: after.map(str::to_owned) };
        Diff::open(self.root, self.sink.clone(), stretch, self.notifier.clone())
    }

    async fn lost(&mut self, path: String, record: Record) -> Result<()> {
        if self.missing.is_full() {
            // Without room, what moves from here on is reported as removed and created.
            self.settle_missing().await?;
        }
        self.missing.add(path, record);
        Ok(())
    }

    /// Settles the changes that were collected.
    async fn settle(&mut self) -> Result<()> {
        let mut changes = std::mem::take(&mut self.changes).into_iter().peekable();
        while changes.peek().is_some() {
            let (mut findings, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
            while findings.len() + batch.len() < BATCH && bytes < BATCH_BYTES {
                let Some(change) = changes.next() else { break };
                if let Some(finding) = self.renamed(&change) {
                    findings.push(finding);
                } else {
                    bytes += self.bytes_to_read(&change);
                    batch.push(change);
                }
            }
            for (change, look) in self.look(batch).await? {
                findings.extend(Finding::judge(change, look, &mut self.missing));
            }
            self.commit(findings).await?;
        }
        Ok(())
    }

    /// A new path that is a missing file by its inode.
    fn renamed(&mut self, change: &Change) -> Option<Finding> {
        let Change::New(path, stat) = change else { return None };
        let (from, record) = self.missing.take_same_file(stat)?;
        Some(Finding::renamed(from, path.clone(), *stat, record))
    }

    fn bytes_to_read(&self, change: &Change) -> u64 {
        let (Change::New(_, stat) | Change::Outdated(_, stat, _)) = change else { return 0 };
        self.root.reading.max_bytes.filter(|max| stat.size <= *max).map_or(0, |_| stat.size)
    }

    /// Looks at the files behind the changes, on a blocking thread.
    async fn look(&self, changes: Vec<Change>) -> Result<Vec<(Change, Look)>> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let (root, stop) = (self.root.clone(), self.stop.0.clone());
        let work = move || {
            let files: Vec<(PathBuf, Stat)> = changes.iter().map(|change| root.file(change)).collect();
            let looks = root.reading.look_at_all(&files, &stop);
            (looks.len() == changes.len()).then(|| changes.into_iter().zip(looks).collect())
        };
        blocking(work).await?.ok_or_else(stopped)
    }

    async fn commit(&mut self, findings: Vec<Finding>) -> Result<()> {
        let mut settled = Vec::with_capacity(findings.len());
        for finding in findings {
            if let Some(path) = finding.young_path() {
                self.report.again.insert(path);
            }
            settled.push(finding.settle(&self.root.name)?);
        }
        if !settled.is_empty() {
            self.report.events += commit(&**self.sink, settled).await?;
        }
        Ok(())
    }

    /// Reports what did not turn up anywhere, after a last look at its old place.
    async fn settle_missing(&mut self) -> Result<()> {
        let mut missing = self.missing.drain().into_iter().peekable();
        while missing.peek().is_some() {
            let batch: Vec<_> = missing.by_ref().take(BATCH).collect();
            let rules = self.root.rules.clone();
            let places = blocking(move || {
                let place = |(path, record): (String, Record)| (Place::of(&rules, &path), path, record);
                batch.into_iter().map(place).collect::<Vec<_>>()
            });
            let mut findings = Vec::new();
            for (place, path, record) in places.await? {
                match place {
                    Place::Empty => findings.push(Finding::gone(path, record)),
                    Place::Ignored => findings.push(Finding::Forgotten(path)),
                    Place::Taken => self.report.again.insert(&path),
                }
            }
            self.commit(findings).await?;
        }
        Ok(())
    }
}

impl Root {
    fn file(&self, change: &Change) -> (PathBuf, Stat) {
        let nowhere = Stat { size: 0, modified: 0, changed: 0, inode: None };
        let stat = match change {
            Change::New(_, stat) | Change::Outdated(_, stat, _) => *stat,
            Change::Missing(..) | Change::Blocked(..) => nowhere,
        };
        // What the walk escaped can be unescaped.
        (super::name::below(&self.rules.root, change.path()).unwrap_or_default(), stat)
    }
}

/// What is at a path that a walk did not meet.
enum Place {
    Empty,
    /// A file after all, or nobody knows.
    Taken,
    /// The watch does not look there any more.
    Ignored,
}

impl Place {
    fn of(rules: &Arc<Rules>, path: &str) -> Self {
        if rules.leaves_out(path) {
            return Self::Ignored;
        }
        match Walk::new(rules.clone(), path, None) {
            None => Self::Taken,
            Some(mut walk) => match walk.next() {
                Some(Seen::File(found, _) | Seen::BlockedFile(found, _)) if found == path => Self::Taken,
                _ => Self::Empty,
            },
        }
    }
}

/// Runs blocking work.
///
/// # Errors
/// The runtime shuts down.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| stopped())
}

#[cfg(test)]
mod tests;
