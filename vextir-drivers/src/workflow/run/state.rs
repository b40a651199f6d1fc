//! What is known of a run. Its JSON is the plan that a user reads.

use super::command::At;
use super::part::{ITEMS, Parts};
use crate::workflow::instruction::{Act, Step};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vextir::{EventId, Name, Timestamp};

/// What the action of a step that waits for an event is called.
const WAIT_FOR: &str = "wait_for";

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunStatus {
    Pending,
    Executing,
    Completed,
    Failed,
    /// All of its steps were skipped.
    Skipped,
    /// All that is at work waits for a person.
    Held,
    Cancelled,
    Paused,
}

impl RunStatus {
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Skipped | Self::Cancelled)
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NodeStatus {
    /// It has not begun; in a run that is over: it never began.
    Pending,
    Running,
    Completed,
    Failed,
    /// Its condition did not hold.
    Skipped,
    /// The run ended before it did.
    Cancelled,
    /// It waits for a person, or what it emitted is held.
    Held,
}

impl NodeStatus {
    pub(crate) fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Running | Self::Held)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Held => "held",
        }
    }
}

/// One run of an instruction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: Name,
    pub(crate) instruction_id: Name,
    /// The version that it is pinned to.
    pub(crate) hash: String,
    pub(crate) status: RunStatus,
    pub(crate) started: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Timestamp>,
    /// The moment that `today` is counted from, in the zone of the trigger.
    pub(crate) slot: Timestamp,
    pub(crate) timezone: String,
    /// Not in the document when they are large.
    #[serde(default)]
    pub(crate) inputs: Arc<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trigger: Option<Arc<Cause>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// It fails as soon as what is at work has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failing: Option<Failing>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) paused: bool,
    /// How often it was retried.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) round: u32,
    /// Bytes of outputs that stand in the nodes.
    #[serde(default)]
    pub(super) inline: u32,
    pub(crate) dag: Dag,
    /// The elements of each `for_each`; stored beside the document.
    #[serde(skip)]
    pub(crate) parts: Parts,
}

impl Run {
    /// Whether one of its steps waits for events.
    pub(crate) fn may_wait(&self) -> bool {
        self.dag.nodes.values().any(|node| node.action.kind == WAIT_FOR)
    }
}

/// The event that began it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cause {
    pub(crate) id: EventId,
    #[serde(rename = "type")]
    pub(crate) event_type: Name,
    pub(crate) time: Timestamp,
    /// Its data; not here when they are large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Arc<Value>>,
}

/// Why the run will have failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failing {
    /// The step that failed first.
    pub(super) step: Name,
    /// What is done before the run is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) compensate: Option<Name>,
}

/// The steps, by id.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Dag {
    pub(crate) nodes: BTreeMap<Name, Node>,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) action: Arc<Action>,
    pub(crate) status: NodeStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Arc<Value>>,
    /// Where the output is, if it is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept_in: Option<KeptIn>,
    #[serde(default)]
    pub(crate) dependencies: Arc<[Name]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) condition: Option<Arc<str>>,
    /// Why it failed, or is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// What is odd about it, though it is no failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Timestamp>,
    /// The highest number of an attempt.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) attempts: u32,
    /// Attempts up to this one were made before the run was retried.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) base: u32,
    /// By element; 0 for a step that has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) at_work: BTreeMap<u32, Slot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) items: Option<Fan>,
}

/// What a step does, as it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Action {
    /// The type of the event; `wait_for`, `run` or `approve` for the others.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) data: Value,
}

/// Where an output is that does not stand in the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeptIn {
    /// It is the data of this event.
    Event(EventId),
    /// It is the list of the data of these events.
    Events(Vec<EventId>),
    /// It is the list of what the elements gave; their parts have it.
    Items(#[serde(deserialize_with = "length")] u32),
    /// It is the output of this step, which was passed on.
    Step(Name),
    /// It is the data of the trigger, which were passed on.
    Trigger,
}

/// How far a `for_each` is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Fan {
    #[serde(deserialize_with = "length")]
    pub(crate) count: u32,
    /// The first that has not begun.
    pub(super) next: u32,
    pub(crate) completed: u32,
    pub(crate) failed: u32,
    /// Those that have begun and must be done again if the run is retried.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) lost: BTreeSet<u32>,
}

/// An attempt that is not over, or the wait after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slot {
    pub(super) attempt: u32,
    pub(super) phase: Phase,
    /// Why the last attempt failed, or why this one is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// How many of its events are held.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) held: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Working,
    /// It failed, and is tried again after a while.
    Waiting,
    /// It is tried again as soon as the run is resumed.
    Ready,
}

/// How long a list is: a document may be changed by somebody else, and nothing here grows with what it says then.
fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let length = u32::deserialize(deserializer)?;
    if length > ITEMS {
        return Err(D::Error::custom(format!("a list of {length} elements; at most {ITEMS} fit")));
    }
    Ok(length)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Node {
    pub(super) fn new(step: &Step) -> Self {
        let condition = step.condition.as_ref().map(|condition| condition.source().into());
        Self {
            action: Arc::new(Action::of(&step.act)),
            status: NodeStatus::Pending,
            output: None,
            kept_in: None,
            dependencies: step.depends_on.clone().into(),
            condition,
            error: None,
            note: None,
            started: None,
            ended: None,
            attempts: 0,
            base: 0,
            at_work: BTreeMap::new(),
            items: None,
        }
    }

    /// Whether this attempt at it, or at its element, is at work.
    pub(crate) fn is_at_work(&self, at: &At) -> bool {
        let slot = self.at_work.get(&at.item.unwrap_or(0));
        slot.is_some_and(|slot| slot.attempt == at.attempt && slot.phase == Phase::Working)
    }

    /// As if it had never begun, but for the number of its attempts.
    pub(super) fn reset(&mut self) {
        *self = Self {
            status: NodeStatus::Pending,
            output: None,
            kept_in: None,
            error: None,
            note: None,
            started: None,
            ended: None,
            base: self.attempts,
            at_work: BTreeMap::new(),
            items: None,
            action: Arc::clone(&self.action),
            dependencies: Arc::clone(&self.dependencies),
            condition: self.condition.clone(),
            attempts: self.attempts,
        };
    }
}

impl Action {
    pub(crate) fn of(act: &Act) -> Self {
        let (kind, data) = match act {
            Act::Emit { event_type, data } => (event_type.to_string(), data.source().clone()),
            Act::WaitFor { event, condition, look_back } => {
                let condition = condition.as_ref().map(|condition| condition.source());
                let data = json!({"event": event.as_str(), "condition": condition, "look_back": look_back});
                (WAIT_FOR.into(), data)
            }
            Act::Run { instruction, inputs } => {
                ("run".into(), json!({"instruction": instruction, "inputs": inputs.source()}))
            }
            Act::Approve { message } => ("approve".into(), json!({"message": message.source()})),
        };
        Self { kind, data }
    }
}
