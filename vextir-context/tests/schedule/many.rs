//! Many schedules that are due at once, and clocks that jump.

use crate::{MINUTE, Stage, does, monday};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::prelude::*;
use vextir_core::schedule::Overlap;
use vextir_core::{Clock, ManualClock, Start, Timestamp};

const HOUR: Duration = Duration::from_hours(1);
const MANY: usize = 300;

/// The slots that fired, by schedule. Each of them once.
async fn slots(stage: &Stage, fired: usize) -> BTreeMap<String, BTreeSet<String>> {
    let mut ticks = stage.app.subscribe_from("tick", Start::Beginning).await.unwrap();
    let mut slots: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for _ in 0..fired {
        let tick = tokio::time::timeout(Duration::from_secs(30), ticks.next()).await;
        let tick = tick.unwrap().unwrap().unwrap();
        let slots = slots.entry(tick.metadata["schedule"].clone()).or_default();
        assert!(slots.insert(tick.metadata["slot"].clone()), "{} fired twice", tick.metadata["schedule"]);
    }
    let more = tokio::time::timeout(Duration::from_millis(50), ticks.next()).await;
    assert!(more.is_err(), "more fired than was due: {more:?}");
    slots
}

/// Half of them once, half of them each hour.
async fn arm(stage: &Stage) {
    let at = stage.clock.now().after(HOUR);
    for number in 0..MANY / 2 {
        let once = stage.app.schedule_once(Event::new("tick"), at);
        once.id(format!("once-{number}")).await.unwrap();
        let every = stage.app.schedule_every(Event::new("tick"), HOUR);
        every.id(format!("every-{number}")).await.unwrap();
    }
}

/// What failed for want of room is tried again after a pause.
fn let_time_pass(clock: ManualClock) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            clock.advance(Duration::from_millis(50));
        }
    })
}

#[tokio::test]
async fn many_that_are_due_at_once_fire_once_each_though_the_backlog_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let (file, clock) = (folder.path().join("hub.db"), monday());
    let handled = || does("tick", |_| Ok(vec![Event::new("handled")]));
    let stage = Stage::new(Hub::open(&file).unwrap(), clock.clone(), vec![handled()]).await;
    arm(&stage).await;
    stage.app.shutdown().await.unwrap();
    drop(stage.ticks);
    clock.advance(HOUR);
    // Far less than what waits, and than what falls due.
    let hub = Hub::builder(&file).backlog(16).open().unwrap();
    let ticker = let_time_pass(clock.clone());
    let stage = Stage::new(hub, clock, vec![handled()]).await;
    let slots = slots(&stage, MANY).await;
    assert_eq!(slots.len(), MANY);
    ticker.abort();
    assert_eq!(stage.app.dead_letters(0, 10).await.unwrap(), []);
    stage.until("every-7", |state| state.is_quiet()).await;
    let left = stage.app.schedules().await.unwrap();
    assert!(left.iter().all(|state| state.fired == 1 && state.next.is_some()), "{left:?}");
    assert_eq!(left.len(), MANY / 2, "those that came once are gone");
}

/// Sets the clock, and lets the kernel see what it says.
async fn jump(stage: &Stage, to: &str) {
    let to = to.parse().unwrap();
    stage.clock.jump(to);
    // A jump wakes nobody; a minute that goes by does.
    stage.clock.advance(MINUTE);
    stage.clock.jump(to);
    tokio::time::sleep(Duration::from_millis(60)).await;
    stage.app.idle().await;
}

#[tokio::test]
async fn a_clock_that_jumps_fires_nothing_twice_and_loses_nothing() {
    let clock = ManualClock::at("2025-06-16T08:00:00Z").unwrap();
    let all = Overlap::BufferAll;
    let stage = Stage::new(Hub::in_memory().unwrap(), clock.clone(), Vec::new()).await;
    stage.app.schedule_every(Event::new("tick"), HOUR).overlap(all).id("every").await.unwrap();
    stage.app.schedule_recurring(Event::new("tick"), "0 * * * *").overlap(all).id("cron").await.unwrap();
    stage.app.schedule_once(Event::new("tick"), "2025-06-16T11:00:00Z").id("once").await.unwrap();
    // A handler whose time was over with a jump is tried again after a pause.
    let ticker = let_time_pass(clock);
    for to in
        ["09:10", "08:30", "10:10", "07:00", "09:59", "10:59", "10:01", "12:10", "09:30", "12:59", "13:00"]
    {
        jump(&stage, &format!("2025-06-16T{to}:00Z")).await;
    }
    let slots = slots(&stage, 5 + 5 + 1).await;
    ticker.abort();
    let hours: BTreeSet<String> = (9..=13).map(|hour| format!("2025-06-16T{hour:02}:00:00Z")).collect();
    assert_eq!((&slots["every"], &slots["cron"]), (&hours, &hours));
    assert_eq!(slots["once"].iter().collect::<Vec<_>>(), ["2025-06-16T11:00:00Z"]);
    assert_eq!(stage.app.dead_letters(0, 10).await.unwrap(), []);
}

/// The clock is set back after a timer has rung, before the scheduler hears of it.
#[tokio::test]
async fn a_clock_that_is_set_back_between_a_timer_and_its_schedule_loses_nothing() {
    let stage = Stage::in_memory().await;
    stage.app.schedule_every(Event::new("tick"), MINUTE).id("job").await.unwrap();
    let start = stage.clock.now();
    stage.app.pause_driver("scheduler").unwrap();
    stage.clock.advance(MINUTE);
    while !stage.app.delayed(1).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let back: Timestamp = start.after(MINUTE / 2);
    stage.clock.jump(back);
    stage.app.resume_driver("scheduler").unwrap();
    stage.app.idle().await;
    assert_eq!(stage.fired().await, 0, "it is too early");
    stage.clock.advance(MINUTE / 2);
    let slots = slots(&stage, 1).await;
    assert_eq!(slots["job"].iter().next().unwrap(), &start.after(MINUTE).to_string());
    stage.clock.advance(MINUTE);
    stage.until("job", |state| state.fired == 2).await;
}

/// An application asks at each start, also for what has fired meanwhile.
#[tokio::test]
async fn who_asks_again_for_a_time_that_has_fired_gets_no_second_firing() {
    let mut stage = Stage::in_memory().await;
    let at: Timestamp = "2025-06-16T09:00:00Z".parse().unwrap();
    let ask = || stage.app.schedule_once(Event::new("tick"), at).id("once");
    ask().await.unwrap();
    stage.clock.advance(MINUTE * 2);
    slots(&stage, 1).await;
    stage.gone("once").await;
    for _ in 0..2 {
        ask().await.unwrap();
        stage.gone("once").await;
    }
    slots(&stage, 1).await;
    assert_eq!(stage.slot().await, at.to_string());
}
