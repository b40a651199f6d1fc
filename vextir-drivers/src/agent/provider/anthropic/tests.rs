//! Anthropic's form, as its documentation shows it.

use super::*;
use crate::agent::provider::Form;
use crate::agent::registry::Provider;
use crate::agent::{ModelErrorClass, ToolCall};

fn spec() -> ModelSpec {
    ModelSpec::anthropic("claude")
}

fn look() -> ToolSpec {
    ToolSpec { name: "look".into(), description: "Looks.".into(), schema: json!({"type": "object"}) }
}

fn streamed(request: &ModelRequest, parts: &[&str]) -> Result<ModelReply, ModelError> {
    let mut draft = Draft::default();
    for part in parts {
        take(&mut draft, &serde_json::from_str(part).unwrap(), &|_| {})?;
    }
    Form(Provider::Anthropic).finish(draft, request)
}

#[test]
fn a_request_is_written_as_the_service_wants_it() {
    let (one, two) =
        (ToolCall::new("t1", "look", json!({"at": 1})), ToolCall::new("t2", "look", json!("{\"at")));
    let mut shown = Message::user("See?");
    if let Message::User { images, .. } = &mut shown {
        images.push(Image::new("image/png", "AAAA"));
        images.push(Image::new("image/png", "https://x.test/a.png"));
    }
    let messages = [
        Message::system("Be brief."),
        Message::system("Be kind."),
        shown,
        Message::Assistant { text: "Let me look.".into(), calls: vec![one.clone(), two.clone()] },
        Message::tool(&one, "rain"),
        Message::tool(&two, "no JSON"),
        Message::user("And?"),
    ];
    let request = ModelRequest::new(messages).with_tools([look()]).with_temperature(1.7);
    let expected = json!({
        "model": "claude",
        "max_tokens": 4096,
        "system": "Be brief.\n\nBe kind.",
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "See?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}},
                {"type": "tool_use", "id": "t2", "name": "look", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "rain"},
                {"type": "tool_result", "tool_use_id": "t2", "content": "no JSON"},
                {"type": "text", "text": "And?"},
            ]},
        ],
        "tools": [{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto"},
        "temperature": 1.0,
        "stream": true,
    });
    assert_eq!(encode(&spec(), "claude", &request), expected);
}

#[test]
fn a_streamed_answer_with_calls_is_put_together() {
    let reply = streamed(
        &ModelRequest::default(),
        &[
            r#"{"type":"message_start","message":{"id":"msg","model":"claude-sonnet","content":[],"usage":{"input_tokens":10,"cache_read_input_tokens":90,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Let me look."}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"look","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"at\": \"Os"}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"lo\"}"}}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_2","name":"hear","input":{}}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":42}}"#,
            r#"{"type":"message_stop"}"#,
        ],
    )
    .unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("Let me look.", Finish::ToolCalls));
    let expected = [
        ToolCall::new("toolu_1", "look", json!({"at": "Oslo"})),
        ToolCall::new("toolu_2", "hear", json!({})),
    ];
    assert_eq!(reply.calls, expected);
    assert_eq!((reply.usage.input, reply.usage.output, reply.usage.cached), (100, 42, 90));
    assert_eq!(reply.model, "claude-sonnet");
}

#[test]
fn an_answer_by_a_schema_comes_as_a_call_and_is_text() {
    let output = |schema| OutputSchema { name: "weather".into(), schema };
    let request = ModelRequest::default().with_output(output(json!({"type": "object"})));
    let body = encode(&spec(), "claude", &request);
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "weather"}));
    let call = |name: &str, arguments| ModelReply::calls([ToolCall::new("t", name, arguments)]);
    let reply = as_asked(call("weather", json!({"rain": true})), &request);
    assert_eq!((reply.text.as_str(), reply.finish, reply.calls.len()), (r#"{"rain":true}"#, Finish::Stop, 0));

    let listed = ModelRequest::default().with_output(output(json!({"type": "array", "$defs": {"a": {}}})));
    let schema = encode(&spec(), "claude", &listed)["tools"][0]["input_schema"].clone();
    let expected = json!({"type": "object", "properties": {"value": {"type": "array"}}, "required": ["value"], "$defs": {"a": {}}});
    assert_eq!(schema, expected);
    assert_eq!(as_asked(call("weather", json!({"value": [1]})), &listed).text, "[1]");

    let both = request.with_tools([look()]);
    assert_eq!(encode(&spec(), "claude", &both)["tool_choice"], json!({"type": "any"}));
    assert_eq!(as_asked(call("look", json!({})), &both).finish, Finish::ToolCalls);
}

#[test]
fn an_answer_that_ends_otherwise_says_how() {
    let end = |reason: &str, parts: &[&str]| {
        let delta = json!({"type": "message_delta", "delta": {"stop_reason": reason}}).to_string();
        let stop = r#"{"type":"message_stop"}"#;
        streamed(&ModelRequest::default(), &[parts, &[delta.as_str(), stop]].concat())
    };
    let said = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"So"}}"#;
    assert_eq!(end("max_tokens", &[said]).unwrap().finish, Finish::Length);
    assert_eq!(end("refusal", &[said]).unwrap().finish, Finish::Filtered);
    assert_eq!(end("refusal", &[]).unwrap_err().class(), ModelErrorClass::Refused);
    assert_eq!(streamed(&ModelRequest::default(), &[said]).unwrap_err().class(), ModelErrorClass::Network);
}

#[test]
fn a_whole_answer_is_read_too() {
    let answer = json!({"model": "claude", "content": [
        {"type": "text", "text": "Hi"}, {"type": "tool_use", "id": "t", "name": "look", "input": {"at": 1}}
    ], "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 4}});
    let mut draft = Draft::default();
    whole(&mut draft, &answer, &|_| {}).unwrap();
    let reply = draft.finish(&ModelRequest::default()).unwrap();
    assert_eq!((reply.text.as_str(), reply.usage.total()), ("Hi", 7));
    assert_eq!(reply.calls, [ToolCall::new("t", "look", json!({"at": 1}))]);
    assert!(whole(&mut Draft::default(), &json!({"choices": []}), &|_| {}).is_err());
}
