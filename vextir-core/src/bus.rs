//! The bus contract: an append-only log, the work that follows from it, and one commit for both.
//!
//! Everything that changes the state of a bus is a [`Command`], applied whole or refused whole by
//! [`EventBus::commit`]. What a command means is written once, in [`transact`], over the row operations of
//! [`Rows`]; a back end with transactions implements [`Rows`] and gets the semantics, or implements
//! [`EventBus`] itself and proves it with the conformance suite of the testkit.

mod command;
mod cursor;
mod feed;
mod listing;
mod memory;
mod rows;
mod stream;
pub(crate) mod transact;

pub use command::{
    Admission, Append, Appended, Began, Checkpoint, Command, Entry, NewDelivery, Outcome, Place, Receipt,
    Release, Route, Settlement, Tree,
};
pub use cursor::{Cursor, new_incarnation};
pub use feed::Feed;
pub use listing::{
    Attachment, BusStatus, Chores, DeadLetter, Delivery, Held, Hold, KnownDriver, Logged, Page, Parked,
};
pub use memory::MemoryBus;
pub use rows::Rows;
pub(crate) use stream::first_left;
pub use stream::{EventStream, Start};
pub use transact::{Applied, BusLimits, transact};

pub use crate::event::IdSource;

use crate::event::MAX_EVENT_BYTES;
use crate::notice::refuse_kernels_name;
use crate::{AuditRecord, Error, ErrorKind, EventFilter, EventId, IntoEvent, Lease, Name, Result};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::watch;

/// Place in the log; grows in commit order, starts at 1.
pub type Sequence = u64;
/// Identity of one delivery; grows in the order in which deliveries were made.
pub type Position = u64;

/// A log of events with the work that follows from them.
///
/// # What every implementation promises
///
/// * **Commit is atomic and, for a durable bus, durable when it returns.** A command is applied whole or
///   not at all; dropping the future of `commit` does not tear it apart: it then has happened or it has not.
/// * **Commit is idempotent by id.** An event whose id is stored already is answered as a duplicate when its
///   content is the same, and refused with [`ErrorKind::Conflict`] when it is not.
/// * **The log's order is the commit order**, gapless for readers: once `read` has shown sequence *n*, no
///   event with a smaller sequence appears later.
/// * **Nothing is lost silently.** `read` below what retention has kept answers [`ErrorKind::Gap`].
/// * **A delivery is settled once.** A settlement for a position that is not open is
///   [`ErrorKind::Stale`] and changes nothing.
/// * **One processor.** `attach` fails with [`ErrorKind::Locked`] while another one is attached.
/// * **`receive` hands out each delivery made since `attach` exactly once**, in order of position; older
///   ones are read with `pending`.
///
/// [`conformance`](crate::testkit::conformance) checks all of it.
#[async_trait]
pub trait EventBus: fmt::Debug + Send + Sync + 'static {
    /// What observers and emitters wait on: log head and backlog. Changes with every commit.
    fn status(&self) -> watch::Receiver<BusStatus>;

    /// What the processor waits on beside deliveries. Changes only when it has to act.
    fn chores(&self) -> watch::Receiver<Chores>;

    /// Tells this log from others, for as long as it lives: its cursors are sealed with it, so it is told to nobody.
    /// A new log takes [`new_incarnation`].
    fn incarnation(&self) -> u64;

    /// Whether a commit survives the process.
    fn is_durable(&self) -> bool;

    /// Applies one command in one transaction.
    ///
    /// # Errors
    /// `Conflict`, `Stale`, `Busy`, `Cancelled`, `NotFound`, `Unsupported`: refused, nothing changed.
    /// `Unavailable`, `Corrupt`: the back end failed, nothing changed.
    async fn commit(&self, command: Command) -> Result<Receipt>;

    /// Matching events after `after`, in order, at most `limit` of them.
    ///
    /// # Errors
    /// [`ErrorKind::Gap`] when events after `after` were removed by retention.
    async fn read(&self, after: Sequence, filter: &EventFilter, limit: usize) -> Result<Page>;

    /// The event with this id, if it is in the log. Foreign ids are looked up among `user`'s events.
    ///
    /// # Errors
    /// The back end failed.
    async fn find(&self, user: &Name, id: &EventId) -> Result<Option<Logged>>;

    /// The ledger of a causal tree. A root that never had a delivery has none.
    ///
    /// # Errors
    /// The back end failed.
    async fn lease(&self, user: &Name, root: &EventId) -> Result<Option<Lease>>;

    /// Takes the processor's place; says what was left behind.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] while another processor is attached.
    async fn attach(&self) -> Result<Attachment>;

    /// Gives up the processor's place after an orderly stop.
    ///
    /// # Errors
    /// The back end failed.
    async fn detach(&self) -> Result<()>;

    /// Gives up the processor's place without an orderly stop, as the death of its process does: the next
    /// `attach` finds an unclean stop. Who waits in `receive` gets [`ErrorKind::Closed`], and nothing of what
    /// is made for the next processor.
    fn abandon(&self);

    /// Deliveries made since `attach`; waits for at least one.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] after `detach`.
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>>;

    /// Open deliveries after a position, in order: `limit` of them, or all if there are fewer.
    ///
    /// # Errors
    /// The back end failed.
    async fn pending(&self, after: Position, limit: usize) -> Result<Vec<Delivery>>;

    /// Deliveries that were set aside because their driver is not registered, counted by driver.
    ///
    /// # Errors
    /// The back end failed.
    async fn unclaimed(&self) -> Result<BTreeMap<Name, usize>>;

    /// Those of one driver after a position, in order: `limit` of them, or all if there are fewer.
    ///
    /// # Errors
    /// The back end failed.
    async fn unclaimed_of(&self, driver: &Name, after: Position, limit: usize) -> Result<Vec<Delivery>>;

    /// Logged events that no processor has routed yet, in order: `limit` of them, or all if there are fewer.
    ///
    /// # Errors
    /// The back end failed.
    async fn unrouted(&self, limit: usize) -> Result<Vec<Logged>>;

    /// Events that wait: see [`Hold`]. In the order of their due time, then of arrival.
    ///
    /// # Errors
    /// The back end failed.
    async fn parked(&self, hold: Hold, limit: usize) -> Result<Vec<Parked>>;

    /// Held events of one kind, in the order of arrival: `limit` of them, or all if there are fewer.
    ///
    /// # Errors
    /// The back end failed.
    async fn held(&self, which: &Held, limit: usize) -> Result<Vec<Parked>>;

    /// Dead letters after a position, in order: `limit` of them, or all if there are fewer.
    ///
    /// # Errors
    /// The back end failed.
    async fn dead_letters(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>>;

    /// Audit records after a number, in order, at most `limit`, each with its number.
    ///
    /// # Errors
    /// The back end failed.
    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<(u64, AuditRecord)>>;

    /// A watching driver's checkpoints after a key, in order, at most `limit`.
    ///
    /// # Errors
    /// The back end failed.
    async fn checkpoints(&self, driver: &Name, after: &str, limit: usize) -> Result<Vec<Checkpoint>>;
}

/// What a processor runs on: a bus, and where there is one, a context store.
pub trait Backend: Send + Sync + 'static {
    /// The bus.
    fn bus(&self) -> Arc<dyn EventBus>;

    /// The context store, if there is one.
    fn store(&self) -> Option<Arc<dyn crate::ContextStore>> {
        None
    }

    /// Whether one commit covers both.
    fn commits_together(&self) -> bool {
        false
    }
}

impl Backend for Arc<dyn EventBus> {
    fn bus(&self) -> Arc<dyn EventBus> {
        self.clone()
    }
}

/// Convenience on a bus without a processor. What is emitted here is stored unrouted: the processor that is
/// or will be attached accepts, authorizes and routes it. At most 1 MiB of data: what is larger is emitted through a
/// processor that allows it.
#[async_trait]
pub trait EventBusExt: EventBus {
    /// Emits one event; waits while the backlog is full.
    ///
    /// # Errors
    /// As [`EventBus::commit`], and an event that breaks the rules of its envelope.
    async fn emit<E: IntoEvent>(&self, event: E) -> Result<EventId> {
        let event = event.into_event()?;
        Ok(self.emit_all(vec![event]).await?.remove(0))
    }

    /// Emits a batch, all or none of it; waits while the backlog is full.
    ///
    /// # Errors
    /// As [`EventBusExt::emit`].
    async fn emit_all(&self, events: Vec<crate::Event>) -> Result<Vec<EventId>> {
        let receipt = commit_when_there_is_room(self, Command::append(unrouted_entries(events)?)).await?;
        Ok(receipt.appended.into_iter().map(|appended| appended.id).collect())
    }

    /// Emits one event, or says [`ErrorKind::Busy`] at once.
    ///
    /// # Errors
    /// As [`EventBusExt::emit`].
    async fn try_emit<E: IntoEvent>(&self, event: E) -> Result<EventId> {
        let entries = unrouted_entries(vec![event.into_event()?])?;
        Ok(self.commit(Command::append(entries)).await?.appended.remove(0).id)
    }

    /// Subscribes from a place in the log.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the start names an event that is not in the log, [`ErrorKind::Invalid`]
    /// when the cursor is of another log.
    async fn subscribe(self: Arc<Self>, filter: EventFilter, start: Start) -> Result<EventStream>
    where
        Self: Sized,
    {
        EventStream::open(self, filter, start).await
    }
}

impl<B: EventBus + ?Sized> EventBusExt for B {}

/// Commits; while the backlog is full, waits until it shrinks.
pub(crate) async fn commit_when_there_is_room<B: EventBus + ?Sized>(
    bus: &B,
    command: Command,
) -> Result<Receipt> {
    let mut status = bus.status();
    loop {
        match bus.commit(command.clone()).await {
            Err(error) if error.kind() == ErrorKind::Busy => {}
            answer => return answer,
        }
        room(&mut status).await?;
    }
}

/// Waits until it is worth another try. Too much is open, or, where that has room, too much waits: then whenever
/// anything changes.
pub(crate) async fn room(status: &mut watch::Receiver<BusStatus>) -> Result<()> {
    let closed = |_| Error::new(ErrorKind::Closed, "the bus was closed");
    status.changed().await.map_err(closed)?;
    status.wait_for(BusStatus::has_room).await.map_err(closed).map(drop)
}

/// The bus gives ids and times; a delayed event waits for its moment and is routed then.
fn unrouted_entries(events: Vec<crate::Event>) -> Result<Vec<Entry>> {
    let prepare = |mut event: crate::Event| {
        let envelope = event.edit();
        if envelope.user_id.is_empty() {
            envelope.user_id = Name::literal(crate::LOCAL_USER);
        }
        if envelope.source.is_empty() {
            envelope.source = Name::literal("app");
        }
        envelope.root_id = None;
        envelope.branch_id = None;
        envelope.depth = 0;
        refuse_kernels_name(&event.source)?;
        event.check(MAX_EVENT_BYTES)?;
        event.check_depth()?;
        Ok(Entry::new(event, Place::Unrouted))
    };
    events.into_iter().map(prepare).collect()
}
