//! Deliveries whose driver is not registered: out of the backlog, and in the ledger among what waits.

use super::Write;
use crate::bus::{DeadLetter, Position, Rows};
use crate::{Event, Result};

impl<R: Rows> Write<'_, R> {
    pub(super) fn unclaim(&mut self, positions: &[Position]) -> Result<()> {
        let (_, limit) = self.rows.backlog();
        for position in positions {
            let full = self.rows.unclaimed() >= limit;
            let Some(delivery) = self.rows.unclaim_delivery(*position)? else { continue };
            let event = &delivery.event;
            if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
                lease.open = lease.open.saturating_sub(1);
                lease.parked += u64::from(!full);
                if full {
                    lease.give_back(&delivery.reserve);
                    self.applied.receipt.resumed |= lease.resume();
                }
            }
            if full {
                self.leave_branch(event, true)?;
                self.rows.take_unclaimed(*position)?;
                let reason = format!(
                    "no driver {:?} is registered, and {limit} deliveries wait for such drivers already",
                    delivery.driver
                );
                self.rows.add_dead(&DeadLetter {
                    position: delivery.position,
                    driver: delivery.driver,
                    event: delivery.event,
                    sequence: delivery.sequence,
                    logged_at: delivery.logged_at,
                    attempts: delivery.attempt,
                    reason,
                    at: self.rows.now(),
                    obligations: delivery.obligations,
                    reserve: delivery.reserve,
                })?;
            } else {
                let reason = format!("no driver `{}` is registered", delivery.driver);
                self.tell_hold(event, Some(&reason))?;
            }
            self.applied.receipt.touched += 1;
        }
        Ok(())
    }

    pub(super) fn claim(&mut self, positions: &[Position]) -> Result<()> {
        for position in positions {
            let Some(delivery) = self.rows.claim_delivery(*position)? else { continue };
            let event = &delivery.event;
            if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
                lease.parked = lease.parked.saturating_sub(1);
                lease.open += 1;
            }
            self.tell_hold(event, None)?;
            self.applied.receipt.touched += 1;
        }
        Ok(())
    }

    /// Forgets one; its event, if there was one.
    pub(super) fn take_unclaimed(&mut self, position: Position) -> Result<Option<Event>> {
        let Some(delivery) = self.rows.take_unclaimed(position)? else { return Ok(None) };
        let event = delivery.event;
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            lease.parked = lease.parked.saturating_sub(1);
            lease.give_back(&delivery.reserve);
            self.applied.receipt.resumed |= lease.resume();
        }
        self.tell_hold(&event, None)?;
        self.leave_branch(&event, true)?;
        Ok(Some(event))
    }
}
