//! A slot comes while an earlier one is at work.

use crate::{MINUTE, Stage, does, monday};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use vextir_context::Hub;
use vextir_core::prelude::*;
use vextir_core::schedule::{Overlap, SchedulePaused};
use vextir_core::{Failure, HandlerResult, Processor, Start, async_trait};

/// Handles `tick` for as long as nobody lets it go on.
struct Slow(Arc<Semaphore>);

#[async_trait]
impl Driver for Slow {
    fn manifest(&self) -> Manifest {
        Manifest::new("slow").handles("tick").with_concurrency(100).with_timeout(Duration::from_hours(9))
    }
    async fn handle_event(&self, _event: Event, cx: &Ctx) -> HandlerResult {
        tokio::select! {
            permit = self.0.acquire() => permit?.forget(),
            () = cx.cancelled() => {}
        }
        Ok(Vec::new())
    }
}

/// A schedule of every minute whose first firing is at work.
async fn busy(overlap: Overlap) -> (Stage, Arc<Semaphore>) {
    let (clock, go) = (monday(), Arc::new(Semaphore::new(0)));
    let app =
        Processor::builder(Hub::in_memory().unwrap()).clock(clock.clone()).driver(Slow(go.clone())).start();
    let app = app.await.unwrap();
    let ticks = app.subscribe_from("tick", Start::Beginning).await.unwrap();
    let mut stage = Stage { app, clock, ticks };
    stage.app.schedule_every(Event::new("tick"), MINUTE).overlap(overlap).id("job").await.unwrap();
    stage.clock.advance(MINUTE);
    assert_eq!(stage.slot().await, "2025-06-16T08:59:30Z");
    (stage, go)
}

/// Lets so many more slots come, and waits until all were seen.
async fn come(stage: &Stage, slots: u32) {
    for _ in 0..slots {
        let before = stage.app.schedule("job").await.unwrap().unwrap().next.unwrap();
        stage.clock.advance(MINUTE);
        for _ in 0..1_000 {
            if stage.app.schedule("job").await.unwrap().unwrap().next > Some(before) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn it_is_left_out() {
    let (mut stage, go) = busy(Overlap::Skip).await;
    come(&stage, 3).await;
    let state = stage.app.schedule("job").await.unwrap().unwrap();
    assert_eq!((state.fired, state.skipped, state.running.len()), (1, 3, 1));
    go.add_permits(1);
    let state = stage.until("job", |state| state.running.is_empty()).await;
    assert_eq!(state.fired, 1);
    stage.clock.advance(MINUTE);
    assert_eq!(stage.slot().await, "2025-06-16T09:03:30Z");
}

#[tokio::test]
async fn one_of_them_waits() {
    let (mut stage, go) = busy(Overlap::BufferOne).await;
    come(&stage, 3).await;
    let state = stage.app.schedule("job").await.unwrap().unwrap();
    assert_eq!((state.fired, state.skipped, state.waiting.len()), (1, 2, 1));
    go.add_permits(1);
    assert_eq!(stage.slot().await, "2025-06-16T09:00:30Z");
}

#[tokio::test]
async fn all_of_them_wait() {
    let (mut stage, go) = busy(Overlap::BufferAll).await;
    come(&stage, 3).await;
    assert_eq!(stage.app.schedule("job").await.unwrap().unwrap().waiting.len(), 3);
    go.add_permits(3);
    for minute in 0..3 {
        assert_eq!(stage.slot().await, format!("2025-06-16T09:0{minute}:30Z"));
    }
}

#[tokio::test]
async fn it_fires_beside_the_other() {
    let (mut stage, _go) = busy(Overlap::Allow).await;
    come(&stage, 2).await;
    for minute in 0..2 {
        assert_eq!(stage.slot().await, format!("2025-06-16T09:0{minute}:30Z"));
    }
    let state = stage.app.schedule("job").await.unwrap().unwrap();
    assert_eq!((state.fired, state.running.len()), (3, 0), "nothing depends on how they end");
}

#[tokio::test]
async fn the_running_one_is_cancelled() {
    let (mut stage, _go) = busy(Overlap::CancelRunning).await;
    let first = stage.app.schedule("job").await.unwrap().unwrap().running[0].root.clone();
    come(&stage, 1).await;
    assert_eq!(stage.slot().await, "2025-06-16T09:00:30Z");
    let lease = stage.app.lease(&first).await.unwrap().unwrap();
    assert_eq!(lease.state, vextir_core::LeaseState::Cancelled);
    let state = stage.app.schedule("job").await.unwrap().unwrap();
    assert_eq!(
        (state.fired, state.running.len(), state.failures),
        (2, 1, 0),
        "to be cancelled is no failure"
    );
}

#[tokio::test]
async fn after_some_failures_it_is_paused_and_says_so() {
    let failing = does("tick", |_| Err(Failure::permanent("no").into()));
    let mut stage = Stage::new(Hub::in_memory().unwrap(), monday(), vec![failing]).await;
    let mut paused = stage.app.subscribe("schedule.paused").await.unwrap();
    stage.app.schedule_every(Event::new("tick"), MINUTE).pause_after(2).id("job").await.unwrap();
    for failures in 1..=2 {
        stage.clock.advance(MINUTE);
        stage.slot().await;
        stage.until("job", |state| state.failures == failures).await;
    }
    let told: SchedulePaused = paused.next().await.unwrap().unwrap().decode().unwrap();
    assert_eq!((told.id.as_str(), told.reason.as_str()), ("job", "2 firings in a row failed"));
    let state = stage.app.schedule("job").await.unwrap().unwrap();
    assert_eq!((state.next, state.paused), (None, Some(told.reason)));
    let resumed = stage.app.resume_schedule("job").await.unwrap();
    assert_eq!((resumed.failures, resumed.next.is_some()), (0, true));
}
