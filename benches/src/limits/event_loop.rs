//! The whole loop without a kernel: emit, then settle with one output.

use super::rows::{self, Open, Rows};
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

const BATCH: usize = 1_000;

/// A thousand loops a transaction: each transaction settles what the one before it emitted, and emits as many
/// again, which is the best that group commit can come to with a backlog that never ends.
pub(crate) fn event_loop(trial: &Trial) -> Result<Vec<Measurement>> {
    let connection = rows::open(&trial.folder)?;
    let mut rows = Rows::prepare(&connection)?;
    let mut open: Vec<Open> = Vec::with_capacity(BATCH);
    let rate = trial.rate(|| {
        let transaction = connection.unchecked_transaction()?;
        rows.begin()?;
        let settled = open.len() as u64;
        for event in open.drain(..) {
            rows.settle(event)?;
        }
        for _ in 0..BATCH {
            open.push(rows.emit_to_driver()?);
        }
        transaction.commit()?;
        Ok(settled)
    })?;
    Ok(vec![Measurement::new("limit_loop", Unit::PerSecond, rate)])
}
