//! What documents say by themselves.

use crate::{hub, shown, timed};
use vextir_core::Context;
use vextir_core::context::graph::EntityKey;

async fn links(context: &Context, path: &str) -> Vec<String> {
    shown(&context.graph().neighbours(EntityKey::document(path)).depth(1).await.unwrap().links)
}

#[tokio::test]
async fn links_and_mentions_of_a_text_follow_it() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/Notes/b", "nothing").await.unwrap();
    ann.write("/Notes/a", "See [[b]], [[/Notes/b|again]], [[../x]], [[person:bob]] and @Carol.")
        .await
        .unwrap();
    let expected = ["/Notes/a links_to /Notes/b", "/Notes/a links_to bob", "/Notes/a mentions carol"];
    assert_eq!(links(&ann, "/Notes/a").await, expected);
    assert_eq!(links(&ann, "/Notes/b").await, ["/Notes/a links_to /Notes/b"], "and back");
    ann.write("/Notes/a", "See @Carol.").await.unwrap();
    assert_eq!(links(&ann, "/Notes/a").await, ["/Notes/a mentions carol"]);
    assert!(links(&ann, "/Notes/b").await.is_empty());
    ann.write("/Notes/json", serde_json::json!({"text": "[[b]]"})).await.unwrap();
    assert!(links(&ann, "/Notes/json").await.is_empty(), "texts only");
    ann.write("/Notes/c", "<recalled>[[b]]</recalled> [[a]]").await.unwrap();
    assert_eq!(links(&ann, "/Notes/c").await, ["/Notes/c links_to /Notes/a"]);
}

#[tokio::test]
async fn a_link_waits_for_its_document_and_when_it_goes_waits_again() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/Notes/a", "[[b]] [[/Other]]").await.unwrap();
    let page = EntityKey::new("page", "/Notes/b");
    assert_eq!(ann.graph().neighbours(&page).depth(1).await.unwrap().links.len(), 1);
    ann.write("/Notes/b", "x").await.unwrap();
    assert_eq!(links(&ann, "/Notes/b").await, ["/Notes/a links_to /Notes/b"]);
    assert!(ann.graph().neighbours(&page).depth(1).await.unwrap().links.is_empty());
    ann.move_to("/Notes/b", "/Moved/b").await.unwrap();
    assert_eq!(links(&ann, "/Notes/a").await, ["/Notes/a links_to /Notes/b", "/Notes/a links_to /Other"]);
    assert!(links(&ann, "/Moved/b").await.is_empty(), "a text says what it says");
    ann.move_to("/Moved/b", "/Other").await.unwrap();
    ann.move_to("/Notes", "/N").await.unwrap();
    assert_eq!(links(&ann, "/Other").await, ["/N/a links_to /Other"]);
    ann.remove("/Other").await.unwrap();
    let page = EntityKey::new("page", "/Other");
    assert_eq!(ann.graph().neighbours(&page).depth(1).await.unwrap().links.len(), 1);
    assert!(links(&ann, "/Other").await.is_empty());
    ann.restore("/Other").await.unwrap();
    assert_eq!(links(&ann, "/Other").await, ["/N/a links_to /Other"]);
}

#[tokio::test]
async fn what_a_text_said_is_in_the_past_of_the_graph() {
    let (hub, clock) = timed();
    let ann = hub.context("ann");
    ann.write("/a", "@bob").await.unwrap();
    assert_eq!(links(&ann, "/a").await.len(), 1);
    clock.advance(std::time::Duration::from_secs(86_400));
    ann.write("/a", "@carol").await.unwrap();
    assert_eq!(links(&ann, "/a").await, ["/a mentions carol"]);
    assert_eq!(links(&ann.at(crate::day(100)), "/a").await, ["/a mentions bob"]);
    let line = ann.graph().timeline(EntityKey::document("/a"), 9).await.unwrap().links;
    assert_eq!(shown(&line), ["/a mentions bob", "/a mentions carol"]);
    let ended = line.iter().find(|link| shown(std::slice::from_ref(link))[0].ends_with("bob")).unwrap();
    assert_eq!((ended.valid_from, ended.valid_until), (crate::day(100), Some(crate::day(101))));
}

#[tokio::test]
async fn many_documents_are_taken_in_whoever_asks() {
    let hub = hub();
    let ann = hub.context("ann");
    for number in 0..700 {
        ann.write(&format!("/n/{number}"), format!("[[{}]] @ann", (number + 1) % 700)).await.unwrap();
    }
    let (one, other) = (hub.context("ann").graph(), hub.context("bob").graph());
    let (one, other) = tokio::join!(
        one.neighbours(("handle", "ann")).depth(1),
        other.neighbours(("handle", "ann")).depth(1)
    );
    assert_eq!((one.unwrap().links.len(), other.unwrap().links.len()), (700, 0));
    assert_eq!(links(&ann, "/n/0").await.len(), 3);
    let ways = ann.graph().paths(EntityKey::document("/n/0"), EntityKey::document("/n/3"), 6).await.unwrap();
    assert_eq!(ways.paths[0].len(), 2, "over ann, whom all mention");
}

#[tokio::test]
async fn sql_shows_what_the_graph_knows() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/plan", "by @bob").await.unwrap();
    let graph = ann.graph();
    graph.declare_single("works_for", true).await.unwrap();
    let (one, two) = (crate::fact("bob", "works_for", "acme"), crate::fact("bob", "works_for", "initech"));
    let age = vextir_core::context::graph::Fact::property(("thing", "bob"), "age", 41);
    crate::say(&graph, "mail", 1, [one, age]).await;
    crate::say(&graph, "mail", 5, [two]).await;
    let ask = async |sql: &str| serde_json::Value::Array(ann.query(sql).await.unwrap()).to_string();
    let links = ask(
        "SELECT subject, object, valid_until, source FROM links WHERE relation = 'works_for' ORDER BY valid_from",
    );
    let until = crate::day(5);
    assert_eq!(
        links.await,
        format!(r#"[{{"object":"acme","source":"mail","subject":"bob","valid_until":"{until}"}},"#)
            + r#"{"object":"initech","source":"mail","subject":"bob","valid_until":null}]"#
    );
    let said =
        ask("SELECT subject_kind, subject, object_kind, object FROM links WHERE source = '/plan'").await;
    assert_eq!(
        said,
        r#"[{"object":"bob","object_kind":"handle","subject":"/plan","subject_kind":"document"}]"#
    );
    let entities = ask("SELECT kind, key, properties FROM entities WHERE key = 'bob' ORDER BY kind").await;
    let thing = r#"{"key":"bob","kind":"thing","properties":"{\"age\":41}"}"#;
    assert_eq!(entities, format!(r#"[{{"key":"bob","kind":"handle","properties":"{{}}"}},{thing}]"#));
    assert!(hub.context("eve").query("SELECT 1 AS x FROM links, entities").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_document_is_forgotten_until_it_changes() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a", "@bob").await.unwrap();
    assert_eq!(links(&ann, "/a").await.len(), 1);
    let forgotten = ann.graph().forget("/a").await.unwrap().unwrap();
    assert_eq!((forgotten.episodes.len(), forgotten.links.len()), (1, 1));
    assert!(links(&ann, "/a").await.is_empty());
    ann.append("/a", " and @carol").await.unwrap();
    assert_eq!(links(&ann, "/a").await.len(), 2);
}
