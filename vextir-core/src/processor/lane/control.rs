//! What a driver's rules of flow control make of its queue.

use super::batches::Batches;
use super::gates::Gates;
use crate::bus::{Delivery, Position};
use crate::flow::Declared;
use crate::{Event, FlowKey, FlowRule, Priority, Timestamp};
use std::collections::{HashSet, VecDeque};

#[derive(Debug)]
pub(super) struct Control {
    priorities: Vec<Declared>,
    pub(super) gates: Gates,
    batches: Batches,
    running: HashSet<Position>,
    replaced: Replaced,
    /// Taken out of the ready ones before their time.
    early: Vec<Delivery>,
    /// Members of the batches that are ready, but for the first of each.
    joined: usize,
}

/// Deliveries whose place another one took lately: a read of the tables, or a retry, may still show them.
#[derive(Debug, Default)]
struct Replaced {
    known: HashSet<Position>,
    in_order: VecDeque<Position>,
}

/// How many of those are remembered.
const REMEMBERED: usize = 10_000;

impl Control {
    pub(super) fn new(rules: &[Declared], capacity: usize) -> Self {
        let of = |fits: fn(&FlowRule) -> bool| -> Vec<Declared> {
            rules.iter().filter(|rule| fits(rule.flow.rule())).cloned().collect()
        };
        let gates = of(|rule| matches!(rule, FlowRule::Concurrency(_) | FlowRule::Throttle(..)));
        let batches = of(|rule| matches!(rule, FlowRule::Batch(..)));
        Self {
            priorities: of(|rule| matches!(rule, FlowRule::Priority(_))),
            gates: Gates::new(gates.into(), capacity),
            batches: Batches::new(batches.into(), capacity),
            running: HashSet::new(),
            replaced: Replaced::default(),
            early: Vec::new(),
            joined: 0,
        }
    }

    /// Remembers deliveries whose place another one took.
    pub(super) fn note_replaced(&mut self, positions: &[Position]) {
        for position in positions {
            if self.replaced.known.insert(*position) {
                self.replaced.in_order.push_back(*position);
            }
        }
        while self.replaced.in_order.len() > REMEMBERED {
            let oldest = self.replaced.in_order.pop_front();
            oldest.map(|oldest| self.replaced.known.remove(&oldest));
        }
    }

    pub(super) fn is_replaced(&self, position: Position) -> bool {
        self.replaced.known.contains(&position)
    }

    /// How soon an event is handled.
    pub(super) fn priority(&self, event: &Event) -> Priority {
        let rule = self.priorities.iter().find(|rule| rule.key_of(event).is_some());
        let said = rule.and_then(|rule| match rule.flow.rule() {
            FlowRule::Priority(path) => path.priority(event),
            _ => None,
        });
        said.unwrap_or(event.priority)
    }

    /// What is ready now, with its batch, if it has to wait for one.
    pub(super) fn collect(&mut self, delivery: Delivery) -> Option<Delivery> {
        self.batches.join(delivery)
    }

    /// A delivery is among the ready ones.
    pub(super) fn note_ready(&mut self, delivery: &Delivery) {
        self.joined += delivery.batch.len();
    }

    /// Changes the batch of a ready delivery.
    pub(super) fn change_ready(&mut self, delivery: &mut Delivery, change: impl FnOnce(&mut Delivery)) {
        self.joined -= delivery.batch.len();
        change(delivery);
        self.joined += delivery.batch.len();
    }

    /// A delivery is not among the ready ones any more.
    pub(super) fn note_gone(&mut self, delivery: &Delivery) {
        self.joined -= delivery.batch.len();
        self.gates.gone(delivery.position);
    }

    /// Gives a delivery back that was ready and may run now; the others wait for their time, or in line.
    pub(super) fn admit(&mut self, delivery: Delivery, now: Timestamp) -> Option<Delivery> {
        self.joined -= delivery.batch.len();
        if delivery.due.is_some_and(|due| due > now) {
            self.gates.gone(delivery.position);
            self.early.push(delivery);
            return None;
        }
        let begun = self.gates.begin(delivery, now)?;
        self.running.insert(begun.position);
        Some(begun)
    }

    /// A delivery runs that was never ready: it waits for no rule, and is counted by all.
    pub(super) fn begin_alone(&mut self, delivery: &Delivery, now: Timestamp) {
        self.gates.begin_alone(delivery, now);
        self.running.insert(delivery.position);
    }

    /// A delivery does not run any more.
    pub(super) fn leave(&mut self, position: Position) {
        self.running.remove(&position);
        self.gates.end(position);
    }

    /// Those of these that run.
    pub(super) fn running(&self, positions: &[Position]) -> Vec<Position> {
        positions.iter().copied().filter(|position| self.running.contains(position)).collect()
    }

    /// What came up before it is due.
    pub(super) fn early(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.early)
    }

    /// A time has come for a key; a batch that is over.
    pub(super) fn ring(&mut self, key: FlowKey, now: Timestamp) -> Option<Delivery> {
        let batch = self.batches.ring(&key, now);
        self.gates.ring(key);
        batch
    }

    /// When which keys want to be [rung](Control::ring).
    pub(super) fn alarms(&mut self) -> Vec<(FlowKey, Timestamp)> {
        let mut alarms = self.gates.alarms();
        alarms.append(&mut self.batches.alarms());
        alarms
    }

    /// Takes out what waits here and fits.
    pub(super) fn remove(&mut self, gone: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let mut removed = self.gates.remove(&gone);
        removed.extend(self.batches.remove(&gone));
        removed
    }

    /// What takes room in memory beside what is ready: members of complete batches. What else waits has a bound of its own,
    /// so that one key keeps no other one back.
    pub(super) fn joined(&self) -> usize {
        self.joined + self.gates.joined()
    }

    /// How many stand in line, or are collected.
    pub(super) fn waiting(&self) -> usize {
        self.gates.waiting() + self.batches.waiting()
    }
}
