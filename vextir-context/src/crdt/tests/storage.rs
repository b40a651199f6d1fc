//! What a document takes in the file.

use crate::crdt::Body;
use serde_json::{Map, Value};

/// A client as the hub draws it: most of 53 bits.
const CLIENT: u64 = 0x001B_3C5D_7E9F_0A2C;

fn fifty_keys() -> Value {
    let member = |at: usize| (format!("key{at:05}"), Value::from(format!("value{at}")));
    Value::Object((0..50).map(member).collect::<Map<_, _>>())
}

/// The state and the canonical text of the content.
fn size(body: &Body) -> usize {
    body.state().len() + super::value(body).to_string().len()
}

fn write(body: &mut Body, round: usize) {
    let name = format!("key{:05}", round * 7 % 50);
    body.patch(&serde_json::json!({ name: format!("new{round}") })).unwrap();
}

/// cr-sqlite keeps such a document in 5,257 bytes, a row for each key.
#[test]
fn fifty_keys_take_less_than_half_of_a_row_for_each() {
    let mut body = Body::new(CLIENT);
    body.set_json(&fifty_keys()).unwrap();
    write(&mut body, 0);
    let once = size(&body);
    for round in 1..100 {
        write(&mut body, round);
    }
    let often = size(&body);
    println!("50 keys: {once} bytes after 1 write, {often} after 100");
    assert!(once < 2_200, "{once} bytes after one write");
    assert!(often < 2_300, "{often} bytes after a hundred");
}

#[test]
fn writing_again_and_again_leaves_nothing_behind() {
    let mut body = Body::new(CLIENT);
    body.set_json(&fifty_keys()).unwrap();
    write(&mut body, 0);
    let before = body.state().len();
    for round in 0..10_000 {
        write(&mut body, round);
    }
    let grown = body.state().len().saturating_sub(before);
    println!("10,000 writes of 50 keys in turn: {grown} bytes more");
    assert!(grown < 300, "{grown} bytes, of which the longer values are some");
}
