//! The end of an attempt: outputs, changes, usage, audit and acknowledgement in one.

use super::append::twins;
use super::{Write, leaves_work};
use crate::bus::rows::no_documents;
use crate::bus::{DeadLetter, Delivery, Entry, Hold, Outcome, Rows, Settlement, Tree};
use crate::{Actor, Error, ErrorKind, EventId, Lease, LeaseState, Result};
use std::collections::HashSet;

impl<R: Rows> Write<'_, R> {
    pub(super) fn settle(&mut self, settlement: &Settlement) -> Result<()> {
        let Settlement { delivery, outcome, .. } = settlement;
        let event = &delivery.event;
        let cancelled = self
            .rows
            .lease(&event.user_id, event.root())?
            .is_some_and(|lease| lease.state == LeaseState::Cancelled);
        if cancelled {
            return self.settle_late(settlement);
        }
        self.need_documents(settlement)?;
        let known = match outcome {
            Outcome::Done { outputs, .. } => self.known_outputs(outputs)?,
            _ => HashSet::new(),
        };
        let position = delivery.position;
        let open = match outcome {
            Outcome::Retry { at, error } => {
                self.rows.retry_delivery(position, delivery.attempt + 1, *at, error)?
            }
            Outcome::Done { .. } | Outcome::Dead { .. } => self.rows.take_delivery(position)?,
        };
        if !open {
            return Err(stale(settlement));
        }
        self.note_began(&delivery.driver, &settlement.began)?;
        self.settle_batch(&delivery.batch, outcome)?;
        self.conclude(settlement, delivery, &known)
    }

    /// Refuses what changes documents, where there are none.
    pub(super) fn need_documents(&self, settlement: &Settlement) -> Result<()> {
        match &settlement.outcome {
            Outcome::Done { changes, .. } if !changes.is_empty() && !self.rows.holds_documents() => {
                Err(no_documents())
            }
            _ => Ok(()),
        }
    }

    /// The outputs under ids of their own that are stored already: they are dropped.
    fn known_outputs(&mut self, outputs: &[Entry]) -> Result<HashSet<usize>> {
        if outputs.iter().all(|entry| entry.minted) {
            return Ok(HashSet::new());
        }
        let mut known = twins(outputs.iter().map(|entry| (&entry.event, entry.minted)))?;
        for (index, entry) in outputs.iter().enumerate() {
            if !known.contains(&index)
                && self.known(&entry.event, entry.minted, entry.key.as_ref())?.is_some()
            {
                known.insert(index);
            }
        }
        Ok(known)
    }

    /// Everything of a settlement but its fence. `delivery` is its own, or the one that was just made for an
    /// eager handler.
    fn conclude(
        &mut self,
        settlement: &Settlement,
        delivery: &Delivery,
        known: &HashSet<usize>,
    ) -> Result<()> {
        let Settlement { outcome, usage, audit, .. } = settlement;
        let event = &delivery.event;
        let over = !matches!(outcome, Outcome::Retry { .. });
        if (!usage.is_empty() || !delivery.reserve.is_empty())
            && let Some(lease) = self.rows.lease(&event.user_id, event.root())?
        {
            usage.iter().for_each(|(unit, amount)| lease.draw(unit, *amount));
            if over {
                lease.give_back(&delivery.reserve);
            }
        }
        match outcome {
            Outcome::Retry { .. } => {}
            Outcome::Done { outputs, changes } => {
                self.withdraw(&settlement.withdrawn, delivery)?;
                if !changes.is_empty() {
                    let actor = Actor::handler(event, &delivery.driver);
                    self.applied.receipt.versions = self.rows.apply_changes(&actor, changes)?;
                }
                self.outputs(outputs, known)?;
            }
            Outcome::Dead { reason, outputs } => {
                self.rows.add_dead(&DeadLetter::of(delivery, reason.clone(), self.rows.now()))?;
                self.outputs(outputs, known)?;
            }
        }
        self.audit(audit)?;
        if over {
            self.leave_branch(event, matches!(outcome, Outcome::Dead { .. }))?;
        }
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            if over {
                lease.open = lease.open.saturating_sub(1);
                // After the outputs: they wait behind what waits already.
                self.applied.receipt.resumed |= lease.resume();
            }
            self.applied.receipt.tree = Some(Tree::from(&*lease));
        }
        Ok(())
    }

    /// Takes back what the driver let wait for its time.
    fn withdraw(&mut self, ids: &[EventId], delivery: &Delivery) -> Result<()> {
        for id in ids {
            let user = &delivery.event.user_id;
            let Some(parked) = self.rows.find_parked(user, id)? else { continue };
            let event = &parked.event;
            if parked.hold == Hold::Delayed && event.source == delivery.driver && event.user_id == *user {
                if let Some(lease) = self.rows.lease(user, event.root())? {
                    lease.events = lease.events.saturating_sub(1);
                }
                self.end_wait(&parked, false)?;
            }
        }
        Ok(())
    }

    /// A handler that ends after its tree was cancelled: what it used counts, what it made does not.
    fn settle_late(&mut self, settlement: &Settlement) -> Result<()> {
        self.rows.take_delivery(settlement.delivery.position)?;
        let event = &settlement.delivery.event;
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            for (unit, amount) in &settlement.usage {
                lease.draw(unit, *amount);
            }
            self.applied.receipt.tree = Some(Tree::from(&*lease));
        }
        self.applied.receipt.dropped = true;
        self.audit(&settlement.audit)
    }

    fn outputs(&mut self, outputs: &[Entry], known: &HashSet<usize>) -> Result<()> {
        for (index, entry) in outputs.iter().enumerate() {
            if known.contains(&index) {
                if let Some(branch) = &entry.branch {
                    self.begin_again(branch)?;
                }
                continue;
            }
            let place = self.destination(&entry.event, &entry.place)?;
            if entry.event.root_id.is_none() && leaves_work(&place) {
                let (root, user) = (entry.event.id.clone(), entry.event.user_id.clone());
                let limits = self.limits(entry.limits.as_deref());
                self.rows.add_lease(Lease::new(root, user, limits))?;
            }
            self.admit(&entry.event, entry, &place, true)?;
        }
        Ok(())
    }

    /// Settles deliveries that were just made and whose handlers ran before the commit.
    pub(super) fn settle_eager(&mut self, made: usize, eager: &[Settlement]) -> Result<()> {
        for settlement in eager {
            let fits = |made: &Delivery| made.driver == settlement.delivery.driver;
            let Some(index) = self.applied.deliveries[made..].iter().position(fits) else { continue };
            let delivery = self.applied.deliveries.remove(made + index);
            self.rows.take_delivery(delivery.position)?;
            self.conclude(settlement, &delivery, &HashSet::new())?;
        }
        Ok(())
    }
}

fn stale(settlement: &Settlement) -> Error {
    Error::new(
        ErrorKind::Stale,
        format!(
            "delivery {} of {} is not open any more",
            settlement.delivery.position, settlement.delivery.event.id
        ),
    )
}
