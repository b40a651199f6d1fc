//! The operator's calls: pause, cancel, extend, redrive, approve, look.

use super::{Kernel, Processor};
use crate::bus::{Command, DeadLetter, Hold, Parked, Position};
use crate::{AuditRecord, Decision, Error, ErrorKind, EventId, Lease, Limits, Manifest, Name, Result};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How many parked events or dead letters are looked at in one go.
const BATCH: usize = 1_024;

/// One driver, and how busy it is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DriverStatus {
    /// Its manifest.
    pub manifest: Manifest,
    /// Deliveries that wait in memory.
    pub queued: usize,
    /// Deliveries that run.
    pub running: usize,
    /// Whether it is paused.
    pub paused: bool,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letters {
    driver: Option<Name>,
    user: Option<Name>,
    positions: Option<Vec<Position>>,
}

impl Letters {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// One of them.
    #[must_use]
    pub fn one(position: Position) -> Self {
        Self { positions: Some(vec![position]), ..Self::default() }
    }

    /// Those of one driver.
    #[must_use]
    pub fn driver(mut self, driver: impl Into<Name>) -> Self {
        self.driver = Some(driver.into());
        self
    }

    /// Those of one user.
    #[must_use]
    pub fn user(mut self, user: impl Into<Name>) -> Self {
        self.user = Some(user.into());
        self
    }

    fn means(&self, letter: &DeadLetter) -> bool {
        self.driver.as_ref().is_none_or(|driver| *driver == letter.driver)
            && self.user.as_ref().is_none_or(|user| *user == letter.event.user_id)
            && self.positions.as_ref().is_none_or(|positions| positions.contains(&letter.position))
    }
}

impl Processor {
    /// Stops dispatching. What runs goes on to its end; events are still taken.
    pub fn pause(&self) {
        self.kernel.paused.store(true, Ordering::Release);
    }

    /// Dispatches again.
    pub fn resume(&self) {
        self.kernel.paused.store(false, Ordering::Release);
        self.kernel.begin_work();
    }

    /// Stops dispatching to one driver.
    ///
    /// # Errors
    /// `NotFound`: no such driver.
    pub fn pause_driver(&self, id: &str) -> Result<()> {
        self.kernel.set_driver_paused(id, true)
    }

    /// Dispatches to one driver again.
    ///
    /// # Errors
    /// `NotFound`: no such driver.
    pub fn resume_driver(&self, id: &str) -> Result<()> {
        self.kernel.set_driver_paused(id, false)
    }

    /// The registered drivers, in the order of their registration.
    #[must_use]
    pub fn drivers(&self) -> Vec<DriverStatus> {
        let status = |driver: &Arc<super::registry::Registered>| {
            let lane = driver.lane();
            DriverStatus {
                manifest: driver.manifest.clone(),
                queued: lane.queued(),
                running: lane.running(),
                paused: lane.is_paused(),
            }
        };
        self.kernel.routes().drivers().iter().map(status).collect()
    }

    /// The drivers that get events of a type, in the order of their registration.
    #[must_use]
    pub fn handlers(&self, event_type: &Name) -> Vec<Name> {
        self.kernel.targets(event_type).iter().map(|target| target.driver.id.clone()).collect()
    }

    /// Whether any driver gets events of a type.
    #[must_use]
    pub fn is_handled(&self, event_type: &Name) -> bool {
        !self.kernel.targets(event_type).is_empty()
    }

    /// A root with a foreign id is looked for among the events of user `local`;
    /// [`Tenant::cancel`](crate::Tenant::cancel) serves the others.
    ///
    /// Stops queued, delayed, held and retrying work of a causal tree, tells running handlers to stop, and
    /// drops what they still make. Says how many deliveries and events went.
    ///
    /// # Errors
    /// `NotFound`: no tree with work has this root.
    pub async fn cancel(&self, root: &EventId) -> Result<usize> {
        self.kernel.cancel(&Name::literal(crate::LOCAL_USER), root).await
    }

    /// The ledger of a causal tree; `None` when nothing ever had to be done in it.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn lease(&self, root: &EventId) -> Result<Option<Lease>> {
        self.kernel.bus.lease(&Name::literal(crate::LOCAL_USER), root).await
    }

    /// Sets new limits on a causal tree. If it was held at a limit, it goes on.
    ///
    /// # Errors
    /// `NotFound`: no tree with work has this root. `Cancelled`.
    pub async fn extend(&self, root: &EventId, limits: Limits) -> Result<()> {
        self.extend_for(crate::LOCAL_USER, root, limits).await
    }

    /// As [`Processor::extend`], for a root with a foreign id, which is its user's own.
    ///
    /// # Errors
    /// As [`Processor::extend`].
    pub async fn extend_for(&self, user: impl Into<Name>, root: &EventId, limits: Limits) -> Result<()> {
        self.kernel.extend(user.into(), root.clone(), limits).await
    }

    /// Events that wait for an approval, for a lease, or behind another held event of their ordering key.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn held(&self, limit: usize) -> Result<Vec<Parked>> {
        let mut held = Vec::new();
        for hold in [Hold::Approval, Hold::Lease, Hold::Key] {
            held.extend(self.kernel.bus.parked(hold, limit - held.len()).await?);
        }
        Ok(held)
    }

    /// Events that wait for their time, the earliest first.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn delayed(&self, limit: usize) -> Result<Vec<Parked>> {
        self.kernel.bus.parked(Hold::Delayed, limit).await
    }

    /// Lets an event go on that a policy held; [`Processor::held`] shows them.
    ///
    /// # Errors
    /// `NotFound`: no such event waits for an approval.
    pub async fn approve(&self, held: &Parked, reason: &str) -> Result<()> {
        self.kernel.decide(held, reason, true).await
    }

    /// Drops an event that a policy held.
    ///
    /// # Errors
    /// `NotFound`: no such event waits for an approval.
    pub async fn reject(&self, held: &Parked, reason: &str) -> Result<()> {
        self.kernel.decide(held, reason, false).await
    }

    /// Dead letters after a position, the oldest first.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn dead_letters(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>> {
        self.kernel.bus.dead_letters(after, limit).await
    }

    /// Tries dead letters again, at the tail of the queue. Says how many. Those of cancelled trees stay; they can be
    /// discarded. Ordering keys whose letters retention removed go on, too.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn redrive(&self, letters: &Letters) -> Result<usize> {
        let limits = self.kernel.limits.clone();
        let again =
            move |positions, decision| Command::Redrive { positions, decision, limits: limits.clone() };
        self.kernel.end_letters(letters.clone(), again).await
    }

    /// Forgets dead letters. Says how many. Ordering keys whose letters retention removed go on, too.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn discard(&self, letters: &Letters) -> Result<usize> {
        let forget = |positions, decision| Command::Discard { positions, decision };
        self.kernel.end_letters(letters.clone(), forget).await
    }

    /// Audit records after a number, the oldest first, each with its number.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn audit(&self, after: u64, limit: usize) -> Result<Vec<(u64, AuditRecord)>> {
        self.kernel.bus.audit(after, limit).await
    }
}

impl Kernel {
    /// Work may begin, unless the processor is paused: suspects first.
    pub(super) fn begin_work(self: &Arc<Self>) {
        if self.paused.load(Ordering::Acquire) {
            return;
        }
        if self.quarantine.is_closed() {
            self.tasks.spawn(self.clone().run_quarantine());
        } else {
            self.pump_all();
        }
    }

    fn set_driver_paused(self: &Arc<Self>, id: &str, paused: bool) -> Result<()> {
        let routes = self.routes();
        let missing = || Error::new(ErrorKind::NotFound, format!("no driver {id:?} is registered"));
        let driver = routes.driver(id).ok_or_else(missing)?;
        driver.lane().set_paused(paused);
        self.pump(driver);
        Ok(())
    }

    async fn end_letters(
        self: &Arc<Self>,
        letters: Letters,
        command: impl Fn(Vec<Position>, Decision) -> Command + Send + Sync + 'static,
    ) -> Result<usize> {
        let kernel = self.clone();
        self.act(async move {
            let ended = kernel.end_letters_now(&letters, command).await;
            if let Err(error) = kernel.forget_letters().await {
                tracing::warn!(%error, "keys whose letters retention removed wait until the next act on letters");
            }
            // Also when it ended half way: what it freed can run.
            kernel.pump_all();
            ended
        })
        .await
    }

    async fn end_letters_now(
        self: &Arc<Self>,
        letters: &Letters,
        command: impl Fn(Vec<Position>, Decision) -> Command,
    ) -> Result<usize> {
        let (mut after, mut meant) = (0, Vec::new());
        // Seen whole before the first is touched: what dies again meanwhile is not meant.
        loop {
            let page = self.bus.dead_letters(after, BATCH).await?;
            let last = page.last().map(|last| last.position).filter(|_| page.len() == BATCH);
            meant.extend(page.into_iter().filter(|letter| letters.means(letter)));
            match last {
                Some(last) => after = last,
                None => break,
            }
        }
        let mut touched = 0;
        for chunk in meant.chunks(BATCH) {
            let positions = chunk.iter().map(|letter| letter.position).collect();
            let decision = Decision::new(Name::literal("operator"), "asked by the operator");
            let _one_at_a_time = self.letters.lock().await;
            let taken = self.bus.commit(command(positions, decision)).await?.taken;
            touched += taken.len();
            // Who took a letter frees what it blocked, nobody else.
            let taken: HashSet<Position> = taken.into_iter().collect();
            chunk
                .iter()
                .filter(|letter| taken.contains(&letter.position))
                .for_each(|letter| self.unblock(letter));
        }
        Ok(touched)
    }

    /// Keys go on whose letters retention removed.
    async fn forget_letters(&self) -> Result<()> {
        let _one_at_a_time = self.letters.lock().await;
        let routes = self.routes();
        // Known before the read: a delivery may be dying meanwhile, and the read not show its letter.
        let known: Vec<_> =
            routes.drivers().iter().map(|driver| (driver, driver.lane().resting_letters())).collect();
        if known.iter().all(|(_, letters)| letters.is_empty()) {
            return Ok(());
        }
        let oldest = self.bus.dead_letters(0, 1).await?.first().map_or(Position::MAX, |first| first.position);
        for (driver, mut letters) in known {
            letters.retain(|letter| *letter < oldest);
            driver.lane().forget_letters(&letters);
        }
        Ok(())
    }

    fn unblock(&self, letter: &DeadLetter) {
        if let Some(driver) = self.routes().driver(&letter.driver) {
            driver.lane().unblock(&letter.event, letter.position);
        }
    }
}
