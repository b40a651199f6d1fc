//! Steps of the search index, between the commands.

use super::{Indexing, Writer};
use crate::fault::OrFault;
use crate::queries;
use vextir_core::Result;

impl Writer<'_> {
    /// Stores a step without waiting for the disk: the index follows from what is durable already, and its cursor lies in
    /// the same transaction. The next command's sync takes it along.
    pub(super) fn index(&mut self, step: Indexing) -> Result<()> {
        // Nobody's answer waits for it.
        self.relay.pass_on();
        let synchronous = queries::number(self.connection, "PRAGMA synchronous", [])?;
        self.set_synchronous(1)?;
        let stored = self.in_transaction(|writer| {
            let grown = step(writer.connection)?;
            writer.rows.desk.bytes = writer.rows.desk.bytes.saturating_add_signed(grown);
            writer.rows.flush()
        });
        self.set_synchronous(synchronous)?;
        stored
    }

    fn set_synchronous(&self, level: u64) -> Result<()> {
        self.connection.execute_batch(&format!("PRAGMA synchronous = {level}")).or_fault()
    }
}
