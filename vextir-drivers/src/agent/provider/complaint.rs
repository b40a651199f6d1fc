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
/// What says that there is no such model.
const NO_MODEL: [&str; 4] = ["model_not_found", "not_found_error", "model not found", "unknown model"];

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
            200 | 400 | 403 | 429 if self.says(&NO_ACCESS) => Unauthorized,
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
mod tests {
    use super::Complaint;
    use crate::agent::{Message, ModelErrorClass, ModelRequest};
    use ModelErrorClass::*;
    use std::time::Duration;

    #[test]
    fn what_services_say_has_its_class() {
        let cases = [
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
                ContextTooLong,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
                ContextTooLong,
            ),
            (
                400,
                r#"[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#,
                ContextTooLong,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
                ContextTooLong,
            ),
            (
                413,
                r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
                ContextTooLong,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid schema for function 'x'","type":"invalid_request_error"}}"#,
                BadRequest,
            ),
            (422, r#"{"detail":"no field"}"#, BadRequest),
            (
                400,
                r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
                Unauthorized,
            ),
            (
                400,
                r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API."}}"#,
                Unauthorized,
            ),
            (
                429,
                r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
                Unauthorized,
            ),
            (429, r#"{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}"#, RateLimited),
            (401, "", Unauthorized),
            (402, "<html>", Unauthorized),
            (403, "{}", Unauthorized),
            (404, r#"{"error":"model 'x' not found"}"#, UnknownModel),
            (
                404,
                r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#,
                UnknownModel,
            ),
            (307, "", UnknownModel),
            (
                400,
                r#"{"error":{"code":"content_policy_violation","message":"Your request was rejected by our safety system"}}"#,
                Refused,
            ),
            (
                400,
                r#"{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
                Refused,
            ),
            (500, "oh", Overloaded),
            (502, "", Overloaded),
            (503, "", Overloaded),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                Overloaded,
            ),
            (408, "", Network),
            (418, "", BadRequest),
        ];
        for (status, body, class) in cases {
            assert_eq!(Complaint::read(status, body.as_bytes()).class(), class, "{status} {body}");
        }
    }

    #[test]
    fn a_failure_in_the_middle_of_an_answer_has_its_class() {
        let cases = [
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Overloaded),
            (r#"{"error":{"type":"rate_limit_error","message":"slow"}}"#, RateLimited),
            (r#"{"error":{"code":502,"message":"Provider disconnected"}}"#, Overloaded),
            (r#"{"error":{"code":429,"message":"x"}}"#, RateLimited),
            (r#"{"error":"the prompt is too long for the context window"}"#, ContextTooLong),
        ];
        for (part, class) in cases {
            let complaint = Complaint::within(&serde_json::from_str(part).unwrap()).unwrap();
            assert_eq!(complaint.class(), class, "{part}");
        }
        assert!(Complaint::within(&serde_json::json!({"error": null, "choices": []})).is_none());
    }

    #[test]
    fn neither_the_key_nor_the_conversation_is_repeated() {
        let request =
            ModelRequest::new([Message::user("My diagnosis is a very rare one, and nobody may know it.")]);
        let say = |message: &str| {
            let body = serde_json::json!({"error": {"message": message}}).to_string();
            Complaint::read(400, body.as_bytes())
                .into_error("POST http://x", Some("sk-123"), &request)
                .to_string()
        };
        assert_eq!(say("Bad key sk-123,\n look"), "POST http://x: status 400: Bad key ***, look");
        assert_eq!(
            say("Cannot parse `diagnosis is a very rare one, and nobody`"),
            "POST http://x: status 400"
        );
        let long = say(&"ab ".repeat(1_000));
        assert!(long.len() < 350 && long.ends_with(".."), "{long}");
    }

    #[test]
    fn the_pause_of_a_body_is_read() {
        let body =
            br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"34.5s"}]}}"#;
        let error = Complaint::read(429, body).into_error("x", None, &ModelRequest::default());
        assert_eq!((error.class(), error.pause()), (RateLimited, Some(Duration::from_millis(34_500))));
    }
}
