//! The one thread that writes: it gathers commands, commits them together, and answers.

mod answer;
mod batch;
mod gather;
mod index;
mod job;
mod retention;
mod window;

pub(crate) use answer::{Answer, closed, question};
pub(crate) use job::{Commit, Indexing, Job, Reading};
pub(crate) use retention::Retention;

use crate::cursors::Opening;
use crate::fault::OrFault;
use crate::queries;
use crate::rows::SqlRows;
use answer::Relay;
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::task::Waker;
use tokio::sync::{mpsc, watch};
use vextir_core::bus::{Attachment, BusLimits, BusStatus, Chores, Feed};
use vextir_core::{Clock, Error, ErrorKind, Result};
use window::Window;

/// What the writer shows to everybody else.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) feed: Arc<Feed>,
    pub(crate) status: watch::Sender<BusStatus>,
    pub(crate) chores: watch::Sender<Chores>,
    /// The last change of a document.
    pub(crate) changes: watch::Sender<u64>,
    /// Whether a processor has its place on the hub.
    pub(crate) attached: Arc<AtomicBool>,
}

/// What a writer is made with.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) limits: BusLimits,
    pub(crate) retention: Retention,
    pub(crate) clock: Arc<dyn Clock>,
    /// What is noted with the first change of a document.
    pub(crate) opening: Option<Opening>,
}

/// The state of the writer thread.
pub(crate) struct Writer<'c> {
    connection: &'c Connection,
    rows: SqlRows<'c>,
    limits: BusLimits,
    clock: Arc<dyn Clock>,
    shared: Shared,
    window: Window,
    retention: Retention,
    /// Tasks that have answers and may not know it yet.
    relay: Relay,
    /// Wakes this thread.
    waker: Waker,
}

/// Runs until the hub is closed; says first whether it could begin.
pub(crate) fn run(
    connection: Connection,
    settings: Settings,
    shared: Shared,
    jobs: mpsc::Receiver<Job>,
    begun: &SyncSender<Result<()>>,
) {
    match Writer::new(&connection, settings, shared) {
        Ok(mut writer) => {
            let _ = begun.send(Ok(()));
            writer.serve(jobs);
        }
        Err(error) => drop(begun.send(Err(error))),
    }
    // The last connection of a file folds the write-ahead log into it.
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the hub's file was not closed in order");
    }
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection, settings: Settings, shared: Shared) -> Result<Self> {
        let Settings { limits, retention, clock, opening } = settings;
        let mut rows = SqlRows::new(connection, limits.backlog, limits.lease.clone())?;
        rows.desk.opening = opening;
        let mut writer = Self {
            connection,
            rows,
            limits,
            clock,
            shared,
            window: Window::default(),
            retention,
            relay: Relay::default(),
            waker: gather::Unpark::this_thread(),
        };
        writer.publish();
        Ok(writer)
    }

    fn serve(&mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut gathered = Vec::with_capacity(gather::BATCH);
        while self.gather(&mut jobs, &mut gathered) {
            if self.work(&mut gathered) {
                jobs.close();
                while let Ok(job) = jobs.try_recv() {
                    gathered.push(job);
                }
                self.work(&mut gathered);
                break;
            }
            self.tidy();
        }
        self.relay.pass_on();
        if let Err(error) = self.in_transaction(|writer| writer.rows.seal()) {
            tracing::warn!(%error, "the hub's last numbers were not written");
        }
        self.shared.feed.close();
    }

    /// Whether something is to be done between two batches.
    fn is_untidy(&self) -> bool {
        self.rows.desk.errands || self.retention.has_more()
    }

    /// Does a slice of what is to be done between two batches.
    fn tidy(&mut self) {
        if self.rows.desk.errands
            && let Err(error) = self.transact(|rows| rows.run_errand())
        {
            // The next errand, or the next opening, goes on with it.
            tracing::warn!(%error, "members of a group do not find yet what is shared with it");
            self.rows.desk.errands = false;
        }
        self.retain();
    }

    /// Does what was gathered, in order; true when the hub is to be closed.
    fn work(&mut self, gathered: &mut Vec<Job>) -> bool {
        let mut close = false;
        let mut commits = Vec::with_capacity(gathered.len());
        for job in gathered.drain(..) {
            if let Job::Commit(commit) = job {
                commits.push(commit);
                continue;
            }
            if !commits.is_empty() {
                self.commit(std::mem::take(&mut commits));
            }
            match job {
                Job::Attach(answer) => answer.send(self.attach()),
                Job::Detach(answer) => answer.send(self.detach()),
                Job::Read(read) => read(self.connection),
                Job::Index(step, answer) => answer.send(self.index(step)),
                Job::Work(work) => work(self),
                Job::Close => close = true,
                Job::Commit(_) => {}
            }
        }
        if !commits.is_empty() {
            self.commit(commits);
        }
        close
    }

    /// Does something to the rows in a transaction of its own.
    fn transact<T>(&mut self, work: impl FnOnce(&mut SqlRows<'_>) -> Result<T>) -> Result<T> {
        self.rows.begin(self.clock.now());
        let outcome = self.in_transaction(|writer| {
            let made = work(&mut writer.rows)?;
            writer.rows.flush().map(|()| made)
        });
        self.publish();
        outcome
    }

    fn attach(&mut self) -> Result<Attachment> {
        if self.shared.attached.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Locked,
                "another processor is attached to this hub; a hub has one processor",
            ));
        }
        let unclean = queries::stored_number(self.connection, "unclean")? != 0;
        let alone = Some(queries::stored_number(self.connection, "alone")?).filter(|position| *position != 0);
        let found = Attachment::new(unclean, alone, queries::drivers(self.connection)?);
        self.in_transaction(|writer| writer.rows.set_meta("unclean", 1))?;
        self.shared.attached.store(true, Ordering::Release);
        self.shared.feed.open();
        Ok(found)
    }

    fn detach(&mut self) -> Result<()> {
        self.in_transaction(|writer| {
            writer.rows.set_meta("unclean", 0)?;
            writer.rows.set_meta("alone", 0)
        })?;
        self.shared.attached.store(false, Ordering::Release);
        self.shared.feed.close();
        Ok(())
    }

    /// Shows where the hub stands.
    fn publish(&mut self) {
        if let Err(error) = self.rows.refresh() {
            tracing::warn!(%error, "the next due time could not be read");
        }
        let counts = &self.rows.counts;
        let status = BusStatus::new(counts.head, counts.open(), self.limits.backlog)
            .with_waiting(counts.parked - counts.made, counts.made);
        // First: who waits for the work that made them must see the changes.
        let head = self.rows.desk.head;
        self.shared.changes.send_if_modified(|old| std::mem::replace(old, head) != head);
        self.shared.status.send_if_modified(|old| std::mem::replace(old, status) != status);
        let chores = self.rows.chores();
        self.shared.chores.send_if_modified(|old| std::mem::replace(old, chores) != chores);
    }
}

/// What the file already says about its log, before anybody writes.
pub(crate) fn incarnation(connection: &Connection) -> Result<u64> {
    if let Some(known) = queries::meta::<i64>(connection, "incarnation")? {
        return Ok(known.cast_unsigned());
    }
    let fresh = vextir_core::bus::new_incarnation();
    connection
        .execute("INSERT INTO meta (name, value) VALUES ('incarnation', ?1)", [fresh.cast_signed()])
        .or_fault()?;
    Ok(fresh)
}
