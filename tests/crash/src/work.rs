//! The load: which event an emitter emits as its n-th, what the drivers do with it, and what must come of it.

use serde_json::{Value, json};
use std::time::Duration;
use vextir_core::prelude::*;
use vextir_core::{
    AuthorizeRequest, Authorizer, Capability, Decision, Effect, Event, Failure, Timestamp, Verdict,
};

/// The emitters' users; an emitter is known by its index.
pub const USERS: [&str; 3] = ["ann", "bob", "local"];
/// The emitter whose events have ids of their own; those of the others have keys.
pub const WITH_IDS: usize = 1;

const HOPS: u64 = 4;
const ITEMS: u64 = 5;
const KEYS: u64 = 4;
/// Of so many jobs with an ordering key one waits for the operator.
const ASKED: u64 = 5;
const KINDS: [&str; 7] =
    ["chain.step", "fan.out", "ordered.job", "flaky.job", "later.out", "quick.job", "bad.job"];

/// The drivers that leave a document for each event that they handle.
pub const WRITERS: [&str; 3] = ["collect", "flaky", "second"];

/// What such a document holds.
pub const LINE: &str = "handled\n";

/// The document of one handled event.
pub fn document(driver: &str, (emitter, n, index): (usize, u64, u64)) -> String {
    format!("/done/{driver}/{emitter}-{n}-{index}")
}

/// The name under which an emitter's n-th event is stored once: its key, or its id.
pub fn name(emitter: usize, n: u64) -> String {
    format!("{}-{n}", USERS[emitter])
}

/// The n-th event of an emitter.
pub fn root(emitter: usize, n: u64, now: Timestamp) -> vextir_core::Result<Event> {
    let kind = KINDS[usize::try_from(n).unwrap_or(0).wrapping_add(emitter) % KINDS.len()];
    let mut event = Event::new(kind).with_user(USERS[emitter]).with_data(data(emitter, n, 0));
    if kind == "ordered.job" {
        event = event.with_ordering_key(format!("key-{}", n % KEYS));
    }
    if emitter == WITH_IDS {
        event = event.with_id(name(emitter, n).parse()?);
    } else if kind == "later.out" && n.is_multiple_of(2) {
        event = event.with_deliver_at(now.after(Duration::from_millis(20)));
    }
    Ok(event)
}

fn data(emitter: usize, n: u64, index: u64) -> Value {
    json!([emitter, n, index])
}

/// Emitter, number and index of an event's payload.
pub fn parts(event: &Event) -> vextir_core::Result<(usize, u64, u64)> {
    event.data.decode()
}

/// What must come of a root, by type and index; the index of an output is also its place among the outputs of its
/// delivery, but for those of which there is one.
pub fn expected(root_type: &str) -> Vec<(&'static str, u64)> {
    let all = |event_type: &'static str| (0..ITEMS).map(move |index| (event_type, index));
    match root_type {
        "chain.step" => (1..=HOPS).map(|hop| ("chain.step", hop)).chain([("chain.end", HOPS)]).collect(),
        "fan.out" => all("fan.item").chain(all("fan.done")).collect(),
        "ordered.job" => vec![("ordered.first", 0), ("ordered.second", 0)],
        "flaky.job" => vec![("flaky.done", 0)],
        "later.out" => vec![("later.item", 0), ("later.done", 0)],
        "quick.job" => vec![("quick.done", 0)],
        "bad.job" => vec![("error", 0)],
        _ => vec![],
    }
}

/// Whether an event is a root of the load.
pub fn is_root(event: &Event) -> bool {
    event.root_id.is_none() && KINDS.contains(&&*event.event_type)
}

/// Holds some of the jobs that have an ordering key until they are approved, and with them what comes behind.
#[derive(Debug)]
pub struct Asks;

#[vextir_core::async_trait]
impl Authorizer for Asks {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> vextir_core::Result<Verdict> {
        let event = request.event;
        if event.event_type == "ordered.job" && parts(event)?.1.is_multiple_of(ASKED) {
            return Ok(Verdict::Hold(Decision::new("asks", "the operator decides")));
        }
        Ok(Verdict::Allow)
    }
}

/// A driver of a plain function.
#[derive(Debug)]
pub struct Worker {
    manifest: Manifest,
    work: fn(&Event, &Ctx, (usize, u64, u64)) -> HandlerResult,
}

#[vextir_core::async_trait]
impl Driver for Worker {
    fn manifest(&self) -> Manifest {
        self.manifest.clone()
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        if !self.manifest.eager {
            // So that a kill also finds handlers at work.
            tokio::time::sleep(Duration::from_micros(fastrand::u64(0..400))).await;
        }
        let parts = parts(&event)?;
        let outputs = (self.work)(&event, cx, parts)?;
        if WRITERS.contains(&self.manifest.id.as_str()) {
            // A handler that counted twice would leave two lines.
            let context = cx.context();
            context.append(&document(&self.manifest.id, parts), LINE).await?;
            let key = format!("{}", parts.1 % 50);
            context.patch(&format!("/last/{}", self.manifest.id), json!({key: parts.1})).await?;
        }
        Ok(outputs)
    }
}

fn worker(
    id: &'static str,
    handles: &'static str,
    work: fn(&Event, &Ctx, (usize, u64, u64)) -> HandlerResult,
) -> Worker {
    Worker { manifest: Manifest::new(id).handles(handles).with_concurrency(8), work }
}

fn out(event_type: &'static str, (emitter, n, index): (usize, u64, u64)) -> Event {
    Event::new(event_type).with_data(data(emitter, n, index))
}

/// Every kind of driver.
pub fn drivers() -> Vec<Worker> {
    let quick =
        Manifest::new("quick").can(Capability::new("quick.job").effect(Effect::Reads)).with_eager(true);
    vec![
        worker("chain", "chain.step", |_, _, (emitter, n, hop)| match hop {
            HOPS.. => Ok(vec![out("chain.end", (emitter, n, hop))]),
            _ => Ok(vec![out("chain.step", (emitter, n, hop + 1))]),
        }),
        worker("fan", "fan.out", |_, _, (emitter, n, _)| {
            Ok((0..ITEMS).map(|index| out("fan.item", (emitter, n, index))).collect())
        }),
        worker("collect", "fan.item", |_, _, parts| Ok(vec![out("fan.done", parts)])),
        worker("first", "ordered.job", |_, cx, parts| match cx.attempt() {
            1 if parts.1.is_multiple_of(3) => Err("a retry keeps its key".into()),
            _ => Ok(vec![out("ordered.first", parts)]),
        }),
        worker("second", "ordered.job", |_, _, parts| Ok(vec![out("ordered.second", parts)])),
        worker("flaky", "flaky.job", |_, cx, parts| match cx.attempt() {
            1 | 2 => Err("not yet".into()),
            _ => Ok(vec![out("flaky.done", parts)]),
        }),
        worker("later", "later.out", |_, cx, parts| {
            Ok(vec![out("later.item", parts).with_deliver_at(cx.now().after(Duration::from_millis(30)))])
        }),
        worker("late", "later.item", |_, _, parts| Ok(vec![out("later.done", parts)])),
        Worker { manifest: quick, work: |_, _, parts| Ok(vec![out("quick.done", parts)]) },
        worker("bad", "bad.job", |_, _, _| Err(Failure::permanent("it never works").into())),
    ]
}
