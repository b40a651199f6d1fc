//! What a query may use, and that it ends.

use crate::{column, refusal, stored};
use serde_json::json;
use std::time::{Duration, Instant};
use vextir_context::{Hub, QueryLimits};
use vextir_core::ErrorKind;
use vextir_core::context::graph::{Episode, Fact, MAX_FACTS};

const ENDLESS: &str = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n";

#[tokio::test]
async fn too_many_rows_and_bytes_are_refused_and_not_cut() {
    let folder = tempfile::tempdir().unwrap();
    let limits = QueryLimits::default().with_rows(10).with_bytes(2_000);
    let hub = Hub::builder(folder.path().join("hub.db")).query_limits(limits).open().unwrap();
    let ann = hub.context("ann");
    let rows = |count: usize| {
        format!(
            "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT {count}) SELECT x FROM n"
        )
    };
    assert_eq!(column(&ann, &rows(10)).await.len(), 10);
    assert!(refusal(&ann, &rows(11)).await.to_string().contains("more than 10 rows"));
    ann.write("/long", "x".repeat(3_000)).await.unwrap();
    let error = refusal(&ann, "SELECT content FROM documents").await;
    assert!(error.to_string().contains("more than 2000 bytes"), "{error}");
    assert_eq!(column(&ann, "SELECT length(content) FROM documents").await, [json!(3_000)]);
}

#[tokio::test]
async fn a_document_that_is_too_long_is_named_when_its_content_is_asked_for() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    ann.write("/long", "x".repeat((2 << 20) + 1)).await.unwrap();
    ann.write("/short", "y").await.unwrap();
    assert_eq!(column(&ann, "SELECT path FROM documents ORDER BY path").await, ["/long", "/short"]);
    let error = refusal(&ann, "SELECT content FROM documents").await;
    assert!(error.to_string().contains("/long"), "{error}");
    assert_eq!(column(&ann, "SELECT content FROM documents WHERE path <> '/long'").await, ["y"]);
}

#[tokio::test]
async fn what_runs_too_long_is_stopped_and_the_next_one_runs() {
    let folder = tempfile::tempdir().unwrap();
    let limits = QueryLimits::default().with_deadline(Duration::from_millis(50));
    let hub = Hub::builder(folder.path().join("hub.db")).query_limits(limits).open().unwrap();
    let ann = hub.context("ann");
    for _ in 0..3 {
        let began = Instant::now();
        let error = refusal(&ann, ENDLESS).await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.to_string().contains("50ms"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
    // On a machine that has much to do, a short one may take as long once.
    let began = Instant::now();
    let answer = loop {
        match ann.query("SELECT 1 AS x").await {
            Err(error) if error.kind() == ErrorKind::Timeout && began.elapsed() < Duration::from_secs(10) => {
            }
            answered => break answered.unwrap(),
        }
    };
    assert_eq!(answer, [json!({"x": 1})]);
}

/// What an agent may not see is gone through to its end: nothing of it names the entity.
#[tokio::test]
async fn a_graph_that_is_gone_through_for_too_long_is_stopped_as_any_query() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let hub = Hub::open(&path).unwrap();
    for number in 0..40 {
        let fact = |object: usize| Fact::new(("thing", "bob"), "knows", ("thing", object.to_string()));
        let note = (0..MAX_FACTS)
            .fold(Episode::new("note", "mail").key(number.to_string()), |note, object| {
                note.fact(fact(object))
            });
        hub.context("ann").graph().ingest(note).await.unwrap();
    }
    hub.close().await.unwrap();
    let limits = QueryLimits::default().with_deadline(Duration::from_millis(10));
    let hub = Hub::builder(&path).query_limits(limits).open().unwrap();
    for sql in ["SELECT key FROM entities", "SELECT id FROM links"] {
        let error = refusal(&hub.context("ann").as_agent("helper"), sql).await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.to_string().contains("the query took longer than 10ms"), "{error}");
    }
}

#[tokio::test]
async fn a_dropped_query_stops_and_gives_its_thread_back() {
    let folder = tempfile::tempdir().unwrap();
    let limits = QueryLimits::default().with_deadline(Duration::from_secs(60));
    let hub = Hub::builder(folder.path().join("hub.db")).query_limits(limits).open().unwrap();
    let ann = hub.context("ann");
    for _ in 0..8 {
        let running = tokio::time::timeout(Duration::from_millis(20), ann.query(ENDLESS)).await;
        assert!(running.is_err());
    }
    let answer = tokio::time::timeout(Duration::from_secs(5), ann.query("SELECT 1 AS x")).await;
    assert_eq!(answer.unwrap().unwrap(), [json!({"x": 1})]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_on_while_queries_run_and_a_closing_hub_stops_them() {
    let folder = tempfile::tempdir().unwrap();
    let limits = QueryLimits::default().with_deadline(Duration::from_secs(60));
    let hub = Hub::builder(folder.path().join("hub.db")).query_limits(limits).open().unwrap();
    let running: Vec<_> = (0..4)
        .map(|_| {
            let ann = hub.context("ann");
            tokio::spawn(async move { ann.query(ENDLESS).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    hub.context("ann").write("/a", "x").await.unwrap();
    assert!(hub.context("ann").read("/a").await.unwrap().is_some());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    hub.clone().close().await.unwrap();
    for query in running {
        assert!(query.await.unwrap().is_err());
    }
    assert_eq!(hub.context("ann").query("SELECT 1").await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_query_sees_one_moment() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    for number in 0..300 {
        ann.write(&format!("/a/{number}"), "x").await.unwrap();
    }
    let other = hub.context("ann");
    let moving = async {
        for round in 0..20 {
            let (from, to) = if round % 2 == 0 { ("/a", "/z") } else { ("/z", "/a") };
            other.move_to(from, to).await.unwrap();
        }
    };
    let asking = async {
        for _ in 0..20 {
            assert_eq!(column(&ann, "SELECT count(*) FROM documents").await, [json!(300)]);
        }
    };
    tokio::join!(moving, asking);
}
