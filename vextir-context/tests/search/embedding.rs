//! Vectors: whose they are, when they are made anew, and what happens when they cannot be made.

use crate::{exact, stored};
use rusqlite::Connection;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use vextir_context::{Hub, SearchOptions};
use vextir_core::context::{Embedder, Why};
use vextir_core::{Error, ErrorKind, Result, async_trait};

/// Knows three animals, and what is like them.
#[derive(Debug)]
struct Zoo {
    name: &'static str,
    calls: Arc<AtomicUsize>,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Works,
    Fails,
    Panics,
    Hangs,
    Lies,
}

fn zoo(name: &'static str, what: What) -> (Zoo, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    (Zoo { name, calls: calls.clone(), what }, calls)
}

#[async_trait]
impl Embedder for Zoo {
    fn name(&self) -> &str {
        self.name
    }

    fn dimensions(&self) -> usize {
        8
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        self.calls.fetch_add(texts.len(), Ordering::SeqCst);
        match self.what {
            What::Fails => return Err(Error::new(ErrorKind::Unavailable, "no zoo today")),
            What::Panics => panic!("as the test wants"),
            What::Hangs => std::future::pending().await,
            What::Lies => return Ok(vec![vec![f32::NAN; 8]; texts.len()]),
            What::Works => {}
        }
        let vector = |text: &String| {
            let words = [["dog", "puppy"], ["cat", "kitten"], ["cow", "calf"]];
            let mut vector: Vec<f32> = words
                .iter()
                .map(|like| like.iter().filter(|word| text.contains(**word)).count() as f32)
                .collect();
            vector.resize(8, 0.0);
            vector
        };
        Ok(texts.iter().map(vector).collect())
    }

    fn floor(&self) -> f32 {
        0.5
    }
}

fn open(file: &Path, zoo: Zoo) -> Hub {
    Hub::builder(file).search(SearchOptions::default().embedder(zoo)).open().unwrap()
}

#[tokio::test]
async fn another_embedder_embeds_all_anew_and_the_same_one_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = open(&file, zoo("zoo-1", What::Works).0);
    let ann = hub.context("ann");
    for animal in ["dog", "cat", "cow"] {
        ann.write(&format!("/{animal}"), format!("a {animal}")).await.unwrap();
    }
    let found = ann.search("puppy").meaning_only().fresh().await.unwrap();
    assert_eq!((found.len(), found[0].path.as_str()), (1, "/dog"));
    assert_eq!(found[0].why, [Why::Meaning]);
    assert_eq!(found[0].snippet, "a dog");
    hub.close().await.unwrap();

    let (same, calls) = zoo("zoo-1", What::Works);
    let hub = open(&file, same);
    let found = hub.context("ann").search("kitten").meaning_only().fresh().await.unwrap();
    assert_eq!(found[0].path, "/cat");
    assert_eq!(calls.load(Ordering::SeqCst), 1, "what was searched for, nothing else");
    hub.close().await.unwrap();

    let (other, calls) = zoo("zoo-2", What::Works);
    let hub = open(&file, other);
    let ann = hub.context("ann");
    let start = std::time::Instant::now();
    while calls.load(Ordering::SeqCst) < 3 || hub.search_state().await.unwrap().waiting > 0 {
        assert!(start.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ann.search("calf").meaning_only().fresh().await.unwrap()[0].path, "/cow");
    hub.close().await.unwrap();
    let tables = Connection::open(&file).unwrap();
    let pieces: i64 = tables.query_row("SELECT count(*) FROM search_piece", [], |row| row.get(0)).unwrap();
    assert_eq!(pieces, 3, "the old vectors were replaced");
    drop(tables);

    // The default one has other dimensions; meanwhile none was there.
    let hub = Hub::builder(&file).search(SearchOptions::default().without_meaning()).open().unwrap();
    hub.context("ann").write("/hen", "a hen").await.unwrap();
    assert_eq!(exact(&hub.context("ann"), "hen").await, ["/hen"]);
    assert!(hub.context("ann").search("hen").meaning_only().await.is_err());
    hub.close().await.unwrap();
    let hub = Hub::open(&file).unwrap();
    let start = std::time::Instant::now();
    while hub.context("ann").search("a hen").meaning_only().fresh().await.unwrap().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_embedder_that_fails_stops_no_search_by_words() {
    for what in [What::Fails, What::Panics, What::Hangs, What::Lies] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.db");
        let hub = open(&file, zoo("zoo", what).0);
        let ann = hub.context("ann");
        ann.write("/dog", "a dog").await.unwrap();
        assert_eq!(exact(&ann, "dog").await, ["/dog"], "{what:?}");
        if matches!(what, What::Fails | What::Lies) {
            let found = ann.search("dog").found().await.unwrap();
            assert!(!found.by_meaning && found.hits.len() == 1, "{found:?}");
            let error = ann.search("dog").meaning_only().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
        if what != What::Hangs {
            let late = ann.search("dog").fresh_within(Duration::from_millis(200)).await.unwrap_err();
            assert_eq!(late.kind(), ErrorKind::Timeout);
            let start = std::time::Instant::now();
            while hub.search_state().await.unwrap().failure.is_none() {
                assert!(start.elapsed() < Duration::from_secs(20), "{what:?}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        assert_eq!(hub.search_state().await.unwrap().waiting, 1);
        tokio::time::timeout(Duration::from_secs(5), hub.close()).await.unwrap().unwrap();
        let hub = open(&file, zoo("zoo", What::Works).0);
        assert_eq!(hub.context("ann").search("puppy").meaning_only().fresh().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn sql_shows_the_vector_of_a_document() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    ann.write("/one", "some text").await.unwrap();
    ann.write("/long", "other text ".repeat(1_000)).await.unwrap();
    ann.search("text").fresh().await.unwrap();
    let rows = ann
        .query("SELECT path, length(vector_embedding) AS bytes FROM documents ORDER BY path")
        .await
        .unwrap();
    let bytes: Vec<&Value> = rows.iter().map(|row| &row["bytes"]).collect();
    assert_eq!(bytes, [384 * 4, 384 * 4]);
    let long = ann.search("other text").meaning_only().fresh().await.unwrap();
    assert_eq!(long.iter().filter(|hit| hit.path == "/long").count(), 1, "one hit for a document");
}

#[tokio::test]
async fn signatures_beyond_their_memory_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let options = SearchOptions::default().memory(200);
    let hub = Hub::builder(folder.path().join("hub.db")).search(options).open().unwrap();
    let ann = hub.context("ann");
    for number in 0..20 {
        ann.write(&format!("/{number}"), "the same text").await.unwrap();
    }
    let near = ann.search("the same text").meaning_only().limit(50).fresh().await.unwrap();
    assert!((1..=3).contains(&near.len()), "{}", near.len());
    assert_eq!(ann.search("the same text").text_only().limit(50).fresh().await.unwrap().len(), 20);
    assert!(hub.search_state().await.unwrap().memory <= 200);
}

#[tokio::test]
async fn signatures_that_an_older_program_stored_are_brought_forward_beside_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::open(&file).unwrap();
    for number in 0..20 {
        hub.context("ann").write(&format!("/{number}"), format!("a plan of house {number}")).await.unwrap();
    }
    hub.context("ann").search("house").fresh().await.unwrap();
    hub.close().await.unwrap();
    let bits = |tables: &Connection| -> Vec<Vec<u8>> {
        let mut statement = tables.prepare("SELECT bits FROM search_piece ORDER BY id").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let tables = Connection::open(&file).unwrap();
    let before = bits(&tables);
    tables.execute("UPDATE search_piece SET bits = substr(bits, 1, length(bits) / 2)", []).unwrap();
    assert_eq!(tables.execute("DELETE FROM meta WHERE name = 'search_bits'", []).unwrap(), 1);
    drop(tables);
    let hub = Hub::open(&file).unwrap();
    let found = hub.context("ann").search("a plan of house 7").meaning_only().await.unwrap();
    assert_eq!(found[0].path, "/7");
    let tables = Connection::open(&file).unwrap();
    let noted = "SELECT count(*) FROM meta WHERE name = 'search_bits'";
    let start = std::time::Instant::now();
    while tables.query_row(noted, [], |row| row.get::<_, i64>(0)).unwrap() == 0 {
        assert!(start.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((before.len(), bits(&tables)), (20, before));
}
