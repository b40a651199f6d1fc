//! A plan is a document, and somebody may have changed it.

use super::{Shell, at, condition, each, emit, nth, retry};
use crate::workflow::instruction::OnError;
use crate::workflow::run::{Due, Happened, Run, step};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

/// A run with something of everything in it.
fn documents() -> (Shell, Vec<Value>) {
    let mut tried = emit("tried", &[]);
    tried.retry = retry(3);
    tried.timeout = Some(Duration::from_secs(1));
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!([0, 1, 2, 3]), 2);
    fan.retry = retry(2);
    let mut book = emit("book", &["fan"]);
    book.on_error = OnError::Compensate("undo".into());
    book.condition = condition("true");
    let mut shell = Shell::begin(vec![tried, fan, book, emit("undo", &[])]);
    let mut documents = Vec::new();
    let mut keep = |shell: &Shell| documents.push(serde_json::from_str(&shell.document).expect("JSON"));
    keep(&shell);
    shell.failed(&at("tried"));
    shell.failed(&at("fan/0"));
    shell.ended(&at("fan/1"), &[json!("x".repeat(2_000))]);
    keep(&shell);
    shell.step(Happened::Pause);
    shell.due(&at("tried"), Due::Retry);
    keep(&shell);
    shell.step(Happened::Resume);
    shell.failed(&nth("tried", 2));
    shell.due(&nth("tried", 2), Due::Retry);
    shell.failed(&nth("tried", 3));
    keep(&shell);
    (shell, documents)
}

/// The places of all values that hold no other.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(key, value)| leaves(value, &format!("{at}/{key}"), found));
        }
        Value::Array(list) if !list.is_empty() => {
            list.iter().enumerate().for_each(|(key, value)| leaves(value, &format!("{at}/{key}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

fn odd() -> impl Strategy<Value = Value> {
    let values = [
        json!(null),
        json!(0),
        json!(u32::MAX),
        json!(u64::MAX),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("running"),
        json!("completed"),
        json!("waiting"),
        json!("fan"),
        json!(true),
        json!([]),
        json!({}),
        json!({"items": 10_000}),
        json!({"step": "fan"}),
        json!({"0": {"attempt": u32::MAX, "phase": "waiting"}}),
        json!([u32::MAX]),
    ];
    prop::sample::select(values.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn a_plan_that_was_changed_makes_nothing_panic(
        which in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), odd()), 1..6),
    ) {
        let (shell, documents) = documents();
        let mut document = documents[which].clone();
        for (place, value) in changes {
            let mut found = Vec::new();
            leaves(&document, "", &mut found);
            if let Some(leaf) = document.pointer_mut(place.get::<String>(&found)) {
                *leaf = value;
            }
        }
        let Ok(run) = serde_json::from_value::<Run>(document) else { return Ok(()) };
        let ended = |at| Happened::Ended { at, answers: Vec::new(), more: 0, failed: None };
        let all = [
            ended(at("tried")),
            ended(nth("fan/1", u32::MAX)),
            ended(nth("fan/0", 1)),
            Happened::Due { at: nth("tried", u32::MAX), what: Due::Retry },
            Happened::Due { at: nth("tried", 1), what: Due::Retry },
            Happened::Resume,
            Happened::Cancel,
            Happened::RetryFrom { step: "fan".into() },
            Happened::RetryFrom { step: "tried".into() },
        ];
        let mut after = run.clone();
        for happened in all {
            let _ = step(&shell.instruction, &mut run.clone(), happened.clone(), &shell.world);
            let _ = step(&shell.instruction, &mut after, happened, &shell.world);
        }
        let _ = after.to_mermaid();
    }
}

#[test]
fn attempts_end_somewhere() {
    let (mut shell, documents) = documents();
    let mut document = documents[1].clone();
    let slot = json!({"attempt": u32::MAX, "phase": "waiting"});
    *document.pointer_mut("/dag/nodes/tried/at_work/0").expect("a slot") = slot;
    *document.pointer_mut("/dag/nodes/tried/attempts").expect("a number") = json!(u32::MAX);
    shell.document = document.to_string();
    shell.due(&nth("tried", u32::MAX), Due::Retry);
    shell.step(Happened::Cancel);
    let again = shell.step(Happened::RetryFrom { step: "tried".into() });
    assert!(super::emitted(&again).contains(&format!("tried/{}", u32::MAX)));
}

#[test]
fn a_list_is_no_longer_than_lists_are() {
    let (_, documents) = documents();
    let mut document = documents[1].clone();
    *document.pointer_mut("/dag/nodes/fan/items/count").expect("a count") = json!(10_001);
    let error = serde_json::from_value::<Run>(document).expect_err("too long");
    assert!(error.to_string().contains("a list of 10001 elements; at most 10000 fit"));
}
