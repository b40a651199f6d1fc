//! Bad input, restarts and kills.

use crate::{MINUTE, Stage, does, monday};
use std::path::Path;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::prelude::*;
use vextir_core::schedule::{Overlap, Schedule, SetSchedule, Times};
use vextir_core::{Clock, ErrorKind, Timestamp};

#[tokio::test]
async fn what_was_missed_fires_late_and_what_is_too_old_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (file, clock) = (folder.path().join("hub.db"), monday());
    let stage = Stage::new(Hub::open(&file).unwrap(), clock.clone(), Vec::new()).await;
    let every = stage.app.schedule_every(Event::new("tick"), MINUTE).overlap(Overlap::Allow);
    every.catch_up(MINUTE * 3).id("job").await.unwrap();
    stage.app.shutdown().await.unwrap();
    drop(stage.ticks);
    clock.advance(MINUTE * 10);
    let mut stage = Stage::new(Hub::open(&file).unwrap(), clock, Vec::new()).await;
    let state = stage.until("job", |state| state.fired > 0).await;
    assert_eq!((state.fired, state.missed), (4, 6), "{state:?}");
    assert_eq!(state.next.unwrap().to_string(), "2025-06-16T09:09:30Z");
    for minute in 5..=8 {
        assert_eq!(stage.slot().await, format!("2025-06-16T09:0{minute}:30Z"));
    }
}

/// The hub's file, once its last owner has let go of it.
pub(crate) async fn reopened(file: &Path) -> Hub {
    for _ in 0..2_000 {
        match Hub::open(file) {
            Err(error) if error.kind() == ErrorKind::Locked => {
                tokio::time::sleep(Duration::from_millis(5)).await
            }
            opened => return opened.unwrap(),
        }
    }
    panic!("the file stays locked");
}

/// The process dies again and again, with a firing on its way or half done.
#[tokio::test]
async fn each_slot_fires_once_whenever_the_process_dies() {
    let folder = tempfile::tempdir().unwrap();
    let (file, clock) = (folder.path().join("hub.db"), monday());
    let ticking = clock.clone();
    let ticker = tokio::spawn(async move {
        // What failed with a process is tried again after a pause.
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            ticking.advance(Duration::from_millis(50));
        }
    });
    let end = clock.now().after(MINUTE * 36 + MINUTE / 2);
    let handled = || does("tick", |_| Ok(vec![Event::new("handled")]));
    for round in 0..12_u64 {
        let stage = Stage::new(reopened(&file).await, clock.clone(), vec![handled()]).await;
        for job in ["a", "b", "c"] {
            let every = stage.app.schedule_every(Event::new("tick"), MINUTE).overlap(Overlap::BufferAll);
            every.until(end).id(job).await.unwrap();
        }
        clock.advance(MINUTE * 3);
        tokio::time::sleep(Duration::from_millis(round * 3)).await;
        // Dropped without a word, as a kill does it.
        drop(stage);
    }
    let mut stage = Stage::new(reopened(&file).await, clock.clone(), vec![handled()]).await;
    for _ in 0..1_000 {
        if stage.app.schedules().await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ticker.abort();
    assert_eq!(
        stage.app.schedules().await.unwrap(),
        [],
        "all slots have fired, and nothing of them is at work"
    );
    assert_eq!(stage.app.dead_letters(0, 10).await.unwrap(), []);
    assert_eq!(stage.fired().await, 3 * 36);
    let mut slots = std::collections::BTreeSet::new();
    for _ in 0..3 * 36 {
        let event = stage.ticks.next().await.unwrap().unwrap();
        assert!(slots.insert((event.metadata["schedule"].clone(), event.metadata["slot"].clone())));
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_with_a_remedy() {
    let stage = Stage::in_memory().await;
    let tick = || Event::new("tick");
    let refused = [
        (stage.app.schedule_recurring(tick(), "0 9 * *").await, "five fields"),
        (stage.app.schedule_recurring(tick(), "61 * * * *").await, "cron \"61 * * * *\""),
        (stage.app.schedule_recurring(tick(), "0 0 31 2 *").await, "never fires"),
        (
            stage.app.schedule_recurring(tick(), "0 9 * * *").timezone("Mars/Base").await,
            "time zone \"Mars/Base\"",
        ),
        (stage.app.schedule_once(tick(), "soon").await, "RFC 3339"),
        (stage.app.schedule_once(tick(), "2020-01-01T00:00:00Z").await, "longer ago"),
        (stage.app.schedule_every(tick(), Duration::from_millis(1)).await, "too often"),
        (stage.app.schedule_every(tick(), MINUTE).id("../x").await, "schedule id"),
        (stage.app.schedule_every(tick(), MINUTE).id("").await, "schedule id"),
        (stage.app.schedule_every(Event::new("no type!"), MINUTE).await, "no type!"),
        (
            stage.app.schedule_every(tick(), MINUTE).until("2025-06-16T08:59:00Z".parse().unwrap()).await,
            "it ends before",
        ),
    ];
    for (answer, expected) in refused {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(expected), "{error} should say {expected}");
    }
    assert!(stage.app.schedules().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_event_that_does_not_come_in_turn_is_refused() {
    let stage = Stage::in_memory().await;
    let times = Times::Every { every_ms: 60_000, from: Timestamp::UNSET };
    let set = SetSchedule::new(Schedule::new(Event::new("tick"), times)).with_id("job");
    let error = stage.app.request::<vextir_core::schedule::ScheduleState>(set).await.unwrap_err();
    assert!(error.to_string().contains("set the ordering key \"schedule/job\""), "{error}");
}

#[tokio::test]
async fn a_document_that_is_no_schedule_is_named() {
    let stage = Stage::in_memory().await;
    stage.app.context("local").write("/System/Schedules/odd", json!({"what": 1})).await.unwrap();
    let error = stage.app.trigger_schedule("odd").await.unwrap_err();
    assert!(error.to_string().contains("/System/Schedules/odd: no schedule"), "{error}");
    let ask = stage.app.schedule_every(Event::new("tick"), MINUTE).id("odd").await.unwrap_err();
    assert!(ask.to_string().contains("set it anew, or remove it"), "{ask}");
}
