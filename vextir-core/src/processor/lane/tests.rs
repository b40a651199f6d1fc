use super::*;
use crate::{Event, Timestamp};

fn delivery(position: Position, priority: Priority, key: Option<&'static str>) -> Delivery {
    let mut event = Event::new("a.b").with_user("u").with_priority(priority);
    event.edit().ordering_key = key.map(Name::literal);
    Delivery {
        position,
        driver: Name::literal("d"),
        event,
        sequence: position,
        logged_at: Timestamp::UNSET,
        attempt: 0,
        due: None,
        reclaims: 0,
        obligations: None,
        error: None,
    }
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
        let next = lane.next().unwrap();
        seen[lane_of(next.event.priority)] += 1;
        lane.finish(&next, false);
    }
    assert_eq!(seen, [48, 12, 4]);
}

#[test]
fn one_key_is_handled_in_order_while_others_run() {
    let mut lane = open_lane(10, 100);
    for (position, key) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
        lane.offer(delivery(position, Priority::Normal, Some(key)));
    }
    let first = lane.next().unwrap();
    let other = lane.next().unwrap();
    assert_eq!((first.position, other.position), (1, 3));
    assert!(lane.next().is_none(), "the key is busy");
    lane.finish(&first, true);
    assert!(lane.next().is_none(), "a retry keeps its key");
    lane.resume(first);
    let again = lane.next().unwrap();
    assert_eq!(again.position, 1);
    lane.finish(&again, false);
    let second = lane.next().unwrap();
    assert_eq!(second.position, 2);
    lane.finish(&second, false);
    assert_eq!(lane.next().unwrap().position, 4);
}

#[test]
fn what_does_not_fit_is_read_again_and_nothing_comes_twice() {
    let mut lane = open_lane(1, 2);
    for position in 1..=5 {
        lane.offer(delivery(position, Priority::Normal, None));
    }
    assert_eq!(lane.queued(), 2);
    assert_eq!(lane.wants_to_read(), None, "no room yet");
    let first = lane.next().unwrap();
    lane.finish(&first, false);
    assert_eq!(lane.wants_to_read(), Some(2));
    assert_eq!(lane.wants_to_read(), None, "one reader at a time");
    for position in 3..=5 {
        lane.enqueue(delivery(position, Priority::Normal, None));
    }
    lane.offer(delivery(6, Priority::Normal, None));
    lane.read(5, true);
    for _ in 0..4 {
        let next = lane.next().unwrap();
        lane.finish(&next, false);
    }
    assert_eq!(lane.wants_to_read(), Some(5), "6 was passed over during the read");
    lane.enqueue(delivery(6, Priority::Normal, None));
    lane.read(6, true);
    lane.offer(delivery(6, Priority::Normal, None));
    assert_eq!(lane.next().unwrap().position, 6);
    assert!(lane.next().is_none());
}

#[test]
fn removing_the_head_of_a_key_frees_it() {
    let mut lane = open_lane(4, 100);
    for position in 1..=3 {
        lane.offer(delivery(position, Priority::Normal, Some("k")));
    }
    assert_eq!(lane.remove(|delivery| delivery.position == 1), 1);
    assert_eq!(lane.next().unwrap().position, 2);
    assert_eq!(lane.queued(), 1);
}
