//! What is large stays outside.

use super::{Shell, at, each, emit};
use crate::workflow::run::{Answer, Command, Happened, RunStatus, Stop, step};
use serde_json::{Value, json};
use std::sync::Arc;

#[test]
fn the_document_stays_small_however_much_is_answered() {
    let steps: Vec<_> = (0..24).map(|n| emit(&format!("s{n}"), &[])).collect();
    let mut shell = Shell::begin(steps);
    for n in 0..24 {
        shell.ended(&at(&format!("s{n}")), &[json!("x".repeat(60 << 10))]);
        assert!(shell.document.len() < (1 << 20) + (64 << 10), "{} bytes", shell.document.len());
    }
    let (status, output, error) = shell.end();
    assert_eq!((status, output), (RunStatus::Completed, Value::Null));
    assert!(error.expect("a note").starts_with("its output is left out: it has 14"));
}

#[test]
fn too_many_large_answers_are_a_failure() {
    let mut shell = Shell::begin(vec![emit("a", &[])]);
    let answers = (0..101).map(|n| Answer {
        event_id: format!("e{n}").parse().expect("an id"),
        ..super::answer(&at("a"), json!("x".repeat(1_000)))
    });
    shell.step(Happened::Ended { at: at("a"), answers: answers.collect(), more: 0, failed: None });
    assert!(shell.end().2.expect("an error").contains("it has 101 answers"));
}

#[test]
fn a_long_error_is_cut() {
    let mut shell = Shell::begin(vec![emit("a", &[])]);
    let failed = Some("ä".repeat(1 << 20));
    shell.step(Happened::Ended { at: at("a"), answers: Vec::new(), more: 0, failed });
    assert!(shell.document.len() < 10_000);
}

#[test]
fn ten_thousand_elements_are_done_in_small_documents() {
    let list: Vec<u32> = (0..10_000).collect();
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!(list), 100);
    let mut shell = Shell::begin(vec![fan]);
    let (mut run, mut open, mut done) = (shell.run(), shell.log.split_off(0), 0);
    while let Some(command) = open.pop() {
        let Command::Emit { at, .. } = command else { break };
        done += 1;
        let answers = vec![super::answer(&at, json!({"n": at.item}))];
        let happened = Happened::Ended { at, answers, more: 0, failed: None };
        let mut next = step(&shell.instruction, &mut run, happened.clone(), &shell.world);
        // A shell that drops now and then what it has at hand loads it again.
        if let Err(Stop::Wanted(wanted)) = next {
            for key in wanted.parts {
                let part = serde_json::from_str(&shell.parts[&key]).expect("a part");
                run.parts.load(key, Arc::new(part));
            }
            next = step(&shell.instruction, &mut run, happened, &shell.world);
        }
        open.extend(next.expect("all is loaded"));
        if done % 200 == 0 {
            shell.store(run, Vec::new());
            assert!(shell.document.len() < 16_000, "{} bytes", shell.document.len());
            run = shell.run();
        }
    }
    assert_eq!((done, run.status), (10_000, RunStatus::Completed));
    let largest = shell.parts.values().map(String::len).max();
    assert!(largest < Some(32_000), "{largest:?}");
}
