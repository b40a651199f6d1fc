//! The handle on a hub.

mod builder;
mod bus;

pub use builder::{HubBuilder, Synchronous};

use crate::cursors::Cursors;
use crate::documents::{Enrollment, Lanes};
use crate::file::beside;
use crate::rows::SqlRows;
use crate::space::{self, HubSize};
use crate::writer::{Indexing, Job, Reading, Shared, closed, question};
use rusqlite::Connection;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot, watch};
use vextir_core::bus::{BusStatus, Chores, Feed};
use vextir_core::{Actor, Clock, Context, Limits, Name, Result, Timestamp};

/// All durable state of an application in one SQLite file. A cheap handle: a clone is the same hub.
///
/// When the last handle is dropped, what is queued is still written and the file is closed in order; that
/// blocks the thread for a moment. [`Hub::close`] does the same without blocking.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::{Event, EventBusExt};
/// use vextir_context::Hub;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> vextir::Result<()> {
/// let hub = Hub::in_memory()?;
/// let id = hub.emit(Event::new("greeting.sent")).await?;
/// assert_eq!(hub.size().await?.wal, 0);
/// # let _ = id;
/// hub.close().await
/// # }
/// ```
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    /// `None` while the last handle is being dropped.
    jobs: Option<mpsc::Sender<Job>>,
    /// `None` in memory, where the writer reads, and after the hub was closed.
    readers: Mutex<Option<mpsc::Sender<Reading>>>,
    threads: Mutex<Threads>,
    feed: Arc<Feed>,
    status: watch::Receiver<BusStatus>,
    chores: watch::Receiver<Chores>,
    changes: watch::Receiver<u64>,
    lanes: Lanes,
    queries: crate::sql::Threads,
    keeper: crate::keeper::Keeper,
    cursors: Cursors,
    search: crate::search::Engine,
    /// Whose edits those of this hub are, to other replicas: another one with each opening, so that a file that was
    /// copied or restored does not go on as somebody else too.
    client: AtomicU64,
    clock: Arc<dyn Clock>,
    incarnation: u64,
    defaults: Limits,
    path: Option<PathBuf>,
    attached: Arc<AtomicBool>,
}

impl Hub {
    /// Opens the hub in a file, or makes it. [`Hub::builder`] has the choices.
    ///
    /// # Errors
    /// [`Locked`](vextir_core::ErrorKind::Locked) while another process, or another hub of this one, has the
    /// file open; [`Corrupt`](vextir_core::ErrorKind::Corrupt) when it is damaged or newer than this code;
    /// [`Invalid`](vextir_core::ErrorKind::Invalid) when it belongs to another application;
    /// [`Unavailable`](vextir_core::ErrorKind::Unavailable) when it cannot be written;
    /// [`NotFound`](vextir_core::ErrorKind::NotFound) when its folder does not exist. What is refused is left
    /// as it is.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder(path).open()
    }

    /// A hub that forgets everything with its last handle. For tests and for trying things out.
    ///
    /// # Errors
    /// There is no memory, or no thread can be started.
    pub fn in_memory() -> Result<Self> {
        HubBuilder::in_memory().open()
    }

    /// Choices for a hub in a file.
    pub fn builder(path: impl AsRef<Path>) -> HubBuilder {
        HubBuilder::new(path.as_ref().to_owned())
    }

    /// The room that the hub takes.
    ///
    /// # Errors
    /// The storage failed, or the hub was closed.
    pub async fn size(&self) -> Result<HubSize> {
        let space = self.read_with(space::measure).await?;
        let wal = self.0.path.as_ref().and_then(|path| beside(path, "-wal").metadata().ok());
        Ok(HubSize { used: space.used, free: space.free, wal: wal.map_or(0, |file| file.len()) })
    }

    /// Writes what is queued, folds the write-ahead log into the file, and lets go of it. Every handle on
    /// the hub answers [`Closed`](vextir_core::ErrorKind::Closed) from then on. Doing it twice does nothing.
    ///
    /// # Errors
    /// No thread could be started to wait for the writer.
    pub async fn close(self) -> Result<()> {
        let (done, finished) = oneshot::channel();
        let inner = self.0.clone();
        crate::readers::spawn("vextir-hub-close", move || {
            inner.end(|inner| {
                if let Some(jobs) = &inner.jobs {
                    // If the writer has ended already, there is nothing left to do.
                    let _ = jobs.blocking_send(Job::Close);
                }
            });
            drop(inner);
            let _ = done.send(());
        })?;
        let _ = finished.await;
        Ok(())
    }

    /// The documents of a user; see [`Context`].
    ///
    /// ```
    /// # extern crate vextir_core as vextir;
    /// use serde_json::json;
    /// use vextir_context::Hub;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> vextir::Result<()> {
    /// let hub = Hub::in_memory()?;
    /// let notes = hub.context("user_123");
    /// notes.write("/Projects/Alpha/status", json!({"phase": "development", "progress": 0.75}))
    ///     .metadata(json!({"priority": "high"})).await?;
    /// let status = notes.read("/Projects/Alpha/status").await?.unwrap();
    /// assert_eq!(status.content, json!({"phase": "development", "progress": 0.75}).into());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn context(&self, user: impl Into<Name>) -> Context {
        Context::new(Arc::new(self.clone()), Actor::user(user))
    }

    /// Puts a user into a group. What is shared with the group appears below the user's `/Shared`.
    ///
    /// # Errors
    /// `Invalid`: the group's name. The storage failed.
    pub async fn add_member(&self, group: impl Into<Name>, user: impl Into<Name>) -> Result<()> {
        self.enroll(group.into(), user.into(), true).await
    }

    /// Takes a user out of a group: the group's rights are gone at once.
    ///
    /// # Errors
    /// As [`Hub::add_member`].
    pub async fn remove_member(&self, group: impl Into<Name>, user: impl Into<Name>) -> Result<()> {
        self.enroll(group.into(), user.into(), false).await
    }

    async fn enroll(&self, group: Name, user: Name, on: bool) -> Result<()> {
        let enrollment = Enrollment { group, user, on };
        self.write_with(move |rows| rows.enroll(&enrollment)).await
    }

    /// Lets the writer do something for a few milliseconds, in a transaction of its own.
    pub(crate) async fn write_with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqlRows<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = question();
        self.send(Job::work(work, |outcome| answer.send(outcome))).await?;
        answered.await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn lanes(&self) -> &Lanes {
        &self.0.lanes
    }

    pub(crate) fn queries(&self) -> &crate::sql::Threads {
        &self.0.queries
    }

    pub(crate) fn engine(&self) -> &crate::search::Engine {
        &self.0.search
    }

    /// Stores a step of the search index.
    pub(crate) async fn store_index(&self, step: Indexing) -> Result<()> {
        let (answer, answered) = question();
        self.send(Job::Index(step, answer)).await?;
        answered.await
    }

    pub(crate) fn keeper(&self) -> &crate::keeper::Keeper {
        &self.0.keeper
    }

    pub(crate) fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    pub(crate) fn client(&self) -> u64 {
        self.0.client.load(Ordering::Acquire)
    }

    /// From here on the edits of this hub are another one's: older ones come back that it had purged.
    pub(crate) fn renew_client(&self) {
        self.0.client.store(fresh_client(), Ordering::Release);
    }

    pub(crate) fn cursors(&self) -> &Cursors {
        &self.0.cursors
    }

    pub(crate) fn changes_seen(&self) -> watch::Receiver<u64> {
        self.0.changes.clone()
    }

    /// Runs a short reading function beside the writer.
    pub(crate) async fn read_with<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = question();
        let reading: Reading = Box::new(move |connection| answer.send(read(connection)));
        if self.0.path.is_some() {
            let readers = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).clone();
            readers.ok_or_else(closed)?.send(reading).await.map_err(|_| closed())?;
        } else {
            self.send(Job::Read(reading)).await?;
        }
        answered.await
    }

    async fn send(&self, job: Job) -> Result<()> {
        let jobs = self.0.jobs.as_ref().ok_or_else(closed)?;
        jobs.send(job).await.map_err(|_| closed())
    }
}

/// The threads of a hub.
#[derive(Default)]
struct Threads {
    readers: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
}

impl Inner {
    /// Waits until every thread has ended: the readers first, since the last connection folds the
    /// write-ahead log into the file.
    fn end(&self, tell_writer: impl FnOnce(&Self)) {
        self.keeper.end();
        self.queries.end();
        self.search.end();
        drop(self.readers.lock().unwrap_or_else(PoisonError::into_inner).take());
        // Who comes second waits here until the first is done.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for reader in threads.readers.drain(..) {
            // A thread that panicked has said so already.
            let _ = reader.join();
        }
        tell_writer(self);
        if let Some(writer) = threads.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let jobs = self.jobs.take();
        self.end(|_| drop(jobs));
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("path", &self.0.path)
            .field("status", &*self.0.status.borrow())
            .finish_non_exhaustive()
    }
}

/// What the writer shows, and where it is seen.
fn channels() -> (Shared, Arc<Feed>, watch::Receiver<BusStatus>, watch::Receiver<Chores>, watch::Receiver<u64>)
{
    let feed = Arc::new(Feed::default());
    let (status, status_seen) = watch::channel(BusStatus::default());
    let (chores, chores_seen) = watch::channel(Chores::default());
    let (changes, changes_seen) = watch::channel(0);
    let shared = Shared { feed: feed.clone(), status, chores, changes, attached: Arc::default() };
    (shared, feed, status_seen, chores_seen, changes_seen)
}

/// An identity for edits that nobody else has.
fn fresh_client() -> u64 {
    fastrand::u64(1..1 << 53)
}
