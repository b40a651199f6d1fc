//! Work of drivers that are not registered any more.

use crate::driver::{answers, log, on, types};
use std::sync::Arc;
use vextir::bus::{Append, Entry, NewDelivery, Place};
use vextir::prelude::*;
use vextir::{BusLimits, EventBus, Letters, MemoryBus, SystemClock};

fn echo() -> impl Driver {
    answers(Manifest::new("echo").handles("ask"), |_| Ok(vec![Event::new("answer")]))
}

/// A bus with two deliveries for `echo`, which an orderly stop left behind.
async fn left_behind(backlog: usize) -> MemoryBus {
    let limits = BusLimits::default().with_backlog(backlog);
    let bus = MemoryBus::with_limits(limits, 1_000, Arc::new(SystemClock));
    let app = on(bus.clone()).driver(echo()).paused().start().await.unwrap();
    for _ in 0..2 {
        app.emit(Event::new("ask")).await.unwrap();
    }
    app.shutdown().await.unwrap();
    bus
}

#[tokio::test]
async fn they_are_named_hold_up_nobody_and_run_when_the_driver_is_back() {
    let bus = left_behind(2).await;
    let app = on(bus).start().await.unwrap();
    let unclaimed: Vec<_> = app.unclaimed().await.unwrap().into_iter().collect();
    assert_eq!(unclaimed, [("echo".into(), 2)]);
    app.idle().await;
    app.try_emit(Event::new("other")).await.unwrap();
    app.register(echo()).await.unwrap();
    app.idle().await;
    assert!(app.unclaimed().await.unwrap().is_empty());
    assert_eq!(types(&log(&app).await), ["ask", "ask", "other", "answer", "answer"]);
}

#[tokio::test]
async fn they_run_when_a_later_start_has_the_driver() {
    let bus = left_behind(10).await;
    on(bus.clone()).start().await.unwrap().shutdown().await.unwrap();
    let app = on(bus).driver(echo()).start().await.unwrap();
    app.idle().await;
    assert_eq!(types(&log(&app).await), ["ask", "ask", "answer", "answer"]);
}

#[tokio::test]
async fn the_operator_discards_them_and_that_is_audited() {
    let bus = left_behind(10).await;
    let app = on(bus).start().await.unwrap();
    assert_eq!(app.discard_unclaimed("nobody").await.unwrap(), 0);
    assert_eq!(app.discard_unclaimed("echo").await.unwrap(), 2);
    assert!(app.unclaimed().await.unwrap().is_empty());
    let audit = app.audit(0, 10).await.unwrap();
    assert_eq!(audit.len(), 2);
    for (_, record) in &audit {
        assert_eq!((record.act.as_str(), record.event_type.as_str()), ("discard", "ask"));
        assert!(record.decision.reason.contains("echo"), "{}", record.decision);
    }
    app.register(echo()).await.unwrap();
    app.idle().await;
    assert_eq!(types(&log(&app).await), ["ask", "ask"]);
}

#[tokio::test]
async fn a_tree_with_such_work_is_held_and_not_open() {
    let bus = left_behind(10).await;
    let app = on(bus).start().await.unwrap();
    let root = log(&app).await[0].id.clone();
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!((lease.open, lease.parked), (0, 1));
    assert_eq!(app.cancel(&root).await.unwrap(), 1);
    assert_eq!(app.unclaimed().await.unwrap().get("echo"), Some(&1));
}

#[tokio::test]
async fn a_redriven_letter_of_such_a_driver_waits_too() {
    let bus = MemoryBus::new();
    let fails = answers(Manifest::new("echo").handles("ask"), |_| Err("never".into()));
    let app = on(bus.clone()).driver(fails).start().await.unwrap();
    app.process_event(Event::new("ask")).await.unwrap();
    app.shutdown().await.unwrap();
    let app = on(bus).start().await.unwrap();
    assert_eq!(app.redrive(&Letters::all()).await.unwrap(), 1);
    app.idle().await;
    assert_eq!(app.unclaimed().await.unwrap().get("echo"), Some(&1));
    app.register(echo()).await.unwrap();
    app.idle().await;
    assert_eq!(types(&log(&app).await).last().unwrap(), "answer");
}

#[tokio::test]
async fn what_a_raw_bus_delivers_to_nobody_is_set_aside_and_claimed_by_who_comes() {
    let bus = MemoryBus::new();
    let app = on(bus.clone()).start().await.unwrap();
    let deliver = NewDelivery::to("echo");
    let entry = Entry::new(Event::new("ask").with_user("local"), Place::Routed(vec![deliver]));
    for _ in 0..20 {
        bus.commit(Append { entries: vec![entry.clone()], ..Append::default() }.into()).await.unwrap();
    }
    app.register(echo()).await.unwrap();
    app.idle().await;
    assert!(app.unclaimed().await.unwrap().is_empty());
    assert_eq!(log(&app).await.iter().filter(|event| event.event_type == "answer").count(), 20);
}
