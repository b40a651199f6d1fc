//! The way in: accept, authorize, route, and one commit for it all.

use super::authorize::{Ruling, audit_of, refuse_denied};
use super::route::RouteTable;
use super::{Kernel, Orphans, Processor, closed, meters};
use crate::bus::{
    Append, Appended, Checkpoint, Command, Entry, Hold, Place, Receipt, commit_when_there_is_room,
};
use crate::{
    AuditRecord, Category, Error, ErrorKind, Event, EventId, IntoEvent, Limits, Name, Origin, Result,
    Verdict, driver::Inlet,
};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
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

    /// What the event and all that it causes may use.
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
        // Kept until the commit: a driver that is being registered waits for what was routed without it.
        let routes = self.routes();
        let mut entries = Vec::with_capacity(emissions.len());
        let mut audit = Vec::new();
        for emission in emissions {
            let (entry, record) = self.admit(&origin, emission).await?;
            entries.push(entry);
            audit.extend(record);
        }
        if routes.has_eager() {
            Box::pin(self.run_eager(&mut entries)).await;
        }
        let append = Arc::new(Append { entries, checkpoints, audit });
        let receipt = self.commit_append(&append, wait).await?;
        self.conclude_eager(&routes, &append.entries, &receipt);
        drop(routes);
        meters::accepted(receipt.appended.iter().filter(|appended| appended.fresh).count());
        Ok(receipt)
    }

    /// After the commit, for the deliveries that were settled in it.
    fn conclude_eager(&self, routes: &RouteTable, entries: &[Entry], receipt: &Receipt) {
        for (entry, appended) in entries.iter().zip(&receipt.appended) {
            for settlement in &entry.eager {
                self.announce(settlement, receipt);
                let settled = appended.fresh && !appended.parked;
                if let Some(driver) = routes.driver(&settlement.delivery.driver).filter(|_| settled) {
                    driver.meters.done();
                }
            }
        }
    }

    /// Commits; waits for room if `wait`, and if the processor does not stop meanwhile.
    async fn commit_append(&self, append: &Arc<Append>, wait: bool) -> Result<Receipt> {
        match self.bus.commit(Command::Append(append.clone())).await {
            Err(error) if wait && error.kind() == ErrorKind::Busy => {
                let commit = commit_when_there_is_room(&*self.bus, Command::Append(append.clone()));
                Box::pin(self.stop.run_until_cancelled(commit)).await.ok_or_else(closed)?
            }
            answer => answer,
        }
    }

    /// Accept, authorize, route for one event from outside.
    async fn admit(&self, origin: &Origin, emission: Emission) -> Result<(Entry, Option<AuditRecord>)> {
        let Emission { event, typed, minted, options } = emission;
        let accepted = self.accept(event, origin, typed).inspect_err(|_| meters::refused("accept"))?;
        let event = accepted.event;
        let delayed = event.deliver_at.is_some_and(|at| at > self.clock.now());
        let targets = self.targets(&event.event_type);
        let Ruling { verdict, targets } = self.authorize(&event, origin, targets, false).await;
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

/// The source of the kernel's own events.
pub(super) const KERNEL: &str = "vextir";

/// Whether the kernel itself emitted it, about its work: such events draw on no lease and cause no error event.
pub(super) fn is_kernels_own(event: &Event) -> bool {
    event.source == KERNEL
}

pub(super) fn first(receipt: Receipt) -> Result<Appended> {
    let missing = || Error::new(ErrorKind::Unavailable, "the bus did not say where the event went");
    receipt.appended.into_iter().next().ok_or_else(missing)
}

/// A watching driver's way in. It does not keep the processor alive.
pub(super) struct WatcherInlet(Weak<Kernel>);

impl WatcherInlet {
    pub(super) fn new(kernel: &Arc<Kernel>) -> Self {
        Self(Arc::downgrade(kernel))
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
        let kernel = self.0.upgrade().ok_or_else(closed)?;
        let emit = |event| Emission::of(event, EmitOptions::default());
        let emissions = events.into_iter().map(emit).collect::<Result<Vec<_>>>()?;
        let receipt = kernel.emit(origin, emissions, checkpoints, true).await?;
        Ok(receipt.appended.into_iter().map(|appended| appended.id).collect())
    }

    async fn checkpoints(&self, driver: &Name, after: &str, limit: usize) -> Result<Vec<Checkpoint>> {
        self.0.upgrade().ok_or_else(closed)?.bus.checkpoints(driver, after, limit).await
    }
}

impl Processor {
    /// Events that no driver handled, counted by type since the start. At most 1,000 types.
    #[must_use]
    pub fn orphans(&self) -> BTreeMap<Name, u64> {
        self.kernel.orphans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
