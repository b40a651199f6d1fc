//! Branches that nobody wants any more: all that is open in them ends, in the commit that says so.

use super::Write;
use crate::bus::{Delivery, Hold, Parked, Rows};
use crate::notice::KERNEL;
use crate::{Branch, DeliveryFailed, Event, EventId, Name, Result};

impl<R: Rows> Write<'_, R> {
    /// Ends branches of the driver of this delivery. Only who began a branch ends it; a causal tree of its own is ended by
    /// cancelling the tree.
    pub(super) fn cancel_own(
        &mut self,
        ids: &[EventId],
        listeners: &[Name],
        delivery: &Delivery,
    ) -> Result<()> {
        for id in ids {
            let own = self.branch(&delivery.event.user_id, id)?;
            let own = own.filter(|branch| branch.driver == delivery.driver && !branch.is_tree());
            if let Some(branch) = own.cloned() {
                self.cancel_branch(&branch, listeners)?;
            }
        }
        Ok(())
    }

    fn cancel_branch(&mut self, top: &Branch, listeners: &[Name]) -> Result<()> {
        let all = self.with_inner(top)?;
        for branch in &all {
            for delivery in self.rows.work_of(branch)? {
                self.drop_work(&delivery)?;
                self.tell_dropped(&delivery.event, &delivery.driver, top, listeners)?;
            }
            for parked in self.rows.waits_of(branch)? {
                self.drop_wait(&parked)?;
                self.tell_dropped(&parked.event, &parked.event.source, top, listeners)?;
            }
            self.branches.retain(|known| known.id != branch.id || known.user != branch.user);
            self.rows.drop_branch(branch)?;
            self.applied.receipt.cancelled.push(branch.id.clone());
        }
        for branch in all {
            // What was around it is gone, too.
            self.tell_of(&Branch { parent: top.parent.clone(), ..branch }, true)?;
        }
        if let Some(parent) = &top.parent
            && let Some(parent) = self.branch(&top.user, parent)?
        {
            parent.open = parent.open.saturating_sub(1);
        }
        Ok(())
    }

    /// It and all branches inside of it.
    fn with_inner(&mut self, top: &Branch) -> Result<Vec<Branch>> {
        let mut others = self.rows.branches_of(&top.user, &top.root)?;
        let mut all = vec![top.clone()];
        let mut next = 0;
        while let Some(branch) = all.get(next) {
            let (inner, rest) =
                others.into_iter().partition(|other| other.parent.as_ref() == Some(&branch.id));
            all.extend::<Vec<Branch>>(inner);
            others = rest;
            next += 1;
        }
        Ok(all)
    }

    fn drop_work(&mut self, delivery: &Delivery) -> Result<()> {
        let open = self.rows.take_delivery(delivery.position)?;
        if !open {
            self.rows.take_unclaimed(delivery.position)?;
        }
        self.applied.receipt.touched += 1;
        if let Some(lease) = self.rows.lease(&delivery.event.user_id, delivery.event.root())? {
            // One that is set aside waits for its driver.
            let count = if open { &mut lease.open } else { &mut lease.parked };
            *count = count.saturating_sub(1);
            lease.give_back(&delivery.reserve);
            self.applied.receipt.resumed |= lease.resume();
        }
        Ok(())
    }

    fn drop_wait(&mut self, parked: &Parked) -> Result<()> {
        self.rows.take_parked(parked.number)?;
        self.applied.receipt.touched += 1;
        self.applied.receipt.freed |= parked.hold != Hold::Delayed;
        if let Some(lease) = self.rows.lease(&parked.event.user_id, parked.event.root())? {
            lease.parked = lease.parked.saturating_sub(1);
            // As if it had never been drawn: it was, when it began to wait for its time.
            lease.events = lease.events.saturating_sub(u64::from(parked.hold == Hold::Delayed));
        }
        Ok(())
    }

    /// A driver that keeps state of its own about what goes is told, outside of it.
    fn tell_dropped(&mut self, event: &Event, driver: &Name, top: &Branch, listeners: &[Name]) -> Result<()> {
        if !listeners.contains(driver) {
            return Ok(());
        }
        let mut news = Event::of(&DeliveryFailed::cancelled(event.id.clone()))?;
        let envelope = news.edit();
        envelope.user_id = event.user_id.clone();
        envelope.source = Name::literal(KERNEL);
        envelope.correlation_id = Some(top.id.clone());
        envelope.root_id = Some(top.root.clone());
        envelope.branch_id.clone_from(&top.parent);
        envelope.depth = top.depth;
        envelope.ordering_key.clone_from(&event.ordering_key);
        envelope.labels.clone_from(&event.labels);
        self.send(news, driver)
    }
}
