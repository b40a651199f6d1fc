//! Services that hang, refuse, break off, write nonsense and never end.

use crate::server::{Answer, Server, events, open, said, status};
use crate::{hello, model};
use serde_json::{Value, json};
use std::time::Duration;
use vextir_core::{BoxError, Ctx, Event, Failure, FailureClass};
use vextir_drivers::agent::{ModelRegistry, ModelReply, ModelSpec};

/// What a handler gets that asks this model.
async fn ask(spec: ModelSpec) -> Result<ModelReply, Failure> {
    let models = ModelRegistry::new().with("m", spec);
    let cx = Ctx::detached(&Event::new("ask"));
    models
        .get("m")
        .unwrap()
        .complete(&cx, hello())
        .await
        .map_err(|error: BoxError| Failure::from_error(error))
}

/// How asking a server that always answers so fails.
async fn failure(answer: impl Into<String>) -> Failure {
    ask(model(&Server::always(answer))).await.unwrap_err()
}

fn expect(failure: &Failure, class: FailureClass, part: &str) {
    assert!(failure.class() == class && failure.to_string().contains(part), "{failure:?}");
}

const LATER: FailureClass = FailureClass::Transient;
const NEVER: FailureClass = FailureClass::Permanent;

#[tokio::test]
async fn a_service_that_limits_its_rate_is_left_alone_as_long_as_it_says() {
    let limited = |headers: &str| failure(status("429 Too Many Requests", headers, "{}"));
    let error = limited("retry-after: 7\r\n").await;
    expect(&error, LATER, "status 429");
    assert_eq!(error.pause(), Some(Duration::from_secs(7)));
    assert_eq!(limited("retry-after-ms: 250\r\n").await.pause(), Some(Duration::from_millis(250)));
    let date = limited("retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n").await;
    assert_eq!(date.pause(), Some(Duration::ZERO));
    assert_eq!(limited("").await.pause(), None);
}

#[tokio::test]
async fn a_service_that_fails_is_asked_again_and_one_that_refuses_is_not() {
    for line in ["500 Oh", "502 Oh", "503 Oh", "529 Overloaded", "408 Late"] {
        expect(&failure(status(line, "", "<html>")).await, LATER, &line[..3]);
    }
    for line in ["400 Bad", "401 No", "402 Pay", "403 No", "404 Where", "422 What"] {
        expect(&failure(status(line, "", "")).await, NEVER, &line[..3]);
    }
}

#[tokio::test]
async fn a_service_that_hangs_is_given_up() {
    let start = open("text/event-stream");
    let part = format!("{start}data: {}\n\n", json!({"choices": [{"delta": {"content": "so"}}]}));
    for start in [String::new(), start, part] {
        let server = Server::start(move |_, _| Answer::Silent(start.clone()));
        let error = ask(model(&server).with_timeout(Duration::from_millis(300))).await.unwrap_err();
        assert_eq!(error.class(), LATER, "{error}");
        server.until_gone(1).await;
    }
}

#[tokio::test]
async fn a_service_that_drips_without_an_end_is_given_up() {
    let drip = || Answer::Endless(open("text/event-stream"), ": x\n".into(), Duration::from_millis(10));
    let server = Server::start(move |_, _| drip());
    let error = ask(model(&server).with_timeout(Duration::from_millis(400))).await.unwrap_err();
    expect(&error, LATER, "no whole answer within 400ms");
    server.until_gone(1).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let whole = said("Hello, you", 1, 1);
    let begun = whole.find("finish_reason").unwrap() - 40;
    for at in [begun, begun - 20, whole.find("data:").unwrap()] {
        expect(&failure(&whole[..at]).await, LATER, "the answer broke off");
    }
    let short =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"choices\": [";
    expect(&failure(short).await, LATER, "the answer broke off");
    expect(&failure("").await, LATER, "the connection broke off");
    let away = ModelSpec::compatible("http://127.0.0.1:1/v1", "m");
    expect(&ask(away).await.unwrap_err(), LATER, "no connection");
}

#[tokio::test]
async fn an_answer_that_is_nonsense_is_none() {
    let json = "content-type: application/json\r\n";
    for answer in [
        events(&["{\"choices\": [}"]),
        status("200 OK", json, "{\"choices\": [}"),
        status("200 OK", "content-type: text/event-stream\r\n", "data: \u{fffd}\n\n"),
    ] {
        expect(&failure(answer).await, LATER, "no JSON");
    }
    expect(&failure(status("200 OK", json, "{}")).await, LATER, "choices[].message");
    let page = status("200 OK", "content-type: text/html\r\n", "<html>secret</html>");
    let error = failure(page).await;
    expect(&error, LATER, "\"text/html\"");
    assert!(!error.to_string().contains("secret"), "{error}");
    let deep = "[".repeat(100_000);
    expect(&failure(events(&[deep])).await, LATER, "");
}

#[tokio::test]
async fn a_failure_in_the_middle_of_an_answer_is_one() {
    let begun = json!({"choices": [{"delta": {"content": "so"}}]}).to_string();
    let busy = json!({"error": {"code": 503, "message": "Busy"}}).to_string();
    expect(&failure(events(&[begun, busy])).await, LATER, "status 503: Busy");
}

#[tokio::test]
async fn arguments_that_are_no_json_are_handed_on_as_they_came() {
    let call = json!({"index": 0, "id": "a", "function": {"name": "look", "arguments": "{\"at\": \"Os"}});
    let part = json!({"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "length"}]});
    let reply = ask(model(&Server::always(events(&[part.to_string()])))).await.unwrap();
    assert_eq!(reply.calls[0].arguments, Value::String("{\"at\": \"Os".into()));
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_kept() {
    let piece = "x".repeat(1 << 20);
    let event = format!("data: {}\n\n", json!({"choices": [{"delta": {"content": piece}}]}));
    for (start, more) in [
        (open("application/json") + "{\"choices\": \"", piece.clone()),
        (open("text/event-stream"), event),
        (open("text/event-stream"), "\n".repeat(1 << 20)),
        (open("text/event-stream") + "data: ", piece.clone()),
    ] {
        let server = Server::start(move |_, _| Answer::Endless(start.clone(), more.clone(), Duration::ZERO));
        expect(&ask(model(&server)).await.unwrap_err(), LATER, "an answer of more than 8388608 bytes");
        server.until_gone(1).await;
    }
    let head = "HTTP/1.1 400 Bad\r\nconnection: close\r\n\r\n{\"error\": \"";
    let server = Server::start(move |_, _| Answer::Endless(head.into(), piece.clone(), Duration::ZERO));
    expect(&ask(model(&server)).await.unwrap_err(), NEVER, "status 400");
    server.until_gone(1).await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Server::always(said("Hello", 1, 1));
    let server = Server::always(status("307 There", &format!("location: {}/v1\r\n", target.base), ""));
    expect(&ask(model(&server)).await.unwrap_err(), NEVER, "redirects are not followed");
    assert_eq!((server.asked().len(), target.asked().len()), (1, 0));
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_is_told_at_the_call() {
    let error = ask(ModelSpec::compatible("not a url", "m")).await.unwrap_err();
    expect(&error, NEVER, "the endpoint is no URL");
}
