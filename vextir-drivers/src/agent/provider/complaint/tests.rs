//! What services say when they fail, as they say it.

use super::Complaint;
use crate::agent::{Message, ModelErrorClass, ModelRequest};
use ModelErrorClass::*;
use std::time::Duration;

const SAID: &[(u16, &str, ModelErrorClass)] = &[
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
    (
        429,
        r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED"}}"#,
        RateLimited,
    ),
    (401, "", Unauthorized),
    (402, "<html>", Unauthorized),
    (403, "{}", Unauthorized),
    (404, r#"{"error":"model 'x' not found"}"#, UnknownModel),
    (404, r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#, UnknownModel),
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
    (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Overloaded),
    (408, "", Network),
    (418, "", BadRequest),
];

#[test]
fn what_services_say_has_its_class() {
    for (status, body, class) in SAID {
        assert_eq!(Complaint::read(*status, body.as_bytes()).class(), *class, "{status} {body}");
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
    assert_eq!(say("Cannot parse `diagnosis is a very rare one, and nobody`"), "POST http://x: status 400");
    let long = say(&"ab ".repeat(1_000));
    assert!(long.len() < 350 && long.ends_with(".."), "{long}");
}

#[test]
fn the_pause_of_a_body_is_read() {
    let body = br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"34.5s"}]}}"#;
    let error = Complaint::read(429, body).into_error("x", None, &ModelRequest::default());
    assert_eq!((error.class(), error.pause()), (RateLimited, Some(Duration::from_millis(34_500))));
}
