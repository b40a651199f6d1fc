//! Replicas that saw the same changes show the same document, whatever happened on the way.

use crate::crdt::{Body, Content};
use fastrand::Rng;
use serde_json::{Map, Value, json};
use vextir_core::ErrorKind;

/// How many random schedules are run; `SCHEDULES=10000` is the full campaign.
fn schedules() -> u64 {
    std::env::var("SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(40)
}

/// A small value out of few names, so that replicas meet often.
fn value(rng: &mut Rng, depth: usize) -> Value {
    match rng.usize(0..if depth > 0 { 8 } else { 5 }) {
        0 => Value::Null,
        1 => Value::from(rng.u8(0..4)),
        2 => Value::from(rng.bool()),
        3 => Value::from(["", "x", "y/~"][rng.usize(0..3)]),
        4 => Value::from("ab c\n".repeat(rng.usize(38..45))),
        5 => Value::Array((0..rng.usize(0..4)).map(|_| value(rng, depth - 1)).collect()),
        6 => {
            let mut object = object(rng, depth);
            object["id"] = Value::from(rng.u8(0..4));
            object
        }
        _ => object(rng, depth),
    }
}

fn object(rng: &mut Rng, depth: usize) -> Value {
    let member = |rng: &mut Rng| (["a", "b", "c", "a-b"][rng.usize(0..4)].to_owned(), value(rng, depth - 1));
    Value::Object((0..rng.usize(0..4)).map(|_| member(rng)).collect::<Map<_, _>>())
}

/// A value with one array in it changed a little.
fn nudged(rng: &mut Rng, value: &mut Value) {
    match value {
        Value::Array(items) => match rng.usize(0..5) {
            0 => items.push(self::value(rng, 2)),
            1 if !items.is_empty() => drop(items.remove(rng.usize(0..items.len()))),
            2 => rng.shuffle(items),
            _ => items.iter_mut().for_each(|item| nudged(rng, item)),
        },
        Value::Object(members) => members.values_mut().for_each(|member| nudged(rng, member)),
        Value::String(text) if text.len() > 20 => text.insert_str(0, &"üx"[..2 + rng.usize(0..2)]),
        _ => {}
    }
}

/// One change by one replica, which must show what was written.
fn change(rng: &mut Rng, body: &mut Body) {
    match (rng.usize(0..10), body.content()) {
        (0, _) => {
            let new = value(rng, 3);
            body.set_json(&new).unwrap();
            assert_eq!(body.content(), Content::Json(new));
        }
        (1, _) => {
            let text = "one\ntwo 🦀\n".repeat(rng.usize(0..4));
            body.set_text(&text).unwrap();
            assert_eq!(body.content(), Content::Text(text));
        }
        (2, _) => {
            let metadata = object(rng, 2);
            body.set_metadata(&metadata).unwrap();
            assert_eq!(body.metadata(), metadata);
        }
        (3..=6, Content::Json(mut new)) => {
            nudged(rng, &mut new);
            body.set_json(&new).unwrap();
            assert_eq!(body.content(), Content::Json(new));
        }
        (_, Content::Json(_)) => body.patch(&object(rng, 3)).unwrap(),
        (_, Content::Text(text)) => {
            let length = text.chars().count();
            let start = rng.usize(0..=length);
            let end = rng.usize(start..=length.min(start + 3));
            let piece = ["", "é", "🦀", "word "][rng.usize(0..4)];
            let mut signs: Vec<char> = text.chars().collect();
            signs.splice(start..end, piece.chars());
            body.splice(start..end, piece).unwrap();
            assert_eq!(body.content(), Content::Text(signs.into_iter().collect()));
        }
    }
}

struct Replica {
    body: Body,
    backup: Vec<u8>,
    inbox: Vec<Vec<u8>>,
}

struct World {
    rng: Rng,
    replicas: Vec<Replica>,
    clients: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let replica = |client| {
            let body = Body::new(client);
            Replica { backup: body.state(), body, inbox: Vec::new() }
        };
        Self { rng: Rng::with_seed(seed), replicas: (1..=3).map(replica).collect(), clients: 3 }
    }

    fn step(&mut self) {
        let at = self.rng.usize(0..3);
        let other = (at + self.rng.usize(1..3)) % 3;
        match self.rng.usize(0..20) {
            0..8 => change(&mut self.rng, &mut self.replicas[at].body),
            8..11 => self.send(at),
            11..16 => self.receive(at),
            16 => self.repair(at, other),
            17 => self.replicas[at].backup = self.replicas[at].body.state(),
            18 => {
                let state = self.replicas[at].body.state();
                self.restart(at, &state);
            }
            _ => {
                let backup = self.replicas[at].backup.clone();
                self.restart(at, &backup);
            }
        }
    }

    fn send(&mut self, from: usize) {
        let update = self.replicas[from].body.take_update();
        for to in (0..3).filter(|to| *to != from) {
            // None is a loss, two is a duplicate.
            for _ in 0..[0, 1, 1, 1, 2][self.rng.usize(0..5)] {
                self.replicas[to].inbox.push(update.clone());
            }
        }
    }

    fn receive(&mut self, at: usize) {
        let replica = &mut self.replicas[at];
        if replica.inbox.is_empty() {
            return;
        }
        let update = replica.inbox.swap_remove(self.rng.usize(0..replica.inbox.len()));
        let before = replica.body.content();
        match replica.body.apply(&update) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Gap => assert_eq!(replica.body.content(), before),
            Err(error) => panic!("{error:?}"),
        }
    }

    fn repair(&mut self, at: usize, from: usize) {
        let update = self.replicas[from].body.since(&self.replicas[at].body.vector()).unwrap();
        self.replicas[at].body.apply(&update).unwrap();
    }

    /// A new incarnation begins with this state. What it had written since is lost, unless others have it.
    fn restart(&mut self, at: usize, state: &[u8]) {
        self.clients += 1;
        self.replicas[at].body = Body::load(self.clients, state).unwrap();
    }

    fn settle(&mut self) {
        for (at, from) in [(0, 1), (0, 2), (1, 0), (2, 0)] {
            self.repair(at, from);
        }
    }

    fn check(&self, seed: u64) {
        let [one, rest @ ..] = self.replicas.as_slice() else { return };
        for other in rest {
            assert_eq!(one.body.content(), other.body.content(), "seed {seed}");
            assert_eq!(one.body.metadata(), other.body.metadata(), "seed {seed}");
        }
        let loaded = Body::load(1_000, &one.body.state()).unwrap();
        assert_eq!(loaded.content(), one.body.content(), "seed {seed}");
        assert_eq!(loaded.metadata(), one.body.metadata(), "seed {seed}");
    }
}

#[test]
fn three_replicas_converge_through_reorder_loss_duplicates_crashes_and_restores() {
    for seed in 0..schedules() {
        let mut world = World::new(seed);
        for _ in 0..3 {
            for _ in 0..40 {
                world.step();
            }
            world.settle();
            world.check(seed);
        }
    }
}

#[test]
fn updates_that_were_taken_make_the_same_document_as_the_state() {
    let mut rng = Rng::with_seed(5);
    let (mut body, mut follower) = (Body::new(1), Body::new(2));
    for _ in 0..200 {
        change(&mut rng, &mut body);
        if rng.bool() {
            follower.apply(&body.take_update()).unwrap();
            assert_eq!((follower.content(), follower.metadata()), (body.content(), body.metadata()));
        }
    }
}

#[test]
fn an_update_before_its_time_is_a_gap_and_changes_nothing() {
    let (mut body, mut follower) = (Body::new(1), Body::new(2));
    body.set_json(&json!({"a": 1})).unwrap();
    let first = body.take_update();
    body.patch(&json!({"a": 2, "b": []})).unwrap();
    let second = body.take_update();
    assert_eq!(follower.apply(&second).unwrap_err().kind(), ErrorKind::Gap);
    assert_eq!(follower.content(), Content::Text(String::new()));
    follower.apply(&first).unwrap();
    follower.apply(&second).unwrap();
    follower.apply(&first).unwrap();
    assert_eq!(follower.content(), body.content());
}
