//! What a hostile reading found: plans that hung, counted wrong, or held what is not theirs.

use crate::{Does, Stage, clock, hub, none, workflow};
use serde_json::json;
use std::time::Duration;
use vextir_core::prelude::*;
use vextir_core::{
    AuthorizeRequest, Authorizer, Decision, Processor, Result, Timestamp, Verdict, async_trait,
};
use vextir_drivers::workflow::PlanFinished;

fn echo() -> Does {
    Does::new("echo", |event| Ok(vec![Event::new("echoed").with_data(event.data.clone())]))
}

#[tokio::test]
async fn plans_that_end_together_are_all_counted() {
    let outer = "
name: Outer
plan:
  - {id: each, for_each: {items: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], parallel: 12}, run: {instruction: inner, inputs: {n: \"{{item}}\"}}}
  - {id: a, run: inner}
  - {id: b, run: inner}
  - {id: after, depends_on: [each, a, b], emit: {type: echo, data: {count: \"{{each.output | length}}\"}}}
";
    let inner = "name: Inner\ninputs: [{name: n, type: integer, default: 0}]\nplan: [{id: w, emit: {type: echo, data: {n: \"{{inputs.n}}\"}}}]\n";
    let workflows = vec![workflow(outer), workflow(inner)];
    let stage = Stage::new(hub(), clock("2025-06-16T08:00:00Z"), workflows, &[&echo()]).await;
    let plan = stage.plans("outer").run(none()).await.unwrap();
    let done = stage.until_status("outer", &plan, "completed").await;
    assert_eq!(done["dag"]["nodes"]["after"]["output"], json!({"count": 12}));
}

#[tokio::test]
async fn nobody_else_says_that_a_plan_is_over() {
    let outer = "name: Outer\nplan: [{id: call, run: inner}]\n";
    let inner = "name: Inner\nplan: [{id: w, wait_for: {event: go}}]\n";
    let workflows = vec![workflow(outer), workflow(inner)];
    let stage = Stage::new(hub(), clock("2025-06-16T08:00:00Z"), workflows, &[]).await;
    let plan = stage.plans("outer").run(none()).await.unwrap();
    stage.until("outer", &plan, |value| value["dag"]["nodes"]["call"]["status"] == "running").await;
    let parent = json!({"instruction": "outer", "plan": plan, "at": "call/1"});
    let claim = json!({"plan": "inner-1", "instruction": "inner", "status": "completed", "output": 7, "parent": parent});
    stage.app.as_user("local").emit(Event::new("plan.finished").with_data(claim)).await.unwrap();
    stage.app.idle().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(stage.plans("outer").get(&plan).await.unwrap().unwrap()["status"], "executing");
    stage.app.emit(Event::new("go").with_data(json!(1))).await.unwrap();
    stage.until_status("outer", &plan, "completed").await;
}

/// Its own reader is stricter than its schema.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Remind {
    #[schemars(with = "String")]
    at: Timestamp,
}

impl Payload for Remind {
    const TYPE: &'static str = "remind";
}

struct Reminder;

#[driver("reminder", effect = "reads")]
impl Reminder {
    #[on]
    async fn remind(&self, ask: Remind) {
        let _ = ask.at;
    }
}

#[tokio::test]
async fn a_step_whose_event_a_driver_cannot_read_fails_and_says_why() {
    let text = "
name: Remind
plan:
  - {id: a, emit: {type: remind, data: {at: \"soon, I hope\"}}, on_error: continue}
  - {id: b, depends_on: a, emit: {type: echo, data: {n: 1}}}
";
    let builder = Processor::builder(hub()).clock(clock("2025-06-16T08:00:00Z")).driver(workflow(text));
    let app = builder.driver(Reminder).driver(echo()).start().await.unwrap();
    let stage = Stage { app, clock: clock("2025-06-16T08:00:00Z") };
    let plan = stage.plans("remind").run(none()).await.unwrap();
    let done = stage.until_status("remind", &plan, "completed").await;
    let failed = &done["dag"]["nodes"]["a"];
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("RFC 3339"), "{failed}");
}

#[tokio::test]
async fn a_timer_that_is_needed_no_more_keeps_nothing_open() {
    let text = "
name: Quick
trigger: {schedule: \"* * * * *\"}
plan: [{id: a, emit: {type: echo, data: {n: 1}}, timeout: 30m}]
";
    let stage = Stage::of(text, &[&echo()]).await;
    let mut finished = stage.app.subscribe("plan.finished").await.unwrap();
    while stage.app.schedules().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..3 {
        stage.clock.advance(Duration::from_mins(1));
        let ended: PlanFinished = tokio::time::timeout(Duration::from_secs(20), finished.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
            .decode()
            .unwrap();
        assert_eq!(ended.status, "completed");
        for _ in 0..400 {
            if stage.app.schedules().await.unwrap()[0].is_quiet() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert_eq!(stage.app.schedules().await.unwrap()[0].skipped, 0);
}

/// Refuses to run other instructions; holds payments.
#[derive(Debug)]
struct Strict;

#[async_trait]
impl Authorizer for Strict {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict> {
        Ok(match request.event.event_type.as_str() {
            "instruction.other.run" => Verdict::Deny(Decision::new("strict", "not this one")),
            "pay" => Verdict::Hold(Decision::new("strict", "ask somebody")),
            _ => Verdict::Allow,
        })
    }
}

#[tokio::test]
async fn what_a_policy_or_a_person_refuses_is_a_failure() {
    let call = "name: Call\nplan: [{id: a, run: other}]\n";
    let pay = "name: Pay\nplan: [{id: a, emit: {type: pay, data: {n: 1}}}, {id: b, depends_on: a, emit: {type: echo}}]\n";
    let builder = Processor::builder(hub()).clock(clock("2025-06-16T08:00:00Z")).authorizer(Strict);
    let paid = Does::new("pay", |_| Ok(Vec::new()));
    let builder = builder.driver(workflow(call)).driver(workflow(pay)).driver(paid).driver(echo());
    let stage = Stage { app: builder.start().await.unwrap(), clock: clock("2025-06-16T08:00:00Z") };
    let plan = stage.plans("call").run(none()).await.unwrap();
    let failed = stage.until_status("call", &plan, "failed").await;
    assert!(failed["error"].as_str().unwrap().contains("not this one"), "{failed}");
    let plan = stage.plans("pay").run(none()).await.unwrap();
    let held = loop {
        if let Some(held) = stage.app.held(10).await.unwrap().pop() {
            break held;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let waits = stage.until_status("pay", &plan, "held").await;
    assert!(waits["dag"]["nodes"]["a"]["error"].as_str().unwrap().contains("ask somebody"), "{waits}");
    stage.app.reject(&held, "too much").await.unwrap();
    let failed = stage.until_status("pay", &plan, "failed").await;
    assert_eq!(failed["dag"]["nodes"]["b"]["status"], "pending", "{failed}");
    let plan = stage.plans("pay").run(none()).await.unwrap();
    stage.until_status("pay", &plan, "held").await;
    let held = stage.app.held(10).await.unwrap().pop().unwrap();
    stage.app.approve(&held, "fine").await.unwrap();
    stage.until_status("pay", &plan, "completed").await;
    let plan = stage.plans("pay").run(none()).await.unwrap();
    stage.until_status("pay", &plan, "held").await;
    stage.plans("pay").cancel(&plan).await.unwrap();
    stage.until_status("pay", &plan, "cancelled").await;
    assert!(stage.app.held(10).await.unwrap().is_empty(), "what is held for it goes with it");
}

#[tokio::test]
async fn a_schedule_that_an_instruction_has_no_more_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (file, now) = (folder.path().join("hub.db"), clock("2025-06-16T08:59:00Z"));
    let before = "name: Daily\ntrigger: {schedule: \"0 9 * * *\"}\nplan: [{id: a, emit: {type: echo, data: {n: 1}}}]\n";
    let after = "name: Daily\nplan: [{id: a, emit: {type: echo, data: {n: 1}}}]\n";
    let hub = vextir_context::Hub::open(&file).unwrap();
    let stage = Stage::new(hub, now.clone(), vec![workflow(before)], &[&echo()]).await;
    while stage.app.schedules().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stage.app.shutdown().await.unwrap();
    let driver = echo();
    let hub = crate::faults::reopened(&file).await;
    let stage = Stage::new(hub, now, vec![workflow(after)], &[&driver]).await;
    stage.clock.advance(Duration::from_mins(2));
    while !stage.app.schedules().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(driver.data().is_empty(), "it does not run");
}

#[tokio::test]
async fn what_is_waited_for_no_more_is_forgotten() {
    let text = "name: Wait\nplan: [{id: w, wait_for: {event: go}}]\n";
    let stage = Stage::of(text, &[]).await;
    let mut plans = Vec::new();
    for _ in 0..3 {
        plans.push(stage.plans("wait").run(none()).await.unwrap());
    }
    for plan in &plans {
        stage.until("wait", plan, |value| value["dag"]["nodes"]["w"]["status"] == "running").await;
    }
    stage.app.emit(Event::new("go").with_data(json!(1))).await.unwrap();
    for plan in &plans {
        stage.until_status("wait", plan, "completed").await;
    }
    stage.app.idle().await;
    let waiting = stage.app.context("local").read("/System/Plans/.waiting/wait").await.unwrap().unwrap();
    assert_eq!(waiting.content.as_json(), Some(&json!({})));
}
