//! Events into the log, with their deliveries and their place in the causal ledger.

use super::{Write, leaves_work};
use crate::bus::{Append, Appended, Delivery, Entry, Hold, NewDelivery, Parked, Place, Rows, Tree};
use crate::lease::Exceeded;
use crate::notice::KERNEL;
use crate::{
    AuditRecord, Decision, Error, ErrorKind, Event, EventId, Lease, LeaseHeld, LeaseState, Limits, Name,
    Result, Timestamp,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// An entry with what the emitter left open filled in.
struct Stamped<'a> {
    entry: &'a Entry,
    event: Cow<'a, Event>,
    minted: bool,
}

/// Where an event goes, which may not be where its entry says.
type Destination<'a> = Cow<'a, Place>;

impl<R: Rows> Write<'_, R> {
    pub(super) fn append(&mut self, append: &Append) -> Result<()> {
        let Append { entries, checkpoints, audit } = append;
        self.refuse_busy(entries)?;
        entries.iter().flat_map(|entry| &entry.eager).try_for_each(|eager| self.need_documents(eager))?;
        let entries: Vec<_> = entries.iter().map(|entry| self.stamp(entry)).collect();
        if entries.iter().all(|one| one.minted && one.entry.key.is_none()) {
            entries.iter().try_for_each(|one| self.admit_root(one))?;
        } else {
            self.append_unknown(&entries)?;
        }
        for checkpoint in checkpoints {
            if !self.must_stay(checkpoint)? {
                self.rows.set_checkpoint(checkpoint)?;
            }
        }
        self.audit(audit)
    }

    fn refuse_busy(&mut self, entries: &[Entry]) -> Result<()> {
        let (open, limit) = self.rows.backlog();
        if open >= limit && !entries.is_empty() {
            return Err(Error::new(
                ErrorKind::Busy,
                "the backlog is full; emit() waits for room, try_emit() does not",
            ));
        }
        let (waiting, _) = self.rows.waiting();
        if waiting < limit {
            return Ok(());
        }
        for entry in entries {
            if self.waits(entry)? {
                return Err(Error::new(
                    ErrorKind::Busy,
                    "too many delayed and held events wait; cancel or decide some, or raise the backlog limit",
                ));
            }
        }
        Ok(())
    }

    /// Whether an entry will wait: for its time, for a decision, or behind its held ordering key.
    fn waits(&mut self, entry: &Entry) -> Result<bool> {
        let Entry { event, place, .. } = entry;
        Ok(matches!(*self.root_place(event, place)?, Place::Parked(..)))
    }

    /// Stores entries of which some may be there already.
    fn append_unknown(&mut self, entries: &[Stamped<'_>]) -> Result<()> {
        let twins = twins(entries.iter().map(|one| (&*one.event, one.minted)))?;
        let mut known = Vec::with_capacity(entries.len());
        for one in entries {
            known.push(self.known(&one.event, one.minted, one.entry.key.as_ref())?);
        }
        let mut keys = HashSet::new();
        for (index, (one, mut known)) in entries.iter().zip(known).enumerate() {
            let repeats =
                one.entry.key.as_ref().is_some_and(|key| !keys.insert((one.event.user_id.clone(), key)));
            if known.is_none() && repeats {
                // An entry before it has used its key.
                known = self.known(&one.event, one.minted, one.entry.key.as_ref())?;
            }
            match known {
                Some(appended) => self.applied.receipt.appended.push(appended),
                None if twins.contains(&index) => self.repeat(&one.event),
                None => self.admit_root(one)?,
            }
        }
        Ok(())
    }

    /// Fills in what the emitter left open.
    fn stamp<'a>(&mut self, entry: &'a Entry) -> Stamped<'a> {
        let (no_id, no_time) = (entry.event.id.is_unset(), entry.event.timestamp.is_unset());
        if !no_id && !no_time {
            return Stamped { entry, event: Cow::Borrowed(&entry.event), minted: entry.minted };
        }
        let mut event = entry.event.clone();
        let (now, id) = (self.rows.now(), no_id.then(|| self.rows.new_id()));
        let envelope = event.edit();
        if no_time {
            envelope.timestamp = now;
        }
        if let Some(id) = id {
            envelope.id = id;
        }
        Stamped { entry, event: Cow::Owned(event), minted: entry.minted || no_id }
    }

    /// Answers for an entry that stands in the same command twice.
    fn repeat(&mut self, event: &Event) {
        let appended = &mut self.applied.receipt.appended;
        if let Some(first) = appended.iter().find(|first| first.id == event.id).cloned() {
            appended.push(Appended { fresh: false, ..first });
        }
    }

    /// The event that is there already under this key or id.
    pub(super) fn known(
        &mut self,
        event: &Event,
        minted: bool,
        key: Option<&Name>,
    ) -> Result<Option<Appended>> {
        let by_key = match key {
            Some(key) => self.rows.find_key(&event.user_id, key)?,
            None => None,
        };
        if by_key.is_none() && minted {
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
    fn admit_root(&mut self, one: &Stamped<'_>) -> Result<()> {
        let Stamped { entry, event, .. } = one;
        if let Some(key) = &entry.key {
            self.rows.add_key(&event.user_id, key, &event.id)?;
        }
        let place = self.root_place(event, &entry.place)?;
        let works = leaves_work(&place);
        if works {
            let limits = self.limits(entry.limits.as_deref());
            self.rows.add_lease(Lease::new(event.id.clone(), event.user_id.clone(), limits))?;
        }
        let made = self.applied.deliveries.len();
        // Nobody else has an id that the kernel made: its tree has a ledger if it was opened just now.
        self.admit(event, entry, &place, works || !one.minted)?;
        if !matches!(*place, Place::Parked(..)) && !entry.eager.is_empty() {
            let entries = self.applied.receipt.appended.len();
            self.settle_eager(made, &entry.eager)?;
            let outputs = self.applied.receipt.appended.split_off(entries);
            self.applied.receipt.outputs.extend(outputs);
        }
        Ok(())
    }

    /// The limits of a new tree.
    pub(super) fn limits(&self, own: Option<&Limits>) -> Limits {
        own.unwrap_or(self.defaults).clone()
    }

    /// Where the root of a tree goes: what nobody has routed waits for its time, too.
    fn root_place<'e>(&mut self, event: &Event, place: &'e Place) -> Result<Destination<'e>> {
        if matches!(place, Place::Unrouted) && is_future(event, self.rows.now()) {
            return Ok(Cow::Owned(Place::Parked(Hold::Delayed, None)));
        }
        self.destination(event, place)
    }

    /// Where an event goes: behind its ordering key, if that is held.
    pub(super) fn destination<'e>(&mut self, event: &Event, place: &'e Place) -> Result<Destination<'e>> {
        if let (Some(key), false) = (&event.ordering_key, matches!(place, Place::Parked(..)))
            && self.rows.is_key_held(&event.user_id, key)?
        {
            let decision = Decision::new("ordering-key", format!("an earlier event of key {key:?} is held"));
            return Ok(Cow::Owned(Place::Parked(Hold::Key, Some(decision))));
        }
        Ok(Cow::Borrowed(place))
    }

    /// Stores an event whose tree's ledger, if it needs one, is there; `ledger` is false if it has none.
    pub(super) fn admit(&mut self, event: &Event, entry: &Entry, place: &Place, ledger: bool) -> Result<()> {
        if let Some(branch) = &entry.branch {
            self.begin_branch(branch)?;
        }
        let deliveries = match place {
            Place::Parked(hold, decision) => {
                // It counts from now on: what waits for its time is bounded by its tree's limits.
                let used_up =
                    if *hold == Hold::Delayed { self.draw(event, entry, &[], false)? } else { None };
                let (hold, decision) =
                    used_up.map_or((*hold, decision.clone()), |used_up| (Hold::Lease, Some(used_up)));
                return self.park(event, hold, decision, Some(entry));
            }
            Place::Unrouted => None,
            Place::Routed(deliveries) => Some(deliveries),
        };
        let deliveries = deliveries.map(|deliveries| &deliveries[..]);
        if ledger && let Some(decision) = self.draw(event, entry, deliveries.unwrap_or_default(), false)? {
            return self.park(event, Hold::Lease, Some(decision), Some(entry));
        }
        self.log(event, entry, deliveries, ledger)
    }

    /// Puts an event into the log, and its deliveries, or the note that it waits to be routed, beside it.
    pub(super) fn log(
        &mut self,
        event: &Event,
        entry: &Entry,
        deliveries: Option<&[NewDelivery]>,
        ledger: bool,
    ) -> Result<()> {
        let sequence = self.rows.add_event(event, entry.policy.as_ref())?;
        if ledger && let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            if lease.first == 0 {
                lease.first = sequence;
            }
            lease.last = sequence;
        }
        self.note_in_branch(event)?;
        let id = event.id.clone();
        self.applied.receipt.appended.push(Appended { id, sequence, fresh: true, parked: false });
        match deliveries {
            Some(deliveries) => self.deliver(event, sequence, deliveries),
            None => self.rows.add_unrouted(sequence),
        }
    }

    /// Draws the lease. When it is used up, the tree is held from now on, and what comes back says why. What drew
    /// before and gave it back (`again`) is not held because others are.
    pub(super) fn draw(
        &mut self,
        event: &Event,
        entry: &Entry,
        deliveries: &[NewDelivery],
        again: bool,
    ) -> Result<Option<Decision>> {
        if entry.exempt {
            return Ok(None);
        }
        let Some(lease) = self.rows.lease(&event.user_id, event.root())? else { return Ok(None) };
        if lease.state != LeaseState::Active && !again {
            return Ok(Some(Decision::new("lease", "the tree is held at its limit")));
        }
        let reserve = reserve_of(deliveries);
        match lease.draw_event(event.depth, &reserve) {
            Ok(()) => Ok(None),
            Err(exceeded) => self.hold_tree(event, &exceeded, reserve).map(Some),
        }
    }

    /// Looks whether the deliveries of an event that was drawn before can be paid. If not, the tree is held.
    pub(super) fn find_room(
        &mut self,
        event: &Event,
        deliveries: &[NewDelivery],
    ) -> Result<Option<Decision>> {
        match self.lacks_room(event, deliveries)? {
            None => Ok(None),
            Some((exceeded, reserve)) => self.hold_tree(event, &exceeded, reserve).map(Some),
        }
    }

    /// What the deliveries of an event would reserve, if that is more than its tree has left.
    pub(super) fn lacks_room(
        &mut self,
        event: &Event,
        deliveries: &[NewDelivery],
    ) -> Result<Option<(Exceeded, BTreeMap<Name, u64>)>> {
        let reserve = reserve_of(deliveries);
        if reserve.is_empty() {
            return Ok(None);
        }
        let lease = self.rows.lease(&event.user_id, event.root())?;
        let room = lease.map_or(Ok(()), |lease| lease.room_for(&reserve));
        Ok(room.err().map(|exceeded| (exceeded, reserve)))
    }

    /// Holds the tree of an event that it cannot pay, and says why.
    fn hold_tree(
        &mut self,
        event: &Event,
        exceeded: &Exceeded,
        reserve: BTreeMap<Name, u64>,
    ) -> Result<Decision> {
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())?
            && lease.state == LeaseState::Active
        {
            lease.state = LeaseState::Held;
            // With room again it goes on by itself, and what is held then again was told; at any other limit neither.
            let short = lease.room_for(&reserve).err().as_ref() == Some(exceeded);
            let told = short && !lease.short.is_empty();
            lease.short = if short { reserve } else { BTreeMap::new() };
            if !told {
                self.announce_held(event, exceeded)?;
            }
        }
        let reason = format!("the tree is at its limit of {} {}", exceeded.limit, exceeded.unit);
        Ok(Decision::new("lease", reason))
    }

    pub(super) fn park(
        &mut self,
        event: &Event,
        hold: Hold,
        decision: Option<Decision>,
        entry: Option<&Entry>,
    ) -> Result<()> {
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            lease.parked += 1;
        }
        self.enter_branch(event, 1)?;
        let appended = Appended { id: event.id.clone(), sequence: 0, fresh: true, parked: true };
        self.rows.add_parked(&mut Parked {
            event: event.clone(),
            hold,
            decision,
            approved: entry.and_then(|entry| entry.approved.clone()),
            origin: entry.and_then(|entry| entry.origin.clone()),
            since: self.rows.now(),
            number: 0,
        })?;
        self.applied.receipt.appended.push(appended);
        Ok(())
    }

    /// Tells the world once that a tree is held.
    fn announce_held(&mut self, event: &Event, exceeded: &Exceeded) -> Result<()> {
        let mut notice = Event::of(&LeaseHeld::new(event, exceeded.unit.clone(), exceeded.limit))?
            .with_id(self.rows.new_id())
            .with_user(event.user_id.clone())
            .with_source(Name::literal(KERNEL))
            .with_timestamp(self.rows.now());
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

    pub(super) fn deliver(&mut self, event: &Event, sequence: u64, new: &[NewDelivery]) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        let before = self.applied.deliveries.len();
        for new in new {
            let Some(admitted) = self.ask_flow(event, new)? else { continue };
            let mut delivery = Delivery {
                sequence,
                logged_at: self.rows.now(),
                due: admitted.due,
                obligations: new.obligations.clone(),
                reserve: new.reserve.clone(),
                replaces: admitted.replaces.clone(),
                ..Delivery::new(new.driver.clone(), event.clone())
            };
            self.rows.add_delivery(&mut delivery)?;
            self.keep_flow(new, admitted, &delivery)?;
            self.applied.deliveries.push(delivery);
        }
        let made = &self.applied.deliveries[before..];
        let count = made.len() as u64;
        self.enter_branch(event, count)?;
        if let Some(lease) = self.rows.lease(&event.user_id, event.root())? {
            lease.open += count;
            self.applied.deliveries[before..].iter().for_each(|delivery| lease.reserve(&delivery.reserve));
            self.applied.receipt.tree = Some(Tree::from(&*lease));
        }
        Ok(())
    }

    pub(super) fn audit(&mut self, records: &[AuditRecord]) -> Result<()> {
        records.iter().try_for_each(|record| self.rows.add_audit(record))
    }
}

/// What several deliveries reserve together.
fn reserve_of(deliveries: &[NewDelivery]) -> BTreeMap<Name, u64> {
    let mut all: BTreeMap<Name, u64> = BTreeMap::new();
    for (unit, amount) in deliveries.iter().flat_map(|delivery| &delivery.reserve) {
        let reserve = all.entry(unit.clone()).or_default();
        *reserve = reserve.saturating_add(*amount);
    }
    all
}

/// Which events repeat an earlier one of the same command, by id and content. What the kernel made an id for
/// (`true`) repeats nothing.
pub(super) fn twins<'e>(events: impl Iterator<Item = (&'e Event, bool)>) -> Result<HashSet<usize>> {
    let mut seen: HashMap<(&EventId, Option<&Name>), &Event> = HashMap::new();
    let mut twins = HashSet::new();
    for (index, (event, _)) in events.enumerate().filter(|(_, (_, minted))| !minted) {
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
