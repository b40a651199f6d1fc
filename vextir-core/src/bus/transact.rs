//! What each command means, written once for every back end: pure decisions over [`Rows`].
//!
//! A command checks everything that can refuse it before it writes its first row, so that a refusal
//! leaves nothing behind.

mod append;
mod branch;
pub(crate) mod flow;
mod operate;
mod settle;
mod unclaimed;

use super::{Command, Delivery, Place, Receipt, Rows};
use crate::{Branch, Limits, Result};

/// The limits of a bus.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BusLimits {
    /// Open deliveries and unrouted events before an append is refused as busy. 100,000 by default. As many delayed
    /// and held events may wait from outside, before an append of more is refused, and as many that handlers made,
    /// before an attempt that makes more has failed.
    pub backlog: usize,
    /// What a causal tree may use when nobody says otherwise.
    pub lease: Limits,
}

impl Default for BusLimits {
    fn default() -> Self {
        Self { backlog: 100_000, lease: Limits::default() }
    }
}

impl BusLimits {
    /// Sets how much open work is taken before an append is refused as busy; at least 1.
    #[must_use]
    pub fn with_backlog(self, backlog: usize) -> Self {
        Self { backlog: backlog.max(1), ..self }
    }

    /// Sets what a causal tree may use when nobody says otherwise.
    #[must_use]
    pub fn with_lease(self, lease: Limits) -> Self {
        Self { lease, ..self }
    }
}

/// What a command did to the rows.
#[derive(Debug, Default)]
pub struct Applied {
    /// The answer to the caller.
    pub receipt: Receipt,
    /// The deliveries that it made, to be handed to the processor after the commit.
    pub deliveries: Vec<Delivery>,
}

/// Applies one command to the rows of an open transaction. The command stays as it was, so that it can be
/// applied again after a rollback.
///
/// # Errors
/// A refusal (nothing was written), or a failure of the rows (roll back).
pub fn transact<R: Rows>(rows: &mut R, limits: &Limits, command: &Command) -> Result<Applied> {
    let mut write = Write { rows, defaults: limits, applied: Applied::default(), branches: Vec::new() };
    match command {
        Command::Append(append) => write.append(append)?,
        Command::Settle(settlement) => write.settle(settlement)?,
        Command::Route(route) => write.route(route)?,
        Command::Release(release) => write.release(release)?,
        Command::Cancel { user, root, audit } => write.cancel(user, root, audit)?,
        Command::Extend { user, root, limits, audit } => write.extend(user, root, limits, audit)?,
        Command::Redrive { positions, decision, limits } => {
            write.redrive(positions, decision, limits.as_deref())?;
        }
        Command::Discard { positions, decision } => write.discard(positions, decision)?,
        Command::Unclaim(positions) => write.unclaim(positions)?,
        Command::Claim(positions) => write.claim(positions)?,
        Command::Know(driver, version) => write.rows.know_driver(driver, version)?,
        Command::Reclaim { positions, alone } => write.reclaim(positions, *alone)?,
        Command::Change { actor, changes } => {
            write.applied.receipt.versions = write.rows.apply_changes(actor, changes)?;
        }
        Command::Audit(records) => write.audit(records)?,
    }
    write.end_branches()?;
    Ok(write.applied)
}

/// One command at work.
struct Write<'a, R> {
    rows: &'a mut R,
    defaults: &'a Limits,
    applied: Applied,
    /// Those that the command has touched.
    branches: Vec<Branch>,
}

/// Whether an entry leaves work behind, so that its tree needs a ledger.
fn leaves_work(place: &Place) -> bool {
    match place {
        Place::Routed(deliveries) => !deliveries.is_empty(),
        Place::Unrouted => false,
        Place::Parked(..) => true,
    }
}
