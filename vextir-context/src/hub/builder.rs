//! The choices for a hub, and how it is started.

use super::{Hub, Inner, Threads, channels};
use crate::cursors::Cursors;
use crate::documents::Lanes;
use crate::file::{self, FileLock, Tuning};
use crate::keeper::Keeper;
use crate::readers;
use crate::search::{Engine, Link, SearchOptions};
use crate::sql::QueryLimits;
use crate::writer::{self, Retention, Settings, incarnation};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use vextir_core::bus::BusLimits;
use vextir_core::context::Keep;
use vextir_core::{Clock, Error, ErrorKind, Limits, Result, SystemClock};

/// How many commands may wait for the writer; who sends more waits for room.
const QUEUE: usize = 4_096;

/// For how long what is removed can be restored.
const REMOVED: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// A commit that was answered survives a power cut. The default.
    #[default]
    Full,
    /// Faster: a commit that was answered survives the death of the process, and a power cut may take the
    /// last commits with it. It never tears one apart.
    Normal,
}

/// Choices for a hub; [`HubBuilder::open`] opens it.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use std::time::Duration;
/// use vextir_context::{Hub, Synchronous};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("vextir.db");
/// let hub = Hub::builder(path)
///     .synchronous(Synchronous::Normal)
///     .keep_for(Duration::from_secs(24 * 60 * 60))
///     .keep_bytes(256 << 20)
///     .open()?;
/// # Ok::<(), vextir::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is opened before `open`"]
pub struct HubBuilder {
    path: Option<PathBuf>,
    synchronous: Synchronous,
    limits: BusLimits,
    age: Duration,
    bytes: u64,
    max_bytes: Option<u64>,
    dead_letters: usize,
    clock: Arc<dyn Clock>,
    queries: QueryLimits,
    search: SearchOptions,
    keep: Keep,
}

impl HubBuilder {
    fn with_path(path: Option<PathBuf>) -> Self {
        Self {
            path,
            synchronous: Synchronous::Full,
            limits: BusLimits::default(),
            age: Duration::from_secs(7 * 24 * 60 * 60),
            bytes: 1 << 30,
            max_bytes: None,
            dead_letters: 100_000,
            clock: Arc::new(SystemClock),
            queries: QueryLimits::default(),
            search: SearchOptions::default(),
            keep: Keep::new().removed(REMOVED),
        }
    }

    pub(super) fn new(path: PathBuf) -> Self {
        Self::with_path(Some(path))
    }

    /// Choices for a hub in memory, where `synchronous` says nothing.
    pub fn in_memory() -> Self {
        Self::with_path(None)
    }

    /// Whether a commit waits for the disk. [`Synchronous::Full`] by default.
    pub fn synchronous(self, synchronous: Synchronous) -> Self {
        Self { synchronous, ..self }
    }

    /// How many open deliveries and unrouted events are taken before an emit is refused as
    /// [`Busy`](ErrorKind::Busy), or waits. 100,000 by default; at least 1.
    pub fn backlog(self, backlog: usize) -> Self {
        Self { limits: self.limits.with_backlog(backlog), ..self }
    }

    /// What a causal tree may use when its root says nothing else. A tree whose limits were never set by
    /// hand follows this also after the hub is opened anew with another default.
    pub fn lease(self, limits: Limits) -> Self {
        Self { limits: self.limits.with_lease(limits), ..self }
    }

    /// For how long events are kept. 7 days by default; `Duration::MAX` keeps them for ever. Events that
    /// wait, dead letters and open work are kept however old they are.
    pub fn keep_for(self, age: Duration) -> Self {
        Self { age, ..self }
    }

    /// How large the log and everything beside it may grow before the oldest events are removed, in bytes.
    /// Documents do not count. 1 GiB by default; `u64::MAX` for no limit. Events that wait, dead letters and open work are kept,
    /// and so are the last 256 events.
    pub fn keep_bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// A hard limit on the size of the file, in bytes, rounded down to pages of 4 KiB. None by default. At
    /// the limit, what needs room is refused as [`Unavailable`](ErrorKind::Unavailable) and nothing is
    /// lost. Retention then keeps at most seven eighths of it.
    pub fn max_bytes(self, bytes: u64) -> Self {
        Self { max_bytes: Some(bytes), ..self }
    }

    /// How many dead letters are kept; beyond it the oldest are removed, with a warning. 100,000 by default.
    pub fn dead_letters(self, most: usize) -> Self {
        Self { dead_letters: most, ..self }
    }

    /// For how long the past of documents can be read, where no folder says otherwise
    /// ([`Context::keep`](vextir_core::Context::keep)). For ever by default; at least an hour.
    pub fn keep_versions(self, versions: Duration) -> Self {
        Self { keep: self.keep.versions(versions), ..self }
    }

    /// For how long removed documents and folders can be restored, where no folder says otherwise. 90 days by
    /// default; `Duration::MAX` for ever.
    pub fn keep_removed(self, removed: Duration) -> Self {
        Self { keep: self.keep.removed(removed), ..self }
    }

    /// What bounds each [`Context::query`](vextir_core::Context::query). At most two queries run at once, and others
    /// wait.
    pub fn query_limits(self, queries: QueryLimits) -> Self {
        Self { queries, ..self }
    }

    /// How documents are searched ([`Context::search`](vextir_core::Context::search)). By default an index of words and
    /// vectors is kept in the file, behind the commits.
    pub fn search(self, search: SearchOptions) -> Self {
        Self { search, ..self }
    }

    /// Where the hub's time comes from. The system's clock by default.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    fn tuning(&self) -> Tuning {
        let synchronous = match self.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        Tuning { synchronous, max_bytes: self.max_bytes }
    }

    /// Opens the hub.
    ///
    /// # Errors
    /// See [`Hub::open`].
    pub fn open(self) -> Result<Hub> {
        let path = self.path.as_deref().map(file::real_path).transpose()?;
        let tuning = self.tuning();
        let (lock, connection) = match &path {
            Some(path) => {
                let lock = FileLock::take(path, self.clock.now())?;
                (Some(lock), file::open(path, tuning)?)
            }
            None => (None, file::in_memory(tuning)?),
        };
        let incarnation = incarnation(&connection)?;
        crate::sync::begin(&connection)?;
        let cursors = Cursors::open(&connection, incarnation)?;
        let room = self.max_bytes.map_or(u64::MAX, |most| most / 8 * 7);
        let settings = Settings {
            limits: self.limits.clone(),
            retention: Retention::new(self.age, self.bytes, room, self.dead_letters),
            clock: self.clock.clone(),
            opening: cursors.opening(),
        };
        let (shared, feed, status, chores, changes) = channels();
        let attached = shared.attached.clone();
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (begun, beginning) = std::sync::mpsc::sync_channel(1);
        let writer = readers::spawn("vextir-hub-writer", move || {
            writer::run(connection, settings, shared, queue, &begun);
            // Only now may somebody else open the file.
            drop(lock);
        })?;
        let gone = || Error::new(ErrorKind::Unavailable, "the hub's writer ended at once");
        beginning.recv().map_err(|_| gone())??;
        let (readers, threads) = match &path {
            Some(path) => readers::start(path).map(|(sender, threads)| (Some(sender), threads))?,
            None => (None, Vec::new()),
        };
        let search = Engine::new(self.search);
        search.start(Link {
            jobs: jobs.clone(),
            readers: readers.clone(),
            changes: changes.clone(),
            status: status.clone(),
            signals: search.signals(),
        })?;
        let reading = readers.as_ref().map(mpsc::Sender::downgrade);
        let keeper = Keeper::start(jobs.downgrade(), reading, path.clone(), self.keep, self.clock.clone())?;
        Ok(Hub(Arc::new(Inner {
            jobs: Some(jobs),
            readers: Mutex::new(readers),
            threads: Mutex::new(Threads { readers: threads, writer: Some(writer) }),
            feed,
            status,
            chores,
            changes,
            lanes: Lanes::new(),
            keeper,
            queries: crate::sql::Threads::new(self.queries),
            clock: self.clock,
            cursors,
            search,
            client: AtomicU64::new(super::fresh_client()),
            incarnation,
            defaults: self.limits.lease,
            path,
            attached,
        })))
    }
}
