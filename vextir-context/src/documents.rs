//! The place of the context's documents in a settlement's transaction.

use vextir_core::bus::{Command, Entry, Outcome, Settlement};
use vextir_core::{Error, ErrorKind, Result};

/// Refuses a command that changes documents, before it writes anything.
pub(crate) fn refuse(command: &Command) -> Result<()> {
    match command {
        Command::Settle(settlement) => refuse_settlement(settlement),
        Command::Append(append) => {
            append.entries.iter().flat_map(|entry: &Entry| &entry.eager).try_for_each(refuse_settlement)
        }
        _ => Ok(()),
    }
}

fn refuse_settlement(settlement: &Settlement) -> Result<()> {
    match &settlement.outcome {
        Outcome::Done { changes, .. } if !changes.is_empty() => Err(unsupported(&settlement.delivery.driver)),
        _ => Ok(()),
    }
}

/// The answer to a driver that changes documents.
pub(crate) fn unsupported(driver: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("driver {driver} changes the context, and this hub does not hold documents yet"),
    )
}
