//! Retries that wait for their time: one heap, one sleep until the earliest.

use super::Kernel;
use super::registry::Registered;
use crate::bus::Delivery;
use crate::{EventId, Timestamp};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The longest single sleep: a clock that was set forward is noticed within it.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Timers {
    heap: Mutex<BinaryHeap<Reverse<Timer>>>,
    wake: Notify,
}

struct Timer {
    due: Timestamp,
    driver: Arc<Registered>,
    delivery: Delivery,
}

impl Timer {
    fn order(&self) -> (Timestamp, u64) {
        (self.due, self.delivery.position)
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl Timers {
    fn heap(&self) -> MutexGuard<'_, BinaryHeap<Reverse<Timer>>> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, driver: &Arc<Registered>, delivery: Delivery) {
        let due = delivery.due.unwrap_or_default();
        self.heap().push(Reverse(Timer { due, driver: driver.clone(), delivery }));
        self.wake.notify_one();
    }

    /// Removes the timers of a causal tree.
    pub(super) fn remove(&self, root: &EventId) {
        let mut heap = self.heap();
        let (gone, kept): (Vec<_>, Vec<_>) =
            heap.drain().partition(|Reverse(timer)| timer.delivery.event.root() == root);
        heap.extend(kept);
        drop(heap);
        for Reverse(timer) in gone {
            timer.driver.lane().unblock(&timer.delivery.event);
        }
    }

    fn take_due(&self, now: Timestamp) -> Vec<Timer> {
        let mut heap = self.heap();
        let mut due = Vec::new();
        while heap.peek().is_some_and(|Reverse(timer)| timer.due <= now) {
            due.extend(heap.pop().map(|Reverse(timer)| timer));
        }
        due
    }

    fn earliest(&self) -> Option<Timestamp> {
        self.heap().peek().map(|Reverse(timer)| timer.due)
    }
}

impl Kernel {
    pub(super) async fn run_timers(self: Arc<Self>) {
        // Grows with what was slept, so that a wall clock that jumps back delays no retry.
        let mut now = self.clock.now();
        loop {
            now = now.max(self.clock.now());
            for timer in self.timers.take_due(now) {
                timer.driver.lane().resume(timer.delivery);
                self.pump(&timer.driver);
            }
            let woken = self.timers.wake.notified();
            let Some(due) = self.timers.earliest() else {
                woken.await;
                continue;
            };
            let pause = due.since(now).min(LONGEST);
            let begun = self.clock.now();
            tokio::select! {
                () = self.clock.sleep(pause) => now = now.after(pause),
                () = woken => now = now.after(self.clock.now().since(begun)),
            }
        }
    }
}
