//! Replicas of one another's documents.

mod audit;
mod fact;
mod farewell;
mod identity;
mod incoming;
mod line;
mod name;
mod outgoing;
mod purged;
mod registry;
mod rule;
mod scope;
mod session;
mod settle;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use fact::note;
#[cfg(test)]
pub(crate) use identity::ROOTS;
pub(crate) use identity::begin;
pub(crate) use purged::bury;
pub(crate) use registry::{acknowledged, forget};
pub use session::SyncSession;

use crate::decode::get;
use crate::documents::node::Kind;
use crate::fault::OrFault;
use crate::hub::Hub;
pub(crate) use name::Uid;
pub(crate) use purged::has_met;
use rusqlite::Connection;
use std::collections::BTreeMap;
use vextir_core::{Name, Result, Sequence, Timestamp};

/// Who is at the other end of an exchange. Who that is, the application has made sure of: sync knows no passwords.
#[derive(Debug, Clone)]
pub struct Peer {
    user: Name,
    trusted: bool,
}

impl Peer {
    /// A replica of this user. It gets what the user may read, and may do what the user may do.
    ///
    /// What the user owns it may also say of others: that they wrote there.
    pub fn new(user: impl Into<Name>) -> Self {
        Self { user: user.into(), trusted: false }
    }

    /// A replica of this user that is believed what others did in what they share with the user, and that they share
    /// it: a laptop says this of the server that it exchanges with, and not the other way round.
    #[must_use]
    pub fn trusted(self) -> Self {
        Self { trusted: true, ..self }
    }
}

/// What an exchange came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncReport {
    /// Changes that were sent.
    pub sent: u64,
    /// Whole documents and folders that were sent, because their changes are not kept, or they were missing.
    pub nodes_sent: u64,
    /// Changes that came.
    pub received: u64,
    /// Of these, how many were new.
    pub applied: u64,
    /// Whole documents and folders that came and were not here, or otherwise.
    pub repaired: u64,
    /// Episodes of the graph that were sent; one that said very much comes in several parts, and each counts.
    pub episodes_sent: u64,
    /// Episodes and relations of the graph that came and were not here, or otherwise; parts as above.
    pub episodes_taken: u64,
    /// Changes of the peer that its user had no right to, and relations beyond the 1,000 that a user may declare; they
    /// were not stored.
    pub refused_here: u64,
    /// Changes that the peer refused.
    pub refused_there: u64,
    /// Scopes (the own tree, and each shared folder) that differed after everything was sent.
    pub differing: u64,
    /// The peer had changes of an earlier opening of this file that the file has not: it was restored from a backup or
    /// copied, and got them back.
    pub restored: bool,
}

impl Hub {
    /// Begins to exchange documents with another replica. The application carries the messages, over whatever it has.
    /// See [`SyncSession`].
    #[must_use]
    pub fn sync(&self, peer: Peer) -> SyncSession {
        SyncSession::new(self.clone(), peer)
    }

    /// Up to which change of documents every other replica that was ever met has them; `None` when there is none.
    ///
    /// # Errors
    /// The storage failed.
    pub async fn acknowledged(&self) -> Result<Option<Sequence>> {
        self.read_with(|connection| acknowledged(connection, None)).await
    }

    /// Forgets the replicas that were not met since a time, so that the history is kept for them no longer. One that
    /// comes all the same gets whole documents instead of changes. How many (one for each user and scope) that were.
    ///
    /// # Errors
    /// The storage failed.
    pub async fn forget_replicas(&self, before: Timestamp) -> Result<u64> {
        loop {
            let forgotten = self.write_with(move |rows| forget(rows.writing(), before)).await?;
            if !forgotten.has_more {
                return Ok(forgotten.files);
            }
        }
    }
}

/// The identity of a new node.
pub(crate) fn fresh_uid(kind: Kind, name: &str) -> [u8; 16] {
    if kind == Kind::Root { Uid::of_root(name).0 } else { Uid::random().0 }
}

/// What operations of a user's replicas wait for, by scope.
fn early(connection: &Connection, user: &str) -> Result<Vec<(Uid, Vec<Uid>)>> {
    let sql = "SELECT DISTINCT scope, missing FROM early WHERE user = ?1 LIMIT 10000";
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query([user]).or_fault()?;
    let mut found: BTreeMap<Uid, Vec<Uid>> = BTreeMap::new();
    while let Some(row) = rows.next().or_fault()? {
        let (scope, missing) = (Uid::of(&get::<Vec<u8>>(row, 0)?)?, Uid::of(&get::<Vec<u8>>(row, 1)?)?);
        found.entry(scope).or_default().push(missing);
    }
    Ok(found.into_iter().collect())
}
