//! Who has to stop: cancelled causal trees, and everybody when the processor has no time left.

use crate::bus::Position;
use crate::{Event, EventId, Name};
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// How many cancelled roots are remembered for the handlers that still run.
const REMEMBERED: usize = 10_000;

/// The latest cancelled trees.
#[derive(Debug, Default)]
struct Trees {
    known: HashSet<(Name, EventId)>,
    in_order: VecDeque<(Name, EventId)>,
}

/// Shared by all running handlers; costs nothing while nobody is cancelled: `count` says how many are.
#[derive(Debug, Default)]
pub(crate) struct Cancellation {
    all: AtomicBool,
    count: AtomicUsize,
    trees: Mutex<Trees>,
    /// Deliveries that run though another one took their place.
    replaced: Mutex<HashSet<Position>>,
    wake: Notify,
}

impl Cancellation {
    pub(crate) fn cancel(&self, user: &Name, root: &EventId) {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let tree = (user.clone(), root.clone());
        if trees.known.insert(tree.clone()) {
            trees.in_order.push_back(tree);
            self.count.fetch_add(1, Ordering::Release);
        }
        if trees.in_order.len() > REMEMBERED
            && let Some(oldest) = trees.in_order.pop_front()
            && trees.known.remove(&oldest)
        {
            self.count.fetch_sub(1, Ordering::Release);
        }
        drop(trees);
        self.wake.notify_waiters();
    }

    pub(crate) fn cancel_all(&self) {
        self.all.store(true, Ordering::Release);
        self.wake.notify_waiters();
    }

    /// Stops the handler of a delivery whose place another one took.
    pub(crate) fn replace(&self, position: Position) {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        if replaced.insert(position) {
            self.count.fetch_add(1, Ordering::Release);
        }
        drop(replaced);
        self.wake.notify_waiters();
    }

    /// The handler of a delivery has ended.
    pub(crate) fn ended(&self, position: Position) {
        if self.count.load(Ordering::Acquire) > 0
            && self.replaced.lock().unwrap_or_else(PoisonError::into_inner).remove(&position)
        {
            self.count.fetch_sub(1, Ordering::Release);
        }
    }

    pub(crate) fn is_cancelled(&self, event: &Event, position: Position) -> bool {
        let replaced = || self.replaced.lock().unwrap_or_else(PoisonError::into_inner).contains(&position);
        self.all.load(Ordering::Acquire)
            || self.is_tree_cancelled(event)
            || (self.count.load(Ordering::Acquire) > 0 && replaced())
    }

    /// Whether the event's own tree was cancelled.
    pub(crate) fn is_tree_cancelled(&self, event: &Event) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self.trees.lock().unwrap_or_else(PoisonError::into_inner).known.contains(&event.tree())
    }

    pub(crate) async fn cancelled(&self, event: &Event, position: Position) {
        loop {
            let woken = self.wake.notified();
            tokio::pin!(woken);
            // Registered before the look, so that no wake is missed.
            woken.as_mut().enable();
            if self.is_cancelled(event, position) {
                return;
            }
            woken.await;
        }
    }
}
