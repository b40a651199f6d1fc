//! What a model is asked by event, and what comes back.

use crate::agent::{ModelChoice, ModelErrorClass, ModelReply, ModelRequest, TokenUsage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vextir::{Name, Payload};

/// Ask a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "model.complete")]
pub struct ModelComplete {
    /// Which one.
    pub model: ModelChoice,
    /// The agent that asks; its usage is counted apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub agent: Option<Name>,
    /// The agent's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub run: Option<Name>,
    /// The turn of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// What it is asked.
    #[serde(flatten)]
    pub request: ModelRequest,
}

impl ModelComplete {
    /// Asks this model this.
    pub fn new(model: impl Into<ModelChoice>, request: ModelRequest) -> Self {
        Self { model: model.into(), agent: None, run: None, turn: None, request }
    }

    /// For an agent.
    #[must_use]
    pub fn for_agent(self, agent: impl Into<Name>, run: impl Into<Name>, turn: u32) -> Self {
        Self { agent: Some(agent.into()), run: Some(run.into()), turn: Some(turn), ..self }
    }
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "model.completed")]
pub struct ModelCompleted {
    /// The one that answered.
    #[schemars(with = "String")]
    pub model: Name,
    /// The agent that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub agent: Option<Name>,
    /// The agent's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub run: Option<Name>,
    /// The turn of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// Its answer.
    pub reply: ModelReply,
    /// What the answer cost, in micro-dollars.
    pub cost: u64,
    /// How often models were asked for it, in the last attempt at the event.
    pub attempts: u32,
}

/// No model answers this, and asking again would not help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "model.failed")]
pub struct ModelFailed {
    /// Why, as far as it matters for what to do next.
    pub class: ModelErrorClass,
    /// Why, in words, without the conversation.
    pub message: String,
    /// The one that said so; nothing if none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub model: Option<Name>,
    /// The agent that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub agent: Option<Name>,
    /// The agent's run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub run: Option<Name>,
    /// The turn of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// What was used all the same.
    #[serde(default)]
    pub usage: TokenUsage,
    /// What that cost, in micro-dollars.
    #[serde(default)]
    pub cost: u64,
}
