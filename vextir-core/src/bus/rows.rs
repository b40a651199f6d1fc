//! The row operations from which every back end with transactions is made.

use super::{Checkpoint, DeadLetter, Delivery, Hold, Logged, Parked, Position, Sequence};
use crate::{
    Actor, AuditRecord, Branch, Change, Data, Decision, Error, ErrorKind, Event, EventId, Lease, Name,
    Result, Timestamp, Version,
};

/// Rows of one open transaction. [`transact`](super::transact) decides; this stores.
///
/// Every method works inside the transaction of the command at hand. If one of them fails, the back end
/// rolls the whole command back, whatever it cached included.
pub trait Rows {
    /// The time of this transaction; never earlier than that of the one before.
    fn now(&self) -> Timestamp;
    /// A new id that grows.
    fn new_id(&mut self) -> EventId;
    /// Deliveries and unrouted events that are not settled, and how many are allowed.
    fn backlog(&self) -> (usize, usize);

    /// Parked events, delayed and held: those from outside, and those that handlers made.
    fn waiting(&self) -> (usize, usize);

    /// Adds an event to the log and returns its sequence.
    ///
    /// # Errors
    /// Storage failed, or the id is taken.
    fn add_event(&mut self, event: &Event, policy: Option<&Name>) -> Result<Sequence>;
    /// An event of the log by id; a foreign id among those of `user`.
    ///
    /// # Errors
    /// Storage failed.
    fn find_event(&mut self, user: &Name, id: &EventId) -> Result<Option<Logged>>;

    /// Whether the log still has the event with this sequence, whole.
    ///
    /// # Errors
    /// Storage failed.
    fn has_event(&mut self, sequence: Sequence) -> Result<bool>;

    /// Notes that a logged event waits to be routed.
    ///
    /// # Errors
    /// Storage failed.
    fn add_unrouted(&mut self, sequence: Sequence) -> Result<()>;
    /// Removes that note; false if there was none.
    ///
    /// # Errors
    /// Storage failed.
    fn take_unrouted(&mut self, sequence: Sequence) -> Result<bool>;

    /// Makes a delivery; `position` is given here.
    ///
    /// # Errors
    /// Storage failed.
    fn add_delivery(&mut self, delivery: &mut Delivery) -> Result<()>;
    /// Removes a delivery; false unless exactly one row went.
    ///
    /// # Errors
    /// Storage failed.
    fn take_delivery(&mut self, position: Position) -> Result<bool>;
    /// Whether a delivery is open, or set aside.
    ///
    /// # Errors
    /// Storage failed.
    fn has_delivery(&mut self, position: Position) -> Result<bool>;
    /// Notes a failed attempt; false if the delivery is gone.
    ///
    /// # Errors
    /// Storage failed.
    fn retry_delivery(
        &mut self,
        position: Position,
        attempt: u32,
        due: Timestamp,
        error: &str,
    ) -> Result<bool>;
    /// Counts a reclaim; false if the delivery is gone.
    ///
    /// # Errors
    /// Storage failed.
    fn reclaim_delivery(&mut self, position: Position) -> Result<bool>;
    /// Notes which delivery runs alone.
    ///
    /// # Errors
    /// Storage failed.
    fn set_alone(&mut self, position: Option<Position>) -> Result<()>;
    /// Removes all deliveries of a tree, those set aside and unrouted notes included; says how many.
    ///
    /// # Errors
    /// Storage failed.
    fn drop_tree(&mut self, lease: &Lease) -> Result<usize>;

    /// Deliveries that are set aside.
    fn unclaimed(&self) -> usize;
    /// Sets an open delivery aside, whole, and returns it.
    ///
    /// # Errors
    /// Storage failed.
    fn unclaim_delivery(&mut self, position: Position) -> Result<Option<Delivery>>;
    /// Opens a delivery that is set aside, under its old position, and returns it.
    ///
    /// # Errors
    /// Storage failed.
    fn claim_delivery(&mut self, position: Position) -> Result<Option<Delivery>>;
    /// Removes a delivery that is set aside.
    ///
    /// # Errors
    /// Storage failed.
    fn take_unclaimed(&mut self, position: Position) -> Result<Option<Delivery>>;

    /// Parks an event; `number` is given here.
    ///
    /// # Errors
    /// Storage failed.
    fn add_parked(&mut self, parked: &mut Parked) -> Result<()>;
    /// A parked event by id; a foreign id among those of `user`.
    ///
    /// # Errors
    /// Storage failed.
    fn find_parked(&mut self, user: &Name, id: &EventId) -> Result<Option<Parked>>;
    /// Removes a parked event.
    ///
    /// # Errors
    /// Storage failed.
    fn take_parked(&mut self, number: u64) -> Result<bool>;
    /// Removes all parked events of a tree; says how many.
    ///
    /// # Errors
    /// Storage failed.
    fn drop_parked(&mut self, user: &Name, root: &EventId) -> Result<usize>;
    /// Whether an event of this user and ordering key is held ([`Hold::Approval`], [`Hold::Lease`] or
    /// [`Hold::Key`]).
    ///
    /// # Errors
    /// Storage failed.
    fn is_key_held(&mut self, user: &Name, key: &Name) -> Result<bool>;
    /// Changes why an event waits, who decided that, and who approved it; without a new decision or approval the old
    /// one stays.
    ///
    /// # Errors
    /// Storage failed.
    fn set_hold(
        &mut self,
        number: u64,
        hold: Hold,
        decision: Option<&Decision>,
        approved: Option<&Decision>,
    ) -> Result<()>;

    /// Keeps a dead letter, and with it the ledger of its tree.
    ///
    /// # Errors
    /// Storage failed.
    fn add_dead(&mut self, letter: &DeadLetter) -> Result<()>;
    /// Takes a dead letter out.
    ///
    /// # Errors
    /// Storage failed.
    fn take_dead(&mut self, position: Position) -> Result<Option<DeadLetter>>;

    /// The ledger of a tree, to be changed in place; what is changed is stored with the transaction.
    ///
    /// # Errors
    /// Storage failed.
    fn lease(&mut self, user: &Name, root: &EventId) -> Result<Option<&mut Lease>>;
    /// Opens a ledger.
    ///
    /// # Errors
    /// Storage failed.
    fn add_lease(&mut self, lease: Lease) -> Result<()>;

    /// A branch that is not over.
    ///
    /// # Errors
    /// Storage failed.
    fn branch(&mut self, user: &Name, id: &EventId) -> Result<Option<Branch>>;
    /// Keeps a branch, new or changed.
    ///
    /// # Errors
    /// Storage failed.
    fn set_branch(&mut self, branch: &Branch) -> Result<()>;
    /// Forgets a branch.
    ///
    /// # Errors
    /// Storage failed.
    fn drop_branch(&mut self, branch: &Branch) -> Result<()>;
    /// Forgets all branches of a tree, and returns the one that is the tree.
    ///
    /// # Errors
    /// Storage failed.
    fn drop_branches(&mut self, user: &Name, root: &EventId) -> Result<Option<Branch>>;

    /// The event of an emitter's own key.
    ///
    /// # Errors
    /// Storage failed.
    fn find_key(&mut self, user: &Name, key: &Name) -> Result<Option<EventId>>;
    /// Keeps an emitter's own key.
    ///
    /// # Errors
    /// Storage failed.
    fn add_key(&mut self, user: &Name, key: &Name, id: &EventId) -> Result<()>;

    /// Keeps an audit record; the time is that of the transaction.
    ///
    /// # Errors
    /// Storage failed.
    fn add_audit(&mut self, record: &AuditRecord) -> Result<()>;
    /// What a checkpoint remembers.
    ///
    /// # Errors
    /// Storage failed.
    fn checkpoint(&mut self, driver: &Name, key: &str) -> Result<Option<Data>>;
    /// Keeps or forgets a checkpoint.
    ///
    /// # Errors
    /// Storage failed.
    fn set_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()>;
    /// Makes a driver known.
    ///
    /// # Errors
    /// Storage failed.
    fn know_driver(&mut self, driver: &Name, version: &str) -> Result<()>;

    /// Whether the back end holds documents. What would change some is refused where it does not.
    fn holds_documents(&self) -> bool {
        false
    }
    /// Applies changes of documents; the new version for each, 0 for one that is not about content.
    ///
    /// # Errors
    /// A change does not fit, or is not allowed: the command is taken back whole. Storage failed.
    fn apply_changes(&mut self, _actor: &Actor, _changes: &[Change]) -> Result<Vec<Version>> {
        Err(no_documents())
    }
}

pub(super) fn no_documents() -> Error {
    let message = "the bus holds no documents, and something is to be changed in the context; use a Hub";
    Error::new(ErrorKind::Unsupported, message)
}
