//! OpenAI's form, as its documentation and other services show it.

use super::*;
use crate::agent::provider::Form;
use crate::agent::{ModelReply, ToolSpec};
use std::sync::Mutex;

fn spec() -> ModelSpec {
    ModelSpec::openai("gpt-4o")
}

/// The reply of a stream of these parts, and the text as it came.
fn streamed(parts: &[&str]) -> Result<(ModelReply, Vec<String>), ModelError> {
    let heard = Mutex::new(Vec::new());
    let mut draft = Draft::default();
    for part in parts {
        let taken = take(&mut draft, &serde_json::from_str(part).unwrap(), &|text| {
            heard.lock().unwrap().push(text.to_owned());
        });
        taken?;
    }
    let reply = Form(Provider::OpenAi).finish(draft, &ModelRequest::new([Message::user("x")]))?;
    Ok((reply, heard.into_inner().unwrap()))
}

#[test]
fn a_request_is_written_as_the_service_wants_it() {
    let call = ToolCall::new("call_1", "look", json!({"at": "Oslo"}));
    let broken = ToolCall::new("call_2", "look", json!("{\"at\": "));
    let mut asked = Message::user("What is this?");
    if let Message::User { images, .. } = &mut asked {
        images.push(Image::new("image/png", "AAAA"));
        images.push(Image::new("image/png", "https://x.test/a.png"));
    }
    let messages = [
        Message::system("Be brief."),
        asked,
        Message::Assistant { text: String::new(), calls: vec![call.clone(), broken] },
        Message::tool(&call, "rain"),
        Message::assistant("Rain."),
    ];
    let look =
        ToolSpec { name: "look".into(), description: "Looks.".into(), schema: json!({"type": "object"}) };
    let request = ModelRequest::new(messages).with_tools([look]).with_max_tokens(10).with_temperature(0.5);
    let request = ModelRequest { seed: Some(7), stop: vec!["END".into()], ..request };
    let expected = json!({
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":\"Oslo\"}"}},
                {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": "{\"at\": "}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
            {"role": "assistant", "content": "Rain."},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}],
        "tool_choice": "auto",
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_completion_tokens": 10,
        "temperature": 0.5,
        "seed": 7,
        "stop": ["END"],
    });
    assert_eq!(encode(&spec(), "gpt-4o", &request), expected);
    let other = encode(&ModelSpec::compatible("http://x", "m").with_stream(false), "m", &request);
    assert_eq!((&other["max_tokens"], &other["stream"]), (&json!(10), &json!(false)));
    assert!(other.get("stream_options").is_none() && other.get("max_completion_tokens").is_none());
}

#[test]
fn a_schema_is_strict_where_it_is_closed() {
    let write = |schema: Value| {
        let request = ModelRequest::default().with_output(OutputSchema { name: "a".into(), schema });
        encode(&spec(), "m", &request)["response_format"]["json_schema"]["strict"].clone()
    };
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    assert_eq!(write(closed.clone()), true);
    assert_eq!(write(json!({"type": "array", "items": closed})), true);
    assert_eq!(write(json!({"type": "object", "properties": {"a": {"type": "string"}}})), false);
}

#[test]
fn a_streamed_answer_with_calls_side_by_side_is_put_together() {
    let (reply, heard) = streamed(&[
        r#"{"id":"c","model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"Let me "}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"look."}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"look","arguments":""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"hear","arguments":"{\"a\""}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"at\": \"Oslo\"}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":": 1"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":16}}}"#,
    ])
    .unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("Let me look.", Finish::ToolCalls));
    assert_eq!(heard, ["Let me ", "look."]);
    let expected = [
        ToolCall::new("call_a", "look", json!({"at": "Oslo"})),
        ToolCall::new("call_b", "hear", json!("{\"a\": 1")),
    ];
    assert_eq!(reply.calls, expected, "what is no JSON is handed on as it came");
    assert_eq!((reply.usage.input, reply.usage.output, reply.usage.cached), (20, 9, 16));
    assert_eq!(reply.model, "gpt-4o-2024-08-06");
}

#[test]
fn services_that_are_not_quite_alike_are_understood() {
    let (reply, _) = streamed(&[
        r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"look","arguments":"{}"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"id":"b","function":{"name":"look","arguments":{"at":1}}}]}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
    ])
    .unwrap();
    let expected = [ToolCall::new("a", "look", json!({})), ToolCall::new("b", "look", json!({"at": 1}))];
    assert_eq!((reply.calls.as_slice(), reply.finish), (&expected[..], Finish::ToolCalls));
    assert!(reply.usage.estimated && reply.usage.input > 0, "{:?}", reply.usage);
}

#[test]
fn an_answer_that_ends_otherwise_says_how() {
    let end = |finish: &str, text: &str| {
        streamed(&[&json!({"choices": [{"delta": {"content": text}, "finish_reason": finish}]}).to_string()])
    };
    assert_eq!(end("length", "so").unwrap().0.finish, Finish::Length);
    assert_eq!(end("content_filter", "so").unwrap().0.finish, Finish::Filtered);
    assert_eq!(end("content_filter", "").unwrap_err().class(), crate::agent::ModelErrorClass::Refused);
    let refusal = r#"{"choices":[{"delta":{"refusal":"I will not."},"finish_reason":"stop"}]}"#;
    assert_eq!(streamed(&[refusal]).unwrap().0.finish, Finish::Filtered);
    let cut = streamed(&[r#"{"choices":[{"delta":{"content":"so"}}]}"#]).unwrap_err();
    assert_eq!(cut.class(), crate::agent::ModelErrorClass::Network);
    assert!(cut.usage().unwrap().estimated, "what has come was used");
    let many: Vec<Value> = (0..200).map(|index| json!({"index": index, "function": {"name": "x"}})).collect();
    let flood = json!({"choices": [{"delta": {"tool_calls": many}}]}).to_string();
    assert_eq!(streamed(&[&flood]).unwrap_err().class(), crate::agent::ModelErrorClass::Malformed);
}

#[test]
fn a_whole_answer_is_read_too() {
    let answer = json!({"model": "m", "choices": [{"message": {"role": "assistant", "content": null, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}}
    ]}, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 5, "completion_tokens": 2}});
    let mut draft = Draft::default();
    whole(&mut draft, &answer, &|_| {}).unwrap();
    let reply = draft.finish(&ModelRequest::default()).unwrap();
    assert_eq!((reply.calls.len(), reply.usage.total()), (1, 7));
    assert!(whole(&mut Draft::default(), &json!({"hello": 1}), &|_| {}).is_err());
}
