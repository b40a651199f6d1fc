//! Neighbours, ways and timelines.

use crate::{fact, hub, refused, say, shown};
use vextir_core::ErrorKind;
use vextir_core::context::graph::{EntityKey, Fact};

#[tokio::test]
async fn neighbours_are_found_to_a_depth_in_both_directions() {
    let graph = hub().context("ann").graph();
    let chain = (0..9).map(|number| fact(&number.to_string(), "next", &(number + 1).to_string()));
    say(&graph, "x", 1, chain.chain([fact("9", "next", "0"), fact("4", "self", "4")])).await;
    for (depth, entities, links) in [(1, 2, 3), (2, 4, 5), (3, 6, 7), (6, 9, 11)] {
        let found = graph.neighbours(("thing", "4")).depth(depth).await.unwrap();
        assert_eq!(
            (found.entities.len(), found.links.len(), found.truncated),
            (entities, links, false),
            "{depth}"
        );
        assert!(found.entities.iter().all(|(_, away)| (1..=depth).contains(away)));
    }
    assert_eq!(graph.neighbours(("thing", "4")).await.unwrap().entities.len(), 4, "two by default");
    let over = graph.neighbours(("thing", "4")).over(["self"]).await.unwrap();
    assert_eq!(shown(&over.links), ["4 self 4"]);
    for depth in [0, 7, usize::MAX] {
        refused(graph.neighbours(("thing", "4")).depth(depth).await, ErrorKind::Invalid, "from 1 to 6");
        refused(graph.paths(("thing", "4"), ("thing", "5"), depth).await, ErrorKind::Invalid, "from 1 to 6");
    }
    assert!(graph.neighbours(("thing", "nobody")).await.unwrap().entities.is_empty());
}

#[tokio::test]
async fn a_walk_that_is_cut_says_so() {
    let graph = hub().context("ann").graph();
    say(&graph, "x", 1, (0..50).map(|number| fact("hub", "has", &number.to_string()))).await;
    for (limit, truncated) in [(49, true), (50, false), (51, false), (0, true)] {
        let found = graph.neighbours(("thing", "hub")).limit(limit).await.unwrap();
        assert_eq!((found.links.len(), found.truncated), (limit.min(50), truncated), "{limit}");
    }
}

#[tokio::test]
async fn the_shortest_ways_are_found() {
    let graph = hub().context("ann").graph();
    let facts = [
        fact("a", "to", "b"),
        fact("b", "to", "d"),
        fact("c", "to", "a"),
        fact("c", "to", "d"),
        fact("a", "to", "e"),
        fact("e", "to", "f"),
        fact("f", "to", "d"),
        fact("x", "to", "y"),
    ];
    say(&graph, "x", 1, facts).await;
    let found = graph.paths(("thing", "a"), ("thing", "d"), 6).await.unwrap();
    let mut ways: Vec<Vec<String>> = found.paths.iter().map(|way| shown(way)).collect();
    ways.sort();
    assert_eq!(ways, [["a to b", "b to d"], ["c to a", "c to d"]]);
    assert!(!found.truncated);
    assert!(graph.paths(("thing", "a"), ("thing", "d"), 1).await.unwrap().paths.is_empty());
    assert!(graph.paths(("thing", "a"), ("thing", "y"), 6).await.unwrap().paths.is_empty());
    assert!(graph.paths(("thing", "a"), ("thing", "a"), 6).await.unwrap().paths.is_empty());
}

#[tokio::test]
async fn many_ways_are_cut() {
    let graph = hub().context("ann").graph();
    let both = |number: i32| [fact("a", "to", &number.to_string()), fact(&number.to_string(), "to", "b")];
    say(&graph, "x", 1, (0..40).flat_map(both)).await;
    let found = graph.paths(("thing", "a"), ("thing", "b"), 2).await.unwrap();
    assert_eq!((found.paths.len(), found.truncated), (16, true));
}

#[tokio::test]
async fn a_timeline_tells_all_that_was_said() {
    let graph = hub().context("ann").graph();
    say(&graph, "1", 1, [fact("bob", "likes", "tea")]).await;
    say(&graph, "2", 2, [fact("eve", "knows", "bob"), fact("eve", "knows", "carol")]).await;
    say(
        &graph,
        "3",
        3,
        [Fact::value(("thing", "bob"), "phone", "1"), Fact::property(("thing", "bob"), "age", 4)],
    )
    .await;
    let line = graph.timeline(("thing", "bob"), 9).await.unwrap();
    let days: Vec<i64> =
        line.links.iter().map(|link| link.valid_from.as_micros() / 86_400_000_000 - 20_000).collect();
    assert_eq!((days, line.truncated), (vec![3, 3, 2, 1], false));
    assert_eq!(shown(&line.links), ["bob age 4", "bob likes tea", "bob phone \"1\"", "eve knows bob"]);
    let cut = graph.timeline(("thing", "bob"), 2).await.unwrap();
    assert!(cut.links.len() == 2 && cut.truncated);
    let then = graph.valid_at(crate::day(2)).timeline(("thing", "bob"), 9).await.unwrap();
    assert_eq!(shown(&then.links), ["bob likes tea", "eve knows bob"]);
}

#[tokio::test]
async fn an_entity_is_written_as_kind_and_key() {
    let graph = hub().context("ann").graph();
    say(&graph, "1", 1, [fact("bob", "likes", "tea")]).await;
    let key: EntityKey = "thing:bob".parse().unwrap();
    assert_eq!(graph.entity(&key).await.unwrap().unwrap().key, key);
    for bad in ["", "thing", ":x", "thing:", "a\n:b"] {
        assert!(bad.parse::<EntityKey>().is_err(), "{bad:?}");
    }
}
