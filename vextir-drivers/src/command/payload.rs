//! What the driver is asked, and what it answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vextir::Payload;

/// Run a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "command.run")]
pub struct CommandRun {
    /// Its name, as the application allows it.
    pub command: String,
    /// Its arguments; at most 256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The folder in which it runs; the first that is granted by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Variables of its environment, those that the application lets be set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What it reads from its standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// How many seconds it may take; what the application allows by default and at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
}

impl CommandRun {
    /// Runs a command that the application allows.
    #[must_use]
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            args: Vec::new(),
            cwd: None,
            env: BTreeMap::new(),
            stdin: None,
            timeout: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }
}

/// A piece of what a command said. It is labelled `untrusted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "command.output", category = "output")]
pub struct CommandOutput {
    /// The task.
    pub task: String,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// From 1, for each stream.
    pub number: u32,
    /// At most 8 KiB.
    pub text: String,
}

/// A command has ended. It is labelled `untrusted`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "command.finished", category = "output")]
pub struct CommandFinished {
    /// The task, as its documents are called.
    pub task: String,
    /// What was run.
    pub command: String,
    /// The code with which it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// It was killed because its time was over.
    #[serde(default)]
    pub timed_out: bool,
    /// The process died while it ran: how far it came is not known, and it was not run again.
    #[serde(default)]
    pub lost: bool,
    /// How long it took.
    pub seconds: f64,
    /// The beginning of what it said; at most 16 KiB.
    pub stdout: String,
    /// The beginning of what it complained about; at most 16 KiB.
    pub stderr: String,
    /// It said more than is kept.
    #[serde(default)]
    pub truncated: bool,
}
