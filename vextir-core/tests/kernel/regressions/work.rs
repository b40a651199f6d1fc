use super::slow::Slow;
use super::*;

#[tokio::test]
async fn a_cancel_of_a_long_backlog_leaves_nothing_spinning() {
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
async fn cancelled_work_is_not_begun() {
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
async fn a_redriven_letter_of_a_cancelled_tree_leaves_the_ledger_right() {
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
async fn extend_finds_its_own_events_behind_those_of_others() {
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
async fn what_never_ran_is_not_buried() {
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
    let dead = app.dead_letters(0, 1).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 1, "{dead:?}");
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
async fn a_panic_in_check_is_kept_apart() {
    let maker =
        answers(Manifest::new("maker").handles("go").with_concurrency(1), |_| Ok(vec![Event::new("bad")]));
    let app = quick().driver(Touchy).driver(maker).start().await.unwrap();
    app.emit(Event::new("go")).await.unwrap();
    timeout(SOON, app.idle()).await.expect("the worker died with its slot and its delivery");
}

#[tokio::test]
async fn a_panic_in_check_does_not_end_the_chores() {
    let bus = MemoryBus::new();
    let app = on(bus.clone()).driver(Touchy).start().await.unwrap();
    bus.emit(Event::new("bad")).await.unwrap();
    settle_down().await;
    bus.emit(Event::new("good")).await.unwrap();
    timeout(SOON, app.idle()).await.expect("nothing is routed, and no delayed event released, any more");
}
