//! Search services.

use crate::app;
use crate::server::{Server, status};
use serde_json::json;
use vextir_core::{Event, MemoryBus, Processor};
use vextir_drivers::http::{HttpTools, WebResults, WebSearch};
use vextir_drivers::secret::SecretRef;

fn search(query: &str) -> WebSearch {
    WebSearch { query: query.into(), count: Some(2) }
}

fn answers(body: &serde_json::Value) -> Server {
    Server::always(status("200 OK", "content-type: application/json\r\n", body.to_string().as_bytes()))
}

#[tokio::test]
async fn results_come_untrusted_and_bounded() {
    let one =
        json!({"title": "T".repeat(1_000), "url": "https://a.example/", "content": "text", "score": 1.5});
    let server = answers(&json!({"query": "x", "results": [one, {"url": "https://b.example/"}, {}, {}]}));
    let key = SecretRef::with(|| Ok("k3y".to_owned()));
    let app = app(HttpTools::new().search(format!("{}/", server.base)).search_key("x-api-key", key)).await;
    let mut found = app.subscribe("web.results").await.unwrap();
    app.emit(Event::of(&search("rust & \u{fc}ber")).unwrap()).await.unwrap();
    let event = found.next().await.unwrap().unwrap();
    assert!(event.labels.iter().any(|label| *label == "untrusted"));
    let results: WebResults = event.decode().unwrap();
    assert_eq!(results.results.len(), 2);
    assert_eq!((results.results[0].title.len(), results.results[0].snippet.as_str()), (300, "text"));
    assert_eq!(results.results[1].url, "https://b.example/");
    let asked = &server.asked()[0];
    assert!(asked.starts_with("GET /search?q=rust+%26+%C3%BCber&format=json HTTP/1.1"), "{asked}");
    assert!(asked.contains("x-api-key: k3y"), "{asked}");
}

#[tokio::test]
async fn a_service_that_answers_nonsense_fails_without_its_key() {
    let key = || SecretRef::with(|| Ok("k3y-of-mine".to_owned()));
    for server in [
        Server::always(status("200 OK", "", b"<html>")),
        Server::always(status("403 Forbidden", "", b"k3y-of-mine is not valid")),
        Server::always(status("200 OK", "", &vec![b' '; 3 << 20])),
    ] {
        let app = app(HttpTools::new().search(&server.base).search_key("authorization", key())).await;
        let error = app.as_user("ann").request::<WebResults>(search("x")).await.unwrap_err().to_string();
        assert!(error.contains("the search service answers"), "{error}");
        assert!(!error.contains("k3y"), "{error}");
    }
}

#[tokio::test]
async fn without_a_service_nobody_answers_and_a_bad_one_stops_the_start() {
    let bad = Processor::builder(MemoryBus::new()).driver(HttpTools::new().search("ftp://x"));
    assert!(bad.start().await.is_err());
    let manifests = app(HttpTools::new()).await;
    assert!(manifests.as_user("ann").request::<WebResults>(search("x")).await.is_err());
}
