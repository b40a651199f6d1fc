//! One run of an agent: all that it has to remember between two events.

use super::{Message, TokenUsage, ToolCall};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use vextir::{EventId, Name};

/// Where a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStatus {
    /// The model or a tool is asked.
    #[default]
    Working,
    /// Something that it asked waits for a person, or for room in a budget.
    Held,
    /// It has answered.
    Completed,
    /// It could not answer.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RunStatus {
    /// Whether nothing comes any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// What a run is, as its document `/System/Agents/<run>` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AgentRun {
    /// Its name.
    pub run: Name,
    /// Of which agent.
    pub agent: Name,
    /// Which event began it.
    pub cause: EventId,
    /// Of which type.
    pub capability: Name,
    /// Where it stands.
    pub status: RunStatus,
    /// Why it waits, or why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The root of the causal tree in which it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<EventId>,
    /// The event of that tree which all that it does names as its cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<EventId>,
    /// How often the model was asked.
    pub turn: u32,
    /// How many turns it got beyond the bound, to go on after it had failed there.
    #[serde(default)]
    pub granted: u32,
    /// What of it is held, and why, by the event that it began with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, String>,
    /// The conversation: what the model is told next. In the document it is one text, the JSON of it: it is replaced with every turn, and
    /// a document's parts are kept track of one by one.
    #[serde(with = "conversation")]
    pub messages: Vec<Message>,
    /// The tools of this turn, with their answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Called>,
    /// The tools that it has looked for, where there are too many to show all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub loaded: BTreeSet<String>,
    /// Where what it knows comes from: information-flow labels.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub labels: BTreeSet<Name>,
    /// The documents that it was shown or has read.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sources: BTreeSet<String>,
    /// What it has used so far.
    #[serde(default)]
    pub used: Used,
    /// How often in a row the model got something wrong.
    #[serde(default)]
    pub corrections: u32,
    /// How often the conversation was too long for the model.
    #[serde(default)]
    pub shortened: u32,
    /// Tools that its agent declares and that were not there when it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// What it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
}

/// A conversation as the JSON of it.
mod conversation {
    use super::Message;
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    pub(super) fn serialize<S: Serializer>(messages: &[Message], serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(messages).map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<Message>, D::Error> {
        let text = String::deserialize(source)?;
        serde_json::from_str(&text).map_err(de::Error::custom)
    }
}

/// A tool that was called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Called {
    /// What the model wanted.
    pub call: ToolCall,
    /// The event that it became; nothing for what was answered at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<Name>,
    /// What it fails with comes from outside.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
    /// What the model is told; nothing while it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// What a run used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Used {
    /// Tokens that the model read.
    pub input: u64,
    /// Tokens that the model wrote.
    pub output: u64,
    /// Money, in millionths of a dollar.
    pub micro_usd: u64,
    /// Tools that were called.
    pub tools: u32,
}

impl Used {
    /// Counts a call of the model.
    pub(super) fn add(&mut self, usage: TokenUsage, cost: u64) {
        self.input = self.input.saturating_add(usage.input);
        self.output = self.output.saturating_add(usage.output);
        self.micro_usd = self.micro_usd.saturating_add(cost);
    }
}

impl AgentRun {
    /// Where it stands follows from what of it is held.
    pub(super) fn stand(&mut self) {
        self.status = if self.held.is_empty() { RunStatus::Working } else { RunStatus::Held };
        self.reason = self.held.values().next().cloned();
    }

    /// A run that begins.
    #[must_use]
    pub fn new(run: Name, agent: Name, cause: EventId, capability: Name) -> Self {
        Self {
            run,
            agent,
            cause,
            capability,
            status: RunStatus::Working,
            reason: None,
            root: None,
            home: None,
            turn: 0,
            granted: 0,
            held: BTreeMap::new(),
            messages: Vec::new(),
            calls: Vec::new(),
            loaded: BTreeSet::new(),
            labels: BTreeSet::new(),
            sources: BTreeSet::new(),
            used: Used::default(),
            corrections: 0,
            shortened: 0,
            missing: Vec::new(),
            answer: None,
        }
    }
}
