//! Peers that send what they should not.

use super::{exchange, serve, shown};
use crate::Peer;
use crate::crdt::Body;
use crate::hub::Hub;
use crate::sync::fact::{Fact, Say};
use crate::sync::line::Line;
use crate::sync::name::{Bytes, Uid};
use crate::sync::wire::{Frame, Hello, Known, Message, Operation, Operations, Scope};
use fastrand::Rng;
use serde_json::json;
use vextir_core::context::graph::{Episode, Fact as Seen};
use vextir_core::{ErrorKind, Level, Principal};

/// How many changed messages are tried; `MUTATIONS=100000` is the full campaign.
fn mutations() -> usize {
    std::env::var("MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(1_500)
}

/// A message with something changed in it, so that most stay JSON.
fn mutated(rng: &mut Rng, message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    for _ in 0..rng.usize(1..4) {
        if message.is_empty() {
            break;
        }
        let at = rng.usize(0..message.len());
        match rng.u8(0..12) {
            0 => drop(message.remove(at)),
            1 => message.truncate(at.max(1)),
            2 => message[at] = rng.u8(..),
            3 => {
                let end = (at + rng.usize(0..80)).min(message.len());
                let piece = message[at..end].to_vec();
                let to = rng.usize(0..=message.len());
                message.splice(to..to, piece);
            }
            // Another digit, letter or word in the place of one.
            _ => {
                let near = message[at..].iter().position(u8::is_ascii_alphanumeric).map(|found| at + found);
                if let Some(at) = near {
                    message[at] = match message[at] {
                        b'0'..=b'9' => b"0123456789"[rng.usize(0..10)],
                        b'a'..=b'f' => b"0123456789abcdef"[rng.usize(0..16)],
                        other => other ^ 1,
                    };
                }
            }
        }
    }
    message
}

/// Every document and folder can still be read, by every user, and exchanged.
async fn is_sound(hub: &Hub) {
    for user in ["ann", "bob"] {
        shown(&hub.context(user)).await;
        let fresh = Hub::in_memory().unwrap();
        let (mut here, mut there) = (hub.sync(Peer::new(user)), fresh.sync(Peer::new(user).trusted()));
        assert!(super::Way::good().carry(&mut here, &mut there).await);
    }
    let problem: String = hub
        .read_with(|connection| {
            Ok(connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap())
        })
        .await
        .unwrap();
    assert_eq!(problem, "ok");
}

/// So many exchanges with changed messages in them; how many messages were tried.
async fn bad_exchanges(rng: &mut Rng, rounds: usize) -> usize {
    let (server, laptop) = (Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    let (ann, bob) = (server.context("ann"), laptop.context("bob"));
    ann.write("/private", "untouched").await.unwrap();
    ann.write("/Team/a/plan", "one\n").await.unwrap();
    ann.grant("/Team", Principal::User("bob".into()), Level::Write).await.unwrap();
    serve(&server, &laptop).await;
    let mut tried = 0;
    for round in 0..rounds {
        bob.append("/Shared/ann/Team/a/plan", "x\n").await.unwrap();
        bob.write(&format!("/Shared/ann/Team/{}", round % 7), json!({"n": round})).await.unwrap();
        bob.write(&format!("/own/{}", round % 5), "x".repeat(round % 50)).await.unwrap();
        drop(bob.move_to(&format!("/own/{}", round % 5), &format!("/own/m{}", round % 3)).await);
        drop(bob.remove(&format!("/own/m{}", round % 3)).await);
        let seen =
            Episode::new("mail", "imap:inbox").key(format!("{}", round % 5)).text("of @ann, see [[/own/1]]");
        let fact = Seen::value(("thing", "x"), "holds", round as u64);
        bob.graph().ingest(seen.data(json!({"n": round})).fact(fact)).await.unwrap();
        bob.graph()
            .ingest(Episode::new("note", "/own/2").fact(Seen::new(("a", "b"), "of", ("c", "d"))))
            .await
            .ok();
        let (mut here, mut there) = (server.sync(Peer::new("bob")), laptop.sync(Peer::new("bob").trusted()));
        let (mut to_there, mut to_here) = (here.start().await.unwrap(), there.start().await.unwrap());
        'session: while !(to_there.is_empty() && to_here.is_empty()) {
            for message in std::mem::take(&mut to_here) {
                for _ in 0..rng.usize(0..12) {
                    tried += 1;
                    if let Ok(answers) = here.receive(&mutated(rng, &message)).await {
                        to_there.extend(answers);
                    }
                }
                match here.receive(&message).await {
                    Ok(answers) => to_there.extend(answers),
                    Err(_) => break 'session,
                }
            }
            for message in std::mem::take(&mut to_there) {
                match there.receive(&message).await {
                    Ok(answers) => to_here.extend(answers),
                    Err(_) => break 'session,
                }
            }
        }
    }
    is_sound(&server).await;
    assert_eq!(shown(&ann).await["/private"], "untouched");
    assert_eq!(ann.list("/").await.unwrap().len(), 2, "nothing new beside what is shared");
    tried
}

#[tokio::test]
async fn changed_messages_break_nothing_and_bring_nothing_where_the_peer_has_no_right() {
    let seed = std::env::var("FIRST").ok().and_then(|first| first.parse().ok()).unwrap_or(7);
    let mut rng = Rng::with_seed(seed);
    let mut tried = 0;
    while tried < mutations() {
        tried += bad_exchanges(&mut rng, 20).await;
    }
}

/// One that speaks the protocol, and says what it likes.
struct Liar {
    line: Line,
    session: crate::SyncSession,
}

impl Liar {
    async fn meet(hub: &Hub, user: &str) -> Self {
        let mut liar = Self { line: Line::new(), session: hub.sync(Peer::new(user)) };
        let hello = liar.session.start().await.unwrap();
        liar.line.accept(&hello[0]).unwrap();
        let replica = Uid::random();
        let hello = Hello { user: user.into(), file: Uid::random(), replica, known: Known::default() };
        liar.say(Message::Hello(hello)).await.unwrap();
        liar
    }

    async fn say(&mut self, message: Message) -> vextir_core::Result<Vec<Message>> {
        let mut heard = Vec::new();
        for answer in self.session.receive(&self.line.send(message)?).await? {
            heard.extend(self.line.accept(&answer)?);
        }
        Ok(heard)
    }
}

fn operation(user: &str, node: Uid, facts: Vec<Fact>, body: Option<Vec<u8>>) -> Operation {
    Operation {
        by: Uid([9; 16]),
        n: fastrand::u64(1..1 << 40),
        node,
        folder: false,
        created: 0,
        what: 1,
        at: 0,
        user: user.into(),
        agent: None,
        driver: None,
        cause: None,
        facts,
        body: body.map(Bytes),
    }
}

fn said(clock: i64, say: Say) -> Fact {
    Fact { clock, say, ..place(Uid::of_root("bob"), "any") }
}

fn place(parent: Uid, name: &str) -> Fact {
    let say = Say::Place { parent: Some(parent), name: name.into(), moved: false, stub: false };
    Fact { clock: 1, by: Uid([9; 16]), say }
}

fn told(owner: &str, top: Uid, operation: Operation) -> Message {
    let scope = Scope { top, owner: owner.into() };
    Message::Operations(Operations { scope, operations: vec![operation] })
}

#[tokio::test]
async fn what_is_not_shared_is_refused_as_what_is_not_there() {
    let hub = Hub::in_memory().unwrap();
    let ann = hub.context("ann");
    ann.write("/private/x", "secret").await.unwrap();
    let (root, node) = (Uid::of_root("ann"), Uid::random());
    let mut answers = Vec::new();
    for (owner, top) in [("ann", root), ("carol", Uid::of_root("carol")), ("ann", Uid::random())] {
        let mut liar = Liar::meet(&hub, "bob").await;
        let lie = operation("bob", node, vec![place(top, "mine")], None);
        let said = liar.say(told(owner, top, lie)).await.unwrap();
        answers.push(
            format!("{said:?}").replace(&top.to_string(), "").split("refused").next().unwrap().to_owned(),
        );
        let said = liar.say(Message::Want { scope: top, nodes: vec![root, node] }).await.unwrap();
        assert!(said.is_empty(), "{said:?}");
        let said =
            liar.say(Message::Compare { scope: top, after: None, until: None, nodes: Vec::new() }).await;
        assert!(said.unwrap().is_empty());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(shown(&ann).await.len(), 2);
}

#[tokio::test]
async fn impossible_things_are_refused_whole_and_end_the_exchange() {
    let hub = Hub::in_memory().unwrap();
    let bob = hub.context("bob");
    bob.write("/x", "text").await.unwrap();
    hub.context("ann").write("/y", "of ann").await.unwrap();
    let uid_of = |user: &'static str, name: &'static str| {
        hub.read_with(move |connection| {
            let root = crate::documents::node::root(connection, user)?.unwrap();
            let child = crate::documents::node::child(connection, root.id, name)?.unwrap();
            crate::sync::fact::uid(connection, child.id)
        })
    };
    let (root, x, y) =
        (Uid::of_root("bob"), uid_of("bob", "x").await.unwrap(), uid_of("ann", "y").await.unwrap());
    let mut new = Body::new(1);
    new.set_text("new").unwrap();
    let body = Some(new.take_update());
    let good = operation("bob", Uid::random(), vec![place(root, "good")], body);
    let bad = [
        operation("bob", Uid::random(), vec![place(x, "below a document")], None),
        operation("bob", Uid::random(), vec![place(root, "Shared")], None),
        operation("bob", Uid::random(), vec![place(root, "a/b")], None),
        operation("bob", Uid::random(), vec![place(root, "..")], None),
        operation("bob", Uid::random(), vec![place(root, "")], None),
        operation("bob", root, vec![place(root, "the root itself")], None),
        operation("bob", y, Vec::new(), Some(vec![0, 0])),
        operation("bob", y, vec![place(root, "stolen")], None),
        operation("bob", Uid::random(), vec![place(Uid::of_root("ann"), "in another tree")], None),
        operation("bob", x, Vec::new(), Some(vec![1, 2, 3])),
        Operation { at: i64::MAX, ..good.clone() },
        Operation { n: u64::MAX, ..good.clone() },
        Operation { what: 99, ..good.clone() },
        Operation { user: String::new(), ..good.clone() },
        Operation { folder: true, node: x, n: 1, ..good.clone() },
        operation("bob", x, vec![said(1, Say::Removed { at: Some(-1) })], None),
        operation(
            "bob",
            x,
            vec![said(1, Say::Keep { versions: Some(1), removed: None, over: vec![] })],
            None,
        ),
        Operation {
            folder: true,
            ..operation(
                "bob",
                root,
                vec![said(1, Say::Keep { versions: Some(-1), removed: None, over: vec![] })],
                None,
            )
        },
        operation("bob", x, vec![said(i64::MAX >> 8, Say::Removed { at: None })], None),
    ];
    let before = (shown(&bob).await, shown(&hub.context("ann")).await);
    for lie in bad {
        let mut liar = Liar::meet(&hub, "bob").await;
        let message = Message::Operations(Operations {
            scope: Scope { top: root, owner: "bob".into() },
            operations: vec![good.clone(), lie.clone()],
        });
        let error = liar.say(message).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{lie:?}: {error}");
        assert_eq!((shown(&bob).await, shown(&hub.context("ann")).await), before, "{lie:?}");
    }
    let mut liar = Liar::meet(&hub, "bob").await;
    liar.say(told("bob", root, good)).await.unwrap();
    assert_eq!(shown(&bob).await.len(), before.0.len() + 1);
}

/// A part of a graph with one episode.
fn part(uid: &str, telling: serde_json::Value, said: serde_json::Value) -> Message {
    let sighting = json!({"uid": uid, "telling": telling, "said": said});
    Message::Graph(serde_json::from_value(json!({"sightings": [sighting]})).unwrap())
}

#[tokio::test]
async fn impossible_parts_of_a_graph_are_refused_whole_and_possible_ones_come_once() {
    let hub = Hub::in_memory().unwrap();
    let bob = hub.context("bob");
    let seen = Episode::new("mail", "inbox").key("k").fact(Seen::value(("thing", "x"), "has", 1));
    bob.graph().ingest(seen.clone()).await.unwrap();
    let of_eve = hub.context("eve").graph().ingest(seen).await.unwrap().unwrap().episode.unwrap();
    // What bob's own replica would say.
    let (user, mut wanted) = ("bob", Vec::new());
    let mine = hub
        .read_with(move |connection| {
            for episodes in crate::graph::digests(connection, user)?.parts.into_values() {
                wanted.extend(episodes.into_keys().map(|episode| (episode, 0)));
            }
            crate::graph::part(connection, user, &mut wanted)
        })
        .await
        .unwrap();
    let mine = serde_json::to_value(&mine).unwrap();
    let sighting = &mine["sightings"][0];
    let uid = sighting["uid"].as_str().unwrap();
    let with = |at: &str, value: serde_json::Value| {
        let mut changed = sighting.clone();
        *changed.pointer_mut(at).unwrap_or_else(|| panic!("{at} in {sighting}")) = value;
        part(uid, changed["telling"].clone(), changed["said"].clone())
    };
    let far = 200_000_000_000_000_000_i64;
    let bad = [
        part(&of_eve, sighting["telling"].clone(), json!([])),
        with("/telling/key", json!("another")),
        with("/telling/source", json!({"name": "/of/a/document"})),
        with("/telling/source", json!({"document": uid})),
        with("/telling/told", json!(far)),
        with("/telling/told", json!(i64::MAX)),
        with("/telling/kind", json!("")),
        with("/telling/kind", json!("k".repeat(2_000))),
        with("/said/0/known", json!(far)),
        with("/said/0/from", json!(i64::MAX)),
        with("/said/0/relation", json!("a\u{0}b")),
        with("/said/0/subject", json!({"kind": "document", "key": "no uid"})),
        with("/said/0/object", json!({"value": "no json"})),
        with("/said/0/object", json!({"value": format!("\"{}\"", "x".repeat(20_000))})),
        with(
            "/said",
            json!([sighting["said"][0], {"subject": {"kind": "a", "key": "b"}, "relation": "c",
            "object": {"entity": {"kind": "d", "key": "e"}}, "from": 5, "until": 5, "known": 1}]),
        ),
        with("/said", json!(vec![sighting["said"][0].clone(); 4_096])),
    ];
    let graph = bob.graph();
    let before = format!("{:?}", graph.timeline(("thing", "x"), 9).await.unwrap());
    for lie in bad {
        let mut liar = Liar::meet(&hub, "bob").await;
        let said = format!("{lie:?}").chars().take(500).collect::<String>();
        let error = liar.say(lie).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{said}: {error}");
    }
    let mut liar = Liar::meet(&hub, "bob").await;
    for _ in 0..2 {
        liar.say(with("/said/0/known", sighting["said"][0]["known"].clone())).await.unwrap();
        assert_eq!(liar.session.report().episodes_taken, 0, "it is known");
    }
    // Of what is about something hidden nothing is left, at neither end.
    let ghost = json!({"kind": "thing", "key": "ghost"});
    let hidden = json!({"kind": "document", "key": uid});
    for (subject, object) in [(&hidden, &ghost), (&ghost, &hidden)] {
        let said = json!([{"subject": subject, "relation": "is", "object": {"entity": object}, "from": 5, "known": 5}]);
        liar.say(with("/said", said)).await.unwrap();
    }
    let ghosts = hub.read_with(|connection| {
        crate::queries::number(connection, "SELECT count(*) FROM entity WHERE key = 'ghost'", [])
    });
    assert_eq!(ghosts.await.unwrap(), 0);
    assert_eq!(before, format!("{:?}", graph.timeline(("thing", "x"), 9).await.unwrap()));
}

#[tokio::test]
async fn a_graph_is_changed_by_its_own_user_alone_and_within_its_bounds() {
    let hub = Hub::in_memory().unwrap();
    let seen = Episode::new("mail", "inbox").fact(Seen::value(("thing", "x"), "has", 1));
    let of_eve = hub.context("eve").graph().ingest(seen).await.unwrap().unwrap().episode.unwrap();
    let mut liar = Liar::meet(&hub, "bob").await;
    // Nobody forgets for somebody else.
    let forgot = json!({"sightings": [{"uid": of_eve, "forgot": 9_i64}], "relations": (0..2_000).map(|n| {
        json!({"name": format!("r{n}"), "told": 1, "single": true})
    }).collect::<Vec<_>>()});
    liar.say(Message::Graph(serde_json::from_value(forgot).unwrap())).await.unwrap();
    assert_eq!(hub.context("eve").graph().timeline(("thing", "x"), 9).await.unwrap().links.len(), 1);
    let count =
        hub.read_with(|connection| crate::queries::number(connection, "SELECT count(*) FROM relation", []));
    assert_eq!(count.await.unwrap(), 1_000, "no more than a user may declare");
    assert_eq!(liar.session.report().refused_here, 1_000);
    // Not before both have said what they have.
    let mut early = Liar { line: Line::new(), session: hub.sync(Peer::new("bob")) };
    let hello = early.session.start().await.unwrap();
    early.line.accept(&hello[0]).unwrap();
    let known = Known { more: true, ..Known::default() };
    let hello = Hello { user: "bob".into(), file: Uid::random(), replica: Uid::random(), known };
    early.say(Message::Hello(hello)).await.unwrap();
    let part = Message::Graph(crate::graph::GraphPart::default());
    assert!(early.say(part).await.unwrap_err().to_string().contains("out of turn"));
}

#[tokio::test]
async fn what_waits_for_a_folder_and_for_earlier_edits_too_waits_without_end_but_not_the_writer() {
    let hub = Hub::in_memory().unwrap();
    let bob = hub.context("bob");
    bob.write("/x", "text").await.unwrap();
    let (root, folder, node) = (Uid::of_root("bob"), Uid::random(), Uid::random());
    let mut body = Body::new(5);
    body.set_text("the first edit, which is never told").unwrap();
    drop(body.take_update());
    body.set_text("the second edit").unwrap();
    let late = operation("bob", node, vec![place(folder, "n")], Some(body.take_update()));
    let folder = Operation { folder: true, ..operation("bob", folder, vec![place(root, "p")], None) };
    let mut liar = Liar::meet(&hub, "bob").await;
    let all = async {
        liar.say(told("bob", root, late)).await.unwrap();
        liar.say(told("bob", root, folder)).await.unwrap();
        bob.write("/y", "others go on").await.unwrap();
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), all).await.expect("the writer hangs");
    is_sound(&hub).await;
}

#[tokio::test]
async fn messages_of_another_exchange_or_of_none_change_nothing() {
    let (one, other) = (Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    one.context("ann").write("/x", "1").await.unwrap();
    let (mut here, mut there) = (one.sync(Peer::new("ann")), other.sync(Peer::new("ann")));
    let mut recorded = Vec::new();
    let (mut to_there, mut to_here) = (here.start().await.unwrap(), there.start().await.unwrap());
    while !(to_there.is_empty() && to_here.is_empty()) {
        for message in std::mem::take(&mut to_there) {
            recorded.push(message.clone());
            to_here.extend(there.receive(&message).await.unwrap());
            assert!(there.receive(&message).await.unwrap().len() <= 1, "twice is once");
        }
        for message in std::mem::take(&mut to_here) {
            to_there.extend(here.receive(&message).await.unwrap());
        }
    }
    let third = Hub::in_memory().unwrap();
    let mut replayed = third.sync(Peer::new("ann"));
    replayed.start().await.unwrap();
    replayed.receive(&recorded[0]).await.unwrap();
    for message in &recorded[1..] {
        assert!(replayed.receive(message).await.is_err());
    }
    assert_eq!(shown(&third.context("ann")).await.len(), 0);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for message in ["", "{}", "null", "{\"v\":1}", "{\"v\":2}", deep.as_str()] {
        assert!(replayed.receive(message.as_bytes()).await.is_err());
    }
    assert!(Frame::decode(&vec![b' '; super::super::wire::MESSAGE + 1]).is_err());
    let mut wrong = other.sync(Peer::new("bob"));
    wrong.start().await.unwrap();
    assert!(wrong.receive(&recorded[0]).await.is_err(), "on behalf of another user");
    assert_eq!(wrong.receive(&recorded[0]).await.unwrap_err().kind(), ErrorKind::Closed);
    exchange(&one, &other, "ann").await;
}
