//! Rules of flow control: what waits, what is left out, what stands for what.

use crate::driver::{Closure, answers, driver, log, on, quick, types};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use vextir::prelude::*;
use vextir::{BusLimits, Capability, Flow, ManualClock, MemoryBus, ProcessorBuilder, Twin};

const MINUTE: Duration = Duration::from_secs(60);

/// What was handled, in order.
type Seen = Arc<Mutex<Vec<u64>>>;

fn seen(seen: &Seen) -> Vec<u64> {
    seen.lock().unwrap().clone()
}

/// A driver of `job` under a rule, which notes the numbers it gets.
fn noting(rule: Flow) -> (Closure, Seen) {
    let noted = Seen::default();
    let into = noted.clone();
    let manifest = Manifest::new("worker").can(Capability::new("job").flow(rule)).with_retries(0);
    let driver = answers(manifest, move |event| {
        into.lock().unwrap().push(event.data.value()["n"].as_u64().unwrap());
        Ok(vec![])
    });
    (driver, noted)
}

fn job(n: u64) -> Event {
    Event::new("job").with_data(json!({"n": n}))
}

fn keyed(n: u64, key: &str) -> Event {
    Event::new("job").with_data(json!({"n": n, "key": key}))
}

/// A processor whose log has the same clock.
fn timed(clock: &ManualClock) -> ProcessorBuilder {
    on(MemoryBus::with_limits(BusLimits::default(), 100_000, Arc::new(clock.clone()))).clock(clock.clone())
}

/// Lets everything run that can without time going on.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
}

async fn skipped(app: &Processor) -> usize {
    let audit = app.bus().audit(0, 1_000).await.unwrap();
    audit.iter().filter(|(_, record)| record.act == "skip").count()
}

#[derive(Default)]
struct Running {
    now: HashMap<String, usize>,
    most: HashMap<String, usize>,
    most_of_all: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_of_a_key_run_at_a_time() {
    let running = Arc::new(Mutex::new(Running::default()));
    let (count, rule) = (running.clone(), Flow::concurrency(2).key("data.key"));
    let worker = driver(Manifest::new("worker").handles("job").with_flow(rule), move |event, _| {
        let (count, key) = (count.clone(), event.data.value()["key"].to_string());
        Box::pin(async move {
            {
                let mut count = count.lock().unwrap();
                let now = count.now.entry(key.clone()).or_default();
                *now += 1;
                let now = *now;
                let all = count.now.values().sum();
                count.most_of_all = count.most_of_all.max(all);
                let most = count.most.entry(key.clone()).or_default();
                *most = now.max(*most);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            *count.lock().unwrap().now.get_mut(&key).unwrap() -= 1;
            Ok(vec![Event::new("done")])
        })
    });
    let app = quick().driver(worker).start().await.unwrap();
    for n in 0..90 {
        app.emit(keyed(n, ["a", "b", "c"][n as usize % 3])).await.unwrap();
    }
    app.idle().await;
    assert_eq!(types(&log(&app).await).iter().filter(|one| *one == "done").count(), 90);
    let running = running.lock().unwrap();
    assert!(running.most.values().all(|most| *most == 2), "{:?}", running.most);
    assert!(running.most_of_all > 2, "the keys do not wait for each other");
}

/// Two slots, and one job of a key at a time; the one with the number 0 waits until it is let through.
fn gated() -> (Closure, Arc<Notify>, Seen) {
    let (open, noted) = (Arc::new(Notify::new()), Seen::default());
    let (gate, into) = (open.clone(), noted.clone());
    let manifest = Manifest::new("worker").handles("job").with_concurrency(2);
    let worker = driver(manifest.with_flow(Flow::concurrency(1).key("data.key")), move |event, _| {
        let (gate, into) = (gate.clone(), into.clone());
        Box::pin(async move {
            let n = event.data.value()["n"].as_u64().unwrap();
            if n == 0 {
                gate.notified().await;
            }
            into.lock().unwrap().push(n);
            Ok(vec![])
        })
    });
    (worker, open, noted)
}

#[tokio::test]
async fn what_waits_for_its_key_holds_no_slot_and_is_bounded_in_memory() {
    let (worker, open, noted) = gated();
    let app = quick().driver(worker).queue_capacity(4).start().await.unwrap();
    for n in 0..500 {
        app.emit(keyed(n, "busy")).await.unwrap();
    }
    app.emit(keyed(1_000, "free")).await.unwrap();
    settle().await;
    assert_eq!(seen(&noted), [1_000], "the busy key keeps nobody else back");
    open.notify_one();
    app.idle().await;
    let expected: Vec<u64> = [1_000].into_iter().chain(0..500).collect();
    assert_eq!(seen(&noted), expected, "each once, in the order of its line");
}

#[tokio::test]
async fn a_line_of_many_ordering_keys_keeps_no_other_key_back() {
    let (worker, open, noted) = gated();
    let app = quick().driver(worker).queue_capacity(4).start().await.unwrap();
    for n in 0..60 {
        app.emit(keyed(n, "busy").with_ordering_key(format!("order-{}", n / 2))).await.unwrap();
    }
    app.emit(keyed(1_000, "free")).await.unwrap();
    settle().await;
    assert_eq!(seen(&noted), [1_000]);
    open.notify_one();
    app.idle().await;
    assert_eq!(seen(&noted).len(), 61);
}

#[tokio::test]
async fn a_batch_whose_first_member_goes_is_over_in_time() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let (worker, noted) = batching(Flow::batch(9, MINUTE), 0);
    let app = timed(&clock).driver(worker).start().await.unwrap();
    let first = app.emit(job(0)).await.unwrap();
    settle().await;
    clock.advance(MINUTE / 2);
    app.emit(job(1)).await.unwrap();
    settle().await;
    app.cancel(&first).await.unwrap();
    clock.advance(MINUTE / 2);
    settle().await;
    assert!(noted.lock().unwrap().is_empty());
    clock.advance(MINUTE / 2);
    app.idle().await;
    assert_eq!(*noted.lock().unwrap(), [vec![1]]);
}

#[tokio::test]
async fn a_clock_that_was_wrong_for_a_while_stops_nothing() {
    let noon = "2025-06-15T12:00:00Z";
    let clock = ManualClock::at(noon).unwrap();
    let (worker, noted) = noting(Flow::throttle(1, MINUTE));
    let app = timed(&clock).driver(worker).start().await.unwrap();
    clock.advance(24 * 60 * MINUTE);
    app.emit(job(0)).await.unwrap();
    app.idle().await;
    clock.jump(noon.parse().unwrap());
    app.emit(job(1)).await.unwrap();
    app.idle().await;
    assert_eq!(seen(&noted), [0, 1]);
}

#[tokio::test]
async fn so_many_begin_within_a_span_and_the_others_wait() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let (worker, noted) = noting(Flow::throttle(2, MINUTE).key("data.key"));
    let app = timed(&clock).driver(worker).start().await.unwrap();
    for n in 0..5 {
        app.emit(keyed(n, "a")).await.unwrap();
    }
    app.emit(keyed(10, "b")).await.unwrap();
    settle().await;
    assert_eq!(seen(&noted), [0, 1, 10]);
    clock.advance(MINUTE - Duration::from_millis(1));
    settle().await;
    assert_eq!(seen(&noted).len(), 3, "not before the minute is over");
    clock.advance(Duration::from_millis(1));
    settle().await;
    assert_eq!(seen(&noted), [0, 1, 10, 2, 3]);
    clock.advance(MINUTE);
    app.idle().await;
    assert_eq!(seen(&noted), [0, 1, 10, 2, 3, 4]);
}

#[tokio::test]
async fn what_is_over_the_rate_is_left_out_and_said_so() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let (worker, noted) = noting(Flow::rate_limit(2, MINUTE));
    let app = timed(&clock).driver(worker).start().await.unwrap();
    for n in 0..5 {
        app.emit(job(n)).await.unwrap();
    }
    // Another user has a rate of his own.
    app.emit(job(10).with_user("ada")).await.unwrap();
    app.idle().await;
    assert_eq!((seen(&noted), skipped(&app).await), (vec![0, 1, 10], 3));
    // A request whose work is left out ends, and does not hang.
    assert!(app.process_event(job(6)).await.unwrap().is_empty());
    clock.advance(MINUTE);
    app.emit(job(7)).await.unwrap();
    app.idle().await;
    assert_eq!(seen(&noted), [0, 1, 10, 7]);
}

#[tokio::test]
async fn the_latest_stands_for_all_that_came() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let second = Duration::from_secs(1);
    let rule = Flow::debounce(30 * second).at_most(70 * second).key("data.key");
    let (worker, noted) = noting(rule);
    let app = timed(&clock).driver(worker).start().await.unwrap();
    for n in 0..3 {
        app.emit(keyed(n, "a")).await.unwrap();
        settle().await;
        clock.advance(20 * second);
    }
    settle().await;
    assert!(seen(&noted).is_empty());
    clock.advance(10 * second);
    app.idle().await;
    assert_eq!(seen(&noted), [2], "30 seconds after the last");
    for n in 10..20 {
        app.emit(keyed(n, "a")).await.unwrap();
        settle().await;
        clock.advance(20 * second);
        settle().await;
    }
    clock.advance(MINUTE);
    app.idle().await;
    assert_eq!(seen(&noted), [2, 13, 17, 19], "and 70 seconds after the first at the latest");
    let open = app.bus().pending(0, 100).await.unwrap();
    assert!(open.is_empty(), "what was stood for is over");
}

fn batching(rule: Flow, fails: usize) -> (Closure, Arc<Mutex<Vec<Vec<u64>>>>) {
    let noted = Arc::new(Mutex::new(Vec::new()));
    let (into, left) = (noted.clone(), Arc::new(Mutex::new(fails)));
    let manifest = Manifest::new("worker").can(Capability::new("job").flow(rule)).with_retries(1);
    let worker = driver(manifest, move |_, cx| {
        let (into, left) = (into.clone(), left.clone());
        Box::pin(async move {
            let number = |event: &Event| event.data.value()["n"].as_u64().unwrap();
            into.lock().unwrap().push(cx.batch().iter().map(number).collect());
            let mut left = left.lock().unwrap();
            if *left > 0 {
                *left -= 1;
                return Err("not yet".into());
            }
            Ok(vec![Event::new("done").with_data(json!(cx.batch().len()))])
        })
    });
    (worker, noted)
}

#[tokio::test]
async fn a_batch_is_handled_by_one_call() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let (worker, noted) = batching(Flow::batch(3, MINUTE).key("data.key"), 0);
    let app = timed(&clock).driver(worker).start().await.unwrap();
    for n in 0..7 {
        app.emit(keyed(n, "a")).await.unwrap();
    }
    app.emit(keyed(10, "b")).await.unwrap();
    app.emit(keyed(20, "a").with_user("ada")).await.unwrap();
    settle().await;
    assert_eq!(*noted.lock().unwrap(), [vec![0, 1, 2], vec![3, 4, 5]]);
    clock.advance(MINUTE);
    app.idle().await;
    let mut rest = noted.lock().unwrap()[2..].to_vec();
    rest.sort();
    assert_eq!(rest, [vec![6], vec![10], vec![20]], "no user's with another one's");
    assert_eq!(types(&log(&app).await).iter().filter(|one| *one == "done").count(), 5);
}

#[tokio::test]
async fn a_batch_is_tried_again_and_dies_as_a_whole() {
    let (worker, noted) = batching(Flow::batch(3, MINUTE), 3);
    let app = quick().driver(worker).start().await.unwrap();
    for n in 0..3 {
        app.emit(job(n)).await.unwrap();
    }
    app.idle().await;
    assert_eq!(*noted.lock().unwrap(), [vec![0, 1, 2], vec![0, 1, 2]]);
    let dead = app.dead_letters(0, 10).await.unwrap();
    assert_eq!(dead.iter().map(|letter| letter.attempts).collect::<Vec<_>>(), [2, 2, 2]);
    assert_eq!(types(&log(&app).await).iter().filter(|one| *one == "error").count(), 3);
    for n in 3..6 {
        app.emit(job(n)).await.unwrap();
    }
    app.idle().await;
    assert_eq!(noted.lock().unwrap()[2..], [vec![3, 4, 5], vec![3, 4, 5]]);
    assert_eq!(app.dead_letters(0, 10).await.unwrap().len(), 3, "the second try was good");
}

#[tokio::test]
async fn a_member_of_a_batch_can_be_cancelled_and_the_others_go_on() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let (worker, noted) = batching(Flow::batch(9, MINUTE), 0);
    let app = timed(&clock).driver(worker).start().await.unwrap();
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(app.emit(job(n)).await.unwrap());
    }
    settle().await;
    app.cancel(&ids[0]).await.unwrap();
    app.cancel(&ids[2]).await.unwrap();
    clock.advance(MINUTE);
    app.idle().await;
    assert_eq!(*noted.lock().unwrap(), [vec![1, 3]]);
}

#[tokio::test]
async fn the_first_of_a_running_batch_is_cancelled_and_the_others_are_handled() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let noted = Arc::new(Mutex::new(Vec::<usize>::new()));
    let (tell, wait, into) = (begun.clone(), go_on.clone(), noted.clone());
    let manifest =
        Manifest::new("worker").can(Capability::new("job").flow(Flow::batch(3, Duration::from_millis(50))));
    let worker = driver(manifest, move |_, cx| {
        let (tell, wait, into) = (tell.clone(), wait.clone(), into.clone());
        Box::pin(async move {
            into.lock().unwrap().push(cx.batch().len());
            tell.notify_one();
            wait.notified().await;
            Ok(vec![Event::new("done").with_data(json!(cx.batch().len()))])
        })
    });
    let app = quick().driver(worker).start().await.unwrap();
    let first = app.emit(job(0)).await.unwrap();
    app.emit(job(1)).await.unwrap();
    app.emit(job(2)).await.unwrap();
    begun.notified().await;
    app.cancel(&first).await.unwrap();
    go_on.notify_one();
    begun.notified().await;
    go_on.notify_one();
    app.idle().await;
    assert_eq!(*noted.lock().unwrap(), [3, 2]);
    let done: Vec<Event> = log(&app).await.into_iter().filter(|event| event.event_type == "done").collect();
    assert_eq!(done.len(), 1);
    assert_eq!(done[0].data.value(), json!(2));
}

#[tokio::test]
async fn a_batch_takes_one_event_of_an_ordering_key() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let (worker, noted) = batching(Flow::batch(9, MINUTE), 0);
    let app = timed(&clock).driver(worker).start().await.unwrap();
    for (n, key) in [(0, "x"), (1, "y"), (2, "x")] {
        app.emit(job(n).with_ordering_key(key)).await.unwrap();
    }
    settle().await;
    clock.advance(MINUTE);
    settle().await;
    clock.advance(MINUTE);
    app.idle().await;
    assert_eq!(*noted.lock().unwrap(), [vec![0, 1], vec![2]]);
}

/// Waits until it is told, and says whether it was stopped.
fn slow(rule: Flow) -> (Closure, Arc<Notify>, Seen) {
    let (open, noted) = (Arc::new(Notify::new()), Seen::default());
    let (gate, into) = (open.clone(), noted.clone());
    let worker = driver(Manifest::new("worker").can(Capability::new("job").flow(rule)), move |event, cx| {
        let (gate, into) = (gate.clone(), into.clone());
        Box::pin(async move {
            let n = event.data.value()["n"].as_u64().unwrap();
            into.lock().unwrap().push(n);
            tokio::select! {
                () = gate.notified() => into.lock().unwrap().push(n + 100),
                () = cx.cancelled() => into.lock().unwrap().push(n + 200),
            }
            Ok(vec![Event::new("done").with_data(json!(n))])
        })
    });
    (worker, open, noted)
}

#[tokio::test]
async fn a_second_one_is_left_out_while_the_first_is_there() {
    let (worker, open, noted) = slow(Flow::singleton(Twin::Skip).key("data.key"));
    let app = quick().driver(worker).start().await.unwrap();
    for n in 0..3 {
        app.emit(keyed(n, "a")).await.unwrap();
    }
    app.emit(keyed(3, "b")).await.unwrap();
    settle().await;
    assert_eq!((seen(&noted), skipped(&app).await), (vec![0, 3], 2));
    open.notify_waiters();
    app.idle().await;
    app.emit(keyed(4, "a")).await.unwrap();
    settle().await;
    assert_eq!(seen(&noted).last(), Some(&4), "the place is free again");
    open.notify_waiters();
    app.idle().await;
}

#[tokio::test]
async fn a_second_one_takes_the_place_of_the_first() {
    let (worker, open, noted) = slow(Flow::singleton(Twin::Replace));
    let app = quick().driver(worker).start().await.unwrap();
    for n in 0..3 {
        app.emit(job(n)).await.unwrap();
        settle().await;
    }
    assert_eq!(seen(&noted), [0, 200, 1, 201, 2], "each was stopped by the next");
    open.notify_waiters();
    app.idle().await;
    let log = log(&app).await;
    let done: Vec<&Event> = log.iter().filter(|event| event.event_type == "done").collect();
    assert_eq!(done.len(), 1, "what was stopped leaves nothing");
    assert_eq!(done[0].data.value(), json!(2));
}

#[tokio::test]
async fn what_the_event_says_goes_first() {
    let (worker, noted) = noting(Flow::priority("data.urgency"));
    let app = quick().driver(worker).start().await.unwrap();
    app.pause();
    for (n, urgency) in
        [(0, json!("low")), (1, json!(null)), (2, json!(7)), (3, json!("high")), (4, json!(-1))]
    {
        app.emit(Event::new("job").with_data(json!({"n": n, "urgency": urgency}))).await.unwrap();
    }
    settle().await;
    app.resume();
    app.idle().await;
    assert_eq!(seen(&noted)[..3], [2, 3, 1]);
}

#[tokio::test]
async fn two_rules_hold_together() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let noted = Seen::default();
    let into = noted.clone();
    let can = Capability::new("job")
        .flow(Flow::throttle(3, MINUTE))
        .flow(Flow::throttle(1, MINUTE).key("data.key"));
    let worker = answers(Manifest::new("worker").can(can), move |event| {
        into.lock().unwrap().push(event.data.value()["n"].as_u64().unwrap());
        Ok(vec![])
    });
    let app = timed(&clock).driver(worker).start().await.unwrap();
    for (n, key) in [(0, "a"), (1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "a"), (6, "d")] {
        app.emit(keyed(n, key)).await.unwrap();
    }
    settle().await;
    assert_eq!(seen(&noted), [0, 2, 3]);
    clock.advance(MINUTE);
    settle().await;
    let second = seen(&noted)[3..].to_vec();
    assert_eq!(second.len(), 2, "one of a, one of d: {second:?}");
    clock.advance(MINUTE);
    settle().await;
    clock.advance(MINUTE);
    app.idle().await;
    let mut all = seen(&noted);
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6], "none is lost between two lines");
}

#[tokio::test]
async fn faulty_rules_are_refused_when_the_driver_comes() {
    let job = |rule| Capability::new("job").flow(rule);
    let cases = [
        (Manifest::new("one").can(job(Flow::concurrency(0))), "from 1"),
        (Manifest::new("one").handles("job").with_flow(Flow::batch(3, MINUTE)), "a handler's"),
        (Manifest::new("one").can(job(Flow::batch(3, MINUTE))).with_block_on_dead(true), "block_on_dead"),
        (Manifest::new("one").can(job(Flow::debounce(MINUTE)).flow(Flow::debounce(MINUTE))), "two rules"),
        (Manifest::new("one").can(job(Flow::debounce(MINUTE).across_users())), "another one's"),
        (
            Manifest::new("one").can(job(Flow::batch(3, MINUTE)).flow(Flow::concurrency(1).key("data.x"))),
            "beside a batch",
        ),
        (Manifest::new("one").can(job(Flow::throttle(1, MINUTE).key("body.x"))), "no place of an event"),
        (
            Manifest::new("one")
                .can(job(Flow::throttle(1, MINUTE)).effect(vextir::Effect::Reads))
                .with_eager(true),
            "eager",
        ),
    ];
    for (manifest, why) in cases {
        let refused = on(MemoryBus::new()).driver(answers(manifest, |_| Ok(vec![]))).start().await;
        let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(why), "{why}: {error}");
    }
}
