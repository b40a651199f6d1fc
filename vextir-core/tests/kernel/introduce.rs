//! Drivers that come while the processor runs and want what the log already has.

use crate::driver::{answers, on, quick};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use vextir::prelude::*;
use vextir::{
    AuthorizeRequest, Authorizer, BusLimits, Decision, ErrorKind, EventBusExt, MemoryBus, SystemClock,
    Verdict,
};

const SOON: Duration = Duration::from_secs(5);

/// How often each payload was seen.
type Seen = Arc<Mutex<BTreeMap<String, usize>>>;

fn history(seen: &Seen) -> impl Driver + use<> {
    let seen = seen.clone();
    answers(Manifest::new("history").handles("job").with_from_start(true), move |event| {
        *seen.lock().unwrap().entry(event.data.as_json().to_owned()).or_default() += 1;
        Ok(vec![])
    })
}

/// Keeps `"slow"` events on their way into the log until it is told.
#[derive(Debug, Clone, Default)]
struct Gate {
    asked: Arc<Notify>,
    open: Arc<Notify>,
}

#[vextir::async_trait]
impl Authorizer for Gate {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> vextir::Result<Verdict> {
        // Emitted, and not asked about again for the past.
        if request.event.data.as_json() == "\"slow\"" && request.targets.is_empty() {
            self.asked.notify_one();
            self.open.notified().await;
        }
        Ok(Verdict::Allow)
    }
}

fn job(name: &str) -> Event {
    Event::new("job").with_data(json!(name))
}

fn each_once(seen: &Seen, names: &[&str]) {
    let expected: BTreeMap<String, usize> = names.iter().map(|name| (format!("\"{name}\""), 1)).collect();
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn an_event_in_flight_is_not_missed_and_none_comes_twice() {
    let (gate, seen) = (Gate::default(), Seen::default());
    let app = quick().authorizer(gate.clone()).start().await.unwrap();
    app.emit(job("past")).await.unwrap();
    let emitter = app.clone();
    let emitting = tokio::spawn(async move { emitter.emit(job("slow")).await });
    gate.asked.notified().await;
    let (registrar, driver) = (app.clone(), history(&seen));
    let registering = tokio::spawn(async move { registrar.register(driver).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    app.emit(job("meanwhile")).await.unwrap();
    gate.open.notify_one();
    emitting.await.unwrap().unwrap();
    registering.await.unwrap().unwrap();
    app.emit(job("after")).await.unwrap();
    app.idle().await;
    each_once(&seen, &["past", "slow", "meanwhile", "after"]);
}

/// Lets nothing pass that says "hold".
#[derive(Debug)]
struct Holds;

#[vextir::async_trait]
impl Authorizer for Holds {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> vextir::Result<Verdict> {
        let held = request.event.data.as_json() == "\"hold\"";
        Ok(if held { Verdict::Hold(Decision::new("ask", "first")) } else { Verdict::Allow })
    }
}

#[tokio::test]
async fn the_past_comes_to_who_is_new_alone_also_while_its_key_is_held() {
    let (old, new) = (Seen::default(), Seen::default());
    let worker = answers(Manifest::new("worker").handles("job"), {
        let old = old.clone();
        move |event| {
            *old.lock().unwrap().entry(event.data.as_json().to_owned()).or_default() += 1;
            Ok(vec![])
        }
    });
    let app = quick().authorizer(Holds).driver(worker).start().await.unwrap();
    for name in ["past", "hold"] {
        app.emit(job(name).with_ordering_key("k")).await.unwrap();
        app.idle().await;
    }
    app.register(history(&new)).await.unwrap();
    app.approve(&app.held(10).await.unwrap()[0], "fine").await.unwrap();
    timeout(SOON, app.idle()).await.unwrap();
    each_once(&old, &["past", "hold"]);
    each_once(&new, &["past", "hold"]);
}

/// Takes no payload at all.
struct Strict;

#[vextir::async_trait]
impl Driver for Strict {
    fn manifest(&self) -> Manifest {
        Manifest::new("strict").handles("job")
    }

    fn check(&self, _event: &Event) -> vextir::Result<()> {
        Err(vextir::Error::invalid("nothing fits"))
    }

    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(vec![])
    }
}

#[tokio::test]
async fn what_is_emitted_together_is_checked_against_the_drivers_that_it_is_routed_to() {
    let gate = Gate::default();
    let app = quick().authorizer(gate.clone()).start().await.unwrap();
    let emitter = app.clone();
    let emitting = tokio::spawn(async move { emitter.emit_all(vec![job("slow"), job("second")]).await });
    gate.asked.notified().await;
    let registrar = app.clone();
    let registering = tokio::spawn(async move { registrar.register(Strict).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    gate.open.notify_one();
    emitting.await.unwrap().expect("the new driver does not get it");
    registering.await.unwrap().unwrap();
    assert_eq!(app.emit(job("after")).await.unwrap_err().kind(), ErrorKind::Invalid);
    app.idle().await;
    assert!(app.dead_letters(0, 1).await.unwrap().is_empty());
}

/// What it is given fills the backlog, and its queue stays closed until what is in flight has landed.
#[tokio::test]
async fn it_comes_while_an_emitter_waits_for_room() {
    let (gate, seen) = (Gate::default(), Seen::default());
    let bus = MemoryBus::with_limits(BusLimits::default().with_backlog(2), 100, Arc::new(SystemClock));
    let app = on(bus).authorizer(gate.clone()).start().await.unwrap();
    for name in ["one", "two", "three"] {
        app.emit(job(name)).await.unwrap();
    }
    let emitter = app.clone();
    let emitting = tokio::spawn(async move { emitter.emit(job("slow")).await });
    gate.asked.notified().await;
    let (registrar, driver) = (app.clone(), history(&seen));
    let registering = tokio::spawn(async move { registrar.register(driver).await });
    while app.bus().status().borrow().has_room() {
        tokio::task::yield_now().await;
    }
    gate.open.notify_one();
    timeout(SOON, registering).await.expect("it waits for the emitter, who waits for room").unwrap().unwrap();
    timeout(SOON, emitting).await.expect("there is room").unwrap().unwrap();
    app.idle().await;
    each_once(&seen, &["one", "two", "three", "slow"]);
}

#[test]
fn a_crash_while_it_comes_neither_loses_nor_doubles() {
    let (seen, bus) = (Seen::default(), MemoryBus::new());
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let life = runtime();
    life.block_on(async {
        let gate = Gate::default();
        let app = on(bus.clone()).authorizer(gate.clone()).start().await.unwrap();
        app.emit(job("past")).await.unwrap();
        let emitter = app.clone();
        tokio::spawn(async move { emitter.emit(job("slow")).await });
        gate.asked.notified().await;
        let (registrar, driver) = (app.clone(), history(&seen));
        tokio::spawn(async move { registrar.register(driver).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        app.emit(job("meanwhile")).await.unwrap();
    });
    // With all its tasks, where they stand.
    drop(life);
    each_once(&seen, &[]);
    runtime().block_on(async {
        let app = on(bus).driver(history(&seen)).start().await.unwrap();
        app.emit(job("after")).await.unwrap();
        app.idle().await;
    });
    each_once(&seen, &["past", "meanwhile", "after"]);
}

/// Watches, and has something to say at once.
struct Early;

#[vextir::async_trait]
impl Driver for Early {
    fn manifest(&self) -> Manifest {
        Manifest::new("early")
    }

    async fn start(&self, emitter: Emitter) -> vextir::Result<()> {
        emitter.emit(job("early")).await.map(drop)
    }

    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(vec![])
    }
}

#[tokio::test]
async fn what_an_earlier_driver_emits_while_it_starts_comes_once() {
    let seen = Seen::default();
    let app = quick().driver(Early).driver(history(&seen)).start().await.unwrap();
    app.idle().await;
    each_once(&seen, &["early"]);
}

/// A bus for one open delivery, which it has: of `history`.
async fn full() -> MemoryBus {
    let bus = MemoryBus::with_limits(BusLimits::default().with_backlog(1), 100, Arc::new(SystemClock));
    bus.emit(job("left")).await.unwrap();
    bus
}

#[tokio::test]
async fn what_it_emits_while_nothing_makes_room_is_busy() {
    let (seen, bus) = (Seen::default(), full().await);
    let starting = on(bus.clone()).driver(Early).driver(history(&seen)).start();
    let error = timeout(SOON, starting).await.expect("it waits for room, which nobody makes").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.to_string().contains("driver early does not start"), "{error}");
    assert!(error.to_string().contains("emit in a task of its own"), "{error}");
    // The place is free, and nothing was lost.
    let app = on(bus).driver(history(&seen)).start().await.unwrap();
    app.idle().await;
    each_once(&seen, &["left"]);
}

/// Emits from a task of its own, once it is started.
struct Watching;

#[vextir::async_trait]
impl Driver for Watching {
    fn manifest(&self) -> Manifest {
        Manifest::new("watching")
    }

    async fn start(&self, emitter: Emitter) -> vextir::Result<()> {
        tokio::spawn(async move { emitter.emit(job("watched")).await });
        Ok(())
    }

    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(vec![])
    }
}

/// Takes its time to start, so that others can do something meanwhile.
struct Late;

#[vextir::async_trait]
impl Driver for Late {
    fn manifest(&self) -> Manifest {
        Manifest::new("late")
    }

    async fn start(&self, _emitter: Emitter) -> vextir::Result<()> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    }

    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(vec![])
    }
}

#[tokio::test]
async fn what_a_started_watch_emits_waits_for_room() {
    let seen = Seen::default();
    let builder = on(full().await).driver(Watching).driver(Late).driver(history(&seen));
    let app = timeout(SOON, builder.start()).await.expect("it waits for nobody").unwrap();
    while seen.lock().unwrap().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    app.idle().await;
    each_once(&seen, &["left", "watched"]);
}
