//! Settling where the store does not commit together with the bus: what an attempt brought goes into the store's
//! outbox, with its changes of documents, and from there onto the bus.

use super::Kernel;
use super::registry::Registered;
use super::settle::Settled;
use crate::bus::{Command, Delivery, Outcome, Receipt, Settlement};
use crate::context::{Change, Mark, Outbox, Posted};
use crate::{Actor, Data, Error, ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How much is read at once of what was left.
const BATCH: usize = 256;
/// How many marks are forgotten at once, and after how many new ones that is tried again.
const FORGET: usize = 128;

/// What the bus was told in the end, and its answer.
pub(super) type Committed = (Arc<Settlement>, Receipt);

impl Kernel {
    fn outbox(&self) -> Option<&dyn Outbox> {
        if self.together { None } else { self.store.as_deref()?.outbox() }
    }

    /// Whether handlers may change documents.
    pub(super) fn takes_changes(&self) -> bool {
        self.together || self.outbox().is_some()
    }

    /// The outbox, if a settlement has to go through it.
    pub(super) fn outbox_for(&self, settlement: &Settlement) -> Option<&dyn Outbox> {
        match &settlement.outcome {
            Outcome::Done { changes, .. } if !changes.is_empty() => self.outbox(),
            _ => None,
        }
    }

    /// One turn of a delivery. What an earlier turn has posted is not handled again.
    pub(super) async fn run(self: &Arc<Self>, driver: &Arc<Registered>, delivery: &Delivery) -> Settled {
        if let Some(outbox) = self.outbox()
            && let Some(settled) = Box::pin(self.settle_posted(driver, delivery, outbox)).await
        {
            return settled;
        }
        let attempt = self.attempt(driver, delivery).await;
        self.settle(driver, delivery, attempt).await
    }

    async fn settle_posted(
        self: &Arc<Self>,
        driver: &Arc<Registered>,
        delivery: &Delivery,
        outbox: &dyn Outbox,
    ) -> Option<Settled> {
        let mark = self.mark(delivery);
        let posted = match self.until_stop(&delivery.event, || outbox.posted(&mark)).await {
            Ok(found) => found.map(|posted| read(&posted)).transpose(),
            Err(error) if error.kind().is_transient() => return Some(Settled::Left),
            Err(error) => Err(error),
        };
        // A person decides whether it is handled where that may have happened before.
        let settlement = posted.unwrap_or_else(|error| {
            Some(self.letter(delivery, format!("what was posted of it cannot be read: {error}")).into())
        })?;
        let committed = self.publish(Some(driver), outbox, &mark, settlement).await;
        Some(match committed {
            Ok((settlement, receipt)) => self.conclude(driver, delivery, &settlement, &receipt),
            Err(error) if error.kind().is_transient() => Settled::Left,
            Err(error) => {
                tracing::warn!(%error, event = %delivery.event.id, "what was posted is not published");
                Settled::gone(delivery)
            }
        })
    }

    /// Commits a settlement to the store, and then to the bus.
    pub(super) async fn post(
        self: &Arc<Self>,
        driver: &Registered,
        outbox: &dyn Outbox,
        settlement: &Settlement,
    ) -> Result<Committed> {
        let delivery = &settlement.delivery;
        let (bare, changes) = parted(settlement);
        let bare = Arc::new(bare);
        if self.cancellation.is_gone(&delivery.event) {
            // The bus drops what it made, and so is dropped what it changes.
            let receipt = self.commit_settlement(driver, &bare).await?;
            return Ok((bare, receipt));
        }
        let (mark, outcome) = (self.mark(delivery), Data::new(&*bare)?);
        let actor = Actor::handler(&delivery.event, &delivery.driver);
        let post = || outbox.post(&mark, &actor, changes.clone(), &outcome);
        let settlement = match self.until_stop(&delivery.event, post).await {
            Ok(()) => bare,
            Err(error) if error.kind() == ErrorKind::Stale => {
                // An earlier turn came as far: what it made counts.
                let found = self.until_stop(&delivery.event, || outbox.posted(&mark)).await?;
                found.as_ref().map_or(Err(error), read)?
            }
            Err(error) => return Err(error),
        };
        self.publish(Some(driver), outbox, &mark, settlement).await
    }

    /// Has the bus take what was posted. What it refuses becomes a dead letter: the documents are changed already, so
    /// it is not handled again.
    async fn publish(
        self: &Arc<Self>,
        driver: Option<&Registered>,
        outbox: &dyn Outbox,
        mark: &Mark,
        settlement: Arc<Settlement>,
    ) -> Result<Committed> {
        let mut committed = self.tell_bus(driver, settlement).await;
        if let Err((settlement, error)) = &committed
            && !matches!(error.kind(), ErrorKind::Stale | ErrorKind::Closed)
            && !error.kind().is_transient()
        {
            // Kept until the commit: a driver that is being registered waits for what was routed without it.
            let _routes = self.routes();
            let reason = format!("the bus refused the outcome, after its documents were changed: {error}");
            let letter = self.letter(&settlement.delivery, reason);
            let (usage, began) = (settlement.usage.clone(), settlement.began.clone());
            let letter = Settlement { usage, began, ..letter };
            committed = self.tell_bus(driver, letter.into()).await;
        }
        let committed = committed.map_err(|(_, error)| error);
        let is_there = committed.as_ref().map_or_else(|error| error.kind() == ErrorKind::Stale, |_| true);
        if is_there {
            self.note_published(outbox, mark).await;
        }
        committed
    }

    async fn tell_bus(
        &self,
        driver: Option<&Registered>,
        settlement: Arc<Settlement>,
    ) -> Result<Committed, (Arc<Settlement>, Error)> {
        let answer = match driver {
            Some(driver) => self.commit_settlement(driver, &settlement).await,
            None => self.bus.commit(Command::Settle(settlement.clone())).await,
        };
        match answer {
            Ok(receipt) => Ok((settlement, receipt)),
            Err(error) => Err((settlement, error)),
        }
    }

    /// If it is lost, the next start says it again.
    async fn note_published(self: &Arc<Self>, outbox: &dyn Outbox, mark: &Mark) {
        if let Err(error) = outbox.set_published(mark).await {
            tracing::warn!(%error, "that an outcome was published is not noted; the next start publishes it again");
        }
        if self.published.fetch_add(1, Ordering::Relaxed) % FORGET == FORGET - 1 {
            self.tasks.spawn(self.clone().forget_marks());
        }
    }

    /// Publishes what an earlier run has posted and not published. Before anything is handled.
    pub(super) async fn publish_left(self: &Arc<Self>) -> Result<()> {
        let Some(outbox) = self.outbox() else { return Ok(()) };
        let (log, mut after) = (self.bus.incarnation(), 0);
        loop {
            let page = outbox.unpublished(log, after, BATCH).await?;
            for posted in &page {
                let published = match read(posted) {
                    Ok(settlement) => self.publish(None, outbox, &posted.mark, settlement).await.map(drop),
                    Err(error) => {
                        // Its delivery is still open, and becomes a dead letter.
                        tracing::error!(%error, driver = %posted.mark.driver, "what was posted cannot be read");
                        Ok(())
                    }
                };
                match published {
                    Err(error) if error.kind() != ErrorKind::Stale => {
                        return Err(error.context("publishing what an earlier run had posted"));
                    }
                    _ => {}
                }
            }
            match page.last() {
                Some(last) if page.len() == BATCH => after = last.mark.position,
                _ => break,
            }
        }
        self.tasks.spawn(self.clone().forget_marks());
        Ok(())
    }

    async fn forget_marks(self: Arc<Self>) {
        let Some(outbox) = self.outbox() else { return };
        while !self.stop.is_cancelled() {
            match outbox.forget(self.clock.now().before(self.done_marks), FORGET).await {
                Ok(FORGET) => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "old marks of the outbox stay for now");
                    return;
                }
            }
        }
    }

    fn mark(&self, delivery: &Delivery) -> Mark {
        Mark {
            log: self.bus.incarnation(),
            position: delivery.position,
            event: delivery.event.id.clone(),
            driver: delivery.driver.clone(),
        }
    }
}

/// A settlement without its changes, and those.
fn parted(settlement: &Settlement) -> (Settlement, Vec<Change>) {
    let mut bare = settlement.clone();
    let changes = match &mut bare.outcome {
        Outcome::Done { changes, .. } => std::mem::take(changes),
        _ => Vec::new(),
    };
    (bare, changes)
}

fn read(posted: &Posted) -> Result<Arc<Settlement>> {
    posted.outcome.decode::<Settlement>().map(Arc::new)
}
