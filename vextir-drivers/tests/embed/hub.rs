//! A hub whose documents are embedded by a service.

use crate::choices;
use crate::server::{Answer, Server, right, status};
use std::time::{Duration, Instant};
use vextir_context::{Hub, SearchOptions};

#[test]
fn a_hub_that_was_opened_without_a_runtime_has_its_documents_embedded() {
    let server = Server::start(|_, asked| Answer::Raw(right(asked)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let embedder = runtime.block_on(async { choices(&server).floor(0.5).build().unwrap() });
    let folder = tempfile::tempdir().unwrap();
    let options = SearchOptions::default().embedder(embedder);
    let hub = Hub::builder(folder.path().join("hub.db")).search(options).open().unwrap();
    runtime.block_on(async {
        let ann = hub.context("ann");
        ann.write("/walk", "with the dog").await.unwrap();
        ann.write("/sleep", "with the cat").await.unwrap();
        let near = ann.search("puppy").meaning_only().fresh_within(Duration::from_secs(10)).await.unwrap();
        let paths: Vec<&str> = near.iter().map(|hit| hit.path.as_str()).collect();
        assert_eq!(paths, ["/walk"]);
        hub.close().await.unwrap();
    });
}

#[tokio::test]
async fn a_text_that_the_service_refuses_stops_no_other_document() {
    let server = Server::start(|_, asked| {
        let is_too_long = asked.input().iter().any(|text| text.contains("endless"));
        Answer::Raw(if is_too_long { status("400 Bad Request", "", "{}") } else { right(asked) })
    });
    let folder = tempfile::tempdir().unwrap();
    let options = SearchOptions::default().embedder(choices(&server).floor(0.5).connect().await.unwrap());
    let hub = Hub::builder(folder.path().join("hub.db")).search(options).open().unwrap();
    let ann = hub.context("ann");
    for (path, text) in [("/tale", "an endless dog"), ("/walk", "with the dog"), ("/sleep", "with the cat")] {
        ann.write(path, text).await.unwrap();
    }
    let near = ann.search("puppy").meaning_only().fresh_within(Duration::from_secs(10)).await.unwrap();
    let paths: Vec<&str> = near.iter().map(|hit| hit.path.as_str()).collect();
    assert_eq!(paths, ["/walk"]);
    assert_eq!(ann.search("endless").text_only().fresh().await.unwrap()[0].path, "/tale");
    let state = hub.search_state().await.unwrap();
    let refusal = state.refusal.unwrap().to_string();
    assert!(
        state.refused == 1 && refusal.contains("/tale of ann") && refusal.contains("status 400"),
        "{refusal}"
    );
}

#[tokio::test]
async fn texts_that_take_too_long_together_are_embedded_one_by_one() {
    let server = Server::start(|_, asked| match asked.input().len() {
        1 => Answer::Raw(right(asked)),
        _ => Answer::Silent,
    });
    let embedder = choices(&server).floor(0.5).timeout(Duration::from_millis(400)).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = SearchOptions::default().embedder(embedder);
    let hub = Hub::builder(folder.path().join("hub.db")).search(options).open().unwrap();
    let ann = hub.context("ann");
    ann.write("/walk", "with the dog ".repeat(400)).await.unwrap();
    let near = ann.search("puppy").meaning_only().fresh_within(Duration::from_secs(10)).await.unwrap();
    assert_eq!(near[0].path, "/walk");
    let asked = server.asked();
    let together = asked.iter().filter(|asked| asked.input().len() > 1).count();
    assert!(together <= 1, "they are sent together {together} times in {} requests", asked.len());
}

#[tokio::test]
async fn a_text_at_which_the_service_fails_stops_no_other_document_and_no_search() {
    let server = Server::start(|_, asked| {
        let is_too_large = asked.input().iter().any(|text| text.contains("endless"));
        Answer::Raw(if is_too_large { status("500 Internal Server Error", "", "{}") } else { right(asked) })
    });
    let embedder = choices(&server).floor(0.5).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = SearchOptions::default().embedder(embedder);
    let hub = Hub::builder(folder.path().join("hub.db")).search(options).open().unwrap();
    let ann = hub.context("ann");
    ann.write("/tale", "an endless dog").await.unwrap();
    let begun = Instant::now();
    while hub.search_state().await.unwrap().failure.is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ann.write("/walk", "with the dog").await.unwrap();
    while hub.search_state().await.unwrap().waiting > 1
        || ann.search("puppy").meaning_only().await.unwrap().is_empty()
    {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", hub.search_state().await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ann.search("puppy").meaning_only().await.unwrap()[0].path, "/walk");
}
