//! Step 4, handle: one attempt at one delivery, with its timeout, its panics and its cancellation kept apart
//! from everything else.

use super::Kernel;
use super::registry::Registered;
use crate::bus::Delivery;
use crate::ctx::Effects;
use crate::{Ctx, Event, Failure, HandlerResult};
use futures::FutureExt;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tracing::{Instrument, Span};

/// An eager handler that took longer, on the processor's clock, runs the normal way.
const EAGER: Duration = Duration::from_millis(1);

/// A handler that waits for nothing and takes no longer shares a task with others.
const QUICK: Duration = Duration::from_micros(20);

/// How a handler ended.
pub(super) struct Attempt {
    pub(super) result: Result<Vec<Event>, Failure>,
    pub(super) effects: Effects,
}

type Caught = Result<HandlerResult, Box<dyn Any + Send>>;

impl Kernel {
    /// Runs the handler to its end, or to its timeout.
    pub(super) async fn attempt(self: &Arc<Self>, driver: &Registered, delivery: &Delivery) -> Attempt {
        let begun = Instant::now();
        let cx = self.context(delivery);
        let work = self.with_timeout(driver, delivery.event.clone(), &cx);
        let result = work.instrument(step(delivery)).await;
        driver.meters.handled(begun.elapsed());
        Attempt { result, effects: cx.take_effects() }
    }

    /// Runs the handler only if it is ready at once.
    pub(super) async fn attempt_at_once(
        self: &Arc<Self>,
        driver: &Registered,
        delivery: &Delivery,
    ) -> Option<Attempt> {
        let cx = self.context(delivery);
        let begun = self.clock.now();
        let mut work =
            AssertUnwindSafe(driver.driver.handle_event(delivery.event.clone(), &cx)).catch_unwind();
        let caught = poll_once(Pin::new(&mut work)).instrument(step(delivery)).await?;
        let took = self.clock.now().since(begun);
        if took > EAGER {
            return None;
        }
        driver.meters.handled(took);
        let result = flatten(caught);
        drop(work);
        Some(Attempt { result, effects: cx.take_effects() })
    }

    fn context(self: &Arc<Self>, delivery: &Delivery) -> Ctx {
        let (signals, store) = (self.signals.clone(), self.store.clone());
        Ctx::new(delivery, self.clock.clone(), self.cancellation.clone(), signals, self.clone(), store)
    }

    async fn with_timeout(&self, driver: &Registered, event: Event, cx: &Ctx) -> Result<Vec<Event>, Failure> {
        let mut work = AssertUnwindSafe(driver.driver.handle_event(event, cx)).catch_unwind();
        let begun = self.clock.now();
        let at_once = poll_once(Pin::new(&mut work)).await;
        driver.note_quick(at_once.is_some() && self.clock.now().since(begun) <= QUICK);
        // Most handlers that wait for nothing end here, without a timer.
        if let Some(caught) = at_once {
            return flatten(caught);
        }
        tokio::select! {
            biased;
            caught = work => flatten(caught),
            () = self.clock.sleep(driver.timeout) => Err(Failure::transient(format!(
                "timed out after {}", humantime::format_duration(driver.timeout)
            ))),
        }
    }
}

/// The step as tracing shows it.
fn step(delivery: &Delivery) -> Span {
    let event = &delivery.event;
    tracing::info_span!(
        "handle",
        driver = %delivery.driver,
        event = %event.id,
        event_type = %event.event_type,
        root = %event.root(),
        cause = event.correlation_id.as_ref().map(tracing::field::display),
        attempt = delivery.attempt + 1,
    )
}

/// Polls once, with the task's own waker.
pub(super) async fn poll_once<F: Future>(mut work: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// A panic is a bug, and a bug is permanent.
fn flatten(caught: Caught) -> Result<Vec<Event>, Failure> {
    match caught {
        Ok(Ok(events)) => Ok(events),
        Ok(Err(error)) => Err(Failure::from_error(error)),
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a value that is no text".into());
            Err(Failure::permanent(format!("panicked: {text}")))
        }
    }
}
