//! What joins a store to a bus that it does not commit together with: an outbox.

use super::{Actor, Change};
use crate::bus::Position;
use crate::{Data, EventId, Name, Result, Timestamp};
use async_trait::async_trait;

/// Names a delivery of a log, as the one whose outcome was committed to the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The incarnation of the log; see [`EventBus::incarnation`](crate::EventBus::incarnation). It is told to nobody.
    pub log: u64,
    /// The delivery.
    pub position: Position,
    /// Its event: a log that was copied, or begins anew under the same seed, may give a position twice.
    pub event: EventId,
    /// Its driver.
    pub driver: Name,
}

/// What was committed under a mark.
#[derive(Debug, Clone, PartialEq)]
pub struct Posted {
    /// The mark.
    pub mark: Mark,
    /// What is to be published on the bus; the store does not look into it.
    pub outcome: Data,
    /// Whether the bus has it.
    pub published: bool,
}

/// The outbox of a [`ContextStore`](crate::ContextStore) that lets the handlers of another system's bus change its
/// documents, exactly once.
///
/// The processor posts what an attempt brought (the changes for the store, and beside them what the bus must
/// learn), has the bus take it, and says here that it was published. What was posted and not published when the
/// process died is published at the next start. A delivery that comes again is not handled again while its mark is
/// known.
///
/// # What every implementation promises
///
/// * [`Outbox::post`] is one transaction, and is as durable as [`ContextStore::change`](crate::ContextStore::change)
///   when it returns. What was posted is kept until it is published **and** forgotten.
/// * The other calls may be lost in a crash: they are said again.
///
/// The suite [`stores`](crate::testkit::stores) of the testkit checks it.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Applies changes as [`ContextStore::change`](crate::ContextStore::change) does, and keeps with them an outcome
    /// under a mark.
    ///
    /// # Errors
    /// `Stale`: something was posted under this mark before. Those of `ContextStore::change`. Nothing was changed.
    async fn post(&self, mark: &Mark, actor: &Actor, changes: Vec<Change>, outcome: &Data) -> Result<()>;

    /// What was posted under a mark, if it is not forgotten.
    ///
    /// # Errors
    /// The back end failed.
    async fn posted(&self, mark: &Mark) -> Result<Option<Posted>>;

    /// What was posted for a log and not published yet, after a position, in order: `limit` of them, or all if there
    /// are fewer.
    ///
    /// # Errors
    /// The back end failed.
    async fn unpublished(&self, log: u64, after: Position, limit: usize) -> Result<Vec<Posted>>;

    /// Notes that the bus has what was posted under a mark.
    ///
    /// # Errors
    /// The back end failed.
    async fn set_published(&self, mark: &Mark) -> Result<()>;

    /// Forgets what was published, of any log, and posted before a time: at most `limit` marks. Says how many.
    ///
    /// # Errors
    /// The back end failed.
    async fn forget(&self, before: Timestamp, limit: usize) -> Result<usize>;
}
