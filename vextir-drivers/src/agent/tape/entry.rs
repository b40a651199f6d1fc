//! The lines of a tape.

use crate::agent::{ModelError, ModelErrorClass, ModelReply};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;
use vextir::{Category, Ctx, Data, Event, Failure, FailureClass, HandlerResult, Manifest, Name};

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A driver is on the tape.
    Driver { manifest: Box<Manifest> },
    /// Somebody was asked, and answered.
    Answer { told: Told, question: Value, answer: Answered },
}

/// Who was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    Model(String),
    Driver(Name),
}

impl Told {
    /// What stands for a question to them.
    pub(super) fn key(&self, question: &Value) -> String {
        format!("{self}\0{question}")
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(name) => write!(f, "the model `{name}`"),
            Self::Driver(id) => write!(f, "the driver `{id}`"),
        }
    }
}

/// What was answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answered {
    Reply(ModelReply),
    ModelError {
        class: ModelErrorClass,
        message: String,
        #[serde(default)]
        after_ms: Option<u64>,
    },
    Outputs(Vec<Output>),
    Failure {
        message: String,
        permanent: bool,
        #[serde(default)]
        after_ms: Option<u64>,
    },
}

/// An event that a driver emitted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Output {
    #[serde(rename = "type")]
    event_type: Name,
    #[serde(default)]
    category: Category,
    #[serde(default)]
    data: Data,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    labels: BTreeSet<Name>,
}

fn millis(pause: Option<Duration>) -> Option<u64> {
    pause.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX))
}

impl Answered {
    pub(super) fn of_model(answered: &Result<ModelReply, ModelError>) -> Self {
        match answered {
            Ok(reply) => Self::Reply(reply.clone()),
            Err(error) => Self::ModelError {
                class: error.class(),
                message: error.to_string(),
                after_ms: millis(error.pause()),
            },
        }
    }

    pub(super) fn of_driver(answered: &Result<Vec<Event>, Failure>, cx: &Ctx) -> Self {
        match answered {
            Ok(events) => Self::Outputs(cx.emitted().iter().chain(events).map(Output::of).collect()),
            Err(failure) => Self::Failure {
                message: failure.to_string(),
                permanent: failure.class() == FailureClass::Permanent,
                after_ms: millis(failure.pause()),
            },
        }
    }

    pub(super) fn into_model_error(self) -> Result<ModelReply, ModelError> {
        match self {
            Self::ModelError { class, message, after_ms } => {
                let error = ModelError::new(class, message);
                Err(match after_ms {
                    Some(pause) => error.retry_after(Duration::from_millis(pause)),
                    None => error,
                })
            }
            _ => Err(ModelError::new(
                ModelErrorClass::Malformed,
                "the tape has something else than a model's answer",
            )),
        }
    }

    pub(super) fn into_outputs(self) -> HandlerResult {
        match self {
            Self::Outputs(outputs) => Ok(outputs.into_iter().map(Output::into_event).collect()),
            Self::Failure { message, permanent, after_ms } => {
                let failure =
                    if permanent { Failure::permanent(message) } else { Failure::transient(message) };
                Err(match after_ms {
                    Some(pause) => failure.retry_after(Duration::from_millis(pause)),
                    None => failure,
                }
                .into())
            }
            _ => Err(Failure::permanent("the tape has something else than a driver's answer").into()),
        }
    }
}

impl Output {
    fn of(event: &Event) -> Self {
        Self {
            event_type: event.event_type.clone(),
            category: event.category,
            data: event.data.clone(),
            labels: event.labels.clone(),
        }
    }

    fn into_event(self) -> Event {
        let event = Event::new(self.event_type).with_category(self.category).with_data(self.data);
        self.labels.into_iter().fold(event, Event::with_label)
    }
}

/// The same value with the members of its objects in alphabetical order, whatever the application makes of `serde_json`.
pub(super) fn canonical(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(canonical).collect(),
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> =
                members.into_iter().map(|(key, value)| (key, canonical(value))).collect();
            members.sort_unstable_by(|one, other| one.0.cmp(&other.0));
            Value::Object(members.into_iter().collect())
        }
        other => other,
    }
}
