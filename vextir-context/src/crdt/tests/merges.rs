//! What two replicas make of what both did at the same time.

use super::{meet, text, two, value};
use crate::crdt::Body;
use serde_json::{Value, json};

/// Both change `start` without knowing of one another, and meet.
fn merged(start: &Value, one_does: &Value, other_does: &Value) -> Value {
    let (mut one, mut other) = two(start);
    one.set_json(one_does).unwrap();
    other.set_json(other_does).unwrap();
    meet(&mut one, &mut other);
    assert_eq!(value(&one), value(&other));
    value(&one)
}

#[test]
fn leaves_of_one_object_merge() {
    let start = json!({"a": {"x": 1, "y": 1, "z": 1}});
    let result = merged(&start, &json!({"a": {"x": 2, "y": 1, "z": 1}}), &json!({"a": {"x": 1, "y": 3}}));
    assert_eq!(result, json!({"a": {"x": 2, "y": 3}}));
}

#[test]
fn one_of_two_writes_to_a_leaf_wins() {
    let result = merged(&json!({"a": 0}), &json!({"a": 1}), &json!({"a": 2}));
    assert!(result == json!({"a": 1}) || result == json!({"a": 2}), "{result}");
}

#[test]
fn a_member_written_in_a_removed_object_brings_it_back_alone() {
    let start = json!({"a": {"x": 1}});
    assert_eq!(merged(&start, &json!({}), &json!({"a": {"x": 1, "y": 2}})), json!({"a": {"y": 2}}));
}

#[test]
fn an_object_whose_members_both_remove_stays() {
    let start = json!({"a": {"x": 1, "y": 1}});
    assert_eq!(merged(&start, &json!({"a": {"x": 1}}), &json!({"a": {"y": 1}})), json!({"a": {}}));
}

#[test]
fn concurrent_appends_both_survive() {
    let result = merged(&json!([1]), &json!([1, 2]), &json!([1, 3]));
    assert!(result == json!([1, 2, 3]) || result == json!([1, 3, 2]), "{result}");
    let created = merged(&json!({}), &json!({"list": ["a"]}), &json!({"list": ["b"]}));
    assert_eq!(created["list"].as_array().unwrap().len(), 2, "{created}");
}

#[test]
fn changes_of_one_element_merge_and_a_moved_one_keeps_them() {
    let start = json!([{"id": 1, "a": 1, "b": 1}, {"id": 2}]);
    let moved = json!([{"id": 2}, {"id": 1, "a": 1, "b": 1}]);
    let changed = json!([{"id": 1, "a": 5, "b": 1}, {"id": 2}]);
    assert_eq!(merged(&start, &moved, &changed), json!([{"id": 2}, {"id": 1, "a": 5, "b": 1}]));
    let both = merged(&start, &json!([{"id": 1, "a": 1, "b": 7}, {"id": 2}]), &changed);
    assert_eq!(both, json!([{"id": 1, "a": 5, "b": 7}, {"id": 2}]));
    assert_eq!(merged(&start, &moved, &moved).as_array().unwrap().len(), 2);
    assert_eq!(merged(&start, &json!([{"id": 2}]), &changed), json!([{"id": 2}]));
}

#[test]
fn scalars_of_arrays_have_no_identity() {
    let result = merged(&json!([1, 2]), &json!([1, 3]), &json!([1, 4]));
    assert!(result == json!([1, 3, 4]) || result == json!([1, 4, 3]), "{result}");
}

#[test]
fn long_strings_merge_as_texts() {
    let long = |start: &str, end: &str| json!({ "note": format!("{start}{}{end}", "words ".repeat(50)) });
    assert_eq!(merged(&long("", ""), &long("A ", ""), &long("", "Z")), long("A ", "Z"));
}

#[test]
fn a_text_and_an_object_at_one_place_make_one_of_them() {
    let result = merged(&json!({}), &json!({"a": "text"}), &json!({"a": {"x": 1}}));
    assert!(result == json!({"a": "text"}) || result == json!({"a": {"x": 1}}), "{result}");
    let mut plain = Body::new(1);
    plain.set_text("start").unwrap();
    let mut other = Body::load(2, &plain.state()).unwrap();
    plain.splice(5..5, "!").unwrap();
    other.set_json(&json!({"a": 1})).unwrap();
    meet(&mut plain, &mut other);
    assert_eq!(value(&plain), json!({"a": 1}));
    assert_eq!(value(&other), json!({"a": 1}));
    other.set_text("again").unwrap();
    meet(&mut plain, &mut other);
    assert_eq!((text(&plain), text(&other)), ("again".to_owned(), "again".to_owned()));
}
