//! The instructions, the drivers that do their steps, and what must come of each run.

use super::USERS;
use serde_json::{Value, json};
use std::time::Duration;
use vextir_core::prelude::*;
use vextir_core::{AuthorizeRequest, Authorizer, Capability, Decision, Event, Failure, Verdict};
use vextir_drivers::workflow::Workflow;

/// How many elements the list has.
pub const ITEMS: u64 = 12;
/// The instruction that runs by the clock, for the first user.
pub const TICK: &str = "tick";
/// What the document of an effect holds.
pub const LINE: &str = "done\n";

/// The instructions that the emitters run, by turns. `back` is begun by an event.
pub const KINDS: [&str; 9] =
    ["fan", "flaky", "limits", "waits", "back", "outer", "good", "stopped", "queued"];

const TEXTS: [&str; 10] = [
    "
name: Fan
inputs: [{name: tag, type: string}]
plan:
  - {id: a, emit: {type: work.do, data: {tag: '{{inputs.tag}}', name: a}}}
  - id: each
    depends_on: a
    for_each: {items: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], parallel: 4}
    emit: {type: work.do, data: {tag: '{{inputs.tag}}', name: 'item-{{item}}'}}
  - {id: z, depends_on: each, emit: {type: work.do, data: {tag: '{{inputs.tag}}', name: z, all: '{{each.output}}'}}}
",
    "
name: Flaky
inputs: [{name: tag, type: string}]
plan:
  - {id: a, emit: {type: flaky.do, data: {tag: '{{inputs.tag}}', name: a}}, retry: {attempts: 3, delay: 15ms, factor: 2}, timeout: 1h}
  - id: each
    depends_on: a
    for_each: {items: [0, 1, 2], parallel: 2}
    emit: {type: flaky.do, data: {tag: '{{inputs.tag}}', name: 'item-{{item}}'}}
    retry: {attempts: 3, delay: 5ms}
",
    "
name: Limits
inputs: [{name: tag, type: string}]
plan:
  - {id: never, wait_for: {event: never.comes}, timeout: 25ms, on_error: continue}
  - {id: slow, emit: {type: slow.do, data: {tag: '{{inputs.tag}}', name: slow}}, timeout: 1h}
  - {id: late, emit: {type: never.do, data: {tag: '{{inputs.tag}}', name: late}}, timeout: 20ms, on_error: continue}
  - {id: after, depends_on: [never, slow, late], emit: {type: work.do, data: {tag: '{{inputs.tag}}', name: after, why: '{{never.error}}, {{late.error}}'}}}
",
    "
name: Waits
inputs: [{name: tag, type: string}]
plan:
  - {id: need, emit: {type: need.signal, data: {tag: '{{inputs.tag}}'}}}
  - {id: signal, wait_for: {event: signal, condition: event.data.tag == inputs.tag}}
  - {id: ask, depends_on: [need, signal], approve: 'Go on with {{inputs.tag}}?'}
  - {id: close, depends_on: ask, emit: {type: held.do, data: {tag: '{{inputs.tag}}', name: close, n: '{{signal.output.n}}', by: '{{ask.output.by}}'}}}
",
    "
name: Back
trigger: {event: back.begin}
plan:
  - {id: first, emit: {type: work.do, data: {tag: '{{trigger.data.tag}}', name: first}}}
  - {id: late, depends_on: first, wait_for: {event: echo.signal, look_back: true, condition: event.data.tag == trigger.data.tag}}
  - {id: last, depends_on: late, emit: {type: work.do, data: {tag: '{{trigger.data.tag}}', name: last}}}
",
    "
name: Outer
inputs: [{name: tag, type: string}]
plan:
  - id: each
    for_each: {items: [0, 1, 2], parallel: 2}
    run: {instruction: inner, inputs: {tag: '{{inputs.tag}}', n: '{{item}}'}}
  - {id: one, depends_on: each, run: {instruction: inner, inputs: {tag: '{{inputs.tag}}', n: 3}}}
  - {id: z, depends_on: one, emit: {type: work.do, data: {tag: '{{inputs.tag}}', name: z, all: '{{each.output}}'}}}
",
    "
name: Inner
inputs: [{name: tag, type: string}, {name: n, type: integer}]
plan:
  - {id: a, emit: {type: work.do, data: {tag: '{{inputs.tag}}', name: 'inner-{{inputs.n}}'}}}
",
    "
name: Good
inputs: [{name: tag, type: string}]
plan:
  - {id: book, emit: {type: work.do, data: {tag: '{{inputs.tag}}', name: book}}}
  - {id: pay, depends_on: book, emit: {type: bad.do, data: {tag: '{{inputs.tag}}', name: pay}}, on_error: {compensate: undo}}
  - {id: undo, emit: {type: work.do, data: {tag: '{{inputs.tag}}', name: undo, why: '{{pay.error}}'}}}
",
    "
name: Stopped
inputs: [{name: tag, type: string}]
plan:
  - {id: a, emit: {type: work.do, data: {tag: '{{inputs.tag}}', name: a}}}
  - {id: ask, depends_on: a, emit: {type: need.cancel, data: {tag: '{{inputs.tag}}'}}}
  - {id: busy, depends_on: a, emit: {type: never.do, data: {tag: '{{inputs.tag}}', name: busy}}}
  - {id: inner, depends_on: a, run: {instruction: endless, inputs: {tag: '{{inputs.tag}}'}}}
  - {id: wait, depends_on: a, wait_for: {event: never.comes}}
",
    "
name: Queued
inputs: [{name: tag, type: string}]
flow: {concurrency: 2}
plan:
  - {id: a, emit: {type: work.do, data: {tag: '{{inputs.tag}}', name: a}}}
  - {id: b, depends_on: a, emit: {type: slow.do, data: {tag: '{{inputs.tag}}', name: b}}}
",
];

const ENDLESS: &str = "
name: Endless
inputs: [{name: tag, type: string}]
plan: [{id: w, wait_for: {event: never.comes}}]
";

const TICKING: &str = "
name: Tick
trigger: {schedule: '* * * * * *'}
plan: [{id: a, emit: {type: work.do, data: {tag: 'tick-{{trigger.id}}', name: a}}}]
";

/// The same without its schedule: so it comes to its end.
const TICKED: &str = "
name: Tick
plan: [{id: a, emit: {type: work.do, data: {tag: 'tick-{{trigger.id}}', name: a}}}]
";

/// All of them.
///
/// # Errors
/// One of the texts is wrong.
pub fn workflows(ticks: bool) -> crate::Result<Vec<Workflow>> {
    let tick = if ticks { TICKING } else { TICKED };
    let texts = TEXTS.iter().chain([&ENDLESS, &tick]);
    texts.map(|text| Ok(Workflow::from_yaml("campaign.yaml", text)?.for_user(USERS[0]))).collect()
}

/// What a run is called in what it does.
pub fn tag(emitter: usize, n: u64) -> String {
    format!("{}-{n}", USERS[emitter])
}

/// Which instruction an emitter's n-th run is one of.
pub fn kind(emitter: usize, n: u64) -> &'static str {
    KINDS[usize::try_from(n).unwrap_or(0).wrapping_add(emitter) % KINDS.len()]
}

/// What must come of a run.
#[derive(Debug, PartialEq)]
pub struct Expected {
    /// How it ends.
    pub status: &'static str,
    /// What was done in it, each once.
    pub effects: Vec<String>,
    /// What it gives, if it completes.
    pub output: Value,
    /// How many other runs it asks for.
    pub inside: usize,
}

/// What must come of a run of this kind.
pub fn expected(kind: &str, tag: &str) -> Expected {
    let done = |name: &str| json!({"tag": tag, "name": name});
    let items = |count: u64, prefix: &str| (0..count).map(|n| format!("{prefix}-{n}")).collect::<Vec<_>>();
    let all = |names: &[String]| names.iter().map(|name| done(name)).collect::<Vec<_>>();
    let with = |mut value: Value, more: Value| {
        if let (Some(fields), Value::Object(more)) = (value.as_object_mut(), more) {
            fields.extend(more);
        }
        value
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (status, effects, output, inside) = match kind {
        "fan" => {
            let items = items(ITEMS, "item");
            let output = with(done("z"), json!({"all": all(&items)}));
            ("completed", [names(&["a", "z"]), items].concat(), output, 0)
        }
        "flaky" => {
            let items = items(3, "item");
            let output = json!(all(&items));
            ("completed", [names(&["a"]), items].concat(), output, 0)
        }
        "limits" => {
            let why = json!({"why": "it took longer than 25ms, it took longer than 20ms"});
            ("completed", names(&["slow", "after"]), with(done("after"), why), 0)
        }
        "waits" => {
            let user = tag.split_once('-').map(|(user, _)| user).unwrap_or_default();
            ("completed", names(&["close"]), with(done("close"), json!({"n": 7, "by": user})), 0)
        }
        "back" => ("completed", names(&["first", "last"]), done("last"), 0),
        "outer" => {
            let (three, four) = (items(3, "inner"), items(4, "inner"));
            let output = with(done("z"), json!({"all": all(&three)}));
            ("completed", [names(&["z"]), four].concat(), output, 4)
        }
        "good" => ("failed", names(&["book", "undo"]), Value::Null, 0),
        "stopped" => ("cancelled", names(&["a"]), Value::Null, 1),
        "queued" => ("completed", names(&["a", "b"]), done("b"), 0),
        _ => ("completed", names(&["a"]), done("a"), 0),
    };
    Expected { status, effects, output, inside }
}

/// Holds the last step of some runs until it is approved.
#[derive(Debug)]
pub struct Asks;

#[vextir_core::async_trait]
impl Authorizer for Asks {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> vextir_core::Result<Verdict> {
        if request.event.event_type == "held.do" {
            return Ok(Verdict::Hold(Decision::new("asks", "the operator decides")));
        }
        Ok(Verdict::Allow)
    }
}

/// The document of an effect.
pub fn effect(tag: &str, name: &str) -> String {
    format!("/done/{}/{name}", tag.replace('/', "_"))
}

/// Does a step: an effect in a document and an answer, committed together.
#[derive(Debug)]
pub struct Worker(&'static str);

#[vextir_core::async_trait]
impl Driver for Worker {
    fn manifest(&self) -> Manifest {
        let id = self.0.replace('.', "_");
        Manifest::new(id).can(Capability::new(self.0)).with_retries(0).with_concurrency(16)
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        // So that a kill also finds handlers at work.
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..400))).await;
        let data = event.data.value();
        let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
        match self.0 {
            "bad.do" => return Err(Failure::permanent("it never works").into()),
            "flaky.do" if attempt(&event).is_some_and(|attempt| attempt < 3) => {
                return Err(Failure::permanent("not yet").into());
            }
            "slow.do" => {
                let later = Event::new("later.do").with_data(data);
                return Ok(vec![later.with_deliver_at(cx.now().after(Duration::from_millis(20)))]);
            }
            // It ends when nobody wants it any more.
            "never.do" => {
                cx.cancelled().await;
                return Ok(vec![Event::new("never.done").with_data(data)]);
            }
            _ => {}
        }
        cx.context().append(&effect(&text("tag"), &text("name")), LINE).await?;
        Ok(vec![Event::new("work.done").with_data(data)])
    }
}

/// Which attempt at its step an event is: its id ends with it.
fn attempt(event: &Event) -> Option<u32> {
    event.id.foreign()?.rsplit('/').nth(1)?.parse().ok()
}

/// The plan of a step's event: its id begins with it.
pub fn plan_of(event: &Event) -> Option<String> {
    event.id.foreign()?.split_once('/').map(|(plan, _)| plan.to_owned())
}

/// The drivers.
pub fn drivers() -> Vec<Worker> {
    ["work.do", "flaky.do", "slow.do", "later.do", "held.do", "bad.do", "never.do"].map(Worker).into()
}
