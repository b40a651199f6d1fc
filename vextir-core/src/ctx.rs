//! What a handler gets beside its event.

use crate::bus::{Delivery, Position};
use crate::context::Session;
use crate::processor::{Cancellation, Kernel};
use crate::{
    Actor, Change, Clock, Context, ContextStore, Data, Error, ErrorKind, Event, EventFilter, EventId,
    IntoEvent, Limits, Manifest, Name, Result, SystemClock, Timestamp,
};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// Ephemeral output of a running handler: streamed tokens, progress. Not logged, not guaranteed; who listens
/// too slowly misses some. The durable result is what the handler returns.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Signal {
    /// The user for whom the handler runs.
    pub user: Name,
    /// The driver that sends.
    pub driver: Name,
    /// The event that is handled.
    pub event: EventId,
    /// The root of its causal tree.
    pub root: EventId,
    /// What kind of signal, `token` or `progress` for example.
    pub name: Name,
    /// The content.
    pub data: Data,
}

/// A handler's context: who it works for, what it may emit and use, and when it has to stop.
///
/// Outputs and usage take effect when the delivery is settled, all together or not at all.
pub struct Ctx {
    event: Event,
    /// It and those that are handled together with it; empty if it is alone.
    batch: Vec<Event>,
    driver: Name,
    position: Position,
    attempt: u32,
    obligations: Option<Data>,
    clock: Arc<dyn Clock>,
    cancel: Arc<Cancellation>,
    signals: Option<broadcast::Sender<Signal>>,
    kernel: Option<Arc<Kernel>>,
    store: Option<Arc<dyn ContextStore>>,
    session: Arc<Session>,
    effects: Mutex<Effects>,
}

/// What a handler asked for while it ran.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) outputs: Vec<Emitted>,
    pub(crate) usage: Vec<(Name, u64)>,
    pub(crate) changes: Vec<Change>,
    /// Other trees of the user that are cancelled before the commit.
    pub(crate) cancelled: Vec<EventId>,
    /// Delayed events that are taken back.
    pub(crate) withdrawn: Vec<EventId>,
    /// Branches that are ended.
    pub(crate) unwanted: Vec<EventId>,
}

/// What a handler emits through its context.
#[derive(Debug, Clone)]
pub(crate) struct Emitted {
    pub(crate) event: Event,
    /// The driver is told when all that it causes is over.
    pub(crate) watched: bool,
    /// It is the root of a causal tree of its own, perhaps with limits of its own.
    pub(crate) planted: Option<Option<Box<Limits>>>,
}

impl From<Event> for Emitted {
    fn from(event: Event) -> Self {
        Self { event, watched: false, planted: None }
    }
}

impl Ctx {
    pub(crate) fn new(
        delivery: &Delivery,
        clock: Arc<dyn Clock>,
        cancel: Arc<Cancellation>,
        signals: broadcast::Sender<Signal>,
        kernel: Arc<Kernel>,
        store: Option<Arc<dyn ContextStore>>,
    ) -> Self {
        Self {
            event: delivery.event.clone(),
            batch: if delivery.batch.is_empty() {
                Vec::new()
            } else {
                delivery.all().map(|one| one.event.clone()).collect()
            },
            driver: delivery.driver.clone(),
            position: delivery.position,
            attempt: delivery.attempt + 1,
            obligations: delivery.obligations.clone(),
            clock,
            cancel,
            signals: Some(signals),
            kernel: Some(kernel),
            store,
            session: Arc::default(),
            effects: Mutex::default(),
        }
    }

    /// A context without a processor, to unit-test a handler.
    #[must_use]
    pub fn detached(event: &Event) -> Self {
        Self {
            event: event.clone(),
            batch: Vec::new(),
            driver: Name::literal("detached"),
            position: 0,
            attempt: 1,
            obligations: None,
            clock: Arc::new(SystemClock),
            cancel: Arc::default(),
            signals: None,
            kernel: None,
            store: None,
            session: Arc::default(),
            effects: Mutex::default(),
        }
    }

    /// For unit tests: with documents to read. What is written is in [`Ctx::changes`], and nowhere else.
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn ContextStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// The event that is handled.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The events that are handled by this call, in the order in which they came. One, unless the handler takes
    /// [batches](crate::Flow::batch): then the effects of the call are those of the first one, whose causal tree its outputs
    /// join, and whose ledger pays; they are committed with the end of all.
    #[must_use]
    pub fn batch(&self) -> &[Event] {
        if self.batch.is_empty() { std::slice::from_ref(&self.event) } else { &self.batch }
    }

    /// For unit tests: handles these together, the event of the context first.
    #[must_use]
    pub fn with_batch(mut self, others: impl IntoIterator<Item = Event>) -> Self {
        self.batch = std::iter::once(self.event.clone()).chain(others).collect();
        self
    }

    /// The user for whom the handler works.
    #[must_use]
    pub fn user(&self) -> &Name {
        &self.event.user_id
    }

    /// The driver's id.
    #[must_use]
    pub fn driver(&self) -> &Name {
        &self.driver
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The documents of the user for whom the handler works. Reads see a document as it was when it was first read
    /// here, and the handler's own writes; the writes are committed when the delivery is settled, with its outputs,
    /// or not at all. Rights are checked then.
    #[must_use]
    pub fn context(&self) -> Context {
        let actor = Actor::handler(&self.event, &self.driver);
        Context::in_session(self.store.clone(), actor, self.session.clone())
    }

    /// Emits an event when the delivery is settled, before those that the handler returns. Its cause is the
    /// handled event, unless it names another one of the same causal tree
    /// ([`Event::with_cause`]).
    ///
    /// # Errors
    /// The payload has no JSON form.
    pub fn emit<E: IntoEvent>(&self, event: E) -> Result<()> {
        let event = event.into_event()?;
        self.effects().outputs.push(event.into());
        Ok(())
    }

    /// As [`Ctx::emit`]. When everything that the event causes is over, this driver gets the event `branch.ended`
    /// ([`BranchEnded`](crate::BranchEnded)), with a handler's outputs and what they cause counted in: at once, if nobody
    /// handles it. What waits (delayed, held, without its driver) is not over. If a policy refuses the event, the
    /// answer says so. Nothing comes when the whole causal tree is cancelled. An event that was stored before, under its own
    /// id, is not stored again: its branch ends when it did, or at once if that is over.
    ///
    /// # Errors
    /// The payload has no JSON form.
    pub fn emit_branch<E: IntoEvent>(&self, event: E) -> Result<()> {
        let event = event.into_event()?;
        self.effects().outputs.push(Emitted { event, watched: true, planted: None });
        Ok(())
    }

    /// Takes back a delayed event that this driver emitted before for the same user, when the delivery is settled. Nothing
    /// happens if it does not wait any more.
    pub fn withdraw(&self, id: EventId) {
        self.effects().withdrawn.push(id);
    }

    /// Ends a branch that this driver [began](Ctx::emit_branch) for the same user, when the delivery is settled: what waits in it
    /// goes, what runs is told to stop ([`Ctx::cancelled`]) and its outcome dropped, and this driver gets `branch.ended`, which
    /// says so. Branches inside of it end with it, and their drivers are told, too. A driver that handles `delivery.failed`
    /// ([`DeliveryFailed`](crate::DeliveryFailed)) hears of its own deliveries and delayed events that went. Nothing happens if
    /// the branch is over.
    pub fn cancel_branch(&self, id: EventId) {
        self.effects().unwanted.push(id);
    }

    /// As [`Ctx::emit`], but the event is the root of a causal tree of its own. Under an id of its own it is stored once.
    ///
    /// # Errors
    /// The payload has no JSON form.
    pub fn emit_root<E: IntoEvent>(&self, event: E) -> Result<()> {
        let event = event.into_event()?;
        self.effects().outputs.push(Emitted { event, watched: false, planted: Some(None) });
        Ok(())
    }

    /// As [`Ctx::emit_root`], in a causal tree that may use so much. Where the user may not ask for that
    /// ([`Authorizer::grants_limits`](crate::Authorizer::grants_limits)), it is not emitted, and an `error` event says so.
    ///
    /// # Errors
    /// The payload has no JSON form.
    pub fn emit_root_with<E: IntoEvent>(&self, event: E, limits: Limits) -> Result<()> {
        let event = event.into_event()?;
        let planted = Some(Some(Box::new(limits)));
        self.effects().outputs.push(Emitted { event, watched: false, planted });
        Ok(())
    }

    /// Emits the root of a causal tree of its own when the delivery is settled: [`Ctx::emit_branch`] if it is `watched`.
    /// Under an id of its own it is stored once.
    #[cfg(feature = "schedule")]
    pub(crate) fn plant(&self, event: Event, watched: bool, limits: Option<Limits>) {
        self.effects().outputs.push(Emitted { event, watched, planted: Some(limits.map(Box::new)) });
    }

    /// Cancels another causal tree of the user, just before the delivery is settled.
    #[cfg(feature = "schedule")]
    pub(crate) fn cancel_tree(&self, root: EventId) {
        self.effects().cancelled.push(root);
    }

    /// The event with this id, if it is in the log and belongs to the user for whom the handler works. One that handlers
    /// name as a cause may be told although retention has just removed it.
    ///
    /// # Errors
    /// The back end failed. `Unsupported`: there is no processor.
    pub async fn find(&self, id: &EventId) -> Result<Option<Event>> {
        self.kernel()?.find_for(self.user(), id).await
    }

    /// The events of the user that match and came since the causal tree with this root began, in their order, at most
    /// `most`. What retention has removed is not among them.
    ///
    /// # Errors
    /// As [`Ctx::find`].
    pub async fn since_root(&self, root: &EventId, filter: &EventFilter, most: usize) -> Result<Vec<Event>> {
        self.kernel()?.since_root(self.user(), root, filter, most).await
    }

    /// Whether there is room for one more delayed event that is planted.
    #[cfg(feature = "schedule")]
    pub(crate) fn has_room_to_plant(&self) -> Result<bool> {
        Ok(self.kernel()?.has_room_to_plant())
    }

    /// The events of the user that stand between an earlier one and the handled one in the log, among the first 500 that do.
    /// None if the earlier one is not in the log any more.
    #[cfg(feature = "schedule")]
    pub(crate) async fn since(&self, id: &EventId) -> Result<Vec<Event>> {
        self.kernel()?.between(self.user(), id, &self.event.id).await
    }

    /// Whether an event of the user stands before another one in the log, as far as it has both; true otherwise.
    #[cfg(feature = "schedule")]
    pub(crate) async fn came_before(&self, first: &EventId, second: &EventId) -> Result<bool> {
        self.kernel()?.came_before(self.user(), first, second).await
    }

    /// The manifests of the processor's drivers: the same list until another driver comes. None without a processor.
    #[must_use]
    pub fn manifests(&self) -> Arc<[Manifest]> {
        self.kernel.as_ref().map_or_else(|| Arc::from([]), |kernel| kernel.manifests())
    }

    fn kernel(&self) -> Result<&Arc<Kernel>> {
        let detached = || Error::new(ErrorKind::Unsupported, "a detached context has no log to look into");
        self.kernel.as_ref().ok_or_else(detached)
    }

    /// Draws on the lease of the causal tree: tokens, cents, whatever unit it limits.
    pub fn draw(&self, unit: impl Into<Name>, amount: u64) {
        self.effects().usage.push((unit.into(), amount));
    }

    /// Sends ephemeral output to who listens right now ([`Processor::signals`](crate::Processor::signals)).
    pub fn signal(&self, name: impl Into<Name>, data: impl Into<Data>) {
        let Some(signals) = &self.signals else { return };
        // Nobody listening is no error.
        let _ = signals.send(Signal {
            user: self.event.user_id.clone(),
            driver: self.driver.clone(),
            event: self.event.id.clone(),
            root: self.event.root().clone(),
            name: name.into(),
            data: data.into(),
        });
    }

    /// The same in every attempt at this delivery: hand it to external calls that can deduplicate.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        match self.event.id.foreign() {
            // A foreign id is its user's own.
            Some(id) => format!("{}/{id}/{}", self.event.user_id, self.driver),
            None => format!("{}/{}", self.event.id, self.driver),
        }
    }

    /// What policies demand of the handler, such as a cheaper model: a JSON array with the obligation of each
    /// policy that limits this event.
    #[must_use]
    pub fn obligations(&self) -> Option<&Data> {
        self.obligations.as_ref()
    }

    /// Resolves when the work is cancelled or the processor has no time left.
    pub async fn cancelled(&self) {
        self.cancel.cancelled(&self.event, self.position).await;
    }

    /// Whether the work is cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled(&self.event, self.position)
    }

    /// The kernel's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The kernel's clock; sleep on it.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What the handler emitted through the context so far; for unit tests.
    #[must_use]
    pub fn emitted(&self) -> Vec<Event> {
        self.effects().outputs.iter().map(|emitted| emitted.event.clone()).collect()
    }

    /// What the handler wants changed in the context so far; for unit tests.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.session.changes()
    }

    pub(crate) fn take_effects(&self) -> Effects {
        let changes = self.session.take();
        Effects { changes, ..std::mem::take(&mut *self.effects()) }
    }

    fn effects(&self) -> std::sync::MutexGuard<'_, Effects> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("event", &self.event.id)
            .field("driver", &self.driver)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
