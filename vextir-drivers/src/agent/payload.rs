//! What agents answer and tell.

use super::run::Used;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vextir::{Name, Payload};

/// The data of an agent's answer, the event `<capability>.result`, where its capability declares no form of its own. Which run it is
/// of stands in the event's metadata, under `run`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AgentAnswer {
    /// What the agent says.
    pub text: String,
    /// The documents that it was shown or has read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

/// A run of an agent is over: the event `agent.finished`. It is told beside the answer, and of runs that failed or were cancelled, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "agent.finished")]
#[non_exhaustive]
pub struct AgentFinished {
    /// The agent.
    #[schemars(with = "String")]
    pub agent: Name,
    /// The run: its document is `/System/Agents/<run>`.
    #[schemars(with = "String")]
    pub run: Name,
    /// The event that it handled.
    #[schemars(with = "String")]
    pub capability: Name,
    /// `completed`, `failed` or `cancelled`.
    pub status: String,
    /// Its answer: text, or what its form says.
    #[serde(default)]
    pub answer: Value,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How often the model was asked.
    pub turns: u32,
    /// What it used.
    pub used: Used,
}

/// An agent works without some of the tools that it declares: the event `agent.degraded`, with each run that begins so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "agent.degraded", category = "output")]
#[non_exhaustive]
pub struct AgentDegraded {
    /// The agent.
    #[schemars(with = "String")]
    pub agent: Name,
    /// The run.
    #[schemars(with = "String")]
    pub run: Name,
    /// What it lacks: a name and why, for each.
    pub missing: Vec<String>,
}
