//! What the merge layer promises, from outside.

mod convergence;
mod hostile;
mod merges;
mod storage;
mod values;

use super::{Body, Content};
use serde_json::{Map, Value, json};
use vextir_core::Result;

impl Body {
    /// Changes some members of the content.
    fn patch(&mut self, patch: &Value) -> Result<()> {
        let content = match self.content() {
            Content::Json(value) => value,
            Content::Text(_) => Value::Null,
        };
        self.set_json(&patched(content, patch))
    }
}

/// RFC 7396 as it is printed there.
fn patched(target: Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut members = match target {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            let old = members.remove(name).unwrap_or_default();
            members.insert(name.clone(), patched(old, change));
        }
    }
    Value::Object(members)
}

fn text(body: &Body) -> String {
    match body.content() {
        Content::Text(text) => text,
        Content::Json(value) => panic!("not a text: {value}"),
    }
}

fn value(body: &Body) -> Value {
    match body.content() {
        Content::Json(value) => value,
        Content::Text(text) => panic!("not JSON: {text}"),
    }
}

/// Brings what each lacks to the other.
fn meet(one: &mut Body, other: &mut Body) {
    other.apply(&one.since(&other.vector()).unwrap()).unwrap();
    one.apply(&other.since(&one.vector()).unwrap()).unwrap();
}

fn two(start: &Value) -> (Body, Body) {
    let mut one = Body::new(1);
    one.set_json(start).unwrap();
    let mut other = Body::new(2);
    other.apply(&one.take_update()).unwrap();
    (one, other)
}

#[test]
fn objects_that_two_replicas_create_are_one() {
    let (mut one, mut other) = two(&json!({}));
    one.patch(&json!({"a": {"b": {"x": 1}}})).unwrap();
    other.patch(&json!({"a": {"b": {"y": 2}}})).unwrap();
    meet(&mut one, &mut other);
    assert_eq!(value(&one), json!({"a": {"b": {"x": 1, "y": 2}}}));
    assert_eq!(value(&other), value(&one));
}

#[test]
fn edits_of_a_text_meet() {
    let mut one = Body::new(1);
    one.set_text("The quick fox\njumps.\n").unwrap();
    let mut other = Body::load(2, &one.state()).unwrap();
    one.set_text("The quick brown fox\njumps.\n").unwrap();
    other.set_text("The quick fox\njumps high.\n").unwrap();
    other.splice(0..3, "A").unwrap();
    meet(&mut one, &mut other);
    assert_eq!(text(&one), "A quick brown fox\njumps high.\n");
    assert_eq!(text(&other), text(&one));
}
