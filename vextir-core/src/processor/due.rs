//! Delayed events that are due: released many at a time, those of one ordering key one after the other.

use super::Kernel;
use crate::bus::{Command, Entry, Hold, Parked, Place, Release};
use crate::{AuditRecord, Decision, Error, ErrorKind, Name, Result};
use futures::future::join_all;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many are read, and on their way, at once.
const BATCH: usize = 1_024;

/// What became of some events that were due.
#[derive(Debug, Default)]
struct Released {
    /// The numbers of those that are due still, for they could neither go on nor be held.
    stuck: HashSet<u64>,
    /// Why the first of those could not.
    failed: Option<Error>,
    /// Why the bus takes nothing now: what is left is tried again.
    stopped: Option<Error>,
}

impl Released {
    fn join(&mut self, other: Self) {
        self.stuck.extend(other.stuck);
        self.failed = self.failed.take().or(other.failed);
        self.stopped = self.stopped.take().or(other.stopped);
    }
}

impl Kernel {
    /// Releases what is due. One that cannot go on, though the bus works, is held for the operator, and stops nobody.
    pub(super) async fn release_due(self: &Arc<Self>) -> Result<()> {
        let mut released = Released::default();
        loop {
            let now = self.clock.now();
            let page = self.bus.parked(Hold::Delayed, BATCH + released.stuck.len()).await?;
            let is_ready = |parked: &Parked| {
                parked.event.deliver_at.is_none_or(|at| at <= now) && !released.stuck.contains(&parked.number)
            };
            let ready: Vec<Parked> = page.into_iter().filter(is_ready).collect();
            if ready.is_empty() {
                return released.failed.map_or(Ok(()), Err);
            }
            // All to their end, also where one fails: who waits for an event hears of it after its commit.
            let turns = in_turn(ready).into_iter().map(|turn| self.release_one_by_one(turn));
            join_all(turns).await.into_iter().for_each(|turn| released.join(turn));
            if let Some(error) = released.stopped {
                return Err(error);
            }
        }
    }

    async fn release_one_by_one(self: &Arc<Self>, turn: Vec<Parked>) -> Released {
        let mut released = Released::default();
        for parked in turn {
            let Err(error) = self.release(parked.clone(), None).await else { continue };
            if error.kind().is_transient() || error.kind() == ErrorKind::Closed {
                released.stopped = Some(error);
                return released;
            }
            tracing::error!(%error, event = %parked.event.id, "an event that is due cannot go on");
            if let Err(error) = self.hold_stuck(&parked, &error).await {
                released.stuck.insert(parked.number);
                released.failed = released.failed.or(Some(error));
            }
        }
        released
    }

    /// What cannot be released waits for a person, who is told why.
    async fn hold_stuck(&self, parked: &Parked, error: &Error) -> Result<()> {
        let event = &parked.event;
        let decision =
            Decision::new(Name::literal("release"), format!("it was due and could not go on: {error}"));
        let audit = vec![AuditRecord::about(event, "hold", decision.clone())];
        let entry = Entry {
            minted: true,
            origin: parked.origin.clone(),
            limits: self.limits.clone(),
            ..Entry::new(event.clone(), Place::Parked(Hold::Approval, Some(decision)))
        };
        let (user, id) = (event.user_id.clone(), event.id.clone());
        let release = Release { user, id, entry: Some(entry), audit };
        match self.bus.commit(Command::Release(Box::new(release))).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            answer => answer.map(drop),
        }
    }
}

/// Events that were read in the order of their times, as runs that need not wait for each other: those of one user's
/// ordering key are one run, in their order.
fn in_turn(due: Vec<Parked>) -> Vec<Vec<Parked>> {
    let mut runs: Vec<Vec<Parked>> = Vec::with_capacity(due.len());
    let mut known: HashMap<(Name, Name), usize> = HashMap::new();
    for parked in due {
        let event = &parked.event;
        let run = match &event.ordering_key {
            Some(key) => *known.entry((event.user_id.clone(), key.clone())).or_insert(runs.len()),
            None => runs.len(),
        };
        match runs.get_mut(run) {
            Some(run) => run.push(parked),
            None => runs.push(vec![parked]),
        }
    }
    runs
}
