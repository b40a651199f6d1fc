//! What one driver's rules of flow control let begin: so many at a time, and so many within a span, for each key.
//!
//! What may not begin stands in line behind the key that keeps it back, and holds no slot. Of each line one delivery at a
//! time is invited back among those that are ready; it alone may begin past those in line.

use super::keys::Key;
use super::lines::Lines;
use crate::bus::{Began, Delivery, Position};
use crate::flow::Declared;
use crate::{Event, FlowKey, FlowRule, Timestamp, Window};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// After so many beginnings, counts that do not matter any more are forgotten.
const FORGET: u32 = 1_024;

#[derive(Debug)]
pub(super) struct Gates {
    /// Those that keep something back.
    rules: Arc<[Declared]>,
    counts: HashMap<FlowKey, Count>,
    lines: Lines<FlowKey>,
    /// Who was taken out of its line, and has not begun.
    invited: HashMap<FlowKey, Position>,
    began: HashMap<Position, Vec<(usize, FlowKey, Timestamp)>>,
    /// Keys whose line may go on.
    touched: Vec<FlowKey>,
    /// Keys whose line goes on at a time.
    armed: HashSet<FlowKey>,
    alarms: Vec<(FlowKey, Timestamp)>,
    beginnings: u32,
}

#[derive(Debug, Default)]
struct Count {
    running: u32,
    window: Window,
}

/// Whether one more may begin.
enum Room {
    Yes,
    /// When another one has ended.
    Full,
    At(Timestamp),
}

impl Gates {
    pub(super) fn new(rules: Arc<[Declared]>, capacity: usize) -> Self {
        Self {
            rules,
            counts: HashMap::new(),
            lines: Lines::new(capacity, true),
            invited: HashMap::new(),
            began: HashMap::new(),
            touched: Vec::new(),
            armed: HashSet::new(),
            alarms: Vec::new(),
            beginnings: 0,
        }
    }

    /// What began before this process did.
    pub(super) fn remember(&mut self, key: FlowKey, window: Window) {
        self.counts.entry(key).or_default().window = window;
    }

    pub(super) fn waiting(&self) -> usize {
        self.lines.waiting()
    }

    /// How many stand in line with the first of their batch.
    pub(super) fn joined(&self) -> usize {
        self.lines.joined()
    }

    /// Lets a delivery begin and gives it back, or puts it in line.
    pub(super) fn begin(&mut self, delivery: Delivery, now: Timestamp) -> Option<Delivery> {
        let position = delivery.position;
        let keys = self.keys_of(&delivery.event);
        // Two lines must not send each other's first back and forth: who was invited waits for room alone.
        let invited = keys.iter().any(|(_, key)| self.invited.get(key) == Some(&position));
        let lets = |(rule, key): &&(usize, FlowKey)| {
            let free = invited || (self.lines.is_empty(key) && !self.invited.contains_key(key));
            free && matches!(self.room(*rule, key, now), Room::Yes)
        };
        let blocked = keys.iter().find(|one| !lets(one));
        let blocked = blocked.map(|(_, key)| key.clone());
        self.decided(position, keys.iter().map(|(_, key)| key));
        if let Some(key) = blocked {
            self.lines.push(key.clone(), delivery);
            self.touched.push(key);
            return None;
        }
        self.count(position, keys, now);
        Some(delivery)
    }

    /// Counts a delivery that begins whatever the rules say.
    pub(super) fn begin_alone(&mut self, delivery: &Delivery, now: Timestamp) {
        let keys = self.keys_of(&delivery.event);
        self.count(delivery.position, keys, now);
    }

    fn count(&mut self, position: Position, keys: Vec<(usize, FlowKey)>, now: Timestamp) {
        if keys.is_empty() {
            return;
        }
        self.forget_old(now);
        for (rule, key) in &keys {
            let count = self.counts.entry(key.clone()).or_default();
            match self.rules[*rule].flow.rule() {
                FlowRule::Throttle(most, per) => count.window.add(now, *most, *per),
                _ => count.running += 1,
            }
        }
        self.began.insert(position, keys.into_iter().map(|(rule, key)| (rule, key, now)).collect());
    }

    /// What the settlement of a running delivery notes for the next process.
    pub(super) fn began(&self, position: Position) -> Vec<Began> {
        let note = |(rule, key, at): &(usize, FlowKey, Timestamp)| match self.rules[*rule].flow.rule() {
            FlowRule::Throttle(most, per) => {
                Some(Began { key: key.clone(), at: *at, most: *most, per: *per })
            }
            _ => None,
        };
        self.began.get(&position).into_iter().flatten().filter_map(note).collect()
    }

    /// A delivery does not run any more.
    pub(super) fn end(&mut self, position: Position) {
        for (rule, key, _) in self.began.remove(&position).unwrap_or_default() {
            if let FlowRule::Concurrency(_) = self.rules[rule].flow.rule()
                && let Some(count) = self.counts.get_mut(&key)
            {
                count.running = count.running.saturating_sub(1);
                if count.running == 0 && self.lines.is_empty(&key) {
                    self.counts.remove(&key);
                    continue;
                }
            }
            self.touched.push(key);
        }
    }

    /// A delivery that was ready is gone.
    pub(super) fn gone(&mut self, position: Position) {
        let keys: Vec<FlowKey> =
            self.invited.iter().filter(|(_, one)| **one == position).map(|(key, _)| key.clone()).collect();
        self.decided(position, keys.iter());
    }

    /// Removes what stands in line and fits.
    pub(super) fn remove(&mut self, gone: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        self.lines.take(gone)
    }

    /// Who may try to begin now, one of each line.
    pub(super) fn invite(&mut self, now: Timestamp) -> Vec<Delivery> {
        let mut invited = Vec::new();
        for key in std::mem::take(&mut self.touched) {
            if self.invited.contains_key(&key) || self.lines.is_empty(&key) {
                continue;
            }
            let rule = self.rules.iter().position(|rule| rule.name == key.rule);
            match rule.map_or(Room::Yes, |rule| self.room(rule, &key, now)) {
                Room::Yes => {
                    if let Some(next) = self.lines.pop(&key) {
                        self.invited.insert(key, next.position);
                        invited.push(next);
                    }
                }
                Room::At(at) if self.armed.insert(key.clone()) => self.alarms.push((key, at)),
                Room::At(_) | Room::Full => {}
            }
        }
        invited
    }

    /// When which lines are to be looked at.
    pub(super) fn alarms(&mut self) -> Vec<(FlowKey, Timestamp)> {
        std::mem::take(&mut self.alarms)
    }

    pub(super) fn ring(&mut self, key: FlowKey) {
        if self.armed.remove(&key) {
            self.touched.push(key);
        }
    }

    pub(super) fn wants_to_read(&mut self) -> Option<Position> {
        self.lines.wants_to_read()
    }

    /// Ends a read. The turns of ordering keys come back that nobody holds any more.
    pub(super) fn read(&mut self, after: Position, up_to: Position, found: Vec<Delivery>) -> Vec<Key> {
        let rules = self.rules.clone();
        let keys =
            |delivery: &Delivery| rules.iter().filter_map(|rule| rule.key_of(&delivery.event)).collect();
        let (fed, gone) = self.lines.read(after, up_to, found, keys);
        self.touched.extend(fed);
        gone
    }

    fn keys_of(&self, event: &Event) -> Vec<(usize, FlowKey)> {
        let key = |(index, rule): (usize, &Declared)| rule.key_of(event).map(|key| (index, key));
        self.rules.iter().enumerate().filter_map(key).collect()
    }

    fn room(&self, rule: usize, key: &FlowKey, now: Timestamp) -> Room {
        let Some(count) = self.counts.get(key) else { return Room::Yes };
        match self.rules[rule].flow.rule() {
            FlowRule::Concurrency(most) if count.running >= *most => Room::Full,
            FlowRule::Throttle(most, per) => match count.window.next(now, *most, *per) {
                at if at <= now => Room::Yes,
                at => Room::At(at),
            },
            _ => Room::Yes,
        }
    }

    /// An invited one has begun, went into another line, or is gone: the next of its line may come.
    fn decided<'k>(&mut self, position: Position, keys: impl Iterator<Item = &'k FlowKey>) {
        for key in keys {
            if self.invited.get(key) == Some(&position) {
                self.invited.remove(key);
                self.touched.push(key.clone());
            }
        }
    }

    fn forget_old(&mut self, now: Timestamp) {
        self.beginnings += 1;
        if !self.beginnings.is_multiple_of(FORGET) {
            return;
        }
        let per = |key: &FlowKey| match self.rules.iter().find(|rule| rule.name == key.rule)?.flow.rule() {
            FlowRule::Throttle(_, per) => Some(*per),
            _ => None,
        };
        let (lines, invited) = (&self.lines, &self.invited);
        self.counts.retain(|key, count| {
            let counts = per(key).is_some_and(|per| count.window.until(per) > now);
            count.running > 0 || counts || !lines.is_empty(key) || invited.contains_key(key)
        });
    }
}
