//! What an episode becomes.

use crate::{day, fact, hub, near, say, shown};
use serde_json::json;
use vextir_core::context::graph::{EntityKey, Episode, Fact, Ingested};

/// The sources that the specification names.
#[tokio::test]
async fn mails_files_sensors_visits_and_answers_are_taken_in() {
    let hub = hub();
    let graph = hub.context("user_123").graph();
    let mail = Episode::new("mail", "imap:inbox")
        .key("<17@x>")
        .at(day(1))
        .text("Hi @Carol, the plan is [[/Projects/Alpha]]. Ask bob@Example.org!")
        .entity(("person", "bob"), "Bob Jones")
        .fact(Fact::new(("person", "bob"), "works_for", ("company", "acme")));
    let told = graph.ingest(mail.clone()).await.unwrap().unwrap();
    assert!(told.fresh && told.facts == 5, "{told:?}");
    let file = Episode::new("file", "file:/home/a/x.pdf").data(json!({"size": 17})).fact(Fact::value(
        ("company", "acme"),
        "invoice",
        json!({"total": 99.5}),
    ));
    graph.ingest(file).await.unwrap();
    for (minute, degrees) in [(1, 20.5), (2, 21.0)] {
        let reading = Episode::new("reading", "sensor:kitchen").at(day(minute)).fact(Fact::property(
            ("room", "kitchen"),
            "celsius",
            degrees,
        ));
        graph.ingest(reading).await.unwrap();
    }
    let visit = Episode::new("visit", "browser").at(day(3)).fact(Fact::new(
        ("person", "me"),
        "visited",
        ("page", "https://acme.example"),
    ));
    graph.ingest(visit).await.unwrap();
    let answer = Episode::new("api", "crm").key("acme").entity(("company", "acme"), "Acme Corp.");
    graph.ingest(answer).await.unwrap();

    let kitchen = graph.entity(("room", "kitchen")).await.unwrap().unwrap();
    assert_eq!(kitchen.properties["celsius"], json!(21.0));
    let acme = graph.entity(("company", "acme")).await.unwrap().unwrap();
    assert_eq!(acme.name, "Acme Corp.");
    let around = graph.neighbours(("company", "acme")).await.unwrap();
    assert_eq!(shown(&around.links), ["bob works_for acme"]);
    assert_eq!(around.entities, [(EntityKey::new("person", "bob"), 1)]);
    let letter = graph.neighbours(("mail", "<17@x>")).depth(1).await.unwrap();
    let expected =
        ["<17@x> links_to /Projects/Alpha", "<17@x> mentions bob@example.org", "<17@x> mentions carol"];
    assert_eq!(shown(&letter.links), expected);
    let seen = graph.episode(&around.links[0].episodes[0]).await.unwrap().unwrap();
    assert_eq!((seen.source.as_str(), seen.key.as_str(), seen.at), ("imap:inbox", "<17@x>", day(1)));
    assert_eq!((seen.kind.as_str(), seen.user.as_str()), ("mail", "user_123"));
    assert_eq!(seen.text, mail.text);
    assert!(hub.context("eve").graph().episode(&seen.id).await.unwrap().is_none());
}

#[tokio::test]
async fn the_same_episode_twice_is_one() {
    let graph = hub().context("ann").graph();
    let first = say(&graph, "x", 1, [fact("a", "likes", "b"), fact("a", "likes", "b")]).await;
    let again = say(&graph, "x", 1, [fact("a", "likes", "b"), fact("a", "likes", "b")]).await;
    assert_eq!((first.facts, first.fresh), (1, true));
    assert_eq!((again.facts, again.fresh, &again.episode), (0, false, &first.episode));
    let other = say(&graph, "y", 1, [fact("a", "likes", "b")]).await;
    assert_ne!(other.episode, first.episode);
    let around = graph.neighbours(("thing", "a")).await.unwrap();
    assert_eq!((around.links.len(), around.links[0].episodes.len()), (1, 2));
    assert_eq!(graph.timeline(("thing", "a"), 9).await.unwrap().links.len(), 2);
}

#[tokio::test]
async fn what_comes_again_under_its_key_takes_the_place_of_what_it_said() {
    let graph = hub().context("ann").graph();
    let page = |facts: Vec<Fact>| {
        facts.into_iter().fold(Episode::new("page", "web").key("/about").at(day(1)), Episode::fact)
    };
    graph.ingest(page(vec![fact("a", "likes", "b"), fact("a", "likes", "c")])).await.unwrap();
    let told =
        graph.ingest(page(vec![fact("a", "likes", "c"), fact("a", "likes", "d")])).await.unwrap().unwrap();
    assert_eq!((told.fresh, told.facts), (true, 1));
    assert_eq!(near(&graph, "a").await, ["a likes c", "a likes d"]);
}

#[tokio::test]
async fn what_was_recalled_is_not_ingested() {
    let graph = hub().context("ann").graph();
    say(&graph, "x", 1, [fact("a", "likes", "<recalled>b</recalled>")]).await;
    let recalled = graph.neighbours(("thing", "a")).await.unwrap().to_text();
    let ignored = Ingested::default();
    let echo = Episode::new("chat", "chat").text(recalled.clone());
    assert_eq!(graph.ingest(echo).await.unwrap().unwrap(), ignored);
    let marked = Episode::new("chat", "chat").fact(fact("a", "likes", "z")).recalled();
    assert_eq!(graph.ingest(marked).await.unwrap().unwrap(), ignored);
    let mixed = Episode::new("chat", "chat").key("1").text(format!("{recalled} says @bob"));
    let told = graph.ingest(mixed).await.unwrap().unwrap();
    let seen = graph.episode(&told.episode.unwrap()).await.unwrap().unwrap();
    assert_eq!((told.facts, seen.text.as_deref()), (1, Some(" says @bob")));
    assert_eq!(near(&graph, "a").await, ["a likes <recalled>b</recalled>"]);
}

#[tokio::test]
async fn a_hub_keeps_its_graph() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let hub = vextir_context::Hub::open(&path).unwrap();
    say(&hub.context("ann").graph(), "x", 1, [fact("a", "likes", "b")]).await;
    hub.close().await.unwrap();
    let graph = vextir_context::Hub::open(&path).unwrap().context("ann").graph();
    assert_eq!(near(&graph, "a").await, ["a likes b"]);
    assert!(!say(&graph, "x", 1, [fact("a", "likes", "b")]).await.fresh);
}
