//! Building and starting a processor.

use super::held::ended;
use super::observers::Observers;
use super::recover::{Quarantine, lock};
use super::registry::{Registered, Room, with_driver};
use super::request::Waiters;
use super::route::RouteTable;
use super::shutdown::GRACE;
use super::{Alive, Cancellation, Kernel, Processor, RetryPolicy};
use crate::bus::{Attachment, EventBus};
use crate::event::{IdSource, MAX_EVENT_BYTES};
use crate::{Authorizer, Backend, Clock, ContextStore, Driver, Limits, Provenance, Result, SystemClock};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What is done about an event that no driver handles. Events of the category `output` are no orphans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Orphans {
    /// Stored, counted ([`Processor::orphans`]), and logged once for each type.
    #[default]
    Report,
    /// Refused to who emits it from outside, counted, and not stored. An orphan that a handler emits, that was
    /// delayed, or that went to the bus directly is reported: there is nobody to refuse it to.
    Refuse,
}

/// Builds a [`Processor`].
#[must_use = "nothing runs before start()"]
pub struct ProcessorBuilder {
    bus: Arc<dyn EventBus>,
    store: Option<Arc<dyn ContextStore>>,
    together: bool,
    done_marks: Duration,
    drivers: Vec<(Arc<dyn Driver>, Provenance)>,
    authorizers: Vec<Arc<dyn Authorizer>>,
    policy_timeout: Duration,
    clock: Arc<dyn Clock>,
    limits: Option<Box<Limits>>,
    retry: RetryPolicy,
    orphans: Orphans,
    max_event_bytes: usize,
    room: Room,
    paused: bool,
    seed: Option<u64>,
}

impl ProcessorBuilder {
    pub(super) fn new(backend: &impl Backend) -> Self {
        Self {
            bus: backend.bus(),
            store: backend.store(),
            together: backend.commits_together(),
            done_marks: Duration::from_secs(7 * 24 * 60 * 60),
            drivers: Vec::new(),
            authorizers: Vec::new(),
            policy_timeout: Duration::from_secs(5),
            clock: Arc::new(SystemClock),
            limits: None,
            retry: RetryPolicy::default(),
            orphans: Orphans::default(),
            max_event_bytes: MAX_EVENT_BYTES,
            room: Room { queue: 10_000, memory: None },
            paused: false,
            seed: None,
        }
    }

    /// Adds a driver of the application's own.
    pub fn driver(mut self, driver: impl Driver) -> Self {
        self.drivers.push((Arc::new(driver), Provenance::Application));
        self
    }

    /// Adds a driver that came from a pack or a document: events for a capability that acts outside reach it
    /// only where a policy grants it ([`Authorizer::grants`]).
    pub fn installed_driver(mut self, driver: impl Driver) -> Self {
        self.drivers.push((Arc::new(driver), Provenance::Installed));
        self
    }

    /// Adds a context store of another system, instead of the back end's own. If it has an
    /// [outbox](crate::context::Outbox), as every `Hub` has, what a handler writes is committed there, with what it
    /// emits, and then published on the bus: exactly once, also over a crash. Of a tree that is cancelled in that moment
    /// the writes may stay. Without an outbox handlers only read it, and what they write is refused.
    pub fn store(mut self, store: Arc<dyn ContextStore>) -> Self {
        (self.store, self.together) = (Some(store), false);
        self
    }

    /// How long such a store remembers what was published, so that a bus which delivers it again is not handled
    /// twice. Longer than the bus may do that; 7 days by default.
    pub fn done_marks(mut self, horizon: Duration) -> Self {
        self.done_marks = horizon;
        self
    }

    /// Adds a policy. Of several, the strictest verdict holds.
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizers.push(Arc::new(authorizer));
        self
    }

    /// How long a policy may take for one answer, on the processor's clock. 5 s by default. One that takes
    /// longer counts as failed: the event is denied.
    pub fn policy_timeout(mut self, limit: Duration) -> Self {
        self.policy_timeout = limit;
        self
    }

    /// Takes all time from this clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// What each causal tree may use, unless its root says otherwise. Without it, what the bus says
    /// ([`BusLimits`](crate::BusLimits)); a user's event may then ask for as much as [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(Box::new(limits));
        self
    }

    /// How failed attempts are spaced.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// What is done about events that nobody handles.
    pub fn orphans(mut self, policy: Orphans) -> Self {
        self.orphans = policy;
        self
    }

    /// The largest payload, in bytes of JSON text. 1 MiB by default.
    pub fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = bytes;
        self
    }

    /// How many deliveries of one driver wait in memory; more wait in the log's tables. 10,000 by default.
    /// As many again may stand behind busy ordering keys, and of more of those the place alone is kept in memory.
    /// An event of a higher priority than what waits in the tables goes ahead of it, a quarter as many of them at a
    /// time; one with an ordering key keeps its place.
    pub fn queue_capacity(mut self, deliveries: usize) -> Self {
        self.room.queue = deliveries.max(1);
        self
    }

    /// How much memory the calls of one driver may need at a time, in bytes. A driver whose manifest says how much
    /// a call needs ([`Manifest::with_memory`](crate::Manifest::with_memory)) then runs no more calls than fit;
    /// one of which a single call does not fit is refused. No limit by default. The kernel takes the driver's word
    /// for it: nothing in the process enforces it.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.room.memory = Some(bytes);
        self
    }

    /// Starts paused: look at what waits, then [`Processor::resume`].
    pub fn paused(mut self) -> Self {
        self.paused = true;
        self
    }

    /// Makes ids and jitter repeatable, for simulations. Give each start on a log another seed: the same seed
    /// makes the same ids again.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Starts it: when this returns, the drivers are started, what an earlier run left is recovered, and
    /// events are taken.
    ///
    /// # Errors
    /// `Invalid`: a manifest breaks a rule. `Conflict`: two drivers have one id. `Locked`: another processor
    /// runs on this bus. Whatever a driver's `start` says.
    pub async fn start(self) -> Result<Processor> {
        let mut drivers = Vec::new();
        for (driver, provenance) in self.drivers.into_iter().chain(built_in()) {
            let new = Arc::new(Registered::new(driver, provenance, self.room)?);
            drivers = with_driver(&drivers, new)?;
        }
        let kernel = Arc::new(Kernel {
            bus: self.bus,
            store: self.store,
            together: self.together,
            done_marks: self.done_marks,
            published: AtomicUsize::new(0),
            clock: self.clock,
            ids: IdSource::new(self.seed),
            authorizers: self.authorizers,
            policy_timeout: self.policy_timeout,
            limits: self.limits,
            retry: self.retry,
            orphan_policy: self.orphans,
            max_event_bytes: self.max_event_bytes,
            room: self.room,
            routes: RwLock::new(Arc::new(RouteTable::new(drivers.clone()))),
            registering: tokio::sync::Mutex::default(),
            letters: tokio::sync::Mutex::default(),
            known: Mutex::default(),
            cancellation: Arc::new(Cancellation::default()),
            waiters: Waiters::default(),
            ancestors: super::ancestors::Ancestors::default(),
            signals: broadcast::Sender::new(1_024),
            observers: Observers::default(),
            orphans: Mutex::default(),
            spread: Mutex::new(self.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed)),
            freed: Notify::new(),
            paused: AtomicBool::new(self.paused),
            quarantine: Quarantine::default(),
            closing: AtomicBool::new(false),
            stop: CancellationToken::new(),
            left: AtomicBool::new(false),
            tasks: TaskTracker::new(),
        });
        let (alive, attachment) = kernel.clone().attach().await?;
        if let Err(error) = kernel.clone().begin(&drivers, &attachment).await {
            kernel.halt();
            kernel.stop_drivers(&drivers, GRACE).await;
            // Nothing has run: the next start finds what this one found.
            if !attachment.unclean
                && let Err(failed) = kernel.detach().await
            {
                tracing::error!(error = %failed, "the bus was not left in order");
            }
            return Err(error);
        }
        Ok(Processor { kernel, _alive: Arc::new(alive) })
    }
}

/// What every processor has.
fn built_in() -> impl Iterator<Item = (Arc<dyn Driver>, Provenance)> {
    #[cfg(feature = "schedule")]
    let drivers: [Arc<dyn Driver>; 1] = [Arc::new(crate::schedule::Scheduler)];
    #[cfg(not(feature = "schedule"))]
    let drivers: [Arc<dyn Driver>; 0] = [];
    drivers.into_iter().map(|driver| (driver, Provenance::Application))
}

impl fmt::Debug for ProcessorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessorBuilder").field("bus", &self.bus).finish_non_exhaustive()
    }
}

impl Kernel {
    /// In a task of its own: if nobody waits for the place any more, it is given up.
    async fn attach(self: Arc<Self>) -> Result<(Alive, Attachment)> {
        let attach = async move {
            let attachment = self.bus.attach().await?;
            Ok((Alive(self), attachment))
        };
        ended(tokio::spawn(attach)).await
    }

    async fn begin(self: Arc<Self>, drivers: &[Arc<Registered>], attachment: &Attachment) -> Result<()> {
        lock(&self.known).extend(attachment.drivers.iter().map(|known| known.id.clone()));
        self.publish_left().await?;
        self.recover(drivers, attachment).await?;
        for driver in drivers {
            self.introduce(driver).await?;
            self.start_driver(driver, false).await?;
        }
        self.catch_up(drivers).await?;
        // Nothing fails and nothing is waited for any more.
        self.run_loops();
        self.begin_work();
        Ok(())
    }
}
