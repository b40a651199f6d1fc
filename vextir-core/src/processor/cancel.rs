//! Who has to stop: cancelled causal trees, and everybody when the processor has no time left.

use crate::{Event, EventId, Name};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// How many cancelled roots are remembered for the handlers that still run.
const REMEMBERED: usize = 10_000;

/// Shared by all running handlers; costs nothing while nobody is cancelled.
#[derive(Debug, Default)]
pub(crate) struct Cancellation {
    all: AtomicBool,
    count: AtomicUsize,
    trees: Mutex<VecDeque<(Name, EventId)>>,
    wake: Notify,
}

impl Cancellation {
    pub(crate) fn cancel(&self, user: &Name, root: &EventId) {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if trees.len() == REMEMBERED {
            trees.pop_front();
        }
        trees.push_back((user.clone(), root.clone()));
        self.count.store(trees.len(), Ordering::Release);
        drop(trees);
        self.wake.notify_waiters();
    }

    pub(crate) fn cancel_all(&self) {
        self.all.store(true, Ordering::Release);
        self.wake.notify_waiters();
    }

    pub(crate) fn is_cancelled(&self, event: &Event) -> bool {
        self.all.load(Ordering::Acquire) || self.is_tree_cancelled(event)
    }

    /// Whether the event's own tree was cancelled.
    pub(crate) fn is_tree_cancelled(&self, event: &Event) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self
                .trees
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .any(|(user, root)| event.is_of_tree(user, root))
    }

    pub(crate) async fn cancelled(&self, event: &Event) {
        loop {
            let woken = self.wake.notified();
            tokio::pin!(woken);
            // Registered before the look, so that no wake is missed.
            woken.as_mut().enable();
            if self.is_cancelled(event) {
                return;
            }
            woken.await;
        }
    }
}
