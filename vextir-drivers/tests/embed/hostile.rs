//! Answers that are wrong, each in its own way.

use crate::server::{Answer, Server, ok, right, status};
use crate::{KEY, choices, texts};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use vextir_core::ErrorKind;
use vextir_core::context::Embedder;

const TEXT: &str = "my private letter";

/// What a service that repeats everything says.
fn echo() -> Value {
    json!({"error": {"message": format!("{TEXT} {KEY}"), "code": KEY, "type": TEXT}})
}

/// What comes of an answer: the kind of the error, the error, and how often the service was asked.
async fn fails(server: &Server) -> (ErrorKind, String, usize) {
    let embedder = choices(server).build().unwrap();
    let error = embedder.embed(&texts(&["one", TEXT])).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("private") && !shown.contains("secret"), "{shown}");
    let address = format!("POST {}/embeddings: ", server.base);
    assert!(error.to_string().starts_with(&address), "{error}");
    (error.kind(), error.to_string(), server.asked().len())
}

#[tokio::test]
async fn each_wrong_answer_is_an_error_that_says_what_to_do() {
    use ErrorKind::{Denied, Invalid, NotFound, Unavailable, Unsupported};
    let json = "content-type: application/json\r\n";
    let vector = vec![0.5; 8];
    let data = |data: Value| ok(&json!({"data": data}));
    let whole = json!({"index": 0, "embedding": vector});
    let cases = [
        ("the wrong count", data(json!([whole])), Unsupported, "1 vectors for 2 texts", 1),
        ("no data", ok(&echo()), Unsupported, "data[].embedding", 1),
        (
            "other dimensions",
            data(json!([whole, {"index": 1, "embedding": vec![0.5; 9]}])),
            Unsupported,
            ".dimensions(..)",
            1,
        ),
        ("one index twice", data(json!([whole, whole])), Unsupported, "indices", 1),
        ("null", data(json!([whole, {"index": 1, "embedding": vec![Value::Null; 8]}])), Invalid, "finite", 1),
        ("NaN", status("200 OK", json, "{\"data\": [{\"embedding\": [NaN]}]}"), Invalid, "no JSON", 1),
        ("a page", status("200 OK", "content-type: text/html\r\n", "<html>"), Unsupported, "JSON", 1),
        ("nothing", status("200 OK", json, ""), Unsupported, "JSON", 1),
        ("no content", status("204 No Content", "", ""), Unsupported, "JSON", 1),
        ("a bad request", status("400 Bad Request", json, &echo().to_string()), Invalid, "too long", 1),
        ("no right", status("401 Unauthorized", json, &echo().to_string()), Denied, ".key(..)", 1),
        (
            "no model",
            status("404 Not Found", json, r#"{"error": {"code": "model_not_found"}}"#),
            NotFound,
            "(model_not_found)",
            1,
        ),
        ("a failure", status("500 Oops", json, &echo().to_string()), Unavailable, "attempts: 3", 3),
        ("not HTTP", "what?\r\n\r\n".to_owned(), Unavailable, "broke off", 3),
        ("silence", String::new(), Unavailable, "broke off", 3),
        (
            "half an answer",
            format!("HTTP/1.1 200 OK\r\n{json}content-length: 5000\r\n\r\n{{\"data\": ["),
            Unavailable,
            "broke off",
            3,
        ),
        (
            "half an answer, without its length",
            format!("HTTP/1.1 200 OK\r\n{json}\r\n{{\"data\": ["),
            Unavailable,
            "broke off",
            3,
        ),
    ];
    for (what, answer, kind, remedy, requests) in cases {
        let server = Server::always(answer);
        let (found, error, asked) = fails(&server).await;
        assert_eq!((found, asked), (kind, requests), "{what}: {error}");
        assert!(error.contains(remedy), "{what}: {error}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let server = Server::start(|_, _| Answer::Endless);
    let start = Instant::now();
    let (kind, error, asked) = fails(&server).await;
    assert_eq!((kind, asked), (ErrorKind::Unsupported, 1), "{error}");
    assert!(error.contains("more than 66560 bytes"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
    while *server.gone.lock().unwrap() == 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "the connection stays open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_failure_without_end_is_a_failure() {
    let server = Server::start(|_, _| {
        let body = " ".repeat(1 << 20);
        Answer::Raw(status("401 Unauthorized", "", &body))
    });
    let (kind, error, asked) = fails(&server).await;
    assert_eq!((kind, asked), (ErrorKind::Denied, 1), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Server::start(|_, asked| Answer::Raw(right(asked)));
    for line in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let server = Server::always(status(line, &format!("location: {}/embeddings\r\n", other.base), ""));
        let (kind, error, asked) = fails(&server).await;
        assert_eq!((kind, asked), (ErrorKind::Unsupported, 1), "{error}");
        assert!(error.contains("redirect"), "{error}");
    }
    assert!(other.asked().is_empty(), "neither texts nor the key went elsewhere");
}
