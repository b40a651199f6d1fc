//! What one query runs within: whose it is, until when, and what it reads.

use rusqlite::Connection;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use vextir_core::{Actor, Error, ErrorKind, Result, Timestamp};

/// Which query a kept connection works for now: its tables and functions ask each time that they begin.
#[derive(Default)]
pub(super) struct Serving(Mutex<Option<Arc<Run>>>);

impl Serving {
    /// Works for a query until what comes back is dropped.
    pub(super) fn begin(&self, run: &Arc<Run>) -> Served<'_> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(run.clone());
        Served(self)
    }

    /// The query.
    pub(super) fn run(&self) -> rusqlite::Result<Arc<Run>> {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        run.ok_or_else(|| rusqlite::Error::ModuleError("nobody asks".to_owned()))
    }

    /// Whether it must end; so must what nobody asks for.
    pub(super) fn is_over(&self) -> bool {
        self.run().map_or(true, |run| run.is_over())
    }

    /// As [`Run::fail`].
    pub(super) fn fail(&self, error: impl FnOnce(&Run) -> Error) -> rusqlite::Error {
        match self.run() {
            Ok(run) => run.fail(error(&run)),
            Err(nobody) => nobody,
        }
    }
}

/// For as long as a connection works for a query.
pub(super) struct Served<'a>(&'a Serving);

impl Drop for Served<'_> {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// One query, as its tables and functions see it.
pub(super) struct Run {
    pub(super) actor: Actor,
    /// The hub's time when it was asked.
    pub(super) now: Timestamp,
    /// A reader of the hub, in one snapshot. SQL of the user never reaches it.
    hub: Arc<Mutex<Connection>>,
    end: Instant,
    allowed: Duration,
    /// Set when nobody waits for the answer any more, and when the hub closes.
    stops: [Arc<AtomicBool>; 2],
    /// How many cursors read documents ahead.
    pub(super) readings: Arc<AtomicUsize>,
    /// Why a table could not go on.
    failure: Mutex<Option<Error>>,
}

impl Run {
    pub(super) fn new(
        (actor, now): (Actor, Timestamp),
        hub: Arc<Mutex<Connection>>,
        allowed: Duration,
        stops: [Arc<AtomicBool>; 2],
    ) -> Self {
        let begun = Instant::now();
        // A time beyond what can be counted is no limit for as long as anybody lives.
        let end = begun.checked_add(allowed).unwrap_or(begun + Duration::from_secs(1 << 30));
        Self { actor, now, hub, end, allowed, stops, readings: Arc::default(), failure: Mutex::new(None) }
    }

    /// Whether it must end.
    pub(super) fn is_over(&self) -> bool {
        self.stops.iter().any(|stop| stop.load(Ordering::Relaxed)) || Instant::now() >= self.end
    }

    /// As [`Run::is_over`], for what ends with an error.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_over() { Err(self.too_long()) } else { Ok(()) }
    }

    pub(super) fn too_long(&self) -> Error {
        Error::new(
            ErrorKind::Timeout,
            format!("the query took longer than {:?}; narrow it down by path or id", self.allowed),
        )
    }

    /// Reads the hub. Its time is looked at by SQLite between steps, and by whoever reads on and on.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> rusqlite::Result<T> {
        let hub = self.hub.lock().unwrap_or_else(PoisonError::into_inner);
        read(&hub).map_err(|error| self.fail(error))
    }

    /// Keeps why a table or function cannot go on; SQLite is told no more than that.
    pub(super) fn fail(&self, error: Error) -> rusqlite::Error {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        rusqlite::Error::ModuleError("stopped".to_owned())
    }

    /// Why it failed, if one of ours said so. What SQLite says about the hub's file stays behind.
    pub(super) fn failure(&self) -> Option<Error> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Error::new(failure.kind(), failure.message().to_owned()))
    }
}
