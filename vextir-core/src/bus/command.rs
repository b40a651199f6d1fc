//! What can be asked of a bus: commands, and what they answer.

use super::{Delivery, Hold, Position, Sequence};
use crate::{
    Actor, AuditRecord, Branch, Change, Data, Decision, Event, EventId, Flow, FlowKey, Lease, LeaseState,
    Limits, Name, Origin, Timestamp, Version,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One atomic change of a bus. What is made for each event is shared, so that a copy for another try costs
/// nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Command {
    /// Stores events from outside; each is the root of a new causal tree. Subject to the backlog limit.
    Append(Arc<Append>),
    /// Ends one attempt at one delivery.
    Settle(Arc<Settlement>),
    /// Gives a logged, unrouted event its deliveries.
    Route(Box<Route>),
    /// Ends the wait of a delayed or held event.
    Release(Box<Release>),
    /// Stops everything queued, delayed or held in a causal tree, and refuses what is emitted into it.
    Cancel {
        /// Whose tree it is.
        user: Name,
        /// Its root.
        root: EventId,
        /// What the audit must know.
        audit: Vec<AuditRecord>,
    },
    /// Sets new limits on a causal tree and makes it active again.
    Extend {
        /// Whose tree it is.
        user: Name,
        /// Its root.
        root: EventId,
        /// The new limits.
        limits: Limits,
        /// What the audit must know.
        audit: Vec<AuditRecord>,
    },
    /// Makes new deliveries, at the tail, of dead letters; each is audited.
    Redrive {
        /// Which.
        positions: Vec<Position>,
        /// Who wants it, and why.
        decision: Decision,
        /// The limits of a tree whose ledger is gone, where they are not the default.
        limits: Option<Box<Limits>>,
    },
    /// Forgets dead letters and unclaimed deliveries; each is audited.
    Discard {
        /// Which.
        positions: Vec<Position>,
        /// Who wants it, and why.
        decision: Decision,
    },
    /// Sets open deliveries aside whose driver is not registered. When as many are aside as the backlog limit
    /// says, they become dead letters instead.
    Unclaim(Vec<Position>),
    /// Opens deliveries again that were set aside.
    Claim(Vec<Position>),
    /// Makes a driver known (or changes its version).
    Know(Name, String),
    /// Counts a reclaim on deliveries that may have been running when the process died, and notes which
    /// one runs alone next.
    Reclaim {
        /// The deliveries.
        positions: Vec<Position>,
        /// The one that runs alone.
        alone: Option<Position>,
    },
    /// Changes documents, outside of any handler.
    Change {
        /// Who changes them.
        actor: Actor,
        /// The changes, in order.
        changes: Vec<Change>,
    },
    /// Writes to the audit.
    Audit(Vec<AuditRecord>),
}

impl Command {
    /// A [`Command::Append`] of entries alone.
    #[must_use]
    pub fn append(entries: Vec<Entry>) -> Self {
        Append { entries, ..Append::default() }.into()
    }
}

impl From<Append> for Command {
    fn from(append: Append) -> Self {
        Self::Append(Arc::new(append))
    }
}

impl From<Settlement> for Command {
    fn from(settlement: Settlement) -> Self {
        Self::Settle(Arc::new(settlement))
    }
}

/// Events from outside.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Append {
    /// The events.
    pub entries: Vec<Entry>,
    /// How far the emitting watcher has come.
    pub checkpoints: Vec<Checkpoint>,
    /// Notes for the audit.
    pub audit: Vec<AuditRecord>,
}

/// An event on its way into the log, with what was decided about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The event. Without id or time, the bus gives them.
    pub event: Event,
    /// Where it goes.
    pub place: Place,
    /// The policy that decided, where one did.
    pub policy: Option<Name>,
    /// The kernel's own events draw nothing and are never held.
    pub exempt: bool,
    /// The id was made by the kernel: nobody else has it.
    pub minted: bool,
    /// The emitter's own key: one event for each (user, key).
    pub key: Option<Name>,
    /// Limits for the tree, on its root; the default limits otherwise.
    pub limits: Option<Box<Limits>>,
    /// Who emitted it, to be asked again when it is released from a wait.
    pub origin: Option<Origin>,
    /// A person's approval: it holds through whatever the event has to wait for yet.
    pub approved: Option<Decision>,
    /// Handled before its own commit: how each of its deliveries ended.
    pub eager: Vec<Settlement>,
    /// The branch that it begins, if it begins one.
    pub branch: Option<Box<Branch>>,
}

impl Entry {
    /// An entry with nothing special about it.
    #[must_use]
    pub fn new(event: Event, place: Place) -> Self {
        Self {
            event,
            place,
            policy: None,
            exempt: false,
            minted: false,
            key: None,
            limits: None,
            origin: None,
            approved: None,
            eager: Vec::new(),
            branch: None,
        }
    }
}

/// Where an accepted event goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Place {
    /// Into the log, with these deliveries.
    Routed(Vec<NewDelivery>),
    /// Into the log; a processor routes it.
    Unrouted,
    /// Beside the log, until it is released.
    Parked(Hold, Option<Decision>),
}

/// A delivery to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewDelivery {
    /// The driver.
    pub driver: Name,
    /// What a policy demands of the handler.
    pub obligations: Option<Data>,
    /// What it is expected to use of further units: reserved in its tree's [`Lease`] until it is over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reserve: BTreeMap<Name, u64>,
    /// The rules of flow control that decide whether it is made, and when it is due.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admission: Vec<Admission>,
}

/// A rule of flow control (rate limit, singleton, debounce) that is asked in the transaction that makes a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// Which count.
    pub key: FlowKey,
    /// The rule.
    pub flow: Flow,
}

impl NewDelivery {
    /// To this driver, with nothing special about it.
    #[must_use]
    pub fn to(driver: impl Into<Name>) -> Self {
        Self { driver: driver.into(), obligations: None, reserve: BTreeMap::new(), admission: Vec::new() }
    }
}

/// The end of one attempt at one delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settlement {
    /// The delivery, as it was when the attempt began.
    pub delivery: Delivery,
    /// How it ended.
    pub outcome: Outcome,
    /// What was used of further units.
    pub usage: Vec<(Name, u64)>,
    /// What the audit must know.
    pub audit: Vec<AuditRecord>,
    /// Delayed events that the driver emitted before and takes back. Those that do not wait any more are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<EventId>,
    /// What counts of flow control have to remember of the attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub began: Vec<Began>,
}

/// That a handler began whose beginnings are counted, for the process that comes after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// Which count.
    pub key: FlowKey,
    /// When.
    pub at: Timestamp,
    /// How many may.
    pub most: u32,
    /// Within which span.
    pub per: Duration,
}

/// How an attempt ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Outcome {
    /// It succeeded: outputs, context changes and acknowledgement are one.
    Done {
        /// The outputs, in the order in which the handler gave them.
        outputs: Vec<Entry>,
        /// What it changes in the context.
        changes: Vec<Change>,
    },
    /// It failed and is tried again.
    Retry {
        /// When.
        at: Timestamp,
        /// Why it failed.
        error: String,
    },
    /// It failed for good.
    Dead {
        /// Why.
        reason: String,
        /// The `error` events that say so.
        outputs: Vec<Entry>,
    },
}

/// Routing of a logged event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Route {
    /// Its place in the log.
    pub sequence: Sequence,
    /// The event.
    pub event: Event,
    /// Its deliveries (none when it was refused), or the hold under which it waits for an approval.
    pub place: Place,
    /// What the audit must know.
    pub audit: Vec<AuditRecord>,
    /// The tree's limits, where they are not the default.
    pub limits: Option<Box<Limits>>,
    /// Whether the event was waiting to be routed. False for a driver that is added `from_start`.
    pub waiting: bool,
    /// How far such a driver has come.
    pub checkpoint: Option<Checkpoint>,
}

/// The end of an event's wait.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Release {
    /// Whose event it is.
    pub user: Name,
    /// The event.
    pub id: EventId,
    /// Where it goes now; `None` drops it.
    pub entry: Option<Entry>,
    /// What the audit must know.
    pub audit: Vec<AuditRecord>,
}

/// How far a watching driver has come: committed together with the events that it emits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The driver.
    pub driver: Name,
    /// The driver's key, a path for example.
    pub key: String,
    /// What it remembers there; `None` forgets.
    pub value: Option<Data>,
}

/// Where one event of a command went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The event.
    pub id: EventId,
    /// Its place in the log; 0 when it is parked.
    pub sequence: Sequence,
    /// False when it was there already.
    pub fresh: bool,
    /// True when it waits: delayed or held.
    pub parked: bool,
}

/// What a command did.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Receipt {
    /// For each entry of an append, or each output of a settlement: where it went.
    pub appended: Vec<Appended>,
    /// The same for the outputs of eager handlers.
    pub outputs: Vec<Appended>,
    /// The causal tree after the command, when the command was about one.
    pub tree: Option<Tree>,
    /// The kernel's own events that the command caused, such as `lease.held`.
    pub notices: Vec<Event>,
    /// How many deliveries, letters and parked events a command about several found.
    pub touched: usize,
    /// Which dead letters, and deliveries of drivers that are not registered, a redrive or a discard took.
    pub taken: Vec<Position>,
    /// For each change of documents its new version; 0 for one that is not about content.
    pub versions: Vec<Version>,
    /// The settlement came after a cancel: outputs and changes were dropped.
    pub dropped: bool,
    /// A tree that was held because of what others had reserved is active again: what waits for its lease may go on.
    pub resumed: bool,
    /// Other causal trees in which a delivery ended: whose place a new one took, and those of a batch.
    pub others: Vec<(Name, EventId, Tree)>,
}

/// A summary of a [`Lease`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    /// Deliveries that are not settled.
    pub open: u64,
    /// Events that wait.
    pub parked: u64,
    /// Active, held or cancelled.
    pub state: LeaseState,
    /// Log sequence of its last event.
    pub last: Sequence,
}

impl From<&Lease> for Tree {
    fn from(lease: &Lease) -> Self {
        Self { open: lease.open, parked: lease.parked, state: lease.state, last: lease.last }
    }
}

impl Settlement {
    /// A settlement of a delivery.
    #[must_use]
    pub fn of(delivery: &Delivery, outcome: Outcome) -> Self {
        Self {
            delivery: delivery.clone(),
            outcome,
            usage: Vec::new(),
            audit: Vec::new(),
            withdrawn: Vec::new(),
            began: Vec::new(),
        }
    }
}
