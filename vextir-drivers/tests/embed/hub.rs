//! A hub whose documents are embedded by a service.

use crate::choices;
use crate::server::{Answer, Server, right, status};
use std::time::Duration;
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
