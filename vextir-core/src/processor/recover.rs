//! After a stop: who may have been running when the process died, and which drivers are gone.

use super::Kernel;
use super::registry::Registered;
use super::settle::Settled;
use crate::bus::{Attachment, Command, Delivery, Position};
use crate::flow::Declared;
use crate::{FlowKey, FlowRule, Name, Priority, Result};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const BATCH: usize = 1_024;
/// From this many reclaims on, a delivery runs alone.
const ALONE: u32 = 2;
/// With this many, it is a dead letter.
const POISON: u32 = 5;
/// How many deliveries run alone at most; more than that are no suspects but a backlog.
const MOST_ALONE: usize = 1_024;

/// Deliveries that run alone, one by one, before normal work begins.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    closed: AtomicBool,
    suspects: Mutex<VecDeque<Delivery>>,
    positions: Mutex<HashSet<Position>>,
    /// Keys whose earlier suspect waits for its retry.
    blocked: Mutex<HashSet<SuspectKey>>,
    running: AtomicBool,
}

/// Driver, user, ordering key.
type SuspectKey = (Name, Name, Name);

fn key_of(delivery: &Delivery) -> Option<SuspectKey> {
    let key = delivery.event.ordering_key.clone()?;
    Some((delivery.driver.clone(), delivery.event.user_id.clone(), key))
}

impl Quarantine {
    /// Whether normal work has to wait.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether a delivery is kept out of its queue.
    pub(super) fn holds(&self, position: Position) -> bool {
        lock(&self.positions).contains(&position)
    }

    fn fill(&self, suspects: Vec<Delivery>) {
        lock(&self.positions).extend(suspects.iter().map(|suspect| suspect.position));
        self.closed.store(!suspects.is_empty(), Ordering::Release);
        *lock(&self.suspects) = suspects.into();
    }

    /// Whether a later suspect has the same driver and ordering key.
    fn has_another(&self, suspect: &Delivery) -> bool {
        let key = key_of(suspect);
        key.is_some() && lock(&self.suspects).iter().any(|other| key_of(other) == key)
    }

    /// Keeps later suspects of the same key behind one that waits for its retry.
    fn block(&self, suspect: &Delivery) {
        lock(&self.blocked).extend(key_of(suspect));
    }

    fn is_blocked(&self, suspect: &Delivery) -> bool {
        key_of(suspect).is_some_and(|key| lock(&self.blocked).contains(&key))
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which deliveries the rules of flow control may have let begin: of each count the first, as many as may run.
struct Begun<'r> {
    driver: &'r Registered,
    counts: HashMap<FlowKey, u32>,
    batches: HashMap<FlowKey, u32>,
}

impl<'r> Begun<'r> {
    fn of(driver: &'r Registered) -> Self {
        Self { driver, counts: HashMap::new(), batches: HashMap::new() }
    }

    fn priority(&self, delivery: &Delivery) -> Priority {
        self.driver.lane().priority(&delivery.event)
    }

    /// How many slots it took: one for each batch.
    fn slots(&mut self, delivery: &Delivery) -> usize {
        let batch = |rule: &Declared| match rule.flow.rule() {
            FlowRule::Batch(most, _) => Some((rule.key_of(&delivery.event)?, *most)),
            _ => None,
        };
        let Some((key, most)) = self.driver.flow.iter().find_map(batch) else { return 1 };
        let members = self.batches.entry(key).or_default();
        *members += 1;
        usize::from((*members - 1).is_multiple_of(most))
    }

    fn may_have(&mut self, delivery: &Delivery) -> bool {
        let limit = |rule: &Declared| match rule.flow.rule() {
            FlowRule::Concurrency(most) => Some((rule.key_of(&delivery.event)?, *most)),
            _ => None,
        };
        let limits: Vec<_> = self.driver.flow.iter().filter_map(limit).collect();
        let count = |key: &FlowKey| self.counts.get(key).copied().unwrap_or(0);
        if limits.iter().any(|(key, most)| count(key) >= *most) {
            return false;
        }
        for (key, _) in limits {
            *self.counts.entry(key).or_default() += 1;
        }
        true
    }
}

impl Kernel {
    /// Looks at what an earlier processor left.
    pub(super) async fn recover(
        self: &Arc<Self>,
        drivers: &[Arc<Registered>],
        attachment: &Attachment,
    ) -> Result<()> {
        let missing =
            attachment.drivers.iter().any(|known| !drivers.iter().any(|driver| driver.id == known.id));
        if attachment.unclean || missing {
            self.look_through(drivers, attachment).await?;
        }
        for driver in drivers {
            self.block_dead_keys(driver).await?;
            self.remember_flow(driver).await?;
        }
        Ok(())
    }

    /// One pass over the open deliveries. Dispatch is in order, so only the first few of each driver can have
    /// been running: as many as it runs at a time.
    async fn look_through(
        self: &Arc<Self>,
        drivers: &[Arc<Registered>],
        attachment: &Attachment,
    ) -> Result<()> {
        let slots = |driver: &Arc<Registered>| [driver.lane().concurrency(); 3];
        let mut room: HashMap<&Name, [usize; 3]> =
            drivers.iter().map(|driver| (&driver.id, slots(driver))).collect();
        let mut begun: HashMap<&Name, Begun<'_>> =
            drivers.iter().map(|driver| (&driver.id, Begun::of(driver))).collect();
        let mut keys = HashSet::new();
        let mut unclaimed = Vec::new();
        let (mut reclaimed, mut suspects) = (Vec::new(), Vec::new());
        let (mut after, now) = (0, self.clock.now());
        loop {
            let page = self.bus.pending(after, BATCH).await?;
            for mut delivery in page.iter().cloned() {
                let (Some(room), Some(begun)) =
                    (room.get_mut(&delivery.driver), begun.get_mut(&delivery.driver))
                else {
                    unclaimed.push((delivery.driver, delivery.position));
                    continue;
                };
                // Each priority is dispatched in order, and of each key only the first. (One that went ahead of what
                // was passed over may be missed, once: the next process finds it in its place.)
                let room = &mut room[begun.priority(&delivery) as usize];
                let leads = key_of(&delivery).is_none_or(|key| keys.insert(key));
                let ran = match attachment.alone {
                    Some(alone) => delivery.position == alone,
                    // A suspect runs alone, and that is noted: it was not running.
                    None if delivery.reclaims >= ALONE => false,
                    None => {
                        leads
                            && *room > 0
                            && delivery.due.is_none_or(|due| due <= now)
                            && begun.may_have(&delivery)
                    }
                };
                if attachment.unclean && ran {
                    *room = room.saturating_sub(begun.slots(&delivery));
                    delivery.reclaims += 1;
                    reclaimed.push(delivery.position);
                }
                if delivery.reclaims >= ALONE && suspects.len() < MOST_ALONE {
                    suspects.push(delivery);
                }
            }
            match page.last() {
                Some(last) if page.len() == BATCH => after = last.position,
                _ => break,
            }
        }
        self.unclaim(unclaimed).await?;
        self.bus.commit(Command::Reclaim { positions: reclaimed, alone: None }).await?;
        let (poison, suspects): (Vec<_>, Vec<_>) =
            suspects.into_iter().partition(|suspect| suspect.reclaims >= POISON);
        for delivery in poison {
            self.bury(&delivery).await?;
        }
        for suspect in &suspects {
            // What comes later under the same key waits behind it from the start.
            if let Some(driver) = drivers.iter().find(|driver| driver.id == suspect.driver) {
                driver.lane().set_aside(&suspect.event);
            }
        }
        self.quarantine.fill(suspects);
        Ok(())
    }

    async fn bury(self: &Arc<Self>, delivery: &Delivery) -> Result<()> {
        let reason = format!("the process died {} times while it may have been running", delivery.reclaims);
        let settlement = self.letter(delivery, reason);
        let receipt = self.bus.commit(Command::Settle(Arc::new(settlement))).await?;
        self.go_on_if(&receipt);
        Ok(())
    }

    /// Runs the suspects, one by one, each noted before it runs; then normal work begins.
    pub(super) async fn run_quarantine(self: Arc<Self>) {
        if self.quarantine.running.swap(true, Ordering::AcqRel) {
            return;
        }
        loop {
            if self.paused.load(Ordering::Acquire) || self.stop.is_cancelled() {
                self.quarantine.running.store(false, Ordering::Release);
                // Who resumed before that found it running, and left it to this task.
                let go_on = !self.paused.load(Ordering::Acquire) && !self.stop.is_cancelled();
                if go_on && !self.quarantine.running.swap(true, Ordering::AcqRel) {
                    continue;
                }
                return;
            }
            let next = lock(&self.quarantine.suspects).pop_front();
            let Some(suspect) = next else { break };
            if let Err(error) = self.run_alone(&suspect).await {
                tracing::error!(%error, event = %suspect.event.id, "a delivery could not run alone");
                lock(&self.quarantine.suspects).push_front(suspect);
                self.clock.sleep(Duration::from_secs(1)).await;
            }
        }
        let done = Command::Reclaim { positions: Vec::new(), alone: None };
        if let Err(error) = self.bus.commit(done).await {
            tracing::error!(%error, "the end of the quarantine could not be noted");
        }
        self.quarantine.closed.store(false, Ordering::Release);
        self.pump_all();
    }

    async fn run_alone(self: &Arc<Self>, suspect: &Delivery) -> Result<()> {
        let Some(driver) = &self.routes().driver(&suspect.driver).cloned() else { return Ok(()) };
        if self.quarantine.is_blocked(suspect) {
            driver.lane().enqueue(suspect.clone());
            return Ok(());
        }
        let replaced = driver.lane().is_replaced(suspect.position);
        let settled = if replaced || self.cancellation.is_gone(&suspect.event) {
            Settled::Over
        } else {
            // Said before it is noted: whatever is counted was said.
            tracing::warn!(event = %suspect.event.id, driver = %driver.id, reclaims = suspect.reclaims, "runs alone");
            let note = Command::Reclaim { positions: Vec::new(), alone: Some(suspect.position) };
            self.bus.commit(note).await?;
            driver.lane().begin_alone(suspect, self.clock.now());
            let settled = self.run(driver, suspect).await;
            driver.lane().leave_alone(suspect);
            self.cancellation.ended(suspect.position);
            settled
        };
        match settled {
            Settled::Left => {}
            // The key is freed by the last suspect that has it.
            Settled::Over if self.quarantine.has_another(suspect) => {}
            Settled::Over | Settled::Apart => driver.lane().end(suspect),
            Settled::Again(again) => {
                self.quarantine.block(suspect);
                self.retry_later(driver, &mut driver.lane(), *again);
            }
        }
        Ok(())
    }

    /// What its dead letters block, if it wants that.
    pub(super) async fn block_dead_keys(&self, driver: &Registered) -> Result<()> {
        if !driver.manifest.block_on_dead {
            return Ok(());
        }
        let mut after = 0;
        loop {
            let page = self.bus.dead_letters(after, BATCH).await?;
            for letter in page.iter().filter(|letter| letter.driver == driver.id) {
                driver.lane().block(&letter.event, letter.position);
            }
            match page.last() {
                Some(last) if page.len() == BATCH => after = last.position,
                _ => return Ok(()),
            }
        }
    }
}
