//! The rows of [`MemoryBus`](super::MemoryBus): ordered maps under one lock.

use super::recent::{Key, Recent};
use crate::bus::{
    BusStatus, Checkpoint, Chores, DeadLetter, Delivery, Hold, Logged, Page, Parked, Position, Rows,
    Sequence, new_incarnation,
};
use crate::event::IdSource;
use crate::{
    AuditRecord, Branch, Data, Decision, Error, ErrorKind, Event, EventFilter, EventId, Lease, Name, Result,
    Timestamp,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

#[derive(Debug)]
pub(super) struct Table {
    pub(super) attached: bool,
    pub(super) unclean: bool,
    pub(super) alone: Option<Position>,
    pub(super) incarnation: u64,
    pub(super) drivers: BTreeMap<Name, String>,
    pub(super) deliveries: BTreeMap<Position, Delivery>,
    /// Set aside: their drivers are not registered.
    pub(super) unclaimed: BTreeMap<Position, Delivery>,
    pub(super) unrouted: BTreeMap<Sequence, Logged>,
    pub(super) parked: BTreeMap<u64, Parked>,
    /// How many of the parked ones handlers made.
    made: usize,
    pub(super) delayed: BTreeSet<(Timestamp, u64)>,
    pub(super) dead: BTreeMap<Position, DeadLetter>,
    letters_removed: u64,
    pub(super) audit: VecDeque<(u64, AuditRecord)>,
    pub(super) checkpoints: HashMap<Name, BTreeMap<String, Data>>,
    log: VecDeque<Logged>,
    ids: Recent<Sequence>,
    leases: Recent<Lease>,
    branches: HashMap<Key, Branch>,
    /// The head when they last forgot what is old.
    aged_at: Sequence,
    keys: HashMap<(Name, Name), EventId>,
    keys_in_order: VecDeque<(Sequence, (Name, Name))>,
    keep: usize,
    backlog: usize,
    now: Timestamp,
    head: Sequence,
    position: Position,
    number: u64,
    source: IdSource,
}

impl Table {
    pub(super) fn new(keep: usize, backlog: usize) -> Self {
        Self {
            attached: false,
            unclean: false,
            alone: None,
            incarnation: new_incarnation(),
            drivers: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            unclaimed: BTreeMap::new(),
            unrouted: BTreeMap::new(),
            parked: BTreeMap::new(),
            made: 0,
            delayed: BTreeSet::new(),
            dead: BTreeMap::new(),
            letters_removed: 0,
            audit: VecDeque::new(),
            checkpoints: HashMap::new(),
            log: VecDeque::new(),
            ids: Recent::new(),
            leases: Recent::new(),
            branches: HashMap::new(),
            aged_at: 0,
            keys: HashMap::new(),
            keys_in_order: VecDeque::new(),
            keep: keep.max(1),
            backlog,
            now: Timestamp::UNSET,
            head: 0,
            position: 0,
            number: 0,
            source: IdSource::new(None),
        }
    }

    pub(super) fn seed(&mut self, seed: u64) {
        (self.incarnation, self.source) = (seed, IdSource::new(Some(seed)));
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    pub(super) fn status(&self) -> BusStatus {
        let (open, limit) = self.backlog();
        let (outside, made) = self.waiting();
        BusStatus::new(self.head, open, limit).with_waiting(outside, made)
    }

    pub(super) fn chores(&self) -> Chores {
        Chores::new(self.unrouted.len(), self.delayed.first().map(|(due, _)| *due))
            .with_letters_removed(self.letters_removed)
    }

    /// The first sequence that is still there (or the next to come).
    fn first(&self) -> Sequence {
        self.log.front().map_or(self.head + 1, |logged| logged.sequence)
    }

    fn at(&self, sequence: Sequence) -> Option<&Logged> {
        let index = usize::try_from(sequence.checked_sub(self.first())?).ok()?;
        self.log.get(index)
    }

    pub(super) fn logged(&self, user: &Name, id: &EventId) -> Option<Logged> {
        self.at(*self.ids.get(&Key::new(user, id))?).cloned()
    }

    pub(super) fn ledger(&self, user: &Name, root: &EventId) -> Option<Lease> {
        self.leases.get(&Key::new(user, root)).cloned()
    }

    pub(super) fn read(&self, after: Sequence, filter: &EventFilter, limit: usize) -> Result<Page> {
        let first = self.first();
        if after + 1 < first {
            return Err(gap(after, first));
        }
        let mut page = Page { events: Vec::new(), next: after, at_head: true };
        let skip = usize::try_from(after + 1 - first).unwrap_or(usize::MAX);
        for logged in self.log.iter().skip(skip) {
            if page.events.len() == limit {
                page.at_head = false;
                break;
            }
            page.next = logged.sequence;
            if filter.matches(&logged.event) {
                page.events.push(logged.clone());
            }
        }
        Ok(page)
    }

    /// Removes what is more than the bus keeps, from the front. What comes back can be dropped without the lock.
    pub(super) fn trim(&mut self) -> Vec<Logged> {
        let gone: Vec<Logged> = self.log.drain(..self.log.len().saturating_sub(self.keep)).collect();
        let first = self.first();
        if self.head - self.aged_at >= self.keep as u64 {
            self.aged_at = self.head;
            // Whatever the old generation holds came before the last `keep` events.
            self.ids.age(|_| false);
            let letters: HashSet<Key> = self
                .dead
                .values()
                .map(|letter| Key::new(&letter.event.user_id, letter.event.root()))
                .collect();
            self.leases.age(|lease| {
                let needed = lease.open > 0 || lease.parked > 0 || lease.last >= first;
                needed || letters.contains(&Key::new(&lease.user, &lease.root))
            });
        }
        while self.keys_in_order.front().is_some_and(|(sequence, _)| *sequence < first) {
            if let Some((_, pair)) = self.keys_in_order.pop_front() {
                self.keys.remove(&pair);
            }
        }
        while self.audit.len() > self.keep {
            self.audit.pop_front();
        }
        while self.dead.len() > self.keep {
            if let Some((_, letter)) = self.dead.pop_first() {
                self.letters_removed += 1;
                tracing::warn!(event = %letter.event.id, driver = %letter.driver, "oldest dead letter removed");
            }
        }
        gone
    }
}

/// The place of a delayed event in the order of due times.
fn due(parked: &Parked) -> Option<(Timestamp, u64)> {
    let due = parked.event.deliver_at.filter(|_| parked.hold == Hold::Delayed)?;
    Some((due, parked.number))
}

fn gap(after: Sequence, first: Sequence) -> Error {
    Error::new(
        ErrorKind::Gap,
        format!("retention removed the events {} to {}; the log begins at {first}", after + 1, first - 1),
    )
}

impl Rows for Table {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn new_id(&mut self) -> EventId {
        self.source.next(self.now)
    }

    fn backlog(&self) -> (usize, usize) {
        (self.deliveries.len() + self.unrouted.len(), self.backlog)
    }

    fn waiting(&self) -> (usize, usize) {
        (self.parked.len() - self.made, self.made)
    }

    fn add_event(&mut self, event: &Event, _policy: Option<&Name>) -> Result<Sequence> {
        self.head += 1;
        self.ids.insert(Key::new(&event.user_id, &event.id), self.head);
        self.log.push_back(Logged { sequence: self.head, logged_at: self.now, event: event.clone() });
        Ok(self.head)
    }

    fn find_event(&mut self, user: &Name, id: &EventId) -> Result<Option<Logged>> {
        Ok(self.logged(user, id))
    }

    fn has_event(&mut self, sequence: Sequence) -> Result<bool> {
        Ok(self.at(sequence).is_some())
    }

    fn add_unrouted(&mut self, sequence: Sequence) -> Result<()> {
        if let Some(logged) = self.at(sequence).cloned() {
            self.unrouted.insert(sequence, logged);
        }
        Ok(())
    }

    fn take_unrouted(&mut self, sequence: Sequence) -> Result<bool> {
        Ok(self.unrouted.remove(&sequence).is_some())
    }

    fn add_delivery(&mut self, delivery: &mut Delivery) -> Result<()> {
        self.position += 1;
        delivery.position = self.position;
        self.deliveries.insert(self.position, delivery.clone());
        Ok(())
    }

    fn take_delivery(&mut self, position: Position) -> Result<bool> {
        Ok(self.deliveries.remove(&position).is_some())
    }

    fn has_delivery(&mut self, position: Position) -> Result<bool> {
        Ok(self.deliveries.contains_key(&position) || self.unclaimed.contains_key(&position))
    }

    fn retry_delivery(
        &mut self,
        position: Position,
        attempt: u32,
        due: Timestamp,
        error: &str,
    ) -> Result<bool> {
        let Some(delivery) = self.deliveries.get_mut(&position) else { return Ok(false) };
        delivery.attempt = attempt;
        delivery.due = Some(due);
        delivery.error = Some(error.to_owned());
        Ok(true)
    }

    fn reclaim_delivery(&mut self, position: Position) -> Result<bool> {
        let Some(delivery) = self.deliveries.get_mut(&position) else { return Ok(false) };
        delivery.reclaims += 1;
        Ok(true)
    }

    fn set_alone(&mut self, position: Option<Position>) -> Result<()> {
        self.alone = position;
        Ok(())
    }

    fn drop_tree(&mut self, lease: &Lease) -> Result<usize> {
        let belongs = |event: &Event| event.user_id == lease.user && *event.root() == lease.root;
        let before = self.deliveries.len() + self.unclaimed.len() + self.unrouted.len();
        self.deliveries.retain(|_, delivery| !belongs(&delivery.event));
        self.unclaimed.retain(|_, delivery| !belongs(&delivery.event));
        self.unrouted.retain(|_, logged| !belongs(&logged.event));
        Ok(before - self.deliveries.len() - self.unclaimed.len() - self.unrouted.len())
    }

    fn unclaimed(&self) -> usize {
        self.unclaimed.len()
    }

    fn unclaim_delivery(&mut self, position: Position) -> Result<Option<Delivery>> {
        let Some(delivery) = self.deliveries.remove(&position) else { return Ok(None) };
        self.unclaimed.insert(position, delivery.clone());
        Ok(Some(delivery))
    }

    fn claim_delivery(&mut self, position: Position) -> Result<Option<Delivery>> {
        let Some(delivery) = self.unclaimed.remove(&position) else { return Ok(None) };
        self.deliveries.insert(position, delivery.clone());
        Ok(Some(delivery))
    }

    fn take_unclaimed(&mut self, position: Position) -> Result<Option<Delivery>> {
        Ok(self.unclaimed.remove(&position))
    }

    fn add_parked(&mut self, parked: &mut Parked) -> Result<()> {
        self.number += 1;
        parked.number = self.number;
        self.parked.insert(self.number, parked.clone());
        self.made += usize::from(parked.is_made());
        self.delayed.extend(due(parked));
        Ok(())
    }

    fn find_parked(&mut self, user: &Name, id: &EventId) -> Result<Option<Parked>> {
        let fits = |parked: &&Parked| {
            parked.event.id == *id && (id.foreign().is_none() || parked.event.user_id == *user)
        };
        Ok(self.parked.values().find(fits).cloned())
    }

    fn take_parked(&mut self, number: u64) -> Result<bool> {
        let Some(parked) = self.parked.remove(&number) else { return Ok(false) };
        self.made -= usize::from(parked.is_made());
        if let Some(due) = due(&parked) {
            self.delayed.remove(&due);
        }
        Ok(true)
    }

    fn drop_parked(&mut self, user: &Name, root: &EventId) -> Result<usize> {
        let before = self.parked.len();
        self.parked.retain(|_, parked| parked.event.user_id != *user || parked.event.root() != root);
        self.delayed = self.parked.values().filter_map(due).collect();
        self.made = self.parked.values().filter(|parked| parked.is_made()).count();
        Ok(before - self.parked.len())
    }

    fn is_key_held(&mut self, user: &Name, key: &Name) -> Result<bool> {
        Ok(self.parked.values().any(|parked| {
            parked.hold != Hold::Delayed
                && parked.event.user_id == *user
                && parked.event.ordering_key.as_ref() == Some(key)
        }))
    }

    fn set_hold(
        &mut self,
        number: u64,
        hold: Hold,
        decision: Option<&Decision>,
        approved: Option<&Decision>,
    ) -> Result<()> {
        if let Some(parked) = self.parked.get_mut(&number) {
            if let Some(due) = due(parked) {
                self.delayed.remove(&due);
            }
            parked.hold = hold;
            parked.decision = decision.cloned().or(parked.decision.take());
            parked.approved = approved.cloned().or(parked.approved.take());
            self.delayed.extend(due(parked));
        }
        Ok(())
    }

    fn add_dead(&mut self, letter: &DeadLetter) -> Result<()> {
        self.dead.insert(letter.position, letter.clone());
        Ok(())
    }

    fn take_dead(&mut self, position: Position) -> Result<Option<DeadLetter>> {
        Ok(self.dead.remove(&position))
    }

    fn lease(&mut self, user: &Name, root: &EventId) -> Result<Option<&mut Lease>> {
        Ok(self.leases.get_mut(&Key::new(user, root)))
    }

    fn add_lease(&mut self, lease: Lease) -> Result<()> {
        self.leases.insert(Key::new(&lease.user, &lease.root), lease);
        Ok(())
    }

    fn branch(&mut self, user: &Name, id: &EventId) -> Result<Option<Branch>> {
        Ok(self.branches.get(&Key::new(user, id)).cloned())
    }

    fn set_branch(&mut self, branch: &Branch) -> Result<()> {
        self.branches.insert(Key::new(&branch.user, &branch.id), branch.clone());
        Ok(())
    }

    fn drop_branch(&mut self, branch: &Branch) -> Result<()> {
        self.branches.remove(&Key::new(&branch.user, &branch.id));
        Ok(())
    }

    fn drop_branches(&mut self, user: &Name, root: &EventId) -> Result<Option<Branch>> {
        let tree = self.branches.remove(&Key::new(user, root));
        self.branches.retain(|_, branch| branch.root != *root || branch.user != *user);
        Ok(tree)
    }

    fn find_key(&mut self, user: &Name, key: &Name) -> Result<Option<EventId>> {
        Ok(self.keys.get(&(user.clone(), key.clone())).cloned())
    }

    fn add_key(&mut self, user: &Name, key: &Name, id: &EventId) -> Result<()> {
        let pair = (user.clone(), key.clone());
        self.keys_in_order.push_back((self.head + 1, pair.clone()));
        self.keys.insert(pair, id.clone());
        Ok(())
    }

    fn add_audit(&mut self, record: &AuditRecord) -> Result<()> {
        self.number += 1;
        let record = AuditRecord { at: self.now, ..record.clone() };
        self.audit.push_back((self.number, record));
        Ok(())
    }

    fn checkpoint(&mut self, driver: &Name, key: &str) -> Result<Option<Data>> {
        Ok(self.checkpoints.get(driver).and_then(|own| own.get(key)).cloned())
    }

    fn set_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let own = self.checkpoints.entry(checkpoint.driver.clone()).or_default();
        match &checkpoint.value {
            Some(value) => drop(own.insert(checkpoint.key.clone(), value.clone())),
            None => drop(own.remove(&checkpoint.key)),
        }
        Ok(())
    }

    fn know_driver(&mut self, driver: &Name, version: &str) -> Result<()> {
        self.drivers.insert(driver.clone(), version.to_owned());
        Ok(())
    }
}
