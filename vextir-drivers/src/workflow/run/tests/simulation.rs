//! Random instructions, and a world in which all happens in any order, late, and twice. Between two transitions there
//! is nothing but what is stored, so each of them is a crash too.

use super::{Shell, answer, condition, each, emit, retry, template};
use crate::workflow::instruction::{Act, OnError, Step};
use crate::workflow::run::turn::compensations;
use crate::workflow::run::{Answer, At, Command, Due, Happened, NodeStatus, Run, RunStatus};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use vextir::{Name, Pattern};

#[derive(Debug, Clone)]
struct Shape {
    /// A bit for each step before it.
    after: u16,
    act: u8,
    condition: u8,
    /// How many elements, and how many at a time.
    fan: Option<(u32, u32)>,
    attempts: u32,
    timeout: bool,
    on_error: u8,
    piped: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    let fan = prop_oneof![3 => Just(None), 1 => (0..9_u32, 1..4_u32).prop_map(Some)];
    (any::<u16>(), 0..10_u8, 0..12_u8, fan, 1..4_u32, any::<bool>(), 0..6_u8, any::<bool>()).prop_map(
        |(after, act, condition, fan, attempts, timeout, on_error, piped)| Shape {
            after,
            act,
            condition,
            fan,
            attempts,
            timeout,
            on_error,
            piped,
        },
    )
}

/// The steps in their order; a step that is compensated has one of its own for that.
fn steps(shapes: &[Shape]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (number, shape) in shapes.iter().enumerate() {
        let before: Vec<String> = (0..number).map(|n| format!("s{n}")).collect();
        let after = before.iter().enumerate().filter(|(n, _)| shape.after >> n & 1 == 1);
        let after: Vec<&str> = after.map(|(_, id)| id.as_str()).collect();
        let mut step = emit(&format!("s{number}"), &after);
        match shape.act {
            0 => {
                let event = Pattern::new("it.*").expect("a pattern");
                step.act = Act::WaitFor { event, condition: None, look_back: false };
            }
            1 => step.act = Act::Approve { message: template(json!("May I?")) },
            2 => step.act = Act::Run { instruction: "other".into(), inputs: template(json!({})) },
            _ => {}
        }
        step.condition = match shape.condition {
            0 => condition("false"),
            1 => condition("trigger.nobody > 1"),
            2 => condition("true"),
            _ => None,
        };
        step.for_each = shape.fan.and_then(|(count, parallel)| {
            let list: Vec<u32> = (0..count).collect();
            each(json!(list), parallel)
        });
        step.retry = retry(shape.attempts).filter(|retry| retry.attempts > 1);
        step.timeout = shape.timeout.then_some(Duration::from_secs(60));
        step.piped = shape.piped;
        let undo = format!("undo{number}");
        step.on_error = match shape.on_error {
            0 => OnError::Compensate(undo.as_str().into()),
            1 | 2 => OnError::Fail,
            _ => OnError::Continue,
        };
        if shape.on_error == 0 {
            steps.push(emit(&undo, &[]));
        }
        steps.push(step);
    }
    steps
}

/// What is known outside of the run, and what is checked against it.
struct Theatre {
    shell: Shell,
    random: u64,
    /// What was commanded and is not over.
    open: BTreeSet<At>,
    timers: BTreeSet<(At, Due)>,
    /// Timers that were stopped or have fallen due: they may still come.
    stale: Vec<(At, Due)>,
    past: Vec<Happened>,
    keys: BTreeSet<String>,
    given: BTreeMap<(Name, Option<u32>), Value>,
}

impl Theatre {
    fn chance(&mut self, of: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % of.max(1)
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let place = self.chance(of.len() as u64);
        of.get(usize::try_from(place).unwrap_or(0)).cloned()
    }

    fn find(&self, id: &Name) -> &Step {
        self.shell.instruction.steps.iter().find(|step| step.id == *id).expect("a step")
    }

    /// What an attempt comes to.
    fn outcome(&mut self, at: &At) -> Happened {
        let fails = self.chance(4) == 0;
        let value = json!(format!("{at}"));
        let (at, piped) = (at.clone(), self.find(&at.step).piped);
        let place = (at.step.clone(), at.item);
        match self.find(&at.step).act.clone() {
            Act::Emit { .. } if fails && self.chance(4) == 0 => {
                Happened::Refused { at, reason: "not allowed".into() }
            }
            Act::Emit { .. } if fails => {
                Happened::Ended { at, answers: Vec::new(), more: 0, failed: Some("broken".into()) }
            }
            Act::Emit { .. } => {
                let silent = !piped && self.chance(5) == 0;
                self.given.insert(place, if silent { Value::Null } else { value.clone() });
                let answers = if silent { Vec::new() } else { vec![answer(&at, value)] };
                Happened::Ended { at, answers, more: 0, failed: None }
            }
            Act::WaitFor { .. } => {
                self.given.insert(place, value.clone());
                Happened::Came { event: answer(&at, value), at }
            }
            Act::Approve { .. } => {
                let decision = json!({"approved": true, "by": "ann", "reason": null});
                let through = at.item.map_or(Value::Null, Value::from);
                self.given.insert(place, if piped { through } else { decision });
                Happened::Decided { at, approved: !fails, by: "ann".into(), reason: None }
            }
            Act::Run { .. } => {
                let status = if fails { RunStatus::Failed } else { RunStatus::Completed };
                self.given.insert(place, value.clone());
                Happened::RunEnded { at, status, output: value, error: None, event_id: None }
            }
        }
    }

    /// A transition, with all that must hold for it.
    fn happen(&mut self, happened: Happened) {
        let before = self.shell.run();
        let commands = self.shell.step(happened.clone());
        let after = self.shell.run();
        self.check(&before, &after, &happened, &commands);
    }

    fn check(&mut self, before: &Run, after: &Run, happened: &Happened, commands: &[Command]) {
        let failing = before.failing.is_some() && !matches!(happened, Happened::RetryFrom { .. });
        let resting = before.paused && !matches!(happened, Happened::Resume);
        for command in commands {
            // A branch can be cancelled, or a timer stopped, once; all commands have names of their own.
            assert!(self.keys.insert(command.key(&after.id)), "twice: {command:?}");
            match command {
                Command::Emit { at, .. }
                | Command::Wait { at, .. }
                | Command::Ask { at, .. }
                | Command::Start { at, .. } => {
                    assert!(!resting, "in a paused run: {at}");
                    assert!(!failing || at.step.starts_with("undo"), "in a run that fails: {at}");
                    self.begins(after, at);
                }
                Command::Timer { at, what, .. } => {
                    self.timers.insert((at.clone(), *what));
                }
                Command::StopTimer { at, what } => {
                    assert!(self.timers.remove(&(at.clone(), *what)), "no such timer: {command:?}");
                    self.stale.push((at.clone(), *what));
                }
                Command::CancelBranch { at } => assert!(self.open.remove(at), "not at work: {at}"),
                Command::Finished { status, .. } => {
                    assert_eq!((*status, after.status), (after.status, *status));
                    assert!(self.open.is_empty(), "{status:?} with {:?}", self.open);
                    assert!(self.timers.is_empty(), "{status:?} with {:?}", self.timers);
                }
            }
        }
    }

    fn begins(&mut self, run: &Run, at: &At) {
        let step = self.find(&at.step).clone();
        let parallel = step.for_each.as_ref().map_or(1, |each| each.parallel as usize);
        assert!(self.open.insert(at.clone()));
        let open = self.open.iter().filter(|open| open.step == at.step).count();
        assert!(open <= parallel, "{open} at a time: {:?}", self.open);
        for id in &step.depends_on {
            let status = run.dag.nodes[id].status;
            let over = matches!(status, NodeStatus::Completed | NodeStatus::Skipped);
            let failed = status == NodeStatus::Failed && self.find(id).on_error == OnError::Continue;
            assert!(over || failed, "{at} begins while {id} is {status:?}");
            assert!(!self.open.iter().any(|open| open.step == *id), "{at} begins and {id} is at work");
        }
    }

    /// Something happens; `false` when the run is over.
    fn act(&mut self) -> bool {
        let run = self.shell.run();
        if run.status.is_over() {
            return false;
        }
        let (open, timers) =
            (self.open.iter().cloned().collect::<Vec<_>>(), self.timers.iter().cloned().collect::<Vec<_>>());
        match self.chance(100) {
            0..55 => {
                if let Some(at) = self.one(&open) {
                    let happened = self.outcome(&at);
                    self.open.remove(&at);
                    self.past.push(happened.clone());
                    self.happen(happened);
                }
            }
            55..80 => {
                if let Some((at, what)) = self.one(&timers) {
                    self.timers.remove(&(at.clone(), what));
                    self.stale.push((at.clone(), what));
                    self.happen(Happened::Due { at, what });
                }
            }
            80..90 => self.repeat(),
            90..94 => self.happen(Happened::Pause),
            94..97 => self.happen(Happened::Resume),
            97..99 => {
                if let Some(at) = self.one(&open) {
                    self.happen(Happened::Held { at, reason: "its driver is gone".into() });
                }
            }
            _ if self.chance(4) == 0 => self.happen(Happened::Cancel),
            _ => {
                let nobody = At { step: "nobody".into(), item: Some(7), attempt: 1 };
                self.nothing_follows(Happened::Ended {
                    at: nobody,
                    answers: Vec::new(),
                    more: 0,
                    failed: None,
                });
            }
        }
        let run = self.shell.run();
        let stuck = self.open.is_empty() && self.timers.is_empty() && !run.paused;
        assert!(run.status.is_over() || !stuck, "it stands still: {}", self.shell.document);
        true
    }

    /// What happened comes once more, and a timer that nobody waits for.
    fn repeat(&mut self) {
        if let Some(happened) = self.one(&self.past.clone()) {
            self.nothing_follows(happened);
        }
        if let Some((at, what)) = self.one(&self.stale.clone()) {
            self.nothing_follows(Happened::Due { at, what });
        }
    }

    fn nothing_follows(&mut self, happened: Happened) {
        let before = self.shell.document.clone();
        assert_eq!(self.shell.step(happened), []);
        assert_eq!(self.shell.document, before);
    }

    /// What must hold for a run that is over.
    fn judge(&mut self) {
        let run = self.shell.run();
        let reserved: BTreeSet<Name> = compensations(&self.shell.instruction).into_iter().cloned().collect();
        for step in self.shell.instruction.steps.clone() {
            let node = &run.dag.nodes[&step.id];
            let done = matches!(node.status, NodeStatus::Completed | NodeStatus::Skipped)
                || node.status == NodeStatus::Failed && step.on_error == OnError::Continue;
            match run.status {
                RunStatus::Completed | RunStatus::Skipped if !reserved.contains(&step.id) => {
                    assert!(done, "{} is {:?}", step.id, node.status);
                }
                _ => assert!(!matches!(node.status, NodeStatus::Running | NodeStatus::Held), "{}", step.id),
            }
            if node.status == NodeStatus::Completed && node.kept_in.is_none() {
                let output = node.output.as_deref().cloned().unwrap_or(Value::Null);
                self.check_output(&step, &output);
            }
        }
        if run.status == RunStatus::Failed {
            let failed = |step: &Step| run.dag.nodes[&step.id].status == NodeStatus::Failed;
            let fails = |step: &Step| failed(step) && step.on_error != OnError::Continue;
            assert!(self.shell.instruction.steps.iter().any(fails), "nothing has failed");
        }
        for happened in self.past.clone().into_iter().rev().take(20) {
            self.nothing_follows(happened);
        }
        for happened in [Happened::Pause, Happened::Resume, Happened::Cancel] {
            self.nothing_follows(happened);
        }
    }

    fn check_output(&self, step: &Step, output: &Value) {
        let given = |item| self.given.get(&(step.id.clone(), item)).cloned().unwrap_or(Value::Null);
        let Value::Array(outputs) = output else { return assert_eq!(*output, given(None), "{}", step.id) };
        for (item, output) in (0..).zip(outputs) {
            let lost = output.is_null() && step.on_error == OnError::Continue;
            assert!(lost || *output == given(Some(item)), "{}/{item}: {output}", step.id);
        }
    }
}

fn play(shapes: &[Shape], seed: u64) -> RunStatus {
    let shell = Shell::begin(steps(shapes));
    let mut theatre = Theatre {
        shell,
        random: seed,
        open: BTreeSet::new(),
        timers: BTreeSet::new(),
        stale: Vec::new(),
        past: Vec::new(),
        keys: BTreeSet::new(),
        given: BTreeMap::new(),
    };
    let (run, first) = (theatre.shell.run(), theatre.shell.log.clone());
    let nothing_yet = Run { failing: None, ..run.clone() };
    theatre.check(&nothing_yet, &run, &Happened::Resume, &first);
    for round in 0..3 {
        let mut moves = 0;
        while theatre.act() {
            moves += 1;
            assert!(moves < 20_000, "it does not end: {}", theatre.shell.document);
        }
        theatre.judge();
        let run = theatre.shell.run();
        let broken = run.dag.nodes.iter().filter(|(id, node)| {
            matches!(node.status, NodeStatus::Failed | NodeStatus::Cancelled) && !id.starts_with("undo")
        });
        let broken: Vec<Name> = broken.map(|(id, _)| id.clone()).collect();
        let Some(step) = theatre.one(&broken).filter(|_| round < 2) else { break };
        if matches!(run.status, RunStatus::Failed | RunStatus::Cancelled) {
            theatre.happen(Happened::RetryFrom { step });
        }
    }
    theatre.shell.run().status
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_in_whichever_order(
        shapes in prop::collection::vec(shape(), 1..=12),
        seed in any::<u64>(),
    ) {
        play(&shapes, seed);
    }
}

#[test]
fn the_simulation_sees_every_way_in_which_a_run_ends() {
    let shape = |on_error| Shape {
        after: 0,
        act: 9,
        condition: 9,
        fan: Some((5, 2)),
        attempts: 2,
        timeout: true,
        on_error,
        piped: false,
    };
    let mut seen = BTreeSet::new();
    for seed in 0..60 {
        seen.insert(format!("{:?}", play(&[shape(5), shape(1), shape(0)], seed)));
    }
    assert!(seen.contains("Completed") && seen.contains("Failed"), "{seen:?}");
}

/// An answer is as it was given, whatever was tried before.
#[test]
fn an_answer_of_an_attempt_that_was_given_up_is_not_taken() {
    let mut step = emit("s0", &[]);
    step.timeout = Some(Duration::from_secs(1));
    step.retry = retry(2);
    let mut shell = Shell::begin(vec![step]);
    let first = super::at("s0");
    shell.due(&first, Due::Timeout);
    shell.due(&first, Due::Retry);
    let late = Answer { data: json!("late"), ..answer(&first, json!("late")) };
    let late = Happened::Ended { at: first, answers: vec![late], more: 0, failed: None };
    assert_eq!(shell.step(late), []);
    shell.ended(&super::nth("s0", 2), &[json!("good")]);
    assert_eq!(shell.end().1, json!("good"));
}
