//! Rules that last until a run is over: how many there are at a time, and what becomes of one more.

use crate::faults::reopened;
use crate::{Does, Stage, clock, hub, none, workflow};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use vextir_context::HubBuilder;
use vextir_core::prelude::*;
use vextir_core::{ErrorKind, EventFilter, Failure, Name, Start};
use vextir_drivers::workflow::PlanFinished;

/// An instruction with one step, and these rules.
fn text(flow: &str) -> String {
    format!(
        "name: Job\ninputs: [{{name: n, default: 0}}, {{name: account, default: none}}]\nflow: {flow}\nplan:\n  \
         - {{id: work, emit: {{type: work, data: {{n: \"{{{{inputs.n}}}}\", account: \"{{{{inputs.account}}}}\"}}}}}}\n"
    )
}

fn work() -> Does {
    Does::new("work", |event| Ok(vec![Event::new("worked").with_data(event.data.clone())]))
}

fn given(inputs: Value) -> Map<String, Value> {
    inputs.as_object().cloned().unwrap()
}

fn numbered(n: u32) -> Map<String, Value> {
    given(json!({"n": n}))
}

/// A stage on which nobody works until the driver is resumed.
async fn paused(flow: &str, drivers: &[&Does]) -> Stage {
    let stage = Stage::of(&text(flow), drivers).await;
    stage.app.pause_driver("on_work").unwrap();
    stage
}

impl Stage {
    /// Runs it, and returns when it has begun or waits: so the next one comes after it.
    async fn ask(&self, inputs: Map<String, Value>) -> Name {
        let plan = self.plans("job").run(inputs).await.unwrap();
        self.until("job", &plan, |_| true).await;
        plan
    }

    async fn statuses(&self, plans: &[Name]) -> Vec<String> {
        let mut all = Vec::new();
        for plan in plans {
            let value = self.plans("job").get(plan).await.unwrap().unwrap_or_default();
            all.push(value["status"].as_str().unwrap_or("none").to_owned());
        }
        all
    }

    async fn until_statuses(&self, plans: &[Name], wanted: &[&str]) {
        for _ in 0..2_000 {
            if self.statuses(plans).await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{:?}", self.statuses(plans).await);
    }

    /// All that happened.
    async fn log(&self) -> Vec<Event> {
        let mut log = self.app.subscribe_from(EventFilter::all(), Start::Beginning).await.unwrap();
        let mut events = Vec::new();
        while let Ok(Some(Ok(event))) = tokio::time::timeout(Duration::from_millis(200), log.next()).await {
            events.push(event);
        }
        events
    }

    /// The most runs at a time, all and by account; and how many began and ended.
    async fn at_a_time(&self) -> (usize, BTreeMap<String, usize>, usize, usize) {
        let (mut open, mut most, mut begun, mut ended) = (BTreeMap::new(), 0, 0, 0);
        let mut by_account: BTreeMap<String, usize> = BTreeMap::new();
        for event in self.log().await {
            let data = event.data.value();
            if event.event_type == "work" {
                begun += 1;
                let account = data["account"].as_str().unwrap().to_owned();
                let plan = event.id.to_string().split('/').next().unwrap().to_owned();
                open.insert(plan, account.clone());
                most = most.max(open.len());
                let now = open.values().filter(|other| **other == account).count();
                let count = by_account.entry(account).or_default();
                *count = now.max(*count);
            } else if event.event_type == "plan.finished" {
                ended += 1;
                open.remove(data["plan"].as_str().unwrap());
            }
        }
        (most, by_account, begun, ended)
    }
}

#[tokio::test]
async fn two_run_and_the_others_wait_for_their_turn() {
    let driver = work();
    let stage = paused("{concurrency: 2}", &[&driver]).await;
    let plans = stage.plans("job");
    let mut asked = Vec::new();
    for n in 0..10 {
        asked.push(stage.ask(numbered(n)).await);
        let expected = if n < 2 { "executing" } else { "pending" };
        stage.until_status("job", &asked[n as usize], expected).await;
    }
    let waits = plans.get(&asked[5]).await.unwrap().unwrap();
    assert_eq!(
        (&waits["inputs"]["n"], &waits["dag"]["nodes"]["work"]["status"]),
        (&json!(5), &json!("pending"))
    );
    stage.app.resume_driver("on_work").unwrap();
    stage.until_statuses(&asked, &["completed"; 10]).await;
    assert_eq!(stage.at_a_time().await, (2, [("none".to_owned(), 2)].into(), 10, 10));
    let order: Vec<Value> = driver.data().iter().map(|data| data["n"].clone()).collect();
    assert_eq!(order, (0..10).map(Value::from).collect::<Vec<_>>());
    let gate = stage.app.as_user("local").context().list("/System/Plans/.gates/job").await.unwrap();
    assert_eq!(gate.len(), 1);
    let gate = stage.app.as_user("local").context().read(&gate[0].path).await.unwrap().unwrap();
    assert_eq!(
        gate.content.as_json().unwrap(),
        &json!({"rule": "concurrency", "running": [], "waiting": []})
    );
}

#[tokio::test]
async fn each_key_has_its_own_count_and_nothing_is_kept_of_it() {
    let flow = "[{concurrency: 3}, {concurrency: 1, key: inputs.account}]";
    let stage = paused(flow, &[&work()]).await;
    let mut asked = Vec::new();
    for n in 0..4 {
        for account in ["a", "b"] {
            let inputs = given(json!({"n": n, "account": account}));
            asked.push(stage.ask(inputs).await);
        }
    }
    let waits = ["pending"; 6];
    stage.until_statuses(&asked, &[&["executing"; 2][..], &waits[..]].concat()).await;
    stage.app.resume_driver("on_work").unwrap();
    stage.until_statuses(&asked, &["completed"; 8]).await;
    let (most, by_account, begun, ended) = stage.at_a_time().await;
    assert_eq!((most, begun, ended), (2, 8, 8));
    assert_eq!(by_account, [("a".to_owned(), 1), ("b".to_owned(), 1)].into());
    let gates = stage.app.as_user("local").context().list("/System/Plans/.gates/job").await.unwrap();
    assert_eq!(gates.len(), 1, "that of all: {gates:?}");
}

#[tokio::test]
async fn who_waits_does_so_over_restarts_and_begins_once() {
    let folder = tempfile::tempdir().unwrap();
    let (file, clock) = (folder.path().join("hub.db"), clock("2025-06-16T08:00:00Z"));
    let job = text("[{concurrency: 2}, {concurrency: 1, key: inputs.account}]");
    let mut asked = Vec::new();
    for round in 0..12u64 {
        let stage = Stage::new(reopened(&file).await, clock.clone(), vec![workflow(&job)], &[&work()]).await;
        for account in ["a", "b", "a"] {
            asked.push(stage.plans("job").run(given(json!({"account": account}))).await.unwrap());
        }
        tokio::time::sleep(Duration::from_millis(round * 5)).await;
    }
    let stage = Stage::new(reopened(&file).await, clock.clone(), vec![workflow(&job)], &[&work()]).await;
    for plan in &asked {
        let ended = stage.until("job", plan, |value| value["ended"].is_string()).await;
        assert_eq!(ended["status"], "completed", "{ended}");
    }
    let (most, by_account, begun, ended) = stage.at_a_time().await;
    assert!(most <= 2, "{most}");
    assert_eq!(by_account, [("a".to_owned(), 1), ("b".to_owned(), 1)].into());
    assert_eq!((begun, ended), (36, 36));
}

#[tokio::test]
async fn a_long_queue_grows_neither_deep_nor_large() {
    let stage = paused("{concurrency: 1}", &[&work()]).await;
    let mut asked = Vec::new();
    for n in 0..80 {
        asked.push(stage.plans("job").run(numbered(n)).await.unwrap());
    }
    for plan in &asked[1..] {
        stage.until("job", plan, |value| value["status"] == "pending").await;
    }
    let folder = stage.app.as_user("local").context().list("/System/Plans/.gates/job").await.unwrap();
    assert!(folder.len() > 1, "most stand in pages: {folder:?}");
    stage.plans("job").cancel(&asked[79]).await.unwrap();
    stage.app.resume_driver("on_work").unwrap();
    for plan in &asked[..79] {
        stage.until_status("job", plan, "completed").await;
    }
    stage.until_status("job", &asked[79], "cancelled").await;
    let last = stage.ask(none()).await;
    stage.until_status("job", &last, "completed").await;
    let folder = stage.app.as_user("local").context().list("/System/Plans/.gates/job").await.unwrap();
    assert_eq!(folder.len(), 1, "{folder:?}");
    let (most, _, begun, ended) = stage.at_a_time().await;
    assert_eq!((most, begun, ended), (1, 80, 81));
    assert!(stage.log().await.iter().all(|event| event.depth < 10));
}

#[tokio::test]
async fn a_second_one_is_left_out() {
    let outer = "name: Outer\nplan: [{id: call, run: job}]\n";
    let workflows = vec![workflow(&text("{singleton: skip, key: inputs.account}")), workflow(outer)];
    let stage = Stage::new(hub(), clock("2025-06-16T08:00:00Z"), workflows, &[&work()]).await;
    stage.app.pause_driver("on_work").unwrap();
    let plans = stage.plans("job");
    let first = plans.run(none()).await.unwrap();
    stage.until_status("job", &first, "executing").await;
    let refused = stage.app.request::<PlanFinished>(plans.event(none())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NoAnswer, "{refused}");
    let other = plans.run(given(json!({"account": "other"}))).await.unwrap();
    stage.until_status("job", &other, "executing").await;
    let call = stage.plans("outer").run(none()).await.unwrap();
    let failed = stage.until_status("outer", &call, "failed").await;
    assert!(failed["error"].as_str().unwrap().contains("not begun: flow control"), "{failed}");
    let mut documents = stage.app.as_user("local").context().list("/System/Plans").await.unwrap();
    documents.retain(|item| item.path.contains("/job-"));
    assert_eq!(documents.len(), 2, "nothing is left of them: {documents:?}");
    stage.app.resume_driver("on_work").unwrap();
    stage.until_status("job", &first, "completed").await;
    let ended = stage.run("job", json!({})).await;
    assert_eq!(ended.status, "completed");
}

#[tokio::test]
async fn a_second_one_replaces_the_first() {
    let driver = work();
    let stage = paused("[{singleton: replace}, {concurrency: 1}]", &[&driver]).await;
    let mut asked = Vec::new();
    for n in 0..5 {
        asked.push(stage.ask(numbered(n)).await);
    }
    let cancelled = ["cancelled"; 4];
    stage.until_statuses(&asked, &[&cancelled[..], &["executing"]].concat()).await;
    stage.app.resume_driver("on_work").unwrap();
    stage.until_status("job", &asked[4], "completed").await;
    let ended = stage.run("job", json!({"n": 9})).await;
    assert_eq!(ended.output, json!({"n": 9, "account": "none"}));
}

#[tokio::test]
async fn a_run_that_waits_can_be_cancelled_but_not_paused() {
    let stage = paused("{concurrency: 1}", &[&work()]).await;
    let mut errors = stage.app.subscribe("error").await.unwrap();
    let plans = stage.plans("job");
    let mut asked = Vec::new();
    for n in 0..3 {
        asked.push(stage.ask(numbered(n)).await);
    }
    stage.until_statuses(&asked, &["executing", "pending", "pending"]).await;
    plans.pause(&asked[1]).await.unwrap();
    let error = errors.next().await.unwrap().unwrap().data.value()["error"].clone();
    assert!(error.as_str().unwrap().contains("waits for its turn"), "{error}");
    plans.cancel(&asked[1]).await.unwrap();
    stage.until_statuses(&asked, &["executing", "cancelled", "pending"]).await;
    plans.cancel(&asked[0]).await.unwrap();
    stage.until_statuses(&asked, &["cancelled", "cancelled", "executing"]).await;
    stage.app.resume_driver("on_work").unwrap();
    stage.until_statuses(&asked, &["cancelled", "cancelled", "completed"]).await;
}

#[tokio::test]
async fn a_run_that_was_cancelled_before_its_turn_is_not_retried() {
    let stage = paused("{concurrency: 1}", &[&work()]).await;
    let mut errors = stage.app.subscribe("error").await.unwrap();
    let plans = stage.plans("job");
    let mut asked = Vec::new();
    for n in 0..40 {
        asked.push(stage.ask(numbered(n)).await);
    }
    // The last one stands in a page beside the gate.
    let last = asked.pop().unwrap();
    plans.cancel(&last).await.unwrap();
    stage.until_status("job", &last, "cancelled").await;
    plans.retry(&last, "work").await.unwrap();
    let error = tokio::time::timeout(Duration::from_secs(30), errors.next()).await;
    let error = error.expect("it is refused").unwrap().unwrap().data.value()["error"].to_string();
    assert!(error.contains("never began") && error.contains("run the instruction anew"), "{error}");
    stage.app.resume_driver("on_work").unwrap();
    stage.until_statuses(&asked, &["completed"; 39]).await;
    stage.until_status("job", &last, "cancelled").await;
}

#[tokio::test]
async fn a_fork_is_counted_as_its_plan_when_the_trigger_is_gone() {
    let text = "
name: Job
trigger: {event: order}
flow: {concurrency: 1, key: trigger.data.account}
plan: [{id: a, emit: {type: work}}]
";
    let stage = Stage::of(text, &[&work()]).await;
    let (plans, mut errors) = (stage.plans("job"), stage.app.subscribe("error").await.unwrap());
    let mut finished = stage.app.subscribe("plan.finished").await.unwrap();
    stage.app.emit(Event::new("order").with_data(json!({"account": "ann"}))).await.unwrap();
    let ended = finished.next().await.unwrap().unwrap().data.value();
    let plan = ended["plan"].as_str().unwrap();
    let before = plans.get(plan).await.unwrap().unwrap();
    assert_eq!(before["gates"][0]["key"], "\"ann\"");
    // As if retention had removed the event.
    let (context, path) = (stage.app.context("local"), format!("/System/Plans/{plan}"));
    context.patch(&path, json!({"trigger": {"id": "evt_gone"}})).await.unwrap();
    let fork = plans.fork(plan, "a", none()).await.unwrap();
    let forked = stage.until_status("job", &fork, "completed").await;
    assert_eq!(forked["gates"], before["gates"]);
    // And its data had been too large for the plan.
    context.patch(&path, json!({"trigger": {"data": null}})).await.unwrap();
    let refused = plans.fork(plan, "a", none()).await.unwrap();
    let error = tokio::time::timeout(Duration::from_secs(30), errors.next()).await;
    let error = error.expect("it is refused").unwrap().unwrap().data.value()["error"].to_string();
    assert!(error.contains("evt_gone") && error.contains("does not have its data"), "{error}");
    assert!(plans.get(&refused).await.unwrap().is_none());
}

#[tokio::test]
async fn users_are_apart() {
    let stage = paused("[{concurrency: 1}, {singleton: skip, key: inputs.n}]", &[&work()]).await;
    let mut asked = Vec::new();
    for user in ["ann", "bob"] {
        let plans = vextir_drivers::workflow::Plans::new(stage.app.as_user(user), "job");
        for n in 0..2 {
            asked.push((plans.clone(), plans.run(numbered(n)).await.unwrap()));
        }
    }
    for both in asked.chunks(2) {
        let mut statuses = Vec::new();
        for _ in 0..2_000 {
            statuses.clear();
            for (plans, plan) in both {
                let status = plans.get(plan).await.unwrap().unwrap_or_default()["status"].clone();
                statuses.push(status.as_str().unwrap_or("none").to_owned());
            }
            statuses.sort();
            if statuses == ["executing", "pending"] {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(statuses, ["executing", "pending"], "each user has one at work");
    }
}

#[tokio::test]
async fn the_urgent_ones_have_their_turn_first() {
    let driver = work();
    let stage = paused("[{concurrency: 1}, {priority: inputs.account}]", &[&driver]).await;
    let mut asked = Vec::new();
    for (n, account) in ["normal", "low", "normal", "high", "low", "high"].iter().enumerate() {
        asked.push(stage.ask(given(json!({"n": n, "account": account}))).await);
        let status = if n == 0 { "executing" } else { "pending" };
        stage.until_status("job", &asked[n], status).await;
    }
    stage.app.resume_driver("on_work").unwrap();
    stage.until_statuses(&asked, &["completed"; 6]).await;
    let order: Vec<Value> = driver.data().iter().map(|data| data["n"].clone()).collect();
    assert_eq!(order, [0, 3, 5, 2, 1, 4]);
}

#[tokio::test]
async fn a_retry_and_a_fork_wait_for_a_place_too() {
    let driver = Does::new("work", |event| match event.data.value()["n"].as_u64() {
        Some(1) if !event.id.to_string().contains("/2/") => Err(Failure::permanent("broken").into()),
        _ => Ok(vec![Event::new("worked")]),
    });
    let stage = Stage::of(&text("{concurrency: 1}"), &[&driver]).await;
    let plans = stage.plans("job");
    let broken = plans.run(numbered(1)).await.unwrap();
    stage.until_status("job", &broken, "failed").await;
    stage.app.pause_driver("on_work").unwrap();
    let runs = plans.run(numbered(2)).await.unwrap();
    stage.until_status("job", &runs, "executing").await;
    plans.retry(&broken, "work").await.unwrap();
    let fork = plans.fork(&runs, "work", numbered(3)).await.unwrap();
    stage.until_status("job", &fork, "pending").await;
    let all = [broken, runs, fork];
    assert_eq!(stage.statuses(&all).await, ["failed", "executing", "pending"]);
    stage.app.resume_driver("on_work").unwrap();
    stage.until_statuses(&all, &["completed"; 3]).await;
    let (most, _, begun, ended) = stage.at_a_time().await;
    assert_eq!((most, begun, ended), (1, 4, 4));
}

#[tokio::test]
async fn a_step_waits_for_the_runs_that_it_asked_for() {
    let outer = "
name: Outer
plan:
  - {id: all, for_each: {items: [1, 2, 3, 4], parallel: 4}, run: {instruction: job, inputs: {n: \"{{item}}\"}}}
";
    let workflows = vec![workflow(&text("{concurrency: 1}")), workflow(outer)];
    let stage = Stage::new(hub(), clock("2025-06-16T08:00:00Z"), workflows, &[&work()]).await;
    let plan = stage.plans("outer").run(none()).await.unwrap();
    let ended = stage.until("outer", &plan, |value| value["ended"].is_string()).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    let (most, _, begun, ended) = stage.at_a_time().await;
    assert_eq!((most, begun, ended), (1, 4, 5));
}

#[tokio::test]
async fn a_rule_that_changes_counts_for_those_who_wait() {
    let folder = tempfile::tempdir().unwrap();
    let (file, clock) = (folder.path().join("hub.db"), clock("2025-06-16T08:00:00Z"));
    let job = |most: u32| {
        let text = format!("name: Job\nflow: {{concurrency: {most}}}\nplan: [wait_for: {{event: end}}]\n");
        vec![workflow(&text)]
    };
    let stage = Stage::new(reopened(&file).await, clock.clone(), job(1), &[]).await;
    let mut asked = Vec::new();
    for _ in 0..4 {
        asked.push(stage.ask(none()).await);
    }
    stage.until_statuses(&asked, &["executing", "pending", "pending", "pending"]).await;
    stage.app.shutdown().await.unwrap();
    let stage = Stage::new(reopened(&file).await, clock, job(3), &[]).await;
    asked.push(stage.ask(none()).await);
    stage.until_statuses(&asked, &["executing", "executing", "executing", "pending", "pending"]).await;
    stage.app.emit(Event::new("end")).await.unwrap();
    stage.until_statuses(&asked, &["completed", "completed", "completed", "executing", "executing"]).await;
    stage.app.emit(Event::new("end")).await.unwrap();
    stage.until_statuses(&asked, &["completed"; 5]).await;
}

#[tokio::test]
async fn the_processor_is_told_its_rules_and_their_values() {
    let flow =
        "[{throttle: 5, per: 1m, key: inputs.account}, {debounce: 1ms}, {priority: trigger.data.inputs.n}]";
    let job = workflow(&text(flow));
    let manifest = job.manifest();
    let rules: BTreeMap<String, usize> =
        manifest.capabilities.iter().map(|one| (one.pattern.to_string(), one.flow.len())).collect();
    assert_eq!(rules["instruction.job.begin"], 3);
    assert_eq!(rules.values().sum::<usize>(), 3, "nothing else is held up: {rules:?}");
    let stage = Stage::new(hub(), clock("2025-06-16T08:00:00Z"), vec![job], &[&work()]).await;
    stage.plans("job").run(given(json!({"n": 7, "account": "x"}))).await.unwrap();
    let log = stage.log().await;
    let begin = log.iter().find(|event| event.event_type == "instruction.job.begin").unwrap();
    assert_eq!(begin.data.value()["flow"], json!(["x", "local", 7]));
}

/// What the processor does with the rules that it is told.
mod kept_by_the_processor {
    use super::*;

    async fn of(flow: &str, driver: &Does) -> Stage {
        let outer = "name: Outer\nplan: [{id: call, run: job}]\n";
        let workflows = vec![workflow(&text(flow)), workflow(outer)];
        // The log counts by its own clock.
        let clock = clock("2025-06-16T08:00:00Z");
        let hub = HubBuilder::in_memory().clock(Arc::new(clock.clone())).open().unwrap();
        Stage::new(hub, clock, workflows, &[driver]).await
    }

    #[tokio::test]
    async fn what_is_beyond_a_rate_is_not_begun_and_who_asked_is_told() {
        let stage = of("{rate_limit: 1, per: 1h}", &work()).await;
        assert_eq!(stage.run("job", json!({})).await.status, "completed");
        let plans = stage.plans("job");
        let refused = stage.app.request::<PlanFinished>(plans.event(none())).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NoAnswer, "{refused}");
        let call = stage.plans("outer").run(none()).await.unwrap();
        let failed = stage.until_status("outer", &call, "failed").await;
        assert!(failed["error"].as_str().unwrap().contains("not begun: flow control"), "{failed}");
        let bob = vextir_drivers::workflow::Plans::new(stage.app.as_user("bob"), "job");
        let ended: PlanFinished = stage.app.as_user("bob").request(bob.event(none())).await.unwrap();
        assert_eq!(ended.status, "completed", "users are counted by themselves");
        stage.clock.advance(Duration::from_secs(3_601));
        assert_eq!(stage.run("job", json!({})).await.status, "completed");
    }

    #[tokio::test]
    async fn what_is_throttled_begins_later() {
        let driver = work();
        let stage = of("{throttle: 2, per: 1m, key: inputs.account}", &driver).await;
        let mut asked = vec![stage.ask(numbered(0)).await, stage.ask(numbered(1)).await];
        asked.push(stage.plans("job").run(numbered(2)).await.unwrap());
        stage.until_statuses(&asked, &["completed", "completed", "none"]).await;
        let other = stage.ask(given(json!({"account": "other"}))).await;
        stage.until_status("job", &other, "completed").await;
        assert_eq!(stage.statuses(&asked[2..]).await, ["none"]);
        stage.clock.advance(Duration::from_secs(61));
        stage.until_statuses(&asked, &["completed"; 3]).await;
    }

    #[tokio::test]
    async fn of_many_in_a_row_the_last_one_begins() {
        let driver = work();
        let stage = of("{debounce: 10s, key: inputs.account}", &driver).await;
        let mut asked = Vec::new();
        for n in 0..3 {
            asked.push(stage.plans("job").run(numbered(n)).await.unwrap());
            let begins = |log: &[Event]| {
                log.iter().filter(|event| event.event_type == "instruction.job.begin").count()
            };
            while begins(&stage.log().await) as u32 != n + 1 {}
        }
        assert_eq!(stage.statuses(&asked).await, ["none"; 3]);
        stage.clock.advance(Duration::from_secs(11));
        stage.until_statuses(&asked, &["none", "none", "completed"]).await;
        assert_eq!(driver.data(), [json!({"n": 2, "account": "none"})]);
    }
}
