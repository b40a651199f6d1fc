//! One driver's queue, as a pure state machine: which delivery runs next.
//!
//! Three lanes by priority, of which none is starved; one delivery at a time for each ordering key; a bound
//! on what is held in memory, past which the rest stays in the log's tables and is read again later. A few of a
//! higher priority than that rest go ahead of it. Where the driver has rules of flow control, its gates say what may
//! begin, and its batches what goes together.

mod batches;
mod control;
mod gates;
mod keys;
mod lines;

use crate::bus::{Began, Delivery, Position};
use crate::flow::Declared;
use crate::{Event, FlowKey, Priority, Timestamp, Window};
use control::Control;
use keys::Keys;
use std::collections::{HashMap, HashSet, VecDeque};
use tokio_util::sync::DropGuard;

/// The state of one driver's queue.
#[derive(Debug)]
pub(super) struct Lane {
    /// Ready to run, by priority.
    ready: [VecDeque<Delivery>; 3],
    /// Whose turn it is under each ordering key, and what stands behind.
    keys: Keys,
    /// Its rules of flow control, if it has some.
    flow: Option<Box<Control>>,
    /// What waits for its retry, each with the timer that ends with it.
    sleeping: HashMap<Position, (Delivery, DropGuard)>,
    running: usize,
    concurrency: usize,
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
    /// What was taken although something before it was passed over: to be left out when that is read.
    ahead: HashSet<Position>,
    /// Those of them that ended while the spill was being read: that read may show them still.
    ended: Vec<Position>,
}

#[derive(Debug, Clone, Copy)]
struct Spill {
    /// Read on after this position.
    after: Position,
    /// The highest position that was passed over.
    passed: Position,
    /// The same for each priority, but for those with an ordering key.
    by_priority: [Position; 3],
}

impl Spill {
    /// Whether anything of a priority may still have to be read.
    fn has(&self, lane: usize) -> bool {
        self.by_priority[lane] > self.after
    }
}

impl Lane {
    /// An empty queue that has everything in the tables still to read.
    pub(super) fn new(concurrency: usize, capacity: usize) -> Self {
        Self {
            ready: Default::default(),
            keys: Keys::new(capacity.max(1)),
            flow: None,
            sleeping: HashMap::new(),
            running: 0,
            concurrency,
            capacity: capacity.max(1),
            picks: 0,
            paused: false,
            closed: false,
            // What the tables have is not known. A high one that is among it waits no longer if a fresh one passes it.
            spill: Some(Spill { after: 0, passed: 0, by_priority: [0, Position::MAX, Position::MAX] }),
            read_up_to: 0,
            reading: false,
            passed_before: 0,
            ahead: HashSet::new(),
            ended: Vec::new(),
        }
    }

    /// Has it obey rules of flow control.
    pub(super) fn set_flow(&mut self, rules: &[Declared]) {
        self.flow = (!rules.is_empty()).then(|| Box::new(Control::new(rules, self.capacity)));
    }

    /// What began before this process did.
    pub(super) fn remember(&mut self, key: FlowKey, window: Window) {
        if let Some(flow) = &mut self.flow {
            flow.gates.remember(key, window);
        }
    }

    /// Takes a fresh delivery.
    pub(super) fn offer(&mut self, delivery: Delivery) {
        if !delivery.replaces.is_empty() {
            self.flow.iter_mut().for_each(|flow| flow.note_replaced(&delivery.replaces));
            self.take_out(&delivery.replaces);
        }
        if delivery.position <= self.read_up_to {
            return;
        }
        if self.spill.is_none() && self.ready_now() < self.capacity {
            return self.enqueue(delivery);
        }
        let position = delivery.position;
        if self.goes_ahead(&delivery) {
            if self.spill.is_some() {
                self.ahead.insert(position);
            }
            return self.enqueue(delivery);
        }
        let nothing = Spill { after: position - 1, passed: 0, by_priority: [0; 3] };
        let spill = self.spill.get_or_insert(nothing);
        spill.passed = spill.passed.max(position);
        if delivery.event.ordering_key.is_none() {
            spill.by_priority[lane_of(delivery.event.priority)] = position;
        }
    }

    /// Whether a delivery is taken although there is no room for it, or others are passed over: it is of a higher
    /// priority than they. Under an ordering key everything keeps its place.
    fn goes_ahead(&self, delivery: &Delivery) -> bool {
        let most = (self.capacity / 4).max(1);
        if delivery.event.ordering_key.is_some()
            || self.ahead.len() >= most
            || self.ready_now() >= self.capacity + most
        {
            return false;
        }
        let own = lane_of(delivery.event.priority);
        let passed = |lane| self.spill.as_ref().is_some_and(|spill| spill.has(lane));
        !(0..=own).any(passed) && (own + 1..3).any(|lower| passed(lower) || !self.ready[lower].is_empty())
    }

    /// Whether a delivery that is read now was taken before.
    pub(super) fn has_taken(&self, position: Position) -> bool {
        self.ahead.contains(&position)
    }

    /// A delivery is over: it need not be remembered any more, unless a read is on its way that may show it.
    fn forget(&mut self, position: Position) {
        if self.ahead.is_empty() {
            return;
        }
        if self.reading {
            self.ended.push(position);
        } else {
            self.ahead.remove(&position);
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
        for ended in self.ended.drain(..) {
            self.ahead.remove(&ended);
        }
        self.ahead.retain(|position| *position > up_to);
        if let Some(spill) = &mut self.spill {
            spill.after = spill.after.max(up_to);
            // What was passed over before the read began was there to be read, or is gone.
            if at_end && spill.passed == self.passed_before {
                self.read_up_to = self.read_up_to.max(spill.passed);
                self.spill = None;
                self.ahead.clear();
            }
        }
    }

    /// Where to read in the tables what stands behind ordering keys by position alone. Only one reader at a time.
    pub(super) fn wants_to_read_behind(&mut self) -> Option<Position> {
        let flow = self.flow.as_mut();
        self.keys.wants_to_read().or_else(|| flow.and_then(|flow| flow.gates.wants_to_read()))
    }

    /// Ends such a read, of everything after `after` up to `up_to`, which found these deliveries of this driver.
    pub(super) fn read_behind(&mut self, after: Position, up_to: Position, found: Vec<Delivery>) {
        let freed = self.flow.as_mut().map(|flow| flow.gates.read(after, up_to, found.clone()));
        for key in freed.into_iter().flatten() {
            if let Some(next) = self.keys.free_key(key) {
                self.collect(next);
            }
        }
        for next in self.keys.read(after, up_to, found) {
            self.collect(next);
        }
    }

    /// Adds a delivery to the queue, whatever its bound says.
    pub(super) fn enqueue(&mut self, delivery: Delivery) {
        if self.is_replaced(delivery.position) {
            return;
        }
        if let Some(first) = self.keys.join(delivery) {
            self.collect(first);
        }
    }

    /// Whether another delivery took the place of this one.
    pub(super) fn is_replaced(&self, position: Position) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.is_replaced(position))
    }

    /// What its batch was taken apart goes on by itself: it has its key.
    pub(super) fn rejoin(&mut self, delivery: Delivery) {
        self.collect(delivery);
    }

    /// Makes a delivery ready that has its key, alone or with its batch.
    fn collect(&mut self, delivery: Delivery) {
        if self.is_replaced(delivery.position) {
            return self.end(&delivery);
        }
        let ready = match &mut self.flow {
            Some(flow) => flow.collect(delivery),
            None => Some(delivery),
        };
        if let Some(ready) = ready {
            self.make_ready(ready);
        }
    }

    /// A time has come for a key of flow control.
    pub(super) fn ring(&mut self, key: FlowKey, now: Timestamp) {
        if let Some(batch) = self.flow.as_mut().and_then(|flow| flow.ring(key, now)) {
            self.make_ready(batch);
        }
    }

    /// When keys of flow control want to be [rung](Lane::ring).
    pub(super) fn alarms(&mut self) -> Vec<(FlowKey, Timestamp)> {
        self.flow.as_mut().map(|flow| flow.alarms()).unwrap_or_default()
    }

    /// What came up before it is due. It keeps its ordering key.
    pub(super) fn early(&mut self) -> Vec<Delivery> {
        self.flow.as_mut().map(|flow| flow.early()).unwrap_or_default()
    }

    /// What the settlement of a running delivery notes of its beginning.
    pub(super) fn began(&self, position: Position) -> Vec<Began> {
        self.flow.as_ref().map(|flow| flow.gates.began(position)).unwrap_or_default()
    }

    /// Keeps the key of a delivery that waits for its retry; false if that key is busy already.
    pub(super) fn set_aside(&mut self, event: &Event) -> bool {
        self.keys.claim(event)
    }

    /// Keeps a delivery until it is due for its retry. Its key, if it has one, it has already.
    pub(super) fn sleep(&mut self, delivery: Delivery, timer: DropGuard) {
        self.sleeping.insert(delivery.position, (delivery, timer));
    }

    /// Makes a delivery ready that is due, if it was not removed meanwhile.
    pub(super) fn wake(&mut self, position: Position) {
        if let Some((mut delivery, _timer)) = self.sleeping.remove(&position) {
            // It has slept its time, whatever the clock says now.
            delivery.due = None;
            self.collect(delivery);
        }
    }

    fn make_ready(&mut self, delivery: Delivery) {
        let lane = self.note_ready(&delivery);
        self.ready[lane].push_back(delivery);
    }

    /// Where a delivery stands among those that are ready.
    fn note_ready(&mut self, delivery: &Delivery) -> usize {
        let Some(flow) = &mut self.flow else { return lane_of(delivery.event.priority) };
        flow.note_ready(delivery);
        lane_of(flow.priority(&delivery.event))
    }

    /// The next delivery to run, if one may.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Delivery> {
        if self.paused || self.closed || self.running >= self.concurrency {
            return None;
        }
        loop {
            self.invite(now);
            let order = pick_order(self.picks);
            let delivery = order.into_iter().find_map(|lane| self.ready[lane].pop_front())?;
            let admitted = match &mut self.flow {
                Some(flow) => flow.admit(delivery, now),
                None => Some(delivery),
            };
            let Some(delivery) = admitted else { continue };
            self.picks += 1;
            self.running += 1;
            return Some(delivery);
        }
    }

    /// Those that stood in line longest come before what is ready.
    fn invite(&mut self, now: Timestamp) {
        let invited = self.flow.as_mut().map(|flow| flow.gates.invite(now)).unwrap_or_default();
        for delivery in invited.into_iter().rev() {
            let lane = self.note_ready(&delivery);
            self.ready[lane].push_front(delivery);
        }
    }

    /// The next deliveries to run, at most so many.
    pub(super) fn take(&mut self, most: usize, now: Timestamp) -> Vec<Delivery> {
        std::iter::from_fn(|| self.next(now)).take(most).collect()
    }

    /// A delivery does not run any more.
    pub(super) fn leave(&mut self, delivery: &Delivery) {
        self.give_slot();
        self.leave_alone(delivery);
    }

    /// A delivery runs beside the queue: it takes no slot and waits for nothing, but rules of flow control count it.
    pub(super) fn begin_alone(&mut self, delivery: &Delivery, now: Timestamp) {
        if let Some(flow) = &mut self.flow {
            flow.begin_alone(delivery, now);
        }
    }

    /// One that ran beside the queue does not run any more.
    pub(super) fn leave_alone(&mut self, delivery: &Delivery) {
        if let Some(flow) = &mut self.flow {
            flow.leave(delivery.position);
        }
    }

    /// A delivery that ran is over, and with it those of its batch.
    pub(super) fn finish(&mut self, delivery: &Delivery) {
        self.leave(delivery);
        delivery.all().for_each(|delivery| self.end(delivery));
    }

    /// A delivery is over; the next one of its key may run, unless dead letters block it.
    pub(super) fn end(&mut self, delivery: &Delivery) {
        self.forget(delivery.position);
        if let Some(next) = self.keys.free(&delivery.event) {
            self.collect(next);
        }
    }

    /// Blocks the key of a dead letter, also while the delivery that becomes one still runs.
    pub(super) fn block(&mut self, letter: &Event, position: Position) {
        self.keys.block(letter, position);
    }

    /// A letter is none any more, or did not become one.
    pub(super) fn unblock(&mut self, letter: &Event, position: Position) {
        if let Some(next) = self.keys.unblock(letter, position) {
            self.collect(next);
        }
    }

    /// The letters that block keys.
    pub(super) fn letters(&self) -> Vec<Position> {
        self.keys.letters()
    }

    /// Retention has removed these letters.
    pub(super) fn forget_letters(&mut self, gone: &HashSet<Position>) {
        for next in self.keys.forget_letters(gone) {
            self.collect(next);
        }
    }

    /// Removes these deliveries, wherever they are.
    fn take_out(&mut self, positions: &[Position]) {
        let mut others = Vec::new();
        for position in positions {
            // What is debounced sleeps until it is due, and is replaced there.
            match self.sleeping.get(position) {
                Some((delivery, _)) if delivery.batch.is_empty() => {
                    if let Some((delivery, _timer)) = self.sleeping.remove(position) {
                        self.end(&delivery);
                    }
                }
                _ => others.push(*position),
            }
        }
        // One that runs is in no queue.
        if let Some(flow) = &self.flow {
            let running = flow.running(&others);
            others.retain(|position| !running.contains(position));
        }
        if !others.is_empty() {
            self.remove(|queued| others.contains(&queued.position));
        }
    }

    /// Removes what is queued, or waits for its retry, and fits. Keys whose head went are freed.
    pub(super) fn remove(&mut self, gone: impl Fn(&Delivery) -> bool) {
        self.keys.remove(&gone);
        let mut freed = self.remove_from_batches(&gone);
        let asleep = self.sleeping.extract_if(|_, (delivery, _)| gone(delivery));
        freed.extend(asleep.map(|(_, (delivery, _))| delivery));
        let flow = &mut self.flow;
        for lane in &mut self.ready {
            lane.retain(|delivery| {
                let gone = gone(delivery);
                if gone && let Some(flow) = flow {
                    flow.note_gone(delivery);
                }
                let is_known =
                    delivery.event.ordering_key.is_some() || self.ahead.contains(&delivery.position);
                if gone && (is_known || !delivery.batch.is_empty()) {
                    freed.push(delivery.clone());
                }
                !gone
            });
        }
        if let Some(flow) = flow {
            freed.extend(flow.remove(&gone));
        }
        for mut delivery in freed {
            // Those of its batch that stay go on without it.
            std::mem::take(&mut delivery.batch).into_iter().for_each(|other| self.rejoin(other));
            self.end(&delivery);
        }
    }

    /// Removes those that fit from batches that stay.
    fn remove_from_batches(&mut self, gone: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let Some(flow) = &mut self.flow else { return Vec::new() };
        let mut removed = Vec::new();
        for delivery in self.ready.iter_mut().flatten() {
            flow.change_ready(delivery, |delivery| {
                removed.extend(delivery.batch.extract_if(.., |member| gone(member)));
            });
        }
        for (delivery, _) in self.sleeping.values_mut() {
            removed.extend(delivery.batch.extract_if(.., |member| gone(member)));
        }
        removed
    }

    /// Deliveries that wait for nothing but a slot. What waits behind a busy key has a bound of its own: one busy
    /// key must not starve the others.
    fn ready_now(&self) -> usize {
        let joined = self.flow.as_ref().map_or(0, |flow| flow.joined());
        self.ready.iter().map(VecDeque::len).sum::<usize>() + joined
    }

    /// Takes a slot for an eager handler, if the driver has nothing else to do first.
    pub(super) fn take_slot(&mut self) -> bool {
        let free = !self.paused && !self.closed && self.running < self.concurrency && self.ready_now() == 0;
        self.running += usize::from(free);
        free
    }

    /// How soon an event is handled.
    pub(super) fn priority(&self, event: &Event) -> Priority {
        self.flow.as_ref().map_or(event.priority, |flow| flow.priority(event))
    }

    /// Which of these run, though another one took their place.
    pub(super) fn running_of(&self, replaced: &[Position]) -> Vec<Position> {
        self.flow.as_ref().map(|flow| flow.running(replaced)).unwrap_or_default()
    }

    /// Gives a slot back.
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
        let in_line = self.flow.as_ref().map_or(0, |flow| flow.waiting());
        self.ready_now() + self.keys.waiting() + in_line
    }
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
