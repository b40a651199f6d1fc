//! The graph of a user on several replicas.

use super::convergence::{Replica, schedules};
use super::{Way, exchange, exchange_as, serve};
use crate::hub::{Hub, HubBuilder};
use crate::sync::Peer;
use fastrand::Rng;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use vextir_core::context::graph::{EntityKey, Episode, Fact, Graph, Object};
use vextir_core::{Context, ErrorKind, Level, ManualClock, Principal, Timestamp};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn two() -> (Hub, Hub) {
    (Hub::in_memory().unwrap(), Hub::in_memory().unwrap())
}

fn day(number: i64) -> Timestamp {
    Timestamp::from_micros((20_000 + number) * 86_400_000_000)
}

fn fact(subject: &str, relation: &'static str, object: &str) -> Fact {
    Fact::new(("thing", subject), relation, ("thing", object))
}

/// All that was said about an entity, with its times and where it comes from.
async fn told(graph: &Graph, of: impl Into<EntityKey>) -> Vec<String> {
    let mut told = Vec::new();
    for link in graph.timeline(of, 1_000).await.unwrap().links {
        let mut sources = Vec::new();
        for id in &link.episodes {
            sources.push(graph.episode(id).await.unwrap().map(|seen| (seen.source, seen.key, seen.text)));
        }
        let object = match &link.object {
            Object::Entity(key) => key.to_string(),
            Object::Value(value) | Object::Property(value) => value.to_string(),
            other => format!("{other:?}"),
        };
        told.push(format!(
            "{} {} {object} {:?} {:?} {:?} {:?} {sources:?}",
            link.subject, link.relation, link.valid_from, link.valid_until, link.known_from, link.known_until
        ));
    }
    told.sort();
    told
}

/// What is one link away, and holds.
async fn near(graph: &Graph, of: &str) -> Vec<String> {
    let mut near: Vec<String> = graph
        .neighbours(("thing", of))
        .depth(1)
        .await
        .unwrap()
        .links
        .into_iter()
        .map(|link| match link.object {
            Object::Entity(key) => format!("{} {} {}", link.subject.key, link.relation, key.key),
            other => format!("{other:?}"),
        })
        .collect();
    near.sort();
    near
}

/// What the graph of a user comes to.
async fn sum(hub: &Hub, user: &'static str) -> String {
    let all = async || {
        let parts = hub.read_with(move |connection| Ok(crate::graph::digests(connection, user)?.parts));
        format!(
            "{:?}",
            parts.await.unwrap().into_iter().filter(|(_, part)| !part.is_empty()).collect::<Vec<_>>()
        )
    };
    let kept = all().await;
    hub.write_with(|rows| rows.writing().execute("DELETE FROM graph_sum", ())).await.unwrap();
    assert_eq!(kept, all().await, "what is kept is what would be worked out");
    kept
}

#[tokio::test]
async fn what_one_replica_saw_the_other_one_knows_with_times_and_source() {
    let (one, other) = two();
    let (here, there) = (one.context("ann"), other.context("ann"));
    here.write("/Notes/plan", "Ask [[person:bob]] about it.").await.unwrap();
    let graph = here.graph();
    graph.declare_single("works_for", true).await.unwrap();
    let mail = Episode::new("mail", "imap:inbox")
        .key("<1>")
        .at(day(1))
        .text("Of carol@example.org, see [[/Notes/plan]]");
    let mail = mail.data(json!({"n": 1})).fact(fact("bob", "works_for", "acme").valid_from(day(0)));
    graph.ingest(mail).await.unwrap();
    let later =
        Episode::new("mail", "imap:inbox").key("<2>").at(day(5)).fact(fact("bob", "works_for", "initech"));
    graph.ingest(later.fact(Fact::property(("thing", "bob"), "age", 41))).await.unwrap();
    let note = Episode::new("note", "/Notes/plan").key("n").at(day(2)).fact(fact("plan", "is_of", "bob"));
    graph.ingest(note.fact(fact("bob", "likes", "tea").valid_until(day(9)))).await.unwrap();

    let (report, back) = exchange(&one, &other, "ann").await;
    assert_eq!(
        (report.episodes_sent, back.episodes_taken, report.differing),
        (3, 4, 0),
        "{report:?} {back:?}"
    );
    for of in [("thing", "bob"), ("email", "carol@example.org"), ("thing", "plan"), ("thing", "tea")] {
        let all = told(&graph, of).await;
        assert!(!all.is_empty());
        assert_eq!(all, told(&there.graph(), of).await);
    }
    assert!(near(&there.graph(), "bob").await.contains(&"bob works_for initech".into()));
    let plan = EntityKey::document("/Notes/plan");
    assert!(!there.graph().neighbours(&plan).await.unwrap().entities.is_empty());
    let (report, back) = exchange(&one, &other, "ann").await;
    assert_eq!((report.episodes_sent, back.episodes_sent, back.episodes_taken), (0, 0, 0));
    assert_eq!(sum(&one, "ann").await, sum(&other, "ann").await);
    // The same mail, which came to the other one by itself, is no other episode.
    let again =
        Episode::new("mail", "imap:inbox").key("<2>").at(day(5)).fact(fact("bob", "works_for", "initech"));
    let again = there.graph().ingest(again.fact(Fact::property(("thing", "bob"), "age", 41))).await.unwrap();
    assert!(!again.unwrap().fresh);
}

#[tokio::test]
async fn an_episode_that_two_told_at_once_says_both_until_one_tells_it_anew() {
    let (one, other) = two();
    let (here, there) = (one.context("ann").graph(), other.context("ann").graph());
    let seen = |facts: Vec<Fact>| facts.into_iter().fold(Episode::new("page", "web").key("p"), Episode::fact);
    here.ingest(seen(vec![fact("x", "has", "common"), fact("x", "has", "old")])).await.unwrap();
    exchange(&one, &other, "ann").await;
    here.ingest(seen(vec![fact("x", "has", "common"), fact("x", "has", "one")])).await.unwrap();
    there.ingest(seen(vec![fact("x", "has", "common"), fact("x", "has", "two")])).await.unwrap();
    exchange(&one, &other, "ann").await;
    for graph in [&here, &there] {
        assert_eq!(near(graph, "x").await, ["x has common", "x has one", "x has two"]);
    }
    assert_eq!(sum(&one, "ann").await, sum(&other, "ann").await);
    here.ingest(seen(vec![fact("x", "has", "two"), fact("x", "has", "three")])).await.unwrap();
    exchange(&one, &other, "ann").await;
    for graph in [&here, &there] {
        assert_eq!(near(graph, "x").await, ["x has three", "x has two"]);
    }
    assert_eq!(told(&here, ("thing", "x")).await, told(&there, ("thing", "x")).await);
}

#[tokio::test]
async fn what_two_told_alike_goes_with_the_telling_that_drops_it() {
    let (one, other) = two();
    let (here, there) = (one.context("ann").graph(), other.context("ann").graph());
    let seen = |facts: Vec<Fact>| {
        facts.into_iter().fold(Episode::new("page", "web").key("p").at(day(1)), Episode::fact)
    };
    here.ingest(seen(vec![fact("x", "has", "y")])).await.unwrap();
    there.ingest(seen(vec![fact("x", "has", "y")])).await.unwrap();
    exchange(&one, &other, "ann").await;
    assert_eq!(told(&here, ("thing", "x")).await.len(), 2, "one of each");
    here.ingest(seen(vec![fact("x", "has", "z")])).await.unwrap();
    exchange(&one, &other, "ann").await;
    for graph in [&here, &there] {
        assert_eq!(near(graph, "x").await, ["x has z"]);
    }
    assert_eq!(sum(&one, "ann").await, sum(&other, "ann").await);
}

#[tokio::test]
async fn what_is_told_again_stands_whatever_another_one_forgot_or_withdrew_before() {
    let start = "2026-01-01T00:00:00Z";
    let (one, other) = (ManualClock::at(start).unwrap(), ManualClock::at(start).unwrap());
    let hub = |clock: &ManualClock| HubBuilder::in_memory().clock(Arc::new(clock.clone())).open().unwrap();
    for forgets in [true, false] {
        let (first, second, third) = (hub(&one), hub(&other), hub(&other));
        let (here, there) = (first.context("ann"), second.context("ann"));
        let seen = |facts: &[&str]| {
            let facts = facts.iter().map(|object| fact("x", "has", object));
            facts.fold(Episode::new("page", "web").key("p").at(day(1)), Episode::fact)
        };
        here.graph().ingest(seen(&["kept", "late"])).await.unwrap();
        exchange(&first, &third, "ann").await;
        here.graph().ingest(seen(&["kept"])).await.unwrap();
        here.write("/doc", "of [[thing:d]]").await.unwrap();
        exchange(&first, &second, "ann").await;
        assert_eq!(near(&there.graph(), "d").await.len(), 1);
        one.advance(Duration::from_secs(60));
        other.advance(Duration::from_secs(120));
        if forgets {
            here.graph().forget("web").await.unwrap();
            assert_eq!(near(&here.graph(), "d").await.len(), 1);
            here.graph().forget("/doc").await.unwrap();
        } else {
            here.graph().ingest(seen(&["other"])).await.unwrap();
        }
        there.graph().ingest(seen(&["kept", "new"])).await.unwrap();
        there.append("/doc", " and [[thing:e]]").await.unwrap();
        assert_eq!(near(&there.graph(), "e").await.len(), 1);
        one.advance(DAY);
        other.advance(DAY);
        // What only was there too, and was not told again, is forgotten or withdrawn.
        for _ in 0..2 {
            exchange(&third, &second, "ann").await;
            exchange(&first, &second, "ann").await;
            exchange(&first, &third, "ann").await;
        }
        let expected: &[&str] =
            if forgets { &["x has kept", "x has new"] } else { &["x has kept", "x has new", "x has other"] };
        for hub in [&first, &second, &third] {
            let graph = hub.context("ann").graph();
            assert_eq!(near(&graph, "x").await, expected, "{forgets}");
            assert_eq!((near(&graph, "d").await.len(), near(&graph, "e").await.len()), (1, 1), "{forgets}");
            assert_eq!(sum(hub, "ann").await, sum(&first, "ann").await);
        }
        // And it goes as ever.
        there.graph().ingest(seen(&["last"])).await.unwrap();
        exchange(&first, &second, "ann").await;
        for context in [&here, &there] {
            assert_eq!(near(&context.graph(), "x").await, ["x has last"], "{forgets}");
        }
    }
}

#[tokio::test]
async fn what_was_forgotten_stays_so_and_what_is_told_later_stands() {
    let (one, other) = two();
    let third = Hub::in_memory().unwrap();
    let (here, there) = (one.context("ann").graph(), other.context("ann").graph());
    let mail = |key: &str, object: &str| {
        Episode::new("mail", "imap:secret").key(key).text("secret words").fact(fact("x", "has", object))
    };
    here.ingest(mail("1", "first")).await.unwrap();
    here.ingest(mail("2", "second")).await.unwrap();
    here.ingest(Episode::new("web", "web").fact(fact("x", "has", "second"))).await.unwrap();
    exchange(&one, &other, "ann").await;
    exchange(&one, &third, "ann").await;
    let forgotten = there.forget("imap:secret").await.unwrap().unwrap();
    assert_eq!(forgotten.episodes.len(), 2);
    exchange(&one, &other, "ann").await;
    assert_eq!(near(&here, "x").await, ["x has second"], "which another source says too");
    // The third one has not heard of it, and has said it to a fourth one.
    let fourth = Hub::in_memory().unwrap();
    exchange(&third, &fourth, "ann").await;
    exchange(&fourth, &one, "ann").await;
    exchange(&third, &other, "ann").await;
    for hub in [&one, &other, &third, &fourth] {
        assert_eq!(near(&hub.context("ann").graph(), "x").await, ["x has second"]);
        let words = hub.read_with(|connection| {
            let sql = "SELECT count(*) FROM episode WHERE text LIKE '%secret%' OR source LIKE '%secret%'";
            crate::queries::number(connection, sql, [])
        });
        assert_eq!(words.await.unwrap(), 0);
    }
    // It may be told anew, and that stands for who hears of both.
    here.ingest(mail("1", "anew")).await.unwrap();
    for (one, other) in [(&one, &third), (&third, &other), (&other, &fourth), (&fourth, &one)] {
        exchange(one, other, "ann").await;
    }
    for hub in [&one, &other, &third, &fourth] {
        assert_eq!(near(&hub.context("ann").graph(), "x").await, ["x has anew", "x has second"]);
        assert_eq!(sum(hub, "ann").await, sum(&one, "ann").await);
    }
}

#[tokio::test]
async fn what_a_document_mentions_is_forgotten_also_where_nobody_has_asked_yet() {
    let (one, other) = two();
    let (here, there) = (one.context("ann"), other.context("ann"));
    here.write("/doc", "of [[thing:x]]").await.unwrap();
    assert_eq!(near(&here.graph(), "x").await.len(), 1);
    here.graph().forget("/doc").await.unwrap();
    assert!(near(&here.graph(), "x").await.is_empty());
    exchange(&one, &other, "ann").await;
    assert!(near(&there.graph(), "x").await.is_empty());
    there.append("/doc", " and [[thing:y]]").await.unwrap();
    exchange(&one, &other, "ann").await;
    for context in [&here, &there] {
        assert_eq!(
            (near(&context.graph(), "x").await.len(), near(&context.graph(), "y").await.len()),
            (1, 1)
        );
    }
}

#[tokio::test]
async fn what_is_about_a_document_goes_with_it_and_comes_back_with_it() {
    let clock = ManualClock::at("2026-01-01T00:00:00Z").unwrap();
    let brief = HubBuilder::in_memory().clock(Arc::new(clock.clone())).keep_removed(DAY).open().unwrap();
    let long = HubBuilder::in_memory().clock(Arc::new(clock.clone())).keep_removed(300 * DAY).open().unwrap();
    let (here, there) = (brief.context("ann"), long.context("ann"));
    here.write("/doc", "text").await.unwrap();
    here.graph().ingest(Episode::new("note", "/doc").key("k").fact(fact("x", "has", "y"))).await.unwrap();
    let about = Fact::new(("thing", "x"), "stands_in", EntityKey::document("/doc"));
    here.graph().ingest(Episode::new("web", "web").key("k").fact(about)).await.unwrap();
    clock.advance(Duration::from_secs(60));
    let (report, back) = exchange(&brief, &long, "ann").await;
    assert_eq!((report.episodes_sent, back.episodes_taken), (2, 2), "{report:?} {back:?}");
    assert_eq!(near(&here.graph(), "x").await, ["x has y", "x stands_in /doc"]);
    assert_eq!(near(&there.graph(), "x").await, ["x has y", "x stands_in /doc"]);
    there.move_to("/doc", "/moved").await.unwrap();
    exchange(&brief, &long, "ann").await;
    assert_eq!(near(&here.graph(), "x").await, ["x has y", "x stands_in /moved"]);
    here.remove("/moved").await.unwrap();
    for _ in 0..2 {
        exchange(&brief, &long, "ann").await;
    }
    assert!(near(&there.graph(), "x").await.is_empty());
    clock.advance(2 * DAY);
    assert_eq!(brief.tidy().await.unwrap().nodes, 1);
    for _ in 0..2 {
        let (report, back) = exchange(&brief, &long, "ann").await;
        assert_eq!((report.episodes_sent, back.episodes_sent), (0, 0), "what is purged stays so");
    }
    there.restore("/moved").await.unwrap();
    for _ in 0..2 {
        exchange(&brief, &long, "ann").await;
    }
    assert_eq!(near(&here.graph(), "x").await, ["x has y", "x stands_in /moved"]);
    assert_eq!(sum(&brief, "ann").await, sum(&long, "ann").await);
}

#[tokio::test]
async fn of_what_the_user_may_not_read_any_more_nothing_is_sent_and_nothing_is_taken() {
    let (server, laptop) = two();
    let (ann, bob) = (server.context("ann"), server.context("bob"));
    ann.write("/team/doc", "text").await.unwrap();
    ann.write("/team/other", "text").await.unwrap();
    ann.grant("/team", Principal::User("bob".into()), Level::Write).await.unwrap();
    let seen = Episode::new("note", "/Shared/ann/team/doc").key("canary-key").text("canary");
    bob.graph().ingest(seen.fact(fact("canary", "is", "hidden"))).await.unwrap();
    let about = Fact::new(("thing", "x"), "canary", EntityKey::document("/Shared/ann/team/other"));
    bob.graph().ingest(Episode::new("web", "web").fact(about).fact(fact("x", "is", "shown"))).await.unwrap();
    ann.graph().ingest(Episode::new("web", "web").fact(fact("canary", "is", "of ann"))).await.unwrap();
    ann.revoke("/team", Principal::User("bob".into())).await.unwrap();
    let (mut here, mut there) = (server.sync(Peer::new("bob")), laptop.sync(Peer::new("bob").trusted()));
    let (mut to_there, mut to_here) = (here.start().await.unwrap(), there.start().await.unwrap());
    while !(to_there.is_empty() && to_here.is_empty()) {
        for message in std::mem::take(&mut to_there) {
            assert!(!String::from_utf8(message.clone()).unwrap().contains("canary"));
            to_here.extend(there.receive(&message).await.unwrap());
        }
        for message in std::mem::take(&mut to_here) {
            to_there.extend(here.receive(&message).await.unwrap());
        }
    }
    assert_eq!(near(&laptop.context("bob").graph(), "x").await, ["x is shown"]);
    assert_eq!(here.report().episodes_sent, 1);

    // With the right it comes.
    ann.grant("/team", Principal::User("bob".into()), Level::Write).await.unwrap();
    serve(&server, &laptop).await;
    let graph = laptop.context("bob").graph();
    assert_eq!(near(&graph, "canary").await, ["canary is hidden"]);
    assert_eq!(near(&graph, "x").await.len(), 2);
    // And what the laptop says of a document that is out of reach on the server stays outside.
    ann.revoke("/team", Principal::User("bob".into())).await.unwrap();
    graph
        .ingest(Episode::new("note", "/Shared/ann/team/doc").key("late").fact(fact("a", "b", "c")))
        .await
        .unwrap();
    serve(&server, &laptop).await;
    let count = server.read_with(|connection| {
        crate::queries::number(connection, "SELECT count(*) FROM episode WHERE key = 'late'", [])
    });
    assert_eq!(count.await.unwrap(), 0);
}

#[tokio::test]
async fn what_comes_is_counted_and_what_is_forgotten_is_given_back() {
    let (one, other) = two();
    let (here, there) = (one.context("ann").graph(), other.context("ann").graph());
    let bytes = async |hub: &Hub| {
        hub.read_with(|connection| crate::queries::stored_number(connection, "context_bytes")).await.unwrap()
    };
    there.ingest(Episode::new("mail", "inbox").key("0").fact(fact("x", "has", "y"))).await.unwrap();
    exchange(&one, &other, "ann").await;
    let empty = (bytes(&one).await, bytes(&other).await);
    assert_eq!(empty.0, empty.1);
    for round in 0..5 {
        let text = "text ".repeat(round + 1);
        let seen = Episode::new("page", "web").key("p").text(text).fact(fact("x", "has", "y"));
        here.ingest(seen.fact(fact("x", "has", "z"))).await.unwrap();
        exchange(&one, &other, "ann").await;
        assert_eq!(bytes(&one).await, bytes(&other).await);
    }
    assert!(bytes(&other).await > empty.1);
    here.forget("web").await.unwrap();
    exchange(&one, &other, "ann").await;
    assert_eq!((bytes(&one).await, bytes(&other).await), empty);
}

#[tokio::test]
async fn many_episodes_and_long_ones_travel_in_parts() {
    let (one, other) = two();
    let graph = one.context("ann").graph();
    for round in 0..4 {
        let facts = (0..450).map(|n| fact("x", "has", &format!("{round} {n}")));
        graph.ingest(facts.fold(Episode::new("list", "long").key("l"), Episode::fact)).await.unwrap();
    }
    for number in 0..700 {
        let seen = Episode::new("mail", "inbox").key(format!("{number}")).text("word ".repeat(300));
        graph.ingest(seen.fact(fact("y", "has", &format!("{number}")))).await.unwrap();
    }
    let (report, back) = exchange(&one, &other, "ann").await;
    assert!(report.episodes_sent >= 701, "{report:?}");
    assert!(back.episodes_taken >= 701, "{back:?}");
    assert_eq!(sum(&one, "ann").await, sum(&other, "ann").await);
    graph.ingest(Episode::new("mail", "inbox").key("new").fact(fact("y", "has", "more"))).await.unwrap();
    let (report, _) = exchange(&one, &other, "ann").await;
    assert_eq!(report.episodes_sent, 1, "and not all of them again");
}

#[tokio::test]
async fn a_clock_that_is_a_day_ahead_does_not_stop_who_withdraws_or_forgets() {
    let behind = ManualClock::at("2026-01-01T00:00:00Z").unwrap();
    let ahead = ManualClock::at("2026-01-02T00:00:00Z").unwrap();
    let fast = HubBuilder::in_memory().clock(Arc::new(ahead)).open().unwrap();
    let slow = HubBuilder::in_memory().clock(Arc::new(behind)).open().unwrap();
    let (quick, late) = (fast.context("ann").graph(), slow.context("ann").graph());
    let seen = |object: &str| Episode::new("page", "web").key("p").fact(fact("x", "has", object));
    quick.ingest(seen("old")).await.unwrap();
    quick.ingest(Episode::new("mail", "inbox").fact(fact("x", "has", "secret"))).await.unwrap();
    exchange(&fast, &slow, "ann").await;
    late.ingest(seen("new")).await.unwrap();
    late.forget("inbox").await.unwrap();
    for _ in 0..2 {
        exchange(&fast, &slow, "ann").await;
    }
    assert_eq!(near(&quick, "x").await, ["x has new"]);
    assert_eq!(near(&late, "x").await, ["x has new"]);
    late.forget("web").await.unwrap();
    late.ingest(seen("newer")).await.unwrap();
    for _ in 0..2 {
        exchange(&fast, &slow, "ann").await;
    }
    assert_eq!(near(&quick, "x").await, ["x has newer"]);
    assert_eq!(told(&quick, ("thing", "x")).await, told(&late, ("thing", "x")).await);
}

#[tokio::test]
async fn a_relation_whose_name_is_too_long_is_refused_and_stops_no_exchange() {
    let (one, other) = two();
    let (here, there) = (one.context("ann").graph(), other.context("ann").graph());
    let long = "r".repeat(513);
    assert_eq!(here.declare_single(long.clone(), true).await.unwrap_err().kind(), ErrorKind::Invalid);
    here.declare_single("r".repeat(512), true).await.unwrap();
    // Of a file from when it was taken.
    let row = "INSERT INTO relation (owner, name, single, told) VALUES ('ann', ?1, 1, 1)";
    one.write_with(move |rows| rows.writing().execute(row, [long])).await.unwrap();
    here.ingest(Episode::new("web", "web").fact(fact("x", "has", "y"))).await.unwrap();
    let (_, back) = exchange(&one, &other, "ann").await;
    assert_eq!(back.episodes_taken, 2, "{back:?}");
    assert_eq!(near(&there, "x").await, ["x has y"]);
    assert_eq!(sum(&one, "ann").await, sum(&other, "ann").await);
}

/// All ids of episodes of a user, as one finds out who knows what the user reads.
async fn ids(hub: &Hub, user: &'static str) -> Vec<String> {
    let sql = "SELECT hex(uid) FROM episode WHERE owner = ?1";
    let ids = hub.read_with(move |connection| {
        crate::queries::rows(connection, sql, [user], |row| crate::decode::get::<String>(row, 0))
    });
    ids.await.unwrap().into_iter().map(|id| id.to_lowercase()).collect()
}

/// A user says of episodes that they were forgotten, of which nothing is known to the user.
async fn mark(hub: &Hub, user: &'static str, ids: &[String]) {
    let until = hub.now().after(30 * DAY).as_micros();
    let marks: Vec<_> = ids.iter().map(|id| json!({"uid": id, "forgot": until})).collect();
    let part = serde_json::from_value(json!({"sightings": marks})).unwrap();
    hub.write_with(move |rows| crate::graph::join(rows.writing(), user, &part)).await.unwrap();
}

#[tokio::test]
async fn who_names_the_episode_of_another_user_gets_nothing_of_it_and_takes_nothing_away() {
    for is_first in [true, false] {
        let (laptop, server) = two();
        let (here, there) = (laptop.context("ann"), server.context("ann"));
        let seen = |key| Episode::new("mail", "inbox").key(key).text("hidden").fact(fact("x", "has", "y"));
        here.graph().ingest(seen("1")).await.unwrap();
        here.write("/doc", "of [[thing:z]]").await.unwrap();
        assert_eq!(near(&here.graph(), "z").await.len(), 1);
        let ids = ids(&laptop, "ann").await;
        assert_eq!(ids.len(), 2);
        if is_first {
            mark(&server, "bob", &ids).await;
        }
        exchange(&laptop, &server, "ann").await;
        if !is_first {
            assert_eq!(near(&there.graph(), "z").await.len(), 1);
            mark(&server, "bob", &ids).await;
        }
        // The same is told on the server too, by itself.
        there.graph().ingest(seen("1").data(json!(1))).await.unwrap();
        there.append("/doc", "!").await.unwrap();
        exchange(&laptop, &server, "ann").await;
        for context in [&here, &there] {
            assert_eq!(near(&context.graph(), "x").await, ["x has y"], "{is_first}");
            assert_eq!(near(&context.graph(), "z").await.len(), 1, "{is_first}");
        }
        assert_eq!(sum(&laptop, "ann").await, sum(&server, "ann").await);
        let bob = server.context("bob").graph();
        for id in &ids {
            assert!(bob.episode(id).await.unwrap().is_none());
        }
        assert!(near(&bob, "x").await.is_empty());
        let (report, _) = exchange(&server, &Hub::in_memory().unwrap(), "bob").await;
        assert_eq!(report.episodes_sent, 2, "the marks, and nothing else");
        let not_bobs = server.read_with(|connection| {
            let sql = "SELECT count(*) FROM episode WHERE owner = 'bob' AND removed IS NULL";
            crate::queries::number(connection, sql, [])
        });
        assert_eq!(not_bobs.await.unwrap(), 0);
    }
}

/// One change of the graph, or of what it is about; some are refused.
async fn change(rng: &mut Rng, ann: &Context) {
    let name = |rng: &mut Rng| format!("{}", rng.u8(0..4));
    let path = |rng: &mut Rng| format!("/d{}", rng.u8(0..2));
    let graph = ann.graph();
    match rng.u8(0..14) {
        0..=6 => {
            let source = ["mail".to_owned(), "web".to_owned(), path(rng)][rng.usize(0..3)].clone();
            let mut seen =
                Episode::new("seen", source).key(format!("{}", rng.u8(0..3))).at(day(rng.i64(0..4)));
            for _ in 0..rng.usize(0..4) {
                let relation = ["has", "is"][rng.usize(0..2)];
                let fact = match rng.u8(0..4) {
                    0 => Fact::property(("thing", name(rng)), "size", rng.u8(0..3)),
                    1 => Fact::new(("thing", name(rng)), "stands_in", EntityKey::document(path(rng))),
                    _ => fact(&name(rng), relation, &name(rng)),
                };
                let fact =
                    if rng.bool() { fact } else { fact.valid_from(day(rng.i64(0..4))).valid_until(day(9)) };
                seen = seen.fact(fact);
            }
            drop(graph.ingest(seen).await);
        }
        7 => drop(graph.forget(["mail", "web", "/d0", "/d1"][rng.usize(0..4)]).await),
        8 => drop(graph.declare_single(["has", "is"][rng.usize(0..2)], rng.bool()).await),
        9 | 10 => drop(ann.write(&path(rng), format!("of [[thing:{}]]", name(rng))).await),
        11 => drop(ann.remove(&path(rng)).await),
        12 => drop(ann.restore(&path(rng)).await),
        _ => drop(ann.move_to(&path(rng), &path(rng)).await),
    }
}

async fn run(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut replicas: Vec<Replica> = (0..3).map(|number| Replica::new(folder.path(), number)).collect();
    for _ in 0..rng.usize(20..60) {
        let one = rng.usize(0..3);
        match rng.u8(0..10) {
            0..=6 => change(&mut rng, &replicas[one].hub().context("ann")).await,
            7 | 8 => {
                let other = (one + rng.usize(1..3)) % 3;
                let (here, there) = (replicas[one].hub().clone(), replicas[other].hub().clone());
                let breaks = rng.usize(1..60);
                let mut way = Way { rng: rng.fork(), lost: 10, doubled: 10, turned: 10, breaks };
                let (mut here, mut there) = (here.sync(Peer::new("ann")), there.sync(Peer::new("ann")));
                way.carry(&mut here, &mut there).await;
            }
            _ => replicas[one].again(&mut rng).await,
        }
    }
    for (one, other) in [(0, 1), (1, 2), (2, 0), (0, 1), (1, 2), (2, 0)] {
        let (one, other) = (replicas[one].hub(), replicas[other].hub());
        exchange_as(one, other, Peer::new("ann"), Peer::new("ann")).await;
    }
    let first = replicas[0].hub();
    for replica in &replicas[1..] {
        let hub = replica.hub();
        assert_eq!(sum(first, "ann").await, sum(hub, "ann").await, "schedule {seed}");
        for thing in 0..4 {
            let of = ("thing", format!("{thing}"));
            let links = |graph: Graph, of: (&'static str, String)| async move {
                // What documents mention has the times of each replica.
                let mut all = told(&graph, of).await;
                all.retain(|line| !line.contains("links_to"));
                all
            };
            let (one, other) = (first.context("ann").graph(), hub.context("ann").graph());
            let (one, other) = (links(one, of.clone()).await, links(other, of).await);
            assert_eq!(one, other, "schedule {seed}");
        }
    }
    for replica in replicas {
        assert!(replica.hub().check().await.unwrap().is_empty(), "schedule {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn convergence_of_graphs_whatever_happened() {
    let first: u64 = std::env::var("FIRST").ok().and_then(|first| first.parse().ok()).unwrap_or(0);
    for seed in first..first + schedules() {
        run(seed).await;
    }
}
