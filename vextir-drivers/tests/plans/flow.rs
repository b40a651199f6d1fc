//! What steps can do, and what people can do with plans.

use crate::{Does, Stage, clock, hub, none, workflow};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use vextir_core::Failure;
use vextir_core::prelude::*;
use vextir_drivers::workflow::PlanApproval;

fn echo() -> Does {
    Does::new("echo", |event| Ok(vec![Event::new("echoed").with_data(event.data.clone())]))
}

#[tokio::test]
async fn what_steps_give_is_read_by_those_after_them() {
    let text = "
name: Sum
inputs: [{name: who, type: string}]
plan:
  - {id: a, emit: {type: echo, data: {n: 2}}}
  - {id: b, emit: {type: echo, data: {name: \"{{inputs.who}}\"}}}
  - {id: c, depends_on: [a, b], condition: a.output.n > 1, emit: {type: echo, data: {n: \"{{a.output.n}}\", text: \"Hello {{b.output.name}}\"}}}
  - {id: d, depends_on: c, condition: a.output.n > 5, emit: {type: echo}}
";
    let stage = Stage::of(text, &[&echo()]).await;
    let ended = stage.run("sum", json!({"who": "Ann"})).await;
    assert_eq!((ended.status.as_str(), &ended.error), ("completed", &None));
    let plan = stage.until_status("sum", &ended.plan, "completed").await;
    assert_eq!(plan["dag"]["nodes"]["c"]["output"], json!({"n": 2, "text": "Hello Ann"}));
    assert_eq!(plan["dag"]["nodes"]["d"]["status"], "skipped");
    let missing = stage.run("sum", json!({})).await;
    assert_eq!(missing.status, "failed");
    assert!(missing.error.unwrap().contains("input `who` is required"));
}

#[tokio::test]
async fn a_list_is_gone_through_with_so_many_at_a_time() {
    let text = "
name: Each
plan:
  - id: each
    for_each: {items: [1, 2, 3, 4, 5, 6, 7], parallel: 3}
    emit: {type: echo, data: {n: \"{{item}}\", at: \"{{index}}\"}}
  - {id: last, depends_on: each, emit: {type: echo, data: {all: \"{{each.output}}\"}}}
";
    let driver = echo();
    let stage = Stage::of(text, &[&driver]).await;
    let ended = stage.run("each", json!({})).await;
    assert_eq!(ended.status, "completed", "{ended:?}");
    let all: Vec<Value> = (0..7).map(|at| json!({"n": at + 1, "at": at})).collect();
    assert_eq!(ended.output, json!({"all": all}));
    assert_eq!(driver.data().len(), 8);
}

#[tokio::test]
async fn a_step_that_fails_is_tried_again_and_then_made_good() {
    let text = "
name: Pay
plan:
  - {id: pay, emit: {type: pay}, retry: {attempts: 3, delay: 10s, factor: 2}, on_error: {compensate: tell}}
  - {id: tell, emit: {type: echo, data: {text: \"Not paid: {{pay.error}}\"}}}
";
    let tries = std::sync::Arc::new(AtomicU32::new(0));
    let counted = tries.clone();
    let pay = Does::new("pay", move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Err(Failure::permanent("the bank is closed").into())
    });
    let tell = echo();
    let stage = Stage::of(text, &[&pay, &tell]).await;
    let plans = stage.plans("pay");
    let plan = plans.run(none()).await.unwrap();
    for attempt in 1..3 {
        stage.until("pay", &plan, |_| tries.load(Ordering::SeqCst) == attempt).await;
        stage.app.idle().await;
        stage.clock.advance(Duration::from_secs(20));
    }
    let ended = stage.until_status("pay", &plan, "failed").await;
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    assert!(ended["error"].as_str().unwrap().contains("the bank is closed"), "{ended}");
    let told = &tell.data()[0]["text"];
    assert!(told.as_str().unwrap().contains("the bank is closed"), "{told}");
}

#[tokio::test]
async fn a_plan_waits_for_an_event_and_for_a_person() {
    let text = "
name: Invoice
plan:
  - {id: send, emit: {type: echo, data: {n: 7}}}
  - {id: paid, depends_on: send, wait_for: {event: invoice.paid, condition: event.data.n == send.output.n}}
  - {id: ask, depends_on: paid, approve: \"Close {{paid.output.n}}?\"}
  - {id: close, depends_on: ask, emit: {type: echo, data: {by: \"{{ask.output.by}}\"}}}
";
    let stage = Stage::of(text, &[&echo()]).await;
    let mut questions = stage.app.subscribe("plan.approval").await.unwrap();
    let plans = stage.plans("invoice");
    let plan = plans.run(none()).await.unwrap();
    stage.until("invoice", &plan, |value| value["dag"]["nodes"]["paid"]["status"] == "running").await;
    for n in [6, 7] {
        stage.app.emit(Event::new("invoice.paid").with_data(json!({"n": n}))).await.unwrap();
    }
    stage.app.as_user("bob").emit(Event::new("invoice.paid").with_data(json!({"n": 7}))).await.unwrap();
    let question: PlanApproval = questions.next().await.unwrap().unwrap().decode().unwrap();
    assert_eq!((question.plan.as_str(), question.message.as_str()), (plan.as_str(), "Close 7?"));
    plans.decide(&question, true, None).await.unwrap();
    let ended = stage.until_status("invoice", &plan, "completed").await;
    assert_eq!(ended["dag"]["nodes"]["close"]["output"], json!({"by": "local"}));
}

#[tokio::test]
async fn an_event_that_came_before_the_wait_counts_where_it_may() {
    let text = "
name: Back
trigger: {event: go}
plan:
  - {id: first, emit: {type: slow}}
  - {id: late, depends_on: first, wait_for: {event: signal, look_back: true}}
";
    let slow = Does::new("slow", |_| Ok(Vec::new()));
    let stage = Stage::of(text, &[&slow]).await;
    stage.app.pause_driver("on_slow").unwrap();
    let mut finished = stage.app.subscribe("plan.finished").await.unwrap();
    stage.app.emit(Event::new("go")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.app.emit(Event::new("signal").with_data(json!({"n": 1}))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.app.resume_driver("on_slow").unwrap();
    let ended = finished.next().await.unwrap().unwrap();
    assert_eq!(
        (ended.data.value()["status"].clone(), ended.data.value()["output"].clone()),
        (json!("completed"), json!({"n": 1}))
    );
}

#[tokio::test]
async fn an_instruction_runs_another_one() {
    let outer = "
name: Outer
plan:
  - {id: call, run: {instruction: inner, inputs: {n: 4}}}
  - {id: after, depends_on: call, emit: {type: echo, data: {got: \"{{call.output.twice}}\"}}}
";
    let inner = "
name: Inner
inputs: [{name: n, type: integer}]
plan:
  - {id: work, emit: {type: echo, data: {twice: [\"{{inputs.n}}\", \"{{inputs.n}}\"]}}}
";
    let workflows = vec![workflow(outer), workflow(inner)];
    let stage = Stage::new(hub(), clock("2025-06-16T08:00:00Z"), workflows, &[&echo()]).await;
    let ended = stage.plans("outer").run(none()).await.unwrap();
    let plan = stage.until_status("outer", &ended, "completed").await;
    assert_eq!(plan["dag"]["nodes"]["after"]["output"], json!({"got": [4, 4]}));
    let alone = Stage::of(outer, &[&echo()]).await;
    let plan = alone.plans("outer").run(none()).await.unwrap();
    let failed = alone.until_status("outer", &plan, "failed").await;
    assert!(failed["error"].as_str().unwrap().contains("no driver runs this instruction"), "{failed}");
}

#[tokio::test]
async fn a_plan_is_paused_cancelled_retried_and_forked() {
    let text = "
name: Work
inputs: [{name: n, type: integer, default: 1}]
plan:
  - {id: a, emit: {type: echo, data: {n: \"{{inputs.n}}\"}}}
  - {id: b, depends_on: a, emit: {type: maybe, data: {n: \"{{inputs.n}}\"}}}
";
    let broken = std::sync::Arc::new(AtomicU32::new(1));
    let state = broken.clone();
    let maybe = Does::new("maybe", move |event| match state.load(Ordering::SeqCst) {
        0 => Ok(vec![Event::new("done").with_data(event.data.clone())]),
        _ => Err(Failure::permanent("broken").into()),
    });
    let echo = echo();
    let stage = Stage::of(text, &[&echo, &maybe]).await;
    let plans = stage.plans("work");
    let plan = plans.run(none()).await.unwrap();
    stage.until_status("work", &plan, "failed").await;
    broken.store(0, Ordering::SeqCst);
    plans.retry(&plan, "b").await.unwrap();
    let done = stage.until_status("work", &plan, "completed").await;
    assert_eq!(
        (done["dag"]["nodes"]["b"]["output"].clone(), echo.data().len()),
        (json!({"n": 1}), 1),
        "what was done is kept"
    );
    let inputs = json!({"n": 5}).as_object().cloned().unwrap();
    let fork = plans.fork(&plan, "b", inputs).await.unwrap();
    let forked = stage.until_status("work", &fork, "completed").await;
    assert_eq!((forked["dag"]["nodes"]["b"]["output"].clone(), echo.data().len()), (json!({"n": 5}), 1));
    stage.app.pause_driver("on_echo").unwrap();
    let paused = plans.run(none()).await.unwrap();
    stage.until("work", &paused, |value| value["dag"]["nodes"]["a"]["status"] == "running").await;
    plans.pause(&paused).await.unwrap();
    stage.until_status("work", &paused, "paused").await;
    stage.app.resume_driver("on_echo").unwrap();
    let waits =
        stage.until("work", &paused, |value| value["dag"]["nodes"]["a"]["status"] == "completed").await;
    assert_eq!(waits["dag"]["nodes"]["b"]["status"], "pending");
    plans.cancel(&paused).await.unwrap();
    stage.until_status("work", &paused, "cancelled").await;
}

#[tokio::test]
async fn a_null_for_an_input_that_may_be_left_out_is_as_good_as_nothing() {
    let text = "
name: Nulls
inputs: [{name: n, type: integer, default: 7}, {name: note, type: string, required: false}, {name: must, type: string}]
plan: [{id: a, emit: {type: echo, data: {n: '{{inputs.n}}', note: '{{inputs.note}}'}}}]
";
    let stage = Stage::of(text, &[&echo()]).await;
    let ended = stage.run("nulls", json!({"n": null, "note": null, "must": "x"})).await;
    assert_eq!((ended.status.as_str(), ended.output), ("completed", json!({"n": 7, "note": null})));
    let failed = stage.run("nulls", json!({"must": null})).await;
    assert!(failed.error.unwrap().contains("input `must` takes a string"), "what is required is no null");
}

#[tokio::test]
async fn each_change_below_a_watched_path_starts_one_run() {
    let text = "
name: Watch
trigger: {context: /Inbox}
plan: [{id: a, emit: {type: echo, data: {path: '{{trigger.data.path}}'}}}]
";
    let (hub, now, driver) = (hub(), clock("2025-06-16T08:00:00Z"), echo());
    let watch = vextir_drivers::context::ContextWatch::new(hub.context("local"), "/");
    let builder = vextir_core::Processor::builder(hub).clock(now.clone()).driver(watch);
    let app = builder.driver(workflow(text)).driver(driver.clone()).start().await.unwrap();
    let stage = Stage { app, clock: now };
    let context = stage.app.context("local");
    let mut finished = stage.app.subscribe("plan.finished").await.unwrap();
    for (path, content) in
        [("/Other/x", "1"), ("/Inbox/mails/a", "1"), ("/Inbox/mails/a", "2"), ("/Inbox/mails/b", "1")]
    {
        context.write(path, content).await.unwrap();
        if path.starts_with("/Inbox") {
            finished.next().await.unwrap().unwrap();
        }
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    stage.app.idle().await;
    let paths: Vec<Value> = driver.data().into_iter().map(|data| data["path"].clone()).collect();
    assert_eq!(paths, ["/Inbox/mails/a", "/Inbox/mails/a", "/Inbox/mails/b"]);
}

#[tokio::test]
async fn a_step_whose_event_no_driver_handles_says_so() {
    let text = "name: Tell\nplan: [{id: a, emit: {type: nobody.hears}}, {id: b, emit: {type: echo, data: {n: 1}}}]\n";
    let stage = Stage::of(text, &[&echo()]).await;
    let plan = stage.plans("tell").run(none()).await.unwrap();
    let done = stage.until_status("tell", &plan, "completed").await;
    let nodes = &done["dag"]["nodes"];
    assert_eq!(
        (&nodes["a"]["note"], &nodes["a"]["output"]),
        (&json!("no driver handles `nobody.hears`"), &Value::Null)
    );
    assert!(nodes["b"]["note"].is_null());
}

#[tokio::test]
async fn a_run_has_the_limits_that_its_instruction_declares() {
    let text = |events: u32| {
        format!(
            "name: Many\nlimits: {{events: {events}}}\nplan: [{{id: each, for_each: {{items: [1, 2, 3, 4, 5, 6], parallel: 6}}, emit: {{type: work, data: {{}}}}}}]\n"
        )
    };
    let work = || Does::answering("work", "worked", json!({}));
    let stage = Stage::of(&text(5), &[&work()]).await;
    let plan = stage.plans("many").run(none()).await.unwrap();
    let held = stage.until("many", &plan, |value| value["dag"]["nodes"]["each"]["at_work"].is_object()).await;
    assert_eq!(held["status"], "executing");
    let mut notices = stage.app.subscribe_from("lease.held", vextir_core::Start::Beginning).await.unwrap();
    let notice = notices.next().await.unwrap().unwrap();
    let root = notice.root().clone();
    let limits = stage.app.lease(&root).await.unwrap().unwrap().limits;
    assert_eq!(limits.events, 5, "the tree has them");
    stage.app.extend(&root, vextir_core::Limits { events: 100, ..limits }).await.unwrap();
    stage.until_status("many", &plan, "completed").await;
    // More than the application allows.
    let stage = Stage::of(&text(1_000_000), &[&work()]).await;
    let mut errors = stage.app.subscribe_from("error", vextir_core::Start::Beginning).await.unwrap();
    let plan = stage.plans("many").run(none()).await.unwrap();
    let error = errors.next().await.unwrap().unwrap().data.value()["error"].to_string();
    assert!(error.contains("instruction.many.begin was refused"), "{error}");
    assert!(stage.plans("many").get(&plan).await.unwrap().is_none());
}

#[tokio::test]
async fn a_fork_and_a_retry_have_the_limits_too() {
    let text = "name: Less\nlimits: {events: 50}\nplan: [{id: a, emit: {type: work, data: {}}}]\n";
    let tries = std::sync::Arc::new(AtomicU32::new(0));
    let counted = tries.clone();
    let work = Does::new("work", move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Err(Failure::permanent("broken").into()),
        _ => Ok(vec![Event::new("worked")]),
    });
    let stage = Stage::of(text, &[&work]).await;
    let plans = stage.plans("less");
    let plan = plans.run(none()).await.unwrap();
    stage.until_status("less", &plan, "failed").await;
    plans.retry(&plan, "a").await.unwrap();
    stage.until_status("less", &plan, "completed").await;
    let fork = plans.fork(&plan, "a", none()).await.unwrap();
    stage.until_status("less", &fork, "completed").await;
    let seen = work.seen.lock().unwrap().clone();
    let mut trees = std::collections::BTreeSet::new();
    for event in &seen {
        let lease = stage.app.lease(event.root()).await.unwrap().unwrap();
        assert_eq!(lease.limits.events, 50, "{event:?}");
        trees.insert(event.root().to_string());
    }
    assert_eq!(trees.len(), 3, "the run, its retry and its fork have a tree each");
}
