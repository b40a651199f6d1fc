//! Step 5, settle: what the attempt brought, in one commit.

use super::Kernel;
use super::handle::Attempt;
use super::outputs::Outputs;
use super::registry::Registered;
use super::retry::Next;
use crate::bus::{Command, Delivery, Outcome, Receipt, Settlement};
use crate::ctx::Effects;
use crate::{Error, ErrorKind, Event, EventId, Failure, Name, Result};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tracing::{Instrument, Span};

/// The longest text that is kept of a failure, in bytes.
const MAX_REASON: usize = 4_096;

/// What the queue has to know afterwards.
#[derive(Debug)]
pub(super) enum Settled {
    /// Over.
    Over,
    /// Over, and those of its batch are not.
    Apart,
    /// Not settled before the stop: it stays open, and its ordering key taken.
    Left,
    /// To be tried again.
    Again(Box<Delivery>),
}

impl Settled {
    /// A delivery was gone before its outcome could be committed.
    pub(super) fn gone(delivery: &Delivery) -> Self {
        if delivery.batch.is_empty() { Self::Over } else { Self::Apart }
    }
}

impl Kernel {
    /// Turns an attempt into a settlement, and commits it.
    pub(super) async fn settle(
        self: &Arc<Self>,
        driver: &Arc<Registered>,
        delivery: &Delivery,
        attempt: Attempt,
    ) -> Settled {
        let Attempt { result, effects } = attempt;
        self.settle_attempt(driver, delivery, result, effects).instrument(step(delivery)).await
    }

    async fn settle_attempt(
        self: &Arc<Self>,
        driver: &Arc<Registered>,
        delivery: &Delivery,
        result: Result<Vec<Event>, Failure>,
        effects: Effects,
    ) -> Settled {
        let routes_nothing = effects.outputs.is_empty() && matches!(&result, Ok(made) if made.is_empty());
        // Kept until the commit: a driver that is being registered waits for what was routed without it.
        let routes = (!routes_nothing).then(|| self.routes());
        let done = match (result, &routes) {
            (Ok(_), _) if !effects.changes.is_empty() && !self.takes_changes() => Err(Failure::permanent(
                "it changes documents of a store that does not commit together with the bus and has no outbox; \
                 run it on a Hub",
            )),
            (Ok(_), None) => Ok(Outputs::default()),
            (Ok(returned), Some(routes)) => {
                match self.outputs(routes, delivery, returned, effects.outputs).await {
                    Ok(outputs) => self.find_room(outputs).await,
                    Err(error) => Err(Failure::permanent(format!("an output was refused: {error}"))),
                }
            }
            (Err(failure), _) => Err(failure),
        };
        let mut settlement = match done {
            Ok(done) => {
                let outcome = Outcome::Done { outputs: done.entries, changes: effects.changes };
                Settlement { audit: done.audit, ..Settlement::of(delivery, outcome) }
            }
            Err(failure) => self.failed(driver, delivery, &failure),
        };
        settlement.usage = effects.usage;
        if !driver.flow.is_empty() {
            settlement.began = driver.lane().began(delivery.position);
        }
        if matches!(settlement.outcome, Outcome::Done { .. }) {
            settlement.withdrawn = effects.withdrawn;
            if !effects.unwanted.is_empty() {
                settlement.cancelled = effects.unwanted;
                settlement.listeners = self.listeners();
            }
        }
        let settlement = Arc::new(settlement);
        self.cancel_trees(&delivery.event.user_id, &effects.cancelled).await;
        let committed = match self.outbox_for(&settlement) {
            None => {
                self.commit_settlement(driver, &settlement).await.map(|receipt| (settlement.clone(), receipt))
            }
            Some(outbox) => Box::pin(self.post(driver, outbox, &settlement)).await,
        };
        match committed {
            Ok((settlement, receipt)) => self.conclude(driver, delivery, &settlement, &receipt),
            Err(error) if matches!(error.kind(), ErrorKind::Stale | ErrorKind::Closed) => {
                tracing::debug!(%error, "the delivery is not ours any more");
                Settled::gone(delivery)
            }
            Err(error) if error.kind().is_transient() => {
                // Only while stopping: the next start repeats it.
                tracing::warn!(%error, event = %delivery.event.id, "not settled before the stop");
                Settled::Left
            }
            Err(error) => self.settle_refused(driver, delivery, &settlement, &error).await,
        }
    }

    /// Before the commit: repeated with the handler, if the process dies between the two.
    async fn cancel_trees(self: &Arc<Self>, user: &Name, roots: &[EventId]) {
        for root in roots {
            match self.cancel(user, root).await {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::error!(%error, %root, "a causal tree was not cancelled");
                }
                _ => {}
            }
        }
    }

    /// The bus refuses what the handler made (an id in use, a change that it cannot apply): that is the
    /// handler's failure. What no longer fits a document, without having been asked to, is made anew from it by
    /// another attempt.
    async fn settle_refused(
        self: &Arc<Self>,
        driver: &Arc<Registered>,
        delivery: &Delivery,
        refused: &Settlement,
        error: &Error,
    ) -> Settled {
        let _routes = self.routes();
        let reason = format!("the bus refused the outcome: {error}");
        let merges = matches!(&refused.outcome, Outcome::Done { changes, .. }
            if !changes.is_empty() && changes.iter().all(|change| change.expected.is_none()));
        let failure = if merges && error.kind() == ErrorKind::Conflict {
            Failure::transient(reason)
        } else {
            Failure::permanent(reason)
        };
        let failed = self.failed(driver, delivery, &failure);
        let (usage, began) = (refused.usage.clone(), refused.began.clone());
        let settlement = Arc::new(Settlement { usage, began, ..failed });
        match self.commit_settlement(driver, &settlement).await {
            Ok(receipt) => self.conclude(driver, delivery, &settlement, &receipt),
            Err(error) => {
                tracing::error!(%error, event = %delivery.event.id, "a delivery could not be settled");
                Settled::gone(delivery)
            }
        }
    }

    /// Commits. A letter blocks its key before that, for it may be redriven as soon as it is one.
    pub(super) async fn commit_settlement(
        &self,
        driver: &Registered,
        settlement: &Arc<Settlement>,
    ) -> Result<Receipt> {
        let Settlement { delivery, outcome, .. } = &**settlement;
        let blocks = driver.manifest.block_on_dead && matches!(outcome, Outcome::Dead { .. });
        if blocks {
            driver.lane().block(&delivery.event, delivery.position);
        }
        let commit = || self.bus.commit(Command::Settle(settlement.clone()));
        let answer = self.until_stop(&delivery.event, commit).await;
        if blocks && answer.as_ref().map_or(true, |receipt| receipt.dropped) {
            driver.lane().unblock(&delivery.event, delivery.position);
        }
        answer
    }

    /// Commits, or asks; while the back end fails for now, tries again: the handler's work is not thrown away.
    pub(super) async fn until_stop<T, F: Future<Output = Result<T>>>(
        &self,
        event: &Event,
        ask: impl Fn() -> F,
    ) -> Result<T> {
        let mut pause = Duration::from_millis(50);
        loop {
            match ask().await {
                Err(error) if error.kind().is_transient() && !self.stop.is_cancelled() => {
                    tracing::error!(%error, event = %event.id, "settling again in {pause:?}");
                    self.clock.sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
                answer => return answer,
            }
        }
    }

    /// The settlement of a failed attempt.
    fn failed(&self, driver: &Registered, delivery: &Delivery, failure: &Failure) -> Settlement {
        let reason = shorten(failure.to_string());
        let attempt = delivery.attempt + 1;
        let spread = self.spread.lock().unwrap_or_else(PoisonError::into_inner).f64();
        let next = self.retry.decide(failure.class(), failure.pause(), attempt, driver.retries, spread);
        let outcome = match next {
            Next::Retry(pause) => Outcome::Retry { at: self.clock.now().after(pause), error: reason },
            Next::GiveUp => return self.letter(delivery, reason),
        };
        Settlement::of(delivery, outcome)
    }

    /// After the commit: meters, who waits, and what the queue does next.
    pub(super) fn conclude(
        self: &Arc<Self>,
        driver: &Arc<Registered>,
        delivery: &Delivery,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> Settled {
        self.announce(settlement, receipt);
        self.tell_others(receipt);
        self.go_on_in(receipt, &delivery.event);
        self.stop_branches(&delivery.event.user_id, receipt);
        match &settlement.outcome {
            _ if receipt.dropped => Settled::gone(delivery),
            Outcome::Done { .. } => {
                driver.meters.done();
                Settled::Over
            }
            Outcome::Dead { reason, .. } => {
                driver.meters.dead();
                tracing::warn!(event = %delivery.event.id, driver = %driver.id, reason, "dead letter");
                Settled::Over
            }
            Outcome::Retry { at, error } => {
                driver.meters.retried();
                let mut again = delivery.clone();
                (again.attempt, again.due, again.error) =
                    (settlement.delivery.attempt + 1, Some(*at), Some(error.clone()));
                again.batch.iter_mut().for_each(|member| member.attempt += 1);
                Settled::Again(Box::new(again))
            }
        }
    }
}

/// The step as tracing shows it.
pub(super) fn step(delivery: &Delivery) -> Span {
    let event = &delivery.event;
    tracing::debug_span!("settle", driver = %delivery.driver, event = %event.id, root = %event.root())
}

fn shorten(mut text: String) -> String {
    if text.len() > MAX_REASON {
        let end = (0..=MAX_REASON).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(" ..");
    }
    text
}
