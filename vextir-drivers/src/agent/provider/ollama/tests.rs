//! Ollama's form, as its documentation shows it.

use super::*;
use crate::agent::{Image, OutputSchema};

#[test]
fn a_request_is_written_as_the_service_wants_it() {
    let call = ToolCall::new("a", "look", json!({"at": 1}));
    let mut shown = Message::user("See?");
    if let Message::User { images, .. } = &mut shown {
        images.push(Image::new("image/png", "AAAA"));
    }
    let messages = [
        Message::system("Be brief."),
        shown,
        Message::Assistant { text: String::new(), calls: vec![call.clone()] },
        Message::tool(&call, "rain"),
    ];
    let tool = |name: &str| ToolSpec { name: name.into(), description: "D".into(), schema: json!({}) };
    let request = ModelRequest::new(messages).with_tools([tool("look"), tool("hear")]).with_max_tokens(10);
    let request = ModelRequest { tool_choice: ToolChoice::Tool("look".into()), seed: Some(1), ..request };
    let request = request.with_output(OutputSchema { name: "a".into(), schema: json!({"type": "object"}) });
    let expected = json!({
        "model": "llama3",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "See?", "images": ["AAAA"]},
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "look", "arguments": {"at": 1}}}]},
            {"role": "tool", "content": "rain", "tool_name": "look"},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "D", "parameters": {}}}],
        "format": {"type": "object"},
        "options": {"num_predict": 10, "num_ctx": 8192, "seed": 1},
        "stream": true,
    });
    let spec = ModelSpec::ollama("llama3").with_context_window(8_192);
    assert_eq!(encode(&spec, "llama3", &request).unwrap(), expected);
    let mut far = Message::user("See?");
    if let Message::User { images, .. } = &mut far {
        images.push(Image::new("image/png", "https://x.test/a.png"));
    }
    let error = encode(&spec, "llama3", &ModelRequest::new([far])).unwrap_err();
    assert_eq!(error.class(), ModelErrorClass::BadRequest);
}

#[test]
fn a_streamed_answer_is_put_together() {
    let mut draft = Draft::default();
    for part in [
        r#"{"model":"llama3","created_at":"x","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
        r#"{"model":"llama3","message":{"role":"assistant","content":"Let me."},"done":false}"#,
        r#"{"model":"llama3","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"look","arguments":{"at":1}}},{"function":{"name":"hear","arguments":{}}}]},"done":false}"#,
        r#"{"model":"llama3","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":26,"eval_count":8}"#,
    ] {
        take(&mut draft, &serde_json::from_str(part).unwrap(), &|_| {}).unwrap();
    }
    assert!(draft.is_over);
    let reply = draft.finish(&ModelRequest::default()).unwrap();
    assert_eq!((reply.text.as_str(), reply.finish, reply.usage.total()), ("Let me.", Finish::ToolCalls, 34));
    let names: Vec<(&str, &str)> =
        reply.calls.iter().map(|call| (call.id.as_str(), call.name.as_str())).collect();
    assert_eq!(names, [("call_0_0", "look"), ("call_0_1", "hear")]);
    assert!(take(&mut Draft::default(), &json!({"choices": []}), &|_| {}).is_err());
}
