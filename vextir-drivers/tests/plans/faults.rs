//! The process dies, a definition changes, a driver is missing.

use crate::{Does, Stage, clock, none, workflow};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::prelude::*;
use vextir_core::{ErrorKind, EventFilter, ManualClock, Name, Start};

const TEXT: &str = "
name: Long
plan:
  - {id: a, emit: {type: work, data: {n: 1}}}
  - {id: fan, depends_on: a, for_each: {items: [1, 2, 3, 4, 5, 6, 7, 8, 9], parallel: 4}, emit: {type: work, data: {n: \"{{item}}\"}}}
  - {id: z, depends_on: fan, emit: {type: work, data: {n: \"{{fan.output | length}}\"}}}
";

fn work() -> Does {
    Does::new("work", |event| Ok(vec![Event::new("worked").with_data(event.data.clone())]))
}

pub(super) async fn reopened(file: &Path) -> Hub {
    for _ in 0..2_000 {
        match Hub::open(file) {
            Err(error) if error.kind() == ErrorKind::Locked => {
                tokio::time::sleep(Duration::from_millis(5)).await
            }
            opened => return opened.unwrap(),
        }
    }
    panic!("the file stays locked");
}

#[tokio::test]
async fn each_step_is_done_once_whenever_the_process_dies() {
    let folder = tempfile::tempdir().unwrap();
    let (file, clock) = (folder.path().join("hub.db"), clock("2025-06-16T08:00:00Z"));
    let ticking = clock.clone();
    let ticker = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            ticking.advance(Duration::from_millis(50));
        }
    });
    let mut plans = Vec::new();
    for round in 0..10 {
        let stage = Stage::new(reopened(&file).await, clock.clone(), vec![workflow(TEXT)], &[&work()]).await;
        plans.push(stage.plans("long").run(none()).await.unwrap());
        tokio::time::sleep(Duration::from_millis(round * 7)).await;
    }
    let stage = Stage::new(reopened(&file).await, clock.clone(), vec![workflow(TEXT)], &[&work()]).await;
    for plan in &plans {
        let ended = stage.until("long", plan, |value| value["ended"].is_string()).await;
        assert_eq!(ended["status"], "completed", "{ended}");
    }
    ticker.abort();
    let mut log = stage.app.subscribe_from(EventFilter::all(), Start::Beginning).await.unwrap();
    let (mut asked, mut answered, mut finished) = (0, 0, 0);
    while let Ok(Some(Ok(event))) = tokio::time::timeout(Duration::from_millis(200), log.next()).await {
        match event.event_type.as_str() {
            "work" => asked += 1,
            "worked" => answered += 1,
            "plan.finished" => finished += 1,
            _ => {}
        }
    }
    assert_eq!((asked, answered, finished), (110, 110, 10), "eleven for each plan, and one end");
}

/// A run whose processor has stopped while its first step was at work.
async fn left_at_work(file: &Path, clock: &ManualClock) -> Name {
    let stage = Stage::new(Hub::open(file).unwrap(), clock.clone(), vec![workflow(TEXT)], &[&work()]).await;
    stage.app.pause_driver("on_work").unwrap();
    let plan = stage.plans("long").run(none()).await.unwrap();
    stage.until_status("long", &plan, "executing").await;
    stage.app.shutdown().await.unwrap();
    plan
}

#[tokio::test]
async fn a_run_goes_on_with_the_instruction_that_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let (file, clock) = (folder.path().join("hub.db"), clock("2025-06-16T08:00:00Z"));
    let plan = left_at_work(&file, &clock).await;
    let other = "name: Long\nplan: [{id: other, emit: {type: work, data: {n: 100}}}]\n";
    let driver = work();
    let stage = Stage::new(reopened(&file).await, clock, vec![workflow(other)], &[&driver]).await;
    let ended = stage.until_status("long", &plan, "completed").await;
    assert_eq!(ended["dag"]["nodes"]["z"]["output"], json!({"n": 9}));
    assert_eq!(driver.data().len(), 11);
    let fresh = stage.run("long", json!({})).await;
    assert_eq!(fresh.output, json!({"n": 100}), "new runs take the new one");
}

#[tokio::test]
async fn a_plan_waits_for_a_driver_that_is_not_there() {
    let text = "name: Alone\nplan: [{id: a, emit: {type: work, data: {n: 1}}}]\n";
    let folder = tempfile::tempdir().unwrap();
    let (file, clock) = (folder.path().join("hub.db"), clock("2025-06-16T08:00:00Z"));
    let stage = Stage::new(Hub::open(&file).unwrap(), clock.clone(), vec![workflow(text)], &[&work()]).await;
    stage.app.pause_driver("on_work").unwrap();
    let plan = stage.plans("alone").run(none()).await.unwrap();
    stage.until_status("alone", &plan, "executing").await;
    stage.app.shutdown().await.unwrap();
    let stage = Stage::new(reopened(&file).await, clock, vec![workflow(text)], &[]).await;
    let waits = stage.until_status("alone", &plan, "held").await;
    let step = &waits["dag"]["nodes"]["a"];
    assert_eq!(step["status"], "held");
    assert!(step["error"].as_str().unwrap().contains("no driver `on_work`"), "{step}");
    assert_eq!(stage.app.bus().unclaimed().await.unwrap()["on_work"], 1, "and says for whom");
    stage.app.register(work()).await.unwrap();
    let done = stage.until_status("alone", &plan, "completed").await;
    assert!(done["dag"]["nodes"]["a"]["error"].is_null());
}

#[tokio::test]
async fn what_is_asked_of_a_plan_that_is_not_there_is_an_error() {
    let stage = Stage::of(TEXT, &[&work()]).await;
    let mut errors = stage.app.subscribe("error").await.unwrap();
    stage.plans("long").pause("nothing").await.unwrap();
    let error = errors.next().await.unwrap().unwrap();
    assert!(
        error.data.value()["error"].as_str().unwrap().contains("there is no plan \"nothing\""),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_plan_that_cannot_take_in_what_happened_fails_and_says_so() {
    let text = "
name: Lost
plan:
  - {id: each, for_each: {items: [1, 2, 3], parallel: 1}, emit: {type: work, data: {n: '{{item}}'}}}
  - {id: other, wait_for: {event: never}, timeout: 1h}
";
    let stage = Stage::of(text, &[&work()]).await;
    stage.app.pause_driver("on_work").unwrap();
    let plans = stage.plans("lost");
    let plan = plans.run(none()).await.unwrap();
    stage.until_status("lost", &plan, "executing").await;
    let context = stage.app.context("local");
    let part = format!("/System/Plans/.parts/{plan}/each-0");
    let elements = context.read(&part).await.unwrap().unwrap();
    context.remove(&part).await.unwrap();
    stage.app.resume_driver("on_work").unwrap();
    let failed = stage.until_status("lost", &plan, "failed").await;
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("could not take in `branch.ended`") && error.contains("is gone"), "{error}");
    assert_eq!(failed["dag"]["nodes"]["other"]["status"], "cancelled");
    stage.app.idle().await;
    let waiting = context.read("/System/Plans/.waiting/lost").await.unwrap().unwrap();
    assert_eq!(waiting.content.as_json(), Some(&json!({})), "it waits for nothing any more");
    context.write(&part, elements.content).await.unwrap();
    plans.retry(&plan, "each").await.unwrap();
    stage.until("lost", &plan, |value| value["dag"]["nodes"]["each"]["status"] == "completed").await;
    plans.cancel(&plan).await.unwrap();
    stage.until_status("lost", &plan, "cancelled").await;
}

#[tokio::test]
async fn a_run_whose_instruction_is_taken_away_waits_or_says_that_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (file, clock) = (folder.path().join("hub.db"), clock("2025-06-16T08:00:00Z"));
    let plan = left_at_work(&file, &clock).await;
    // Not registered: its news wait for it.
    let stage = Stage::new(reopened(&file).await, clock.clone(), vec![], &[&work()]).await;
    stage.app.idle().await;
    let there = stage.plans("long").get(&plan).await.unwrap().unwrap();
    assert_eq!(there["status"], "executing");
    let hash = there["hash"].as_str().unwrap().to_owned();
    stage.app.shutdown().await.unwrap();
    // Another one in its place, and the text that the run began with is removed.
    let other = "name: Long\nplan: [{id: other, emit: {type: work, data: {n: 100}}}]\n";
    let hub = reopened(&file).await;
    let app = Processor::builder(hub.clone()).paused().start().await.unwrap();
    app.context("local").remove(&format!("/System/Plans/.instructions/{hash}")).await.unwrap();
    app.shutdown().await.unwrap();
    drop(hub);
    let stage = Stage::new(reopened(&file).await, clock, vec![workflow(other)], &[&work()]).await;
    let ended = stage.until_status("long", &plan, "failed").await;
    assert!(ended["error"].as_str().unwrap().contains("is not there any more"), "{ended}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_fails_its_step_with_the_reason() {
    let text = "
name: Large
plan:
  - {id: a, emit: {type: big, data: {bytes: 900000}}}
  - {id: b, depends_on: a, emit: {type: big, data: {bytes: '{{a.output.text | length}}'}}}
  - {id: c, depends_on: b, emit: {type: big, data: {bytes: 1100000}}}
";
    let big = Does::new("big", |event| {
        let bytes = &event.data.value()["bytes"];
        let bytes = bytes.as_u64().unwrap_or_else(|| bytes.as_str().unwrap().parse().unwrap());
        let text = "x".repeat(usize::try_from(bytes).unwrap());
        Ok(vec![Event::new("is.big").with_data(json!({"text": text}))])
    });
    let stage = Stage::of(text, &[&big]).await;
    let ended = stage.run("large", json!({})).await;
    assert_eq!(ended.status, "failed");
    let error = ended.error.unwrap();
    assert!(error.contains("step `c`") && error.contains("at most 1048576"), "{error}");
    assert_eq!(
        big.data()[1]["bytes"].to_string().trim_matches('"'),
        "900000",
        "a large answer is read whole"
    );
}
