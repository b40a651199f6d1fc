//! A bus that shuffles who comes first, and dies when it is told to.

use super::{CrashPoint, Moment};
use crate::bus::{
    Attachment, BusStatus, Checkpoint, Chores, Command, DeadLetter, Delivery, EventBus, Held, Hold, Logged,
    MemoryBus, Page, Parked, Position, Receipt, Sequence,
};
use crate::{AuditRecord, EventFilter, EventId, Lease, Name, Result};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};

/// What the lives of one run share.
#[derive(Debug)]
pub(super) struct Script {
    shuffle: Mutex<fastrand::Rng>,
    /// Commits that store or settle an event, so far.
    commits: AtomicUsize,
    /// Where this run dies.
    crash: Option<CrashPoint>,
    /// What was committed where it died.
    died_at: Mutex<Option<String>>,
}

impl Script {
    pub(super) fn new(seed: u64, crash: Option<CrashPoint>) -> Self {
        Self {
            shuffle: Mutex::new(fastrand::Rng::with_seed(seed)),
            commits: AtomicUsize::new(0),
            crash,
            died_at: Mutex::default(),
        }
    }

    pub(super) fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    pub(super) fn died_at(&self) -> Option<String> {
        self.died_at.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the process dies at this commit, and when.
    fn moment(&self, command: &Command) -> Option<Moment> {
        let what = describe(command)?;
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        let crash = self.crash.filter(|crash| crash.commit == number)?;
        *self.died_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        Some(crash.moment)
    }

    fn yields(&self) -> u32 {
        let mut shuffle = self.shuffle.lock().unwrap_or_else(PoisonError::into_inner);
        // Mostly none, so that several steps of one task happen in a row too.
        if shuffle.bool() { 0 } else { shuffle.u32(1..6) }
    }
}

/// The commits at which a process may die: those that store or settle an event.
fn describe(command: &Command) -> Option<String> {
    match command {
        Command::Append(append) => {
            let types: Vec<&str> = append.entries.iter().map(|entry| &*entry.event.event_type).collect();
            Some(format!("the emit of {}", types.join(", ")))
        }
        Command::Settle(settlement) => {
            let delivery = &settlement.delivery;
            Some(format!("the settlement of {} by {}", delivery.event.event_type, delivery.driver))
        }
        Command::Route(route) => Some(format!("the routing of {}", route.event.event_type)),
        Command::Release(release) => Some(format!("the release of {}", release.id)),
        _ => None,
    }
}

/// One process's connection to the bus.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    bus: MemoryBus,
    script: Arc<Script>,
    dead: Arc<AtomicBool>,
    pub(super) death: Arc<Notify>,
}

impl Connection {
    pub(super) fn new(bus: MemoryBus, script: Arc<Script>) -> Self {
        Self { bus, script, dead: Arc::default(), death: Arc::default() }
    }

    /// Lets others go first, as often as the seed says; a dead process goes no further.
    async fn shuffle(&self) {
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        for _ in 0..self.script.yields() {
            tokio::task::yield_now().await;
        }
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    async fn die<T>(&self) -> T {
        self.dead.store(true, Ordering::SeqCst);
        self.death.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl EventBus for Connection {
    fn status(&self) -> watch::Receiver<BusStatus> {
        self.bus.status()
    }

    fn chores(&self) -> watch::Receiver<Chores> {
        self.bus.chores()
    }

    fn incarnation(&self) -> u64 {
        self.bus.incarnation()
    }

    fn is_durable(&self) -> bool {
        true
    }

    async fn commit(&self, command: Command) -> Result<Receipt> {
        self.shuffle().await;
        let moment = self.script.moment(&command);
        if moment == Some(Moment::Before) {
            return self.die().await;
        }
        let answer = self.bus.commit(command).await;
        if moment == Some(Moment::After) {
            return self.die().await;
        }
        self.shuffle().await;
        answer
    }

    async fn read(&self, after: Sequence, filter: &EventFilter, limit: usize) -> Result<Page> {
        self.shuffle().await;
        self.bus.read(after, filter, limit).await
    }

    async fn find(&self, user: &Name, id: &EventId) -> Result<Option<Logged>> {
        self.shuffle().await;
        self.bus.find(user, id).await
    }

    async fn lease(&self, user: &Name, root: &EventId) -> Result<Option<Lease>> {
        self.shuffle().await;
        self.bus.lease(user, root).await
    }

    async fn attach(&self) -> Result<Attachment> {
        self.bus.attach().await
    }

    async fn detach(&self) -> Result<()> {
        self.shuffle().await;
        self.bus.detach().await
    }

    fn abandon(&self) {
        self.bus.abandon();
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        let received = self.bus.receive(max).await;
        self.shuffle().await;
        received
    }

    async fn pending(&self, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        self.shuffle().await;
        self.bus.pending(after, limit).await
    }

    async fn unclaimed(&self) -> Result<BTreeMap<Name, usize>> {
        self.shuffle().await;
        self.bus.unclaimed().await
    }

    async fn unclaimed_of(&self, driver: &Name, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        self.shuffle().await;
        self.bus.unclaimed_of(driver, after, limit).await
    }

    async fn unrouted(&self, limit: usize) -> Result<Vec<Logged>> {
        self.shuffle().await;
        self.bus.unrouted(limit).await
    }

    async fn parked(&self, hold: Hold, limit: usize) -> Result<Vec<Parked>> {
        self.shuffle().await;
        self.bus.parked(hold, limit).await
    }

    async fn held(&self, which: &Held, limit: usize) -> Result<Vec<Parked>> {
        self.shuffle().await;
        self.bus.held(which, limit).await
    }

    async fn dead_letters(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>> {
        self.shuffle().await;
        self.bus.dead_letters(after, limit).await
    }

    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<(u64, AuditRecord)>> {
        self.shuffle().await;
        self.bus.audit(after, limit).await
    }

    async fn checkpoints(&self, driver: &Name, after: &str, limit: usize) -> Result<Vec<Checkpoint>> {
        self.shuffle().await;
        self.bus.checkpoints(driver, after, limit).await
    }
}
