//! The operator's and the processor's own commands.

use super::{Write, leaves_work};
use crate::bus::{
    Appended, DeadLetter, Entry, Hold, NewDelivery, Parked, Place, Position, Release, Route, Rows, Tree,
};
use crate::{AuditRecord, Decision, Error, ErrorKind, EventId, Lease, LeaseState, Limits, Name, Result};
use std::borrow::Cow;

impl<R: Rows> Write<'_, R> {
    /// Gives an event of the log its deliveries.
    pub(super) fn route(&mut self, route: &Route) -> Result<()> {
        let Route { sequence, event, place, audit, limits, waiting, checkpoint } = route;
        let sequence = *sequence;
        if *waiting && !self.rows.take_unrouted(sequence)? {
            return Err(Error::new(ErrorKind::Stale, format!("event {} was routed already", event.id)));
        }
        if !*waiting && leaves_work(place) && !self.rows.has_event(sequence)? {
            let message = format!("retention removed event {} of the log", event.id);
            return Err(Error::new(ErrorKind::Stale, message));
        }
        self.audit(audit)?;
        if let Some(checkpoint) = checkpoint {
            self.rows.set_checkpoint(checkpoint)?;
        }
        if !leaves_work(place) {
            return Ok(());
        }
        match self.rows.lease(&event.user_id, event.root())? {
            Some(lease) if lease.state == LeaseState::Cancelled => return Ok(()),
            Some(_) => {}
            None => {
                let limits = self.limits(limits.as_deref());
                let mut lease = Lease::new(event.root().clone(), event.user_id.clone(), limits);
                (lease.first, lease.last, lease.events) = (sequence, sequence, 1);
                self.rows.add_lease(lease)?;
            }
        }
        // Who is given the past stands behind nothing of today.
        let place = if *waiting { self.destination(event, place)? } else { Cow::Borrowed(place) };
        match &*place {
            Place::Routed(deliveries) if *waiting => match self.find_room(event, deliveries)? {
                None => self.deliver(event, sequence, deliveries),
                Some(decision) => self.park(event, Hold::Lease, Some(decision), None),
            },
            // What its tree cannot pay today is not done for the past, and nobody is held for it.
            Place::Routed(deliveries) if self.lacks_room(event, deliveries)?.is_some() => Ok(()),
            Place::Routed(deliveries) => self.deliver(event, sequence, deliveries),
            Place::Parked(hold, decision) => self.park(event, *hold, decision.clone(), None),
            Place::Unrouted => Ok(()),
        }
    }

    /// Takes a parked event out of its wait: into the log, into another wait, or away.
    pub(super) fn release(&mut self, release: &Release) -> Result<()> {
        let Release { user, id, entry, audit } = release;
        let Some(parked) = self.rows.find_parked(user, id)? else {
            return Err(Error::new(ErrorKind::NotFound, format!("no event {id} waits")));
        };
        let root = parked.event.root();
        self.audit(audit)?;
        let mut state = None;
        if let Some(lease) = self.rows.lease(user, root)? {
            state = Some(lease.state);
            // It was drawn when it began to wait, and is drawn again where it goes on, or waits on, for its time.
            lease.events = lease.events.saturating_sub(u64::from(parked.hold == Hold::Delayed));
        }
        match entry.as_ref().filter(|_| state != Some(LeaseState::Cancelled)) {
            // Refused or rejected: what waited for it has failed.
            None => self.end_wait(&parked, state != Some(LeaseState::Cancelled))?,
            Some(entry) => {
                if state.is_none() && leaves_work(&entry.place) {
                    let limits = self.limits(entry.limits.as_deref());
                    self.rows.add_lease(Lease::new(root.clone(), user.clone(), limits))?;
                }
                self.release_into(&parked, entry)?;
            }
        }
        self.report(user, root)
    }

    fn release_into(&mut self, parked: &Parked, entry: &Entry) -> Result<()> {
        let (event, drew) = (&entry.event, parked.hold == Hold::Delayed);
        // Held ones are released in their order; a delayed one joins its key now.
        let place = match parked.hold {
            Hold::Delayed => self.destination(event, &entry.place)?,
            _ => Cow::Borrowed(&entry.place),
        };
        let deliveries = match &*place {
            Place::Parked(Hold::Delayed, decision) => {
                let used_up = self.draw(event, entry, &[], drew)?;
                let hold = if used_up.is_some() { Hold::Lease } else { Hold::Delayed };
                return self.wait_on(parked, entry, hold, used_up.as_ref().or(decision.as_ref()));
            }
            Place::Parked(hold, decision) => return self.wait_on(parked, entry, *hold, decision.as_ref()),
            Place::Routed(deliveries) => Some(&deliveries[..]),
            Place::Unrouted => None,
        };
        // An event that was held after it was logged has its place in the log already.
        if let Some(logged) = self.rows.find_event(&parked.event.user_id, &parked.event.id)? {
            let deliveries = deliveries.unwrap_or_default();
            if let Some(decision) = self.find_room(event, deliveries)? {
                return self.wait_on(parked, entry, Hold::Lease, Some(&decision));
            }
            self.end_wait(parked, false)?;
            return self.deliver(&logged.event, logged.sequence, deliveries);
        }
        // Drawn while it still stands in its place, in case that it has to keep it.
        if let Some(decision) = self.draw(event, entry, deliveries.unwrap_or_default(), drew)? {
            return self.wait_on(parked, entry, Hold::Lease, Some(&decision));
        }
        self.end_wait(parked, false)?;
        self.log(event, entry, deliveries, true)
    }

    pub(super) fn end_wait(&mut self, parked: &Parked, failed: bool) -> Result<()> {
        self.rows.take_parked(parked.number)?;
        self.leave_branch(&parked.event, failed)?;
        if let Some(lease) = self.rows.lease(&parked.event.user_id, parked.event.root())? {
            lease.parked = lease.parked.saturating_sub(1);
        }
        Ok(())
    }

    /// Lets a parked event wait for something else: in its old place, for what is held keeps the order of its
    /// arrival, or, when it was delayed until now, behind what is held already.
    fn wait_on(
        &mut self,
        parked: &Parked,
        entry: &Entry,
        hold: Hold,
        decision: Option<&Decision>,
    ) -> Result<()> {
        if parked.hold == Hold::Delayed {
            self.end_wait(parked, false)?;
            return self.park(&entry.event, hold, decision.cloned(), Some(entry));
        }
        let appended = Appended { id: parked.event.id.clone(), sequence: 0, fresh: true, parked: true };
        self.applied.receipt.appended.push(appended);
        self.rows.set_hold(parked.number, hold, decision, entry.approved.as_ref())
    }

    pub(super) fn cancel(&mut self, user: &Name, root: &EventId, audit: &[AuditRecord]) -> Result<()> {
        let Some(lease) = self.rows.lease(user, root)? else {
            return Err(unknown_tree(root));
        };
        lease.state = LeaseState::Cancelled;
        let snapshot = lease.clone();
        // An operator may know the root alone: the ledger knows whose tree it is.
        let dropped = self.rows.drop_tree(&snapshot)? + self.rows.drop_parked(&snapshot.user, root)?;
        if let Some(lease) = self.rows.lease(user, root)? {
            (lease.open, lease.parked) = (0, 0);
            lease.reserved.clear();
            lease.short.clear();
        }
        self.applied.receipt.touched = dropped;
        self.cancel_branches(&snapshot.user, root)?;
        self.audit(audit)?;
        self.report(user, root)
    }

    pub(super) fn extend(
        &mut self,
        user: &Name,
        root: &EventId,
        limits: &Limits,
        audit: &[AuditRecord],
    ) -> Result<()> {
        let Some(lease) = self.rows.lease(user, root)? else {
            return Err(unknown_tree(root));
        };
        if lease.state == LeaseState::Cancelled {
            return Err(Error::new(ErrorKind::Cancelled, format!("the tree of {root} was cancelled")));
        }
        lease.limits = limits.clone();
        lease.state = LeaseState::Active;
        lease.short.clear();
        self.audit(audit)?;
        self.report(user, root)
    }

    pub(super) fn redrive(
        &mut self,
        positions: &[Position],
        decision: &Decision,
        limits: Option<&Limits>,
    ) -> Result<()> {
        for position in positions {
            let Some(letter) = self.rows.take_dead(*position)? else { continue };
            let (event, sequence) = (letter.event.clone(), letter.sequence);
            let state = self.rows.lease(&event.user_id, event.root())?.map(|lease| lease.state);
            if state == Some(LeaseState::Cancelled) {
                // Nothing of a cancelled tree runs again.
                self.rows.add_dead(&letter)?;
                continue;
            }
            if state.is_none() {
                let limits = self.limits(limits);
                self.rows.add_lease(Lease::new(event.root().clone(), event.user_id.clone(), limits))?;
            }
            self.rows.add_audit(&AuditRecord::about(&event, "redrive", decision.clone()))?;
            // It reserves again whatever is left: the operator wants it.
            let DeadLetter { driver, obligations, reserve, .. } = letter;
            let delivery = NewDelivery { driver, obligations, reserve, admission: Vec::new() };
            self.deliver(&event, sequence, &[delivery])?;
            self.take(*position);
        }
        Ok(())
    }

    pub(super) fn discard(&mut self, positions: &[Position], decision: &Decision) -> Result<()> {
        for position in positions {
            let event = match self.rows.take_dead(*position)? {
                Some(letter) => letter.event,
                None => match self.take_unclaimed(*position)? {
                    Some(event) => event,
                    None => continue,
                },
            };
            // Used for the last time, perhaps: the letter kept it from retention.
            self.rows.lease(&event.user_id, event.root())?;
            self.take(*position);
            self.rows.add_audit(&AuditRecord::about(&event, "discard", decision.clone()))?;
        }
        Ok(())
    }

    fn take(&mut self, position: Position) {
        self.applied.receipt.touched += 1;
        self.applied.receipt.taken.push(position);
    }

    pub(super) fn reclaim(&mut self, positions: &[Position], alone: Option<Position>) -> Result<()> {
        for position in positions {
            self.applied.receipt.touched += usize::from(self.rows.reclaim_delivery(*position)?);
        }
        self.rows.set_alone(alone)
    }

    fn report(&mut self, user: &Name, root: &EventId) -> Result<()> {
        self.applied.receipt.tree = self.rows.lease(user, root)?.map(|lease| Tree::from(&*lease));
        Ok(())
    }
}

fn unknown_tree(root: &EventId) -> Error {
    Error::new(ErrorKind::NotFound, format!("no causal tree with work has the root {root}"))
}
