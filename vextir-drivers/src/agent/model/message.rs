//! What is said in a conversation with a model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an image counts, in tokens, where nobody knows better.
const IMAGE: u64 = 1_000;

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "role", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Message {
    /// What it is told to be and to do.
    System {
        /// The text.
        text: String,
    },
    /// What it is asked.
    User {
        /// The text.
        text: String,
        /// What it is shown.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        images: Vec<Image>,
    },
    /// What it said.
    Assistant {
        /// The text.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// The tools that it wanted called.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<ToolCall>,
    },
    /// What a tool answered.
    Tool {
        /// The id of the call.
        call: String,
        /// The tool's name.
        name: String,
        /// What it answered.
        text: String,
    },
}

/// A tool that a model wants called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolCall {
    /// The model's id of the call; its answer names it.
    pub id: String,
    /// The tool's name, as the model wrote it.
    pub name: String,
    /// What it is called with: an object, if the model kept to the schema; a string with what it wrote, if that is no JSON.
    #[serde(default)]
    pub arguments: Value,
    /// What the provider wants to see again with the call, as Gemini's models do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// An image that a model is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// As in `image/png`.
    pub media_type: String,
    /// Its bytes in base64, or the address (`https:`) where the provider finds it.
    pub source: String,
}

impl Message {
    /// What it is told to be and to do.
    pub fn system(text: impl Into<String>) -> Self {
        Self::System { text: text.into() }
    }

    /// What it is asked.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User { text: text.into(), images: Vec::new() }
    }

    /// What it said.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::Assistant { text: text.into(), calls: Vec::new() }
    }

    /// What a tool answered to a call.
    pub fn tool(call: &ToolCall, text: impl Into<String>) -> Self {
        Self::Tool { call: call.id.clone(), name: call.name.clone(), text: text.into() }
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::System { text }
            | Self::User { text, .. }
            | Self::Assistant { text, .. }
            | Self::Tool { text, .. } => text,
        }
    }

    /// About how many tokens it has.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        let own = self.text().len() as u64 / 4 + 4;
        match self {
            Self::User { images, .. } => own + images.len() as u64 * IMAGE,
            Self::Assistant { calls, .. } => {
                let call =
                    |call: &ToolCall| (call.name.len() + call.arguments.to_string().len()) as u64 / 4 + 4;
                own + calls.iter().map(call).sum::<u64>()
            }
            _ => own,
        }
    }
}

impl ToolCall {
    /// A call.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: Value) -> Self {
        Self { id: id.into(), name: name.into(), arguments, signature: None }
    }
}

impl Image {
    /// Bytes in base64, or an address.
    pub fn new(media_type: impl Into<String>, source: impl Into<String>) -> Self {
        Self { media_type: media_type.into(), source: source.into() }
    }

    /// Whether it is an address, not bytes.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.source.starts_with("https://") || self.source.starts_with("http://")
    }
}
