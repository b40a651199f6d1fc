//! Long lists: that an element costs little, and that nothing of it is lost.

use super::{Does, Stage, clock, hub, none, workflow};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use vextir_core::prelude::*;
use vextir_core::{Capability, HandlerResult, Letters, Limits, Processor, async_trait};

const FAN: &str = "
name: Fan
inputs: [{name: all, type: list}]
plan:
  - {id: each, for_each: {items: \"{{inputs.all}}\", parallel: 16}, emit: {type: ask, data: {n: \"{{item.n}}\"}}}
  - {id: then, depends_on: each, emit: {type: ask, data: {n: \"{{each.output[299].n}}\", of: \"{{inputs.all[7].n}}\"}}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_rewrites_little_and_goes_on_where_it_failed() {
    let broken = AtomicBool::new(true);
    let answers = Does::new("ask", move |event| {
        let n = event.data.value()["n"].clone();
        if n == 200 && broken.swap(false, Ordering::Relaxed) {
            return Err("not yet".into());
        }
        Ok(vec![Event::new("answer").with_data(json!({"n": n}))])
    });
    let limits = Limits { events: 10_000, ..Limits::default() };
    let clock = clock("2025-06-16T08:00:00Z");
    let builder = Processor::builder(hub()).limits(limits).clock(clock.clone());
    let app = builder.driver(workflow(FAN)).driver(answers.clone()).start().await.unwrap();
    let stage = Stage { app, clock };

    let all: Vec<Value> = (0..300).map(|n| json!({"n": n, "text": "of some length"})).collect();
    let failed = stage.run("fan", json!({"all": all})).await;
    assert_eq!(failed.status, "failed");
    let plans = stage.plans("fan");
    let plan = plans.get(&failed.plan).await.unwrap().unwrap();
    let fan = &plan["dag"]["nodes"]["each"];
    assert_eq!((&fan["items"]["failed"], &fan["status"]), (&json!(1), &json!("failed")));
    assert!(fan["items"]["completed"].as_u64().unwrap() >= 200, "the counts are whole at the end: {fan}");

    plans.retry(&failed.plan, "each").await.unwrap();
    let plan = stage.until_status("fan", &failed.plan, "completed").await;
    assert_eq!(plan["dag"]["nodes"]["then"]["output"], json!({"n": 299}));
    assert!(plan["dag"]["nodes"]["each"].get("at_work").is_none());
    let seen = answers.data();
    assert_eq!(seen.len(), 302, "each element once, the one that failed twice, and the step behind them");
    assert_eq!(seen[301], json!({"n": 299, "of": 7}));

    // What it was given stands beside it, and the document was not written for each element.
    let path = format!("/System/Plans/{}", failed.plan);
    let context = stage.app.as_user("local").context();
    assert!(plan["inputs"].as_object().unwrap().is_empty() && plan["trigger"].get("data").is_none());
    let given = context.read(plan["given"].as_str().unwrap()).await.unwrap().unwrap();
    assert_eq!(given.version, 1);
    assert_eq!(given.content.as_json().unwrap()["inputs"]["all"][9]["n"], 9);
    let version = context.read(&path).await.unwrap().unwrap().version;
    assert!(version < 100, "{version} versions for 300 elements");
    let progress = format!("/System/Plans/.parts/{}/progress", failed.plan);
    assert!(context.read(&progress).await.unwrap().is_none());
    assert!(plans.mermaid(&failed.plan).await.unwrap().is_some());

    let fork = plans.fork(&failed.plan, "then", super::none()).await.unwrap();
    stage.until_status("fan", &fork, "completed").await;
    assert_eq!(answers.data()[302], json!({"n": 299, "of": 7}));
}

/// Answers as often as it is allowed to.
struct Allowed(Arc<Semaphore>);

#[async_trait]
impl Driver for Allowed {
    fn manifest(&self) -> Manifest {
        Manifest::new("allowed").can(Capability::new("ask"))
    }

    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        self.0.acquire().await?.forget();
        Ok(vec![Event::new("answer")])
    }
}

#[tokio::test]
async fn progress_that_is_damaged_is_an_error_and_not_a_fresh_start() {
    let items: Vec<u32> = (0..20).collect();
    let text = format!(
        "name: Long\nplan: [{{id: each, for_each: {{items: {items:?}, parallel: 4}}, emit: {{type: ask, data: {{}}}}}}]\n"
    );
    let (clock, allowed) = (clock("2025-06-16T08:00:00Z"), Arc::new(Semaphore::new(3)));
    let builder = Processor::builder(hub()).clock(clock.clone()).driver(workflow(&text));
    let app = builder.driver(Allowed(allowed.clone())).start().await.unwrap();
    let stage = Stage { app, clock };
    let plan = stage.plans("long").run(none()).await.unwrap();
    let (context, path) = (stage.app.context("local"), format!("/System/Plans/.parts/{plan}/progress"));
    let kept = loop {
        let document = context.read(&path).await.unwrap();
        let kept = document.and_then(|document| document.content.as_json().cloned()).unwrap_or_default();
        if kept["nodes"]["each"]["items"]["completed"] == 3 {
            break kept;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    context.write(&path, json!({"behind": 3, "nodes": "lost"})).await.unwrap();
    allowed.add_permits(1);
    // It cannot take in the end of a branch, nor that this was lost.
    let letters = loop {
        let letters = stage.app.dead_letters(0, 10).await.unwrap();
        if letters.len() == 2 {
            break letters;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let ended = letters.iter().find(|letter| letter.event.event_type == "branch.ended").unwrap();
    let reason = &ended.reason;
    assert!(reason.contains(&path) && reason.contains("no progress of a plan"), "{reason}");
    // Mended, it goes on where it was.
    context.write(&path, kept).await.unwrap();
    stage.app.redrive(&Letters::one(ended.position)).await.unwrap();
    allowed.add_permits(100);
    let plan = stage.until_status("long", &plan, "completed").await;
    assert_eq!(plan["dag"]["nodes"]["each"]["items"]["completed"], 20);
}
