use crate::driver::{answers, driver, log, on, quick, types};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use vextir::prelude::*;
use vextir::{ErrorKind, MemoryBus};

fn echo() -> impl Driver {
    answers(Manifest::new("echo").handles("ask"), |_| Ok(vec![Event::new("answer")]))
}

#[tokio::test]
async fn start_paused_look_and_release() {
    let app = quick().driver(echo()).paused().start().await.unwrap();
    app.emit(Event::new("ask")).await.unwrap();
    assert_eq!(app.bus().pending(0, 10).await.unwrap().len(), 1);
    assert_eq!(types(&log(&app).await), ["ask"]);
    app.resume();
    app.idle().await;
    assert_eq!(types(&log(&app).await), ["ask", "answer"]);
}

#[tokio::test]
async fn one_driver_is_paused_while_others_work() {
    let other = answers(Manifest::new("other").handles("ask"), |_| Ok(vec![Event::new("other.answer")]));
    let app = quick().driver(echo()).driver(other).start().await.unwrap();
    app.pause_driver("echo").unwrap();
    let mut answers = app.subscribe("**").await.unwrap();
    app.emit(Event::new("ask")).await.unwrap();
    answers.next().await.unwrap().unwrap();
    assert_eq!(answers.next().await.unwrap().unwrap().event_type, "other.answer");
    assert!(app.drivers()[0].paused);
    app.resume_driver("echo").unwrap();
    app.idle().await;
    assert_eq!(types(&log(&app).await), ["ask", "other.answer", "answer"]);
    assert_eq!(app.pause_driver("nobody").unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_second_processor_on_one_bus_is_refused() {
    let bus = MemoryBus::new();
    let app = on(bus.clone()).start().await.unwrap();
    assert_eq!(on(bus.clone()).start().await.unwrap_err().kind(), ErrorKind::Locked);
    app.shutdown().await.unwrap();
    on(bus).start().await.unwrap();
}

#[tokio::test]
async fn shutdown_lets_running_handlers_finish_and_takes_nothing_new() {
    let go = Arc::new(Notify::new());
    let (begun, told) = (Arc::new(Notify::new()), go.clone());
    let begin = begun.clone();
    let slow = driver(Manifest::new("slow").handles("ask"), move |_, _| {
        let (begun, go) = (begin.clone(), told.clone());
        Box::pin(async move {
            begun.notify_one();
            go.notified().await;
            Ok(vec![Event::new("answer")])
        })
    });
    let bus = MemoryBus::new();
    let app = on(bus.clone()).driver(slow).start().await.unwrap();
    app.emit(Event::new("ask")).await.unwrap();
    begun.notified().await;
    let other = app.clone();
    let stop = tokio::spawn(app.shutdown());
    while other.emit(Event::new("other")).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go.notify_one();
    stop.await.unwrap().unwrap();
    assert_eq!(types(&log(&other).await).last().unwrap(), "answer");
    assert_eq!(other.emit(Event::new("ask")).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn shutdown_gives_up_on_a_stuck_handler_and_the_next_start_repeats_it() {
    let bus = MemoryBus::new();
    let stuck = driver(Manifest::new("slow").handles("ask"), |_, _| Box::pin(std::future::pending()));
    let app = on(bus.clone()).driver(stuck).start().await.unwrap();
    app.emit(Event::new("ask")).await.unwrap();
    let error = app.shutdown_within(Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let quick_one = answers(Manifest::new("slow").handles("ask"), |_| Ok(vec![Event::new("answer")]));
    let app = on(bus).driver(quick_one).start().await.unwrap();
    app.idle().await;
    assert_eq!(types(&log(&app).await), ["ask", "answer"]);
}

#[tokio::test]
async fn dropping_the_last_handle_stops_the_work() {
    let bus = MemoryBus::new();
    let app = on(bus.clone()).driver(echo()).start().await.unwrap();
    drop(app);
    let app = on(bus).driver(echo()).start().await.unwrap();
    assert_eq!(types(&app.process_event(Event::new("ask")).await.unwrap()), ["answer"]);
}

#[tokio::test]
async fn what_kills_the_process_runs_alone_and_then_is_buried() {
    let bus = MemoryBus::new();
    let stuck = || {
        driver(Manifest::new("killer").handles("ask").with_concurrency(4), |event, _| {
            Box::pin(async move {
                if event.data.as_json() == "\"poison\"" {
                    // Stands for a handler that takes the process with it.
                    std::future::pending::<()>().await;
                }
                Ok(vec![Event::new("answer")])
            })
        })
    };
    let app = on(bus.clone()).driver(stuck()).paused().start().await.unwrap();
    app.emit(Event::new("ask").with_data(json!("poison"))).await.unwrap();
    for _ in 0..3 {
        app.emit(Event::new("ask")).await.unwrap();
    }
    drop(app);
    for life in 1..=5 {
        let app = on(bus.clone()).driver(stuck()).start().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        if life >= 2 {
            assert_eq!(app.bus().pending(0, 10).await.unwrap().len(), usize::from(life < 5), "life {life}");
        }
        drop(app);
    }
    let app = on(bus).driver(stuck()).start().await.unwrap();
    app.idle().await;
    let dead = app.dead_letters(0, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert!(dead[0].reason.contains("the process died 5 times"), "{}", dead[0].reason);
    assert_eq!(log(&app).await.iter().filter(|event| event.event_type == "answer").count(), 3);
}

#[tokio::test]
async fn what_never_ran_is_not_buried_however_often_the_process_dies() {
    let bus = MemoryBus::new();
    let app = on(bus.clone()).driver(echo()).paused().start().await.unwrap();
    app.emit(Event::new("ask")).await.unwrap();
    drop(app);
    for _ in 0..10 {
        // Each of these dies before it has begun to work.
        drop(on(bus.clone()).driver(echo()).paused().start().await.unwrap());
    }
    let app = on(bus).driver(echo()).start().await.unwrap();
    app.idle().await;
    assert_eq!(types(&log(&app).await), ["ask", "answer"]);
}

/// The rule: with two reclaims it runs alone, with five it is dead; whose fault a kill was, nobody knows.
#[tokio::test]
async fn who_is_killed_alone_three_times_is_buried_guilty_or_not() {
    let slow = || driver(Manifest::new("slow").handles("ask"), |_, _| Box::pin(std::future::pending()));
    let bus = MemoryBus::new();
    let app = on(bus.clone()).driver(slow()).paused().start().await.unwrap();
    app.emit(Event::new("ask")).await.unwrap();
    drop(app);
    let mut counts = Vec::new();
    for _ in 1..=4 {
        let app = on(bus.clone()).driver(slow()).start().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        counts.push(app.bus().pending(0, 10).await.unwrap()[0].reclaims);
        drop(app);
    }
    assert_eq!(counts, [1, 2, 3, 4], "two in the crowd, then alone");
    let app = on(bus.clone()).driver(slow()).paused().start().await.unwrap();
    let dead = app.dead_letters(0, 10).await.unwrap();
    assert_eq!(dead.len(), 1, "the third kill alone is the fifth in all");
    assert_eq!(app.redrive(&vextir::Letters::all()).await.unwrap(), 1);
    assert_eq!(app.bus().pending(0, 10).await.unwrap()[0].reclaims, 0, "a redrive begins anew");
}

#[tokio::test]
async fn a_kill_before_the_alone_run_began_is_not_counted() {
    let slow = || driver(Manifest::new("slow").handles("ask"), |_, _| Box::pin(std::future::pending()));
    let bus = MemoryBus::new();
    let app = on(bus.clone()).driver(slow()).start().await.unwrap();
    app.emit(Event::new("ask")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(app);
    drop(on(bus.clone()).driver(slow()).paused().start().await.unwrap());
    for _ in 0..10 {
        let app = on(bus.clone()).driver(slow()).paused().start().await.unwrap();
        assert_eq!(app.bus().pending(0, 10).await.unwrap()[0].reclaims, 2);
        drop(app);
    }
}
