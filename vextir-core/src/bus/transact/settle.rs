//! The end of an attempt: outputs, changes, usage, audit and acknowledgement in one.

use super::Write;
use super::append::twins;
use crate::bus::{DeadLetter, Delivery, Entry, Outcome, Rows, Settlement, Tree};
use crate::{Error, ErrorKind, LeaseState, Result};

impl<R: Rows> Write<'_, R> {
    pub(super) fn settle(&mut self, mut settlement: Settlement) -> Result<()> {
        let Settlement { delivery, .. } = &settlement;
        let event = &delivery.event;
        let cancelled = self
            .rows
            .lease(&event.user_id, event.root())?
            .is_some_and(|lease| lease.state == LeaseState::Cancelled);
        if cancelled {
            return self.settle_late(&settlement);
        }
        let (position, attempt) = (delivery.position, delivery.attempt + 1);
        if let Outcome::Done { outputs, .. } = &mut settlement.outcome {
            self.forget_known(outputs)?;
        }
        match &settlement.outcome {
            Outcome::Retry { at, error } => {
                if !self.rows.retry_delivery(position, attempt, *at, error)? {
                    return Err(stale(&settlement));
                }
            }
            Outcome::Done { .. } | Outcome::Dead { .. } => {
                if !self.rows.take_delivery(position)? {
                    return Err(stale(&settlement));
                }
            }
        }
        self.conclude(settlement)
    }

    /// Drops outputs under ids of their own that are stored already.
    fn forget_known(&mut self, outputs: &mut Vec<Entry>) -> Result<()> {
        if outputs.iter().all(|entry| entry.minted) {
            return Ok(());
        }
        let twins = twins(outputs)?;
        let mut fresh = Vec::with_capacity(outputs.len());
        for (index, entry) in outputs.drain(..).enumerate() {
            if !twins.contains(&index) && self.known(&entry)?.is_none() {
                fresh.push(entry);
            }
        }
        *outputs = fresh;
        Ok(())
    }

    /// Everything of a settlement but its fence.
    fn conclude(&mut self, settlement: Settlement) -> Result<()> {
        let Settlement { delivery, outcome, usage, audit } = settlement;
        let event = delivery.event.clone();
        for (unit, amount) in &usage {
            if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
                lease.draw(unit, *amount);
            }
        }
        let closes = !matches!(outcome, Outcome::Retry { .. });
        match outcome {
            Outcome::Retry { .. } => {}
            Outcome::Done { outputs, changes } => {
                if !changes.is_empty() {
                    self.rows.apply_changes(&event, &delivery.driver, &changes)?;
                }
                self.outputs(outputs)?;
            }
            Outcome::Dead { reason, outputs } => {
                self.rows.add_dead(&DeadLetter {
                    position: delivery.position,
                    driver: delivery.driver,
                    event: delivery.event,
                    sequence: delivery.sequence,
                    logged_at: delivery.logged_at,
                    attempts: delivery.attempt + 1,
                    reason,
                    at: self.rows.now(),
                    obligations: delivery.obligations,
                })?;
                self.outputs(outputs)?;
            }
        }
        self.audit(&audit)?;
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            if closes {
                lease.open = lease.open.saturating_sub(1);
            }
            self.applied.receipt.tree = Some(Tree::from(&*lease));
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

    fn outputs(&mut self, outputs: Vec<Entry>) -> Result<()> {
        for mut entry in outputs {
            self.hold_behind_key(&mut entry)?;
            self.admit(entry)?;
        }
        Ok(())
    }

    /// Settles deliveries that were just made and whose handlers ran before the commit.
    pub(super) fn settle_eager(&mut self, made: usize, eager: Vec<Settlement>) -> Result<()> {
        for mut settlement in eager {
            let fits = |made: &Delivery| made.driver == settlement.delivery.driver;
            let Some(index) = self.applied.deliveries[made..].iter().position(fits) else { continue };
            settlement.delivery = self.applied.deliveries.remove(made + index);
            self.rows.take_delivery(settlement.delivery.position)?;
            self.conclude(settlement)?;
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
