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
    let bus = Slow::new(inner.clone(), |_| false)
        .refusing(|command| matches!(command, Command::Know(..)).then_some(ErrorKind::Unavailable));
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
