//! Order, conditions, failures, piping.

use super::{
    Shell, Surroundings, at, condition, emit, emitted, instruction, nth, retry, start, started_by, template,
};
use crate::workflow::instruction::{Act, Input, InputKind, OnError, Step};
use crate::workflow::run::{Command, Due, Found, Happened, KeptIn, RunStatus, Stop, step};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use vextir::Name;

#[test]
fn steps_begin_when_all_that_they_depend_on_is_over() {
    let mut shell = Shell::begin(vec![emit("a", &[]), emit("b", &[]), emit("c", &["a", "b"])]);
    assert_eq!(emitted(&shell.log), ["a/1", "b/1"]);
    assert_eq!(shell.ended(&at("b"), &[json!({"n": 2})]), []);
    assert_eq!(emitted(&shell.ended(&at("a"), &[])), ["c/1"]);
    shell.ended(&at("c"), &[json!(7)]);
    assert_eq!(shell.end(), (RunStatus::Completed, json!(7), None));
}

#[test]
fn the_document_is_the_plan_of_the_specification() {
    let mut shell = Shell::begin(vec![emit("n1", &[]), emit("n2", &["n1"])]);
    shell.ended(&at("n1"), &[json!({"emails": []})]);
    let plan: Value = serde_json::from_str(&shell.document).expect("JSON");
    assert_eq!(plan["id"], "run");
    assert_eq!(plan["instruction_id"], "test");
    assert_eq!(plan["status"], "executing");
    let nodes = &plan["dag"]["nodes"];
    assert_eq!(nodes["n1"]["action"], json!({"type": "do.n1", "data": {"step": "n1"}}));
    assert_eq!(nodes["n1"]["status"], "completed");
    assert_eq!(nodes["n1"]["output"], json!({"emails": []}));
    assert_eq!(nodes["n1"]["dependencies"], json!([]));
    assert_eq!(nodes["n2"]["status"], "running");
    assert_eq!(nodes["n2"]["dependencies"], json!(["n1"]));
}

#[test]
fn what_comes_late_twice_or_for_something_else_changes_nothing() {
    let mut shell = Shell::begin(vec![emit("a", &[]), emit("b", &["a"])]);
    shell.ended(&at("a"), &[json!(1)]);
    let before = shell.document.clone();
    for at in [at("a"), nth("b", 2), at("b/0"), at("c"), nth("b", 0)] {
        assert_eq!(shell.ended(&at, &[json!(9)]), []);
        assert_eq!(shell.failed(&at), []);
    }
    for what in [Due::Retry, Due::Timeout] {
        assert_eq!(shell.due(&at("b"), what), []);
    }
    let by: Name = "ann".into();
    assert_eq!(shell.step(Happened::Decided { at: at("b"), approved: false, by, reason: None }), []);
    let event = super::answer(&at("b"), json!(1));
    assert_eq!(shell.step(Happened::Came { at: at("b"), event }), []);
    assert_eq!(shell.document, before);
}

#[test]
fn a_run_is_pinned_to_its_version() {
    let mut shell = Shell::begin(vec![emit("a", &[])]);
    shell.instruction.hash = "other".into();
    let refused = shell.try_step(Happened::Cancel).expect_err("another version");
    assert_eq!(refused, "run run began with another version of `test`");
}

#[test]
fn a_step_whose_condition_does_not_hold_is_skipped() {
    let mut skipped = emit("b", &["a"]);
    skipped.condition = condition("false");
    let mut shell = Shell::begin(vec![emit("a", &[]), skipped.clone(), emit("c", &["b"])]);
    assert_eq!(emitted(&shell.ended(&at("a"), &[])), ["c/1"]);
    assert_eq!(shell.status("b"), "skipped");
    shell.ended(&at("c"), &[]);
    assert_eq!(shell.end(), (RunStatus::Completed, Value::Null, None));

    skipped.depends_on.clear();
    assert_eq!(Shell::begin(vec![skipped]).end().0, RunStatus::Skipped);
}

#[test]
fn a_condition_that_has_no_value_fails_its_step() {
    let mut step = emit("a", &[]);
    step.condition = condition("trigger.nobody > 1");
    step.retry = retry(3);
    let (status, _, error) = Shell::begin(vec![step]).end();
    assert_eq!(status, RunStatus::Failed);
    assert_eq!(error.as_deref(), Some("step `a`: its condition: it has no value"));
}

#[test]
fn the_first_failure_ends_the_run_and_what_is_at_work_ends_first() {
    let mut slow = emit("slow", &[]);
    slow.retry = retry(3);
    let mut shell = Shell::begin(vec![emit("a", &[]), emit("b", &[]), slow, emit("c", &["b"])]);
    shell.failed(&at("slow"));
    // `slow` waits for another try, which is not made.
    let stopped = shell.failed(&at("a"));
    assert_eq!(stopped, [Command::StopTimer { at: at("slow"), what: Due::Retry }]);
    assert_eq!(shell.run().status, RunStatus::Executing);
    assert_eq!(shell.due(&at("slow"), Due::Retry), []);
    assert_eq!(emitted(&shell.ended(&at("b"), &[json!(1)])), [""; 0]);
    assert_eq!(shell.end(), (RunStatus::Failed, Value::Null, Some("step `a`: broken".into())));
    let statuses = ["a", "b", "slow", "c"].map(|id| shell.status(id));
    assert_eq!(statuses, ["failed", "completed", "failed", "pending"]);
}

#[test]
fn a_run_goes_on_where_that_is_said() {
    let mut a = emit("a", &[]);
    a.on_error = OnError::Continue;
    let mut shell = Shell::begin(vec![a, emit("b", &["a"])]);
    assert_eq!(emitted(&shell.failed(&at("a"))), ["b/1"]);
    shell.ended(&at("b"), &[json!("done")]);
    assert_eq!(shell.end(), (RunStatus::Completed, json!("done"), None));
    assert_eq!(shell.run().dag.nodes["a"].error.as_deref(), Some("broken"));
}

#[test]
fn a_compensation_runs_for_nothing_else() {
    let steps = || {
        let mut book = emit("book", &[]);
        book.on_error = OnError::Compensate("unbook".into());
        vec![book, emit("unbook", &[]), emit("pay", &["book"])]
    };
    let mut shell = Shell::begin(steps());
    assert_eq!(emitted(&shell.log), ["book/1"]);
    shell.ended(&at("book"), &[json!(1)]);
    shell.ended(&at("pay"), &[json!(2)]);
    assert_eq!(shell.end(), (RunStatus::Completed, json!(2), None));

    let mut shell = Shell::begin(steps());
    assert_eq!(emitted(&shell.failed(&at("book"))), ["unbook/1"]);
    shell.ended(&at("unbook"), &[]);
    assert_eq!(shell.end(), (RunStatus::Failed, Value::Null, Some("step `book`: broken".into())));

    let mut shell = Shell::begin(steps());
    shell.step(Happened::Pause);
    shell.failed(&at("book"));
    assert_eq!(emitted(&shell.step(Happened::Resume)), ["unbook/1"], "not while it is paused");
    shell.failed(&at("unbook"));
    let error = shell.end().2.expect("an error");
    assert_eq!(error, "step `book`: broken; and its compensation `unbook` failed: broken");
}

#[test]
fn a_failed_step_is_tried_again_with_growing_waits() {
    let mut a = emit("a", &[]);
    a.retry = retry(3);
    let mut shell = Shell::begin(vec![a]);
    let timer = |attempt, seconds| Command::Timer {
        at: nth("a", attempt),
        what: Due::Retry,
        after: Duration::from_secs(seconds),
    };
    assert_eq!(shell.failed(&at("a")), [timer(1, 1)]);
    assert_eq!(emitted(&shell.due(&at("a"), Due::Retry)), ["a/2"]);
    assert_eq!(shell.failed(&nth("a", 2)), [timer(2, 2)]);
    assert_eq!(emitted(&shell.due(&nth("a", 2), Due::Retry)), ["a/3"]);
    shell.failed(&nth("a", 3));
    assert_eq!(shell.end().0, RunStatus::Failed);
}

#[test]
fn no_wait_is_longer_than_a_day() {
    let mut a = emit("a", &[]);
    a.retry = Some(crate::workflow::Retry { attempts: 100, delay: Duration::MAX, factor: 10.0 });
    let mut shell = Shell::begin(vec![a]);
    let after = Duration::from_secs(24 * 60 * 60);
    assert_eq!(shell.failed(&at("a")), [Command::Timer { at: at("a"), what: Due::Retry, after }]);
}

#[test]
fn a_step_that_takes_too_long_is_cancelled_and_tried_again() {
    let mut a = emit("a", &[]);
    a.retry = retry(2);
    a.timeout = Some(Duration::from_secs(30));
    let mut shell = Shell::begin(vec![a]);
    let after = Duration::from_secs(30);
    assert_eq!(shell.log[1], Command::Timer { at: at("a"), what: Due::Timeout, after });
    assert_eq!(shell.due(&at("a"), Due::Timeout)[0], Command::CancelBranch { at: at("a") });
    assert_eq!(shell.ended(&at("a"), &[json!(1)]), [], "it comes too late");
    shell.due(&at("a"), Due::Retry);
    let ended = shell.ended(&nth("a", 2), &[json!(2)]);
    assert_eq!(ended[0], Command::StopTimer { at: nth("a", 2), what: Due::Timeout });
    assert_eq!(shell.end().1, json!(2));
}

fn piped(id: &str, after: &[&str], data: Value) -> Step {
    let mut step = emit(id, after);
    step.piped = true;
    step.act = Act::Emit { event_type: format!("do.{id}").into(), data: template(data) };
    step
}

#[test]
fn what_a_sequence_lacks_comes_from_the_step_before() {
    let mut skipped = piped("n2", &["n1"], json!({}));
    skipped.condition = condition("false");
    let steps = vec![
        piped("n1", &[], json!({})),
        skipped,
        piped("n3", &["n2"], json!({"path": "/Alerts"})),
        piped("n4", &["n3"], json!({"channel": "x"})),
    ];
    let mut world = Surroundings::default();
    let schema = json!({"required": ["path", "content"], "properties": {"path": {"type": "string"}}});
    world.schemas.insert("do.n3".into(), schema);
    let schema = json!({"required": ["channel", "message"], "properties": {"message": {"type": "string"}}});
    world.schemas.insert("do.n4".into(), schema);
    let mut shell = Shell::begin_with(instruction(steps), world, started_by(json!({"wind": 12})));
    let data = |commands: &[Command]| match &commands[0] {
        Command::Emit { data, .. } => data.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(data(&shell.log), json!({"wind": 12}), "the trigger's");
    // No answer: what it got goes on, also past what is skipped.
    let third = shell.ended(&at("n1"), &[]);
    assert_eq!(data(&third), json!({"path": "/Alerts", "content": {"wind": 12}}));
    assert_eq!(shell.run().dag.nodes["n1"].kept_in, Some(KeptIn::Trigger));
    let fourth = shell.ended(&at("n3"), &[json!({"text": "done"})]);
    assert_eq!(data(&fourth), json!({"channel": "x", "message": "done"}));
    shell.ended(&at("n4"), &[]);
    assert_eq!(shell.end().1, json!({"text": "done"}));
}

#[test]
fn an_event_that_cannot_be_emitted_fails_its_step() {
    let world = Surroundings { refused: Some("do.a".into()), ..Surroundings::default() };
    let mut a = emit("a", &[]);
    a.retry = retry(3);
    let shell = Shell::begin_with(instruction(vec![a]), world, start());
    assert_eq!(shell.end().2.as_deref(), Some("step `a`: it does not fit"));
}

#[test]
fn several_last_steps_give_an_object_and_several_answers_a_list() {
    let mut shell = Shell::begin(vec![emit("a", &[]), emit("b", &[])]);
    shell.ended(&at("a"), &[json!(1), json!(22)]);
    shell.ended(&at("b"), &[]);
    assert_eq!(shell.end().1, json!({"a": [1, 22], "b": null}));
}

#[test]
fn inputs_have_to_fit() {
    let declared = |name: &str, kind, default| Input { name: name.into(), kind, default, description: None };
    let begin = |inputs: Value| {
        let mut instruction = instruction(vec![emit("a", &[])]);
        instruction.inputs = vec![
            declared("team", InputKind::List, Some(json!(["ann"]))),
            declared("days", InputKind::Integer, None),
        ];
        let Value::Object(inputs) = inputs else { panic!("an object") };
        Shell::begin_with(instruction, Surroundings::default(), super::Start { inputs, ..start() })
    };
    let good = begin(json!({"days": 3}));
    assert_eq!(json!(*good.run().inputs), json!({"days": 3, "team": ["ann"]}));
    for (inputs, error) in [
        (json!({}), "input `days` is required; it takes an integer"),
        (json!({"days": 1.5}), "input `days` takes an integer"),
        (json!({"days": 1, "dayz": 2}), "there is no input `dayz`; there are: team, days"),
    ] {
        let mut shell = begin(inputs);
        assert_eq!(shell.end(), (RunStatus::Failed, Value::Null, Some(error.into())));
        let retried = shell.try_step(Happened::RetryFrom { step: "a".into() });
        assert!(retried.expect_err("nothing to retry").contains("never began"));
    }
}

#[test]
fn a_time_zone_that_nobody_knows_fails_the_run() {
    let start = super::Start { timezone: "Mars/Olympus".into(), ..start() };
    let shell = Shell::begin_with(instruction(vec![emit("a", &[])]), Surroundings::default(), start);
    assert!(shell.end().2.expect("an error").contains("Mars/Olympus"));
}

#[test]
fn an_event_that_is_gone_fails_the_step_that_reads_it() {
    let big = json!({"text": "x".repeat(100 << 10)});
    let mut shell = Shell::begin(vec![emit("a", &[]), piped("b", &["a"], json!({}))]);
    let event = super::answer(&at("a"), big);
    shell.world.events.insert(event.event_id.clone(), Found::Gone);
    shell.step(Happened::Ended { at: at("a"), answers: vec![event], more: 0, failed: None });
    let error = shell.end().2.expect("an error");
    assert!(error.contains("which is no longer kept"), "{error}");
}

#[test]
fn a_large_output_is_kept_by_reference_and_read_again() {
    let big = json!({"text": "x".repeat(100 << 10)});
    let mut shell = Shell::begin(vec![emit("a", &[]), piped("b", &["a"], json!({}))]);
    let commands = shell.ended(&at("a"), std::slice::from_ref(&big));
    assert!(matches!(&commands[0], Command::Emit { data, .. } if *data == big));
    assert!(shell.document.len() < 2_000);
    // What has to be loaded is not taken for null.
    let mut run = shell.run();
    let Some(KeptIn::Event(id)) = run.dag.nodes["a"].kept_in.clone() else { panic!("by reference") };
    shell.world.events.remove(&id);
    let happened = Happened::Ended { at: at("b"), answers: Vec::new(), more: 0, failed: None };
    let stop = step(&shell.instruction, &mut run, happened.clone(), &shell.world);
    let Err(Stop::Wanted(wanted)) = stop else { panic!("{stop:?}") };
    assert_eq!(wanted.events.into_iter().collect::<Vec<_>>(), std::slice::from_ref(&id));
    shell.world.events.insert(id, Found::Here(Arc::new(big.clone())));
    shell.step(happened);
    assert_eq!(shell.end().1, big);
}
