use crate::driver::{answers, driver, log, quick, types};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use vextir::prelude::*;
use vextir::{Letters, ManualClock, RetryPolicy};

fn fails(times: u32, manifest: Manifest) -> impl Driver {
    let calls = Arc::new(AtomicU32::new(0));
    answers(manifest, move |_| {
        if calls.fetch_add(1, Ordering::SeqCst) < times {
            return Err("not yet".into());
        }
        Ok(vec![Event::new("done")])
    })
}

#[tokio::test]
async fn a_transient_failure_is_tried_again() {
    let app = quick().driver(fails(2, Manifest::new("flaky").handles("job"))).start().await.unwrap();
    let outputs = app.process_event(Event::new("job")).await.unwrap();
    assert_eq!(types(&outputs), ["done"]);
}

#[tokio::test]
async fn exhausted_retries_are_dead_letters_and_can_be_redriven() {
    let app = quick()
        .driver(fails(3, Manifest::new("flaky").handles("job").with_retries(2)))
        .start()
        .await
        .unwrap();
    let outputs = app.process_event(Event::new("job")).await.unwrap();
    assert_eq!(types(&outputs), ["error"]);
    let dead = app.dead_letters(0, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].attempts, dead[0].reason.as_str()), (1, 3, "not yet"));
    assert_eq!(app.redrive(&Letters::one(dead[0].position)).await.unwrap(), 1);
    app.idle().await;
    assert_eq!(types(&log(&app).await), ["job", "error", "done"]);
    assert!(app.dead_letters(0, 10).await.unwrap().is_empty());
    assert_eq!(app.redrive(&Letters::all()).await.unwrap(), 0);
}

#[tokio::test]
async fn many_dead_letters_are_redriven_or_discarded_by_driver() {
    let app = quick()
        .driver(answers(Manifest::new("one").handles("job"), |_| Err(Failure::permanent("one").into())))
        .driver(answers(Manifest::new("two").handles("job"), |_| Err(Failure::permanent("two").into())))
        .start()
        .await
        .unwrap();
    for _ in 0..10 {
        app.emit(Event::new("job")).await.unwrap();
    }
    app.idle().await;
    assert_eq!(app.discard(&Letters::all().driver("one")).await.unwrap(), 10);
    assert_eq!(app.redrive(&Letters::all().driver("two").user("local")).await.unwrap(), 10);
    app.idle().await;
    let dead = app.dead_letters(0, 100).await.unwrap();
    assert_eq!(dead.len(), 10, "they died again");
    let errors = log(&app).await.into_iter().filter(|event| event.event_type == "error").count();
    assert_eq!(errors, 30, "each death says so");
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_dropped() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let stuck = driver(
        Manifest::new("stuck").handles("job").with_timeout(Duration::from_secs(30)).with_retries(0),
        |_, _| Box::pin(std::future::pending()),
    );
    let app = quick().clock(clock.clone()).driver(stuck).start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    while clock.until_next() != Some(Duration::from_secs(30)) {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(30));
    app.idle().await;
    assert_eq!(app.dead_letters(0, 1).await.unwrap()[0].reason, "timed out after 30s");
}

#[tokio::test]
async fn a_clock_that_jumps_back_delays_no_retry() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let app = quick()
        .clock(clock.clone())
        .retry(RetryPolicy { base: Duration::from_secs(10), cap: Duration::from_secs(10) })
        .driver(fails(1, Manifest::new("flaky").handles("job")))
        .start()
        .await
        .unwrap();
    app.emit(Event::new("job")).await.unwrap();
    while clock.until_next().is_none() {
        tokio::task::yield_now().await;
    }
    clock.jump("2025-06-15T10:00:00Z".parse().unwrap());
    clock.advance(Duration::from_secs(15));
    app.idle().await;
    let events = log(&app).await;
    assert_eq!(types(&events), ["job", "done"]);
}

#[tokio::test]
async fn an_error_handler_that_fails_causes_no_further_error() {
    let app = quick()
        .driver(answers(Manifest::new("broken").handles("job"), |_| Err(Failure::permanent("x").into())))
        .driver(answers(Manifest::new("watch").handles("error"), |_| Err(Failure::permanent("y").into())))
        .start()
        .await
        .unwrap();
    let outputs = app.process_event(Event::new("job")).await.unwrap();
    assert_eq!(types(&outputs), ["error"]);
    assert_eq!(app.dead_letters(0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn pauses_differ() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let (base, cap) = (Duration::from_secs(10), Duration::from_secs(10));
    let app = quick()
        .clock(clock.clone())
        .seed(7)
        .retry(RetryPolicy { base, cap })
        .driver(fails(3, Manifest::new("flaky").handles("job")))
        .start()
        .await
        .unwrap();
    app.emit(Event::new("job")).await.unwrap();
    let mut pauses = Vec::new();
    while pauses.len() < 3 {
        match clock.until_next() {
            Some(pause) => {
                pauses.push(pause);
                clock.advance(pause);
            }
            None => tokio::task::yield_now().await,
        }
    }
    app.idle().await;
    assert_eq!(types(&log(&app).await), ["job", "done"]);
    assert!(pauses.iter().all(|pause| (base / 2..=base * 3 / 2).contains(pause)), "{pauses:?}");
    assert!(
        pauses[0] != pauses[1] && pauses[1] != pauses[2],
        "they would all come again at once: {pauses:?}"
    );
}
