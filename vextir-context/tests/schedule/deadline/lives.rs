//! Restarts, kills, and what comes twice.

use super::{HOUR, Watch, overdue, paid, sent, silent};
use crate::faults::reopened;
use crate::{MINUTE, monday};
use std::collections::BTreeSet;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::Clock;
use vextir_core::prelude::*;

#[tokio::test]
async fn a_restart_in_between_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (file, clock) = (folder.path().join("hub.db"), monday());
    let watch = Watch::on(Hub::open(&file).unwrap(), clock.clone(), vec![overdue()]).await;
    for key in ["A", "B"] {
        watch.comes(sent(key)).await;
    }
    watch.stop().await;
    clock.advance(HOUR / 2);
    let watch = Watch::on(reopened(&file).await, clock.clone(), vec![overdue()]).await;
    watch.comes(paid("A")).await;
    watch.comes(sent("C")).await;
    watch.stop().await;
    clock.advance(HOUR * 3);
    let mut watch = Watch::on(reopened(&file).await, clock.clone(), vec![overdue()]).await;
    let told: BTreeSet<String> = [watch.key().await, watch.key().await].into();
    assert_eq!(told, ["B".to_owned(), "C".to_owned()].into(), "what fell due meanwhile is told");
    watch.quiet().await;
    watch.stop().await;
    let mut watch = Watch::on(reopened(&file).await, clock, vec![overdue()]).await;
    assert_eq!([watch.key().await, watch.key().await].into_iter().collect::<BTreeSet<_>>(), told);
    watch.quiet().await;
}

/// The process dies again and again, with beginnings, answers and timers half done.
#[tokio::test]
async fn each_deadline_is_told_once_whenever_the_process_dies() {
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
    let mut late = BTreeSet::new();
    for round in 0..12_u64 {
        let watch = Watch::on(reopened(&file).await, clock.clone(), vec![overdue(), silent()]).await;
        let now = clock.now();
        let (good, bad) = (format!("good-{round}"), format!("bad-{round}"));
        let begin = [sent(&good), sent(&bad), sent(&bad)];
        watch.app.emit_all(begin.map(|event| event.with_timestamp(now)).to_vec()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(round)).await;
        watch.app.emit(paid(&good).with_timestamp(now)).await.unwrap();
        late.insert(bad);
        if round % 3 == 2 {
            clock.advance(HOUR + MINUTE);
        }
        tokio::time::sleep(Duration::from_millis(round * 2)).await;
        // Dropped without a word, as a kill does it.
        drop(watch);
    }
    clock.advance(HOUR + MINUTE);
    let mut watch = Watch::on(reopened(&file).await, clock.clone(), vec![overdue(), silent()]).await;
    let mut told = BTreeSet::new();
    while told.len() < late.len() {
        assert!(told.insert(watch.key().await), "{told:?}");
    }
    assert_eq!(told, late);
    watch.quiet().await;
    ticker.abort();
    assert!(watch.waiting("local", "overdue").await.is_empty());
    assert_eq!(watch.app.dead_letters(0, 10).await.unwrap(), []);
    assert!(watch.app.delayed(10).await.unwrap().is_empty(), "no timer of what was answered is left");
}

#[tokio::test]
async fn what_comes_twice_is_told_once() {
    let mut watch = Watch::new(overdue()).await;
    let id: EventId = "mail-1".parse().unwrap();
    let once = sent("A").with_timestamp(watch.clock.now()).with_id(id);
    watch.comes(once.clone()).await;
    watch.comes(once.clone()).await;
    watch.comes(sent("A")).await;
    watch.clock.advance(HOUR);
    assert_eq!(watch.next().await.metadata["after"], "mail-1");
    watch.comes(once).await;
    watch.clock.advance(HOUR * 3);
    watch.quiet().await;
}

#[tokio::test]
async fn a_clock_that_jumps_back_tells_nothing_early() {
    let mut watch = Watch::new(overdue()).await;
    watch.comes(sent("A")).await;
    watch.clock.jump(watch.clock.now().before(HOUR * 3));
    watch.clock.advance(HOUR);
    watch.quiet().await;
    watch.clock.advance(HOUR * 3);
    assert_eq!(watch.key().await, "A");
    watch.quiet().await;
}
