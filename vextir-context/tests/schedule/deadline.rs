//! What did not come in time is told once.

mod broken;
mod lives;
mod order;

use crate::{MINUTE, monday};
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::prelude::*;
use vextir_core::schedule::Deadline;
use vextir_core::{Clock, EventStream, ManualClock, Processor, Start};

const HOUR: Duration = Duration::from_hours(1);

fn overdue() -> Deadline {
    let event = Event::new("told").with_data(json!({"tone": "stern"}));
    Deadline::new("overdue", "invoice.sent", HOUR, event).unless("invoice.paid").by("invoice.id")
}

fn silent() -> Deadline {
    Deadline::absence("silent", "sensor.*", HOUR, Event::new("told")).by("sensor")
}

fn sent(id: &str) -> Event {
    Event::new("invoice.sent").with_data(json!({"invoice": {"id": id}, "cents": 100}))
}

fn paid(id: &str) -> Event {
    Event::new("invoice.paid").with_data(json!({"invoice": {"id": id}}))
}

fn reading(sensor: &str) -> Event {
    Event::new("sensor.reading").with_data(json!({"sensor": sensor}))
}

/// A processor with one deadline, at a time that stands still.
struct Watch {
    app: Processor,
    clock: ManualClock,
    told: EventStream,
}

impl Watch {
    async fn on(hub: Hub, clock: ManualClock, deadlines: Vec<Deadline>) -> Self {
        let mut builder = Processor::builder(hub).clock(clock.clone());
        for deadline in deadlines {
            builder = builder.driver(deadline);
        }
        let app = builder.start().await.unwrap();
        let told = app.subscribe_from("told", Start::Beginning).await.unwrap();
        Self { app, clock, told }
    }

    async fn new(deadline: Deadline) -> Self {
        Self::on(Hub::in_memory().unwrap(), monday(), vec![deadline]).await
    }

    /// Something comes, and is taken note of.
    async fn comes(&self, event: Event) {
        self.app.emit(event).await.unwrap();
        self.app.idle().await;
    }

    async fn stop(self) {
        self.app.shutdown().await.unwrap();
    }

    /// The next that is told.
    async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(Duration::from_secs(20), self.told.next());
        next.await.unwrap().unwrap().unwrap()
    }

    /// The key of the next that is told.
    async fn key(&mut self) -> String {
        self.next().await.metadata["key"].clone()
    }

    /// Nothing more is told.
    async fn quiet(&mut self) {
        self.app.idle().await;
        let next = tokio::time::timeout(Duration::from_millis(100), self.told.next()).await;
        assert!(next.is_err(), "{next:?}");
    }

    /// The keys that wait, as their documents are called.
    async fn waiting(&self, user: &str, deadline: &str) -> Vec<String> {
        let folder = format!("/System/Deadlines/{deadline}");
        let items = self.app.context(user).list(&folder).await.unwrap();
        items.into_iter().map(|item| item.path.rsplit('/').next().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn what_did_not_come_is_told_with_what_began_it() {
    let mut watch = Watch::new(overdue()).await;
    let began = watch.app.emit(sent("A").with_label("untrusted")).await.unwrap();
    watch.app.idle().await;
    assert_eq!(watch.waiting("local", "overdue").await, ["A"]);
    watch.clock.advance(HOUR);
    let told = watch.next().await;
    let data = json!({"tone": "stern", "after": {"invoice": {"id": "A"}, "cents": 100}});
    assert_eq!(told.data.value(), data);
    let note = |name: &str| told.metadata[name].as_str();
    assert_eq!((note("deadline"), note("key"), note("due")), ("overdue", "A", "2025-06-16T09:58:30Z"));
    assert_eq!(note("after"), began.to_string());
    assert_eq!((told.root_id.as_ref(), told.depth, told.user_id.as_str()), (None, 0, "local"));
    assert_eq!((told.source.as_str(), told.timestamp), ("deadline.overdue", watch.clock.now()));
    assert!(told.labels.contains("untrusted"), "what came of it is no cleaner than it was");
    watch.clock.advance(HOUR * 5);
    watch.quiet().await;
    assert!(watch.waiting("local", "overdue").await.is_empty());
}

#[tokio::test]
async fn what_came_in_time_is_not_told_and_nothing_of_it_is_left() {
    let mut watch = Watch::new(overdue()).await;
    for key in ["A", "B"] {
        watch.comes(sent(key)).await;
    }
    watch.clock.advance(HOUR - MINUTE);
    watch.comes(paid("A")).await;
    assert_eq!(watch.waiting("local", "overdue").await, ["B"]);
    assert_eq!(watch.app.delayed(10).await.unwrap().len(), 1, "one timer for each that waits");
    watch.clock.advance(HOUR);
    assert_eq!(watch.key().await, "B");
    watch.comes(paid("B")).await;
    watch.clock.advance(HOUR * 3);
    watch.quiet().await;
    assert!(watch.app.delayed(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_first_beginning_counts_unless_each_begins_anew() {
    for (deadline, due) in
        [(overdue(), "2025-06-16T09:58:30Z"), (overdue().restarting(), "2025-06-16T10:28:30Z")]
    {
        let mut watch = Watch::new(deadline).await;
        watch.comes(sent("A")).await;
        watch.clock.advance(HOUR / 2);
        watch.comes(sent("A")).await;
        watch.clock.advance(HOUR / 2);
        tokio::time::sleep(Duration::from_millis(30)).await;
        watch.app.idle().await;
        watch.clock.advance(HOUR / 2);
        assert_eq!(watch.next().await.metadata["due"], due);
        watch.quiet().await;
        watch.comes(sent("A")).await;
        watch.clock.advance(HOUR);
        assert_eq!(watch.key().await, "A", "what was told can begin again");
    }
}

#[tokio::test]
async fn a_key_that_was_answered_waits_again_at_once() {
    let mut watch = Watch::new(overdue()).await;
    for _ in 0..3 {
        watch.comes(sent("A")).await;
        watch.comes(paid("A")).await;
    }
    assert!(watch.app.delayed(10).await.unwrap().is_empty());
    watch.comes(sent("A")).await;
    watch.clock.advance(HOUR);
    assert_eq!(watch.key().await, "A");
    watch.quiet().await;
}

#[tokio::test]
async fn a_silence_is_told_once() {
    let mut watch = Watch::new(silent()).await;
    for _ in 0..6 {
        watch.comes(reading("north")).await;
        watch.clock.advance(HOUR / 2);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    watch.app.idle().await;
    assert_eq!(watch.app.delayed(10).await.unwrap().len(), 1, "one timer, however much came");
    watch.clock.advance(HOUR / 2);
    let told = watch.next().await;
    assert_eq!(told.metadata["due"], "2025-06-16T12:28:30Z");
    assert_eq!(told.data.value(), json!({"after": {"sensor": "north"}}));
    watch.clock.advance(HOUR * 9);
    watch.quiet().await;
    watch.comes(reading("north")).await;
    watch.clock.advance(HOUR);
    assert_eq!(watch.key().await, "north");
}

#[tokio::test]
async fn each_user_has_waits_of_its_own() {
    let mut watch = Watch::new(overdue()).await;
    let (ann, bob) = (watch.app.as_user("ann"), watch.app.as_user("bob"));
    ann.emit(sent("A")).await.unwrap();
    bob.emit(sent("A")).await.unwrap();
    watch.app.idle().await;
    bob.emit(paid("A")).await.unwrap();
    watch.app.idle().await;
    assert_eq!(watch.waiting("ann", "overdue").await, ["A"]);
    assert!(watch.waiting("bob", "overdue").await.is_empty());
    watch.clock.advance(HOUR);
    assert_eq!(watch.next().await.user_id, "ann");
    watch.quiet().await;
}

#[tokio::test]
async fn without_a_key_a_user_waits_once() {
    let mut watch = Watch::new(Deadline::absence("idle", "**", HOUR, Event::new("told"))).await;
    watch.comes(sent("A")).await;
    watch.comes(reading("north")).await;
    assert_eq!(watch.waiting("local", "idle").await, ["~"]);
    watch.clock.advance(HOUR);
    assert!(!watch.next().await.metadata.contains_key("key"));
    watch.clock.advance(HOUR * 5);
    watch.quiet().await;
}

#[tokio::test]
async fn time_is_when_it_happened() {
    let mut watch = Watch::new(overdue()).await;
    let now = watch.clock.now();
    watch.comes(sent("old").with_timestamp(now.before(HOUR * 2))).await;
    let told = watch.next().await;
    assert_eq!(
        (told.metadata["key"].as_str(), told.metadata["due"].as_str()),
        ("old", "2025-06-16T07:58:30Z")
    );
    watch.comes(sent("future").with_timestamp(now.after(HOUR * 1_000))).await;
    watch.clock.advance(HOUR);
    assert_eq!(watch.key().await, "future", "what claims to come from the future happened now");
    // Told in the log already, but handled late: what happened in time counts, what happened too late does not.
    watch.app.pause();
    let now = watch.clock.now();
    watch.app.emit_all(vec![sent("x"), sent("y")]).await.unwrap();
    watch.app.emit(paid("x").with_timestamp(now.after(MINUTE))).await.unwrap();
    watch.clock.advance(HOUR * 2);
    watch.app.emit(paid("y")).await.unwrap();
    watch.app.resume();
    assert_eq!(watch.key().await, "y");
    watch.quiet().await;
}
