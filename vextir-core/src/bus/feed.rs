//! Fresh deliveries on their way from the commit to the processor, in memory.

use super::Delivery;
use crate::{Error, ErrorKind, Result};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// A queue between a bus and its processor. Its length is bounded by the backlog limit of the bus; the
/// processor drains it into bounded queues at once.
#[derive(Debug, Default)]
pub struct Feed {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    /// How often it was opened: who waited before the last time is of an earlier processor.
    opened: u64,
    waiting: VecDeque<Delivery>,
}

impl Feed {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to collect: a processor is attached.
    pub fn open(&self) {
        let mut state = self.lock();
        state.open = true;
        state.opened += 1;
        state.waiting.clear();
    }

    /// Stops collecting, and ends who waits.
    pub fn close(&self) {
        let mut state = self.lock();
        state.open = false;
        state.waiting.clear();
        drop(state);
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    /// Adds what a commit made; call it in commit order.
    pub fn push(&self, deliveries: impl IntoIterator<Item = Delivery>) {
        let mut state = self.lock();
        if !state.open {
            return;
        }
        let before = state.waiting.len();
        state.waiting.extend(deliveries);
        let wake = before == 0 && !state.waiting.is_empty();
        drop(state);
        if wake {
            self.wake.notify_one();
        }
    }

    /// Takes up to `max` deliveries; waits for at least one.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] after [`Feed::close`].
    pub async fn take(&self, max: usize) -> Result<Vec<Delivery>> {
        let mut since = None;
        loop {
            {
                let mut state = self.lock();
                let late = *since.get_or_insert(state.opened) != state.opened;
                if late {
                    // It may have been meant for who came after.
                    self.wake.notify_one();
                }
                if late || !state.open {
                    return Err(Error::new(ErrorKind::Closed, "no processor is attached to the bus"));
                }
                if !state.waiting.is_empty() {
                    let count = max.min(state.waiting.len());
                    let taken = state.waiting.drain(..count).collect();
                    if !state.waiting.is_empty() {
                        self.wake.notify_one();
                    }
                    return Ok(taken);
                }
            }
            self.wake.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Name};
    use futures::FutureExt;

    fn delivery() -> Delivery {
        Delivery { position: 1, sequence: 1, ..Delivery::new(Name::literal("driver"), Event::new("a")) }
    }

    #[test]
    fn who_waited_before_it_was_closed_takes_nothing_from_who_came_after() {
        let feed = Feed::default();
        feed.open();
        let mut old = Box::pin(feed.take(1));
        assert!(old.as_mut().now_or_never().is_none());
        feed.close();
        feed.open();
        let mut new = Box::pin(feed.take(1));
        assert!(new.as_mut().now_or_never().is_none());
        feed.push([delivery()]);
        let closed = old.now_or_never().and_then(Result::err).map(|error| error.kind());
        assert_eq!(closed, Some(ErrorKind::Closed));
        assert_eq!(new.now_or_never().map(|taken| taken.map(|taken| taken.len()).unwrap_or(0)), Some(1));
    }
}
