//! Findings of a review: each test states what the contract says, and failed when it was written.

use crate::driver::{answers, driver, log, on, quick, types};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;
use vextir::bus::{
    Attachment, BusStatus, Checkpoint, Chores, Command, DeadLetter, Delivery, Hold, Logged, Outcome, Page,
    Parked, Position, Receipt,
};
use vextir::prelude::*;
use vextir::{
    AuditRecord, AuthorizeRequest, Authorizer, BusLimits, Capability, Cursor, Decision, EmitOptions,
    ErrorKind, EventBus, Lease, Letters, Limits, MemoryBus, Name, Result, Sequence, SystemClock, Verdict,
};

const SOON: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
struct Answer {
    to: String,
}
impl Payload for Answer {
    const TYPE: &'static str = "answer";
}

#[derive(Debug)]
struct Policy(fn(&AuthorizeRequest<'_>) -> Result<Verdict>);
#[vextir::async_trait]
impl Authorizer for Policy {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict> {
        (self.0)(request)
    }
}

fn evt(kind: &'static str) -> Event {
    Event::new(kind).with_id("evt_1".parse().unwrap())
}

fn seen_by(id: &'static str, handles: &'static str) -> (impl Driver, Arc<Mutex<Vec<Event>>>) {
    let seen: Arc<Mutex<Vec<Event>>> = Arc::default();
    let by = seen.clone();
    (
        answers(Manifest::new(id).handles(handles), move |event| {
            by.lock().unwrap().push(event.clone());
            Ok(vec![])
        }),
        seen,
    )
}

async fn settle_down() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

// ---- tenants

#[tokio::test]
async fn t01_process_event_returns_no_other_tenants_events() {
    let echo = answers(Manifest::new("echo").handles("ask"), |event| {
        Ok(vec![Event::of(&Answer { to: event.user_id.to_string() })?])
    });
    let app = quick().driver(echo).start().await.unwrap();
    app.as_user("eve").process_event(evt("ask")).await.unwrap();
    app.as_user("bob").process_event(evt("ask")).await.unwrap();
    // A function host repeats eve's event.
    let eves = app.as_user("eve").process_event(evt("ask")).await.unwrap();
    assert!(eves.iter().all(|event| event.user_id == "eve"), "{eves:?}");
}

#[tokio::test]
async fn t02_a_request_is_not_answered_with_another_tenants_answer() {
    let echo = driver(Manifest::new("echo").handles("ask"), |event, _| {
        Box::pin(async move {
            if event.user_id == "eve" {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(vec![Event::of(&Answer { to: event.user_id.to_string() })?])
        })
    });
    let app = quick().driver(echo).start().await.unwrap();
    let (eve, bob) = (app.as_user("eve"), app.as_user("bob"));
    let (eves, bobs) = tokio::join!(eve.request::<Answer>(evt("ask")), bob.request::<Answer>(evt("ask")));
    assert_eq!(bobs.unwrap().to, "bob");
    assert_eq!(eves.unwrap().to, "eve");
}

#[tokio::test]
async fn t03_a_tenants_cancel_leaves_other_tenants_work_alone() {
    let (worker, seen) = seen_by("worker", "ask");
    let app = quick().driver(worker).paused().start().await.unwrap();
    app.as_user("eve").emit(evt("ask")).await.unwrap();
    app.as_user("bob").emit(evt("ask")).await.unwrap();
    settle_down().await;
    app.as_user("eve").cancel(&"evt_1".parse().unwrap()).await.unwrap();
    app.resume();
    let idle = timeout(SOON, app.idle()).await;
    assert_eq!(seen.lock().unwrap().len(), 1, "bob's delivery was taken out of the queue");
    idle.unwrap();
}

#[tokio::test]
async fn t04_idempotency_keys_of_two_tenants_differ() {
    let keys: Arc<Mutex<Vec<String>>> = Arc::default();
    let by = keys.clone();
    let pay = driver(Manifest::new("pay").handles("ask"), move |_, cx| {
        let by = by.clone();
        Box::pin(async move {
            by.lock().unwrap().push(cx.idempotency_key());
            Ok(vec![])
        })
    });
    let app = quick().driver(pay).start().await.unwrap();
    app.as_user("eve").emit(evt("ask")).await.unwrap();
    app.as_user("bob").emit(evt("ask")).await.unwrap();
    app.idle().await;
    let keys = keys.lock().unwrap();
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn t05_an_approval_names_whose_event_it_approves() {
    let hold = Policy(|_| Ok(Verdict::Hold(Decision::new("ask", "first"))));
    let (worker, _) = seen_by("worker", "ask");
    let app = quick().driver(worker).authorizer(hold).start().await.unwrap();
    app.as_user("eve").emit(evt("ask").with_data(json!("steal"))).await.unwrap();
    app.as_user("bob").emit(evt("ask")).await.unwrap();
    // The operator looks at bob's, and approves by the only thing the call takes.
    let held = app.held(10).await.unwrap();
    let bobs = held.iter().find(|parked| parked.event.user_id == "bob").unwrap();
    app.approve(bobs, "fine").await.unwrap();
    assert_eq!(log(&app).await[0].user_id, "bob");
}

// ---- ordering keys and holds

#[tokio::test]
async fn t06_what_waits_behind_a_lease_held_key_goes_on_after_extend() {
    let burst = answers(Manifest::new("burst").handles("start"), |_| {
        Ok((0..10).map(|n| Event::new("item").with_ordering_key("k").with_data(json!(n))).collect())
    });
    let app = quick().limits(Limits { events: 4, ..Limits::default() }).driver(burst).start().await.unwrap();
    let root = app.emit(Event::new("start")).await.unwrap();
    app.idle().await;
    app.extend(&root, Limits::default()).await.unwrap();
    app.idle().await;
    assert_eq!(app.held(100).await.unwrap().len(), 0);
}

#[tokio::test]
async fn t07_what_waits_behind_a_cancelled_held_event_goes_on() {
    let hold = Policy(|request| {
        let first = request.event.data.as_json() == "1";
        Ok(if first { Verdict::Hold(Decision::new("ask", "first")) } else { Verdict::Allow })
    });
    let (worker, seen) = seen_by("worker", "ask");
    let app = quick().driver(worker).authorizer(hold).start().await.unwrap();
    let ask = |n: u32| Event::new("ask").with_ordering_key("k").with_data(json!(n));
    let held = app.emit(ask(1)).await.unwrap();
    app.emit(ask(2)).await.unwrap();
    app.cancel(&held).await.unwrap();
    app.emit(ask(3)).await.unwrap();
    app.idle().await;
    assert_eq!(app.held(10).await.unwrap().len(), 0, "2 and 3 wait for ever");
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[derive(Debug)]
struct Gate {
    armed: AtomicBool,
    reached: tokio::sync::Notify,
    open: tokio::sync::Notify,
}
#[derive(Debug)]
struct Gated(Arc<Gate>);
#[vextir::async_trait]
impl Authorizer for Gated {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict> {
        match request.event.data.as_json() {
            "1" => return Ok(Verdict::Hold(Decision::new("ask", "first"))),
            "2" if self.0.armed.load(Ordering::SeqCst) => {
                self.0.reached.notify_one();
                self.0.open.notified().await;
            }
            _ => {}
        }
        Ok(Verdict::Allow)
    }
}

#[tokio::test]
async fn t08_what_comes_during_an_approval_is_not_left_behind() {
    let gate = Arc::new(Gate {
        armed: AtomicBool::new(false),
        reached: tokio::sync::Notify::new(),
        open: tokio::sync::Notify::new(),
    });
    let (worker, _) = seen_by("worker", "ask");
    let app = quick().driver(worker).authorizer(Gated(gate.clone())).start().await.unwrap();
    let ask = |n: u32| Event::new("ask").with_ordering_key("k").with_data(json!(n));
    app.emit(ask(1)).await.unwrap();
    app.emit(ask(2)).await.unwrap();
    let held = app.held(10).await.unwrap().remove(0);
    gate.armed.store(true, Ordering::SeqCst);
    let approving = tokio::spawn({
        let app = app.clone();
        async move { app.approve(&held, "fine").await }
    });
    gate.reached.notified().await;
    app.emit(ask(3)).await.unwrap();
    gate.open.notify_one();
    approving.await.unwrap().unwrap();
    app.idle().await;
    assert_eq!(app.held(10).await.unwrap().len(), 0, "3 waits for ever, and so does everything after it");
}

#[tokio::test]
async fn t09_one_blocked_key_does_not_stop_the_driver_for_others() {
    let done = Arc::new(AtomicUsize::new(0));
    let by = done.clone();
    let worker = answers(Manifest::new("worker").handles("job"), move |event| {
        if event.ordering_key.is_some() {
            return Err(Failure::transient("later").retry_after(Duration::from_secs(3600)).into());
        }
        by.fetch_add(1, Ordering::SeqCst);
        Ok(vec![])
    });
    let app = quick().queue_capacity(8).driver(worker).start().await.unwrap();
    for _ in 0..20 {
        app.as_user("eve").emit(Event::new("job").with_ordering_key("k")).await.unwrap();
    }
    settle_down().await;
    app.as_user("bob").emit(Event::new("job")).await.unwrap();
    settle_down().await;
    assert_eq!(done.load(Ordering::SeqCst), 1, "bob waits for eve's retry in an hour");
}

#[tokio::test]
async fn t10_suspects_of_one_key_keep_their_order_over_a_retry() {
    let bus = MemoryBus::new();
    for _ in 0..2 {
        let stuck = driver(Manifest::new("worker").handles("job"), |_, _| {
            Box::pin(async {
                std::future::pending::<()>().await;
                Ok(vec![])
            })
        });
        let app = on(bus.clone()).driver(stuck).start().await.unwrap();
        if log(&app).await.is_empty() {
            for n in 1..=3 {
                app.emit(Event::new("job").with_ordering_key("k").with_data(json!(n))).await.unwrap();
            }
        }
        settle_down().await;
        drop(app);
        settle_down().await;
    }
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    let by = order.clone();
    let worker = driver(Manifest::new("worker").handles("job"), move |event, cx| {
        let by = by.clone();
        Box::pin(async move {
            if event.data.as_json() == "1" && cx.attempt() == 1 {
                return Err("again".into());
            }
            by.lock().unwrap().push(event.data.as_json().to_owned());
            Ok(vec![])
        })
    });
    let app = on(bus).driver(worker).start().await.unwrap();
    timeout(SOON, app.idle()).await.unwrap();
    assert_eq!(*order.lock().unwrap(), ["1", "2", "3"]);
}

#[tokio::test]
async fn t11_a_cancelled_death_does_not_block_its_key() {
    let worker = driver(Manifest::new("worker").handles("job").with_block_on_dead(true), |event, cx| {
        Box::pin(async move {
            if event.data.as_json() == "1" {
                cx.cancelled().await;
                return Err(Failure::permanent("stopped").into());
            }
            Ok(vec![Event::new("done")])
        })
    });
    let app = quick().driver(worker).start().await.unwrap();
    let job = |n: u32| Event::new("job").with_ordering_key("k").with_data(json!(n));
    let root = app.emit(job(1)).await.unwrap();
    settle_down().await;
    app.cancel(&root).await.unwrap();
    settle_down().await;
    assert!(app.dead_letters(0, 1).await.unwrap().is_empty(), "there is nothing to redrive or discard");
    app.emit(job(2)).await.unwrap();
    timeout(SOON, app.idle()).await.expect("the key is blocked for ever");
}

// ---- from_start

#[tokio::test]
async fn t12_a_new_driver_gets_an_unrouted_event_once() {
    let bus = MemoryBus::new();
    bus.emit(Event::new("job")).await.unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let by = count.clone();
    let worker = answers(Manifest::new("worker").handles("job").with_from_start(true), move |_| {
        by.fetch_add(1, Ordering::SeqCst);
        Ok(vec![Event::new("done")])
    });
    let app = on(bus).driver(worker).start().await.unwrap();
    settle_down().await;
    app.idle().await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!(types(&log(&app).await), ["job", "done"]);
}

#[tokio::test]
async fn t13_a_driver_that_the_log_knows_gets_nothing_twice_when_registered_again() {
    let bus = MemoryBus::new();
    let make = |count: &Arc<AtomicUsize>| {
        let by = count.clone();
        answers(Manifest::new("worker").handles("job").with_from_start(true), move |_| {
            by.fetch_add(1, Ordering::SeqCst);
            Ok(vec![Event::new("done")])
        })
    };
    let count = Arc::new(AtomicUsize::new(0));
    for run in 0..2 {
        let app = on(bus.clone()).start().await.unwrap();
        app.register(make(&count)).await.unwrap();
        if run == 0 {
            app.emit(Event::new("job")).await.unwrap();
        }
        app.idle().await;
        app.shutdown().await.unwrap();
    }
    assert_eq!(count.load(Ordering::SeqCst), 1, "its output is doubled");
}

// ---- requests and answers

/// A bus whose answers may come late, as they do from a writer thread, and that counts reads of the backlog.
#[derive(Debug, Clone)]
struct Slow {
    inner: MemoryBus,
    late: fn(&Command) -> bool,
    reads: Arc<AtomicUsize>,
}

impl Slow {
    fn new(inner: MemoryBus, late: fn(&Command) -> bool) -> Self {
        Self { inner, late, reads: Arc::default() }
    }
    fn builder(&self) -> vextir::ProcessorBuilder {
        let bus: Arc<dyn EventBus> = Arc::new(self.clone());
        Processor::builder(bus)
    }
}

#[vextir::async_trait]
impl EventBus for Slow {
    fn status(&self) -> tokio::sync::watch::Receiver<BusStatus> {
        self.inner.status()
    }
    fn chores(&self) -> tokio::sync::watch::Receiver<Chores> {
        self.inner.chores()
    }
    fn is_durable(&self) -> bool {
        false
    }
    async fn commit(&self, command: Command) -> Result<Receipt> {
        let late = (self.late)(&command);
        let receipt = self.inner.commit(command).await;
        if late {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        receipt
    }
    async fn read(&self, after: Sequence, filter: &EventFilter, limit: usize) -> Result<Page> {
        self.inner.read(after, filter, limit).await
    }
    async fn find(&self, user: &Name, id: &EventId) -> Result<Option<Logged>> {
        self.inner.find(user, id).await
    }
    async fn lease(&self, user: &Name, root: &EventId) -> Result<Option<Lease>> {
        EventBus::lease(&self.inner, user, root).await
    }
    async fn attach(&self) -> Result<Attachment> {
        self.inner.attach().await
    }
    async fn detach(&self) -> Result<()> {
        self.inner.detach().await
    }
    fn abandon(&self) {
        self.inner.abandon();
    }
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        self.inner.receive(max).await
    }
    async fn pending(&self, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.pending(after, limit).await
    }
    async fn unrouted(&self, limit: usize) -> Result<Vec<Logged>> {
        self.inner.unrouted(limit).await
    }
    async fn parked(&self, hold: Hold, limit: usize) -> Result<Vec<Parked>> {
        self.inner.parked(hold, limit).await
    }
    async fn dead_letters(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>> {
        self.inner.dead_letters(after, limit).await
    }
    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<(u64, AuditRecord)>> {
        self.inner.audit(after, limit).await
    }
    async fn cursor(&self, sequence: Sequence) -> Result<Cursor> {
        self.inner.cursor(sequence).await
    }
    async fn checkpoints(&self, driver: &Name, after: &str, limit: usize) -> Result<Vec<Checkpoint>> {
        self.inner.checkpoints(driver, after, limit).await
    }
}

#[tokio::test]
async fn t14_a_request_sees_an_answer_that_is_in_the_log_already() {
    let first = answers(Manifest::new("first").handles("ask"), |_| {
        Ok(vec![Event::new("side"), Event::of(&Answer { to: "you".into() })?])
    });
    let side = answers(Manifest::new("side").handles("side"), |_| Ok(vec![]));
    let late = |command: &Command| {
        matches!(command, Command::Settle(one) if one.delivery.driver == "first"
            && matches!(one.outcome, Outcome::Done { .. }))
    };
    let bus = Slow::new(MemoryBus::new(), late);
    let app = bus.builder().driver(first).driver(side).start().await.unwrap();
    let answer: Result<Answer> = app.request(Event::new("ask")).await;
    assert!(log(&app).await.iter().any(|event| event.event_type == "answer"), "it is in the log");
    answer.unwrap();
}

#[tokio::test]
async fn t15_a_request_ends_within_its_limit_when_the_backlog_is_full() {
    let bus = MemoryBus::with_limits(BusLimits::default().with_backlog(1), 1_000, Arc::new(SystemClock));
    let (worker, _) = seen_by("worker", "job");
    let app = on(bus).driver(worker).paused().start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    let ask = app.request_within::<Answer>(Duration::from_millis(50), Event::new("job"));
    let error = timeout(Duration::from_secs(1), ask).await.expect("no limit holds").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Busy));
}

#[tokio::test]
async fn t16_an_emit_that_waits_ends_with_the_shutdown() {
    let bus = MemoryBus::with_limits(BusLimits::default().with_backlog(1), 1_000, Arc::new(SystemClock));
    let (worker, _) = seen_by("worker", "job");
    let app = on(bus).driver(worker).paused().start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { app.emit(Event::new("job")).await }
    });
    settle_down().await;
    app.shutdown().await.unwrap();
    let error = timeout(SOON, waiting).await.expect("it waits for ever").unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn t17_process_event_ends_when_a_held_tree_was_extended() {
    let open = Arc::new(tokio::sync::Notify::new());
    let by = open.clone();
    let fan = answers(Manifest::new("fan").handles("start"), |_| {
        Ok(vec![Event::new("slow"), Event::new("item"), Event::new("item")])
    });
    let slow = driver(Manifest::new("slow").handles("slow"), move |_, _| {
        let by = by.clone();
        Box::pin(async move {
            by.notified().await;
            Ok(vec![])
        })
    });
    let app = quick().driver(fan).driver(slow).limits(Limits { events: 3, ..Limits::default() });
    let app = app.start().await.unwrap();
    let mut held = app.subscribe("lease.held").await.unwrap();
    let running = tokio::spawn({
        let app = app.clone();
        async move { app.process_event(Event::new("start")).await }
    });
    let notice = held.next().await.unwrap().unwrap();
    settle_down().await;
    app.extend(notice.root(), Limits::default()).await.unwrap();
    open.notify_one();
    let lease = {
        app.idle().await;
        app.lease(notice.root()).await.unwrap().unwrap()
    };
    assert_eq!((lease.open, lease.parked), (0, 0));
    timeout(SOON, running).await.expect("it waits for ever").unwrap().unwrap();
}

#[tokio::test]
async fn t18_process_event_runs_a_repeated_event_to_its_end_too() {
    let slow = driver(Manifest::new("slow").handles("job"), |_, _| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(vec![Event::new("done")])
        })
    });
    let app = quick().driver(slow).start().await.unwrap();
    app.emit(evt("job")).await.unwrap();
    let outputs = app.process_event(evt("job")).await.unwrap();
    assert_eq!(types(&outputs), ["done"], "it returned while the work was running");
}

#[tokio::test]
async fn t19_emit_all_answers_with_one_id_for_each_event() {
    let eager =
        Manifest::new("eager").can(Capability::new("job").effect(vextir_core_effect())).with_eager(true);
    let app = quick().driver(answers(eager, |_| Ok(vec![Event::new("done")]))).start().await.unwrap();
    let ids = app.emit_all(vec![Event::new("job"), Event::new("job")]).await.unwrap();
    let log = log(&app).await;
    let jobs: Vec<_> = log.iter().filter(|one| one.event_type == "job").map(|one| one.id.clone()).collect();
    assert_eq!(ids, jobs);
}

fn vextir_core_effect() -> vextir::Effect {
    vextir::Effect::Reads
}

// ---- cancel, redrive, queues

#[tokio::test]
async fn t20_a_cancel_of_a_long_backlog_leaves_nothing_spinning() {
    let fan = answers(Manifest::new("fan").handles("start"), |_| Ok(vec![Event::new("job"); 10]));
    let (worker, _) = seen_by("worker", "job");
    let bus = Slow::new(MemoryBus::new(), |_| false);
    let app = bus.builder().queue_capacity(2).driver(fan).driver(worker).start().await.unwrap();
    app.pause_driver("worker").unwrap();
    let root = app.emit(Event::new("start")).await.unwrap();
    settle_down().await;
    app.cancel(&root).await.unwrap();
    settle_down().await;
    let before = bus.reads.load(Ordering::SeqCst);
    settle_down().await;
    assert_eq!(
        bus.reads.load(Ordering::SeqCst) - before,
        0,
        "reads of the backlog in 100 ms, by an idle processor"
    );
}

#[tokio::test]
async fn t21_cancelled_work_is_not_begun() {
    let (worker, seen) = seen_by("worker", "job");
    let app = quick().driver(worker).start().await.unwrap();
    let root = app.emit(Event::new("job")).await.unwrap();
    // On one thread nothing has been dispatched yet.
    assert_eq!(seen.lock().unwrap().len(), 0);
    app.cancel(&root).await.unwrap();
    settle_down().await;
    assert_eq!(seen.lock().unwrap().len(), 0, "the handler ran after cancel had returned");
}

#[tokio::test]
async fn t22_a_redriven_letter_of_a_cancelled_tree_leaves_the_ledger_right() {
    let runs = Arc::new(AtomicUsize::new(0));
    let by = runs.clone();
    let worker = answers(Manifest::new("worker").handles("job"), move |_| {
        by.fetch_add(1, Ordering::SeqCst);
        Err(Failure::permanent("no").into())
    });
    let app = quick().driver(worker).start().await.unwrap();
    let root = app.emit(Event::new("job")).await.unwrap();
    app.idle().await;
    app.cancel(&root).await.unwrap();
    app.redrive(&Letters::all()).await.unwrap();
    app.idle().await;
    assert_eq!(app.lease(&root).await.unwrap().unwrap().open, 0);
    assert_eq!(runs.load(Ordering::SeqCst), 1, "work of a cancelled tree was run");
}

#[tokio::test]
async fn t23_extend_finds_its_own_events_behind_those_of_others() {
    let burst = answers(Manifest::new("burst").handles("many"), |_| Ok(vec![Event::new("item"); 1_100]));
    let one = answers(Manifest::new("one").handles("one"), |_| Ok(vec![Event::new("item")]));
    let app = quick().limits(Limits { events: 1, ..Limits::default() }).driver(burst).driver(one);
    let app = app.start().await.unwrap();
    app.emit(Event::new("many")).await.unwrap();
    app.idle().await;
    let root = app.emit(Event::new("one")).await.unwrap();
    app.idle().await;
    app.extend(&root, Limits::default()).await.unwrap();
    assert_eq!(app.lease(&root).await.unwrap().unwrap().parked, 0);
}

#[tokio::test]
async fn t24_what_never_ran_is_not_buried() {
    let bus = MemoryBus::new();
    let (worker, _) = seen_by("worker", "job");
    let app = on(bus.clone()).driver(worker).paused().start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    drop(app);
    for _ in 0..5 {
        // Start paused, look, and be killed.
        let (worker, _) = seen_by("worker", "job");
        drop(on(bus.clone()).driver(worker).paused().start().await.unwrap());
    }
    let (worker, seen) = seen_by("worker", "job");
    let app = on(bus).driver(worker).start().await.unwrap();
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1, "{:?}", app.dead_letters(0, 1).await.unwrap());
}

struct Touchy;
#[vextir::async_trait]
impl Driver for Touchy {
    fn manifest(&self) -> Manifest {
        Manifest::new("touchy").handles("bad")
    }
    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(vec![])
    }
    fn check(&self, _event: &Event) -> Result<()> {
        panic!("a Deserialize of the user's own")
    }
}

#[tokio::test]
async fn t25_a_panic_in_check_is_kept_apart() {
    let maker =
        answers(Manifest::new("maker").handles("go").with_concurrency(1), |_| Ok(vec![Event::new("bad")]));
    let app = quick().driver(Touchy).driver(maker).start().await.unwrap();
    app.emit(Event::new("go")).await.unwrap();
    timeout(SOON, app.idle()).await.expect("the worker died with its slot and its delivery");
}

#[tokio::test]
async fn t26_a_panic_in_check_does_not_end_the_chores() {
    let bus = MemoryBus::new();
    let app = on(bus.clone()).driver(Touchy).start().await.unwrap();
    bus.emit(Event::new("bad")).await.unwrap();
    settle_down().await;
    bus.emit(Event::new("good")).await.unwrap();
    timeout(SOON, app.idle()).await.expect("nothing is routed, and no delayed event released, any more");
}

// ---- policies

#[tokio::test]
async fn t27_the_obligations_of_two_limits_both_hold() {
    let cheap =
        Policy(|_| Ok(Verdict::Limit(Decision::new("cheap", "save"), json!({"model": "small"}).into())));
    let redact =
        Policy(|_| Ok(Verdict::Limit(Decision::new("redact", "law"), json!({"redact": true}).into())));
    let told: Arc<Mutex<String>> = Arc::default();
    let by = told.clone();
    let worker = driver(Manifest::new("worker").handles("job"), move |_, cx| {
        let by = by.clone();
        Box::pin(async move {
            *by.lock().unwrap() = cx.obligations().map(|data| data.as_json().to_owned()).unwrap_or_default();
            Ok(vec![])
        })
    });
    let app = quick().driver(worker).authorizer(cheap).authorizer(redact).start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    app.idle().await;
    let told = told.lock().unwrap();
    assert!(told.contains("small") && told.contains("redact"), "{told}");
}

#[tokio::test]
async fn t28_an_installed_driver_gets_no_error_events_without_a_policy() {
    let (spy, seen) = seen_by("spy", "error");
    let broken =
        answers(Manifest::new("broken").handles("job"), |_| Err(Failure::permanent("secret").into()));
    let app = quick().driver(broken).installed_driver(spy).start().await.unwrap();
    app.as_user("bob").emit(Event::new("job")).await.unwrap();
    app.idle().await;
    assert!(seen.lock().unwrap().is_empty(), "it acts outside, and no policy allowed it");
}

#[tokio::test]
async fn t29_a_policy_can_allow_an_installed_driver() {
    #[derive(Debug)]
    struct Grant;

    #[vextir::async_trait]
    impl vextir::Authorizer for Grant {
        async fn authorize(&self, _: &vextir::AuthorizeRequest<'_>) -> vextir::Result<Verdict> {
            Ok(Verdict::Allow)
        }

        async fn grants(
            &self,
            _: &vextir::AuthorizeRequest<'_>,
            target: &vextir::Target,
        ) -> vextir::Result<bool> {
            Ok(target.driver == "tool")
        }
    }
    let (tool, seen) = seen_by("tool", "job");
    let app = quick().installed_driver(tool).authorizer(Grant).start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn t30_an_installed_driver_does_not_deny_other_drivers_their_events() {
    let (spy, _) = seen_by("spy", "**");
    let (own, seen) = seen_by("own", "job");
    let app = quick().driver(own).installed_driver(spy).start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn t31_a_delayed_event_of_the_operator_stays_the_operators() {
    let only_operator = Policy(|request| {
        Ok(match request.origin {
            vextir::Origin::Operator => Verdict::Allow,
            _ => Verdict::Deny(Decision::new("admin", "operators only")),
        })
    });
    let (worker, seen) = seen_by("worker", "job");
    let app = quick().driver(worker).authorizer(only_operator).start().await.unwrap();
    let at = app_now().after(Duration::from_millis(50));
    app.emit(Event::new("job").with_deliver_at(at)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1, "allowed at emit, dropped when due");
}

fn app_now() -> Timestamp {
    vextir::Clock::now(&SystemClock)
}

#[tokio::test]
async fn t32_delayed_events_are_bounded() {
    let bus = MemoryBus::with_limits(BusLimits::default().with_backlog(10), 1_000, Arc::new(SystemClock));
    let app = on(bus).start().await.unwrap();
    let later: Timestamp = "9999-01-01T00:00:00Z".parse().unwrap();
    let mut taken = 0;
    for _ in 0..1_000 {
        taken +=
            usize::from(app.as_user("eve").try_emit(Event::new("job").with_deliver_at(later)).await.is_ok());
    }
    assert!(taken < 1_000, "{taken} events in memory with a backlog limit of 10");
}

#[tokio::test]
async fn t33_redrive_takes_each_letter_once() {
    let worker = answers(Manifest::new("worker").handles("job"), |_| Err(Failure::permanent("no").into()));
    let bus =
        Slow::new(MemoryBus::new(), |command| matches!(command, Command::Redrive(_) | Command::Audit(_)));
    let app = bus.builder().driver(worker).start().await.unwrap();
    for _ in 0..2_000 {
        app.emit(Event::new("job")).await.unwrap();
    }
    app.idle().await;
    let touched = timeout(SOON, app.redrive(&Letters::all())).await.expect("it never ends").unwrap();
    assert_eq!(touched, 2_000);
}

#[tokio::test]
async fn t34_an_eager_driver_keeps_its_concurrency() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running_by, most_by) = (running.clone(), most.clone());
    let manifest = Manifest::new("eager")
        .can(Capability::new("job").effect(vextir::Effect::Reads))
        .with_concurrency(1)
        .with_eager(true);
    let eager = answers(manifest, move |event| {
        most_by.fetch_max(running_by.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(if event.data.is_empty() { 0 } else { 300 }));
        running_by.fetch_sub(1, Ordering::SeqCst);
        Ok(vec![])
    });
    let app = quick().driver(eager).start().await.unwrap();
    let slow = std::thread::spawn({
        let app = app.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(app.emit(Event::new("job").with_data(json!(1)))).unwrap();
        }
    });
    std::thread::sleep(Duration::from_millis(100));
    app.emit(Event::new("job")).await.unwrap();
    slow.join().unwrap();
    app.idle().await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn t35_a_tenants_handle_is_closed_when_the_processor_is_gone() {
    let (worker, _) = seen_by("worker", "job");
    let app = quick().driver(worker).start().await.unwrap();
    let eve = app.as_user("eve");
    drop(app);
    let error = eve.emit(Event::new("job")).await.expect_err("taken, and never handled");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn t36_a_subscription_ends_with_the_processor() {
    let app = quick().start().await.unwrap();
    let mut stream = app.subscribe("**").await.unwrap();
    app.shutdown().await.unwrap();
    assert!(timeout(Duration::from_secs(1), stream.next()).await.expect("next() waits for ever").is_none());
}

#[tokio::test]
async fn t37_a_full_backlog_tells_a_tenant_no_count() {
    let bus = MemoryBus::with_limits(BusLimits::default().with_backlog(7), 1_000, Arc::new(SystemClock));
    let (worker, _) = seen_by("worker", "job");
    let app = on(bus).driver(worker).paused().start().await.unwrap();
    for _ in 0..7 {
        app.as_user("bob").emit(Event::new("job")).await.unwrap();
    }
    let error = app.as_user("eve").try_emit(Event::new("job")).await.unwrap_err().to_string();
    assert!(!error.contains('7'), "{error}");
    let _ = EmitOptions::new();
}

#[tokio::test]
async fn t38_resume_does_not_run_two_suspects_at_once() {
    let bus = MemoryBus::new();
    for _ in 0..2 {
        let stuck = driver(Manifest::new("worker").handles("job"), |_, _| {
            Box::pin(async {
                std::future::pending::<()>().await;
                Ok(vec![])
            })
        });
        let app = on(bus.clone()).driver(stuck).start().await.unwrap();
        if log(&app).await.is_empty() {
            for _ in 0..4 {
                app.emit(Event::new("job")).await.unwrap();
            }
        }
        settle_down().await;
        drop(app);
        settle_down().await;
    }
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running_by, most_by) = (running.clone(), most.clone());
    let worker = driver(Manifest::new("worker").handles("job"), move |_, _| {
        let (running, most) = (running_by.clone(), most_by.clone());
        Box::pin(async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(vec![])
        })
    });
    let app = on(bus).driver(worker).start().await.unwrap();
    app.resume();
    app.idle().await;
    assert_eq!(most.load(Ordering::SeqCst), 1, "alone means alone");
}

#[tokio::test]
async fn t39_a_clock_that_jumped_ahead_and_back_leaves_pauses_between_retries() {
    let clock = vextir::ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let start = vextir::Clock::now(&clock);
    let calls = Arc::new(AtomicUsize::new(0));
    let by = calls.clone();
    let worker = answers(Manifest::new("worker").handles("job").with_retries(3), move |_| {
        by.fetch_add(1, Ordering::SeqCst);
        Err("not yet".into())
    });
    let pause = Duration::from_secs(10);
    let retry = vextir::RetryPolicy { base: pause, cap: pause };
    let app = Processor::builder(MemoryBus::new()).retry(retry).clock(clock.clone()).driver(worker);
    let app = app.start().await.unwrap();
    clock.jump(start.after(Duration::from_secs(86_400)));
    app.emit(Event::new("job")).await.unwrap();
    settle_down().await;
    assert_eq!(calls.swap(0, Ordering::SeqCst), 1);
    clock.jump(start);
    app.emit(Event::new("job")).await.unwrap();
    settle_down().await;
    assert_eq!(calls.load(Ordering::SeqCst), 1, "attempts without a pause, for a day");
}

struct Hanging(Arc<AtomicUsize>, bool);
#[vextir::async_trait]
impl Driver for Hanging {
    fn manifest(&self) -> Manifest {
        Manifest::new(if self.1 { "second" } else { "first" })
    }
    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(vec![])
    }
    async fn start(&self, _emitter: Emitter) -> Result<()> {
        if self.1 { Err(vextir::Error::invalid("no")) } else { Ok(()) }
    }
    async fn stop(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn t40_shutdown_ends_within_its_limit_also_when_a_driver_does_not_stop() {
    let app = quick().driver(Hanging(Arc::default(), false)).start().await.unwrap();
    let end = timeout(SOON, app.shutdown_within(Duration::from_millis(50))).await;
    let _ = end.expect("stop() has no limit, and the bus is never left");
}

#[tokio::test]
async fn t41_a_start_that_fails_stops_the_drivers_that_it_started() {
    let stopped = Arc::new(AtomicUsize::new(0));
    let start = quick().driver(Hanging(stopped.clone(), false)).driver(Hanging(Arc::default(), true)).start();
    let _ = timeout(Duration::from_secs(1), start).await;
    assert_eq!(stopped.load(Ordering::SeqCst), 1);
}
