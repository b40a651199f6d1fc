//! Ordering keys of one driver: one delivery of a key at a time, the others behind it.
//!
//! Up to a bound they stand there whole. Past it only their positions are kept, so that one busy key does not load
//! the whole backlog; those are read from the log's tables when their turn comes.

use crate::bus::{Delivery, Position};
use crate::{Event, Name};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

/// Deliveries of one user with one ordering key come one after the other.
type Key = (Name, Name);

#[derive(Debug)]
pub(super) struct Keys {
    /// Keys that are taken or blocked, and what stands behind them.
    busy: HashMap<Key, Behind>,
    /// Keys whose next delivery has to be read first.
    hungry: Vec<Key>,
    /// A task reads for them.
    reading: bool,
    /// Deliveries that stand whole behind keys, and how many may.
    whole: usize,
    capacity: usize,
    /// Those that are known by position alone.
    distant: usize,
}

#[derive(Debug, Default)]
struct Behind {
    /// One of its deliveries is ready, running or waiting for its retry.
    taken: bool,
    /// Its dead letters, if they block it.
    letters: BTreeSet<Position>,
    whole: VecDeque<Delivery>,
    /// Later than all that stand whole.
    distant: VecDeque<Position>,
}

impl Keys {
    pub(super) fn new(capacity: usize) -> Self {
        Self { busy: HashMap::new(), hungry: Vec::new(), reading: false, whole: 0, capacity, distant: 0 }
    }

    /// How many deliveries stand behind keys.
    pub(super) fn waiting(&self) -> usize {
        self.whole + self.distant
    }

    /// Takes the key of an event, if it has one; false if that is busy already.
    pub(super) fn claim(&mut self, event: &Event) -> bool {
        match key_of(event) {
            None => true,
            Some(key) if self.busy.contains_key(&key) => false,
            Some(key) => self.busy.insert(key, Behind::taken()).is_none(),
        }
    }

    /// Puts a delivery behind its key; gives it back, with the key, if nothing is before it.
    pub(super) fn join(&mut self, delivery: Delivery) -> Option<Delivery> {
        let Some(key) = key_of(&delivery.event) else { return Some(delivery) };
        let Some(behind) = self.busy.get_mut(&key) else {
            self.busy.insert(key, Behind::taken());
            return Some(delivery);
        };
        if behind.distant.is_empty() && self.whole < self.capacity {
            behind.whole.push_back(delivery);
            self.whole += 1;
        } else {
            behind.distant.push_back(delivery.position);
            self.distant += 1;
        }
        None
    }

    /// Ends the turn of an event; the next delivery of its key, if that is at hand.
    pub(super) fn free(&mut self, event: &Event) -> Option<Delivery> {
        let key = key_of(event)?;
        self.busy.get_mut(&key)?.taken = false;
        self.go_on(key)
    }

    /// Keeps what is behind a key there, until this letter goes.
    pub(super) fn block(&mut self, letter: &Event, position: Position) {
        if let Some(key) = key_of(letter) {
            self.busy.entry(key).or_default().letters.insert(position);
        }
    }

    /// A letter is none any more. The next delivery of its key, if the letter was the last to keep it back.
    pub(super) fn unblock(&mut self, letter: &Event, position: Position) -> Option<Delivery> {
        let key = key_of(letter)?;
        let blocked = self.busy.get_mut(&key)?.letters.remove(&position);
        if blocked { self.go_on(key) } else { None }
    }

    /// The letters that block keys. Not of keys that are taken: what runs there may be about to become one.
    pub(super) fn resting_letters(&self) -> HashSet<Position> {
        let resting = self.busy.values().filter(|behind| !behind.taken);
        resting.flat_map(|behind| behind.letters.iter().copied()).collect()
    }

    /// These letters are gone, without anybody taking them.
    pub(super) fn forget_letters(&mut self, gone: &HashSet<Position>) -> Vec<Delivery> {
        let mut freed = Vec::new();
        for (key, behind) in &mut self.busy {
            let before = behind.letters.len();
            behind.letters.retain(|letter| !gone.contains(letter));
            if behind.letters.len() < before {
                freed.push(key.clone());
            }
        }
        freed.into_iter().filter_map(|key| self.go_on(key)).collect()
    }

    fn go_on(&mut self, key: Key) -> Option<Delivery> {
        let behind = self.busy.get_mut(&key).filter(|behind| behind.is_free())?;
        if let Some(next) = behind.next() {
            self.whole -= 1;
            return Some(next);
        }
        if behind.distant.is_empty() {
            self.busy.remove(&key);
        } else if !self.hungry.contains(&key) {
            self.hungry.push(key);
        }
        None
    }

    /// Removes what stands whole and fits. What is known by position alone is found to be gone when it is read.
    pub(super) fn remove(&mut self, gone: impl Fn(&Delivery) -> bool) {
        for behind in self.busy.values_mut() {
            let before = behind.whole.len();
            behind.whole.retain(|delivery| !gone(delivery));
            self.whole -= before - behind.whole.len();
        }
    }

    /// Where to read in the tables, if a key has to. Only one reader at a time.
    pub(super) fn wants_to_read(&mut self) -> Option<Position> {
        if self.reading {
            return None;
        }
        let next = |key| self.busy.get(key).and_then(|behind| behind.distant.front());
        let first = *self.hungry.iter().filter_map(next).min()?;
        self.reading = true;
        Some(first - 1)
    }

    /// Ends a read of everything after `after` up to `up_to`, which found these deliveries of this driver. What
    /// comes back may run.
    pub(super) fn read(&mut self, after: Position, up_to: Position, found: Vec<Delivery>) -> Vec<Delivery> {
        self.reading = false;
        let open: HashSet<Position> = found.iter().map(|delivery| delivery.position).collect();
        let gone = |position: Position| position > after && position <= up_to && !open.contains(&position);
        for delivery in found {
            let Some(behind) = key_of(&delivery.event).and_then(|key| self.busy.get_mut(&key)) else {
                continue;
            };
            self.distant -= behind.forget(gone);
            let has_room = behind.whole.is_empty() || self.whole < self.capacity;
            if has_room && behind.distant.front() == Some(&delivery.position) {
                behind.distant.pop_front();
                behind.whole.push_back(delivery);
                (self.distant, self.whole) = (self.distant - 1, self.whole + 1);
            }
        }
        let mut ready = Vec::new();
        for key in std::mem::take(&mut self.hungry) {
            let Some(behind) = self.busy.get_mut(&key).filter(|behind| behind.is_free()) else { continue };
            self.distant -= behind.forget(gone);
            if let Some(next) = behind.next() {
                self.whole -= 1;
                ready.push(next);
            } else if behind.distant.is_empty() {
                self.busy.remove(&key);
            } else {
                self.hungry.push(key);
            }
        }
        ready
    }
}

impl Behind {
    fn taken() -> Self {
        Self { taken: true, ..Self::default() }
    }

    fn is_free(&self) -> bool {
        !self.taken && self.letters.is_empty()
    }

    /// The next delivery, if it is at hand: the key is its own from now on.
    fn next(&mut self) -> Option<Delivery> {
        let next = self.whole.pop_front();
        self.taken = next.is_some();
        next
    }

    /// Forgets the next positions, as long as they are gone; says how many.
    fn forget(&mut self, gone: impl Fn(Position) -> bool) -> usize {
        let before = self.distant.len();
        while self.distant.front().is_some_and(|next| gone(*next)) {
            self.distant.pop_front();
        }
        before - self.distant.len()
    }
}

fn key_of(event: &Event) -> Option<Key> {
    let key = event.ordering_key.as_ref()?;
    Some((event.user_id.clone(), key.clone()))
}
