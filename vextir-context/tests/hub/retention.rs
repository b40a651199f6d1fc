//! What is kept, for how long, and how the room comes back.

use crate::{append, done, event, idle, large, output, page, routed, settle};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::bus::{Append, Command, Delivery, Entry, Hold, Outcome, Place};
use vextir_core::{
    AuditRecord, Clock, Ctx, Decision, Driver, ErrorKind, Event, EventBus, EventBusExt, EventFilter, Failure,
    HandlerResult, Manifest, ManualClock, Name, Processor, Start,
};

const HOUR: Duration = Duration::from_secs(60 * 60);

struct Aging {
    hub: Hub,
    clock: ManualClock,
    folder: tempfile::TempDir,
}

impl Aging {
    /// A hub that keeps events for an hour.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
        let hub = Hub::builder(folder.path().join("hub.db"))
            .keep_for(HOUR)
            .clock(Arc::new(clock.clone()))
            .open()
            .unwrap();
        Self { hub, clock, folder }
    }

    /// Lets everything get old, and waits until retention has passed all that was there.
    async fn get_old(&self) {
        append(&self.hub, vec![idle(event("old"))]).await;
        let head = self.hub.status().borrow().head;
        self.clock.advance(HOUR * 2);
        append(&self.hub, vec![idle(event("young"))]).await;
        until(|| async { self.hub.read(head - 1, &EventFilter::all(), 1).await.is_err() }).await;
        // The sweep follows the pass.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    async fn deliver(&self) -> Delivery {
        append(&self.hub, vec![routed(event("work"), "one")]).await;
        self.hub.receive(1).await.unwrap().remove(0)
    }
}

async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to hold");
}

#[tokio::test]
async fn a_reader_is_told_what_is_gone() {
    let aging = Aging::new();
    append(&aging.hub, vec![idle(event("a")), idle(event("b"))]).await;
    let bus = Arc::new(aging.hub.clone());
    let mut stream = bus.clone().subscribe(EventFilter::all(), Start::Beginning).await.unwrap();
    aging.get_old().await;
    let error = aging.hub.read(0, &EventFilter::all(), 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gap);
    assert!(error.to_string().contains("the log begins at 4"), "{error}");
    let page = aging.hub.read(3, &EventFilter::all(), 10).await.unwrap();
    assert_eq!((page.events.len(), page.next, page.at_head), (1, 4, true));

    assert_eq!(stream.next().await.unwrap().unwrap_err().kind(), ErrorKind::Gap);
    assert_eq!(stream.next().await.unwrap().unwrap().event_type, "young");
    let mut stream = bus.subscribe(EventFilter::all(), Start::Beginning).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().event_type, "young");
}

#[tokio::test]
async fn open_work_dead_letters_and_what_waits_outlive_the_log() {
    let aging = Aging::new();
    let hub = &aging.hub;
    hub.attach().await.unwrap();
    let (open, dead) = (aging.deliver().await, aging.deliver().await);
    let reason = Outcome::Dead { reason: "never".into(), outputs: Vec::new() };
    hub.commit(settle(&dead, reason)).await.unwrap();
    let unrouted = hub.emit(event("unrouted")).await.unwrap();
    let due = aging.clock.now().after(HOUR * 100);
    let delayed = hub.emit(event("delayed").with_deliver_at(due)).await.unwrap();
    aging.get_old().await;

    assert_eq!(hub.pending(0, 10).await.unwrap()[0].event, open.event);
    assert_eq!(hub.dead_letters(0, 10).await.unwrap()[0].event, dead.event);
    assert_eq!(hub.unrouted(10).await.unwrap()[0].event.id, unrouted);
    assert_eq!(hub.parked(Hold::Delayed, 10).await.unwrap()[0].event.id, delayed);
    let lease = hub.lease(&Name::literal("local"), &open.event.id).await.unwrap().unwrap();
    assert_eq!(lease.open, 1);

    // When nobody needs them any more, they go with the next pass.
    let last = output(&open, "done");
    hub.commit(settle(&open, done(vec![last]))).await.unwrap();
    hub.commit(Command::Discard {
        positions: vec![dead.position],
        decision: Decision::new("operator", "old"),
    })
    .await
    .unwrap();
    aging.get_old().await;
    for gone in [&open, &dead] {
        let user = Name::literal("local");
        assert!(hub.find(&user, &gone.event.id).await.unwrap().is_none());
        assert!(hub.lease(&user, &gone.event.id).await.unwrap().is_none());
    }
    assert_eq!(hub.unrouted(10).await.unwrap().len(), 1, "this one is still needed");
}

#[tokio::test]
async fn keys_and_the_audit_go_with_their_events() {
    let aging = Aging::new();
    let hub = &aging.hub;
    let keyed = |key| {
        let mut entry = Entry::new(event("keyed"), Place::Unrouted);
        entry.key = Some(Name::literal(key));
        entry
    };
    let mut waiting = keyed("waits");
    waiting.event = waiting.event.with_deliver_at(aging.clock.now().after(HOUR * 100));
    let done = Entry { place: Place::Routed(Vec::new()), ..keyed("done") };
    let audit = vec![AuditRecord::about(&done.event, "deny", Decision::new("rule", "because"))];
    let entries = vec![done.clone(), waiting.clone()];
    hub.commit(Append { entries, audit, ..Append::default() }.into()).await.unwrap();
    assert_eq!(hub.audit(0, 10).await.unwrap().len(), 1);
    aging.get_old().await;

    assert!(hub.audit(0, 10).await.unwrap().is_empty());
    assert!(append(hub, vec![done]).await.appended[0].fresh, "the key may be used again");
    assert!(!append(hub, vec![waiting]).await.appended[0].fresh, "its event still waits");
}

#[tokio::test]
async fn ledgers_of_trees_that_were_never_logged_go_too() {
    let aging = Aging::new();
    let hub = &aging.hub;
    let user = Name::literal("local");
    append(hub, vec![idle(event("a"))]).await;
    let due = aging.clock.now().after(HOUR * 100);
    let root = hub.emit(event("delayed").with_deliver_at(due)).await.unwrap();
    hub.commit(Command::Cancel { user: user.clone(), root: root.clone(), audit: Vec::new() }).await.unwrap();
    assert!(hub.lease(&user, &root).await.unwrap().is_some(), "a tombstone, for as long as events are kept");
    aging.get_old().await;
    assert!(hub.lease(&user, &root).await.unwrap().is_none());
}

#[tokio::test]
async fn numbers_are_never_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let open = || {
        let builder = Hub::builder(folder.path().join("hub.db")).keep_for(HOUR);
        builder.clock(Arc::new(clock.clone())).open().unwrap()
    };
    let hub = open();
    hub.attach().await.unwrap();
    append(&hub, vec![routed(event("a"), "one"), routed(event("b"), "one")]).await;
    let fed = hub.receive(10).await.unwrap();
    for delivery in &fed {
        hub.commit(settle(delivery, done(Vec::new()))).await.unwrap();
    }
    hub.close().await.unwrap();
    clock.advance(HOUR * 3);
    let hub = open();
    until(|| async { hub.read(1, &EventFilter::all(), 1).await.is_err() }).await;
    assert_eq!(rest(&hub, 2).await, 0, "the log is empty");
    hub.close().await.unwrap();
    let hub = open();
    assert_eq!(hub.status().borrow().head, 2);
    hub.attach().await.unwrap();
    let receipt = append(&hub, vec![routed(event("c"), "one")]).await;
    assert_eq!(receipt.appended[0].sequence, 3);
    assert!(hub.receive(1).await.unwrap()[0].position > fed[1].position);
}

/// The log after a place.
async fn rest(hub: &Hub, mut after: u64) -> usize {
    let mut count = 0;
    loop {
        let page = hub.read(after, &EventFilter::all(), 1_000).await.unwrap();
        (count, after) = (count + page.events.len(), page.next);
        if page.at_head {
            return count;
        }
    }
}

#[tokio::test]
async fn a_log_that_grows_too_large_loses_its_beginning() {
    const LIMIT: u64 = 2 << 20;
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::builder(folder.path().join("hub.db")).keep_bytes(LIMIT).open().unwrap();
    hub.attach().await.unwrap();
    append(&hub, vec![routed(event("work"), "one")]).await;
    for _ in 0..400 {
        append(&hub, (0..10).map(|_| idle(large(2_000))).collect()).await;
    }
    until(|| async { hub.size().await.unwrap().used <= LIMIT + LIMIT / 16 }).await;
    assert_eq!(hub.read(0, &EventFilter::all(), 1).await.unwrap_err().kind(), ErrorKind::Gap);
    assert_eq!(hub.pending(0, 10).await.unwrap()[0].event.event_type, "work");
    let head = hub.status().borrow().head;
    assert_eq!(rest(&hub, head - 256).await, 256, "the latest are kept");
    let file = folder.path().join("hub.db").metadata().unwrap().len();
    assert!(file < 3 * LIMIT, "{file}");
}

#[tokio::test]
async fn the_file_shrinks() {
    let aging = Aging::new();
    for _ in 0..100 {
        append(&aging.hub, (0..10).map(|_| idle(large(4_000))).collect()).await;
    }
    let before = aging.hub.size().await.unwrap();
    assert!(before.used > 4_000_000, "{before:?}");
    aging.get_old().await;
    let small = || async {
        let size = aging.hub.size().await.unwrap();
        size.used + size.free < 1_000_000
    };
    until(small).await;
    let path = aging.folder.path().join("hub.db");
    aging.hub.close().await.unwrap();
    let file = path.metadata().unwrap().len();
    assert!(file < 1_000_000, "{file}");
    let hub = Hub::builder(path).clock(Arc::new(aging.clock)).open().unwrap();
    assert_eq!(rest(&hub, 1_001).await, 1);
}

#[tokio::test]
async fn too_many_dead_letters_lose_the_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::builder(folder.path().join("hub.db")).dead_letters(5).open().unwrap();
    hub.attach().await.unwrap();
    for _ in 0..20 {
        append(&hub, vec![routed(event("work"), "one")]).await;
        let delivery = hub.receive(1).await.unwrap().remove(0);
        let dead = Outcome::Dead { reason: "never".into(), outputs: Vec::new() };
        hub.commit(settle(&delivery, dead)).await.unwrap();
    }
    until(|| async { hub.dead_letters(0, 100).await.unwrap().len() == 5 }).await;
    let letters = hub.dead_letters(0, 100).await.unwrap();
    assert_eq!(letters[0].sequence, 16, "the newest are left");
    assert_eq!(page(&hub).await.len(), 20);
}

#[tokio::test]
async fn what_gets_too_old_goes_although_nobody_writes() {
    let hub = vextir_context::HubBuilder::in_memory().keep_for(Duration::from_millis(200)).open().unwrap();
    append(&hub, vec![idle(event("old"))]).await;
    assert_eq!(hub.read(0, &EventFilter::all(), 1).await.unwrap().events.len(), 1);
    until(|| async { hub.read(0, &EventFilter::all(), 1).await.is_err() }).await;
}

#[tokio::test]
async fn a_key_goes_on_when_the_letter_that_blocks_it_is_removed() {
    struct Picky(Arc<AtomicUsize>);

    #[vextir_core::async_trait]
    impl Driver for Picky {
        fn manifest(&self) -> Manifest {
            Manifest::new("picky").handles("job").with_block_on_dead(true)
        }

        async fn handle_event(&self, event: Event, _cx: &Ctx) -> HandlerResult {
            if event.data.value() == "bad" {
                return Err(Failure::permanent("bad").into());
            }
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Vec::new())
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::builder(folder.path().join("hub.db")).dead_letters(3).open().unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let app = Processor::builder(hub.clone()).driver(Picky(done.clone())).start().await.unwrap();
    let job =
        |key: String, what: &str| Event::new("job").with_ordering_key(key).with_data(serde_json::json!(what));
    app.emit(job("k".into(), "bad")).await.unwrap();
    app.idle().await;
    app.emit(job("k".into(), "good")).await.unwrap();
    for other in 0..3 {
        assert_eq!(done.load(Ordering::SeqCst), 0, "the letter blocks its key");
        app.emit(job(format!("other-{other}"), "bad")).await.unwrap();
    }
    until(|| async { done.load(Ordering::SeqCst) == 1 }).await;
    assert_eq!(hub.dead_letters(0, 10).await.unwrap().len(), 3);
    app.shutdown().await.unwrap();
}
