//! Backups, copies, clocks, and replicas that come late.

use super::{exchange, shown, total_of};
use crate::hub::Hub;
use std::sync::Arc;
use std::time::Duration;
use vextir_core::{Clock, SystemClock, Timestamp};

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// A clock that goes wrong by so many microseconds.
#[derive(Debug)]
struct Wrong(i64);

#[vextir_core::async_trait]
impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().as_micros() + self.0)
    }

    async fn sleep(&self, span: Duration) {
        SystemClock.sleep(span).await;
    }
}

#[tokio::test]
async fn a_file_that_was_restored_gets_its_own_changes_back_and_goes_on_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup) = (folder.path().join("a.db"), folder.path().join("backup.db"));
    let other = Hub::in_memory().unwrap();
    let one = Hub::open(&path).unwrap();
    one.context("ann").write("/x", "1\n").await.unwrap();
    exchange(&one, &other, "ann").await;
    one.close().await.unwrap();
    std::fs::copy(&path, &backup).unwrap();

    let one = Hub::open(&path).unwrap();
    one.context("ann").append("/x", "after the backup\n").await.unwrap();
    let (report, _) = exchange(&one, &other, "ann").await;
    assert!(!report.restored);
    one.close().await.unwrap();
    std::fs::copy(&backup, &path).unwrap();

    let one = Hub::open(&path).unwrap();
    one.context("ann").append("/x", "after the restore\n").await.unwrap();
    let (report, told) = exchange(&one, &other, "ann").await;
    // The incarnation that wrote after the backup is none that this file knows, so nothing has to be noticed.
    assert_eq!((report.applied, told.applied, report.differing), (1, 1, 0));
    let text = one.context("ann").read("/x").await.unwrap().unwrap().content.to_text().into_owned();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert_eq!(shown(&one.context("ann")).await, shown(&other.context("ann")).await);
}

#[tokio::test]
async fn a_copy_that_was_taken_while_its_file_went_on_gets_back_what_it_never_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("a.db"), folder.path().join("copy.db"));
    let other = Hub::in_memory().unwrap();
    let one = Hub::open(&path).unwrap();
    one.context("ann").write("/x", "1\n").await.unwrap();
    for ending in ["", "-wal"] {
        let from = format!("{}{ending}", path.display());
        std::fs::copy(from, format!("{}{ending}", copy.display())).unwrap();
    }
    one.context("ann").append("/x", "after the copy\n").await.unwrap();
    exchange(&one, &other, "ann").await;
    let copied = Hub::open(&copy).unwrap();
    copied.context("ann").append("/x", "in the copy\n").await.unwrap();
    let (report, _) = exchange(&copied, &other, "ann").await;
    assert!(report.restored, "the same incarnation went on elsewhere");
    exchange(&one, &copied, "ann").await;
    exchange(&one, &other, "ann").await;
    let all = shown(&one.context("ann")).await;
    assert_eq!(all["/x"].lines().count(), 3);
    assert_eq!((&all, &all), (&shown(&copied.context("ann")).await, &shown(&other.context("ann")).await));
}

#[tokio::test]
async fn a_clock_that_is_a_day_ahead_wins_only_what_nobody_has_seen() {
    let ahead = crate::HubBuilder::in_memory().clock(Arc::new(Wrong(DAY))).open().unwrap();
    let behind = crate::HubBuilder::in_memory().clock(Arc::new(Wrong(-DAY))).open().unwrap();
    let right = Hub::in_memory().unwrap();
    let (fast, slow, now) = (ahead.context("ann"), behind.context("ann"), right.context("ann"));
    now.write("/x", "1").await.unwrap();
    exchange(&right, &ahead, "ann").await;
    exchange(&right, &behind, "ann").await;
    fast.move_to("/x", "/fast").await.unwrap();
    exchange(&right, &ahead, "ann").await;
    // Who has seen it comes after it, whatever the clock says.
    now.move_to("/fast", "/after").await.unwrap();
    exchange(&right, &behind, "ann").await;
    slow.move_to("/after", "/last").await.unwrap();
    slow.append("/last", "2").await.unwrap();
    for _ in 0..2 {
        exchange(&right, &behind, "ann").await;
        exchange(&right, &ahead, "ann").await;
    }
    for notes in [&fast, &slow, &now] {
        assert_eq!(shown(notes).await, [("/last".to_owned(), "12".to_owned())].into());
    }
    // And the clock of the others was not pushed a day ahead with it.
    now.write("/y", "1").await.unwrap();
    let clock = right
        .read_with(|connection| crate::queries::number(connection, "SELECT max(clock) FROM change", []))
        .await
        .unwrap();
    assert!(i64::try_from(clock).unwrap() < SystemClock.now().as_micros() + DAY / 2);
}

#[tokio::test]
async fn one_that_comes_too_late_gets_whole_documents_and_keeps_what_it_wrote() {
    let (one, other, late) =
        (Hub::in_memory().unwrap(), Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    let (here, there) = (one.context("ann"), late.context("ann"));
    assert_eq!(one.acknowledged().await.unwrap(), None);
    here.write("/f/x", "one\ntwo\nthree\n").await.unwrap();
    exchange(&one, &late, "ann").await;
    exchange(&one, &other, "ann").await;
    assert_eq!(one.acknowledged().await.unwrap(), Some(2));
    there.write("/f/x", "one\ntwo\nthree\nwhile away\n").await.unwrap();
    there.write("/f/new", "while away").await.unwrap();
    here.write("/f/x", "ONE\ntwo\nthree\n").await.unwrap();
    here.write("/f/y", "y").await.unwrap();
    exchange(&one, &other, "ann").await;
    assert_eq!(one.acknowledged().await.unwrap(), Some(2), "the late one");

    one.forget_replicas(SystemClock.now()).await.unwrap();
    exchange(&one, &other, "ann").await;
    let up_to = one.acknowledged().await.unwrap().unwrap();
    assert_eq!(up_to, 4);
    one.read_with(move |connection| {
        connection.execute("DELETE FROM change WHERE seq <= ?1", [up_to.cast_signed()]).unwrap();
        connection
            .execute("INSERT OR REPLACE INTO meta VALUES ('changes_trimmed', ?1)", [up_to.cast_signed()])
            .unwrap();
        Ok(())
    })
    .await
    .unwrap();
    let (report, told) = exchange(&one, &late, "ann").await;
    assert_eq!((report.nodes_sent, told.repaired, report.applied), (4, 2, 2), "{report:?} {told:?}");
    assert_eq!((report.differing, total_of(&one, "ann").await), (0, total_of(&late, "ann").await));
    let all = shown(&here).await;
    assert_eq!(all, shown(&there).await);
    assert_eq!(all["/f/x"], "ONE\ntwo\nthree\nwhile away\n");
    let (report, told) = exchange(&one, &late, "ann").await;
    assert_eq!((report.nodes_sent, told.nodes_sent), (0, 0), "it has caught up");
    // Nothing of it is a change for those who had it.
    exchange(&one, &other, "ann").await;
    assert_eq!(shown(&other.context("ann")).await, all);
}

#[tokio::test]
async fn what_came_from_outside_is_seen_by_who_watches() {
    let (one, other) = (Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    let there = other.context("ann");
    let mut watch = there.watch("/f").await.unwrap();
    one.context("ann").write("/f/x", "1").await.unwrap();
    exchange(&one, &other, "ann").await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.push(watch.next().await.unwrap().unwrap());
    }
    assert_eq!(seen.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(), ["/f", "/f/x"]);
    assert_eq!(&*seen[1].by.user, "ann");
}
