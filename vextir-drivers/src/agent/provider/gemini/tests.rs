//! Gemini's form, as its documentation shows it.

use super::*;
use crate::agent::ModelReply;

fn streamed(parts: &[&str]) -> Result<ModelReply, ModelError> {
    let mut draft = Draft::default();
    for part in parts {
        take(&mut draft, &serde_json::from_str(part).unwrap(), &|_| {})?;
    }
    draft.finish(&ModelRequest::new([Message::user("x")]))
}

#[test]
fn a_request_is_written_as_the_service_wants_it() {
    let signed = ToolCall { signature: Some("sig".into()), ..ToolCall::new("a", "look", json!({"at": 1})) };
    let mut shown = Message::user("See?");
    if let Message::User { images, .. } = &mut shown {
        images.push(Image::new("image/png", "AAAA"));
        images.push(Image::new("image/png", "https://x.test/a.png"));
    }
    let messages = [
        Message::system("Be brief."),
        shown,
        Message::Assistant { text: String::new(), calls: vec![signed.clone()] },
        Message::tool(&signed, "rain"),
        Message::tool(&ToolCall::new("b", "hear", json!({})), r#"{"heard": true}"#),
    ];
    let look =
        ToolSpec { name: "look".into(), description: "Looks.".into(), schema: json!({"type": "object"}) };
    let request = ModelRequest::new(messages).with_tools([look]).with_max_tokens(10);
    let request = ModelRequest { tool_choice: ToolChoice::Tool("look".into()), ..request };
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "See?"},
                {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/a.png"}},
            ]},
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"at": 1}}, "thoughtSignature": "sig"}]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "look", "response": {"result": "rain"}}},
                {"functionResponse": {"name": "hear", "response": {"heard": true}}},
            ]},
        ],
        "tools": [{"functionDeclarations": [{"name": "look", "description": "Looks.", "parametersJsonSchema": {"type": "object"}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
        "generationConfig": {"maxOutputTokens": 10},
    });
    assert_eq!(encode(&ModelSpec::gemini("g"), &request), expected);
    let output = OutputSchema { name: "a".into(), schema: json!({"type": "array"}) };
    let body = encode(&ModelSpec::gemini("g"), &ModelRequest::default().with_output(output));
    let expected = json!({"responseMimeType": "application/json", "responseJsonSchema": {"type": "array"}});
    assert_eq!(body["generationConfig"], expected);
}

#[test]
fn a_streamed_answer_with_calls_is_put_together() {
    let reply = streamed(&[
        r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"Let "}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7},"modelVersion":"gemini-2.5-pro"}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"me."},{"functionCall":{"name":"look","args":{"at":1}},"thoughtSignature":"sig"},{"functionCall":{"name":"look","args":{"at":2}}}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":5,"thoughtsTokenCount":20,"cachedContentTokenCount":4}}"#,
    ])
    .unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("Let me.", Finish::ToolCalls));
    assert_eq!((reply.usage.input, reply.usage.output, reply.usage.cached), (7, 25, 4));
    let ids: Vec<&str> = reply.calls.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids, ["call_1_0", "call_1_1"], "a call without an id gets one of its own");
    assert_eq!(reply.calls[0].signature.as_deref(), Some("sig"));
    assert_eq!(reply.calls[1].arguments, json!({"at": 2}));
    assert_eq!(reply.model, "gemini-2.5-pro");
}

#[test]
fn an_answer_that_ends_otherwise_says_how() {
    let end = |reason: &str, text: &str| {
        let part = json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": reason}]});
        streamed(&[&part.to_string()])
    };
    assert_eq!(end("MAX_TOKENS", "so").unwrap().finish, Finish::Length);
    assert_eq!(end("SAFETY", "so").unwrap().finish, Finish::Filtered);
    assert_eq!(end("SAFETY", "").unwrap_err().class(), ModelErrorClass::Refused);
    assert_eq!(end("MALFORMED_FUNCTION_CALL", "").unwrap_err().class(), ModelErrorClass::Malformed);
    let blocked = streamed(&[r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#]).unwrap_err();
    assert_eq!(blocked.class(), ModelErrorClass::Refused);
    let cut = streamed(&[r#"{"candidates":[{"content":{"parts":[{"text":"so"}]}}]}"#]).unwrap_err();
    assert_eq!(cut.class(), ModelErrorClass::Network);
}

#[test]
fn a_whole_answer_is_one_part_or_a_list() {
    let part = json!({"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]});
    for answer in [part.clone(), json!([part])] {
        let mut draft = Draft::default();
        whole(&mut draft, &answer, &|_| {}).unwrap();
        assert_eq!(draft.finish(&ModelRequest::default()).unwrap().text, "Hi");
    }
    assert!(whole(&mut Draft::default(), &json!({}), &|_| {}).is_err());
}
