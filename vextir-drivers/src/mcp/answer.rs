//! What a tool answers.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vextir::{Error, ErrorKind, Result};

/// A tool's answer; as an event it is `mcp.<server>.<tool>.result`, labelled `untrusted`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct McpAnswer {
    /// Its parts as the protocol has them: `{"type": "text", "text": ..}`, images, resources.
    pub content: Vec<Value>,
    /// What the tool answers for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured: Option<Value>,
    /// The texts among the parts, each on lines of its own.
    pub text: String,
}

impl McpAnswer {
    pub(super) fn new(content: Vec<Value>, structured: Option<Value>) -> Self {
        let texts = content.iter().filter_map(|part| match part.get("type").and_then(Value::as_str) {
            Some("text") => part.get("text").and_then(Value::as_str),
            _ => None,
        });
        let text = texts.collect::<Vec<_>>().join("\n");
        Self { content, structured, text }
    }

    /// About how large the tool's answer is as JSON, in bytes. The text is in its parts.
    pub(super) fn weight(&self) -> usize {
        self.content.iter().chain(&self.structured).map(weight).sum()
    }

    /// The answer as a value of your own type: what is structured, else the text, read as JSON.
    ///
    /// ```
    /// use serde::Deserialize;
    /// use vextir_drivers::mcp::McpAnswer;
    ///
    /// #[derive(Deserialize)]
    /// struct Created { id: u64 }
    ///
    /// let answer: McpAnswer = serde_json::from_str(r#"{"content": [], "text": "{\"id\": 7}"}"#).unwrap();
    /// assert_eq!(answer.json::<Created>()?.id, 7);
    /// # Ok::<(), vextir_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Failed`: it does not fit, and will not when it is asked for again.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let read = match &self.structured {
            Some(value) => T::deserialize(value),
            None => serde_json::from_str(&self.text),
        };
        read.map_err(|error| {
            Error::new(ErrorKind::Failed, format!("the tool's answer does not fit: {error}"))
        })
    }
}

fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(list) => list.iter().map(|one| weight(one) + 1).sum::<usize>() + 2,
        Value::Object(map) => map.iter().map(|(key, one)| key.len() + weight(one) + 4).sum::<usize>() + 2,
        Value::Null | Value::Bool(_) | Value::Number(_) => 5,
    }
}

/// What a server keeps to be read: documents, tables, images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct McpResource {
    /// Its address.
    pub uri: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its media type.
    #[serde(default, rename = "mimeType", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

/// One part of a resource that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct McpContent {
    /// Its address.
    pub uri: String,
    /// Its media type.
    #[serde(default, rename = "mimeType", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The text, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bytes in base64, if it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
}

/// A prompt that a server offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct McpPrompt {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it wants to know: `{"name": .., "description": .., "required": ..}` each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Value>,
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct McpMessage {
    /// Who says it: `user` or `assistant`.
    pub role: String,
    /// What is said, as the protocol has it.
    pub content: Value,
}
