//! Retried and forked runs.

use super::{Shell, at, each, emit, emitted, nth};
use crate::workflow::instruction::{Input, InputKind, OnError};
use crate::workflow::run::{Command, Fork, Happened, Run, RunStatus, Stop, fork, may_retry};
use serde_json::{Value, json};
use std::sync::Arc;

#[test]
fn a_failed_run_goes_on_from_the_step_that_failed() {
    let mut shell = Shell::begin(vec![emit("a", &[]), emit("b", &["a"]), emit("c", &["b"])]);
    shell.ended(&at("a"), &[json!(1)]);
    shell.failed(&at("b"));
    assert_eq!(shell.end().0, RunStatus::Failed);
    assert_eq!(emitted(&shell.step(Happened::RetryFrom { step: "b".into() })), ["b/2"]);
    assert_eq!(shell.run().error, None);
    shell.ended(&nth("b", 2), &[json!(2)]);
    shell.ended(&at("c"), &[json!(3)]);
    assert_eq!(shell.end(), (RunStatus::Completed, json!(3), None));
    let ends = shell.log.iter().filter(|command| matches!(command, Command::Finished { .. }));
    let keys: Vec<String> = ends.map(|command| command.key(&"run".into())).collect();
    assert_eq!(keys, ["run/finished/0", "run/finished/1"]);
}

#[test]
fn all_that_failed_is_done_again_and_what_depends_on_it() {
    let mut book = emit("book", &[]);
    book.on_error = OnError::Compensate("unbook".into());
    let mut lax = emit("lax", &[]);
    lax.on_error = OnError::Continue;
    let mut shell = Shell::begin(vec![book, emit("unbook", &[]), emit("x", &[]), lax, emit("y", &["lax"])]);
    shell.failed(&at("lax"));
    shell.ended(&at("y"), &[]);
    shell.failed(&at("book"));
    shell.ended(&at("unbook"), &[]);
    shell.failed(&at("x"));
    assert_eq!(shell.end().2.as_deref(), Some("step `book`: broken"));
    assert_eq!(emitted(&shell.step(Happened::RetryFrom { step: "book".into() })), ["book/2", "x/2"]);
    assert_eq!(emitted(&shell.failed(&nth("book", 2))), ["unbook/2"]);
}

#[test]
fn a_step_whose_failure_was_borne_can_be_done_again_with_what_followed() {
    let mut lax = emit("lax", &[]);
    lax.on_error = OnError::Continue;
    let mut shell = Shell::begin(vec![lax, emit("y", &["lax"]), emit("x", &[])]);
    shell.failed(&at("lax"));
    shell.ended(&at("y"), &[json!("without it")]);
    shell.failed(&at("x"));
    assert_eq!(emitted(&shell.step(Happened::RetryFrom { step: "lax".into() })), ["lax/2", "x/2"]);
    assert_eq!(emitted(&shell.ended(&nth("lax", 2), &[json!(1)])), ["y/2"]);
    assert_eq!(shell.run().dag.nodes["y"].output, None);
}

#[test]
fn what_cannot_be_retried_is_refused() {
    let mut shell = Shell::begin(vec![emit("a", &[]), emit("b", &["a"])]);
    let refused = |shell: &mut Shell, step: &str| {
        shell.try_step(Happened::RetryFrom { step: step.into() }).expect_err("refused")
    };
    assert_eq!(refused(&mut shell, "a"), "run run has neither failed nor was it cancelled");
    shell.ended(&at("a"), &[]);
    shell.failed(&at("b"));
    assert_eq!(refused(&mut shell, "a"), "step `a` is completed; fork the run to do it again");
    assert_eq!(refused(&mut shell, "z"), "there is no step `z`");
    assert_eq!(may_retry(&shell.instruction, &shell.run(), &"b".into()), Ok(()));
}

fn forked(shell: &Shell, step: &str, inputs: Value) -> Result<(Run, Vec<Command>), Stop> {
    let mut run = shell.run();
    for (key, part) in &shell.parts {
        run.parts.load(key.clone(), Arc::new(serde_json::from_str(part).expect("a part")));
    }
    let Value::Object(inputs) = inputs else { panic!("an object") };
    fork(&shell.instruction, &run, Fork { run: "fork".into(), step: step.into(), inputs }, &shell.world)
}

#[test]
fn a_fork_keeps_what_its_step_depends_on() {
    let list: Vec<u32> = (0..300).collect();
    let mut fan = emit("fan", &["a"]);
    fan.for_each = each(json!(list), 300);
    let mut shell = Shell::begin(vec![emit("a", &[]), emit("other", &[]), fan, emit("b", &["fan"])]);
    let n = Input { name: "n".into(), kind: InputKind::Integer, default: Some(json!(1)), description: None };
    shell.instruction.inputs = vec![n];
    shell.ended(&at("a"), &[json!(1)]);
    let open = Stop::Refused("step `fan`, which `b` depends on, is not over".into());
    assert_eq!(forked(&shell, "b", json!({})).err(), Some(open));
    for item in 0..300 {
        shell.ended(&at(&format!("fan/{item}")), &[json!(item)]);
    }
    shell.failed(&at("b"));
    shell.ended(&at("other"), &[]);
    assert_eq!(shell.end().0, RunStatus::Failed);

    let (mut run, commands) = forked(&shell, "b", json!({"n": 2})).expect("a fork");
    assert_eq!(emitted(&commands), ["other/1", "b/1"]);
    assert_eq!((run.id.as_str(), run.status, &run.inputs["n"]), ("fork", RunStatus::Executing, &json!(2)));
    let written = run.parts.take_changes();
    assert!(written.len() == 19 && written.iter().all(|(_, part)| part.is_some()), "the list is copied");
    run.parts.forget();
    assert_eq!(run.parts, crate::workflow::run::part::Parts::default());

    let wrong = Stop::Refused("input `n` takes an integer".into());
    assert_eq!(forked(&shell, "b", json!({"n": "x"})).err(), Some(wrong));
    shell.parts.clear();
    let stop = forked(&shell, "b", json!({})).err();
    assert!(matches!(stop, Some(Stop::Wanted(wanted)) if wanted.parts.len() == 19));
}
