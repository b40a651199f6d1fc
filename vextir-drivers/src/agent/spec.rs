//! What an agent is told to be: as data, written in YAML or in Rust.

mod read;

use super::ModelChoice;
use serde_json::Value;
use vextir::{Limits, Name};

/// What an agent is: which model, told what, with which tools, for which events.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AgentSpec {
    /// Unique among the drivers of a processor.
    pub id: Name,
    /// For people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Who made it.
    pub author: String,
    /// Free text.
    pub version: String,
    /// Which model answers: one of the model registry.
    pub model: ModelChoice,
    /// The tools that it may call: names of tools (`web_search`), of entries of the tool registry, event types, or patterns
    /// of event types (`context.*`).
    pub tools: Vec<String>,
    /// What the model is told to be and to do.
    pub system_prompt: String,
    /// The events that it handles.
    pub capabilities: Vec<AgentCapability>,
    /// What the model is shown of the user's documents.
    pub recall: Recall,
    /// Where its tools may look.
    pub scopes: Scopes,
    /// How far one run may go.
    pub bounds: Bounds,
    /// How freely words are chosen, from 0 to 2; the provider's default if nothing is said.
    pub temperature: Option<f64>,
    /// The most tokens of one answer of the model.
    pub max_tokens: Option<u32>,
}

/// One event that an agent handles.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct AgentCapability {
    /// The event type. The answer is `<type>.result`.
    pub event_type: Name,
    /// What it does, for other agents and for people.
    pub description: String,
    /// JSON Schema of the event's data, if it is known.
    pub input: Option<Value>,
    /// JSON Schema of the answer, where it is typed. Otherwise the answer is [`AgentAnswer`](super::AgentAnswer).
    pub output: Option<Value>,
}

/// What the model is shown of the user's documents before it begins. In paths, `{topic}` stands for the event's `topic`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Recall {
    /// Folders: their index guides, those of the folders above them included, and what is in them, by name.
    pub folders: Vec<String>,
    /// Documents, whole.
    pub documents: Vec<String>,
    /// How many hits of a search for the question in these folders (everywhere, if there are none) are shown; 0 for no search.
    pub hits: usize,
    /// The most tokens of all of it together, estimated. 4,000 by default.
    pub max_tokens: u64,
}

/// Where an agent's tools may look. The user's own rights hold in any case.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Scopes {
    /// The folders that `context.*` tools may name; everywhere but `/System` if there are none.
    pub folders: Vec<String>,
}

/// How far one run of an agent may go.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Bounds {
    /// Calls of the model. With the last one it has to answer. 32 by default.
    pub turns: u32,
    /// Tools called at a time; what the model wants beyond it is refused. 16 by default.
    pub parallel: usize,
    /// How often in a row the model may get something wrong (a tool that there is not, arguments that do not fit, an answer without
    /// the form that is wanted) before the run fails. 3 by default.
    pub corrections: u32,
    /// The most bytes of a tool's answer that the model is shown. 16,384 by default.
    pub result_bytes: usize,
    /// The most tokens of the conversation, estimated; the oldest steps are left out beyond it. 24,000 by default.
    pub context_tokens: u64,
    /// What a run and all that it causes may use (events, tokens, micro-dollars), in a causal tree of its own: then
    /// [`request`](vextir::Processor::request) cannot wait for the answer, for that is in another tree. The caller's own limits
    /// hold if there are none.
    pub limits: Option<Limits>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            turns: 32,
            parallel: 16,
            corrections: 3,
            result_bytes: 16 * 1024,
            context_tokens: 24_000,
            limits: None,
        }
    }
}

impl Default for Recall {
    fn default() -> Self {
        Self { folders: Vec::new(), documents: Vec::new(), hits: 0, max_tokens: 4_000 }
    }
}

impl AgentCapability {
    /// Handles events of this type.
    pub fn new(event_type: impl Into<Name>) -> Self {
        Self { event_type: event_type.into(), ..Self::default() }
    }

    /// The type of its answers.
    #[must_use]
    pub fn result(&self) -> Name {
        format!("{}.result", self.event_type).into()
    }
}

impl AgentSpec {
    /// An agent that handles nothing yet.
    #[must_use]
    pub fn new(id: impl Into<Name>) -> Self {
        Self {
            id: id.into(),
            name: String::new(),
            description: String::new(),
            author: String::new(),
            version: String::new(),
            model: ModelChoice::Named(Name::default()),
            tools: Vec::new(),
            system_prompt: String::new(),
            capabilities: Vec::new(),
            recall: Recall::default(),
            scopes: Scopes::default(),
            bounds: Bounds::default(),
            temperature: None,
            max_tokens: None,
        }
    }

    /// The capability for an event.
    pub(super) fn capability(&self, event_type: &str) -> Option<&AgentCapability> {
        self.capabilities.iter().find(|capability| capability.event_type == *event_type)
    }
}
