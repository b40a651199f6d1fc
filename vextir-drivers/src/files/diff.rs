//! Runs a walk and its comparison on a blocking thread, and hands over the differences as they come.

use super::join::{Change, Join, Totals};
use super::record::Record;
use super::scan::Root;
use super::sink::{Pages, Range, Sink};
use super::wake::Notifier;
use super::walk::Walk;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::vec;
use tokio::sync::mpsc;
use vextir::Result;

/// How many differences are handed over at a time.
const HANDFUL: usize = 256;

/// What is at and below `target` (empty: the root), and comes after a path.
pub(super) struct Stretch {
    pub(super) target: String,
    pub(super) after: Option<String>,
}

impl Stretch {
    /// The checkpoints of the same stretch.
    fn ranges(&self) -> Vec<Range> {
        if self.target.is_empty() {
            return vec![Range::Prefix(String::new(), self.after.clone())];
        }
        let below = format!("{}/", self.target);
        let inside = self.after.clone().filter(|after| after.starts_with(&below));
        let exact = self.after.is_none().then(|| Range::Exact(self.target.clone()));
        exact.into_iter().chain([Range::Prefix(below, inside)]).collect()
    }
}

/// The differences at and below one path of a root. Dropping it ends the walk.
pub(super) struct Diff {
    parts: mpsc::Receiver<Part>,
    ready: vec::IntoIter<Change>,
    stop: Arc<AtomicBool>,
    /// Whether all checkpoints were compared: nothing more can be missing.
    known_ended: Arc<AtomicBool>,
}

/// What the walking thread sends.
enum Part {
    Changes(Vec<Change>),
    Failed(vextir::Error),
    Unclear,
    Ended(Totals),
}

/// What a [`Diff`] answers.
pub(super) enum Item {
    Change(Change),
    /// It cannot be told what is there; compare the whole root.
    Unclear,
    Ended(Totals),
}

impl Diff {
    /// Compares a stretch of a root. The notifier watches the folders that are entered.
    pub(super) fn open(
        root: &Root,
        sink: Arc<dyn Sink>,
        stretch: Stretch,
        notifier: Option<Arc<Notifier>>,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let known_ended = Arc::new(AtomicBool::new(false));
        let (pages, known) = mpsc::channel(2);
        tokio::spawn(feed(sink, root.name.clone(), stretch.ranges(), pages));
        let (parts, receiver) = mpsc::channel(4);
        let known = Known { pages: known, page: Vec::new().into_iter(), ended: known_ended.clone() };
        let (rules, stopped) = (root.rules.clone(), stop.clone());
        tokio::task::spawn_blocking(move || {
            // The whole root is scanned rarely: time to try again what could not be read.
            let retry = stretch.target.is_empty();
            let part = match Walk::new(rules, &stretch.target, stretch.after.as_deref()) {
                None => Part::Unclear,
                Some(walk) => compare(walk.watched_by(notifier), known, retry, &stopped, &parts),
            };
            // Nobody listening is no error: the scan was given up.
            let _ = parts.blocking_send(part);
        });
        Self { parts: receiver, ready: Vec::new().into_iter(), stop, known_ended }
    }

    /// The next difference.
    ///
    /// # Errors
    /// The checkpoints could not be read.
    pub(super) async fn next(&mut self) -> Result<Item> {
        loop {
            if let Some(change) = self.ready.next() {
                return Ok(Item::Change(change));
            }
            match self.parts.recv().await {
                Some(Part::Changes(changes)) => self.ready = changes.into_iter(),
                Some(Part::Failed(error)) => return Err(error),
                Some(Part::Unclear) => return Ok(Item::Unclear),
                Some(Part::Ended(totals)) => return Ok(Item::Ended(totals)),
                None => return Err(super::sink::stopped()),
            }
        }
    }

    pub(super) fn is_known_ended(&self) -> bool {
        self.known_ended.load(Ordering::Acquire)
    }
}

impl Drop for Diff {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The walking thread's work.
fn compare(walk: Walk, known: Known, retry: bool, stop: &AtomicBool, parts: &mpsc::Sender<Part>) -> Part {
    let walk = walk.take_while(|_| !stop.load(Ordering::Relaxed));
    let mut join = Join::new(walk, known, retry);
    let mut handful = Vec::new();
    for change in join.by_ref() {
        match change {
            Ok(change) => handful.push(change),
            Err(error) => return Part::Failed(error),
        }
        if handful.len() == HANDFUL
            && parts.blocking_send(Part::Changes(std::mem::take(&mut handful))).is_err()
        {
            break;
        }
    }
    if stop.load(Ordering::Relaxed) {
        // A walk that was cut short says nothing about what is missing.
        return Part::Unclear;
    }
    let _ = parts.blocking_send(Part::Changes(handful));
    Part::Ended(join.totals())
}

/// Checkpoints on the walking thread.
struct Known {
    pages: mpsc::Receiver<Result<Vec<(String, Record)>>>,
    page: vec::IntoIter<(String, Record)>,
    ended: Arc<AtomicBool>,
}

impl Iterator for Known {
    type Item = Result<(String, Record)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(known) = self.page.next() {
                return Some(Ok(known));
            }
            match self.pages.blocking_recv() {
                Some(Ok(page)) => self.page = page.into_iter(),
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    self.ended.store(true, Ordering::Release);
                    return None;
                }
            }
        }
    }
}

/// Reads checkpoints ahead of the walking thread, a page or two.
async fn feed(
    sink: Arc<dyn Sink>,
    root: String,
    ranges: Vec<Range>,
    pages: mpsc::Sender<Result<Vec<(String, Record)>>>,
) {
    for range in ranges {
        let mut read = Pages::new(&*sink, &root, &range);
        while let Some(page) = read.next().await.transpose() {
            let is_end = page.is_err();
            if pages.send(page).await.is_err() || is_end {
                return;
            }
        }
    }
}
