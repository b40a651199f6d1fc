//! What a driver that watches the outside world emits through.

use crate::bus::Checkpoint;
use crate::{Clock, Event, EventId, IntoEvent, Name, Origin, Result, Timestamp};
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The way from a watching driver into the processor: accept, authorize, route, commit.
#[async_trait]
pub trait Inlet: Send + Sync + 'static {
    /// Emits events as new roots, and notes checkpoints, in one commit.
    ///
    /// # Errors
    /// A refusal of the accept or authorize step, or a failure of the bus.
    async fn emit(
        &self,
        origin: Origin,
        events: Vec<Event>,
        checkpoints: Vec<Checkpoint>,
    ) -> Result<Vec<EventId>>;

    /// The driver's checkpoints after a key.
    ///
    /// # Errors
    /// A failure of the bus.
    async fn checkpoints(&self, driver: &Name, after: &str, limit: usize) -> Result<Vec<Checkpoint>>;
}

/// Emits what a driver sees in the outside world. Each event is the root of a new causal tree.
#[derive(Clone)]
pub struct Emitter {
    driver: Name,
    user: Name,
    inlet: Arc<dyn Inlet>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
}

impl Emitter {
    pub(crate) fn new(
        driver: Name,
        inlet: Arc<dyn Inlet>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Self {
        Self { driver, user: Name::literal(crate::LOCAL_USER), inlet, clock, stop }
    }

    /// The same emitter for another user's events.
    #[must_use]
    pub fn for_user(&self, user: impl Into<Name>) -> Self {
        Self { user: user.into(), ..self.clone() }
    }

    /// Emits one event; waits while the backlog is full.
    ///
    /// # Errors
    /// A refusal of the accept or authorize step, or a failure of the bus. `Busy`: the backlog is full, and the
    /// processor starts and waits for this driver's [`start`](crate::Driver::start).
    pub async fn emit<E: IntoEvent>(&self, event: E) -> Result<EventId> {
        Ok(self.emit_all(vec![event.into_event()?], Vec::new()).await?.remove(0))
    }

    /// Emits events and notes checkpoints (key and value; `None` forgets) in one commit: after a crash the
    /// checkpoints say exactly what was emitted.
    ///
    /// # Errors
    /// As [`Emitter::emit`].
    pub async fn emit_all(
        &self,
        events: Vec<Event>,
        checkpoints: Vec<(String, Option<crate::Data>)>,
    ) -> Result<Vec<EventId>> {
        let stamp = |event: Event| {
            let event = if event.source.is_empty() { event.with_source(self.driver.clone()) } else { event };
            if event.user_id.is_empty() { event.with_user(self.user.clone()) } else { event }
        };
        let origin = Origin::Watcher { driver: self.driver.clone(), user: self.user.clone() };
        let note = |(key, value)| Checkpoint { driver: self.driver.clone(), key, value };
        let checkpoints = checkpoints.into_iter().map(note).collect();
        self.inlet.emit(origin, events.into_iter().map(stamp).collect(), checkpoints).await
    }

    /// The driver's own checkpoints, in the order of their keys.
    ///
    /// # Errors
    /// A failure of the bus.
    pub async fn checkpoints(&self, after: &str, limit: usize) -> Result<Vec<Checkpoint>> {
        self.inlet.checkpoints(&self.driver, after, limit).await
    }

    /// Resolves when the processor shuts down: end the watch.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the processor is shutting down.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The kernel's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The kernel's clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("driver", &self.driver)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
