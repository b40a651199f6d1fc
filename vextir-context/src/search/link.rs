//! How the threads of the index reach the hub: they read beside the writer, and give it small steps to store.

use super::entry;
use crate::drive::drive;
use crate::writer::{Job, Reading, closed, question};
use rusqlite::Connection;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use vextir_core::bus::BusStatus;
use vextir_core::{Error, Result};

/// How long the index rests after a step while others write, as a multiple of the step.
const REST: u32 = 3;

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_millis(200);

/// The first pause after a failure, and the longest.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How far the index is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Words: all of the operation log up to here is in.
    pub(super) cursor: u64,
    /// Whether the words of all documents are being looked at once.
    pub(super) is_sweeping: bool,
    /// Meanings: all of the operation log up to here is in.
    pub(super) embedded: u64,
    /// How often documents were given to the embedder.
    pub(super) queued: u64,
}

/// What all threads of the index share.
#[derive(Debug)]
pub(crate) struct Signals {
    pub(super) closing: watch::Sender<bool>,
    pub(super) progress: watch::Sender<Progress>,
    /// How many wait for the index: it does not wait for company then.
    pub(super) hurry: watch::Sender<usize>,
    /// Counts how often the index was emptied by hand.
    pub(super) rebuilds: watch::Sender<u64>,
    /// Why the words, and why the meanings, do not go on.
    pub(super) failures: Mutex<[Option<Error>; 2]>,
}

impl Signals {
    pub(super) fn new() -> Self {
        Self {
            closing: watch::Sender::new(false),
            progress: watch::Sender::default(),
            hurry: watch::Sender::default(),
            rebuilds: watch::Sender::default(),
            failures: Mutex::default(),
        }
    }

    pub(super) fn set_failure(&self, which: usize, failure: Option<Error>) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = failures.get_mut(which) {
            *place = failure;
        }
    }

    /// Why the index does not go on, if it does not.
    pub(super) fn failure(&self) -> Option<Error> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.iter().flatten().next().map(Error::duplicate)
    }
}

/// One thread's way to the hub.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) jobs: mpsc::Sender<Job>,
    /// `None` in memory, where the writer reads.
    pub(crate) readers: Option<mpsc::Sender<Reading>>,
    pub(crate) changes: watch::Receiver<u64>,
    pub(crate) status: watch::Receiver<BusStatus>,
    pub(crate) signals: Arc<Signals>,
}

impl Link {
    pub(super) fn is_closing(&self) -> bool {
        *self.signals.closing.borrow()
    }

    /// Runs a short reading function beside the writer.
    pub(super) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = question();
        let reading: Reading = Box::new(move |connection| answer.send(read(connection)));
        match &self.readers {
            Some(readers) => readers.blocking_send(reading).map_err(|_| closed())?,
            None => self.jobs.blocking_send(Job::Read(reading)).map_err(|_| closed())?,
        }
        drive(answered, None).unwrap_or_else(|| Err(closed()))
    }

    /// Stores something of the index; then rests, if others write.
    pub(super) fn store(
        &mut self,
        step: impl FnOnce(&Connection) -> Result<i64> + Send + 'static,
    ) -> Result<()> {
        if self.is_closing() {
            return Err(closed());
        }
        self.status.mark_unchanged();
        let began = Instant::now();
        let (answer, answered) = question();
        self.jobs.blocking_send(Job::Index(Box::new(step), answer)).map_err(|_| closed())?;
        drive(answered, None).unwrap_or_else(|| Err(closed()))?;
        let is_busy = self.status.has_changed().unwrap_or(false);
        if is_busy && *self.signals.hurry.borrow() == 0 {
            self.pause((began.elapsed() * REST).min(LONGEST_REST));
        }
        Ok(())
    }

    /// Stores steps, each portion in a transaction of its own.
    pub(super) fn store_steps(&mut self, steps: Vec<entry::Step>) -> Result<()> {
        for portion in entry::portions(steps) {
            self.store(move |connection| entry::store(connection, &portion))?;
        }
        Ok(())
    }

    /// Waits, but not for one who closes the hub.
    pub(super) fn pause(&self, span: Duration) {
        self.wait_for(std::future::pending::<()>(), Some(span));
    }

    /// Waits for something; `None` when the hub closes first, or the span is over.
    pub(super) fn wait_for<F: Future>(&self, what: F, span: Option<Duration>) -> Option<F::Output> {
        let mut closing = self.signals.closing.subscribe();
        let deadline = span.and_then(|span| Instant::now().checked_add(span));
        let either = async {
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => None,
                output = what => Some(output),
            }
        };
        drive(either, deadline).flatten()
    }
}

/// How long to wait after failures: longer and longer.
#[derive(Debug)]
pub(super) struct Patience(Duration);

impl Patience {
    pub(super) fn new() -> Self {
        Self(PAUSE)
    }

    /// Something went well.
    pub(super) fn renew(&mut self) {
        self.0 = PAUSE;
    }

    /// Something failed: how long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(LONGEST_PAUSE);
        now
    }
}
