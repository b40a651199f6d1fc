//! Deliveries that run alone after the process died with them, and rules of flow control.

use crate::driver::{driver, log, on, types};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use vextir::prelude::*;
use vextir::{BusLimits, Capability, Flow, ManualClock, MemoryBus, ProcessorBuilder, Twin};

const HOUR: Duration = Duration::from_secs(60 * 60);
const SOON: Duration = Duration::from_secs(30);

fn worker(rule: Flow) -> Manifest {
    Manifest::new("worker").can(Capability::new("job").flow(rule)).with_retries(0)
}

/// A processor on a bus on which the process died twice with one `job`: that runs alone now.
async fn died_twice(rule: &Flow, clock: &ManualClock) -> ProcessorBuilder {
    let bus = MemoryBus::with_limits(BusLimits::default(), 1_000, Arc::new(clock.clone()));
    for life in 0..2 {
        let begun = Arc::new(Notify::new());
        let note = begun.clone();
        let stuck = driver(worker(rule.clone()), move |_, _| {
            note.notify_one();
            Box::pin(std::future::pending())
        });
        let app = on(bus.clone()).clock(clock.clone()).driver(stuck).start().await.unwrap();
        if life == 0 {
            app.emit(Event::new("job")).await.unwrap();
        }
        timeout(SOON, begun.notified()).await.unwrap();
        drop(app);
    }
    on(bus).clock(clock.clone())
}

async fn done(app: &Processor) -> usize {
    types(&log(app).await).iter().filter(|one| *one == "done").count()
}

#[tokio::test]
async fn what_runs_alone_counts_for_those_behind_it() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let rule = Flow::throttle(1, HOUR);
    let builder = died_twice(&rule, &clock).await;
    let quick = driver(worker(rule), |_, _| Box::pin(async { Ok(vec![Event::new("done")]) }));
    let app = builder.driver(quick).start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    while done(&app).await == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Whatever can begin now has begun.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(done(&app).await, 1, "one an hour");
    clock.advance(HOUR);
    timeout(SOON, app.idle()).await.expect("the other one has its turn");
    assert_eq!(done(&app).await, 2);
}

#[tokio::test]
async fn what_runs_alone_stops_when_another_takes_its_place() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let rule = Flow::singleton(Twin::Replace);
    let builder = died_twice(&rule, &clock).await;
    let begun = Arc::new(Notify::new());
    let note = begun.clone();
    let patient = driver(worker(rule), move |event, cx| {
        let note = note.clone();
        Box::pin(async move {
            if event.data.is_empty() {
                note.notify_one();
                cx.cancelled().await;
            }
            Ok(vec![Event::new("done")])
        })
    });
    let app = builder.driver(patient).start().await.unwrap();
    timeout(SOON, begun.notified()).await.expect("it runs alone");
    app.emit(Event::new("job").with_data(json!({"n": 2}))).await.unwrap();
    timeout(SOON, app.idle()).await.expect("the first is told to stop, and the other one runs");
    assert_eq!(done(&app).await, 1, "what the first one made counts no more");
}
