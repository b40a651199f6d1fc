//! What came from a source alone goes with it, and nothing else.

use crate::{fact, hub, near, say};
use vextir_core::context::graph::{EntityKey, Fact, Forgotten};

#[tokio::test]
async fn what_another_source_says_too_stays() {
    let hub = hub();
    let graph = hub.context("ann").graph();
    graph.declare_single("works_for", true).await.unwrap();
    say(
        &graph,
        "one",
        1,
        [
            fact("bob", "likes", "tea"),
            fact("bob", "works_for", "acme"),
            Fact::property(("thing", "bob"), "age", 41),
        ],
    )
    .await;
    say(
        &graph,
        "two",
        2,
        [
            fact("bob", "likes", "tea"),
            fact("bob", "likes", "canary"),
            fact("bob", "works_for", "initech"),
            Fact::property(("thing", "bob"), "age", 42),
            Fact::property(("thing", "bob"), "shoe", 44),
        ],
    )
    .await;
    say(&hub.context("eve").graph(), "two", 2, [fact("bob", "likes", "canary")]).await;
    let forgotten = graph.forget("two").await.unwrap().unwrap();
    assert_eq!((forgotten.episodes.len(), forgotten.links.len(), forgotten.kept), (1, 4, 1));
    assert_eq!(forgotten.entities, [EntityKey::new("thing", "canary"), EntityKey::new("thing", "initech")]);
    assert_eq!(
        near(&graph, "bob").await,
        ["bob likes tea", "bob works_for acme"],
        "it is not retired any more"
    );
    let bob = graph.entity(("thing", "bob")).await.unwrap().unwrap();
    assert_eq!(serde_json::to_string(&bob.properties).unwrap(), r#"{"age":41}"#);
    assert!(graph.entity(("thing", "canary")).await.unwrap().is_none());
    assert!(graph.episode(&forgotten.episodes[0]).await.unwrap().is_none());
    assert_eq!(graph.forget("two").await.unwrap().unwrap(), Forgotten::default(), "twice is once");
    assert_eq!(near(&hub.context("eve").graph(), "bob").await, ["bob likes canary"], "another one's stays");
}

#[tokio::test]
async fn nothing_of_it_is_left_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let hub = vextir_context::Hub::open(&path).unwrap();
    let graph = hub.context("ann").graph();
    let told = vextir_core::context::graph::Episode::new("mail", "secret-source")
        .key("secret-key")
        .text("secret-text of @secret-name")
        .data("secret-data")
        .fact(Fact::value(("secret-kind", "secret-thing"), "secret-relation", "secret-value"));
    graph.ingest(told.clone()).await.unwrap();
    graph.forget("secret-source").await.unwrap();
    hub.close().await.unwrap();
    let rows = rusqlite::Connection::open(&path).unwrap();
    for table in ["entity", "episode", "link", "statement"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let count: i64 = rows.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(count, i64::from(table == "episode"), "{table}");
    }
    let left: String = rows
        .query_row(
            "SELECT kind || key || source || coalesce(text, '') || coalesce(data, '') FROM episode",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, "");
    drop(rows);
    let hub = vextir_context::Hub::open(&path).unwrap();
    let again = hub.context("ann").graph().ingest(told).await.unwrap().unwrap();
    assert!(again.fresh && again.facts == 2, "{again:?}: it may come again");
}

#[tokio::test]
async fn a_large_source_is_forgotten_whole() {
    let graph = hub().context("ann").graph();
    for number in 0..450 {
        say(&graph, "many", number, [fact("bob", "saw", &format!("x{number}"))]).await;
    }
    let forgotten = graph.forget("many").await.unwrap().unwrap();
    assert_eq!((forgotten.episodes.len(), forgotten.links.len(), forgotten.entities.len()), (450, 450, 451));
    assert!(!forgotten.more);
}
