//! Deliveries that stand in line, each line behind a key.
//!
//! Up to a bound they stand there whole. Past it only their positions are kept, so that one busy key does not load
//! the whole backlog; those are read from the log's tables when their turn comes.

use super::keys::{Key, key_of};
use crate::bus::{Delivery, Position};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

#[derive(Debug)]
pub(super) struct Lines<K> {
    lines: HashMap<K, Line>,
    /// Lines whose next delivery has to be read first.
    hungry: Vec<K>,
    /// A task reads for them.
    reading: bool,
    /// Deliveries that stand whole, and how many may.
    whole: usize,
    capacity: usize,
    /// Those that are known by position alone.
    distant: usize,
    /// Those that stand with the first of their batch, whole whatever the bound says.
    joined: usize,
    /// Whether those in line hold the turn of their ordering key.
    holds_turns: bool,
}

#[derive(Debug, Default)]
struct Line {
    whole: VecDeque<Delivery>,
    /// Later than all that stand whole.
    distant: VecDeque<Distant>,
}

/// A delivery that is known by position, and the ordering key whose turn it holds.
#[derive(Debug)]
struct Distant {
    position: Position,
    turn: Option<Box<Key>>,
}

impl Line {
    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.distant.is_empty()
    }

    /// Forgets the next ones, as long as they are gone.
    fn forget(&mut self, gone: impl Fn(Position) -> bool) -> Vec<Distant> {
        let mut forgotten = Vec::new();
        while let Some(next) = self.distant.pop_front_if(|next| gone(next.position)) {
            forgotten.push(next);
        }
        forgotten
    }
}

impl<K: Clone + Eq + Hash> Lines<K> {
    pub(super) fn new(capacity: usize, holds_turns: bool) -> Self {
        Self {
            lines: HashMap::new(),
            hungry: Vec::new(),
            reading: false,
            whole: 0,
            capacity,
            distant: 0,
            joined: 0,
            holds_turns,
        }
    }

    /// How many deliveries stand in line.
    pub(super) fn waiting(&self) -> usize {
        self.whole + self.distant
    }

    /// How many stand with the first of their batch.
    pub(super) fn joined(&self) -> usize {
        self.joined
    }

    /// Whether nothing stands behind a key.
    pub(super) fn is_empty(&self, key: &K) -> bool {
        !self.lines.contains_key(key)
    }

    /// Puts a delivery at the end of a line.
    pub(super) fn push(&mut self, key: K, delivery: Delivery) {
        let line = self.lines.entry(key).or_default();
        // From the tables a batch would come back in parts.
        if !delivery.batch.is_empty() || (line.distant.is_empty() && self.whole < self.capacity) {
            self.joined += delivery.batch.len();
            line.whole.push_back(delivery);
            self.whole += 1;
        } else {
            let turn = if self.holds_turns { key_of(&delivery.event).map(Box::new) } else { None };
            line.distant.push_back(Distant { position: delivery.position, turn });
            self.distant += 1;
        }
    }

    /// The next one of a line, if it is at hand; otherwise it is to be read.
    pub(super) fn pop(&mut self, key: &K) -> Option<Delivery> {
        let next = self.lines.get_mut(key)?.whole.pop_front();
        if let Some(next) = &next {
            self.whole -= 1;
            self.joined -= next.batch.len();
        }
        let line = self.lines.get(key)?;
        match &next {
            None if !line.distant.is_empty() && !self.hungry.contains(key) => self.hungry.push(key.clone()),
            _ => {}
        }
        if line.is_empty() {
            self.lines.remove(key);
        }
        next
    }

    /// Takes out what stands whole and fits. What is known by position alone is found to be gone when it is read.
    pub(super) fn take(&mut self, gone: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let (mut taken, mut members): (Vec<Delivery>, Vec<Delivery>) = (Vec::new(), Vec::new());
        for line in self.lines.values_mut() {
            for first in line.whole.iter_mut().filter(|first| !first.batch.is_empty()) {
                members.extend(first.batch.extract_if(.., |member| gone(member)));
            }
            // Most lines have none of them.
            if !line.whole.iter().any(&gone) {
                continue;
            }
            let (out, stay) =
                std::mem::take(&mut line.whole).into_iter().partition(|delivery| gone(delivery));
            line.whole = stay;
            taken.extend::<VecDeque<Delivery>>(out);
        }
        self.lines.retain(|_, line| !line.is_empty());
        self.whole -= taken.len();
        self.joined -= members.len() + taken.iter().map(|first| first.batch.len()).sum::<usize>();
        taken.append(&mut members);
        taken
    }

    /// Where to read in the tables, if a line has to. Only one reader at a time.
    pub(super) fn wants_to_read(&mut self) -> Option<Position> {
        if self.reading {
            return None;
        }
        let next = |key| self.lines.get(key)?.distant.front().map(|next| next.position);
        let first = self.hungry.iter().filter_map(next).min()?;
        self.reading = true;
        Some(first - 1)
    }

    /// Ends a read of everything after `after` up to `up_to`, which found these deliveries of this driver; `keys_of` says
    /// in which lines one may stand. The lines that waited for it come back: each may go on, or wants another read. And the
    /// ordering keys whose turn is held by one that is gone.
    pub(super) fn read(
        &mut self,
        after: Position,
        up_to: Position,
        found: Vec<Delivery>,
        keys_of: impl Fn(&Delivery) -> Vec<K>,
    ) -> (Vec<K>, Vec<Key>) {
        self.reading = false;
        let mut forgotten = Vec::new();
        let open: HashSet<Position> = found.iter().map(|delivery| delivery.position).collect();
        let gone = |position: Position| position > after && position <= up_to && !open.contains(&position);
        for delivery in found {
            for key in keys_of(&delivery) {
                let Some(line) = self.lines.get_mut(&key) else { continue };
                forgotten.extend(line.forget(gone));
                let has_room = line.whole.is_empty() || self.whole < self.capacity;
                if has_room && line.distant.front().is_some_and(|next| next.position == delivery.position) {
                    line.distant.pop_front();
                    line.whole.push_back(delivery);
                    (self.distant, self.whole) = (self.distant - 1, self.whole + 1);
                    break;
                }
            }
        }
        let hungry = std::mem::take(&mut self.hungry);
        for key in &hungry {
            if let Some(line) = self.lines.get_mut(key) {
                forgotten.extend(line.forget(gone));
                if line.is_empty() {
                    self.lines.remove(key);
                }
            }
        }
        self.distant -= forgotten.len();
        (hungry, forgotten.into_iter().filter_map(|one| one.turn).map(|turn| *turn).collect())
    }
}
