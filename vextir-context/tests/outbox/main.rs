//! A bus of one system and a store of another: a handler's writes and outputs happen once, whenever the process dies.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod store;

use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::{Death, Store};
use vextir_context::Hub;
use vextir_core::bus::{Delivery, Entry, Outcome, Place, Settlement};
use vextir_core::context::{Change, Content, Mark, Outbox};
use vextir_core::prelude::*;
use vextir_core::{
    Actor, Data, EventBus, EventBusExt, EventId, HandlerResult, MemoryBus, ProcessorBuilder, RetryPolicy,
};

/// Appends the number in its event to a document, draws a token, and says `done`.
#[derive(Clone, Default)]
struct Writer {
    runs: Arc<AtomicUsize>,
}

#[vextir_core::async_trait]
impl Driver for Writer {
    fn manifest(&self) -> Manifest {
        Manifest::new("writer").handles("work")
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        self.runs.fetch_add(1, Ordering::SeqCst);
        cx.draw("tokens", 1);
        cx.context().append("/log", format!("{}\n", event.data.as_json())).await?;
        Ok(vec![Event::new("done").with_data(event.data.clone())])
    }
}

fn on(bus: &Arc<dyn EventBus>, store: Arc<Store>) -> ProcessorBuilder {
    let retry = RetryPolicy { base: Duration::from_millis(1), ..RetryPolicy::default() };
    Processor::builder(bus.clone()).store(store).retry(retry)
}

async fn lines(hub: &Hub) -> Vec<String> {
    let document = hub.context("local").read("/log").await.unwrap();
    document.map_or_else(Vec::new, |document| document.content.to_text().lines().map(str::to_owned).collect())
}

async fn said(bus: &Arc<dyn EventBus>, event_type: &str) -> Vec<Event> {
    let page = bus.read(0, &event_type.try_into().unwrap(), 1_000).await.unwrap();
    page.events.into_iter().map(|logged| logged.event).collect()
}

fn memory() -> Arc<dyn EventBus> {
    Arc::new(MemoryBus::new())
}

async fn process(bus: &Arc<dyn EventBus>, store: Arc<Store>, writer: &Writer) -> Processor {
    on(bus, store).driver(writer.clone()).start().await.unwrap()
}

#[tokio::test]
async fn between_any_two_steps_a_crash_doubles_nothing_and_loses_nothing() {
    for (step, runs) in [(0, 2), (1, 1), (2, 1)] {
        let (bus, hub, writer) = (memory(), Hub::in_memory().unwrap(), Writer::default());
        let death = Death::at(step);
        let app = process(&bus, Store::new(&hub, &death), &writer).await;
        let root = app.emit(Event::new("work").with_data(json!(1))).await.unwrap();
        death.came.notified().await;
        drop(app);
        let app = process(&bus, Store::new(&hub, &Death::never()), &writer).await;
        app.idle().await;
        assert_eq!(lines(&hub).await, ["1"], "step {step}: the document is written once");
        assert_eq!(said(&bus, "done").await.len(), 1, "step {step}: the output is there once");
        assert_eq!(
            writer.runs.load(Ordering::SeqCst),
            runs,
            "step {step}: what was posted is not handled again"
        );
        let lease = app.lease(&root).await.unwrap().unwrap();
        assert_eq!(lease.units, [("tokens".into(), 1)].into(), "step {step}: what was used counts once");
        assert!(hub.unpublished(bus.incarnation(), 0, 10).await.unwrap().is_empty(), "step {step}");
        app.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_run_that_dies_all_the_time_ends_as_one_that_never_does() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| Hub::open(folder.path().join(name)).unwrap();
    let (mut log, mut documents, writer) = (open("log.db"), open("documents.db"), Writer::default());
    let mut bus: Arc<dyn EventBus> = Arc::new(log.clone());
    for number in 0..40 {
        let death = Death::at(number % 7);
        for more in [number, number + 100] {
            bus.emit(Event::new("work").with_data(json!(more))).await.unwrap();
        }
        let life = async {
            let app = process(&bus, Store::new(&documents, &death), &writer).await;
            app.idle().await;
        };
        tokio::select! {
            () = death.came.notified() => {}
            () = life => {}
        }
        drop(bus);
        // Every handle is gone; the files are opened anew.
        log.close().await.unwrap();
        documents.close().await.unwrap();
        (log, documents) = (open("log.db"), open("documents.db"));
        bus = Arc::new(log.clone());
    }
    let app = process(&bus, Store::new(&documents, &Death::never()), &writer).await;
    app.idle().await;
    let mut written: Vec<u32> = lines(&documents).await.iter().map(|line| line.parse().unwrap()).collect();
    let mut told: Vec<u32> =
        said(&bus, "done").await.iter().map(|done| done.data.decode::<u32>().unwrap()).collect();
    written.sort_unstable();
    told.sort_unstable();
    let all: Vec<u32> = (0..40).chain(100..140).collect();
    assert_eq!(written, all);
    assert_eq!(told, all);
    assert!(app.bus().dead_letters(0, 10).await.unwrap().is_empty());
    app.shutdown().await.unwrap();
}

/// What an earlier run posted for a delivery, and whether it said that it was published.
async fn post(bus: &Arc<dyn EventBus>, hub: &Hub, published: bool) -> Mark {
    let delivery: Delivery = bus.pending(0, 1).await.unwrap().remove(0);
    let cause = &delivery.event;
    let mut output = Event::new("done")
        .with_user(cause.user_id.clone())
        .with_source("writer")
        .with_timestamp(cause.timestamp)
        .with_cause(cause.id.clone())
        .with_data(json!("posted"));
    let envelope = output.edit();
    envelope.id = EventId::derived(delivery.logged_at, &cause.user_id, &cause.id, &delivery.driver, 0);
    envelope.root_id = Some(cause.root().clone());
    envelope.depth = 1;
    let entry = Entry { minted: true, ..Entry::new(output, Place::Routed(Vec::new())) };
    let outcome = Outcome::Done { outputs: vec![entry], changes: Vec::new() };
    let settlement = Settlement::of(&delivery, outcome);
    let (event, driver) = (cause.id.clone(), delivery.driver.clone());
    let mark = Mark { log: bus.incarnation(), position: delivery.position, event, driver };
    let change = Change::new("/log", vextir_core::context::Intent::Write(Content::Text("posted\n".into())));
    let actor = Actor::handler(cause, &delivery.driver);
    hub.post(&mark, &actor, vec![change], &Data::new(&settlement).unwrap()).await.unwrap();
    if published {
        hub.set_published(&mark).await.unwrap();
    }
    mark
}

#[tokio::test]
async fn what_was_posted_is_published_and_not_handled_again() {
    for published in [false, true] {
        let (bus, hub, writer) = (memory(), Hub::in_memory().unwrap(), Writer::default());
        let paused = on(&bus, Store::new(&hub, &Death::never())).driver(writer.clone()).paused();
        let app = paused.start().await.unwrap();
        app.emit(Event::new("work").with_data(json!(1))).await.unwrap();
        post(&bus, &hub, published).await;
        if published {
            // As if the bus had forgotten what it was told, and delivered again.
            app.resume();
        } else {
            drop(app);
            process(&bus, Store::new(&hub, &Death::never()), &writer).await.idle().await;
        }
        let mut status = bus.status();
        status.wait_for(|status| status.open == 0).await.unwrap();
        assert_eq!(writer.runs.load(Ordering::SeqCst), 0, "published: {published}");
        assert_eq!(lines(&hub).await, ["posted"]);
        let done = said(&bus, "done").await;
        assert_eq!((done.len(), done[0].data.value()), (1, json!("posted")));
    }
}

#[tokio::test]
async fn what_a_log_of_the_same_seed_posted_stands_for_nothing_of_this_one() {
    let (bus, hub, writer) = (memory(), Hub::in_memory().unwrap(), Writer::default());
    let paused = on(&bus, Store::new(&hub, &Death::never())).driver(writer.clone()).paused();
    let app = paused.start().await.unwrap();
    app.emit(Event::new("work").with_data(json!(1))).await.unwrap();
    let mark = post(&bus, &hub, true).await;
    drop(app);
    // Another log with the same incarnation, whose first delivery is of another event.
    let twin: Arc<dyn EventBus> = Arc::new(MemoryBus::new().seeded(mark.log));
    assert_eq!(twin.incarnation(), mark.log);
    let app = process(&twin, Store::new(&hub, &Death::never()), &writer).await;
    app.emit(Event::new("work").with_data(json!(2))).await.unwrap();
    app.idle().await;
    assert_eq!(writer.runs.load(Ordering::SeqCst), 1);
    assert_eq!(lines(&hub).await, ["posted", "2"]);
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn marks_are_forgotten_past_their_horizon() {
    let (bus, hub, writer) = (memory(), Hub::in_memory().unwrap(), Writer::default());
    let app = process(&bus, Store::new(&hub, &Death::never()), &writer).await;
    let event = app.emit(Event::new("work").with_data(json!(1))).await.unwrap();
    app.idle().await;
    app.shutdown().await.unwrap();
    let mark = Mark { log: bus.incarnation(), position: 1, event, driver: "writer".into() };
    for (horizon, known) in [(Duration::from_secs(60), true), (Duration::ZERO, false)] {
        let app = on(&bus, Store::new(&hub, &Death::never())).done_marks(horizon).start().await.unwrap();
        app.shutdown().await.unwrap();
        assert_eq!(hub.posted(&mark).await.unwrap().is_some(), known, "{horizon:?}");
    }
}

/// A driver that does what a closure says, and writes `/log`.
struct Once<F>(F);

#[vextir_core::async_trait]
impl<F: Fn(&Event) -> Vec<Event> + Send + Sync + 'static> Driver for Once<F> {
    fn manifest(&self) -> Manifest {
        Manifest::new("once").handles("work").with_retries(2)
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        cx.context().append("/log", "once\n").await?;
        Ok((self.0)(&event))
    }
}

#[tokio::test]
async fn an_outcome_that_the_bus_refuses_becomes_a_letter_and_is_not_handled_again() {
    let (bus, hub) = (memory(), Hub::in_memory().unwrap());
    let taken = || Event::new("taken").with_id("evt_1".parse().unwrap());
    let app = on(&bus, Store::new(&hub, &Death::never()))
        .driver(Once(move |_: &Event| vec![taken().with_data(json!("other"))]))
        .start()
        .await
        .unwrap();
    app.emit(taken()).await.unwrap();
    app.emit(Event::new("work")).await.unwrap();
    app.idle().await;
    let letters = app.dead_letters(0, 10).await.unwrap();
    assert_eq!((letters.len(), letters[0].attempts), (1, 1), "{letters:?}");
    assert!(letters[0].reason.contains("evt_1") && letters[0].reason.contains("after"), "{letters:?}");
    assert_eq!(lines(&hub).await, ["once"], "its documents were changed, once");
    assert_eq!(said(&bus, "error").await.len(), 1);
    assert!(hub.unpublished(bus.incarnation(), 0, 10).await.unwrap().is_empty());
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_store_that_fails_for_now_is_asked_again() {
    let (bus, hub, writer) = (memory(), Hub::in_memory().unwrap(), Writer::default());
    let store = Store::new(&hub, &Death::never());
    store.fails.store(3, Ordering::SeqCst);
    let app = process(&bus, store, &writer).await;
    app.emit(Event::new("work").with_data(json!(1))).await.unwrap();
    app.idle().await;
    assert_eq!((lines(&hub).await, said(&bus, "done").await.len()), (vec!["1".to_owned()], 1));
    assert_eq!(writer.runs.load(Ordering::SeqCst), 1, "the handler's work is not thrown away");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_change_that_the_store_refuses_fails_the_attempt() {
    struct Wrong;

    #[vextir_core::async_trait]
    impl Driver for Wrong {
        fn manifest(&self) -> Manifest {
            Manifest::new("wrong").handles("work").with_retries(2)
        }

        async fn handle_event(&self, _event: Event, cx: &Ctx) -> HandlerResult {
            cx.context().write("/Shared/bob/x", "not mine").await?;
            Ok(vec![Event::new("done")])
        }
    }

    let (bus, hub) = (memory(), Hub::in_memory().unwrap());
    let app = on(&bus, Store::new(&hub, &Death::never())).driver(Wrong).start().await.unwrap();
    let event = app.emit(Event::new("work")).await.unwrap();
    app.idle().await;
    assert_eq!(app.dead_letters(0, 10).await.unwrap().len(), 1);
    assert!(said(&bus, "done").await.is_empty());
    let mark = Mark { log: bus.incarnation(), position: 1, event, driver: "wrong".into() };
    assert!(hub.posted(&mark).await.unwrap().is_none(), "nothing was posted");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_a_cancelled_tree_writes_is_dropped() {
    struct Slow;

    #[vextir_core::async_trait]
    impl Driver for Slow {
        fn manifest(&self) -> Manifest {
            Manifest::new("slow").handles("work")
        }

        async fn handle_event(&self, _event: Event, cx: &Ctx) -> HandlerResult {
            cx.context().write("/log", "too late").await?;
            cx.cancelled().await;
            Ok(vec![Event::new("done")])
        }
    }

    let (bus, hub) = (memory(), Hub::in_memory().unwrap());
    let app = on(&bus, Store::new(&hub, &Death::never())).driver(Slow).start().await.unwrap();
    let root = app.emit(Event::new("work")).await.unwrap();
    while app.drivers()[0].running == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    app.cancel(&root).await.unwrap();
    while app.drivers()[0].running > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(lines(&hub).await.is_empty() && said(&bus, "done").await.is_empty());
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_store_without_an_outbox_is_read_and_not_written() {
    let (bus, hub) = (memory(), Hub::in_memory().unwrap());
    let store = Store { has_outbox: false, ..(*Store::new(&hub, &Death::never())).clone() };
    let app = on(&bus, Arc::new(store)).driver(Writer::default()).start().await.unwrap();
    app.emit(Event::new("work").with_data(json!(1))).await.unwrap();
    app.idle().await;
    let letters = app.dead_letters(0, 10).await.unwrap();
    assert!(letters[0].reason.contains("outbox"), "{letters:?}");
    assert!(lines(&hub).await.is_empty());
    app.shutdown().await.unwrap();
}
