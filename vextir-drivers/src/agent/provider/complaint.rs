//! What a service says about a failure, and what that means: pure.

use crate::agent::{Message, ModelError, ModelErrorClass, ModelRequest};
use serde_json::Value;
use std::time::Duration;

/// How much is repeated of what a service says, in characters.
const LONGEST: usize = 300;
/// Longer parts of the conversation than this are not repeated, in characters, up to twice as many.
const KNOWN: usize = 16;

/// What says that the conversation is too long, in codes and in words.
const TOO_LONG: [&str; 12] = [
    "context_length_exceeded",
    "exceed_context_size",
    "request_too_large",
    "string_above_max_length",
    "maximum context length",
    "context length",
    "context window",
    "context size",
    "prompt is too long",
    "input is too long",
    "maximum number of tokens",
    "exceed context limit",
];
/// What says that the key or the account is the reason.
const NO_ACCESS: [&str; 9] = [
    "insufficient_quota",
    "billing",
    "credit balance",
    "invalid_api_key",
    "api_key_invalid",
    "api key not valid",
    "authentication_error",
    "permission_error",
    "permission_denied",
];
/// What says that the provider will not answer this.
const REFUSED: [&str; 5] = [
    "content_policy_violation",
    "content_filter",
    "responsibleaipolicyviolation",
    "content management policy",
    "safety system",
];
/// What says that there is no such model, or none that can do this.
const NO_MODEL: [&str; 5] =
    ["model_not_found", "not_found_error", "model not found", "unknown model", "does not support tools"];

/// What a service said.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    /// 200 for what comes in the middle of an answer.
    pub(super) status: u16,
    /// For people.
    message: String,
    /// Codes, kinds and words, in lower case.
    words: String,
    /// How long it wants to be left alone.
    pub(super) pause: Option<Duration>,
}

impl Complaint {
    /// Reads the body of a failure, or what stands for it in an answer.
    pub(super) fn read(status: u16, body: &[u8]) -> Self {
        let Ok(said) = serde_json::from_slice::<Value>(body) else {
            return Self { status, ..Self::default() };
        };
        // Gemini puts it into a list.
        Self::of(status, said.as_array().and_then(|all| all.first()).unwrap_or(&said))
    }

    /// What stands for a failure in a part of an answer, if it is one.
    pub(super) fn within(part: &Value) -> Option<Self> {
        let is_failure = part.get("error").is_some_and(|error| !error.is_null());
        is_failure.then(|| Self::of(200, part))
    }

    fn of(status: u16, said: &Value) -> Self {
        let error = said.get("error").filter(|error| !error.is_null()).unwrap_or(said);
        let words = |key: &str| match error.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let message = match error {
            Value::String(text) => text.clone(),
            _ => {
                ["message", "detail"].map(words).into_iter().find(|text| !text.is_empty()).unwrap_or_default()
            }
        };
        let inner = error.get("innererror").and_then(|inner| inner.get("code")).and_then(Value::as_str);
        let details = error.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let reasons = details.iter().filter_map(|detail| detail.get("reason")?.as_str());
        let all = ["code", "type", "status"].map(words).into_iter().chain(inner.map(str::to_owned));
        let all: Vec<String> = all.chain(reasons.map(str::to_owned)).chain([message.clone()]).collect();
        let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str()?.strip_suffix('s'));
        let pause = delay.and_then(|seconds| Duration::try_from_secs_f64(seconds.parse().ok()?).ok());
        // A gateway passes on the status of who is behind it.
        let code = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        let status = code.filter(|code| status == 200 && (400..600).contains(code)).unwrap_or(status);
        Self { status, message, words: all.join(" ").to_lowercase(), pause }
    }

    fn says(&self, any: &[&str]) -> bool {
        any.iter().any(|one| self.words.contains(one))
    }

    /// What it means.
    pub(super) fn class(&self) -> ModelErrorClass {
        use ModelErrorClass::{
            BadRequest, ContextTooLong, Network, Overloaded, RateLimited, Refused, Unauthorized, UnknownModel,
        };
        match self.status {
            // What a router makes of a model's failure says less than its words.
            200 | 400 | 404 | 413 | 422 | 429 if self.says(&TOO_LONG) => ContextTooLong,
            200 | 400 | 403 | 404 | 422 | 451 if self.says(&REFUSED) => Refused,
            200 | 400 | 403 if self.says(&NO_ACCESS) => Unauthorized,
            // Gemini speaks of billing at each limit of its rate.
            429 if self.says(&["insufficient_quota"]) => Unauthorized,
            200 | 400 if self.says(&NO_MODEL) => UnknownModel,
            200 if self.says(&["rate_limit", "resource_exhausted"]) => RateLimited,
            200 if self.says(&["invalid_request", "invalid_argument"]) => BadRequest,
            300..400 | 404 | 405 | 410 | 501 => UnknownModel,
            401..404 | 407 => Unauthorized,
            408 => Network,
            413 => ContextTooLong,
            429 => RateLimited,
            451 => Refused,
            200 | 409 | 425 | 500..600 => Overloaded,
            _ => BadRequest,
        }
    }

    /// As an error. Of what was said neither the key nor parts of the conversation are repeated.
    pub(super) fn into_error(self, address: &str, key: Option<&str>, request: &ModelRequest) -> ModelError {
        let class = self.class();
        let said = if repeats(&self.message, request) { String::new() } else { shown(&self.message, key) };
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let remedy = match (class, self.status) {
            (_, 300..400) => "; redirects are not followed: give the address that it leads to",
            (ModelErrorClass::Unauthorized, _) => "; see the model's key, and the account behind it",
            (ModelErrorClass::UnknownModel, _) => "; see the model's name and its endpoint",
            _ => "",
        };
        let what = if self.status == 200 {
            "the answer failed".to_owned()
        } else {
            format!("status {}", self.status)
        };
        let error = ModelError::new(class, format!("{address}: {what}{said}{remedy}"));
        match self.pause {
            Some(pause) => error.retry_after(pause),
            None => error,
        }
    }
}

/// The beginning of what was said, on one line, without the key.
fn shown(said: &str, key: Option<&str>) -> String {
    let said = match key.filter(|key| !key.is_empty()) {
        Some(key) => said.replace(key, "***"),
        None => said.to_owned(),
    };
    let line: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(LONGEST).collect();
    if short.len() < line.len() {
        short.push_str("..");
    }
    short
}

/// Whether it repeats a part of the conversation. Where a part has 32 characters, 16 of them begin at a multiple of 16.
fn repeats(said: &str, request: &ModelRequest) -> bool {
    let signs: Vec<char> = said.chars().collect();
    let parts: Vec<String> = signs.chunks_exact(KNOWN).map(|part| part.iter().collect()).collect();
    let holds = |text: &str| parts.iter().any(|part| text.contains(part.as_str()));
    request.messages.iter().any(|message| {
        let calls = match message {
            Message::Assistant { calls, .. } => calls.as_slice(),
            _ => &[],
        };
        holds(message.text()) || calls.iter().any(|call| holds(&call.arguments.to_string()))
    })
}

#[cfg(test)]
mod tests;
