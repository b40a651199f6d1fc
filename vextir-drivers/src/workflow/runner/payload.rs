//! The events by which plans are run, asked and answered.

use super::gate::Place;
use crate::workflow::run::Due;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vextir::{Category, EventId, Name, Payload, Timestamp};

/// A plan is over: the event `plan.finished`, the answer to who asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PlanFinished {
    /// The plan: its document is `/System/Plans/<plan>`.
    #[schemars(with = "String")]
    pub plan: Name,
    /// Of which instruction.
    #[schemars(with = "String")]
    pub instruction: Name,
    /// `completed`, `failed`, `skipped` or `cancelled`.
    pub status: String,
    /// What its last step gave; of several last steps an object by their ids.
    #[serde(default)]
    pub output: Value,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The step of another plan that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

impl Payload for PlanFinished {
    const TYPE: &'static str = "plan.finished";
    const CATEGORY: Category = Category::Output;
    const DESCRIPTION: &'static str = "A plan is over.";
}

/// A plan waits for a person: the event `plan.approval`. It is answered through
/// [`Plans::decide`](super::Plans::decide).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PlanApproval {
    /// The plan.
    #[schemars(with = "String")]
    pub plan: Name,
    /// Of which instruction.
    #[schemars(with = "String")]
    pub instruction: Name,
    /// Which question: said again with the answer.
    pub at: String,
    /// What is asked.
    pub message: String,
}

impl Payload for PlanApproval {
    const TYPE: &'static str = "plan.approval";
    const CATEGORY: Category = Category::Output;
    const DESCRIPTION: &'static str = "A plan waits for a person.";
}

/// The step of another plan that asked for a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Parent {
    /// Its instruction.
    #[schemars(with = "String")]
    pub instruction: Name,
    /// The plan.
    #[schemars(with = "String")]
    pub plan: Name,
    /// The step, and which attempt at it.
    pub at: String,
}

impl Parent {
    pub(super) fn new(instruction: &Name, plan: &Name, at: String) -> Self {
        Self { instruction: instruction.clone(), plan: plan.clone(), at }
    }
}

/// `instruction.<id>.run`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RunInstruction {
    pub(super) inputs: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<Parent>,
}

/// `instruction.<id>.begin`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) plan: Name,
    pub(super) cause: EventId,
    pub(super) inputs: Map<String, Value>,
    pub(super) parent: Option<Parent>,
    /// What stands at the place of each rule of flow control.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) flow: Vec<Value>,
    /// The gates that it has to pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gates: Vec<Place>,
}

/// `instruction.<id>.fork`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ForkPlan {
    pub(super) plan: Name,
    pub(super) step: Name,
    #[serde(default)]
    pub(super) inputs: Map<String, Value>,
}

/// `instruction.<id>.forked`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Forked {
    pub(super) plan: Name,
    #[serde(rename = "from")]
    pub(super) ask: ForkPlan,
}

/// `instruction.<id>.came`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Came {
    pub(super) plan: Name,
    pub(super) at: String,
    pub(super) event: EventId,
}

/// `instruction.<id>.returned`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Returned {
    pub(super) plan: Name,
    pub(super) at: String,
    pub(super) event: EventId,
}

/// `instruction.<id>.look`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Look {
    pub(super) plan: Name,
    pub(super) at: String,
    pub(super) event: String,
    pub(super) since: Timestamp,
}

/// `instruction.<id>.timer`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Timer {
    pub(super) plan: Name,
    pub(super) at: String,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    Retry,
    Timeout,
}

impl From<Due> for What {
    fn from(due: Due) -> Self {
        match due {
            Due::Retry => Self::Retry,
            Due::Timeout => Self::Timeout,
        }
    }
}

impl From<What> for Due {
    fn from(what: What) -> Self {
        match what {
            What::Retry => Self::Retry,
            What::Timeout => Self::Timeout,
        }
    }
}

/// `instruction.<id>.decide`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Decide {
    pub(super) plan: Name,
    pub(super) at: String,
    pub(super) approved: bool,
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// `instruction.<id>.pause`, `resume`, `cancel` and `retry`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Control {
    pub(super) plan: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<Name>,
}
