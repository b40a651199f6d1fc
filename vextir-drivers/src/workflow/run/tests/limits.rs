//! What is large stays outside.

use super::{Shell, Surroundings, at, each, emit, instruction, started_by, template};
use crate::workflow::instruction::Act;
use crate::workflow::run::{Answer, Command, Found, Happened, KeptIn, RunStatus, Stop, begin, step};
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
    assert!(error.expect("a note").starts_with("its output is left out: it has more than 512 KiB"));
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

#[test]
fn large_outputs_of_elements_are_kept_by_reference() {
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!([0, 1, 2]), 3);
    let mut shell = Shell::begin(vec![fan]);
    let large = |n: u32| json!({"n": n, "text": "x".repeat(2_000)});
    for n in 0..3 {
        shell.ended(&at(&format!("fan/{n}")), &[large(n), json!(n)]);
    }
    assert_eq!(shell.run().dag.nodes["fan"].kept_in, Some(KeptIn::Items(3)));
    assert!(shell.parts.values().all(|part| part.len() < 1_000), "{:?}", shell.parts);
    let both = |n| json!([large(n), n]);
    assert_eq!(shell.end().1, json!([both(0), both(1), both(2)]));
}

#[test]
fn a_large_trigger_stays_in_its_event() {
    let big = json!({"text": "x".repeat(100 << 10)});
    let mut first = emit("n1", &[]);
    first.piped = true;
    first.act = Act::Emit { event_type: "do.n1".into(), data: template(json!({})) };
    let instruction = instruction(vec![first]);
    let mut world = Surroundings::default();
    let stop = begin(&instruction, started_by(big.clone()), &world).err();
    let Some(Stop::Wanted(wanted)) = stop else { panic!("{stop:?}") };
    for id in wanted.events {
        world.events.insert(id, Found::Here(Arc::new(big.clone())));
    }
    let shell = Shell::begin_with(instruction, world, started_by(big.clone()));
    assert!(matches!(&shell.log[0], Command::Emit { data, .. } if *data == big));
    assert!(shell.document.len() < 2_000);
}
