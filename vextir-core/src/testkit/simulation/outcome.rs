//! What a run ended with, and how two ends differ.

use crate::bus::{DeadLetter, EventBus, Hold, Parked};
use crate::{Event, EventFilter, EventId, Lease, Result};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// How many differences a report shows.
const SHOWN: usize = 12;

/// Everything that a simulated run left on its bus.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Run {
    /// The log, in order.
    pub events: Vec<Event>,
    /// Deliveries that failed for good.
    pub dead_letters: Vec<DeadLetter>,
    /// Events that wait, for whatever reason.
    pub parked: Vec<Parked>,
    /// The ledgers of the causal trees.
    pub leases: Vec<Lease>,
    /// How often the process was started.
    pub lives: usize,
}

impl Run {
    pub(super) async fn of(bus: &dyn EventBus, lives: usize) -> Result<Self> {
        let mut run = Self { lives, ..Self::default() };
        let all = bus.read(0, &EventFilter::all(), usize::MAX >> 1).await?;
        run.events = all.events.into_iter().map(|logged| logged.event).collect();
        run.dead_letters = bus.dead_letters(0, usize::MAX >> 1).await?;
        for hold in [Hold::Delayed, Hold::Approval, Hold::Lease, Hold::Key] {
            run.parked.extend(bus.parked(hold, usize::MAX >> 1).await?);
        }
        let roots = run.events.iter().chain(run.parked.iter().map(|parked| &parked.event));
        for root in roots.filter(|event| event.root_id.is_none()) {
            run.leases.extend(bus.lease(&root.user_id, &root.id).await?);
        }
        Ok(run)
    }

    /// How many events of a type there are.
    #[must_use]
    pub fn count(&self, event_type: &str) -> usize {
        self.of_type(event_type).count()
    }

    /// The events of a type, in log order.
    pub fn of_type(&self, event_type: &str) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| event.event_type == event_type)
    }

    /// What must be the same in two runs: each fact, and how often it is there. Ids and times are not among
    /// them; an id in a payload is shown as the type of its event.
    fn facts(&self) -> BTreeMap<String, i64> {
        let parked = self.parked.iter().map(|parked| &parked.event);
        let by_id: HashMap<&EventId, &Event> =
            self.events.iter().chain(parked).map(|event| (&event.id, event)).collect();
        let name = |event: &Event| lineage(event, &by_id);
        let mut facts = BTreeMap::new();
        let mut add = |fact| *facts.entry(fact).or_default() += 1;
        for event in &self.events {
            add(format!("event {}", name(event)));
        }
        for parked in &self.parked {
            add(format!("event that waits ({:?}) {}", parked.hold, name(&parked.event)));
        }
        for letter in &self.dead_letters {
            let DeadLetter { driver, attempts, reason, event, .. } = letter;
            add(format!("dead letter of {driver} after {attempts} attempts: {reason}: {}", name(event)));
        }
        for lease in &self.leases {
            let root = by_id.get(&lease.root).map_or_else(String::new, |event| name(event));
            let Lease { events, units, open, parked, state, .. } = lease;
            add(format!(
                "ledger ({state:?}, {events} events, {open} open, {parked} parked, used {units:?}) of {root}"
            ));
        }
        facts
    }

    /// What this run has more or less than `other`; `None` if they say the same.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let mut facts = self.facts();
        for (fact, count) in other.facts() {
            *facts.entry(fact).or_default() -= count;
        }
        facts.retain(|_, count| *count != 0);
        if facts.is_empty() {
            return None;
        }
        let mut text = String::new();
        for (fact, count) in facts.iter().take(SHOWN) {
            let word = if *count > 0 { "too many" } else { "missing" };
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {} {word}: {fact}", count.abs());
        }
        if facts.len() > SHOWN {
            let _ = write!(text, "\n  and {} more", facts.len() - SHOWN);
        }
        Some(text)
    }
}

/// An event by its content and that of all that led to it.
fn lineage(event: &Event, by_id: &HashMap<&EventId, &Event>) -> String {
    let mut text = content(event, by_id);
    let mut next = event;
    while let Some(cause) = next.correlation_id.as_ref().and_then(|id| by_id.get(id)) {
        let _ = write!(text, " <- {}", content(cause, by_id));
        next = cause;
    }
    text
}

fn content(event: &Event, by_id: &HashMap<&EventId, &Event>) -> String {
    let mut text = event.event_type.to_string();
    let mut data = event.data.value();
    name_ids(&mut data, by_id);
    if !data.is_null() {
        let _ = write!(text, " {data}");
    }
    if event.user_id != crate::LOCAL_USER {
        let _ = write!(text, " for {}", event.user_id);
    }
    if let Some(key) = &event.ordering_key {
        let _ = write!(text, " in order of {key}");
    }
    for label in &event.labels {
        let _ = write!(text, " #{label}");
    }
    text
}

/// Ids differ from run to run: what they name does not.
fn name_ids(data: &mut Value, by_id: &HashMap<&EventId, &Event>) {
    match data {
        Value::String(text) => {
            let named = text.parse::<EventId>().ok().and_then(|id| by_id.get(&id).copied());
            if let Some(event) = named {
                *text = format!("<{}>", event.event_type);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| name_ids(item, by_id)),
        Value::Object(fields) => fields.values_mut().for_each(|field| name_ids(field, by_id)),
        _ => {}
    }
}
