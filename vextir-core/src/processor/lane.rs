//! One driver's queue, as a pure state machine: which delivery runs next.
//!
//! Three lanes by priority, of which none is starved; one delivery at a time for each ordering key; a bound
//! on what is held in memory, past which the rest stays in the log's tables and is read again later.

use crate::bus::{Delivery, Position};
use crate::{Event, Name, Priority};
use std::collections::{HashMap, VecDeque};

/// Deliveries of one user with one ordering key come one after the other.
type Key = (Name, Name);

/// The state of one driver's queue.
#[derive(Debug)]
pub(super) struct Lane {
    /// Ready to run, by priority.
    ready: [VecDeque<Delivery>; 3],
    /// Keys with a delivery that is ready, running or waiting for its retry, and those behind it.
    keys: HashMap<Key, VecDeque<Delivery>>,
    running: usize,
    concurrency: usize,
    /// Deliveries in `ready` and behind keys.
    queued: usize,
    capacity: usize,
    picks: u64,
    paused: bool,
    /// Nothing runs yet: what its driver missed is still being collected.
    closed: bool,
    /// What did not fit into memory, or was not read yet.
    spill: Option<Spill>,
    /// The highest position that was read from the tables: fresh ones up to it are known already.
    read_up_to: Position,
    /// A task reads the spill.
    reading: bool,
    /// What was passed over when that read began.
    passed_before: Position,
}

#[derive(Debug, Clone, Copy)]
struct Spill {
    /// Read on after this position.
    after: Position,
    /// The highest position that was passed over.
    passed: Position,
}

impl Lane {
    /// An empty queue that has everything in the tables still to read.
    pub(super) fn new(concurrency: usize, capacity: usize) -> Self {
        Self {
            ready: Default::default(),
            keys: HashMap::new(),
            running: 0,
            concurrency,
            queued: 0,
            capacity: capacity.max(1),
            picks: 0,
            paused: false,
            closed: false,
            spill: Some(Spill { after: 0, passed: 0 }),
            read_up_to: 0,
            reading: false,
            passed_before: 0,
        }
    }

    /// Takes a fresh delivery.
    pub(super) fn offer(&mut self, delivery: Delivery) {
        if delivery.position <= self.read_up_to {
            return;
        }
        if let Some(spill) = &mut self.spill {
            spill.passed = spill.passed.max(delivery.position);
        } else if self.ready_now() >= self.capacity {
            let position = delivery.position;
            self.spill = Some(Spill { after: position - 1, passed: position });
        } else {
            self.enqueue(delivery);
        }
    }

    /// Where to read on in the tables, if there is room for it. Only one reader at a time.
    pub(super) fn wants_to_read(&mut self) -> Option<Position> {
        let spill = self.spill?;
        if self.reading || self.ready_now() > self.capacity / 2 {
            return None;
        }
        self.reading = true;
        self.passed_before = spill.passed;
        Some(spill.after)
    }

    /// Ends a read that reached `up_to`; `at_end` if there was nothing more.
    pub(super) fn read(&mut self, up_to: Position, at_end: bool) {
        self.reading = false;
        self.read_up_to = self.read_up_to.max(up_to);
        if let Some(spill) = &mut self.spill {
            spill.after = spill.after.max(up_to);
            // What was passed over before the read began was there to be read, or is gone.
            if at_end && spill.passed == self.passed_before {
                self.read_up_to = self.read_up_to.max(spill.passed);
                self.spill = None;
            }
        }
    }

    /// Adds a delivery to the queue, whatever its bound says.
    pub(super) fn enqueue(&mut self, delivery: Delivery) {
        self.queued += 1;
        if let Some(key) = key_of(&delivery.event) {
            if let Some(behind) = self.keys.get_mut(&key) {
                behind.push_back(delivery);
                return;
            }
            self.keys.insert(key, VecDeque::new());
        }
        self.make_ready(delivery);
    }

    /// Keeps the key of a delivery that waits for its retry; false if that key is busy already.
    pub(super) fn set_aside(&mut self, event: &Event) -> bool {
        match key_of(event) {
            None => true,
            Some(key) if self.keys.contains_key(&key) => false,
            Some(key) => self.keys.insert(key, VecDeque::new()).is_none(),
        }
    }

    /// Makes a delivery ready whose key, if it has one, it holds already.
    pub(super) fn resume(&mut self, delivery: Delivery) {
        self.queued += 1;
        self.make_ready(delivery);
    }

    fn make_ready(&mut self, delivery: Delivery) {
        self.ready[lane_of(delivery.event.priority)].push_back(delivery);
    }

    /// The next delivery to run, if one may.
    pub(super) fn next(&mut self) -> Option<Delivery> {
        if self.paused || self.closed || self.running >= self.concurrency || self.queued == 0 {
            return None;
        }
        let order = pick_order(self.picks);
        let delivery = order.into_iter().find_map(|lane| self.ready[lane].pop_front())?;
        self.picks += 1;
        self.queued -= 1;
        self.running += 1;
        Some(delivery)
    }

    /// The next deliveries to run, at most so many.
    pub(super) fn take(&mut self, most: usize) -> Vec<Delivery> {
        std::iter::from_fn(|| self.next()).take(most).collect()
    }

    /// A delivery has ended; the next one of its key may run, unless the key stays blocked.
    pub(super) fn finish(&mut self, delivery: &Delivery, keep_key: bool) {
        self.running = self.running.saturating_sub(1);
        if !keep_key {
            self.unblock(&delivery.event);
        }
    }

    /// Frees the key of a delivery that is over.
    pub(super) fn unblock(&mut self, event: &Event) {
        let Some(key) = key_of(event) else { return };
        let Some(behind) = self.keys.get_mut(&key) else { return };
        match behind.pop_front() {
            Some(next) => self.make_ready(next),
            None => drop(self.keys.remove(&key)),
        }
    }

    /// Removes what is queued and fits; says how much that was. Keys whose head went are freed.
    pub(super) fn remove(&mut self, gone: impl Fn(&Delivery) -> bool) -> usize {
        let before = self.queued;
        let mut freed = Vec::new();
        for queue in self.keys.values_mut() {
            queue.retain(|delivery| !gone(delivery));
        }
        for lane in &mut self.ready {
            lane.retain(|delivery| {
                let gone = gone(delivery);
                if gone && delivery.event.ordering_key.is_some() {
                    freed.push(delivery.clone());
                }
                !gone
            });
        }
        for delivery in freed {
            self.unblock(&delivery.event);
        }
        let behind: usize = self.keys.values().map(VecDeque::len).sum();
        self.queued = behind + self.ready.iter().map(VecDeque::len).sum::<usize>();
        before - self.queued
    }

    /// Deliveries that wait for nothing but a slot. What waits behind a busy key does not count against the
    /// bound: one busy key must not starve the others. The backlog limit of the bus bounds it.
    fn ready_now(&self) -> usize {
        self.ready.iter().map(VecDeque::len).sum()
    }

    /// Takes a slot for an eager handler, if the driver has nothing else to do first.
    pub(super) fn take_slot(&mut self) -> bool {
        let free = !self.paused && !self.closed && self.running < self.concurrency && self.ready_now() == 0;
        self.running += usize::from(free);
        free
    }

    /// Gives that slot back.
    pub(super) fn give_slot(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    pub(super) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Keeps everything back until it is opened, whether it is paused or not.
    pub(super) fn set_closed(&mut self, closed: bool) {
        self.closed = closed;
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) fn concurrency(&self) -> usize {
        self.concurrency
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn queued(&self) -> usize {
        self.queued
    }
}

fn key_of(event: &Event) -> Option<Key> {
    let key = event.ordering_key.as_ref()?;
    Some((event.user_id.clone(), key.clone()))
}

fn lane_of(priority: Priority) -> usize {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

/// High first; but every fourth pick begins with normal, and every sixteenth with low.
fn pick_order(picks: u64) -> [usize; 3] {
    match picks % 16 {
        15 => [2, 1, 0],
        3 | 7 | 11 => [1, 0, 2],
        _ => [0, 1, 2],
    }
}

#[cfg(test)]
mod tests;
