//! Ordering keys of one driver: one delivery of a key at a time, the others in line behind it.

use super::lines::Lines;
use crate::bus::{Delivery, Position};
use crate::{Event, Name};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Deliveries of one user with one ordering key come one after the other.
pub(super) type Key = (Name, Name);

#[derive(Debug)]
pub(super) struct Keys {
    /// Keys that are taken or blocked, or that something stands behind.
    busy: HashMap<Key, Turn>,
    lines: Lines<Key>,
}

#[derive(Debug, Default)]
struct Turn {
    /// One of its deliveries is ready, running or waiting for its retry.
    taken: bool,
    /// Its dead letters, if they block it.
    letters: BTreeSet<Position>,
}

impl Keys {
    pub(super) fn new(capacity: usize) -> Self {
        Self { busy: HashMap::new(), lines: Lines::new(capacity, false) }
    }

    /// How many deliveries stand behind keys.
    pub(super) fn waiting(&self) -> usize {
        self.lines.waiting()
    }

    /// Takes the key of an event, if it has one; false if that is busy already.
    pub(super) fn claim(&mut self, event: &Event) -> bool {
        match key_of(event) {
            None => true,
            Some(key) if self.busy.contains_key(&key) => false,
            Some(key) => self.busy.insert(key, Turn::taken()).is_none(),
        }
    }

    /// Puts a delivery behind its key; gives it back, with the key, if nothing is before it.
    pub(super) fn join(&mut self, delivery: Delivery) -> Option<Delivery> {
        let Some(key) = key_of(&delivery.event) else { return Some(delivery) };
        match self.busy.entry(key) {
            Entry::Vacant(free) => {
                free.insert(Turn::taken());
                Some(delivery)
            }
            Entry::Occupied(busy) => {
                self.lines.push(busy.key().clone(), delivery);
                None
            }
        }
    }

    /// Ends the turn of an event; the next delivery of its key, if that is at hand.
    pub(super) fn free(&mut self, event: &Event) -> Option<Delivery> {
        let key = key_of(event)?;
        self.busy.get_mut(&key)?.taken = false;
        self.go_on(key)
    }

    /// Ends the turn of a delivery that is gone, and whose key alone is known.
    pub(super) fn free_key(&mut self, key: Key) -> Option<Delivery> {
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

    /// The letters that block keys. Not those of keys that are taken: a delivery there may be dying just now, and no
    /// letter yet.
    pub(super) fn letters(&self) -> Vec<Position> {
        self.busy.values().filter(|turn| !turn.taken).flat_map(|turn| &turn.letters).copied().collect()
    }

    /// These letters are gone without anybody taking them.
    pub(super) fn forget_letters(&mut self, gone: &HashSet<Position>) -> Vec<Delivery> {
        let mut freed = Vec::new();
        for (key, turn) in &mut self.busy {
            let before = turn.letters.len();
            turn.letters.retain(|letter| !gone.contains(letter));
            if turn.letters.len() < before {
                freed.push(key.clone());
            }
        }
        freed.into_iter().filter_map(|key| self.go_on(key)).collect()
    }

    fn go_on(&mut self, key: Key) -> Option<Delivery> {
        let turn = self.busy.get_mut(&key).filter(|turn| turn.is_free())?;
        let next = self.lines.pop(&key);
        if next.is_some() {
            turn.taken = true;
        } else if self.lines.is_empty(&key) {
            self.busy.remove(&key);
        }
        next
    }

    /// Removes what stands whole and fits. What is known by position alone is found to be gone when it is read.
    pub(super) fn remove(&mut self, gone: impl Fn(&Delivery) -> bool) {
        self.lines.take(gone);
    }

    /// Where to read in the tables, if a key has to. Only one reader at a time.
    pub(super) fn wants_to_read(&mut self) -> Option<Position> {
        self.lines.wants_to_read()
    }

    /// Ends a read of everything after `after` up to `up_to`, which found these deliveries of this driver. What
    /// comes back may run.
    pub(super) fn read(&mut self, after: Position, up_to: Position, found: Vec<Delivery>) -> Vec<Delivery> {
        let key = |delivery: &Delivery| key_of(&delivery.event).into_iter().collect();
        // Those in these lines hold no turn.
        let (fed, _) = self.lines.read(after, up_to, found, key);
        fed.into_iter().filter_map(|key| self.go_on(key)).collect()
    }
}

impl Turn {
    fn taken() -> Self {
        Self { taken: true, ..Self::default() }
    }

    fn is_free(&self) -> bool {
        !self.taken && self.letters.is_empty()
    }
}

pub(super) fn key_of(event: &Event) -> Option<Key> {
    let key = event.ordering_key.as_ref()?;
    Some((event.user_id.clone(), key.clone()))
}
