//! Which transactions wait for the disk.

use super::Writer;
use crate::fault::OrFault;
use vextir_core::Result;

/// What the commits of a connection wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Until it is on the disk.
    Full,
    /// Until it is written; the next sync takes it along.
    Normal,
}

impl Durability {
    /// As SQLite calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

impl Writer<'_> {
    /// Begins a transaction that is as durable as is wanted. Nothing is put back afterwards: each transaction sees to
    /// itself, so none depends on how the one before it ended.
    pub(super) fn begin(&mut self, durability: Durability) -> Result<()> {
        if !self.connection.is_autocommit() {
            // One that could not be rolled back; within it, nothing can be set.
            self.run("ROLLBACK")?;
        }
        if self.durability_now != durability {
            let set = format!("PRAGMA synchronous = {}", durability.name());
            self.connection.execute_batch(&set).or_fault()?;
            self.durability_now = durability;
        }
        self.run("BEGIN IMMEDIATE")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Durability, Retention, Settings, Shared, Writer};
    use crate::file::{Tuning, in_memory};
    use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;
    use tokio::sync::watch;
    use vextir_core::bus::BusLimits;
    use vextir_core::{Error, SystemClock};

    /// The level that a commit is written with.
    fn level(writer: &mut Writer<'_>) -> u64 {
        let read =
            |writer: &mut Writer<'_>| crate::queries::number(writer.connection, "PRAGMA synchronous", []);
        writer.in_transaction(read).unwrap()
    }

    #[test]
    fn what_is_answered_is_on_the_disk_whatever_became_of_a_step() {
        for (durability, expected) in [(Durability::Full, 2), (Durability::Normal, 1)] {
            let mut connection = in_memory(Tuning { durability, max_bytes: None }).unwrap();
            // A step that fails, and cannot be taken back at once.
            let refuses = Arc::new(AtomicBool::new(false));
            let asked = refuses.clone();
            let authorize = move |context: AuthContext<'_>| match context.action {
                AuthAction::Transaction { operation: TransactionOperation::Rollback }
                    if asked.swap(false, Ordering::Relaxed) =>
                {
                    Authorization::Deny
                }
                _ => Authorization::Allow,
            };
            connection.authorizer(Some(authorize)).unwrap();
            let settings = Settings {
                limits: BusLimits::default(),
                retention: Retention::new(Duration::MAX, u64::MAX, u64::MAX, 1),
                clock: Arc::new(SystemClock),
                opening: None,
                durability,
            };
            let shared = Shared {
                feed: Arc::default(),
                status: watch::Sender::default(),
                chores: watch::Sender::default(),
                changes: watch::Sender::default(),
                attached: Arc::default(),
            };
            let mut writer = Writer::new(&connection, settings, shared).unwrap();
            writer.index(Box::new(|_| Ok(0))).unwrap();
            assert_eq!(level(&mut writer), expected);
            refuses.store(true, Ordering::Relaxed);
            assert!(writer.index(Box::new(|_| Err(Error::invalid("it fails")))).is_err());
            assert!(!writer.connection.is_autocommit(), "the transaction is still there");
            // Whether or not the next transaction still meets it, the one after that does not.
            drop(writer.in_transaction(|_| Ok(())));
            writer.index(Box::new(|_| Ok(0))).unwrap();
            assert_eq!(level(&mut writer), expected, "after a step that could not be taken back");
        }
    }
}
