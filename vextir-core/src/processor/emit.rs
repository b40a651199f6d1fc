//! The way in: accept, authorize, route, and one commit for it all.

use super::authorize::{Ruling, audit_of, refuse_denied};
use super::route::RouteTable;
use super::{Kernel, Orphans, Processor, closed, meters};
use crate::bus::{Append, Appended, Checkpoint, Command, Entry, Hold, Place, Receipt, room};
use crate::notice::is_kernels_own;
use crate::{
    AuditRecord, Category, Error, ErrorKind, Event, EventId, IntoEvent, Limits, Name, Origin, Result,
    Verdict, driver::Inlet,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, Weak};

/// How many types of orphans are told apart.
const ORPHAN_TYPES: usize = 1_000;

/// What an emitter may add to an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmitOptions {
    key: Option<Name>,
    limits: Option<Box<Limits>>,
}

impl EmitOptions {
    /// No options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores at most one event for each user and key: the same call again answers with the first one's id.
    /// The key lives as long as the log's retention.
    #[must_use]
    pub fn key(mut self, key: impl Into<Name>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// What the event and all that it causes may use, instead of what the processor allows
    /// ([`ProcessorBuilder::limits`](crate::ProcessorBuilder::limits)). A user who asks for more needs a policy's
    /// grant ([`Authorizer::grants_limits`](crate::Authorizer::grants_limits)).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(Box::new(limits));
        self
    }
}

/// An event on its way in.
pub(super) struct Emission {
    pub(super) event: Event,
    /// Valid by construction for its type.
    pub(super) typed: bool,
    /// The kernel made the id just now.
    pub(super) minted: bool,
    pub(super) options: EmitOptions,
}

impl Emission {
    pub(super) fn of<E: IntoEvent>(event: E, options: EmitOptions) -> Result<Self> {
        Ok(Self { event: event.into_event()?, typed: E::TYPED, minted: false, options })
    }

    /// What was admitted already, once more.
    fn again(entry: &Entry, typed: bool) -> Self {
        let options = EmitOptions { key: entry.key.clone(), limits: entry.limits.clone() };
        Self { event: entry.event.clone(), typed, minted: entry.minted, options }
    }
}

impl Kernel {
    pub(super) async fn emit_one<E: IntoEvent>(
        self: &Arc<Self>,
        origin: Origin,
        event: E,
        options: EmitOptions,
        wait: bool,
    ) -> Result<EventId> {
        let emission = Emission::of(event, options)?;
        let receipt = self.emit(origin, vec![emission], Vec::new(), wait).await?;
        first(receipt).map(|appended| appended.id)
    }

    pub(super) async fn emit_many(
        self: &Arc<Self>,
        origin: Origin,
        events: Vec<Event>,
    ) -> Result<Vec<EventId>> {
        let emit = |event| Emission::of(event, EmitOptions::default());
        let emissions = events.into_iter().map(emit).collect::<Result<Vec<_>>>()?;
        let receipt = self.emit(origin, emissions, Vec::new(), true).await?;
        Ok(receipt.appended.into_iter().map(|appended| appended.id).collect())
    }

    /// One event's path from outside into the log.
    pub(super) async fn emit(
        self: &Arc<Self>,
        origin: Origin,
        emissions: Vec<Emission>,
        checkpoints: Vec<Checkpoint>,
        wait: bool,
    ) -> Result<Receipt> {
        if self.closing.load(Ordering::Acquire) {
            return Err(closed());
        }
        let typed = emissions.iter().all(|emission| emission.typed);
        // Kept until the commit: a driver that is being registered waits for what was routed without it.
        let routes = self.routes();
        let append = self.admit_all(&routes, &origin, emissions, checkpoints).await?;
        let (append, receipt) = match self.bus.commit(Command::Append(append.clone())).await {
            Err(error) if wait && error.kind() == ErrorKind::Busy => {
                Box::pin(self.append_when_there_is_room(routes, &origin, append, typed)).await?
            }
            answer => (append, answer?),
        };
        self.conclude_eager(&append.entries, &receipt);
        self.go_on_if(&receipt);
        self.tell_others(&receipt);
        meters::accepted(receipt.appended.iter().filter(|appended| appended.fresh).count());
        Ok(receipt)
    }

    /// Waits for room, unless the processor stops meanwhile. What was routed by a list of drivers that is not
    /// the present one any more is accepted, authorized and routed anew.
    async fn append_when_there_is_room(
        self: &Arc<Self>,
        mut routes: Arc<RouteTable>,
        origin: &Origin,
        mut append: Arc<Append>,
        typed: bool,
    ) -> Result<(Arc<Append>, Receipt)> {
        let mut status = self.bus.status();
        loop {
            match self.bus.commit(Command::Append(append.clone())).await {
                Err(error) if error.kind() == ErrorKind::Busy => {}
                answer => return Ok((append, answer?)),
            }
            // Not kept while it waits: the driver that makes room may be the one that waits for the table.
            let before = Arc::downgrade(&routes);
            drop(routes);
            self.stop.run_until_cancelled(room(&mut status)).await.ok_or_else(closed)??;
            routes = self.routes();
            if before.as_ptr() != Arc::as_ptr(&routes) {
                let emissions = append.entries.iter().map(|entry| Emission::again(entry, typed)).collect();
                append = self.admit_all(&routes, origin, emissions, append.checkpoints.clone()).await?;
            }
        }
    }

    /// Accept, authorize, route for what is emitted in one commit, and the eager handlers.
    async fn admit_all(
        self: &Arc<Self>,
        routes: &RouteTable,
        origin: &Origin,
        emissions: Vec<Emission>,
        checkpoints: Vec<Checkpoint>,
    ) -> Result<Arc<Append>> {
        let mut entries = Vec::with_capacity(emissions.len());
        let mut audit = Vec::new();
        for emission in emissions {
            let (entry, record) = self.admit(routes, origin, emission).await?;
            entries.push(entry);
            audit.extend(record);
        }
        if routes.has_eager() {
            Box::pin(self.run_eager(routes, &mut entries)).await;
        }
        Ok(Arc::new(Append { entries, checkpoints, audit }))
    }

    /// After the commit, for the deliveries that were settled in it.
    fn conclude_eager(&self, entries: &[Entry], receipt: &Receipt) {
        for (entry, appended) in entries.iter().zip(&receipt.appended) {
            for settlement in &entry.eager {
                self.announce(settlement, receipt);
                if appended.fresh
                    && !appended.parked
                    && let Some(driver) = self.routes().driver(&settlement.delivery.driver)
                {
                    driver.meters.done();
                }
            }
        }
    }

    /// Accept, authorize, route for one event from outside.
    async fn admit(
        &self,
        routes: &RouteTable,
        origin: &Origin,
        emission: Emission,
    ) -> Result<(Entry, Option<AuditRecord>)> {
        let Emission { event, typed, minted, options } = emission;
        let accepted =
            self.accept(routes, event, origin, typed).inspect_err(|_| meters::refused("accept"))?;
        let event = accepted.event;
        let delayed = event.deliver_at.is_some_and(|at| at > self.clock.now());
        let targets = routes.targets(&event.event_type);
        let Ruling { mut verdict, targets } = self.authorize(&event, origin, targets, false).await;
        if let (Some(asked), false) = (options.limits.as_deref(), matches!(verdict, Verdict::Deny(_)))
            && let Some(decision) = self.authorize_limits(&event, origin, &targets, asked).await
        {
            verdict = Verdict::Deny(decision);
        }
        let record = audit_of(&event, &verdict);
        if let Err(denied) = refuse_denied(&event, &verdict) {
            meters::refused("authorize");
            self.bus.commit(Command::Audit(record.into_iter().collect())).await?;
            return Err(denied);
        }
        // A delayed event is authorized again, and routed, when it falls due.
        let place = if delayed && !matches!(verdict, Verdict::Hold(_)) {
            Place::Parked(Hold::Delayed, None)
        } else {
            self.refuse_orphan(&event, targets.is_empty())?;
            self.route(&event, &verdict, &targets)
        };
        let mut entry = Entry::new(event, place);
        entry.minted = minted || accepted.minted;
        entry.policy = record.as_ref().map(|record| record.decision.policy.clone());
        entry.origin = Some(origin.clone());
        entry.key = options.key;
        entry.limits = options.limits.or_else(|| self.limits.clone());
        Ok((entry, record))
    }

    fn refuse_orphan(&self, event: &Event, orphan: bool) -> Result<()> {
        if orphan && self.orphan_policy == Orphans::Refuse && event.category != Category::Output {
            self.note_orphan(event);
            meters::refused("route");
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("{}: no driver handles this type; register one, or check the name", event.event_type),
            ));
        }
        Ok(())
    }

    /// Counts an event that nobody handles; says so once for each type.
    pub(super) fn note_orphan(&self, event: &Event) {
        if event.category == Category::Output || is_kernels_own(event) {
            return;
        }
        meters::orphan();
        let mut orphans = self.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = orphans.get_mut(&event.event_type) {
            *count += 1;
        } else if orphans.len() < ORPHAN_TYPES {
            tracing::warn!(event_type = %event.event_type, "no driver handles this type of event");
            orphans.insert(event.event_type.clone(), 1);
        }
    }

    pub(super) fn warn_of_deaf(&self, filter: &crate::EventFilter) {
        let routes = self.routes();
        for pattern in filter.patterns().iter().filter(|pattern| !pattern.is_exact()) {
            if routes.matches_nothing_known(pattern) {
                tracing::warn!(%pattern, "the pattern matches nothing that a registered driver handles or emits");
            }
        }
    }
}

pub(super) fn first(receipt: Receipt) -> Result<Appended> {
    let missing = || Error::new(ErrorKind::Unavailable, "the bus did not say where the event went");
    receipt.appended.into_iter().next().ok_or_else(missing)
}

/// A watching driver's way in. It does not keep the processor alive.
pub(super) struct WatcherInlet {
    kernel: Weak<Kernel>,
    /// Not while the driver starts and no driver works yet: it would wait for itself.
    waits: AtomicBool,
}

impl WatcherInlet {
    pub(super) fn new(kernel: &Arc<Kernel>, waits: bool) -> Self {
        Self { kernel: Arc::downgrade(kernel), waits: AtomicBool::new(waits) }
    }

    /// The driver has started: from now on somebody makes room, or will.
    pub(super) fn started(&self) {
        self.waits.store(true, Ordering::Release);
    }

    fn kernel(&self) -> Result<Arc<Kernel>> {
        self.kernel.upgrade().ok_or_else(closed)
    }
}

#[async_trait]
impl Inlet for WatcherInlet {
    async fn emit(
        &self,
        origin: Origin,
        events: Vec<Event>,
        checkpoints: Vec<Checkpoint>,
    ) -> Result<Vec<EventId>> {
        let (kernel, wait) = (self.kernel()?, self.waits.load(Ordering::Acquire));
        let emit = |event| Emission::of(event, EmitOptions::default());
        let emissions = events.into_iter().map(emit).collect::<Result<Vec<_>>>()?;
        let answer = kernel.emit(origin, emissions, checkpoints, wait).await;
        let receipt = answer.map_err(|error| match error.kind() {
            ErrorKind::Busy => {
                error.context("no driver works before all have started; emit in a task of its own")
            }
            _ => error,
        })?;
        Ok(receipt.appended.into_iter().map(|appended| appended.id).collect())
    }

    async fn checkpoints(&self, driver: &Name, after: &str, limit: usize) -> Result<Vec<Checkpoint>> {
        self.kernel()?.bus.checkpoints(driver, after, limit).await
    }
}

impl Processor {
    /// Events that no driver handled, counted by type since the start. At most 1,000 types.
    #[must_use]
    pub fn orphans(&self) -> BTreeMap<Name, u64> {
        self.kernel.orphans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
