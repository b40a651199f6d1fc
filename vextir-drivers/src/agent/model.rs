//! The contract of a model: what it is asked, what it answers, and how it fails.

mod failure;
mod message;

pub use failure::{ModelError, ModelErrorClass};
pub use message::{Image, Message, ToolCall};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A language model.
///
/// An implementation asks once: it does not try again, does not choose another model, and keeps nothing. It promises that
///
/// * a request that is dropped stops,
/// * no answer makes it use memory without a bound,
/// * neither its errors nor its `Debug` repeat the key, and its errors do not repeat the messages,
/// * what a tool is called with is handed on as it came: arguments that are no JSON are a JSON string, for the agent to have
///   them corrected.
#[async_trait]
pub trait Model: fmt::Debug + Send + Sync + 'static {
    /// Asks the model. Text goes to `tokens` as it comes, and stands whole in the reply.
    ///
    /// # Errors
    /// What went wrong, by class.
    async fn complete(&self, request: &ModelRequest, tokens: &Tokens<'_>) -> Result<ModelReply, ModelError>;
}

/// Where text goes as it comes: a part of the answer at a time. Called while the model answers, so it must be quick.
pub type Tokens<'a> = dyn Fn(&str) + Send + Sync + 'a;

/// What a model is asked.
///
/// ```
/// use vextir_drivers::agent::{Message, ModelRequest};
///
/// let request = ModelRequest::new([Message::system("Be brief."), Message::user("Who are you?")]).with_max_tokens(100);
/// assert_eq!(request.messages.len(), 2);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ModelRequest {
    /// The conversation so far, the oldest first.
    pub messages: Vec<Message>,
    /// What it may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// Whether it may, must or must not call a tool.
    #[serde(default, skip_serializing_if = "ToolChoice::is_auto")]
    pub tool_choice: ToolChoice,
    /// The form that its text must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputSchema>,
    /// The most tokens of its answer; the model's own limit if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// From 0 (always the likeliest word) to 2; the provider's default if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// For answers that repeat, where the provider can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Texts at which the answer ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

/// A tool as a model is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolSpec {
    /// Letters, digits, `_` and `-`; at most 64.
    pub name: String,
    /// What it does, and when it helps.
    pub description: String,
    /// JSON Schema of its arguments, an object.
    pub schema: Value,
}

/// Whether a model may, must or must not call a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Tool(String),
}

impl ToolChoice {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// The form of an answer that is JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputSchema {
    /// What it is called.
    pub name: String,
    /// JSON Schema.
    pub schema: Value,
}

/// What a model answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ModelReply {
    /// Its text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The tools that it wants called, all at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// Why it ended.
    pub finish: Finish,
    /// What it used.
    pub usage: TokenUsage,
    /// What the provider calls the model that answered; empty if it does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// It was complete.
    #[default]
    Stop,
    /// It reached the most tokens.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// The provider cut it off for what it says.
    Filtered,
}

/// What a call used, in tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TokenUsage {
    /// Of the request, those that the provider had kept included.
    pub input: u64,
    /// Of the answer, those of thinking included.
    pub output: u64,
    /// Of those of the request, how many the provider had kept from before.
    #[serde(skip_serializing_if = "is_zero")]
    pub cached: u64,
    /// The provider did not say, and they were estimated.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl TokenUsage {
    /// All tokens.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl ModelRequest {
    /// A conversation.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Self {
        Self { messages: messages.into_iter().collect(), ..Self::default() }
    }

    /// Offers tools.
    #[must_use]
    pub fn with_tools(self, tools: impl IntoIterator<Item = ToolSpec>) -> Self {
        Self { tools: tools.into_iter().collect(), ..self }
    }

    /// Says whether tools may be called.
    #[must_use]
    pub fn with_tool_choice(self, tool_choice: ToolChoice) -> Self {
        Self { tool_choice, ..self }
    }

    /// Wants JSON of this form.
    #[must_use]
    pub fn with_output(self, output: OutputSchema) -> Self {
        Self { output: Some(output), ..self }
    }

    /// Limits the answer, in tokens.
    #[must_use]
    pub fn with_max_tokens(self, tokens: u32) -> Self {
        Self { max_tokens: Some(tokens), ..self }
    }

    /// Says how freely words are chosen, from 0 to 2.
    #[must_use]
    pub fn with_temperature(self, temperature: f64) -> Self {
        Self { temperature: Some(temperature), ..self }
    }

    /// About how many tokens it has: a quarter of its characters, an image counting as 1,000 tokens.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        let messages: u64 = self.messages.iter().map(Message::estimate).sum();
        let of_json = |value: &Value| value.to_string().len() as u64;
        let tool =
            |tool: &ToolSpec| tool.name.len() as u64 + tool.description.len() as u64 + of_json(&tool.schema);
        let tools: u64 = self.tools.iter().map(tool).sum();
        let output = self.output.as_ref().map_or(0, |output| of_json(&output.schema));
        messages + (tools + output) / 4
    }
}

impl ModelReply {
    /// A complete answer in words.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// An answer that wants tools called.
    pub fn calls(calls: impl IntoIterator<Item = ToolCall>) -> Self {
        Self { calls: calls.into_iter().collect(), finish: Finish::ToolCalls, ..Self::default() }
    }

    /// Says what it used.
    #[must_use]
    pub fn with_usage(self, input: u64, output: u64) -> Self {
        Self { usage: TokenUsage { input, output, ..TokenUsage::default() }, ..self }
    }
}
