//! The universal event processor. Its five steps are five files: [`accept`], [`authorize`], [`route`],
//! [`handle`], [`settle`]; around them stand the queue of each driver, timers, recovery and the operator's
//! calls.

mod accept;
mod ancestors;
mod authorize;
mod builder;
mod cancel;
mod check;
mod chores;
mod dispatch;
mod due;
mod eager;
mod emit;
mod flow;
mod handle;
mod held;
mod introduce;
mod lane;
mod letter;
mod look;
mod meters;
mod observers;
mod operate;
mod outputs;
mod publish;
mod recover;
mod registry;
mod request;
mod retry;
mod route;
mod settle;
mod shutdown;
mod tenant;
mod timers;
mod unclaimed;

pub use builder::{Orphans, ProcessorBuilder};
pub(crate) use cancel::Cancellation;
pub use emit::EmitOptions;
pub(crate) use observers::Observed;
pub use operate::{DriverStatus, Letters};
pub use retry::RetryPolicy;
pub use tenant::{Signals, Tenant};

use crate::bus::{EventBus, EventStream, Start};
use crate::event::IdSource;
use crate::{
    Actor, Authorizer, Backend, Clock, Context, ContextStore, Error, ErrorKind, Event, EventFilter, EventId,
    IntoEvent, Limits, Name, Origin, Payload, Result, Signal,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Everything that the parts of a processor share.
pub(crate) struct Kernel {
    bus: Arc<dyn EventBus>,
    store: Option<Arc<dyn ContextStore>>,
    /// Whether one commit covers the bus and the store.
    together: bool,
    /// How long an outbox keeps its marks, and how many of them were made.
    done_marks: Duration,
    published: AtomicUsize,
    clock: Arc<dyn Clock>,
    ids: IdSource,
    authorizers: Vec<Arc<dyn Authorizer>>,
    policy_timeout: Duration,
    limits: Option<Box<Limits>>,
    retry: RetryPolicy,
    orphan_policy: Orphans,
    max_event_bytes: usize,
    room: registry::Room,
    routes: RwLock<Arc<route::RouteTable>>,
    registering: tokio::sync::Mutex<()>,
    /// Dead letters are taken, or a driver comes whose keys they block: one after the other.
    letters: tokio::sync::Mutex<()>,
    /// The drivers that the log has seen.
    known: Mutex<BTreeSet<Name>>,
    cancellation: Arc<Cancellation>,
    waiters: request::Waiters,
    ancestors: ancestors::Ancestors,
    signals: broadcast::Sender<Signal>,
    observers: observers::Observers,
    orphans: Mutex<BTreeMap<Name, u64>>,
    spread: Mutex<fastrand::Rng>,
    /// Something that is held may be free to go on, and is not on its way.
    freed: Notify,
    /// Nothing is dispatched while this is set.
    paused: AtomicBool,
    /// Suspects run alone, one by one, before normal work begins.
    quarantine: recover::Quarantine,
    /// No event from outside is taken any more.
    closing: AtomicBool,
    /// Ends the loops.
    stop: CancellationToken,
    /// The place on the bus was given up.
    left: AtomicBool,
    tasks: TaskTracker,
}

/// A running processor: the application's (the operator's) handle. Cheap to clone; when the last clone is
/// dropped without [`Processor::shutdown`], the work stops where it stands, as if the process had died.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::prelude::*;
/// use vextir::{MemoryBus, Processor};
///
/// struct Echo;
///
/// #[vextir::async_trait]
/// impl Driver for Echo {
///     fn manifest(&self) -> Manifest {
///         Manifest::new("echo").handles("ping")
///     }
///     async fn handle_event(&self, event: Event, _cx: &Ctx) -> HandlerResult {
///         Ok(vec![Event::new("pong").with_data(event.data.clone())])
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> vextir::Result<()> {
/// let app = Processor::builder(MemoryBus::new()).driver(Echo).start().await?;
/// let outputs = app.process_event(Event::new("ping").with_data(json!(1))).await?;
/// assert_eq!(outputs[0].event_type, "pong");
/// app.shutdown().await
/// # }
/// ```
///
/// # Observing
///
/// Each step is a [`tracing`](https://docs.rs/tracing) span: `accept`, `authorize`, `route`, `settle` at level
/// debug, `handle` at level info, with the ids of the event and of its causal tree. An eager driver's event is handled
/// and settled before it is stored: if that is refused, its spans are there all the same. Through the
/// [`metrics`](https://docs.rs/metrics) facade (install a recorder before the processor is built):
///
/// | metric | kind | labels | counts |
/// |---|---|---|---|
/// | `vextir_events_accepted_total` | counter | | events from outside that were stored |
/// | `vextir_events_refused_total` | counter | `step` | events that a step refused to their emitter |
/// | `vextir_orphans_total` | counter | | events that no driver handles |
/// | `vextir_deliveries_total` | counter | `driver`, `outcome` (done, retried, dead) | attempts, by their end |
/// | `vextir_handle_seconds` | histogram | `driver` | how long handlers took, in seconds |
#[derive(Clone)]
pub struct Processor {
    kernel: Arc<Kernel>,
    /// Stops the loops when the last handle goes.
    _alive: Arc<Alive>,
}

/// A processor's place on its bus, from the moment it was taken: who drops it leaves, in order or not.
struct Alive(Arc<Kernel>);

impl Drop for Alive {
    fn drop(&mut self) {
        let kernel = &self.0;
        kernel.closing.store(true, std::sync::atomic::Ordering::Release);
        kernel.halt();
        kernel.cancellation.cancel_all();
        kernel.abandon();
    }
}

impl Processor {
    /// Begins to build a processor on a bus (and its context store).
    pub fn builder(backend: impl Backend) -> ProcessorBuilder {
        ProcessorBuilder::new(&backend)
    }

    /// Emits an event, or a payload, as user `local` unless it names another. Durable (on a durable bus) when
    /// it returns. Waits while the backlog is full.
    ///
    /// # Errors
    /// `Invalid`: it breaks a rule, with place and expected type. `Denied`: policy. `Conflict`: its id is in
    /// use with other content. `Unavailable`: the back end failed. `Closed`: shut down.
    pub async fn emit<E: IntoEvent>(&self, event: E) -> Result<EventId> {
        self.kernel.emit_one(Origin::Operator, event, EmitOptions::default(), true).await
    }

    /// As [`Processor::emit`], but says `Busy` instead of waiting.
    ///
    /// # Errors
    /// As [`Processor::emit`], and `Busy`.
    pub async fn try_emit<E: IntoEvent>(&self, event: E) -> Result<EventId> {
        self.kernel.emit_one(Origin::Operator, event, EmitOptions::default(), false).await
    }

    /// Emits with a key of your own or limits for what the event causes.
    ///
    /// # Errors
    /// As [`Processor::emit`].
    pub async fn emit_with<E: IntoEvent>(&self, event: E, options: EmitOptions) -> Result<EventId> {
        self.kernel.emit_one(Origin::Operator, event, options, true).await
    }

    /// Emits a batch in one commit: all of it or nothing.
    ///
    /// # Errors
    /// As [`Processor::emit`].
    pub async fn emit_all(&self, events: Vec<Event>) -> Result<Vec<EventId>> {
        self.kernel.emit_many(Origin::Operator, events).await
    }

    /// Emits an event and waits for the first `R` that it causes, at any distance. Thirty seconds at most.
    ///
    /// # Errors
    /// As [`Processor::emit`]; `Failed`: a handler failed for good; `NoAnswer`: everything that the event
    /// caused has ended; `Held`: it waits for a person; `Cancelled`; `Timeout`.
    pub async fn request<R: Payload>(&self, event: impl IntoEvent) -> Result<R> {
        self.kernel.request(Origin::Operator, event, request::TIMEOUT).await
    }

    /// As [`Processor::request`], with a limit of your own.
    ///
    /// # Errors
    /// As [`Processor::request`].
    pub async fn request_within<R: Payload>(&self, limit: Duration, event: impl IntoEvent) -> Result<R> {
        self.kernel.request(Origin::Operator, event, limit).await
    }

    /// Runs one event to its end, and returns everything that it caused, in log order: for a function host,
    /// which must not return before the work is done. Events that were delayed or held are not waited for.
    ///
    /// # Errors
    /// As [`Processor::emit`]. A failing handler is no error here: its `error` event is among the outputs.
    pub async fn process_event(&self, event: impl IntoEvent) -> Result<Vec<Event>> {
        self.kernel.process(Origin::Operator, event).await
    }

    /// Subscribes to all users' events from now on.
    ///
    /// # Errors
    /// A bad pattern.
    pub async fn subscribe<F>(&self, filter: F) -> Result<EventStream>
    where
        F: TryInto<EventFilter, Error: Into<Error>>,
    {
        self.subscribe_from(filter, Start::Now).await
    }

    /// Subscribes from a place in the log.
    ///
    /// # Errors
    /// A bad pattern; `NotFound`: the event to start after is not in the log; `Invalid`: the cursor is of
    /// another log.
    pub async fn subscribe_from<F>(&self, filter: F, start: Start) -> Result<EventStream>
    where
        F: TryInto<EventFilter, Error: Into<Error>>,
    {
        let filter = filter.try_into().map_err(Into::into)?;
        self.kernel.warn_of_deaf(&filter);
        self.kernel.stream(filter, start).await
    }

    /// What running handlers send while they run. Not logged; a receiver that lags misses some.
    #[must_use]
    pub fn signals(&self) -> broadcast::Receiver<Signal> {
        self.kernel.signals.subscribe()
    }

    /// The handle of one tenant: emits and sees only its own. Servers use only this.
    #[must_use]
    pub fn as_user(&self, user: impl Into<Name>) -> Tenant {
        Tenant::new(self.kernel.clone(), user.into())
    }

    /// The documents of a user.
    #[must_use]
    pub fn context(&self, user: impl Into<Name>) -> Context {
        Context::of(self.kernel.store.clone(), Actor::user(user))
    }

    /// The bus that the processor runs on.
    #[must_use]
    pub fn bus(&self) -> Arc<dyn EventBus> {
        self.kernel.bus.clone()
    }

    /// The context store, where the back end has one.
    #[must_use]
    pub fn store(&self) -> Option<Arc<dyn ContextStore>> {
        self.kernel.store.clone()
    }
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processor").field("bus", &self.kernel.bus).finish_non_exhaustive()
    }
}

impl Kernel {
    async fn stream(&self, filter: EventFilter, start: Start) -> Result<EventStream> {
        let observed = self.observers.note(&filter);
        Ok(EventStream::open(self.bus.clone(), filter, start)
            .await?
            .observing(observed)
            .until(self.stop.clone())
            .with_clock(self.clock.clone()))
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the processor was shut down")
}
