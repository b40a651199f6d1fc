//! The bus in memory: nothing survives the process, everything else is as the contract says.

mod recent;
mod table;

use super::{
    Attachment, BusLimits, BusStatus, Checkpoint, Chores, Command, DeadLetter, Delivery, EventBus, Feed,
    Held, Hold, KnownDriver, Logged, Page, Parked, Position, Receipt, Sequence, transact,
};
use crate::{
    AuditRecord, Backend, Clock, Error, ErrorKind, EventFilter, EventId, Lease, Name, Result, SystemClock,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use table::Table;
use tokio::sync::watch;

/// How often to look whether another commit is over, before going to sleep.
const SPINS: usize = 500;

/// An [`EventBus`] in memory. Cloning it clones a handle.
///
/// Keeps the last 20,000 events ([`MemoryBus::with_limits`] sets another number); older ones are removed, and a cursor that asks for them gets a gap error.
#[derive(Clone)]
pub struct MemoryBus(Arc<Inner>);

struct Inner {
    table: Mutex<Table>,
    status: watch::Sender<BusStatus>,
    chores: watch::Sender<Chores>,
    feed: Feed,
    limits: BusLimits,
    clock: Arc<dyn Clock>,
}

impl MemoryBus {
    /// A bus with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(BusLimits::default(), 20_000, Arc::new(SystemClock))
    }

    /// A bus with limits of your own, which keeps `keep` events and takes its time from `clock`.
    #[must_use]
    pub fn with_limits(limits: BusLimits, keep: usize, clock: Arc<dyn Clock>) -> Self {
        let status = BusStatus { limit: limits.backlog, ..BusStatus::default() };
        Self(Arc::new(Inner {
            table: Mutex::new(Table::new(keep, limits.backlog)),
            status: watch::Sender::new(status),
            chores: watch::Sender::default(),
            feed: Feed::default(),
            limits,
            clock,
        }))
    }

    /// Makes the ids that the bus gives, and its cursors, repeatable: the same commands at the same times then
    /// lead to the same state. For simulations, and for a journal that is replayed. Call it before the first
    /// commit.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        self.table().seed(seed);
        self
    }

    /// A commit takes about a microsecond: going to sleep until another one is over would take longer.
    fn table(&self) -> MutexGuard<'_, Table> {
        for _ in 0..SPINS {
            match self.0.table.try_lock() {
                Ok(table) => return table,
                Err(TryLockError::Poisoned(table)) => return table.into_inner(),
                Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
            }
        }
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryBus {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBus").field("status", &*self.0.status.borrow()).finish_non_exhaustive()
    }
}

impl Backend for MemoryBus {
    fn bus(&self) -> Arc<dyn EventBus> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl EventBus for MemoryBus {
    fn status(&self) -> watch::Receiver<BusStatus> {
        self.0.status.subscribe()
    }

    fn chores(&self) -> watch::Receiver<Chores> {
        self.0.chores.subscribe()
    }

    fn incarnation(&self) -> u64 {
        self.table().incarnation
    }

    fn is_durable(&self) -> bool {
        false
    }

    async fn commit(&self, command: Command) -> Result<Receipt> {
        let mut table = self.table();
        table.begin(self.0.clock.now());
        let applied = transact(&mut *table, &self.0.limits.lease, &command)?;
        let gone = table.trim();
        // Inside the lock, so that the feed and the head follow commit order.
        self.0.feed.push(applied.deliveries);
        let (status, chores) = (table.status(), table.chores());
        self.0.status.send_if_modified(|old| std::mem::replace(old, status) != status);
        self.0.chores.send_if_modified(|old| std::mem::replace(old, chores) != chores);
        drop(table);
        drop(gone);
        Ok(applied.receipt)
    }

    async fn read(&self, after: Sequence, filter: &EventFilter, limit: usize) -> Result<Page> {
        self.table().read(after, filter, limit)
    }

    async fn find(&self, user: &Name, id: &EventId) -> Result<Option<Logged>> {
        Ok(self.table().logged(user, id))
    }

    async fn lease(&self, user: &Name, root: &EventId) -> Result<Option<Lease>> {
        Ok(self.table().ledger(user, root))
    }

    async fn attach(&self) -> Result<Attachment> {
        let mut table = self.table();
        if table.attached {
            return Err(Error::new(
                ErrorKind::Locked,
                "a processor is attached to this bus already; shut it down, or use a bus of its own",
            ));
        }
        table.attached = true;
        let found = Attachment {
            unclean: std::mem::replace(&mut table.unclean, true),
            alone: table.alone,
            drivers: table
                .drivers
                .iter()
                .map(|(id, version)| KnownDriver { id: id.clone(), version: version.clone() })
                .collect(),
        };
        self.0.feed.open();
        Ok(found)
    }

    async fn detach(&self) -> Result<()> {
        let mut table = self.table();
        (table.attached, table.unclean, table.alone) = (false, false, None);
        self.0.feed.close();
        Ok(())
    }

    fn abandon(&self) {
        self.table().attached = false;
        self.0.feed.close();
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        self.0.feed.take(max).await
    }

    async fn pending(&self, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        Ok(self.table().deliveries.range(after + 1..).take(limit).map(|(_, one)| one.clone()).collect())
    }

    async fn unclaimed(&self) -> Result<BTreeMap<Name, usize>> {
        let mut counted = BTreeMap::new();
        for delivery in self.table().unclaimed.values() {
            *counted.entry(delivery.driver.clone()).or_default() += 1;
        }
        Ok(counted)
    }

    async fn unclaimed_of(&self, driver: &Name, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        let table = self.table();
        let own = table.unclaimed.range(after + 1..).filter(|(_, one)| one.driver == *driver);
        Ok(own.take(limit).map(|(_, one)| one.clone()).collect())
    }

    async fn unrouted(&self, limit: usize) -> Result<Vec<Logged>> {
        Ok(self.table().unrouted.values().take(limit).cloned().collect())
    }

    async fn parked(&self, hold: Hold, limit: usize) -> Result<Vec<Parked>> {
        let table = self.table();
        let mut parked: Vec<&Parked> = table.parked.values().filter(|parked| parked.hold == hold).collect();
        parked
            .sort_by_key(|parked| (parked.event.deliver_at.filter(|_| hold == Hold::Delayed), parked.number));
        Ok(parked.into_iter().take(limit).cloned().collect())
    }

    async fn held(&self, which: &Held, limit: usize) -> Result<Vec<Parked>> {
        let meant = |parked: &&Parked| {
            let event = &parked.event;
            let is_meant = match which {
                Held::Event(user, id) => {
                    event.id == *id && (id.foreign().is_none() || event.user_id == *user)
                }
                Held::Tree(user, root) => event.is_of_tree(user, root),
                Held::Key(user, key) => event.user_id == *user && event.ordering_key.as_ref() == Some(key),
                Held::User(user) => event.user_id == *user,
            };
            is_meant && parked.hold != Hold::Delayed
        };
        Ok(self.table().parked.values().filter(meant).take(limit).cloned().collect())
    }

    async fn dead_letters(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>> {
        Ok(self.table().dead.range(after + 1..).take(limit).map(|(_, one)| one.clone()).collect())
    }

    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<(u64, AuditRecord)>> {
        let table = self.table();
        Ok(table.audit.iter().filter(|(number, _)| *number > after).take(limit).cloned().collect())
    }

    async fn checkpoints(&self, driver: &Name, after: &str, limit: usize) -> Result<Vec<Checkpoint>> {
        let table = self.table();
        let Some(own) = table.checkpoints.get(driver) else { return Ok(Vec::new()) };
        let from = (std::ops::Bound::Excluded(after.to_owned()), std::ops::Bound::Unbounded);
        // The empty key sorts first and is excluded by `after == ""`: checkpoints have non-empty keys.
        Ok(own
            .range(from)
            .take(limit)
            .map(|(key, value)| Checkpoint {
                driver: driver.clone(),
                key: key.clone(),
                value: Some(value.clone()),
            })
            .collect())
    }
}
