//! Who has to stop: cancelled causal trees, and everybody when the processor has no time left.

use crate::EventId;
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
    roots: Mutex<VecDeque<EventId>>,
    wake: Notify,
}

impl Cancellation {
    pub(crate) fn cancel(&self, root: &EventId) {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if roots.len() == REMEMBERED {
            roots.pop_front();
        }
        roots.push_back(root.clone());
        self.count.store(roots.len(), Ordering::Release);
        drop(roots);
        self.wake.notify_waiters();
    }

    pub(crate) fn cancel_all(&self) {
        self.all.store(true, Ordering::Release);
        self.wake.notify_waiters();
    }

    pub(crate) fn is_cancelled(&self, root: &EventId) -> bool {
        self.all.load(Ordering::Acquire)
            || (self.count.load(Ordering::Acquire) > 0
                && self.roots.lock().unwrap_or_else(PoisonError::into_inner).contains(root))
    }

    pub(crate) async fn cancelled(&self, root: &EventId) {
        loop {
            let woken = self.wake.notified();
            tokio::pin!(woken);
            // Registered before the look, so that no wake is missed.
            woken.as_mut().enable();
            if self.is_cancelled(root) {
                return;
            }
            woken.await;
        }
    }
}
