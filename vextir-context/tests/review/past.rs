//! Documents as they were, after moves, removals and restorations.

use crate::text;
use std::sync::Arc;
use std::time::Duration;
use vextir_context::{Hub, HubBuilder};
use vextir_core::{Clock, ManualClock};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn with_clock() -> (Hub, ManualClock) {
    let clock = ManualClock::at("2025-06-01T00:00:00Z").unwrap();
    (HubBuilder::in_memory().clock(Arc::new(clock.clone())).open().unwrap(), clock)
}

#[tokio::test]
async fn what_is_removed_last_comes_back_also_when_the_clock_goes_back() {
    let (hub, clock) = with_clock();
    let ann = hub.context("ann");
    ann.write("/a", "first").await.unwrap();
    ann.remove("/a").await.unwrap();
    clock.jump(clock.now().before(DAY));
    ann.write("/a", "second").await.unwrap();
    ann.remove("/a").await.unwrap();
    ann.restore("/a").await.unwrap();
    assert_eq!(text(&ann, "/a").await.as_deref(), Some("second"));
}

#[tokio::test]
async fn a_document_in_a_folder_that_was_removed_and_restored_is_not_there_in_between() {
    let (hub, clock) = with_clock();
    let ann = hub.context("ann");
    ann.write("/f/a", "one").await.unwrap();
    clock.advance(DAY);
    let before = clock.now();
    clock.advance(DAY);
    ann.remove("/f").await.unwrap();
    clock.advance(DAY);
    let between = clock.now();
    clock.advance(DAY);
    ann.restore("/f").await.unwrap();
    assert_eq!(text(&ann.at(before), "/f/a").await.as_deref(), Some("one"));
    assert_eq!(text(&ann.at(between), "/f/a").await, None);
    assert_eq!(text(&ann.at(clock.now()), "/f/a").await.as_deref(), Some("one"));
}

#[tokio::test]
async fn a_document_that_was_moved_into_a_newer_folder_is_read_as_it_was_before() {
    let (hub, clock) = with_clock();
    let ann = hub.context("ann");
    ann.write("/a", "one").await.unwrap();
    clock.advance(DAY);
    let then = clock.now();
    clock.advance(DAY);
    ann.move_to("/a", "/new/a").await.unwrap();
    ann.write("/new/a", "two").await.unwrap();
    assert_eq!(text(&ann.at(then), "/new/a").await.as_deref(), Some("one"));
}

#[tokio::test]
async fn a_document_is_read_as_it_was_also_when_another_one_has_its_path_now() {
    let (hub, clock) = with_clock();
    let ann = hub.context("ann");
    ann.write("/a", "one").await.unwrap();
    clock.advance(DAY);
    let then = clock.now();
    clock.advance(DAY);
    ann.remove("/a").await.unwrap();
    ann.write("/a", "two").await.unwrap();
    assert_eq!(text(&ann.at(then), "/a").await.as_deref(), Some("one"));
}

#[tokio::test]
async fn versions_of_a_path_go_on_over_a_removal_and_are_all_read() {
    let (hub, _clock) = with_clock();
    let ann = hub.context("ann");
    ann.write("/a", "one").await.unwrap();
    ann.remove("/a").await.unwrap();
    assert_eq!(ann.write("/a", "two").await.unwrap().version, Some(2));
    assert_eq!(text(&ann.at_version(1), "/a").await.as_deref(), Some("one"));
}

#[tokio::test]
async fn what_is_removed_last_comes_back_also_when_the_clock_went_back_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let clock = ManualClock::at("2025-06-10T00:00:00Z").unwrap();
    let open = || Hub::builder(&file).clock(Arc::new(clock.clone())).open().unwrap();
    let hub = open();
    hub.context("ann").write("/a", "first").await.unwrap();
    hub.context("ann").remove("/a").await.unwrap();
    let then = clock.now();
    hub.close().await.unwrap();
    clock.jump(clock.now().before(DAY));
    let hub = open();
    let ann = hub.context("ann");
    ann.write("/a", "second").await.unwrap();
    ann.remove("/a").await.unwrap();
    ann.restore("/a").await.unwrap();
    assert_eq!(text(&ann, "/a").await.as_deref(), Some("second"));
    let times: Vec<_> = ann.history("/a", 9).await.unwrap().iter().map(|deed| deed.at).collect();
    assert!(times.iter().all(|time| *time >= then), "later changes are not earlier: {times:?}");
}

#[tokio::test]
async fn a_document_is_there_at_a_time_if_the_folder_was_that_it_was_in_then() {
    let (hub, clock) = with_clock();
    let ann = hub.context("ann");
    ann.write("/removed/other", "x").await.unwrap();
    ann.write("/home/a", "one").await.unwrap();
    ann.remove("/removed").await.unwrap();
    clock.advance(DAY);
    let home = clock.now();
    clock.advance(DAY);
    ann.remove("/home").await.unwrap();
    clock.advance(DAY);
    let nowhere = clock.now();
    clock.advance(DAY);
    ann.restore("/home").await.unwrap();
    ann.restore("/removed").await.unwrap();
    ann.move_to("/home/a", "/removed/a").await.unwrap();
    assert_eq!(text(&ann.at(home), "/removed/a").await.as_deref(), Some("one"));
    assert_eq!(text(&ann.at(nowhere), "/removed/a").await, None);
    // Also below a folder that stands twice at its place.
    ann.remove("/removed").await.unwrap();
    ann.write("/removed/a", "two").await.unwrap();
    assert_eq!(text(&ann.at(home), "/removed/a").await.as_deref(), Some("one"));
}
