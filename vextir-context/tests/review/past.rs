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
