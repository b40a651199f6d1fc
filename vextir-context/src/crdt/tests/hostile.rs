//! Updates that were made to do harm, or that were harmed on the way.

use crate::crdt::{Body, Content, limits};
use fastrand::Rng;
use serde_json::{Value, json};
use vextir_core::ErrorKind;
use yrs::{Any, Array, Doc, In, Map, MapPrelim, ReadTxn, StateVector, Text, Transact, WriteTxn};

/// How many mutated updates are tried; `MUTATIONS=100000` is the full campaign.
fn mutations() -> usize {
    std::env::var("MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000)
}

/// Updates of every kind of content, each for the document that the ones before it made.
fn updates() -> Vec<Vec<u8>> {
    let mut body = Body::new(0x1234_5678);
    let mut updates = Vec::new();
    body.set_json(&json!({"a": 1, "list": [1, {"id": 1, "x": [2]}], "long": "word ".repeat(60)})).unwrap();
    updates.push(body.take_update());
    body.patch(&json!({"a": u64::MAX, "list": [{"id": 1, "x": [3]}, 1], "b": {"c": 1.5}})).unwrap();
    updates.push(body.take_update());
    body.set_text("a text with 🦀").unwrap();
    body.set_metadata(&json!({"k": null})).unwrap();
    updates.push(body.take_update());
    body.splice(2..6, "word").unwrap();
    updates.push(body.take_update());
    updates
}

fn mutate(rng: &mut Rng, update: &mut Vec<u8>) {
    for _ in 0..rng.usize(1..5) {
        let at = rng.usize(0..update.len());
        match rng.usize(0..6) {
            0 => update[at] = rng.u8(..),
            1 => update[at] ^= 1 << rng.u8(0..8),
            2 => update.insert(at, rng.u8(..)),
            3 if update.len() > 1 => drop(update.remove(at)),
            4 if at > 0 => update.truncate(at),
            _ => {
                let piece = update[at..update.len().min(at + 8)].to_vec();
                let to = rng.usize(0..update.len());
                update.splice(to..to, piece);
            }
        }
    }
}

/// The document still shows, takes writes, stores and loads.
fn works(body: &mut Body) {
    let shown = body.content();
    body.metadata();
    let loaded = Body::load(77, &body.state()).unwrap();
    assert_eq!(loaded.content(), shown);
    let value = json!({"list": [1, {"id": 1}], "a": {"b": 2}, "long": "new ".repeat(80)});
    body.set_json(&value).unwrap();
    assert_eq!(body.content(), Content::Json(value));
    body.set_text("back to text").unwrap();
    assert_eq!(body.content(), Content::Text("back to text".to_owned()));
}

#[test]
fn mutated_updates_are_refused_or_harmless() {
    let mut rng = Rng::with_seed(11);
    let updates = updates();
    let bases: Vec<_> = (0..updates.len())
        .map(|count| {
            let mut base = Body::new(9);
            updates[..count].iter().for_each(|update| base.apply(update).unwrap());
            base.state()
        })
        .collect();
    let mut taken = 0;
    for round in 0..mutations() {
        let at = round % updates.len();
        let mut update = updates[at].clone();
        mutate(&mut rng, &mut update);
        let mut body = Body::load(9, &bases[at]).unwrap();
        let before = (body.content(), body.metadata(), body.vector());
        match body.apply(&update) {
            Ok(()) => {
                taken += 1;
                works(&mut body);
            }
            Err(error) => {
                let told = format!("{error:?}");
                assert!(!told.contains("broke the CRDT library"), "{told}");
                assert_eq!((body.content(), body.metadata(), body.vector()), before);
            }
        }
    }
    println!("{taken} of {} mutated updates were taken in", mutations());
}

#[test]
fn mutated_vectors_and_states_are_refused_or_harmless() {
    let mut rng = Rng::with_seed(12);
    let mut body = Body::new(1);
    updates().iter().for_each(|update| body.apply(update).unwrap());
    let (vector, state) = (body.vector(), body.state());
    for _ in 0..mutations() {
        let mut bytes = vector.clone();
        mutate(&mut rng, &mut bytes);
        let _ = body.since(&bytes);
        let mut bytes = state.clone();
        mutate(&mut rng, &mut bytes);
        if let Ok(loaded) = Body::load(2, &bytes) {
            loaded.content();
        }
    }
}

/// Found by mutation: an operation whose right neighbour stands to the left of its left one. Where it lands depends on
/// what else is taken in with it, so the document would show something else when it is loaded again.
#[test]
fn an_operation_between_neighbours_in_the_wrong_order_is_refused() {
    let mut body = Body::new(0x1234_5678);
    body.set_text("a text with 🦀").unwrap();
    let mut follower = Body::new(9);
    follower.apply(&body.take_update()).unwrap();
    body.splice(2..6, "word").unwrap();
    let mut update = body.take_update();
    let word = update.windows(4).position(|piece| piece == b"word").unwrap();
    let client: [u8; 5] = update[2..7].try_into().unwrap();
    let origin = word - 8;
    assert_eq!((&update[origin - 5..origin], update[origin], update[origin + 6]), (&client[..], 5, 6));
    update[origin] = 9;
    let error = follower.apply(&update).unwrap_err();
    assert!(error.to_string().contains("order"), "{error}");
    works(&mut follower);
}

/// An update made with the CRDT library itself, as a program of somebody else could.
fn foreign(make: impl FnOnce(&mut yrs::TransactionMut<'_>)) -> Vec<u8> {
    let doc = Doc::with_client_id(66);
    let mut txn = doc.transact_mut();
    make(&mut txn);
    txn.encode_diff_v1(&StateVector::default())
}

fn refused(update: &[u8]) -> String {
    let mut body = Body::new(1);
    body.set_text("untouched").unwrap();
    let error = body.apply(update).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(body.content(), Content::Text("untouched".to_owned()));
    error.to_string()
}

#[test]
fn content_that_is_not_of_ours_is_refused() {
    // One value in the list, an array in an array in an array, without end.
    let deep = [&[1, 1, 66, 0, 0x08, 1, 1, b'c', 1][..], &[117, 1].repeat(1_000_000)].concat();
    assert!(refused(&deep).contains("nested"));
    let nan = foreign(|txn| {
        txn.get_or_insert_array("c").insert(txn, 0, f64::NAN);
    });
    assert!(refused(&nan).contains("number"));
    let elsewhere = foreign(|txn| {
        txn.get_or_insert_array("z").insert(txn, 0, 1);
    });
    assert!(refused(&elsewhere).contains("unknown name"));
    let kind = foreign(|txn| {
        txn.get_or_insert_array("c").insert(txn, 0, MapPrelim::from([("k", 1)]));
    });
    assert!(refused(&kind).contains("do not have"));
    let map = foreign(|txn| {
        txn.get_or_insert_map("c").insert(txn, "", 1);
    });
    assert!(refused(&map).contains("inside of content"));
    let marked = foreign(|txn| {
        let text = txn.get_or_insert_text("c:");
        text.insert(txn, 0, "bold");
        text.format(txn, 0, 4, [("b".into(), true.into())].into());
    });
    assert!(refused(&marked).contains("do not have"));
}

#[test]
fn content_in_wrong_places_is_refused() {
    let mixed = foreign(|txn| txn.get_or_insert_array("c:").insert_range(txn, 0, [1, 2]));
    assert!(refused(&mixed).contains("something else"));
    let bare = foreign(|txn| txn.get_or_insert_array("c").insert_range(txn, 0, [1, 2]));
    assert!(refused(&bare).contains("without a key"));
    let crab = foreign(|txn| txn.get_or_insert_text("c").insert(txn, 0, "🦀🦀"));
    assert!(refused(&crab).contains("text in it"));
    let id = || In::Any(Any::Buffer(b"abcdefgh".as_slice().into()));
    let twice = foreign(|txn| {
        txn.get_or_insert_array("c[").insert(txn, 0, id());
        txn.get_or_insert_array("c[/a").insert(txn, 0, id());
    });
    assert!(refused(&twice).contains("two arrays"));
    let circle = foreign(|txn| {
        txn.get_or_insert_array("c[abcdefgh").insert(txn, 0, id());
    });
    assert!(refused(&circle).contains("one another"));
}

#[test]
fn lengths_that_nothing_stands_behind_are_refused() {
    let most = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
    for start in
        [&[][..], &[1], &[1, 1], &[1, 1, 5], &[1, 1, 5, 0], &[1, 1, 5, 0, 0], &[0], &[0, 1], &[0, 1, 5]]
    {
        refused(&[start, &most].concat());
        refused(&[start, &most, &[1, 1]].concat());
        refused(&[start, &[0xFF; 20]].concat());
    }
    refused(&vec![0; limits::UPDATE + 1]);
    let mut body = Body::new(1);
    assert!(body.since(&[9; 3]).is_err());
    assert!(body.apply(&[]).is_ok());
}

/// Found by mutation of states: reading such a document took for ever.
#[test]
fn an_operation_beside_itself_is_refused() {
    let beside_itself = [&[1, 1, 66, 0, 0x84, 66, 0, 1, b'x'][..], &[0]].concat();
    assert!(refused(&beside_itself).contains("beside itself"));
}

#[test]
fn an_update_under_our_own_id_is_a_conflict() {
    let mut original = Body::new(5);
    original.set_text("one").unwrap();
    let mut copy = Body::load(5, &original.state()).unwrap();
    original.set_text("one two").unwrap();
    copy.set_text("one!").unwrap();
    let error = copy.apply(&original.since(&copy.vector()).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("fresh id"));
}

#[test]
fn what_is_too_large_is_refused_before_anything_is_written() {
    let mut body = Body::new(1);
    body.set_json(&json!({"kept": true})).unwrap();
    let before = body.state();
    let deep = (0..limits::DEPTH + 1).fold(Value::Null, |inner, _| json!([inner]));
    let wide = Value::Array(vec![Value::Null; limits::LEAVES]);
    let long = Value::from("x".repeat(limits::BYTES + 1));
    let name = json!({ "n".repeat(limits::KEY + 1): 1 });
    for value in [deep, wide, long, name] {
        assert_eq!(body.set_json(&value).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(body.patch(&value).unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert!(body.set_text(&"x".repeat(limits::BYTES + 1)).is_err());
    assert!(body.splice(0..0, "no text").is_err());
    assert_eq!(body.state(), before);
    body.set_text("four").unwrap();
    let error = body.splice(2..9, "").unwrap_err();
    assert!(error.to_string().contains("has 4"), "{error}");
    #[expect(clippy::reversed_empty_ranges, reason = "a caller may be wrong")]
    let reversed = body.splice(3..2, "");
    assert!(reversed.is_err());
}
