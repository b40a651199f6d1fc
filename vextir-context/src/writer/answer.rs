//! How the writer answers many tasks at once.
//!
//! Waking a task from outside its runtime takes a lock and often a system call, and it makes a worker run
//! for one task at a time. So all answers of a batch are laid down first; then one task is woken, and it
//! wakes the others from inside the runtime, where that is cheap. The writer does it itself when that task
//! does not come to it soon: nobody's answer depends on another task.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use vextir_core::{Error, ErrorKind, Result};

/// Where an answer goes. Dropping it answers that the hub was closed.
pub(crate) struct Answer<T>(Arc<Slot<T>>);

/// The future of an answer.
pub(crate) struct Awaited<T>(Arc<Slot<T>>);

/// A question and its answer.
pub(crate) fn question<T>() -> (Answer<T>, Awaited<T>) {
    let slot = Arc::new(Slot(Mutex::new(State::Asked(None))));
    (Answer(slot.clone()), Awaited(slot))
}

struct Slot<T>(Mutex<State<T>>);

enum State<T> {
    /// Not answered yet; perhaps somebody waits.
    Asked(Option<Waker>),
    /// Answered; perhaps others are to be told.
    Answered(Result<T>, Option<Relay>),
    /// Nobody will look any more.
    Over,
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays the answer down; whoever waits is to be woken by the caller.
    fn fill(&self, answer: Result<T>) -> Option<Waker> {
        let mut state = self.lock();
        match mem::replace(&mut *state, State::Over) {
            State::Asked(waker) => {
                *state = State::Answered(answer, None);
                waker
            }
            before => {
                *state = before;
                None
            }
        }
    }

    /// Lets whoever takes the answer wake the others; false if it was taken already.
    fn entrust(&self, relay: &Relay) -> bool {
        match &mut *self.lock() {
            State::Answered(_, place) => {
                *place = Some(relay.clone());
                true
            }
            _ => false,
        }
    }
}

impl<T> Answer<T> {
    /// Answers, and wakes who waits.
    pub(crate) fn send(self, answer: Result<T>) {
        if let Some(waker) = self.0.fill(answer) {
            waker.wake();
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        let is_open = matches!(*self.0.lock(), State::Asked(_));
        if is_open && let Some(waker) = self.0.fill(Err(closed())) {
            waker.wake();
        }
    }
}

impl<T> Future for Awaited<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let mut state = self.0.lock();
        match mem::replace(&mut *state, State::Over) {
            State::Answered(answer, relay) => {
                drop(state);
                relay.inspect(Relay::pass_on);
                Poll::Ready(answer)
            }
            State::Asked(waker) => {
                let waker = waker.filter(|known| known.will_wake(cx.waker()));
                *state = State::Asked(waker.or_else(|| Some(cx.waker().clone())));
                Poll::Pending
            }
            State::Over => Poll::Ready(Err(closed())),
        }
    }
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        let state = mem::replace(&mut *self.0.lock(), State::Over);
        if let State::Answered(_, Some(relay)) = state {
            relay.pass_on();
        }
    }
}

/// Tasks that are still to be woken.
#[derive(Clone, Default)]
pub(super) struct Relay(Arc<Mutex<Vec<Waker>>>);

impl Relay {
    /// Wakes everybody who is left.
    pub(super) fn pass_on(&self) {
        let wakers = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether everybody was woken.
    pub(super) fn is_over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Answers a whole batch. What comes back are tasks that the writer must wake unless a task does.
pub(super) fn answer_all<T>(answers: impl ExactSizeIterator<Item = (Answer<T>, Result<T>)>) -> Relay {
    let mut waiting = Vec::with_capacity(answers.len());
    for (answer, result) in answers {
        if let Some(waker) = answer.0.fill(result) {
            waiting.push((answer, waker));
        }
    }
    let relay = Relay::default();
    let Some((first, waker)) = waiting.pop() else { return relay };
    *relay.0.lock().unwrap_or_else(PoisonError::into_inner) =
        waiting.into_iter().map(|(_, waker)| waker).collect();
    if !first.0.entrust(&relay) {
        relay.pass_on();
    }
    waker.wake();
    relay
}

/// What everybody hears after the hub was closed.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the hub was closed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll<T>(awaited: &mut Awaited<T>, count: &Arc<Count>) -> Poll<Result<T>> {
        let waker = Waker::from(count.clone());
        Pin::new(awaited).poll(&mut Context::from_waker(&waker))
    }

    #[test]
    fn one_is_woken_and_wakes_the_others() {
        let count = Arc::new(Count::default());
        let (answers, mut awaited): (Vec<_>, Vec<_>) = (0..4).map(|_| question()).unzip();
        awaited.iter_mut().for_each(|one| assert!(poll(one, &count).is_pending()));
        let relay = answer_all(answers.into_iter().zip((0..4).map(Ok)));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(!relay.is_over());
        let woken = awaited.pop().unwrap();
        drop(woken);
        assert_eq!(count.0.load(Ordering::Relaxed), 4, "also when it does not want its answer any more");
        assert!(relay.is_over());
        for (number, one) in awaited.iter_mut().enumerate() {
            assert!(matches!(poll(one, &count), Poll::Ready(Ok(answer)) if answer == number));
        }
    }

    #[test]
    fn a_dropped_question_is_answered_as_closed() {
        let count = Arc::new(Count::default());
        let (answer, mut awaited) = question::<()>();
        assert!(poll(&mut awaited, &count).is_pending());
        drop(answer);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(
            matches!(poll(&mut awaited, &count), Poll::Ready(Err(error)) if error.kind() == ErrorKind::Closed)
        );
    }
}
