//! A hub whose documents are embedded by a service.

use crate::choices;
use crate::server::{Answer, Server, right};
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
