//! How long the past is kept: versions, history, and what was removed.

use crate::{DAY, hub, refused, text};
use serde_json::json;
use std::time::Duration;
use vextir_core::context::{Deed, Keep};
use vextir_core::{Clock, Cursor, ErrorKind, Level};

#[tokio::test]
async fn old_versions_go_and_those_that_stay_are_rebuilt() {
    let (hub, clock) = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    bob.write("/b", "x").await.unwrap();
    let begin: Cursor = ann.watch("/").await.unwrap().cursor();
    let mut times = Vec::new();
    for day in 0..6 {
        ann.append("/notes/a", format!("day {day}\n")).await.unwrap();
        ann.write("/notes/json", json!({"day": day, format!("k{day}"): [day]})).await.unwrap();
        bob.append("/b", "x").await.unwrap();
        times.push(clock.now());
        clock.advance(DAY);
    }
    assert_eq!(hub.tidy().await.unwrap().changes, 0, "for ever is the default");
    ann.keep("/notes", Keep::new().versions(3 * DAY)).await.unwrap();
    // The change is stored by now, and nothing of what is kept is the last one.
    let before = hub.context("ann").history("/notes/a", 99).await.unwrap();
    assert_eq!(before.len(), 6);
    let tidied = hub.tidy().await.unwrap();
    assert_eq!(
        (tidied.nodes, tidied.changes),
        (0, 7),
        "three of each document, and that the folder was made"
    );

    refused(ann.at_version(3).read("/notes/a").await, ErrorKind::Gap, "version 3 is not kept");
    refused(ann.at(times[1]).read("/notes/a").await, ErrorKind::Gap, "not kept");
    refused(ann.diff("/notes/a", 1, 6).await, ErrorKind::Gap, "version 1");
    let lines = |count: usize| (0..count).map(|day| format!("day {day}\n")).collect::<String>();
    for version in 4..=6 {
        assert_eq!(
            text(&ann.at_version(version), "/notes/a").await,
            lines(usize::try_from(version).unwrap())
        );
    }
    assert_eq!(text(&ann.at(times[3]), "/notes/a").await, lines(4));
    assert_eq!(text(&ann, "/notes/a").await, lines(6));
    let fourth = ann.at_version(4).read("/notes/json").await.unwrap().unwrap();
    assert_eq!(fourth.content, json!({"day": 3, "k3": [3]}).into());
    let kept = ann.history("/notes/a", 99).await.unwrap();
    assert_eq!(kept.iter().map(|revision| revision.version).collect::<Vec<_>>(), [6, 5, 4]);
    assert_eq!(text(&bob.at_version(1), "/b").await, "x", "nobody else's");

    // It goes on from there as if nothing had been.
    let stale = ann.write("/notes/a", "mine").based_on(2).await;
    refused(stale, ErrorKind::Conflict, "version 2");
    ann.write("/notes/a", lines(4).replace("day 0", "DAY 0")).based_on(4).await.unwrap();
    assert_eq!(text(&ann, "/notes/a").await, lines(6).replace("day 0", "DAY 0"));
    assert_eq!(hub.tidy().await.unwrap().changes, 0, "there is nothing more to do");

    let mut late = ann.watch_from("/", &begin).await.unwrap();
    refused(late.next().await.unwrap().map(|changed| changed.path), ErrorKind::Gap, "not kept");
    let mut other = bob.watch_from("/", &begin).await.unwrap();
    assert_eq!(other.next().await.unwrap().unwrap().path, "/b", "nobody else is told");
}

#[tokio::test]
async fn a_trimmed_document_can_be_trimmed_again_and_moved_and_restored() {
    let (hub, clock) = hub();
    let ann = hub.context("ann");
    ann.set_guide("/f", "first").await.unwrap();
    ann.keep("/f", Keep::new().versions(DAY)).await.unwrap();
    for round in 0..5 {
        for _ in 0..10 {
            ann.append("/f/a", "x").await.unwrap();
            clock.advance(DAY / 10);
        }
        ann.set_guide("/f", format!("round {round}")).await.unwrap();
        ann.move_to("/f/a", "/f/b").await.unwrap();
        ann.remove("/f/b").await.unwrap();
        clock.advance(2 * DAY);
        ann.write("/other", "moves the head").await.unwrap();
        hub.tidy().await.unwrap();
        let gone = ann.at(clock.now().before(DAY / 2)).read("/f/b").await.unwrap();
        assert!(gone.is_none(), "it was removed then, which is still known");
        ann.restore("/f/b").await.unwrap();
        ann.move_to("/f/b", "/f/a").await.unwrap();
        assert_eq!(text(&ann, "/f/a").await, "x".repeat(10 * (round + 1)));
        assert_eq!(ann.guide("/f").await.unwrap().unwrap(), format!("round {round}"));
    }
    let document = ann.read("/f/a").await.unwrap().unwrap();
    assert_eq!(document.version, 50);
    assert!(ann.history("/f/a", 99).await.unwrap().len() < 20);
}

#[tokio::test]
async fn what_was_removed_goes_for_good_when_its_time_is_over() {
    let (hub, clock) = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    for number in 0..300 {
        ann.write(&format!("/old/{}/{number}", number % 7), format!("secret {number}")).await.unwrap();
    }
    let cursor = bob.watch("/").await.unwrap().cursor();
    ann.write("/old/shared", "for bob").await.unwrap();
    ann.grant("/old/shared", "bob", Level::Write).await.unwrap();
    ann.write("/kept", "x").await.unwrap();
    let mut watch = ann.watch("/").await.unwrap();
    clock.advance(Duration::from_secs(1));
    let then = clock.now();
    clock.advance(DAY);
    ann.remove("/old/1").await.unwrap();
    ann.remove("/old").await.unwrap();
    clock.advance(89 * DAY);
    assert_eq!(hub.tidy().await.unwrap().nodes, 0);
    assert_eq!(text(&ann.at(then), "/old/shared").await, "for bob");
    clock.advance(2 * DAY);
    ann.write("/new", "y").await.unwrap();
    let tidied = hub.tidy().await.unwrap();
    assert_eq!(tidied.nodes, 300 + 7 + 2);

    refused(ann.restore("/old").await, ErrorKind::NotFound, "nothing at /old");
    refused(ann.history("/old/shared", 9).await, ErrorKind::NotFound, "nothing at");
    refused(ann.at(then).read("/old/shared").await, ErrorKind::Gap, "not kept");
    refused(bob.at(then).read("/Shared/ann/shared").await, ErrorKind::Gap, "not kept");
    assert!(ann.at(clock.now()).read("/old/shared").await.unwrap().is_none());
    assert!(bob.read("/Shared/ann/shared").await.unwrap().is_none());
    assert!(bob.list("/Shared").await.unwrap().is_empty());
    assert_eq!(watch.next().await.unwrap().unwrap_err().kind(), ErrorKind::Gap);
    let mut later = bob.watch_from("/Shared", &cursor).await.unwrap();
    assert_eq!(later.next().await.unwrap().unwrap_err().kind(), ErrorKind::Gap);
    assert_eq!(text(&ann, "/kept").await, "x");

    // The path of what was shared comes to mean nothing else.
    ann.write("/old/shared", "for herself").await.unwrap();
    ann.write("/again/shared", "for bob again").await.unwrap();
    ann.grant("/again/shared", "bob", Level::Read).await.unwrap();
    assert!(bob.read("/Shared/ann/shared").await.unwrap().is_none());
    assert_eq!(text(&bob, "/Shared/ann/shared (2)").await, "for bob again");
    assert_eq!(hub.tidy().await.unwrap().nodes, 0);
}

#[tokio::test]
async fn the_last_numbers_are_not_given_again() {
    let (hub, clock) = hub();
    let ann = hub.context("ann");
    ann.keep("/", Keep::new().removed(Duration::ZERO)).await.unwrap_err();
    ann.write("/a", "x").await.unwrap();
    ann.keep("/", Keep::new().removed(Duration::ZERO).versions(Duration::ZERO)).await.unwrap();
    let mut watch = ann.watch("/").await.unwrap();
    ann.write("/last", "secret").await.unwrap();
    ann.remove("/last").await.unwrap();
    clock.advance(DAY);
    hub.tidy().await.unwrap();
    refused(ann.restore("/last").await, ErrorKind::NotFound, "nothing");
    ann.write("/next", "y").await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap_err().kind(), ErrorKind::Gap);
    let mut watch = ann.watch("/").await.unwrap();
    ann.write("/next", "z").await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().version, 2);
    let rows = ann.query("SELECT path FROM documents ORDER BY path").await.unwrap();
    assert_eq!(rows, [json!({"path": "/a"}), json!({"path": "/next"})]);
}

#[tokio::test]
async fn how_long_is_said_by_administrators_of_folders_and_holds_below() {
    let (hub, clock) = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/f/in/a", "1").await.unwrap();
    ann.grant("/f", "bob", Level::Write).await.unwrap();
    refused(bob.keep("/Shared/ann/f", Keep::new().versions(DAY)).await, ErrorKind::Denied, "Admin");
    refused(ann.keep("/f/in/a", Keep::new()).await, ErrorKind::Invalid, "folder");
    refused(ann.keep("/none", Keep::new()).await, ErrorKind::NotFound, "nothing");
    refused(hub.context("eve").keep("/Shared/ann/f", Keep::new()).await, ErrorKind::NotFound, "nothing");
    ann.grant("/f", "bob", Level::Admin).await.unwrap();
    let keep = Keep::new().versions(30 * DAY).removed(Duration::MAX);
    bob.keep("/Shared/ann/f", keep).await.unwrap();
    assert_eq!(ann.access("/f").await.unwrap().unwrap().keep, keep);
    let said = ann.history("/f", 1).await.unwrap().remove(0);
    assert_eq!((said.what, said.by.user.as_str()), (Deed::Kept, "bob"));
    ann.grant("/f", "bob", Level::Read).await.unwrap();
    assert_eq!(
        bob.access("/Shared/ann/f").await.unwrap().unwrap().keep,
        Keep::new(),
        "administrators are told"
    );

    ann.keep("/f/in", Keep::new().versions(2 * DAY)).await.unwrap();
    ann.write("/f/b", "1").await.unwrap();
    for path in ["/f/in/a", "/f/b"] {
        clock.advance(DAY);
        ann.write(path, "2").await.unwrap();
    }
    ann.remove("/f/b").await.unwrap();
    clock.advance(10 * DAY);
    ann.write("/head", "").await.unwrap();
    hub.tidy().await.unwrap();
    refused(ann.at_version(1).read("/f/in/a").await, ErrorKind::Gap, "version 1");
    assert_eq!(text(&ann.at_version(1), "/f/b").await, "1", "30 days");
    clock.advance(1_000 * DAY);
    assert_eq!(hub.tidy().await.unwrap().nodes, 0, "for ever");
    ann.restore("/f/b").await.unwrap();
    assert_eq!(text(&ann, "/f/b").await, "2");
}

/// What others say about a document stays when it goes, and does no harm.
#[tokio::test]
async fn a_graph_outlives_a_document_that_it_names() {
    use vextir_core::context::graph::{EntityKey, Episode, Fact};
    let (hub, clock) = hub();
    let ann = hub.context("ann");
    ann.write("/Notes/a", "x").await.unwrap();
    ann.write("/Notes/b", "see [[/Notes/a]]").await.unwrap();
    let fact = Fact::new(("person", "bob"), "wrote", EntityKey::document("/Notes/a"));
    ann.graph().ingest(Episode::new("mail", "inbox").fact(fact)).await.unwrap();
    ann.write("/Notes/last", "x").await.unwrap();
    ann.remove("/Notes/a").await.unwrap();
    clock.advance(DAY * 91);
    assert!(hub.tidy().await.unwrap().nodes > 0);
    let bob = EntityKey::new("person", "bob");
    assert!(ann.graph().neighbours(&bob).await.unwrap().links.is_empty());
    ann.graph().timeline(&bob, 10).await.unwrap();
    for table in ["links", "entities"] {
        ann.query(format!("SELECT * FROM {table}")).await.unwrap();
    }
    ann.graph().forget("inbox").await.unwrap();
    assert_eq!(hub.check().await.unwrap(), [] as [&str; 0]);
}
