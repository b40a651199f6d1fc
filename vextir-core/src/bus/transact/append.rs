//! Events into the log, with their deliveries and their place in the causal ledger.

use super::{Write, leaves_work};
use crate::bus::{Appended, Checkpoint, Delivery, Entry, Hold, NewDelivery, Parked, Place, Rows, Tree};
use crate::lease::Exceeded;
use crate::{
    AuditRecord, Category, Decision, Error, ErrorKind, Event, EventId, Lease, LeaseState, Name, Origin,
    Result, Timestamp,
};
use std::collections::{HashMap, HashSet};

impl<R: Rows> Write<'_, R> {
    pub(super) fn append(
        &mut self,
        mut entries: Vec<Entry>,
        checkpoints: &[Checkpoint],
        audit: &[AuditRecord],
    ) -> Result<()> {
        let (open, limit) = self.rows.backlog();
        if open >= limit && !entries.is_empty() {
            return Err(Error::new(
                ErrorKind::Busy,
                "the backlog is full; emit() waits for room, try_emit() does not",
            ));
        }
        let waits =
            |entry: &Entry| matches!(entry.place, Place::Parked(..)) || entry.event.deliver_at.is_some();
        if self.rows.waiting() >= limit && entries.iter().any(waits) {
            return Err(Error::new(
                ErrorKind::Busy,
                "too many delayed and held events wait; cancel or decide some, or raise the backlog limit",
            ));
        }
        entries.iter_mut().for_each(|entry| self.stamp(entry));
        let twins = twins(&entries)?;
        let mut known = Vec::with_capacity(entries.len());
        for entry in &entries {
            known.push(self.known(entry)?);
        }
        for (index, (entry, known)) in entries.into_iter().zip(known).enumerate() {
            match known {
                Some(appended) => self.applied.receipt.appended.push(appended),
                None if twins.contains(&index) => self.repeat(&entry.event),
                None => self.admit_root(entry)?,
            }
        }
        for checkpoint in checkpoints {
            self.rows.set_checkpoint(checkpoint)?;
        }
        self.audit(audit)
    }

    /// Fills in what the emitter left open.
    fn stamp(&mut self, entry: &mut Entry) {
        let event = &entry.event;
        if !event.id.is_unset() && !event.timestamp.is_unset() {
            return;
        }
        let now = self.rows.now();
        let minted = event.id.is_unset().then(|| self.rows.new_id());
        let envelope = entry.event.edit();
        if envelope.timestamp.is_unset() {
            envelope.timestamp = now;
        }
        if let Some(id) = minted {
            envelope.id = id;
            entry.minted = true;
        }
    }

    /// Answers for an entry that stands in the same command twice.
    fn repeat(&mut self, event: &Event) {
        let appended = &mut self.applied.receipt.appended;
        if let Some(first) = appended.iter().find(|first| first.id == event.id).cloned() {
            appended.push(Appended { fresh: false, ..first });
        }
    }

    /// The event that is there already under this key or id.
    pub(super) fn known(&mut self, entry: &Entry) -> Result<Option<Appended>> {
        let event = &entry.event;
        let by_key = match &entry.key {
            Some(key) => self.rows.find_key(&event.user_id, key)?,
            None => None,
        };
        if by_key.is_none() && entry.minted {
            return Ok(None);
        }
        let id = by_key.as_ref().unwrap_or(&event.id);
        let (there, sequence) = if let Some(logged) = self.rows.find_event(&event.user_id, id)? {
            (logged.event, logged.sequence)
        } else if let Some(parked) = self.rows.find_parked(&event.user_id, id)? {
            (parked.event, 0)
        } else {
            // A key may outlive its event; the event is not stored a second time.
            let gone = by_key.map(|id| Appended { id, sequence: 0, fresh: false, parked: false });
            return Ok(gone);
        };
        if by_key.is_none() && !there.same_content(event) {
            return Err(in_use(id));
        }
        Ok(Some(Appended { id: there.id.clone(), sequence, fresh: false, parked: sequence == 0 }))
    }

    /// Stores the root of a new tree.
    fn admit_root(&mut self, mut entry: Entry) -> Result<()> {
        if let Some(key) = &entry.key {
            self.rows.add_key(&entry.event.user_id, key, &entry.event.id)?;
        }
        let eager = std::mem::take(&mut entry.eager);
        if matches!(entry.place, Place::Unrouted) && is_future(&entry.event, self.rows.now()) {
            entry.place = Place::Parked(Hold::Delayed, None);
        }
        self.hold_behind_key(&mut entry)?;
        if leaves_work(&entry.place) {
            let limits = entry.limits.take().map_or_else(|| self.defaults.clone(), |limits| *limits);
            let event = &entry.event;
            self.rows.add_lease(Lease::new(event.id.clone(), event.user_id.clone(), limits))?;
        }
        let parked = matches!(entry.place, Place::Parked(..));
        let made = self.applied.deliveries.len();
        self.admit(entry)?;
        if !parked {
            let entries = self.applied.receipt.appended.len();
            self.settle_eager(made, eager)?;
            let outputs = self.applied.receipt.appended.split_off(entries);
            self.applied.receipt.outputs.extend(outputs);
        }
        Ok(())
    }

    /// An event whose ordering key is held waits behind it.
    pub(super) fn hold_behind_key(&mut self, entry: &mut Entry) -> Result<()> {
        if let (Some(key), false) = (&entry.event.ordering_key, matches!(entry.place, Place::Parked(..)))
            && self.rows.is_key_held(&entry.event.user_id, key)?
        {
            let decision = Decision::new("ordering-key", format!("an earlier event of key {key:?} is held"));
            entry.place = Place::Parked(Hold::Key, Some(decision));
        }
        Ok(())
    }

    /// Stores an event whose tree's ledger, if it needs one, is there.
    pub(super) fn admit(&mut self, entry: Entry) -> Result<()> {
        let Entry { event, place, policy, exempt, origin, .. } = entry;
        match place {
            Place::Parked(hold, decision) => self.park(event, hold, decision, origin),
            Place::Unrouted => {
                let sequence = self.log(&event, policy.as_ref(), exempt, origin)?;
                let Some(sequence) = sequence else { return Ok(()) };
                self.rows.add_unrouted(sequence)
            }
            Place::Routed(deliveries) => {
                let sequence = self.log(&event, policy.as_ref(), exempt, origin)?;
                let Some(sequence) = sequence else { return Ok(()) };
                self.deliver(&event, sequence, deliveries)
            }
        }
    }

    /// Draws the lease and adds to the log; parks the event instead when the lease is used up.
    fn log(
        &mut self,
        event: &Event,
        policy: Option<&Name>,
        exempt: bool,
        origin: Option<Origin>,
    ) -> Result<Option<u64>> {
        let mut newly_held = None;
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())?
            && !exempt
        {
            let drawn = match lease.state {
                LeaseState::Active => lease.draw_event(event.depth),
                _ => Err(Exceeded { unit: Name::literal("lease"), limit: 0 }),
            };
            if let Err(exceeded) = drawn {
                let first = lease.state == LeaseState::Active;
                lease.state = LeaseState::Held;
                let reason = format!("the tree is at its limit of {} {}", exceeded.limit, exceeded.unit);
                newly_held = Some((first, exceeded, reason));
            }
        }
        if let Some((first, exceeded, reason)) = newly_held {
            self.park(event.clone(), Hold::Lease, Some(Decision::new("lease", reason)), origin)?;
            if first {
                self.announce_held(event, &exceeded)?;
            }
            return Ok(None);
        }
        let sequence = self.rows.add_event(event, policy)?;
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            if lease.first == 0 {
                lease.first = sequence;
            }
            lease.last = sequence;
        }
        let id = event.id.clone();
        self.applied.receipt.appended.push(Appended { id, sequence, fresh: true, parked: false });
        Ok(Some(sequence))
    }

    pub(super) fn park(
        &mut self,
        event: Event,
        hold: Hold,
        decision: Option<Decision>,
        origin: Option<Origin>,
    ) -> Result<()> {
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            lease.parked += 1;
        }
        let appended = Appended { id: event.id.clone(), sequence: 0, fresh: true, parked: true };
        self.rows.add_parked(&mut Parked {
            event,
            hold,
            decision,
            origin,
            since: self.rows.now(),
            number: 0,
        })?;
        self.applied.receipt.appended.push(appended);
        Ok(())
    }

    /// Tells the world once that a tree is held.
    fn announce_held(&mut self, event: &Event, exceeded: &Exceeded) -> Result<()> {
        let data = serde_json::json!({
            "root": event.root(),
            "unit": exceeded.unit,
            "limit": exceeded.limit,
            "event_id": event.id,
            "type": event.event_type,
        });
        let mut notice = Event::new(Name::literal("lease.held"))
            .with_id(self.rows.new_id())
            .with_user(event.user_id.clone())
            .with_source(Name::literal("vextir"))
            .with_timestamp(self.rows.now())
            .with_category(Category::Output)
            .with_data(data);
        let envelope = notice.edit();
        envelope.correlation_id.clone_from(&event.correlation_id);
        envelope.root_id = Some(event.root().clone());
        envelope.depth = event.depth;
        let sequence = self.rows.add_event(&notice, None)?;
        self.rows.add_unrouted(sequence)?;
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            lease.last = sequence;
        }
        self.applied.receipt.notices.push(notice);
        Ok(())
    }

    pub(super) fn deliver(&mut self, event: &Event, sequence: u64, new: Vec<NewDelivery>) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        let count = new.len() as u64;
        for NewDelivery { driver, obligations } in new {
            let mut delivery = Delivery {
                position: 0,
                driver,
                event: event.clone(),
                sequence,
                logged_at: self.rows.now(),
                attempt: 0,
                due: None,
                reclaims: 0,
                obligations,
                error: None,
            };
            self.rows.add_delivery(&mut delivery)?;
            self.applied.deliveries.push(delivery);
        }
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            lease.open += count;
            self.applied.receipt.tree = Some(Tree::from(&*lease));
        }
        Ok(())
    }

    pub(super) fn audit(&mut self, records: &[AuditRecord]) -> Result<()> {
        records.iter().try_for_each(|record| self.rows.add_audit(record))
    }
}

/// The entries that repeat an earlier one of the same command, by id and content.
pub(super) fn twins(entries: &[Entry]) -> Result<HashSet<usize>> {
    let mut seen: HashMap<(&EventId, Option<&Name>), &Event> = HashMap::new();
    let mut twins = HashSet::new();
    for (index, entry) in entries.iter().enumerate().filter(|(_, entry)| !entry.minted) {
        let event = &entry.event;
        let scope = event.id.foreign().map(|_| &event.user_id);
        if let Some(first) = seen.insert((&event.id, scope), event) {
            if !first.same_content(event) {
                return Err(in_use(&event.id));
            }
            twins.insert(index);
        }
    }
    Ok(twins)
}

fn in_use(id: &EventId) -> Error {
    let message = format!("event id {id} is in use with other content; use a new id");
    Error::new(ErrorKind::Conflict, message)
}

fn is_future(event: &Event, now: Timestamp) -> bool {
    event.deliver_at.is_some_and(|at| at > now)
}
