use super::*;
use crate::{Event, Name, Timestamp};
use tokio_util::sync::CancellationToken;

fn delivery(position: Position, priority: Priority, key: Option<&'static str>) -> Delivery {
    let mut event = Event::new("a.b").with_user("u").with_priority(priority);
    event.edit().ordering_key = key.map(Name::literal);
    Delivery { position, sequence: position, ..Delivery::new(Name::literal("d"), event) }
}

const NOW: Timestamp = Timestamp::MAX;

fn timer() -> DropGuard {
    CancellationToken::new().drop_guard()
}

fn open_lane(concurrency: usize, capacity: usize) -> Lane {
    let mut lane = Lane::new(concurrency, capacity);
    assert_eq!(lane.wants_to_read(), Some(0));
    lane.read(0, true);
    lane
}

#[test]
fn the_low_lane_is_not_starved() {
    let mut lane = open_lane(1, 10_000);
    for position in 0..100 {
        lane.offer(delivery(3 * position + 1, Priority::High, None));
        lane.offer(delivery(3 * position + 2, Priority::Normal, None));
        lane.offer(delivery(3 * position + 3, Priority::Low, None));
    }
    let mut seen = [0; 3];
    for _ in 0..64 {
        let next = lane.next(NOW).unwrap();
        seen[lane_of(next.event.priority)] += 1;
        lane.finish(&next);
    }
    assert_eq!(seen, [48, 12, 4]);
}

#[test]
fn one_key_is_handled_in_order_while_others_run() {
    let mut lane = open_lane(10, 100);
    for (position, key) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
        lane.offer(delivery(position, Priority::Normal, Some(key)));
    }
    let first = lane.next(NOW).unwrap();
    let other = lane.next(NOW).unwrap();
    assert_eq!((first.position, other.position), (1, 3));
    assert!(lane.next(NOW).is_none(), "the key is busy");
    lane.give_slot();
    lane.sleep(first, timer());
    assert!(lane.next(NOW).is_none(), "a retry keeps its key");
    lane.wake(1);
    lane.wake(1);
    let again = lane.next(NOW).unwrap();
    assert_eq!(again.position, 1);
    lane.finish(&again);
    let second = lane.next(NOW).unwrap();
    assert_eq!(second.position, 2);
    lane.finish(&second);
    assert_eq!(lane.next(NOW).unwrap().position, 4);
}

#[test]
fn what_does_not_fit_is_read_again_and_nothing_comes_twice() {
    let mut lane = open_lane(1, 2);
    for position in 1..=5 {
        lane.offer(delivery(position, Priority::Normal, None));
    }
    assert_eq!(lane.queued(), 2);
    assert_eq!(lane.wants_to_read(), None, "no room yet");
    let first = lane.next(NOW).unwrap();
    lane.finish(&first);
    assert_eq!(lane.wants_to_read(), Some(2));
    assert_eq!(lane.wants_to_read(), None, "one reader at a time");
    for position in 3..=5 {
        lane.enqueue(delivery(position, Priority::Normal, None));
    }
    lane.offer(delivery(6, Priority::Normal, None));
    lane.read(5, true);
    for _ in 0..4 {
        let next = lane.next(NOW).unwrap();
        lane.finish(&next);
    }
    assert_eq!(lane.wants_to_read(), Some(5), "6 was passed over during the read");
    lane.enqueue(delivery(6, Priority::Normal, None));
    lane.read(6, true);
    lane.offer(delivery(6, Priority::Normal, None));
    assert_eq!(lane.next(NOW).unwrap().position, 6);
    assert!(lane.next(NOW).is_none());
}

#[test]
fn removing_the_head_of_a_key_frees_it() {
    let mut lane = open_lane(4, 100);
    for position in 1..=3 {
        lane.offer(delivery(position, Priority::Normal, Some("k")));
    }
    lane.remove(|delivery| delivery.position == 1);
    assert_eq!(lane.queued(), 2);
    assert_eq!(lane.next(NOW).unwrap().position, 2);
    assert_eq!(lane.queued(), 1);
}

#[test]
fn removing_what_waits_for_its_retry_frees_its_key_and_ends_its_timer() {
    let mut lane = open_lane(4, 100);
    for position in 1..=2 {
        lane.offer(delivery(position, Priority::Normal, Some("k")));
    }
    let first = lane.next(NOW).unwrap();
    lane.give_slot();
    let ends = CancellationToken::new();
    lane.sleep(first, ends.clone().drop_guard());
    lane.remove(|delivery| delivery.position == 3);
    assert!(lane.next(NOW).is_none() && !ends.is_cancelled());
    lane.remove(|delivery| delivery.position == 1);
    assert!(ends.is_cancelled());
    lane.wake(1);
    assert_eq!(lane.next(NOW).unwrap().position, 2);
    assert!(lane.next(NOW).is_none(), "what was removed does not come back");
}

#[test]
fn a_key_goes_on_when_neither_a_letter_nor_a_delivery_keeps_it() {
    let mut lane = open_lane(4, 100);
    for position in 1..=3 {
        lane.offer(delivery(position, Priority::Normal, Some("k")));
    }
    let letter = lane.next(NOW).unwrap();
    let event = letter.event.clone();
    lane.block(&event, 1);
    lane.block(&event, 8);
    lane.unblock(&event, 1);
    lane.unblock(&event, 1);
    lane.unblock(&event, 9);
    lane.finish(&letter);
    assert!(lane.next(NOW).is_none(), "letter 8 is left");
    lane.unblock(&event, 8);
    let second = lane.next(NOW).unwrap();
    assert_eq!(second.position, 2);
    lane.block(&event, 2);
    lane.unblock(&event, 2);
    assert!(lane.next(NOW).is_none(), "the second still runs");
    lane.finish(&second);
    assert_eq!(lane.next(NOW).unwrap().position, 3);
    lane.unblock(&event, 8);
    assert!(lane.next(NOW).is_none());
}

fn run(lane: &mut Lane) -> Option<Position> {
    let next = lane.next(NOW)?;
    lane.finish(&next);
    Some(next.position)
}

#[test]
fn a_high_one_does_not_wait_behind_a_backlog_of_low_ones() {
    let mut lane = open_lane(1, 10_000);
    for position in 1..=50_000 {
        lane.offer(delivery(position, Priority::Low, None));
    }
    lane.offer(delivery(50_001, Priority::High, None));
    lane.offer(delivery(50_002, Priority::Normal, None));
    lane.offer(delivery(50_003, Priority::Low, None));
    lane.offer(delivery(50_004, Priority::High, Some("k")));
    assert_eq!(lane.queued(), 10_002, "one with a key keeps its place, and so does one that is not higher");
    assert_eq!((run(&mut lane), run(&mut lane), run(&mut lane)), (Some(50_001), Some(50_002), Some(1)));
}

#[test]
fn what_went_ahead_is_bounded_and_comes_once() {
    let mut lane = open_lane(2, 8);
    for position in 1..=20 {
        lane.offer(delivery(position, Priority::Low, None));
    }
    for position in 21..=24 {
        lane.offer(delivery(position, Priority::High, None));
    }
    assert_eq!(lane.queued(), 10, "two of four go ahead");
    lane.offer(delivery(25, Priority::Normal, None));
    assert_eq!(lane.queued(), 10, "nothing passes a higher one that was passed over");
    let retried = lane.next(NOW).unwrap();
    assert_eq!(retried.position, 21);
    lane.give_slot();
    lane.sleep(retried, timer());
    let ended = lane.next(NOW).unwrap();
    assert_eq!(ended.position, 22);
    for _ in 0..4 {
        run(&mut lane);
    }
    assert_eq!(lane.wants_to_read(), Some(8));
    // It ends while the tables are read: the page may have it still.
    lane.finish(&ended);
    for position in 9..=25 {
        let taken = lane.has_taken(position);
        assert_eq!(taken, position == 21 || position == 22, "{position}");
        if !taken {
            let priority = match position {
                ..=20 => Priority::Low,
                25 => Priority::Normal,
                _ => Priority::High,
            };
            lane.enqueue(delivery(position, priority, None));
        }
    }
    lane.read(25, true);
    lane.wake(21);
    let mut left: Vec<Position> = std::iter::from_fn(|| run(&mut lane)).collect();
    left.sort_unstable();
    assert_eq!(left, (5..=25).filter(|position| *position != 22).collect::<Vec<_>>());
    assert!(lane.wants_to_read().is_none() && lane.ahead.is_empty());
}

#[test]
fn a_busy_key_does_not_load_the_backlog() {
    let mut lane = open_lane(4, 4);
    for position in 1..=10 {
        lane.offer(delivery(position, Priority::Normal, Some("hot")));
    }
    lane.offer(delivery(11, Priority::Normal, Some("other")));
    lane.offer(delivery(12, Priority::Normal, Some("other")));
    assert_eq!(lane.keys.waiting(), 10);
    let whole = |lane: &Lane| format!("{:?}", lane.keys).matches("driver: ").count();
    assert_eq!(whole(&lane), 4, "four behind the key are in memory");
    let mut order = Vec::new();
    while order.len() < 12 {
        while let Some(position) = run(&mut lane) {
            order.push(position);
        }
        let Some(after) = lane.wants_to_read_behind() else { break };
        assert_eq!(lane.wants_to_read_behind(), None, "one reader at a time");
        // Pages of three, in which 8 is missing: it was cancelled meanwhile.
        let open = (after + 1..=12).filter(|position| *position != 8 && !order.contains(position));
        let page: Vec<Position> = open.take(3).collect();
        let up_to = if page.len() < 3 { Position::MAX } else { page[2] };
        let key = |position| if position > 10 { "other" } else { "hot" };
        let page = page.into_iter().map(|one| delivery(one, Priority::Normal, Some(key(one)))).collect();
        lane.read_behind(after, up_to, page);
        assert!(whole(&lane) <= 4);
    }
    let (hot, other): (Vec<Position>, Vec<Position>) = order.into_iter().partition(|one| *one <= 10);
    assert_eq!(hot, [1, 2, 3, 4, 5, 6, 7, 9, 10]);
    assert_eq!(other, [11, 12]);
    assert_eq!(lane.queued(), 0);
    lane.offer(delivery(13, Priority::Normal, Some("hot")));
    assert_eq!(run(&mut lane), Some(13), "the key is free again");
}

#[test]
fn a_read_that_failed_is_made_again() {
    let mut lane = open_lane(1, 2);
    for position in 1..=4 {
        lane.offer(delivery(position, Priority::Normal, Some("k")));
    }
    assert_eq!([(); 3].map(|()| run(&mut lane)), [Some(1), Some(2), Some(3)]);
    assert_eq!(lane.wants_to_read_behind(), Some(3));
    lane.read_behind(3, 3, Vec::new());
    assert_eq!(lane.wants_to_read_behind(), Some(3));
    lane.read_behind(3, 4, vec![delivery(4, Priority::Normal, Some("k"))]);
    assert_eq!(run(&mut lane), Some(4));
}

#[test]
fn a_key_whose_letters_retention_removed_goes_on() {
    let mut lane = open_lane(4, 100);
    let letter = delivery(1, Priority::Normal, Some("k")).event;
    lane.block(&letter, 1);
    lane.offer(delivery(5, Priority::Normal, Some("k")));
    assert_eq!(lane.letters(), [1]);
    lane.forget_letters(&[2].into());
    assert!(lane.next(NOW).is_none(), "it is still there");
    lane.forget_letters(&[1].into());
    assert_eq!(lane.next(NOW).unwrap().position, 5);
    // Not while a delivery of the key may be dying.
    lane.block(&letter, 5);
    lane.offer(delivery(6, Priority::Normal, Some("k")));
    assert!(lane.letters().is_empty() && lane.next(NOW).is_none());
}

mod flow;
