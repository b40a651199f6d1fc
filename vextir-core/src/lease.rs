//! The causal lease: what one root and all that it causes may use up.

use crate::{EventId, Name, Sequence};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The unit of events, in [`Lease::draw_event`] and in `lease.held` events.
pub const EVENTS: &str = "events";
/// The unit of causal depth.
pub const DEPTH: &str = "depth";

/// What a causal tree may use. At a limit the tree is held, not killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Longest chain of causes. 64 by default.
    pub depth: u32,
    /// Events in the tree, its root included. 10,000 by default.
    pub events: u64,
    /// Further units (tokens, cents, seconds), by name. No limit for a unit that is not named.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub units: BTreeMap<Name, u64>,
}

impl Limits {
    /// The unit of which these limits allow more than `others`, if there is one.
    #[must_use]
    pub fn beyond(&self, others: &Self) -> Option<Exceeded> {
        let exceeded = |unit: &str, limit| Some(Exceeded { unit: Name::from(unit), limit });
        if self.depth > others.depth {
            return exceeded(DEPTH, others.depth.into());
        }
        if self.events > others.events {
            return exceeded(EVENTS, others.events);
        }
        // A unit that is not named has no limit.
        let more = |(unit, limit): &(&Name, &u64)| self.units.get(*unit).is_none_or(|own| own > *limit);
        others.units.iter().find(more).and_then(|(unit, limit)| exceeded(unit, *limit))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, events: 10_000, units: BTreeMap::new() }
    }
}

/// Where a causal tree stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    /// Within its limits.
    #[default]
    Active,
    /// At a limit: its further outputs wait for an extension or a cancel.
    Held,
    /// Cancelled: nothing of it runs any more.
    Cancelled,
}

/// The ledger of one causal tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The root event.
    pub root: EventId,
    /// Whose tree it is.
    pub user: Name,
    /// What it may use.
    pub limits: Limits,
    /// Events used; a delayed one from when it begins to wait.
    pub events: u64,
    /// Other units used.
    pub units: BTreeMap<Name, u64>,
    /// What open deliveries have reserved of them, by [`Capability::reserve`](crate::Capability::reserve).
    pub reserved: BTreeMap<Name, u64>,
    /// Where the tree was held because of what others had reserved: what the first event that waited would reserve.
    /// Kept until the tree is extended, for it is told once.
    pub short: BTreeMap<Name, u64>,
    /// Log sequence of its first event; 0 while that one waits.
    pub first: Sequence,
    /// Log sequence of its last event so far.
    pub last: Sequence,
    /// Deliveries that are not settled.
    pub open: u64,
    /// Events that wait: delayed or held.
    pub parked: u64,
    /// Active, held or cancelled.
    pub state: LeaseState,
}

/// The unit whose limit is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    /// `events`, `depth`, or a further unit.
    pub unit: Name,
    /// Its limit.
    pub limit: u64,
}

impl Lease {
    /// A new ledger.
    #[must_use]
    pub fn new(root: EventId, user: Name, limits: Limits) -> Self {
        Self {
            root,
            user,
            limits,
            events: 0,
            units: BTreeMap::new(),
            reserved: BTreeMap::new(),
            short: BTreeMap::new(),
            first: 0,
            last: 0,
            open: 0,
            parked: 0,
            state: LeaseState::Active,
        }
    }

    /// Draws one event at `depth`, whose deliveries will [reserve](Lease::reserve) so much.
    ///
    /// # Errors
    /// The unit at whose limit the tree stands; nothing was drawn.
    pub fn draw_event(&mut self, depth: u32, reserve: &BTreeMap<Name, u64>) -> Result<(), Exceeded> {
        if let Some(exceeded) = self.exceeded() {
            return Err(exceeded);
        }
        if depth > self.limits.depth {
            return Err(Exceeded { unit: Name::literal(DEPTH), limit: self.limits.depth.into() });
        }
        if self.events >= self.limits.events {
            return Err(Exceeded { unit: Name::literal(EVENTS), limit: self.limits.events });
        }
        self.room_for(reserve)?;
        self.events += 1;
        Ok(())
    }

    /// Records what was used of another unit. It was used already, so it is recorded beyond the limit too;
    /// the next event is then refused.
    pub fn draw(&mut self, unit: &Name, amount: u64) {
        let used = self.units.entry(unit.clone()).or_default();
        *used = used.saturating_add(amount);
    }

    /// The further unit of which more was used than allowed, if there is one.
    #[must_use]
    pub fn exceeded(&self) -> Option<Exceeded> {
        self.units
            .iter()
            .filter_map(|(unit, used)| Some((unit, used, *self.limits.units.get(unit)?)))
            .find(|(_, used, limit)| *used >= limit)
            .map(|(unit, _, limit)| Exceeded { unit: unit.clone(), limit })
    }

    /// Whether a further reservation fits beside what was used and what is reserved.
    ///
    /// # Errors
    /// The first unit of which too little is left.
    pub fn room_for(&self, reserve: &BTreeMap<Name, u64>) -> Result<(), Exceeded> {
        for (unit, amount) in reserve.iter().filter(|(_, amount)| **amount > 0) {
            let Some(limit) = self.limits.units.get(unit) else { continue };
            let of = |taken: &BTreeMap<Name, u64>| taken.get(unit).copied().unwrap_or(0);
            if of(&self.units).saturating_add(of(&self.reserved)).saturating_add(*amount) > *limit {
                return Err(Exceeded { unit: unit.clone(), limit: *limit });
            }
        }
        Ok(())
    }

    /// Sets aside what a delivery is expected to use.
    pub fn reserve(&mut self, reserve: &BTreeMap<Name, u64>) {
        for (unit, amount) in reserve {
            let reserved = self.reserved.entry(unit.clone()).or_default();
            *reserved = reserved.saturating_add(*amount);
        }
    }

    /// Takes back a reservation: its delivery is over, and what it used is [drawn](Lease::draw).
    pub fn give_back(&mut self, reserve: &BTreeMap<Name, u64>) {
        for (unit, amount) in reserve {
            if let Some(reserved) = self.reserved.get_mut(unit) {
                *reserved = reserved.saturating_sub(*amount);
            }
        }
        self.reserved.retain(|_, reserved| *reserved > 0);
    }

    /// Makes a tree active again that was held because of what others had reserved, once there is room for the first
    /// event that waits. Says whether it goes on.
    pub fn resume(&mut self) -> bool {
        let waits = self.state == LeaseState::Held && !self.short.is_empty();
        let resumes = waits && self.exceeded().is_none() && self.room_for(&self.short).is_ok();
        if resumes {
            self.state = LeaseState::Active;
        }
        resumes
    }

    /// Nothing runs and nothing waits: whatever the root caused has happened.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.open == 0 && self.parked == 0
    }
}
