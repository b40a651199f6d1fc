//! Schedules on a hub: each slot fires once, whatever happens between.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod deadline;
mod faults;
mod many;
mod overlap;

use std::time::Duration;
use vextir_context::Hub;
use vextir_core::prelude::*;
use vextir_core::schedule::ScheduleState;
use vextir_core::{
    Clock, EventFilter, EventStream, HandlerResult, ManualClock, Processor, Start, Timestamp, async_trait,
};

const MINUTE: Duration = Duration::from_mins(1);

/// A driver from a closure.
struct Does(Manifest, Box<dyn Fn(&Event) -> HandlerResult + Send + Sync>);

#[async_trait]
impl Driver for Does {
    fn manifest(&self) -> Manifest {
        self.0.clone()
    }
    async fn handle_event(&self, event: Event, _cx: &Ctx) -> HandlerResult {
        (self.1)(&event)
    }
}

fn does(event: &'static str, work: impl Fn(&Event) -> HandlerResult + Send + Sync + 'static) -> Does {
    Does(Manifest::new(format!("on_{event}")).handles(event).with_retries(0), Box::new(work))
}

/// A processor on a hub, at a time that stands still.
struct Stage {
    app: Processor,
    clock: ManualClock,
    ticks: EventStream,
}

fn monday() -> ManualClock {
    ManualClock::at("2025-06-16T08:58:30Z").unwrap()
}

impl Stage {
    async fn new(hub: Hub, clock: ManualClock, drivers: Vec<Does>) -> Self {
        let mut builder = Processor::builder(hub).clock(clock.clone());
        for driver in drivers {
            builder = builder.driver(driver);
        }
        let app = builder.start().await.unwrap();
        let ticks = app.subscribe_from("tick", Start::Beginning).await.unwrap();
        Self { app, clock, ticks }
    }

    async fn in_memory() -> Self {
        Self::new(Hub::in_memory().unwrap(), monday(), Vec::new()).await
    }

    /// The slot of the next firing.
    async fn slot(&mut self) -> String {
        let event =
            tokio::time::timeout(Duration::from_secs(20), self.ticks.next()).await.unwrap().unwrap().unwrap();
        event.metadata["slot"].clone()
    }

    /// Lets time go on until the schedule says what is wanted.
    async fn until(&self, id: &str, wanted: impl Fn(&ScheduleState) -> bool) -> ScheduleState {
        for _ in 0..2_000 {
            self.app.idle().await;
            if let Some(state) = self.app.schedule(id).await.unwrap()
                && wanted(&state)
            {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{:?}", self.app.schedule(id).await);
    }

    /// Waits until a schedule that is over is not there any more.
    async fn gone(&self, id: &str) {
        for _ in 0..300 {
            self.app.idle().await;
            if self.app.schedule(id).await.unwrap().is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}", self.app.schedule(id).await);
    }

    /// How many firings the log has.
    async fn fired(&self) -> usize {
        let mut log = self.app.subscribe_from(EventFilter::all(), Start::Beginning).await.unwrap();
        let mut fired = 0;
        while let Ok(Some(Ok(event))) = tokio::time::timeout(Duration::from_millis(50), log.next()).await {
            fired += usize::from(event.event_type == "tick");
        }
        fired
    }
}

#[tokio::test]
async fn a_recurring_event_fires_at_each_slot_as_a_root_of_its_own() {
    let mut stage = Stage::in_memory().await;
    let tick = Event::new("tick").with_data(json!({"what": "standup"}));
    let state = stage
        .app
        .schedule_recurring(tick, "0 9 * * MON-FRI")
        .timezone("Europe/Oslo")
        .id("standup")
        .await
        .unwrap();
    assert_eq!(state.next.unwrap().to_string(), "2025-06-17T07:00:00Z", "nine in Oslo has passed today");
    for day in ["17", "18", "19", "20", "23"] {
        let slot = format!("2025-06-{day}T07:00:00Z");
        let due: Timestamp = slot.parse().unwrap();
        stage.clock.advance(due.since(stage.clock.now()));
        assert_eq!(stage.slot().await, slot);
        let state = stage.until("standup", |state| state.next > Some(due) && state.is_quiet()).await;
        assert_eq!(state.last, Some(due));
    }
}

#[tokio::test]
async fn a_firing_says_its_slot_and_carries_the_event() {
    let mut stage = Stage::in_memory().await;
    let at = "2025-06-16T09:00:00Z";
    let state =
        stage.app.schedule_once(Event::new("tick").with_data(json!({"n": 1})), at).id("once").await.unwrap();
    assert_eq!(state.next, Some(at.parse().unwrap()));
    stage.clock.advance(MINUTE * 2);
    let event = stage.ticks.next().await.unwrap().unwrap();
    assert_eq!(
        (event.data.value(), event.user_id.as_str(), event.source.as_str()),
        (json!({"n": 1}), "local", "scheduler")
    );
    assert_eq!((event.metadata["schedule"].as_str(), event.metadata["slot"].as_str()), ("once", at));
    assert_eq!((event.root_id.as_ref(), event.depth), (None, 0));
    stage.gone("once").await;
    assert!(stage.app.schedules().await.unwrap().is_empty());
}

#[tokio::test]
async fn who_asks_for_the_same_again_gets_the_schedule_that_is_there() {
    let stage = Stage::in_memory().await;
    let ask = || stage.app.schedule_every(Event::new("tick"), MINUTE);
    let first = ask().await.unwrap();
    stage.clock.advance(Duration::from_secs(20));
    assert_eq!(ask().await.unwrap(), first);
    let other = stage.app.schedule_every(Event::new("tick"), MINUTE * 2).await.unwrap();
    assert_ne!(other.id, first.id);
    assert_eq!(stage.app.schedules().await.unwrap().len(), 2);
    let named = stage.app.schedule_every(Event::new("tick"), MINUTE).id("named").await.unwrap();
    let changed = stage.app.schedule_every(Event::new("tick"), MINUTE * 3).id("named").await.unwrap();
    assert_eq!(changed.next.unwrap().since(named.next.unwrap()), MINUTE * 2);
    assert_eq!(stage.app.schedules().await.unwrap().len(), 3);
}

#[tokio::test]
async fn it_is_paused_resumed_triggered_and_cancelled() {
    let mut stage = Stage::in_memory().await;
    stage.app.schedule_every(Event::new("tick"), MINUTE).id("feeds").await.unwrap();
    let paused = stage.app.pause_schedule("feeds", "holidays").await.unwrap();
    assert_eq!((paused.paused.as_deref(), paused.next), (Some("holidays"), None));
    stage.clock.advance(MINUTE * 5);
    let resumed = stage.app.resume_schedule("feeds").await.unwrap();
    assert_eq!((resumed.fired, resumed.missed), (0, 0), "what would have been meanwhile is not made up for");
    assert_eq!(resumed.next.unwrap().to_string(), "2025-06-16T09:04:30Z");
    let triggered = stage.app.trigger_schedule("feeds").await.unwrap();
    assert_eq!((triggered.fired, triggered.next), (1, resumed.next));
    assert_eq!(stage.slot().await, "2025-06-16T09:03:30Z");
    stage.clock.advance(MINUTE);
    assert_eq!(stage.slot().await, "2025-06-16T09:04:30Z");
    stage.app.cancel_schedule("feeds").await.unwrap();
    stage.clock.advance(MINUTE * 5);
    assert_eq!(stage.app.schedule("feeds").await.unwrap(), None);
    let gone = stage.app.trigger_schedule("feeds").await.unwrap_err();
    assert!(gone.to_string().contains("there is no schedule \"feeds\""), "{gone}");
    assert_eq!(stage.fired().await, 2);
}

#[tokio::test]
async fn a_past_is_filled_in_once() {
    let stage = Stage::in_memory().await;
    let overlap = vextir_core::schedule::Overlap::Allow;
    stage
        .app
        .schedule_recurring(Event::new("tick"), "*/10 * * * *")
        .overlap(overlap)
        .id("reports")
        .await
        .unwrap();
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let (from, until) = (time("2025-06-16T07:00:00Z"), time("2025-06-16T08:00:00Z"));
    let state = stage.app.backfill_schedule("reports", from, until).await.unwrap();
    assert_eq!((state.fired, state.next), (6, Some(time("2025-06-16T09:00:00Z"))));
    let state = stage.app.backfill_schedule("reports", from.before(MINUTE * 10), until).await.unwrap();
    assert_eq!(state.fired, 7, "those that fired do not fire again");
    stage.app.idle().await;
    assert_eq!(stage.fired().await, 7);
    let much = stage.app.backfill_schedule("reports", time("2020-01-01T00:00:00Z"), until).await.unwrap_err();
    assert!(much.to_string().contains("more than 1000 slots"), "{much}");
}

#[tokio::test]
async fn each_tenant_has_schedules_of_its_own() {
    let stage = Stage::in_memory().await;
    let (ann, bob) = (stage.app.as_user("ann"), stage.app.as_user("bob"));
    ann.schedule_every(Event::new("tick"), MINUTE).id("mine").await.unwrap();
    assert_eq!(bob.schedule("mine").await.unwrap(), None);
    let none = bob.trigger_schedule("mine").await.unwrap_err();
    assert!(none.to_string().contains("there is no schedule"), "{none}");
    bob.schedule_every(Event::new("tick"), MINUTE * 2).id("mine").await.unwrap();
    let fired = ann.trigger_schedule("mine").await.unwrap();
    assert_eq!(fired.fired, 1);
    assert_eq!(bob.schedule("mine").await.unwrap().unwrap().fired, 0);
    let much = vextir_core::Limits { events: 1_000_000, ..Default::default() };
    ann.schedule_every(Event::new("tick"), MINUTE).limits(much).id("much").await.unwrap();
    ann.trigger_schedule("much").await.unwrap();
    stage.app.idle().await;
    let much = ann.schedule("much").await.unwrap().unwrap();
    assert_eq!((much.fired, much.failures), (1, 1), "a tenant's own limits need a grant");
}
