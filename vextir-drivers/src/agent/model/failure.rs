//! How asking a model fails.

use super::TokenUsage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What went wrong, as far as it matters for what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelErrorClass {
    /// Too many requests or tokens in a while: later, or another model.
    RateLimited,
    /// The provider has no room or fails (5xx): later, or another model.
    Overloaded,
    /// No connection, cut off, or too slow: later, or another model.
    Network,
    /// The request is wrong: no other model will take it.
    BadRequest,
    /// The conversation is too long for the model: a shorter one, or a larger model.
    ContextTooLong,
    /// The provider will not answer this.
    Refused,
    /// The key is missing or refused, or the account has no money: another model.
    Unauthorized,
    /// The provider has no such model: another model.
    UnknownModel,
    /// The answer is none: no JSON, cut off, too large. Once more, or another model.
    Malformed,
}

impl ModelErrorClass {
    /// Its name, as events and spans say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::Network => "network",
            Self::BadRequest => "bad_request",
            Self::ContextTooLong => "context_too_long",
            Self::Refused => "refused",
            Self::Unauthorized => "unauthorized",
            Self::UnknownModel => "unknown_model",
            Self::Malformed => "malformed",
        }
    }

    /// Whether the same request to the same model may succeed later.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::RateLimited | Self::Overloaded | Self::Network | Self::Malformed)
    }

    /// Whether another model may succeed.
    #[must_use]
    pub fn is_for_another(self) -> bool {
        !matches!(self, Self::BadRequest)
    }
}

/// Asking a model failed. The message neither repeats the key nor the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelError {
    class: ModelErrorClass,
    message: String,
    after: Option<Duration>,
    usage: Option<TokenUsage>,
}

impl ModelError {
    /// An error of this class.
    pub fn new(class: ModelErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), after: None, usage: None }
    }

    /// Says how long the provider wants to be left alone.
    #[must_use]
    pub fn retry_after(self, pause: Duration) -> Self {
        Self { after: Some(pause), ..self }
    }

    /// Says what was used all the same: the answer had begun.
    #[must_use]
    pub fn used(self, usage: TokenUsage) -> Self {
        Self { usage: Some(usage), ..self }
    }

    /// Its class.
    #[must_use]
    pub fn class(&self) -> ModelErrorClass {
        self.class
    }

    /// How long the provider wants to be left alone.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        self.after
    }

    /// What was used all the same.
    #[must_use]
    pub fn usage(&self) -> Option<TokenUsage> {
        self.usage
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ModelError {}
