//! Documents that were begun twice: two replicas took one export in whose files say nothing of how texts merge, or one
//! was made anew under its old identity. What both have in common cannot be known, so the one becomes an edit of the
//! other one: what only one has is kept, and nothing stands there twice.
//!
//! Replicas that meet with the same two documents make the same edit, under the same id, so that it is one edit. Where the
//! outcome would be more than anybody may write, none of them makes it: the document says what merging made of both,
//! one after the other, until somebody edits it.

use crate::crdt::{Body, Content, check_json, check_text};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use vextir_core::Result;
use vextir_core::context::{hunks, reach};

/// Makes one document of one that is here and another one that came whole.
pub(super) fn rebased(here: &Body, came: &[u8]) -> Result<Body> {
    let mut there = Body::new(0);
    there.apply(came)?;
    let (first, second) = if here.clocks() < there.clocks() { (here, &there) } else { (&there, here) };
    let mut both = Body::new(client(first, second));
    both.apply_all(&[&first.whole(), &second.whole()])?;
    match united(first.content(), second.content()) {
        content if !fits(&content) => {}
        Content::Text(text) => both.set_text(&text)?,
        Content::Json(value) => both.set_json(&value)?,
    }
    let metadata = value(first.metadata(), second.metadata());
    if check_json(&metadata).is_ok() {
        both.set_metadata(&metadata)?;
    }
    Ok(both)
}

/// Whether somebody may write it.
fn fits(content: &Content) -> bool {
    match content {
        Content::Text(text) => check_text(text.len()).is_ok(),
        Content::Json(value) => check_json(value).is_ok(),
    }
}

/// Who makes the edit: nobody else, unless with the same two documents.
fn client(first: &Body, second: &Body) -> u64 {
    let mut hash = Sha256::new().chain_update(b"vextir rebase 1\0");
    for body in [first, second] {
        for (client, clock) in body.clocks() {
            hash.update(client.to_be_bytes());
            hash.update(clock.to_be_bytes());
        }
        hash.update(format!("{:?}{}", body.content(), body.metadata()));
    }
    let mut number = [0; 8];
    number.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    u64::from_be_bytes(number) >> 11
}

fn united(first: Content, second: Content) -> Content {
    match (first, second) {
        (Content::Text(first), Content::Text(second)) => Content::Text(text(&first, &second)),
        (Content::Json(first), Content::Json(second)) => Content::Json(value(first, second)),
        // One of the two kinds; the history has the other one.
        (Content::Text(first), second) if first.is_empty() => second,
        (first, _) => first,
    }
}

/// All members and elements of both; of two values in one place the first one.
fn value(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::Object(mut first), Value::Object(second)) => {
            for (key, theirs) in second {
                let merged = match first.remove(&key) {
                    Some(ours) => value(ours, theirs),
                    None => theirs,
                };
                first.insert(key, merged);
            }
            Value::Object(first)
        }
        (Value::Array(first), Value::Array(second)) => Value::Array(elements(first, second)),
        (Value::Null, second) => second,
        (first, _) => first,
    }
}

/// Objects with one `id` are one, and so are values that are the same; each with one of the other side.
fn elements(mut first: Vec<Value>, second: Vec<Value>) -> Vec<Value> {
    let mut places: HashMap<String, VecDeque<usize>> = HashMap::new();
    for (place, ours) in first.iter().enumerate() {
        places.entry(name(ours)).or_default().push_back(place);
    }
    let mut more = Vec::new();
    for theirs in second {
        let place = places.get_mut(&name(&theirs)).and_then(VecDeque::pop_front);
        match place.and_then(|place| first.get_mut(place)) {
            Some(ours) => *ours = value(ours.take(), theirs),
            None => more.push(theirs),
        }
    }
    first.extend(more);
    first
}

/// What tells an element from others.
fn name(element: &Value) -> String {
    match element.as_object().and_then(|members| members.get("id")) {
        Some(id) => format!("#{id}"),
        None => format!("={element}"),
    }
}

/// All lines of both; where lines differ in nothing but words that one of them has more, that one alone.
fn text(first: &str, second: &str) -> String {
    let lines = |text| str::split_inclusive(text, '\n').collect::<Vec<&str>>();
    let (ours, theirs) = (lines(first), lines(second));
    let (mut merged, mut next) = (String::with_capacity(first.len().max(second.len())), 0);
    for hunk in hunks(&ours, &theirs, reach(ours.len() + theirs.len())) {
        ours[next..hunk.old.start].iter().for_each(|line| push(&mut merged, line));
        let (old, new) = (ours[hunk.old.clone()].concat(), theirs[hunk.new.clone()].concat());
        let (has_more, has_less) = compared(&old, &new);
        if !has_more {
            push(&mut merged, &old);
        }
        if has_more || !has_less {
            push(&mut merged, &new);
        }
        next = hunk.old.end;
    }
    ours[next..].iter().for_each(|line| push(&mut merged, line));
    merged
}

/// Whether a text is another one with words added, and whether with words taken away. Not with letters: `there` is no
/// `here` with something added.
fn compared(old: &str, new: &str) -> (bool, bool) {
    let (old, new) = (words(old), words(new));
    let hunks = hunks(&old, &new, reach(old.len() + new.len()));
    (hunks.iter().all(|hunk| hunk.old.is_empty()), hunks.iter().all(|hunk| hunk.new.is_empty()))
}

/// Words, and each sign between them.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|sign: char| !sign.is_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(if word == 0 { first.len_utf8() } else { word });
        words.push(word);
        rest = after;
    }
    words
}

/// A last line without its break gets one when something comes behind it.
fn push(text: &mut String, line: &str) {
    if !text.is_empty() && !text.ends_with('\n') && !line.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    #[test]
    fn what_only_one_has_is_kept_and_nothing_is_doubled() {
        assert_eq!(text("one\ntwo\n", "one\ntwo\n"), "one\ntwo\n");
        assert_eq!(text("one\ntwo\n", "one\nmore\ntwo\n"), "one\nmore\ntwo\n");
        assert_eq!(text("one\nmore\ntwo\n", "one\ntwo\n"), "one\nmore\ntwo\n");
        assert_eq!(text("one\ntwo", "one\ntwo and more"), "one\ntwo and more");
        assert_eq!(text("one\ntwo and more", "one\ntwo"), "one\ntwo and more");
        assert_eq!(text("one\ncat\n", "one\ndog\n"), "one\ncat\ndog\n");
        assert_eq!(text("one\nhere\n", "one\nthere\n"), "one\nhere\nthere\n");
        assert_eq!(text("größe 1, ü", "größe 12, ü"), "größe 1, ü\ngröße 12, ü");
        assert_eq!((text("", "x"), text("x", "")), ("x".into(), "x".into()));
        assert_eq!(
            value(
                json!({"a": 1, "l": [1, {"id": 1, "x": 1}]}),
                json!({"b": 2, "l": [{"id": 1, "y": 2}, 1, 3]})
            ),
            json!({"a": 1, "b": 2, "l": [1, {"id": 1, "x": 1, "y": 2}, 3]})
        );
    }

    #[test]
    fn elements_are_as_many_as_the_side_has_that_has_more_of_them() {
        let both = |one: &Value, other: &Value| value(one.clone(), other.clone());
        let (few, many) = (json!([0]), json!([0, 0, 0]));
        assert_eq!((both(&few, &many), both(&many, &few)), (many.clone(), many.clone()));
        assert_eq!(both(&many, &many), many);
        assert_eq!(
            both(&json!([1, [2], null]), &json!([null, [2], [2], "1"])),
            json!([1, [2], null, [2], "1"])
        );
        let (one, other) = (json!([{"id": 1, "a": 1}, {"id": "1"}]), json!([{"id": 1, "b": 2}, {"id": 1}]));
        assert_eq!(both(&one, &other), json!([{"id": 1, "a": 1, "b": 2}, {"id": "1"}, {"id": 1}]));
        // As many as a document may have: each is looked up once.
        let (odd, even): (Vec<Value>, Vec<Value>) = (0..90_000)
            .map(|n| json!({"id": n}))
            .partition(|one| one["id"].as_u64().is_some_and(|n| n % 2 == 1));
        assert_eq!(elements(odd, even).len(), 90_000);
    }

    #[test]
    fn two_replicas_make_the_same_document_of_the_same_two() {
        let (mut one, mut other) = (Body::new(7), Body::new(3));
        one.set_text("first\nsecond\n").unwrap();
        other.set_text("first\nbetween\nsecond\n").unwrap();
        let here = rebased(&one, &other.whole()).unwrap();
        let there = rebased(&other, &one.whole()).unwrap();
        assert_eq!(here.content(), Content::Text("first\nbetween\nsecond\n".into()));
        assert_eq!((here.clocks(), here.content()), (there.clocks(), there.content()));
        let mut both = Body::new(9);
        both.apply_all(&[&here.whole(), &there.whole()]).unwrap();
        assert_eq!(both.content(), here.content());
        assert!(!both.is_by_strangers(&one.whole()).unwrap());
    }

    #[test]
    fn two_that_fit_into_one_document_only_by_halves_are_kept_both() {
        let (mut one, mut other) = (Body::new(7), Body::new(3));
        for (body, letter) in [(&mut one, "a"), (&mut other, "b")] {
            let half: Map<_, _> = (0..50_001).map(|n| (format!("{letter}{n}"), json!(n))).collect();
            body.set_json(&Value::Object(half)).unwrap();
            body.set_metadata(&json!({letter: 1})).unwrap();
        }
        let here = rebased(&one, &other.whole()).unwrap();
        let there = rebased(&other, &one.whole()).unwrap();
        assert_eq!((here.clocks(), here.metadata()), (there.clocks(), json!({"a": 1, "b": 1})));
        assert!(here.content() == there.content());
        let Content::Json(Value::Object(both)) = here.content() else { panic!() };
        assert_eq!((both.len(), &both["a50000"], &both["b50000"]), (100_002, &json!(50_000), &json!(50_000)));
        assert!(
            !here.is_by_strangers(&one.whole()).unwrap() && !here.is_by_strangers(&other.whole()).unwrap()
        );
        assert!(fits(&Content::Text("a".repeat(9 << 20))) && !fits(&Content::Text("a".repeat(18 << 20))));
    }
}
