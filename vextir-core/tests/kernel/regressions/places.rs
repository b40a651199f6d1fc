//! Drivers and processors that come and go while something fails.

use super::slow::Slow;
use super::*;

/// Counts its calls of `stop`.
struct Counted {
    seen: Arc<Mutex<Vec<Event>>>,
    stopped: Arc<AtomicUsize>,
}

#[vextir::async_trait]
impl Driver for Counted {
    fn manifest(&self) -> Manifest {
        Manifest::new("counted").handles("job").with_from_start(true)
    }
    async fn handle_event(&self, event: Event, _cx: &Ctx) -> HandlerResult {
        self.seen.lock().unwrap().push(event);
        Ok(vec![])
    }
    async fn stop(&self) {
        self.stopped.fetch_add(1, Ordering::SeqCst);
    }
}

/// A driver, what it saw, and how often it was stopped.
fn counted() -> (Counted, Arc<Mutex<Vec<Event>>>, Arc<AtomicUsize>) {
    let (seen, stopped) = (Arc::default(), Arc::default());
    (Counted { seen: Arc::clone(&seen), stopped: Arc::clone(&stopped) }, seen, stopped)
}

/// As a hub answers when retention removes the event after it was read.
fn first_is_gone(command: &Command) -> Option<ErrorKind> {
    matches!(command, Command::Route(route) if route.sequence == 1).then_some(ErrorKind::Stale)
}

#[tokio::test]
async fn retention_of_an_event_does_not_keep_a_driver_from_coming() {
    let bus = Slow::new(MemoryBus::new(), |_| false).refusing(first_is_gone);
    let app = bus.builder().start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    let (driver, seen, _) = counted();
    app.register(driver).await.unwrap();
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1, "what is left of the log");
}

#[tokio::test]
async fn retention_of_an_event_does_not_keep_a_processor_from_starting() {
    let bus = Slow::new(MemoryBus::new(), |_| false).refusing(first_is_gone);
    let app = bus.builder().start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    app.shutdown().await.unwrap();
    let (driver, seen, _) = counted();
    let app = bus.builder().driver(driver).start().await.unwrap();
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1, "what is left of the log");
}

#[tokio::test]
async fn a_driver_that_cannot_come_is_stopped() {
    let inner = MemoryBus::new();
    let bus = Slow::new(inner.clone(), |_| false).refusing(|command| {
        let built_in = matches!(command, Command::Know(driver, _) if driver.as_str() == "scheduler");
        (matches!(command, Command::Know(..)) && !built_in).then_some(ErrorKind::Unavailable)
    });
    let app = bus.builder().start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    let (driver, seen, stopped) = counted();
    assert_eq!(app.register(driver).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(stopped.load(Ordering::SeqCst), 1);
    app.shutdown().await.unwrap();
    assert_eq!((stopped.load(Ordering::SeqCst), seen.lock().unwrap().len()), (1, 0), "it is not there");
    let (driver, seen, stopped) = counted();
    let app = on(inner).driver(driver).start().await.unwrap();
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1, "what it was given waited for it");
    app.shutdown().await.unwrap();
    assert_eq!(stopped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_driver_whose_claim_fails_is_stopped_and_claimed_the_next_time() {
    let inner = MemoryBus::new();
    let (driver, _, _) = counted();
    let app = on(inner.clone()).driver(driver).paused().start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    drop(app);
    let bus = Slow::new(inner.clone(), |_| false)
        .refusing(|command| matches!(command, Command::Claim(_)).then_some(ErrorKind::Unavailable));
    let app = bus.builder().start().await.unwrap();
    let (driver, _, stopped) = counted();
    assert_eq!(app.register(driver).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(stopped.load(Ordering::SeqCst), 1);
    drop(app);
    let (driver, seen, _) = counted();
    let app = on(inner).driver(driver).start().await.unwrap();
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1);
}

/// Hangs, fails or panics where it is told.
struct Stubborn(&'static str, fn() -> How, fn() -> How);

enum How {
    Well,
    Never,
    Failing,
    Panicking,
}

impl How {
    async fn go(self) -> Result<()> {
        match self {
            Self::Well => Ok(()),
            Self::Never => std::future::pending().await,
            Self::Failing => Err(Error::invalid("no such device")),
            Self::Panicking => panic!("on purpose"),
        }
    }
}

#[vextir::async_trait]
impl Driver for Stubborn {
    fn manifest(&self) -> Manifest {
        Manifest::new(self.0)
    }
    async fn start(&self, _emitter: Emitter) -> Result<()> {
        self.1().go().await
    }
    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(vec![])
    }
    async fn stop(&self) {
        self.2().go().await.unwrap();
    }
}

/// The processor's place can be taken.
async fn is_free(bus: MemoryBus) {
    let app = on(bus).start().await.unwrap();
    app.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_given_up_frees_the_place() {
    let bus = MemoryBus::new();
    let starting = on(bus.clone()).driver(Stubborn("hangs", || How::Never, || How::Well)).start();
    timeout(SOON, starting).await.unwrap_err();
    is_free(bus).await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_given_up_while_it_attaches_frees_the_place() {
    let bus = MemoryBus::new();
    let slow = Slow::new(bus.clone(), |_| false).attaching(Duration::from_secs(7));
    timeout(SOON, slow.builder().start()).await.unwrap_err();
    tokio::time::sleep(SOON).await;
    is_free(bus).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_given_up_frees_the_place() {
    let bus = MemoryBus::new();
    let app = on(bus.clone()).driver(Stubborn("hangs", || How::Well, || How::Never)).start().await.unwrap();
    timeout(SOON, app.shutdown()).await.unwrap_err();
    is_free(bus).await;
}

#[tokio::test(start_paused = true)]
async fn drivers_that_hang_share_the_limit() {
    let bus = MemoryBus::new();
    let mut builder = on(bus.clone());
    for id in ["a", "b", "c", "d", "e"] {
        builder = builder.driver(Stubborn(id, || How::Well, || How::Never));
    }
    let app = builder.start().await.unwrap();
    let began = tokio::time::Instant::now();
    app.shutdown().await.unwrap();
    assert!(began.elapsed() <= Duration::from_secs(11), "{:?}", began.elapsed());
    is_free(bus).await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_stop_does_not_keep_the_place() {
    let bus = MemoryBus::new();
    let (driver, _, stopped) = counted();
    let builder = on(bus.clone()).driver(Stubborn("panics", || How::Well, || How::Panicking)).driver(driver);
    builder.start().await.unwrap().shutdown().await.unwrap();
    assert_eq!(stopped.load(Ordering::SeqCst), 1, "the others are stopped");
    is_free(bus).await;
}

#[tokio::test]
async fn a_bus_that_cannot_be_left_in_order_is_left_all_the_same() {
    let bus = MemoryBus::new();
    let staying = Slow::new(bus.clone(), |_| false).staying();
    let app = staying.builder().start().await.unwrap();
    let other = app.clone();
    assert_eq!(app.shutdown().await.unwrap_err().kind(), ErrorKind::Unavailable);
    is_free(bus.clone()).await;
    drop(other);
    let starting = staying.builder().driver(Stubborn("fails", || How::Failing, || How::Well)).start();
    let error = starting.await.unwrap_err();
    assert!(error.to_string().contains("no such device"), "the error of the start: {error}");
    is_free(bus).await;
}

#[tokio::test]
async fn who_has_left_does_not_take_the_place_of_the_next() {
    let bus = MemoryBus::new();
    let app = on(bus.clone()).start().await.unwrap();
    let (again, last) = (app.clone(), app.clone());
    app.shutdown().await.unwrap();
    let next = on(bus.clone()).start().await.unwrap();
    again.shutdown().await.unwrap();
    drop(last);
    assert_eq!(on(bus).start().await.unwrap_err().kind(), ErrorKind::Locked, "the next one runs");
    next.shutdown().await.unwrap();
}

/// What may have been running when the process died runs alone, also if the next start fails.
#[tokio::test]
async fn a_start_that_fails_after_a_crash_leaves_the_suspects_suspect() {
    let bus = MemoryBus::new();
    let life = |start: fn() -> How| {
        let stuck = driver(Manifest::new("stuck").handles("job"), |_, _| Box::pin(std::future::pending()));
        on(bus.clone()).driver(stuck).driver(Stubborn("other", start, || How::Well)).start()
    };
    let app = life(|| How::Well).await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    settle_down().await;
    drop(app);
    drop(life(|| How::Well).await.unwrap());
    life(|| How::Failing).await.unwrap_err();
    let app = life(|| How::Well).await.unwrap();
    settle_down().await;
    drop(app);
    assert!(bus.attach().await.unwrap().alone.is_some(), "it ran in the crowd");
}
