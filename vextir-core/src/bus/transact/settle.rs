//! The end of an attempt: outputs, changes, usage, audit and acknowledgement in one.

use super::Write;
use crate::bus::{DeadLetter, Entry, Outcome, Rows, Settlement, Tree};
use crate::{Error, ErrorKind, LeaseState, Result};

impl<R: Rows> Write<'_, R> {
    pub(super) fn settle(&mut self, mut settlement: Settlement) -> Result<()> {
        let event = &settlement.event;
        let cancelled = self
            .rows
            .lease(&event.user_id, event.root())?
            .is_some_and(|lease| lease.state == LeaseState::Cancelled);
        if cancelled {
            return self.settle_late(&settlement);
        }
        if let Outcome::Done { outputs, .. } = &mut settlement.outcome {
            self.forget_known(outputs)?;
        }
        match &settlement.outcome {
            Outcome::Retry { at, error } => {
                if !self.rows.retry_delivery(settlement.position, settlement.attempt, *at, error)? {
                    return Err(stale(&settlement));
                }
            }
            Outcome::Done { .. } | Outcome::Dead { .. } => {
                if !self.rows.take_delivery(settlement.position)? {
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
        let mut fresh = Vec::with_capacity(outputs.len());
        for entry in outputs.drain(..) {
            if self.known(&entry)?.is_none() {
                fresh.push(entry);
            }
        }
        *outputs = fresh;
        Ok(())
    }

    /// Everything of a settlement but its fence.
    fn conclude(&mut self, settlement: Settlement) -> Result<()> {
        let Settlement { position, driver, event, sequence, attempt, outcome, usage, audit } = settlement;
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
                    self.rows.apply_changes(&event, &driver, &changes)?;
                }
                self.outputs(outputs)?;
            }
            Outcome::Dead { reason, outputs } => {
                let logged_at = self.rows.now();
                self.rows.add_dead(&DeadLetter {
                    position,
                    driver,
                    event: event.clone(),
                    sequence,
                    logged_at,
                    attempts: attempt,
                    reason,
                    at: logged_at,
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
        self.rows.take_delivery(settlement.position)?;
        let event = &settlement.event;
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
            let Some(index) =
                self.applied.deliveries[made..].iter().position(|made| made.driver == settlement.driver)
            else {
                continue;
            };
            let delivery = self.applied.deliveries.remove(made + index);
            self.rows.take_delivery(delivery.position)?;
            settlement.position = delivery.position;
            settlement.sequence = delivery.sequence;
            self.conclude(settlement)?;
        }
        Ok(())
    }
}

fn stale(settlement: &Settlement) -> Error {
    Error::new(
        ErrorKind::Stale,
        format!("delivery {} of {} is not open any more", settlement.position, settlement.event.id),
    )
}
