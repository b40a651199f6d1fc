//! Retries that wait for their time, and what becomes of them and of their ordering keys meanwhile.

use super::slow::Slow;
use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Wants the job `1` again in an hour; notes what it did of the others.
fn patient(manifest: Manifest) -> (impl Driver, Arc<Mutex<Vec<String>>>) {
    let done: Arc<Mutex<Vec<String>>> = Arc::default();
    let by = done.clone();
    let worker = answers(manifest, move |event| {
        let job = event.data.as_json().to_owned();
        if job == "1" {
            return Err(Failure::transient("later").retry_after(HOUR).into());
        }
        by.lock().unwrap().push(job);
        Ok(vec![])
    });
    (worker, done)
}

fn job(n: u32) -> Event {
    Event::new("job").with_ordering_key("k").with_data(json!(n))
}

#[tokio::test]
async fn a_cancelled_retry_gives_its_key_back() {
    let (worker, done) = patient(Manifest::new("worker").handles("job"));
    let app = quick().driver(worker).start().await.unwrap();
    let root = app.emit(job(1)).await.unwrap();
    settle_down().await;
    app.emit(job(2)).await.unwrap();
    assert_eq!(app.cancel(&root).await.unwrap(), 1);
    app.emit(job(3)).await.unwrap();
    timeout(SOON, app.idle()).await.expect("others wait for a cancelled retry");
    assert_eq!(*done.lock().unwrap(), ["2", "3"]);
}

#[tokio::test]
async fn a_retry_found_at_the_start_and_cancelled_gives_its_key_back() {
    let bus = MemoryBus::new();
    let (worker, _) = patient(Manifest::new("worker").handles("job"));
    let app = on(bus.clone()).driver(worker).start().await.unwrap();
    let root = app.emit(job(1)).await.unwrap();
    settle_down().await;
    drop(app);
    settle_down().await;
    let (worker, done) = patient(Manifest::new("worker").handles("job"));
    let app = on(bus).driver(worker).start().await.unwrap();
    app.emit(job(2)).await.unwrap();
    settle_down().await;
    assert!(done.lock().unwrap().is_empty(), "the retry keeps its key");
    app.cancel(&root).await.unwrap();
    timeout(SOON, app.idle()).await.expect("others wait for a cancelled retry");
    assert_eq!(*done.lock().unwrap(), ["2"]);
}

#[tokio::test]
async fn a_retry_that_is_cancelled_before_its_queue_knows_gives_its_key_back() {
    let is_retry = |command: &Command| match command {
        Command::Settle(settlement) => matches!(settlement.outcome, Outcome::Retry { .. }),
        _ => false,
    };
    let bus = Slow::new(MemoryBus::new(), is_retry);
    let (worker, done) = patient(Manifest::new("worker").handles("job"));
    let app = bus.builder().driver(worker).start().await.unwrap();
    let root = app.emit(job(1)).await.unwrap();
    app.emit(job(2)).await.unwrap();
    while app.bus().pending(0, 1).await.unwrap()[0].attempt == 0 {
        tokio::task::yield_now().await;
    }
    app.cancel(&root).await.unwrap();
    timeout(SOON, app.idle()).await.expect("others wait for a cancelled retry");
    assert_eq!(*done.lock().unwrap(), ["2"]);
}

#[tokio::test]
async fn cancelled_retries_leave_nothing_behind() {
    let (worker, _) = patient(Manifest::new("worker").handles("job"));
    let app = quick().driver(worker).start().await.unwrap();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for _ in 0..200 {
        let root = app.emit(Event::new("job").with_data(json!(1))).await.unwrap();
        app.emit(job(2)).await.unwrap();
        while app.bus().pending(0, 1).await.unwrap().first().is_none_or(|one| one.attempt == 0) {
            tokio::task::yield_now().await;
        }
        app.cancel(&root).await.unwrap();
    }
    app.idle().await;
    settle_down().await;
    assert!(tasks() <= before + 2, "{} tasks, {before} before", tasks());
}

#[tokio::test]
async fn a_retry_that_falls_due_while_its_driver_is_paused_runs_once_when_it_goes_on() {
    let clock = vextir::ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let by = calls.clone();
    let worker = answers(Manifest::new("worker").handles("job"), move |_| {
        if by.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(Failure::transient("later").retry_after(HOUR).into());
        }
        Ok(vec![])
    });
    let app = quick().clock(clock.clone()).driver(worker).start().await.unwrap();
    app.emit(job(1)).await.unwrap();
    while clock.until_next() != Some(HOUR) {
        tokio::task::yield_now().await;
    }
    app.pause_driver("worker").unwrap();
    clock.advance(HOUR);
    settle_down().await;
    app.emit(job(2)).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    app.resume_driver("worker").unwrap();
    timeout(SOON, app.idle()).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_retry_that_the_next_start_can_make() {
    let (worker, _) = patient(Manifest::new("worker").handles("job"));
    let app = quick().driver(worker).start().await.unwrap();
    app.emit(job(1)).await.unwrap();
    settle_down().await;
    let stopped = timeout(SOON, app.shutdown_within(Duration::from_millis(20))).await;
    stopped.expect("it waits for the retry").unwrap();
}

#[tokio::test]
async fn a_suspect_that_was_cancelled_does_not_run() {
    let bus = MemoryBus::new();
    let mut root = None;
    for _ in 0..2 {
        let stuck = driver(Manifest::new("worker").handles("job"), |_, _| Box::pin(std::future::pending()));
        let app = on(bus.clone()).driver(stuck).start().await.unwrap();
        if root.is_none() {
            root = Some(app.emit(job(5)).await.unwrap());
        }
        settle_down().await;
        drop(app);
        settle_down().await;
    }
    let (worker, done) = patient(Manifest::new("worker").handles("job"));
    let app = on(bus).driver(worker).paused().start().await.unwrap();
    app.emit(job(6)).await.unwrap();
    app.cancel(&root.unwrap()).await.unwrap();
    app.resume();
    timeout(SOON, app.idle()).await.expect("its key stays busy");
    assert_eq!(*done.lock().unwrap(), ["6"]);
}
