//! How the index follows what is committed.

use crate::{exact, hits, stored};
use rusqlite::Connection;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use vextir_context::{Hub, HubBuilder, SearchOptions};
use vextir_core::context::{Context, Embedder};
use vextir_core::{ErrorKind, Result, async_trait};

fn tables(file: &Path) -> Connection {
    Connection::open(file).unwrap()
}

#[tokio::test]
async fn what_was_written_without_an_index_is_found_later() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::builder(&file).search(SearchOptions::off()).open().unwrap();
    let ann = hub.context("ann");
    for number in 0..300 {
        ann.write(&format!("/notes/{number}"), format!("note number{number}")).await.unwrap();
    }
    ann.remove("/notes/7").await.unwrap();
    let refused = ann.search("note").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert_eq!(hub.reindex().await.unwrap_err().kind(), ErrorKind::Unsupported);
    hub.close().await.unwrap();

    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    assert_eq!(exact(&ann, "number299").await, ["/notes/299"]);
    assert!(exact(&ann, "number7 ").await.is_empty());
    assert_eq!(ann.search("note ").text_only().limit(1_000).fresh().await.unwrap().len(), 299);
    hub.close().await.unwrap();

    // As if the history had been trimmed while no index was kept.
    let hub = Hub::builder(&file).search(SearchOptions::off()).open().unwrap();
    hub.context("ann").write("/late", "latecomer").await.unwrap();
    hub.close().await.unwrap();
    tables(&file).execute("INSERT INTO meta SELECT 'changes_trimmed', max(seq) FROM change", []).unwrap();
    let hub = Hub::open(&file).unwrap();
    assert_eq!(exact(&hub.context("ann"), "latecomer").await, ["/late"]);
}

#[tokio::test]
async fn an_index_is_made_anew_on_request_and_when_rows_are_missing() {
    let (folder, hub) = stored();
    let ann = hub.context("ann");
    for number in 0..100 {
        ann.write(&format!("/notes/{number}"), format!("note number{number}")).await.unwrap();
    }
    assert_eq!(exact(&ann, "number42").await, ["/notes/42"]);
    let tables = tables(&folder.path().join("hub.db"));
    tables.execute_batch("INSERT INTO search_words (search_words) VALUES ('delete-all')").unwrap();
    assert!(exact(&ann, "number42").await.is_empty());
    hub.reindex().await.unwrap();
    assert_eq!(exact(&ann, "number42").await, ["/notes/42"]);
    assert!(!ann.search("note number42").meaning_only().fresh().await.unwrap().is_empty());
    let state = hub.search_state().await.unwrap();
    assert_eq!((state.behind, state.waiting, state.rebuilding), (0, 0, false));
    assert!(state.failure.is_none() && state.memory >= 100 * 60, "{state:?}");
}

#[tokio::test]
async fn every_kind_of_change_is_followed() {
    let (folder, hub) = stored();
    let ann = hub.context("ann");
    ann.write("/a", "alpha").await.unwrap();
    assert_eq!(exact(&ann, "alpha").await, ["/a"]);
    ann.append("/a", " beta").await.unwrap();
    assert_eq!(exact(&ann, "alpha beta").await, ["/a"]);
    ann.write("/a", "gamma").await.unwrap();
    assert!(exact(&ann, "alpha").await.is_empty());
    ann.describe("/a", json!({"title": "delta"})).await.unwrap();
    assert_eq!(hits(&ann, "delta").await[0].title, "delta");
    ann.move_to("/a", "/epsilon").await.unwrap();
    assert_eq!(exact(&ann, "psilo").await, ["/epsilon"]);
    ann.write("/folder zeta/x", "eta").await.unwrap();
    assert_eq!(exact(&ann, "zeta").await, ["/folder zeta/x"]);
    ann.move_to("/folder zeta", "/folder theta").await.unwrap();
    assert_eq!(exact(&ann, "theta").await, ["/folder theta/x"]);
    assert!(exact(&ann, "zeta").await.is_empty());
    ann.remove("/epsilon").await.unwrap();
    assert!(exact(&ann, "gamma").await.is_empty());
    ann.write("/epsilon", "gamma again").await.unwrap();
    assert_eq!(exact(&ann, "gamma").await, ["/epsilon"]);
    // Vectors come behind the words.
    ann.search("gamma").meaning_only().fresh().await.unwrap();
    hub.close().await.unwrap();
    let rows = |sql: &str| {
        tables(&folder.path().join("hub.db")).query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(rows("SELECT count(*) FROM search_node"), 2, "what is removed leaves nothing behind");
    assert_eq!(rows("SELECT count(*) FROM search_piece"), 2);
    assert_eq!(rows("SELECT count(*) FROM search_vector"), 2);
    assert_eq!(rows("SELECT count(*) FROM search_queue"), 0);
    assert_eq!(rows("SELECT count(*) FROM search_words_docsize"), 2);
    assert_eq!(rows("SELECT quick_check = 'ok' FROM pragma_quick_check"), 1);
}

#[tokio::test]
async fn an_answer_says_how_far_the_index_is_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    ann.write("/a", "alpha").await.unwrap();
    hits(&ann, "alpha").await;
    hub.close().await.unwrap();
    // Nothing can be stored in the index any more.
    tables(&file).execute_batch("ALTER TABLE search_node RENAME TO away").unwrap();
    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    ann.write("/b", "beta").await.unwrap();
    assert_eq!(ann.read("/b").await.unwrap().unwrap().content, "beta".into(), "a write needs no index");
    let late = ann.search("beta").fresh_within(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Timeout);
    assert!(hub.search_state().await.unwrap().failure.is_some());
    assert_eq!(hub.search_state().await.unwrap().behind, 1);
    hub.context("bob").write("/own", "x").await.unwrap();
    tables(&file).execute_batch("ALTER TABLE away RENAME TO search_node").unwrap();
    assert_eq!(exact(&ann, "beta").await, ["/b"], "it goes on by itself");
    assert!(hub.search_state().await.unwrap().failure.is_none());
}

#[tokio::test]
async fn a_full_file_keeps_its_documents_and_gets_its_index_later() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let open = |bytes: u64| Hub::builder(&file).max_bytes(bytes).open().unwrap();
    let hub = open(600 << 10);
    let ann = hub.context("ann");
    let mut written = 0;
    while ann
        .write(&format!("/n/{written}"), format!("number{written} {}", "text ".repeat(500)))
        .await
        .is_ok()
    {
        written += 1;
    }
    assert!(written > 0, "the file was full from the beginning");
    hub.close().await.unwrap();
    let hub = open(64 << 20);
    let ann: Context = hub.context("ann");
    for number in 0..written {
        assert_eq!(exact(&ann, &format!("number{number} ")).await, [format!("/n/{number}")]);
    }
}

/// Never has an answer.
#[derive(Debug)]
struct Hanging;

#[async_trait]
impl Embedder for Hanging {
    fn name(&self) -> &str {
        "hanging"
    }

    fn dimensions(&self) -> usize {
        8
    }

    async fn embed(&self, _texts: &[String]) -> Result<Vec<Vec<f32>>> {
        std::future::pending().await
    }
}

/// Thinks for a while about what is slow; all mean the same to it.
#[derive(Debug)]
struct Slow;

#[async_trait]
impl Embedder for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn dimensions(&self) -> usize {
        8
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        if texts.iter().any(|text| text.contains("slow")) {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(vec![vec![1.0; 8]; texts.len()])
    }
}

#[tokio::test]
async fn who_waits_for_an_index_that_is_made_anew_gets_all_meanings() {
    let folder = tempfile::tempdir().unwrap();
    let options = SearchOptions::default().embedder(Slow);
    let hub = Hub::builder(folder.path().join("hub.db")).search(options).open().unwrap();
    let ann = hub.context("ann");
    ann.write("/long", format!("slow {}", "word ".repeat(50_000))).await.unwrap();
    for _ in 0..10 {
        assert_eq!(ann.search("x").meaning_only().fresh().await.unwrap().len(), 1);
        hub.reindex().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_the_index_gets_all_meanings_while_others_write() {
    let folder = tempfile::tempdir().unwrap();
    let options = SearchOptions::default().embedder(Slow);
    let hub = Hub::builder(folder.path().join("hub.db")).search(options).open().unwrap();
    let (ann, eve) = (hub.context("ann"), hub.context("eve"));
    ann.write("/first", "x").await.unwrap();
    ann.search("x").meaning_only().fresh().await.unwrap();
    let others = tokio::spawn(async move {
        for number in 0.. {
            eve.write("/note", number.to_string()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for number in 0..10 {
        let path = format!("/{number}");
        ann.write(&path, "slow").await.unwrap();
        let hits = ann.search("x").meaning_only().limit(100).fresh().await.unwrap();
        assert!(hits.iter().any(|hit| hit.path == path), "{path} in {hits:?}");
    }
    others.abort();
}

#[tokio::test]
async fn a_hub_closes_at_once_while_it_indexes() {
    let folder = tempfile::tempdir().unwrap();
    let search = SearchOptions::default().embedder(Hanging);
    let hub = Hub::builder(folder.path().join("hub.db")).search(search).open().unwrap();
    let ann = hub.context("ann");
    for number in 0..50 {
        ann.write(&format!("/n/{number}"), "word ".repeat(4_000)).await.unwrap();
    }
    // The first ones are with the embedder: waiting until all is indexed would be for ever.
    while hub.search_state().await.unwrap().waiting == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::timeout(Duration::from_secs(20), hub.close()).await.unwrap().unwrap();
    let hub = HubBuilder::in_memory().open().unwrap();
    hub.context("ann").write("/a", "x").await.unwrap();
    drop(hub);
}
