//! Events, people, other instructions; pause and cancel.

use super::{Shell, answer, at, condition, each, emit, emitted, nth, retry, template};
use crate::workflow::instruction::{Act, Step};
use crate::workflow::run::{Answer, At, Command, Due, Happened, RunStatus, abandon};
use serde_json::json;
use std::time::Duration;
use vextir::Pattern;

fn wait(id: &str, only_if: Option<&str>) -> Step {
    let mut step = emit(id, &[]);
    let event = Pattern::new("invoice.*").expect("a pattern");
    step.act = Act::WaitFor { event, condition: only_if.and_then(condition), look_back: true };
    step
}

fn approve(id: &str) -> Step {
    let mut step = emit(id, &[]);
    step.act = Act::Approve { message: template(json!("May I?")) };
    step
}

fn came(at: &At, event_type: &str) -> Happened {
    let event = Answer { event_type: event_type.into(), ..answer(at, json!({"paid": true})) };
    Happened::Came { at: at.clone(), event }
}

fn decided(at: &At, approved: bool, reason: Option<&str>) -> Happened {
    Happened::Decided { at: at.clone(), approved, by: "ann".into(), reason: reason.map(str::to_owned) }
}

#[test]
fn a_wait_takes_the_first_event_that_fits() {
    let mut step = wait("w", None);
    step.timeout = Some(Duration::from_secs(60));
    let mut shell = Shell::begin(vec![step]);
    let since = Some(shell.run().started);
    let event = Pattern::new("invoice.*").expect("a pattern");
    assert_eq!(shell.log[0], Command::Wait { at: at("w"), event, condition: None, since });
    assert_eq!(shell.step(came(&at("w"), "payment.made")), []);
    let commands = shell.step(came(&at("w"), "invoice.paid"));
    assert_eq!(commands[0], Command::StopTimer { at: at("w"), what: Due::Timeout });
    assert_eq!(commands.len(), 2);
    assert_eq!(shell.end(), (RunStatus::Completed, json!({"paid": true}), None));
    assert_eq!(shell.step(came(&at("w"), "invoice.paid")), []);
}

#[test]
fn an_event_for_which_the_condition_does_not_hold_is_not_taken() {
    for text in ["false", "event.data.nobody > 1"] {
        let mut shell = Shell::begin(vec![wait("w", Some(text))]);
        assert_eq!(shell.step(came(&at("w"), "invoice.paid")), []);
        assert_eq!(shell.status("w"), "running");
    }
}

#[test]
fn a_person_approves_or_rejects() {
    let mut shell = Shell::begin(vec![approve("ok"), emit("go", &["ok"])]);
    assert_eq!(shell.log, [Command::Ask { at: at("ok"), message: "May I?".into() }]);
    assert_eq!((shell.status("ok"), shell.run().status), ("held", RunStatus::Held));
    assert_eq!(emitted(&shell.step(decided(&at("ok"), true, None))), ["go/1"]);
    assert_eq!(shell.run().status, RunStatus::Executing);
    let output = shell.run().dag.nodes["ok"].output.clone();
    assert_eq!(output.as_deref(), Some(&json!({"approved": true, "by": "ann", "reason": null})));

    let mut step = approve("ok");
    step.retry = retry(3);
    let mut shell = Shell::begin(vec![step]);
    shell.step(decided(&at("ok"), false, Some("too dear")));
    assert_eq!(shell.end().2.as_deref(), Some("step `ok`: ann rejected it: too dear"));
}

#[test]
fn an_event_that_is_held_shows_and_goes_on() {
    let mut shell = Shell::begin(vec![emit("a", &[])]);
    shell.step(Happened::Held { at: at("a"), reason: "driver `mail` is not there".into() });
    assert_eq!((shell.status("a"), shell.run().status), ("held", RunStatus::Held));
    assert_eq!(shell.run().dag.nodes["a"].error.as_deref(), Some("driver `mail` is not there"));
    shell.step(Happened::Held { at: at("a"), reason: "one more".into() });
    shell.step(Happened::GoesOn { at: at("a") });
    assert_eq!(shell.status("a"), "held", "the other one is still held");
    shell.step(Happened::GoesOn { at: at("a") });
    assert_eq!((shell.status("a"), shell.run().status), ("running", RunStatus::Executing));
    assert_eq!(shell.run().dag.nodes["a"].error, None);
    shell.step(Happened::Held { at: at("a"), reason: "again".into() });
    shell.ended(&at("a"), &[json!(1)]);
    assert_eq!(shell.end().0, RunStatus::Completed);
    assert_eq!(shell.run().dag.nodes["a"].error, None);
}

#[test]
fn what_is_held_is_not_waited_for_in_a_run_that_fails() {
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!([0, 1]), 2);
    let mut shell = Shell::begin(vec![emit("a", &[]), emit("b", &[]), fan]);
    for text in ["b", "fan/0", "fan/1"] {
        shell.step(Happened::Held { at: at(text), reason: "no such driver".into() });
    }
    let commands = shell.failed(&at("a"));
    let cancel = |text| Command::CancelBranch { at: at(text) };
    assert_eq!(commands[..3], [cancel("b"), cancel("fan/0"), cancel("fan/1")]);
    assert_eq!((shell.end().0, shell.status("b")), (RunStatus::Failed, "cancelled"));
}

#[test]
fn an_approval_in_a_sequence_lets_through_what_comes_to_it() {
    let piped = |mut step: Step| {
        step.piped = true;
        step
    };
    let mut last = emit("n3", &["n2"]);
    last.act = Act::Emit { event_type: "do.n3".into(), data: template(json!({})) };
    let gate = Step { depends_on: vec!["n1".into()], ..approve("n2") };
    let mut shell = Shell::begin(vec![piped(emit("n1", &[])), piped(gate), piped(last)]);
    shell.ended(&at("n1"), &[json!({"text": "Good news"})]);
    let commands = shell.step(decided(&at("n2"), true, None));
    assert!(matches!(&commands[0], Command::Emit { data, .. } if *data == json!({"text": "Good news"})));
}

#[test]
fn another_instruction_is_a_step() {
    let step = || {
        let mut step = emit("sub", &[]);
        step.act = Act::Run { instruction: "other".into(), inputs: template(json!({"n": 1})) };
        step
    };
    let ended = |status| Happened::RunEnded {
        at: at("sub"),
        status,
        output: json!("o"),
        error: None,
        event_id: None,
    };
    let mut shell = Shell::begin(vec![step()]);
    let inputs = json!({"n": 1});
    assert_eq!(shell.log, [Command::Start { at: at("sub"), instruction: "other".into(), inputs }]);
    assert_eq!(shell.step(ended(RunStatus::Paused)), [], "that is not the end");
    shell.step(ended(RunStatus::Completed));
    assert_eq!(shell.end(), (RunStatus::Completed, json!("o"), None));
    let mut shell = Shell::begin(vec![step()]);
    shell.step(ended(RunStatus::Cancelled));
    assert_eq!(shell.end().2.as_deref(), Some("step `sub`: instruction `other`: it was cancelled"));
}

#[test]
fn nothing_begins_while_a_run_is_paused() {
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!([0, 1, 2]), 1);
    let mut tried = emit("tried", &[]);
    tried.retry = retry(2);
    let mut shell = Shell::begin(vec![emit("a", &[]), emit("b", &["a"]), fan, tried]);
    assert_eq!(shell.step(Happened::Pause), []);
    assert_eq!(shell.run().status, RunStatus::Paused);
    assert_eq!(shell.step(Happened::Pause), []);
    assert_eq!(shell.ended(&at("a"), &[json!(1)]), []);
    assert_eq!(shell.ended(&at("fan/0"), &[json!(1)]), []);
    assert_eq!(emitted(&shell.failed(&at("tried"))), [""; 0]);
    assert_eq!(shell.due(&at("tried"), Due::Retry), []);
    assert_eq!(emitted(&shell.step(Happened::Resume)), ["fan/1/1", "tried/2", "b/1"]);
    assert_eq!(shell.step(Happened::Resume), []);
}

#[test]
fn cancelling_ends_all_that_is_at_work() {
    let mut slow = emit("slow", &[]);
    slow.timeout = Some(Duration::from_secs(9));
    let mut tried = emit("tried", &[]);
    tried.retry = retry(2);
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!([0, 1, 2]), 2);
    let mut shell = Shell::begin(vec![slow, tried, fan, wait("w", None), approve("ok")]);
    shell.failed(&at("tried"));
    let commands = shell.step(Happened::Cancel);
    let cancel = |text| Command::CancelBranch { at: at(text) };
    assert_eq!(commands[..2], [Command::StopTimer { at: at("slow"), what: Due::Timeout }, cancel("slow")]);
    assert_eq!(commands[2], Command::StopTimer { at: at("tried"), what: Due::Retry });
    assert_eq!(commands[3..7], [cancel("fan/0"), cancel("fan/1"), cancel("w"), cancel("ok")]);
    assert_eq!(shell.end().0, RunStatus::Cancelled);
    assert_eq!(shell.step(Happened::Cancel), []);
    let again = shell.step(Happened::RetryFrom { step: "slow".into() });
    assert_eq!(emitted(&again), ["fan/0/2", "fan/1/2", "slow/2", "tried/2"]);
    assert_eq!(shell.ended(&at("slow"), &[]), []);
    assert_eq!(emitted(&shell.ended(&nth("fan/1", 2), &[])), ["fan/2/2"]);
}

#[test]
fn a_run_without_its_instruction_is_ended() {
    let mut fan = emit("fan", &[]);
    fan.for_each = each(json!([0, 1, 2]), 1);
    let shell = Shell::begin(vec![emit("a", &[]), fan, emit("b", &["a"])]);
    let mut run = shell.run();
    let commands = abandon(&mut run, "its instruction is gone", &shell.world);
    let cancel = |text| Command::CancelBranch { at: at(text) };
    assert_eq!(commands[..2], [cancel("a"), cancel("fan/0")]);
    assert_eq!((run.status, run.error.as_deref()), (RunStatus::Failed, Some("its instruction is gone")));
    assert_eq!(abandon(&mut run, "again", &shell.world), []);
}

#[test]
fn an_event_that_is_refused_is_not_tried_again() {
    let mut a = emit("a", &[]);
    a.retry = retry(3);
    let mut shell = Shell::begin(vec![a]);
    shell.step(Happened::Refused { at: at("a"), reason: "policy `no-mail` denies it".into() });
    assert_eq!(shell.end().2.as_deref(), Some("step `a`: policy `no-mail` denies it"));
}

#[test]
fn nobody_is_waited_for_in_a_run_that_fails() {
    let mut shell = Shell::begin(vec![emit("a", &[]), wait("w", None), approve("ok")]);
    let commands = shell.failed(&at("a"));
    let cancel = |text| Command::CancelBranch { at: at(text) };
    assert_eq!(commands[..2], [cancel("w"), cancel("ok")]);
    assert_eq!(shell.end().0, RunStatus::Failed);
    assert_eq!((shell.status("w"), shell.status("ok")), ("cancelled", "cancelled"));
}
