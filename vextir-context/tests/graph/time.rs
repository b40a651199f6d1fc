//! When something holds, and since when that is known.

use crate::{day, fact, hub, near, say, timed};
use serde_json::json;
use vextir_core::context::graph::{Episode, Fact, Graph};

async fn works(graph: &Graph) -> Vec<String> {
    near(graph, "bob").await
}

#[tokio::test]
async fn a_later_fact_of_a_single_valued_relation_retires_earlier_ones_in_any_order() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let graph = hub().context("ann").graph();
        graph.declare_single("works_for", true).await.unwrap();
        let all = [(1, "acme"), (5, "initech"), (9, "acme")];
        for index in order {
            let (at, company) = all[index];
            say(&graph, "cv", at, [fact("bob", "works_for", company)]).await;
        }
        for (at, company) in
            [(1, "acme"), (4, "acme"), (5, "initech"), (8, "initech"), (9, "acme"), (50, "acme")]
        {
            let then = graph.valid_at(day(at));
            assert_eq!(works(&then).await, [format!("bob works_for {company}")], "{order:?} {at}");
            let back = near(&then, company).await;
            assert_eq!(back, [format!("bob works_for {company}")], "from the other side: {order:?} {at}");
        }
        assert!(works(&graph.valid_at(day(0))).await.is_empty());
        let then = graph.valid_at(day(6)).neighbours(("thing", "bob")).await.unwrap();
        assert_eq!(
            (then.links[0].valid_from, then.links[0].valid_until),
            (day(5), Some(day(9))),
            "{order:?}"
        );
        let line = graph.timeline(("thing", "bob"), 9).await.unwrap().links;
        let times: Vec<_> = line.iter().map(|link| (link.valid_from, link.valid_until)).collect();
        assert_eq!(times, [(day(9), None), (day(5), Some(day(9))), (day(1), Some(day(5)))], "{order:?}");
    }
}

#[tokio::test]
async fn a_fact_retires_nothing_of_another_subject_or_relation() {
    let graph = hub().context("ann").graph();
    graph.declare_single("works_for", true).await.unwrap();
    say(
        &graph,
        "1",
        1,
        [
            fact("bob", "works_for", "acme"),
            fact("bob", "knows", "eve"),
            fact("eve", "works_for", "acme"),
            Fact::property(("thing", "bob"), "works_for", "as a property"),
        ],
    )
    .await;
    say(&graph, "2", 2, [fact("bob", "works_for", "initech"), fact("bob", "knows", "carol")]).await;
    assert_eq!(works(&graph).await, ["bob knows carol", "bob knows eve", "bob works_for initech"]);
    assert_eq!(near(&graph, "eve").await, ["bob knows eve", "eve works_for acme"]);
    let bob = graph.entity(("thing", "bob")).await.unwrap().unwrap();
    assert_eq!(bob.properties["works_for"], json!("as a property"));
    graph.declare_single("works_for", false).await.unwrap();
    assert_eq!(works(&graph).await.len(), 4, "it is how facts are read, not what was kept");
}

#[tokio::test]
async fn a_fact_that_has_ended_does_not_bring_an_earlier_one_back() {
    let graph = hub().context("ann").graph();
    graph.declare_single("works_for", true).await.unwrap();
    say(&graph, "1", 1, [fact("bob", "works_for", "acme")]).await;
    say(&graph, "2", 2, [fact("bob", "works_for", "initech").valid_from(day(3)).valid_until(day(5))]).await;
    for (at, count) in [(2, 1), (3, 1), (4, 1), (5, 0), (9, 0)] {
        assert_eq!(works(&graph.valid_at(day(at))).await.len(), count, "{at}");
    }
    assert_eq!(works(&graph.valid_at(day(2))).await, ["bob works_for acme"]);
}

#[tokio::test]
async fn both_times_are_asked_for() {
    let (hub, clock) = timed();
    let graph = hub.context("ann").graph();
    graph.declare_single("lives_in", true).await.unwrap();
    // Day 100: known since then that he lived in Oslo from day 10 on.
    say(&graph, "1", 10, [fact("bob", "lives_in", "oslo")]).await;
    // Day 110: a late fact about day 20.
    clock.advance(std::time::Duration::from_secs(10 * 86_400));
    say(&graph, "2", 20, [fact("bob", "lives_in", "bergen")]).await;
    let asked = |valid: i64, known: i64| graph.valid_at(day(valid)).known_at(day(known));
    for (valid, known, place) in [
        (15, 105, Some("oslo")),
        (30, 105, Some("oslo")),
        (30, 110, Some("bergen")),
        (15, 110, Some("oslo")),
        (5, 110, None),
        (30, 99, None),
    ] {
        let expected: Vec<String> = place.iter().map(|place| format!("bob lives_in {place}")).collect();
        assert_eq!(works(&asked(valid, known)).await, expected, "{valid} {known}");
    }
    assert_eq!(works(&graph.as_of(day(105))).await, ["bob lives_in oslo"]);
    assert_eq!(works(&graph).await, ["bob lives_in bergen"]);
    let then = hub.context("ann").at(day(105)).graph();
    assert_eq!(works(&then).await, ["bob lives_in oslo"], "the past of the context is that of its graph");
    assert!(then.ingest(Episode::new("note", "x")).await.is_err());
}

#[tokio::test]
async fn a_correction_is_known_from_when_it_came() {
    let (hub, clock) = timed();
    let graph = hub.context("ann").graph();
    let told =
        |object: &str| Episode::new("api", "crm").key("bob").at(day(1)).fact(fact("bob", "likes", object));
    graph.ingest(told("tea")).await.unwrap();
    clock.advance(std::time::Duration::from_secs(86_400));
    graph.ingest(told("coffee")).await.unwrap();
    assert_eq!(works(&graph).await, ["bob likes coffee"]);
    assert_eq!(works(&graph.known_at(day(100))).await, ["bob likes tea"]);
    assert_eq!(works(&graph.as_of(day(101))).await, ["bob likes coffee"]);
    let line = graph.known_at(day(100)).timeline(("thing", "bob"), 9).await.unwrap().links;
    assert_eq!((line.len(), line[0].known_from, line[0].known_until), (1, day(100), Some(day(101))));
}

#[tokio::test]
async fn a_fact_that_many_may_hold_holds_as_long_as_one_says_so() {
    let graph = hub().context("ann").graph();
    say(&graph, "late", 9, [fact("bob", "likes", "tea")]).await;
    say(&graph, "early", 2, [fact("bob", "likes", "tea")]).await;
    say(&graph, "short", 1, [fact("bob", "owns", "cat").valid_until(day(3))]).await;
    let link = &graph.neighbours(("thing", "tea")).await.unwrap().links[0];
    assert_eq!((link.valid_from, link.valid_until), (day(2), None));
    assert!(works(&graph.valid_at(day(1))).await == ["bob owns cat"]);
    assert_eq!(
        works(&graph.valid_at(day(3))).await,
        ["bob likes tea"],
        "at its end it does not hold any more"
    );
}

#[tokio::test]
async fn properties_have_one_value_at_a_time() {
    let graph = hub().context("ann").graph();
    for (at, degrees) in [(3, 22), (1, 20), (2, 21)] {
        say(&graph, "sensor", at, [Fact::property(("thing", "room"), "celsius", degrees)]).await;
    }
    for (at, degrees) in [(1, 20), (2, 21), (3, 22), (9, 22)] {
        let room = graph.valid_at(day(at)).entity(("thing", "room")).await.unwrap().unwrap();
        assert_eq!(room.properties["celsius"], json!(degrees), "{at}");
    }
    let before = graph.valid_at(day(0)).entity(("thing", "room")).await.unwrap().unwrap();
    assert!(before.properties.is_empty() && before.name == "room");
}

/// A clock that is wrong by a day: what it says of the world is kept as it was said, and what is known stays in order.
#[tokio::test]
async fn times_from_the_future_hold_when_they_come() {
    let (hub, clock) = timed();
    let graph = hub.context("ann").graph();
    say(&graph, "x", 101, [fact("bob", "likes", "tea")]).await;
    assert!(works(&graph).await.is_empty());
    clock.advance(std::time::Duration::from_secs(86_400));
    assert_eq!(works(&graph).await, ["bob likes tea"]);
}
