//! Emitting without a kernel: the rows of an event that nobody handles.

use super::rows::{self, Rows};
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// A thousand events in one transaction: what group commit can reach at most.
pub(crate) fn emit_in_batches(trial: &Trial) -> Result<Vec<Measurement>> {
    emit(trial, "limit_emit_batch", 1_000)
}

/// Each event in a transaction of its own: what one emitter that waits can reach at most.
pub(crate) fn emit_one_by_one(trial: &Trial) -> Result<Vec<Measurement>> {
    emit(trial, "limit_emit_single", 1)
}

fn emit(trial: &Trial, name: &str, batch: u64) -> Result<Vec<Measurement>> {
    let connection = rows::open(&trial.folder)?;
    let mut rows = Rows::prepare(&connection)?;
    let rate = trial.rate(|| {
        let transaction = connection.unchecked_transaction()?;
        rows.begin()?;
        for _ in 0..batch {
            rows.emit()?;
        }
        transaction.commit()?;
        Ok(batch)
    })?;
    Ok(vec![Measurement::new(name, Unit::PerSecond, rate)])
}
