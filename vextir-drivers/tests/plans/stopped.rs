//! What is not wanted any more stops.

use crate::{Does, Stage, clock, hub, none, workflow};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use vextir_core::prelude::*;
use vextir_core::{Capability, HandlerResult, Processor, async_trait};

/// Works until it is told to stop, and answers then.
#[derive(Clone, Default)]
struct Endless {
    begun: Arc<AtomicU32>,
    stopped: Arc<AtomicU32>,
}

#[async_trait]
impl Driver for Endless {
    fn manifest(&self) -> Manifest {
        Manifest::new("endless").can(Capability::new("endless"))
    }

    async fn handle_event(&self, _event: Event, cx: &Ctx) -> HandlerResult {
        self.begun.fetch_add(1, Ordering::SeqCst);
        cx.cancelled().await;
        self.stopped.fetch_add(1, Ordering::SeqCst);
        Ok(vec![Event::new("too.late")])
    }
}

impl Endless {
    async fn counts(&self, begun: u32, stopped: u32) {
        for _ in 0..2_000 {
            if (self.begun.load(Ordering::SeqCst), self.stopped.load(Ordering::SeqCst)) == (begun, stopped) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{:?} began, {:?} stopped", self.begun, self.stopped);
    }
}

async fn stage(texts: &[&str], endless: &Endless) -> Stage {
    let now = clock("2025-06-16T08:00:00Z");
    let mut builder = Processor::builder(hub()).clock(now.clone()).driver(endless.clone());
    for text in texts {
        builder = builder.driver(workflow(text));
    }
    let echo = Does::new("echo", |event| Ok(vec![Event::new("echoed").with_data(event.data.clone())]));
    Stage { app: builder.driver(echo).start().await.unwrap(), clock: now }
}

/// Nothing is open, nothing waits, and nobody answered late.
async fn nothing_is_left(stage: &Stage) {
    stage.app.idle().await;
    let status = *stage.app.bus().status().borrow();
    assert_eq!((status.open, status.waiting), (0, 0));
    assert!(stage.app.dead_letters(0, 10).await.unwrap().is_empty());
    let mut log = stage.app.subscribe_from("too.late", vextir_core::Start::Beginning).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), log.next()).await.is_err());
}

/// A run of this instruction is in this phase of its step.
async fn until_at_work(stage: &Stage, instruction: &str, phase: &str) {
    let context = stage.app.context("local");
    for _ in 0..2_000 {
        for item in context.list("/System/Plans").await.unwrap() {
            let Some(document) = context.read(&item.path).await.unwrap() else { continue };
            let plan = document.content.as_json().cloned().unwrap_or_default();
            let slot = &plan["dag"]["nodes"]["w"]["at_work"]["0"];
            if plan["instruction_id"] == instruction && slot["phase"] == phase {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no run of {instruction} is at work");
}

async fn next(events: &mut vextir_core::bus::EventStream) -> Event {
    tokio::time::timeout(Duration::from_secs(10), events.next()).await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn a_step_that_takes_too_long_stops() {
    let text = "
name: Slow
plan:
  - {id: a, emit: {type: endless}, timeout: 10s, retry: {attempts: 2, delay: 1s}, on_error: continue}
  - {id: b, depends_on: a, emit: {type: echo, data: {why: '{{a.error}}'}}}
";
    let endless = Endless::default();
    let stage = stage(&[text], &endless).await;
    let plan = stage.plans("slow").run(none()).await.unwrap();
    endless.counts(1, 0).await;
    stage.clock.advance(Duration::from_secs(10));
    endless.counts(1, 1).await;
    stage.app.idle().await;
    stage.clock.advance(Duration::from_secs(1));
    endless.counts(2, 1).await;
    stage.clock.advance(Duration::from_secs(10));
    let done = stage.until_status("slow", &plan, "completed").await;
    assert_eq!(done["dag"]["nodes"]["b"]["output"], json!({"why": "it took longer than 10s"}));
    endless.counts(2, 2).await;
    nothing_is_left(&stage).await;
}

#[tokio::test]
async fn what_a_cancelled_run_has_begun_stops() {
    let outer = "
name: Outer
plan:
  - {id: a, emit: {type: endless}}
  - {id: each, for_each: {items: [1, 2, 3], parallel: 2}, emit: {type: endless}, timeout: 1h}
  - {id: inner, run: inner}
  - {id: w, wait_for: {event: never}}
";
    let inner = "
name: Inner
plan:
  - {id: a, emit: {type: endless}, timeout: 1h}
  - {id: w, wait_for: {event: never}, timeout: 1h}
";
    let endless = Endless::default();
    let stage = stage(&[outer, inner], &endless).await;
    let mut finished = stage.app.subscribe("plan.finished").await.unwrap();
    let plan = stage.plans("outer").run(none()).await.unwrap();
    endless.counts(4, 0).await;
    stage.plans("outer").cancel(&plan).await.unwrap();
    stage.until_status("outer", &plan, "cancelled").await;
    endless.counts(4, 4).await;
    for _ in 0..2 {
        let ended = next(&mut finished).await;
        assert_eq!(ended.data.value()["status"], "cancelled", "{ended:?}");
    }
    nothing_is_left(&stage).await;
}

#[tokio::test]
async fn a_run_that_a_step_sets_off_stops_with_it() {
    let outer = "name: Outer\nplan: [{id: a, emit: {type: go}, timeout: 1m}]\n";
    for waits in [
        "{id: w, wait_for: {event: never}, timeout: 1h}",
        "{id: w, emit: {type: endless}}",
        "{id: w, run: deep}",
        "{id: w, emit: {type: bad}, retry: {attempts: 3, delay: 1h}}",
    ] {
        let inner = format!("name: Inner\ntrigger: {{event: go}}\nplan: [{waits}]\n");
        let deep = "name: Deep\nplan: [{id: w, wait_for: {event: never}, timeout: 1h}]\n";
        let stage = stage(&[outer, &inner, deep], &Endless::default()).await;
        let bad = Does::new("bad", |_| Err(vextir_core::Failure::permanent("bad").into()));
        stage.app.register(bad).await.unwrap();
        let mut finished = stage.app.subscribe("plan.finished").await.unwrap();
        let plan = stage.plans("outer").run(none()).await.unwrap();
        stage.until("outer", &plan, |value| value["dag"]["nodes"]["a"]["status"] == "running").await;
        let innermost = if waits.contains("deep") { "deep" } else { "inner" };
        until_at_work(&stage, innermost, if waits.contains("bad") { "waiting" } else { "working" }).await;
        stage.clock.advance(Duration::from_mins(1));
        let failed = stage.until_status("outer", &plan, "failed").await;
        assert!(failed["error"].as_str().unwrap().contains("longer than 60s"), "{failed}");
        let runs = if waits.contains("deep") { 3 } else { 2 };
        let mut ends = Vec::new();
        for _ in 0..runs {
            let ended = next(&mut finished).await;
            ends.push((ended.data.value()["instruction"].clone(), ended.data.value()["status"].clone()));
        }
        ends.retain(|(instruction, _)| instruction != "outer");
        assert!(ends.iter().all(|(_, status)| status == "cancelled"), "{waits}: {ends:?}");
        stage.app.idle().await;
        let status = *stage.app.bus().status().borrow();
        assert_eq!((status.open, status.waiting), (0, 0), "{waits}");
    }
}
