//! House-keeping beside the writer: threads that read and prepare, and give the writer slices of a few milliseconds.

mod backup;
mod check;
mod export;
mod import;
mod parcel;
mod part;
mod rounds;
mod stats;

pub use export::Exported;
pub use import::{ImportRights, Imported};
pub use rounds::Tidied;
pub use stats::{HubPart, HubStats};

use crate::documents::keeping::Terms;
use crate::fault::OrFault;
use crate::file;
use crate::readers::spawn;
use crate::rows::SqlRows;
use crate::writer::{Answer, Job, Reading, closed, question};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::mpsc::WeakSender;
use vextir_core::context::Keep;
use vextir_core::{Clock, Result};

/// How far a longer piece of house-keeping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is done.
    pub done: u64,
    /// Out of how much, as far as that is known.
    pub total: u64,
}

/// After how many steps of SQLite long reading looks whether it is still wanted.
const STEPS: i32 = 10_000;

/// What house-keeping works with. It keeps no hub open.
#[derive(Clone)]
pub(crate) struct Hands {
    jobs: WeakSender<Job>,
    /// `None` in memory, where the writer reads.
    readers: Option<WeakSender<Reading>>,
    path: Option<PathBuf>,
    pub(crate) terms: Terms,
    clock: Arc<dyn Clock>,
    /// One round at a time.
    round: Arc<Mutex<()>>,
    closing: Arc<AtomicBool>,
    /// Set when nobody waits for this work any more.
    dropped: Arc<AtomicBool>,
}

impl Hands {
    /// Stops here when the hub is closed, or nobody waits.
    pub(crate) fn go_on(&self) -> Result<()> {
        let stop = self.closing.load(Ordering::Relaxed) || self.dropped.load(Ordering::Relaxed);
        if stop { Err(closed()) } else { Ok(()) }
    }

    /// Reads for a few milliseconds.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.go_on()?;
        let (answer, answered) = sync_channel(1);
        let reading: Reading = Box::new(move |connection| {
            let _ = answer.send(read(connection));
        });
        match &self.readers {
            Some(readers) => {
                readers.upgrade().ok_or_else(closed)?.blocking_send(reading).map_err(|_| closed())?;
            }
            None => self.send(Job::Read(reading))?,
        }
        answered.recv().map_err(|_| closed())?
    }

    /// Reads for as long as it takes: on a connection of its own, if there is a file.
    pub(crate) fn read_long<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match &self.path {
            Some(path) => {
                let mut connection = file::open_reader(path)?;
                let hands = self.clone();
                connection.progress_handler(STEPS, Some(move || hands.go_on().is_err())).or_fault()?;
                read(&connection)
            }
            None => self.read(read),
        }
    }

    /// Lets the writer do something for a few milliseconds, in one transaction, and waits until it is committed.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqlRows<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.go_on()?;
        let (answer, answered) = sync_channel(1);
        self.send(Job::work(work, move |outcome| {
            let _ = answer.send(outcome);
        }))?;
        answered.recv().map_err(|_| closed())?
    }

    fn send(&self, job: Job) -> Result<()> {
        self.jobs.upgrade().ok_or_else(closed)?.blocking_send(job).map_err(|_| closed())
    }
}

/// The house-keeping of one hub.
pub(crate) struct Keeper {
    hands: Hands,
    /// Dropped to end the rounds.
    rounds: Mutex<Option<SyncSender<()>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Keeper {
    /// Begins the rounds.
    pub(crate) fn start(
        jobs: WeakSender<Job>,
        readers: Option<WeakSender<Reading>>,
        path: Option<PathBuf>,
        keep: Keep,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let hands = Hands {
            jobs,
            readers,
            path,
            terms: Terms::of(keep),
            clock,
            round: Arc::default(),
            closing: Arc::default(),
            dropped: Arc::default(),
        };
        let (sender, stop) = sync_channel(0);
        let own = hands.clone();
        let rounds = spawn("vextir-hub-keeper", move || rounds::go(&own, &stop))?;
        Ok(Self { hands, rounds: Mutex::new(Some(sender)), threads: Mutex::new(vec![rounds]) })
    }

    /// Does something on a thread of its own. It ends early when its answer is dropped, and with the hub.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Hands) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered): (Answer<T>, _) = question();
        let dropped = Arc::new(AtomicBool::new(false));
        let hands = Hands { dropped: dropped.clone(), ..self.hands.clone() };
        {
            let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
            hands.go_on()?;
            threads.retain(|thread| !thread.is_finished());
            threads.push(spawn("vextir-hub-errand", move || answer.send(work(&hands)))?);
        }
        let _guard = Dropped(dropped);
        answered.await
    }

    /// Ends all of it; waits for what is in the writer's hands.
    pub(crate) fn end(&self) {
        self.hands.closing.store(true, Ordering::Relaxed);
        drop(self.rounds.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let own = std::thread::current().id();
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != own) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// Tells that nobody waits any more.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
