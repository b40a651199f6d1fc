//! From the commit to the handlers: each driver's queue is filled from the feed and emptied by workers.

use super::Kernel;
use super::lane::Lane;
use super::registry::Registered;
use super::settle::Settled;
use crate::bus::{Delivery, Position};
use crate::{ErrorKind, FlowKey, Result, Timestamp};
use futures::FutureExt;
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many deliveries are taken from the feed, or read from the tables, at once.
const BATCH: usize = 1_024;

/// What a queue wants besides: after which positions it wants to read the tables, and what waits for a time.
struct Wants {
    spill: Option<Position>,
    behind: Option<Position>,
    alarms: Vec<(FlowKey, Timestamp)>,
}

impl Kernel {
    /// Starts the loops: fresh deliveries, retries, and what waits beside the log.
    pub(super) fn run_loops(self: &Arc<Self>) {
        let loops = [
            tokio::spawn(self.stop.clone().run_until_cancelled_owned(self.clone().receive())),
            tokio::spawn(self.stop.clone().run_until_cancelled_owned(self.clone().run_chores())),
        ];
        // They end with the stop token.
        drop(loops);
    }

    async fn receive(self: Arc<Self>) {
        loop {
            let deliveries = match self.bus.receive(BATCH).await {
                Ok(deliveries) => deliveries,
                Err(error) if error.kind() == ErrorKind::Closed => return,
                Err(error) => {
                    tracing::error!(%error, "no deliveries can be received; trying again in a second");
                    self.clock.sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let routes = self.routes();
            for run in deliveries.chunk_by(|one, other| one.driver == other.driver) {
                let Some(driver) = routes.driver(&run[0].driver) else {
                    self.unclaim_fresh(run);
                    continue;
                };
                let mut lane = driver.lane();
                for delivery in run {
                    lane.running_of(&delivery.replaces)
                        .into_iter()
                        .for_each(|one| self.cancellation.replace(one));
                    lane.offer(delivery.clone());
                }
                drop(lane);
                self.note_flow(driver, run.len());
                self.pump(driver);
            }
        }
    }

    /// Whether nothing may be dispatched now.
    pub(super) fn is_held_back(&self) -> bool {
        self.paused.load(Ordering::Acquire) || self.quarantine.is_closed() || self.stop.is_cancelled()
    }

    /// Starts as many workers as there are ready deliveries and free slots.
    pub(super) fn pump(self: &Arc<Self>, driver: &Arc<Registered>) {
        if self.is_held_back() {
            return;
        }
        loop {
            let (mut together, wants) = {
                let mut lane = driver.lane();
                let together = lane.take(driver.together(), self.now_for(driver));
                (together, self.wants(driver, &mut lane))
            };
            self.see_to(driver, wants);
            let work = |delivery| self.clone().work(driver.clone(), delivery);
            match together.len() {
                0 => return,
                1 => self.tasks.spawn(work(together.remove(0))),
                // One task for several quick ones costs less than each of them.
                _ => self.tasks.spawn(join_all(together.into_iter().map(work)).map(drop)),
            };
        }
    }

    pub(super) fn pump_all(self: &Arc<Self>) {
        self.routes().drivers().iter().for_each(|driver| self.pump(driver));
    }

    /// One worker: handles and settles until nothing is ready.
    async fn work(self: Arc<Self>, driver: Arc<Registered>, first: Delivery) {
        let mut next = Some(first);
        while let Some(delivery) = next {
            // Cancelled on its way here: its row is gone.
            let settled = if self.cancellation.is_tree_cancelled(&delivery.event) {
                Settled::gone(&delivery)
            } else {
                self.run(&driver, &delivery).await
            };
            next = self.after(&driver, &delivery, settled);
            // Handlers and buses that are always ready must not keep the thread for themselves.
            tokio::task::consume_budget().await;
        }
    }

    /// Gives back the slot and takes the next delivery, in one step.
    fn after(
        self: &Arc<Self>,
        driver: &Arc<Registered>,
        delivery: &Delivery,
        settled: Settled,
    ) -> Option<Delivery> {
        self.cancellation.ended(delivery.position);
        let (next, wants) = {
            let mut lane = driver.lane();
            match settled {
                Settled::Over => lane.finish(delivery),
                Settled::Left => lane.leave(delivery),
                Settled::Apart => {
                    lane.leave(delivery);
                    lane.end(delivery);
                    // Nothing of what their batch did was committed: they go on, without the one that is gone.
                    delivery.batch.iter().cloned().for_each(|other| lane.rejoin(other));
                }
                Settled::Again(again) => {
                    lane.leave(delivery);
                    self.retry_later(driver, &mut lane, *again);
                }
            }
            let next = if self.is_held_back() { None } else { lane.next(self.now_for(driver)) };
            (next, self.wants(driver, &mut lane))
        };
        self.see_to(driver, wants);
        next
    }

    /// The time, where rules of flow control ask for it.
    fn now_for(&self, driver: &Registered) -> Timestamp {
        if driver.flow.is_empty() { Timestamp::MAX } else { self.clock.now() }
    }

    fn wants(self: &Arc<Self>, driver: &Arc<Registered>, lane: &mut Lane) -> Wants {
        for early in lane.early() {
            self.retry_later(driver, lane, early);
        }
        Wants { spill: lane.wants_to_read(), behind: lane.wants_to_read_behind(), alarms: lane.alarms() }
    }

    fn see_to(self: &Arc<Self>, driver: &Arc<Registered>, wants: Wants) {
        for (key, at) in wants.alarms {
            self.ring_later(driver, key, at);
        }
        if let Some(after) = wants.spill {
            self.tasks.spawn(self.clone().refill(driver.clone(), after));
        }
        if let Some(after) = wants.behind {
            self.tasks.spawn(self.clone().refill_behind(driver.clone(), after));
        }
    }

    /// Reads on where the queue stopped.
    async fn refill(self: Arc<Self>, driver: Arc<Registered>, after: Position) {
        let read = self.stop.run_until_cancelled(self.bus.pending(after, BATCH)).await;
        match read {
            None => return,
            Some(Ok(page)) => self.fill(&driver, after, &page),
            Some(Err(error)) => {
                tracing::error!(%error, driver = %driver.id, "the backlog could not be read; trying again");
                self.clock.sleep(Duration::from_secs(1)).await;
                driver.lane().read(after, false);
            }
        }
        self.pump(&driver);
    }

    /// Reads what stands behind ordering keys by position alone.
    async fn refill_behind(self: Arc<Self>, driver: Arc<Registered>, after: Position) {
        let read = self.stop.run_until_cancelled(self.bus.pending(after, BATCH)).await;
        let (up_to, page) = match read {
            None => return,
            Some(Ok(page)) if page.len() < BATCH => (Position::MAX, page),
            Some(Ok(page)) => (page.last().map_or(after, |last| last.position), page),
            Some(Err(error)) => {
                tracing::error!(%error, driver = %driver.id, "the backlog could not be read; trying again");
                self.clock.sleep(Duration::from_secs(1)).await;
                (after, Vec::new())
            }
        };
        let own = page.into_iter().filter(|delivery| delivery.driver == driver.id).collect();
        driver.lane().read_behind(after, up_to, own);
        self.pump(&driver);
    }

    fn fill(self: &Arc<Self>, driver: &Arc<Registered>, after: Position, page: &[Delivery]) {
        let now = self.clock.now();
        let mut lane = driver.lane();
        for delivery in page.iter().filter(|delivery| delivery.driver == driver.id) {
            if self.quarantine.holds(delivery.position) || lane.has_taken(delivery.position) {
                continue;
            }
            let waits = delivery.due.is_some_and(|due| due > now);
            if waits && lane.set_aside(&delivery.event) {
                self.retry_later(driver, &mut lane, delivery.clone());
            } else {
                lane.enqueue(delivery.clone());
            }
        }
        let up_to = page.last().map_or(after, |last| last.position);
        lane.read(up_to, page.len() < BATCH);
    }

    /// Lets new queues read what the tables already hold for them.
    pub(super) async fn catch_up(self: &Arc<Self>, drivers: &[Arc<Registered>]) -> Result<()> {
        for driver in drivers {
            let Some(after) = driver.lane().wants_to_read() else { continue };
            let page = self.bus.pending(after, BATCH).await?;
            self.fill(driver, after, &page);
        }
        Ok(())
    }

    /// The same for one queue while others work: what fails is tried again.
    pub(super) async fn catch_up_now(self: &Arc<Self>, driver: &Arc<Registered>) {
        let after = driver.lane().wants_to_read();
        match after {
            Some(after) => self.clone().refill(driver.clone(), after).await,
            None => self.pump(driver),
        }
    }
}
