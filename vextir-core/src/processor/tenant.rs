//! One tenant's handle: emits, asks and sees only its own.

use super::emit::EmitOptions;
use super::{Kernel, request};
use crate::bus::{DeadLetter, EventStream, Held, Parked, Start};
use crate::{
    Actor, Context, Error, ErrorKind, Event, EventFilter, EventId, IntoEvent, Lease, Name, Origin, Payload,
    Result, Signal,
};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

/// How many dead letters are looked at in one go.
const LETTERS: usize = 1_024;

/// What a server gives to one of its users. Made by [`Processor::as_user`](crate::Processor::as_user); does
/// not keep the processor running.
///
/// What belongs to another tenant does not exist here: same error, no count, no hint.
#[derive(Clone)]
pub struct Tenant {
    kernel: Arc<Kernel>,
    user: Name,
}

impl Tenant {
    pub(super) fn new(kernel: Arc<Kernel>, user: Name) -> Self {
        Self { kernel, user }
    }

    fn origin(&self) -> Origin {
        Origin::User(self.user.clone())
    }

    /// Whose handle it is.
    #[must_use]
    pub fn user(&self) -> &Name {
        &self.user
    }

    #[cfg(feature = "schedule")]
    pub(crate) fn now(&self) -> crate::Timestamp {
        self.kernel.clock.now()
    }

    /// Emits an event, or a payload, as this user.
    ///
    /// # Errors
    /// As [`Processor::emit`](crate::Processor::emit); `Denied` when the event names another user.
    pub async fn emit<E: IntoEvent>(&self, event: E) -> Result<EventId> {
        self.kernel.emit_one(self.origin(), event, EmitOptions::default(), true).await
    }

    /// As [`Tenant::emit`], but says `Busy` instead of waiting.
    ///
    /// # Errors
    /// As [`Tenant::emit`], and `Busy`.
    pub async fn try_emit<E: IntoEvent>(&self, event: E) -> Result<EventId> {
        self.kernel.emit_one(self.origin(), event, EmitOptions::default(), false).await
    }

    /// Emits with a key of your own or limits for what the event causes.
    ///
    /// # Errors
    /// As [`Tenant::emit`].
    pub async fn emit_with<E: IntoEvent>(&self, event: E, options: EmitOptions) -> Result<EventId> {
        self.kernel.emit_one(self.origin(), event, options, true).await
    }

    /// Emits a batch in one commit: all of it or nothing.
    ///
    /// # Errors
    /// As [`Tenant::emit`].
    pub async fn emit_all(&self, events: Vec<Event>) -> Result<Vec<EventId>> {
        self.kernel.emit_many(self.origin(), events).await
    }

    /// Emits an event and waits for the first `R` that it causes. Thirty seconds at most.
    ///
    /// # Errors
    /// As [`Processor::request`](crate::Processor::request).
    pub async fn request<R: Payload>(&self, event: impl IntoEvent) -> Result<R> {
        self.kernel.request(self.origin(), event, request::TIMEOUT).await
    }

    /// As [`Tenant::request`], with a limit of your own.
    ///
    /// # Errors
    /// As [`Tenant::request`].
    pub async fn request_within<R: Payload>(&self, limit: Duration, event: impl IntoEvent) -> Result<R> {
        self.kernel.request(self.origin(), event, limit).await
    }

    /// Runs one event to its end, and returns everything that it caused.
    ///
    /// # Errors
    /// As [`Processor::process_event`](crate::Processor::process_event).
    pub async fn process_event(&self, event: impl IntoEvent) -> Result<Vec<Event>> {
        self.kernel.process(self.origin(), event).await
    }

    /// This user's documents.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::of(self.kernel.store.clone(), Actor::user(self.user.clone()))
    }

    /// Subscribes to this user's events from now on.
    ///
    /// # Errors
    /// A bad pattern.
    pub async fn subscribe<F>(&self, filter: F) -> Result<EventStream>
    where
        F: TryInto<EventFilter, Error: Into<Error>>,
    {
        self.subscribe_from(filter, Start::Now).await
    }

    /// Subscribes to this user's events from a place in the log.
    ///
    /// # Errors
    /// As [`Processor::subscribe_from`](crate::Processor::subscribe_from).
    pub async fn subscribe_from<F>(&self, filter: F, start: Start) -> Result<EventStream>
    where
        F: TryInto<EventFilter, Error: Into<Error>>,
    {
        let filter = filter.try_into().map_err(Into::into)?.user(self.user.clone());
        self.kernel.stream(filter, start).await
    }

    /// What handlers that run for this user send meanwhile. Not logged.
    #[must_use]
    pub fn signals(&self) -> Signals {
        let (receiver, stop) = (self.kernel.signals.subscribe(), self.kernel.stop.clone());
        Signals { receiver, stop, user: self.user.clone() }
    }

    /// This user's events that wait for an approval, for a lease, or behind another held event of their
    /// ordering key, without their numbers.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn held(&self, limit: usize) -> Result<Vec<Parked>> {
        let held = self.kernel.bus.held(&Held::User(self.user.clone()), limit).await?;
        // Numbers are given to everybody's events: they would tell how many others wait.
        Ok(held.into_iter().map(|parked| Parked { number: 0, ..parked }).collect())
    }

    /// Deliveries of this user's events that failed for good, the oldest first, without their places in the
    /// log. Takes as long as there are letters of everybody.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        let (mut after, mut own) = (0, Vec::new());
        loop {
            let page = self.kernel.bus.dead_letters(after, LETTERS).await?;
            let last = page.last().map(|last| last.position).filter(|_| page.len() == LETTERS);
            let mine = page.into_iter().filter(|letter| letter.event.user_id == self.user);
            own.extend(mine.map(|letter| DeadLetter { position: 0, sequence: 0, ..letter }));
            match last {
                Some(last) if own.len() < limit => after = last,
                _ => break,
            }
        }
        own.truncate(limit);
        Ok(own)
    }

    /// The ledger of one of this user's causal trees, without its places in the log.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn lease(&self, root: &EventId) -> Result<Option<Lease>> {
        let lease = self.kernel.bus.lease(&self.user, root).await?;
        // Where it stands in the log would tell how much others write.
        let own = lease.filter(|lease| lease.user == self.user);
        Ok(own.map(|lease| Lease { first: 0, last: 0, ..lease }))
    }

    /// Cancels one of this user's causal trees; see [`Processor::cancel`](crate::Processor::cancel).
    ///
    /// # Errors
    /// `NotFound`: this user has no tree with work and this root.
    pub async fn cancel(&self, root: &EventId) -> Result<usize> {
        if self.lease(root).await?.is_none() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("no causal tree with work has the root {root}"),
            ));
        }
        self.kernel.cancel(&self.user, root).await
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("user", &self.user).finish_non_exhaustive()
    }
}

/// One user's signals, as they come; one that listens too slowly misses some.
#[derive(Debug)]
pub struct Signals {
    receiver: broadcast::Receiver<Signal>,
    stop: CancellationToken,
    user: Name,
}

impl Signals {
    /// The next one; `None` when the processor has stopped.
    pub async fn next(&mut self) -> Option<Signal> {
        loop {
            let received = tokio::select! {
                biased;
                received = self.receiver.recv() => received,
                () = self.stop.cancelled() => return None,
            };
            match received {
                Ok(signal) if signal.user == self.user => return Some(signal),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
