//! Deliveries that are handled together: they are collected until there are enough, or the first has waited long enough.

use crate::bus::Delivery;
use crate::flow::Declared;
use crate::{Event, FlowKey, FlowRule, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Batches {
    rules: Arc<[Declared]>,
    open: HashMap<FlowKey, Vec<Delivery>>,
    waiting: usize,
    capacity: usize,
    /// Keys for which a timer runs: one at a time for each, however many batches come and go meanwhile.
    armed: HashSet<FlowKey>,
    alarms: Vec<(FlowKey, Timestamp)>,
}

impl Batches {
    pub(super) fn new(rules: Arc<[Declared]>, capacity: usize) -> Self {
        Self { rules, open: HashMap::new(), waiting: 0, capacity, armed: HashSet::new(), alarms: Vec::new() }
    }

    /// How many are collected and not complete.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Collects a delivery. What comes back is ready: a batch that is complete, or what is in none.
    pub(super) fn join(&mut self, delivery: Delivery) -> Option<Delivery> {
        let Some((key, most, within)) = self.batch_of(&delivery) else { return Some(delivery) };
        let due = delivery.logged_at.after(within);
        let members = self.open.entry(key.clone()).or_default();
        // One that runs for a batch before this one rings within the span, and is set anew then.
        if members.is_empty() && self.armed.insert(key.clone()) {
            self.alarms.push((key.clone(), due));
        }
        members.push(delivery);
        self.waiting += 1;
        // Where too many wait in memory, a batch is complete as it is.
        let complete = members.len() >= most as usize || self.waiting > self.capacity;
        if complete { self.close(&key) } else { None }
    }

    /// The time of a batch may be over, or the timer was set for an earlier one of its key.
    pub(super) fn ring(&mut self, key: &FlowKey, now: Timestamp) -> Option<Delivery> {
        self.armed.remove(key);
        let first = self.open.get(key)?.first()?;
        let (_, _, within) = self.batch_of(first)?;
        let due = first.logged_at.after(within);
        if due <= now {
            return self.close(key);
        }
        // Who was first when the time was set is gone, or it was of an earlier batch.
        self.armed.insert(key.clone());
        self.alarms.push((key.clone(), due));
        None
    }

    /// When which batches are over.
    pub(super) fn alarms(&mut self) -> Vec<(FlowKey, Timestamp)> {
        std::mem::take(&mut self.alarms)
    }

    /// Removes what is collected and fits.
    pub(super) fn remove(&mut self, gone: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let mut removed = Vec::new();
        for members in self.open.values_mut() {
            removed.extend(members.extract_if(.., |member| gone(member)));
        }
        self.open.retain(|_, members| !members.is_empty());
        self.waiting -= removed.len();
        removed
    }

    fn close(&mut self, key: &FlowKey) -> Option<Delivery> {
        let members = self.open.remove(key)?;
        self.waiting -= members.len();
        let mut members = members.into_iter();
        let mut first = members.next()?;
        first.batch = members.collect();
        Some(first)
    }

    fn batch_of(&self, delivery: &Delivery) -> Option<(FlowKey, u32, Duration)> {
        if !delivery.batch.is_empty() {
            return None;
        }
        let (mut key, most, within) = rule_of(&self.rules, &delivery.event)?;
        // What a policy demands of one is not demanded of the others.
        if let Some(obligations) = &delivery.obligations {
            key.value.push_str(obligations.as_json());
        }
        Some((key, most, within))
    }
}

fn rule_of(rules: &[Declared], event: &Event) -> Option<(FlowKey, u32, Duration)> {
    rules.iter().find_map(|rule| match rule.flow.rule() {
        FlowRule::Batch(most, within) => Some((rule.key_of(event)?, *most, *within)),
        _ => None,
    })
}
