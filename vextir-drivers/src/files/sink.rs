//! Where findings go, and where checkpoints come from: the processor, or a stand-in for tests.

use super::finding::{Note, Settled, key};
use super::record::Record;
use async_trait::async_trait;
use std::time::Duration;
use vextir::{Emitter, Error, ErrorKind, Event, Result};

/// How many checkpoints are read at a time.
const PAGE: usize = 1_024;
/// How many findings are committed at a time.
pub(super) const BATCH: usize = 256;
/// The pauses between attempts to commit.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a watch needs of its surroundings.
#[async_trait]
pub(super) trait Sink: Send + Sync + 'static {
    /// Emits events and writes checkpoints, all or none.
    async fn commit(&self, events: Vec<Event>, notes: Vec<Note>) -> Result<()>;
    /// Checkpoints after a key, in order.
    async fn known(&self, after: &str, limit: usize) -> Result<Vec<Note>>;
    async fn sleep(&self, span: Duration);
    /// Resolves when the processor stops.
    async fn stopped(&self);
    fn is_stopped(&self) -> bool;
}

#[async_trait]
impl Sink for Emitter {
    async fn commit(&self, events: Vec<Event>, notes: Vec<Note>) -> Result<()> {
        self.emit_all(events, notes).await.map(drop)
    }

    async fn known(&self, after: &str, limit: usize) -> Result<Vec<Note>> {
        let checkpoints = self.checkpoints(after, limit).await?;
        Ok(checkpoints.into_iter().map(|checkpoint| (checkpoint.key, checkpoint.value)).collect())
    }

    async fn sleep(&self, span: Duration) {
        self.clock().sleep(span).await;
    }

    async fn stopped(&self) {
        Self::stopped(self).await;
    }

    fn is_stopped(&self) -> bool {
        Self::is_stopped(self)
    }
}

/// Commits a batch of findings. What fails for now is tried again until it succeeds; an event that is
/// refused for good is left out, and its checkpoint kept, so that it does not come up at every scan.
///
/// Answers how many events were emitted.
///
/// # Errors
/// The processor stopped.
pub(super) async fn commit(sink: &dyn Sink, batch: Vec<Settled>) -> Result<u64> {
    let events: Vec<Event> = batch.iter().filter_map(|(event, _)| event.clone()).collect();
    let notes = batch.iter().flat_map(|(_, notes)| notes.clone()).collect();
    let emitted = events.len();
    match insist(sink, events, notes).await {
        Ok(()) => return Ok(u64::try_from(emitted).unwrap_or(u64::MAX)),
        Err(error) if error.kind() == ErrorKind::Closed => return Err(error),
        Err(_) => {}
    }
    let mut emitted = 0;
    for (event, notes) in batch {
        match insist(sink, event.iter().cloned().collect(), notes.clone()).await {
            Ok(()) => emitted += u64::from(event.is_some()),
            Err(error) if error.kind() == ErrorKind::Closed => return Err(error),
            Err(error) => {
                let path = notes.last().map(|(key, _)| key.as_str());
                tracing::warn!(path, %error, "an event about a file was refused");
                insist(sink, Vec::new(), notes).await?;
            }
        }
    }
    Ok(emitted)
}

/// Commits, and tries again with growing pauses while it fails for now.
async fn insist(sink: &dyn Sink, events: Vec<Event>, notes: Vec<Note>) -> Result<()> {
    let mut pause = FIRST_PAUSE;
    loop {
        if sink.is_stopped() {
            return Err(stopped());
        }
        match sink.commit(events.clone(), notes.clone()).await {
            Err(error) if error.kind().is_transient() => {
                tracing::warn!(%error, ?pause, "events about files wait: the bus fails");
                sink.sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            answer => return answer,
        }
    }
}

pub(super) fn stopped() -> Error {
    Error::new(ErrorKind::Closed, "the watch was stopped")
}

/// A range of a root's checkpoints.
#[derive(Debug, Clone)]
pub(super) enum Range {
    /// One path.
    Exact(String),
    /// Every path that begins so, those up to and including the second one left out.
    Prefix(String, Option<String>),
}

/// Reads a range of checkpoints, page by page.
pub(super) struct Pages<'a> {
    sink: &'a dyn Sink,
    range: &'a Range,
    /// What the keys of the range begin with.
    prefix: String,
    /// What the root's keys begin with, in bytes.
    own: usize,
    after: String,
    ended: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn new(sink: &'a dyn Sink, root: &str, range: &'a Range) -> Self {
        let (Range::Exact(path) | Range::Prefix(path, _)) = range;
        let prefix = key(root, path);
        let after = match range {
            Range::Prefix(_, Some(after)) => key(root, after),
            _ => just_before(&prefix),
        };
        Self { sink, range, prefix, own: key(root, "").len(), after, ended: false }
    }

    /// The next page, at times an empty one; `None` at the end.
    ///
    /// # Errors
    /// The bus failed.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<(String, Record)>>> {
        if self.ended {
            return Ok(None);
        }
        let limit = if matches!(self.range, Range::Exact(_)) { 1 } else { PAGE };
        let found = self.sink.known(&self.after, limit).await?;
        let Some((last, _)) = found.last() else { return Ok(None) };
        self.after.clone_from(last);
        self.ended = match self.range {
            Range::Exact(_) => *last >= self.prefix,
            Range::Prefix(..) => *last > self.prefix && !last.starts_with(&self.prefix),
        };
        let wanted = found.into_iter().filter(|(key, _)| match self.range {
            Range::Exact(_) => *key == self.prefix,
            Range::Prefix(..) => key.starts_with(&self.prefix),
        });
        // One that does not fit, from another version, counts as never written: rather twice than never.
        let read =
            |(key, value): Note| Some((key[self.own..].to_owned(), Record::from_data(value.as_ref())?));
        Ok(Some(wanted.filter_map(read).collect()))
    }
}

/// A key that sorts before this one, with hardly anything in between.
fn just_before(key: &str) -> String {
    let mut before = key.to_owned();
    let Some(last) = before.pop() else { return before };
    // Escaped text has no character zero; the surrogates are a gap.
    let previous = (1..=2048 + 1).find_map(|step| char::from_u32(u32::from(last).checked_sub(step)?));
    if let Some(previous) = previous {
        before.push(previous);
        before.push(char::MAX);
    }
    before
}

#[cfg(test)]
pub(super) mod tests;
