//! Deliveries that stand in line, each line behind a key.
//!
//! Up to a bound they stand there whole. Past it only their positions are kept, so that one busy key does not load
//! the whole backlog; those are read from the log's tables when their turn comes.

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
    /// Whether those in line hold the turn of their ordering keys.
    hold_keys: bool,
    /// What those weigh that stand whole whatever the bound says.
    beyond: usize,
}

#[derive(Debug, Default)]
struct Line {
    whole: VecDeque<Delivery>,
    /// Later than all that stand whole.
    distant: VecDeque<Position>,
}

impl Line {
    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.distant.is_empty()
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

impl<K: Clone + Eq + Hash> Lines<K> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            lines: HashMap::new(),
            hungry: Vec::new(),
            reading: false,
            whole: 0,
            capacity,
            distant: 0,
            hold_keys: false,
            beyond: 0,
        }
    }

    /// For deliveries that hold the turn of their ordering keys while they stand in line.
    pub(super) fn with_keys(capacity: usize) -> Self {
        Self { hold_keys: true, ..Self::new(capacity) }
    }

    /// What a delivery weighs that has to stand whole: from the tables a batch would come back in parts, and of one that
    /// is cancelled nobody would know whose turn it held.
    fn weight(&self, delivery: &Delivery) -> usize {
        delivery.batch.len() + usize::from(self.hold_keys && delivery.event.ordering_key.is_some())
    }

    /// How many deliveries stand in line.
    pub(super) fn waiting(&self) -> usize {
        self.whole + self.distant
    }

    /// What those weigh that stand whole whatever the bound says.
    pub(super) fn beyond(&self) -> usize {
        self.beyond
    }

    /// Whether nothing stands behind a key.
    pub(super) fn is_empty(&self, key: &K) -> bool {
        !self.lines.contains_key(key)
    }

    /// Puts a delivery at the end of a line.
    pub(super) fn push(&mut self, key: K, delivery: Delivery) {
        let weight = self.weight(&delivery);
        let line = self.lines.entry(key).or_default();
        if weight > 0 || (line.distant.is_empty() && self.whole < self.capacity) {
            self.beyond += weight;
            line.whole.push_back(delivery);
            self.whole += 1;
        } else {
            line.distant.push_back(delivery.position);
            self.distant += 1;
        }
    }

    /// The next one of a line, if it is at hand; otherwise it is to be read.
    pub(super) fn pop(&mut self, key: &K) -> Option<Delivery> {
        let next = self.lines.get_mut(key)?.whole.pop_front();
        if let Some(next) = &next {
            self.whole -= 1;
            self.beyond -= self.weight(next);
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
            for first in &mut line.whole {
                members.extend(first.batch.extract_if(.., |member| gone(member)));
            }
            let (out, stay) =
                std::mem::take(&mut line.whole).into_iter().partition(|delivery| gone(delivery));
            line.whole = stay;
            taken.extend::<VecDeque<Delivery>>(out);
        }
        self.lines.retain(|_, line| !line.is_empty());
        self.whole -= taken.len();
        self.beyond -= members.len() + taken.iter().map(|first| self.weight(first)).sum::<usize>();
        taken.append(&mut members);
        taken
    }

    /// Where to read in the tables, if a line has to. Only one reader at a time.
    pub(super) fn wants_to_read(&mut self) -> Option<Position> {
        if self.reading {
            return None;
        }
        let next = |key| self.lines.get(key).and_then(|line| line.distant.front());
        let first = *self.hungry.iter().filter_map(next).min()?;
        self.reading = true;
        Some(first - 1)
    }

    /// Ends a read of everything after `after` up to `up_to`, which found these deliveries of this driver; `keys_of` says
    /// in which lines one may stand. The lines that waited for it come back: each may go on, or wants another read.
    pub(super) fn read(
        &mut self,
        after: Position,
        up_to: Position,
        found: Vec<Delivery>,
        keys_of: impl Fn(&Delivery) -> Vec<K>,
    ) -> Vec<K> {
        self.reading = false;
        let open: HashSet<Position> = found.iter().map(|delivery| delivery.position).collect();
        let gone = |position: Position| position > after && position <= up_to && !open.contains(&position);
        for delivery in found {
            for key in keys_of(&delivery) {
                let Some(line) = self.lines.get_mut(&key) else { continue };
                self.distant -= line.forget(gone);
                let has_room = line.whole.is_empty() || self.whole < self.capacity;
                if has_room && line.distant.front() == Some(&delivery.position) {
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
                self.distant -= line.forget(gone);
                if line.is_empty() {
                    self.lines.remove(key);
                }
            }
        }
        hungry
    }
}
