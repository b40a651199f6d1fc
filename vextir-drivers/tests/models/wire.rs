//! Each provider over its own wire: where it is asked, with which key, and what its answer becomes.

use crate::hello;
use crate::server::{Answer, Server, events, open, said, status};
use serde_json::json;
use vextir_core::{Ctx, Event};
use vextir_drivers::agent::{Finish, ModelRegistry, ModelReply, ModelSpec};
use vextir_drivers::secret::SecretRef;

async fn ask(spec: ModelSpec) -> ModelReply {
    let key = SecretRef::with(|| Ok("sk-test-wire".to_owned()));
    let models = ModelRegistry::new().with("m", spec.with_key(key));
    models.get("m").unwrap().complete(&Ctx::detached(&Event::new("ask")), hello()).await.unwrap()
}

#[tokio::test]
async fn openai() {
    let server = Server::always(said("Good day", 12, 3));
    let spec = ModelSpec::openai("gpt-4o").with_endpoint(format!("{}/v1/", server.base));
    let reply = ask(spec).await;
    assert_eq!((reply.text.as_str(), reply.finish, reply.usage.total()), ("Good day", Finish::Stop, 15));
    assert_eq!(reply.model, "tiny-1");
    let asked = &server.asked()[0];
    assert!(asked.head.starts_with("post /v1/chat/completions http/1.1"), "{}", asked.head);
    assert!(asked.head.contains("\nauthorization: bearer sk-test-wire"), "{}", asked.head);
    assert_eq!(asked.body["messages"], json!([{"role": "user", "content": "Hello"}]));
}

#[tokio::test]
async fn openai_that_answers_with_one_json_value_although_a_stream_was_asked_for() {
    let body =
        json!({"model": "x", "choices": [{"message": {"content": "Good day"}, "finish_reason": "stop"}]});
    let answer = status("200 OK", "content-type: application/json; charset=utf-8\r\n", &body.to_string());
    let server = Server::always(answer);
    let reply = ask(crate::model(&server)).await;
    assert_eq!(reply.text, "Good day");
    assert!(reply.usage.estimated);
    let whole = ask(crate::model(&server).with_stream(false)).await;
    assert_eq!(whole, reply);
    assert_eq!(server.asked()[1].body["stream"], false);
}

#[tokio::test]
async fn anthropic() {
    let body = [
        r#"{"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":12,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Good day"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    // The end has come with `message_stop`, whatever the connection does.
    let server = Server::start(move |_, _| Answer::Silent(events(&body)));
    let reply = ask(ModelSpec::anthropic("claude").with_endpoint(format!("{}/v1", server.base))).await;
    assert_eq!(
        (reply.text.as_str(), reply.model.as_str(), reply.usage.total()),
        ("Good day", "claude-x", 15)
    );
    let asked = &server.asked()[0];
    assert!(asked.head.starts_with("post /v1/messages http/1.1"), "{}", asked.head);
    assert!(asked.head.contains("\nx-api-key: sk-test-wire"), "{}", asked.head);
    assert!(asked.head.contains("\nanthropic-version: 2023-06-01"), "{}", asked.head);
    assert!(!asked.head.contains("authorization"), "{}", asked.head);
}

#[tokio::test]
async fn gemini() {
    let part = r#"{"candidates":[{"content":{"parts":[{"text":"Good day"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":3}}"#;
    let server = Server::always(events(&[part]));
    let spec = || ModelSpec::gemini("gemini-pro").with_endpoint(format!("{}/v1beta", server.base));
    let reply = ask(spec()).await;
    assert_eq!((reply.text.as_str(), reply.usage.total()), ("Good day", 15));
    let asked = &server.asked()[0];
    let path = "post /v1beta/models/gemini-pro:streamgeneratecontent?alt=sse http/1.1";
    assert!(asked.head.starts_with(path), "{}", asked.head);
    assert!(asked.head.contains("\nx-goog-api-key: sk-test-wire"), "{}", asked.head);

    let whole = Server::always(status("200 OK", "content-type: application/json\r\n", part));
    let spec = spec().with_endpoint(format!("{}/v1beta", whole.base)).with_stream(false);
    assert_eq!(ask(spec).await.text, "Good day");
    let head = &whole.asked()[0].head;
    assert!(head.starts_with("post /v1beta/models/gemini-pro:generatecontent http/1.1"), "{head}");
}

#[tokio::test]
async fn ollama() {
    let lines = "{\"model\":\"llama3\",\"message\":{\"content\":\"Good \"},\"done\":false}\n{\"message\":{\"content\":\"day\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":12,\"eval_count\":3}\n";
    for kind in ["application/x-ndjson", "application/json; charset=utf-8"] {
        let server = Server::always(open(kind) + lines);
        let reply = ask(ModelSpec::ollama("llama3").with_endpoint(&server.base)).await;
        assert_eq!((reply.text.as_str(), reply.usage.total()), ("Good day", 15));
        let asked = &server.asked()[0];
        assert!(asked.head.starts_with("post /api/chat http/1.1"), "{}", asked.head);
    }
}
