//! What a bus shows of itself.

use super::{Position, Sequence};
use crate::{Data, Decision, Event, EventId, Name, Origin, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What observers and emitters wait on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BusStatus {
    /// The last sequence of the log.
    pub head: Sequence,
    /// Deliveries and unrouted events that are not settled.
    pub open: usize,
    /// How many of them the bus takes before it says busy.
    pub limit: usize,
    /// Delayed and held events. The same limit bounds those from outside and those that handlers made, each apart.
    pub waiting: usize,
    /// How many of them handlers made.
    pub made: usize,
}

/// What the processor has to do beside deliveries. Apart from [`BusStatus`], because it changes rarely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Chores {
    /// Logged events that wait to be routed.
    pub unrouted: usize,
    /// When the earliest delayed event falls due.
    pub next_due: Option<Timestamp>,
    /// How many dead letters retention has removed since the bus was opened, the oldest first: keys that they blocked
    /// go on.
    pub letters_removed: u64,
}

impl BusStatus {
    /// A status with this log head, this much open work, and this limit.
    #[must_use]
    pub fn new(head: Sequence, open: usize, limit: usize) -> Self {
        Self { head, open, limit, waiting: 0, made: 0 }
    }

    /// The same with this many delayed and held events from outside, and this many that handlers made.
    #[must_use]
    pub fn with_waiting(self, outside: usize, made: usize) -> Self {
        Self { waiting: outside + made, made, ..self }
    }

    /// Whether there is room in the backlog for an append.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.open < self.limit
    }

    /// Whether there is room for one more delayed or held event that a handler made.
    #[must_use]
    pub fn has_room_to_wait(&self) -> bool {
        self.made < self.limit
    }
}

impl Chores {
    /// This many unrouted events, and the earliest due time.
    #[must_use]
    pub fn new(unrouted: usize, next_due: Option<Timestamp>) -> Self {
        Self { unrouted, next_due, letters_removed: 0 }
    }

    /// The same after retention has removed so many dead letters.
    #[must_use]
    pub fn with_letters_removed(self, letters_removed: u64) -> Self {
        Self { letters_removed, ..self }
    }
}

impl Attachment {
    /// What was left behind.
    #[must_use]
    pub fn new(unclean: bool, alone: Option<Position>, drivers: Vec<KnownDriver>) -> Self {
        Self { unclean, alone, drivers }
    }
}

/// An event with its place in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// Its place.
    pub sequence: Sequence,
    /// When it was logged; never earlier than the one before it.
    pub logged_at: Timestamp,
    /// The event.
    pub event: Event,
}

/// A stretch of the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The events that matched.
    pub events: Vec<Logged>,
    /// Where to read on.
    pub next: Sequence,
    /// Whether the end of the log was reached.
    pub at_head: bool,
}

/// One event on its way to one driver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its identity, and its place in the order of work.
    pub position: Position,
    /// The driver.
    pub driver: Name,
    /// The event.
    pub event: Event,
    /// The event's place in the log.
    pub sequence: Sequence,
    /// When the delivery was made: with its event, unless it was redriven.
    pub logged_at: Timestamp,
    /// Attempts that failed so far.
    pub attempt: u32,
    /// Not before this moment: the next attempt.
    pub due: Option<Timestamp>,
    /// How often it may have been running when the process died.
    pub reclaims: u32,
    /// What a policy demands of the handler.
    pub obligations: Option<Data>,
    /// What is reserved for it in its tree's ledger.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reserve: BTreeMap<Name, u64>,
    /// The last failure.
    pub error: Option<String>,
    /// Those that are handled together with it, by one call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batch: Vec<Delivery>,
    /// Those whose place it took: they are over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Position>,
}

impl Delivery {
    /// A delivery that is not made yet, with nothing special about it.
    #[must_use]
    pub fn new(driver: Name, event: Event) -> Self {
        Self {
            position: 0,
            driver,
            event,
            sequence: 0,
            logged_at: Timestamp::UNSET,
            attempt: 0,
            due: None,
            reclaims: 0,
            obligations: None,
            reserve: BTreeMap::new(),
            error: None,
            batch: Vec::new(),
            replaces: Vec::new(),
        }
    }

    /// It and those that are handled together with it.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.batch)
    }
}

impl DeadLetter {
    /// What becomes of a delivery after its last attempt.
    pub(crate) fn of(delivery: &Delivery, reason: String, at: Timestamp) -> Self {
        Self {
            position: delivery.position,
            driver: delivery.driver.clone(),
            event: delivery.event.clone(),
            sequence: delivery.sequence,
            logged_at: delivery.logged_at,
            attempts: delivery.attempt + 1,
            reason,
            at,
            obligations: delivery.obligations.clone(),
            reserve: delivery.reserve.clone(),
        }
    }
}

/// Why an event waits beside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Hold {
    /// For its time.
    Delayed,
    /// For a person's decision.
    Approval,
    /// For an extension of its tree's lease.
    Lease,
    /// For an earlier event of its ordering key that is held.
    Key,
}

/// Which held events are asked for; delayed ones are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Held {
    /// The one with this id; foreign ids are looked up among the user's.
    Event(Name, EventId),
    /// Those of a user's causal tree, its root included.
    Tree(Name, EventId),
    /// Those of a user's ordering key.
    Key(Name, Name),
    /// Those of a user.
    User(Name),
}

/// An event that waits beside the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// The event.
    pub event: Event,
    /// Why it waits.
    pub hold: Hold,
    /// Who decided that, and why.
    pub decision: Option<Decision>,
    /// A person's approval, if the event had one before this wait: it is not asked for again.
    pub approved: Option<Decision>,
    /// Who emitted it, as far as that was said.
    pub origin: Option<Origin>,
    /// Since when.
    pub since: Timestamp,
    /// Order of arrival.
    pub number: u64,
}

impl Parked {
    /// Whether a handler made it; otherwise it came from outside.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.event.root() != &self.event.id
    }
}

/// A delivery that failed for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The delivery that failed.
    pub position: Position,
    /// The driver.
    pub driver: Name,
    /// The event, whole: it outlives retention.
    pub event: Event,
    /// The event's place in the log.
    pub sequence: Sequence,
    /// When it was logged.
    pub logged_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed.
    pub reason: String,
    /// When it was given up.
    pub at: Timestamp,
    /// What a policy demands of the handler, also when it is redriven.
    pub obligations: Option<Data>,
    /// What is reserved for it when it is redriven.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reserve: BTreeMap<Name, u64>,
}

/// A driver that the log knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDriver {
    /// Its id.
    pub id: Name,
    /// The version last registered.
    pub version: String,
}

/// What `attach` found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Attachment {
    /// The last processor did not stop in order.
    pub unclean: bool,
    /// The delivery that ran alone when it died.
    pub alone: Option<Position>,
    /// The drivers that this log has seen.
    pub drivers: Vec<KnownDriver>,
}
