//! Steps of the search index, between the commands.

use super::{Durability, Indexing, Writer};
use vextir_core::Result;

impl Writer<'_> {
    /// Stores a step without waiting for the disk: the index follows from what is durable already, and its cursor lies in
    /// the same transaction. The next command's sync takes it along.
    pub(super) fn index(&mut self, step: Indexing) -> Result<()> {
        // Nobody's answer waits for it.
        self.relay.pass_on();
        self.in_transaction_of(Durability::Normal, |writer| {
            let grown = step(writer.connection)?;
            writer.rows.desk.bytes = writer.rows.desk.bytes.saturating_add_signed(grown);
            writer.rows.flush()
        })
    }
}
