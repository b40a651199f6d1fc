//! Ledgers, keys, drivers, checkpoints and the audit.

use super::SqlRows;
use crate::encode::{json, state, units};
use crate::fault::OrFault;
use crate::key::Key;
use crate::queries::{self, signed};
use rusqlite::OptionalExtension;
use vextir_core::bus::Checkpoint;
use vextir_core::{AuditRecord, Data, EventId, Lease, Name, Result, Sequence};

impl SqlRows<'_> {
    pub(super) fn find_lease(&mut self, user: &Name, root: &EventId) -> Result<Option<&mut Lease>> {
        let key = Key::new(user, root);
        if self.ledger.seek(&key) {
            return Ok(self.ledger.current());
        }
        let stored = queries::lease(self.connection, &key, &self.defaults)?;
        self.ledger.learn(&key, stored);
        Ok(self.ledger.current())
    }

    pub(super) fn open_lease(&mut self, lease: Lease) {
        self.writes += 1;
        self.ledger.open(&Key::new(&lease.user, &lease.root), lease);
    }

    /// Writes the ledgers that were used.
    pub(super) fn flush_ledger(&mut self) -> Result<()> {
        let (statements, defaults) = (&mut self.statements, &self.defaults);
        let (trimmed, head) = (self.counts.trimmed, self.counts.head);
        let mut left_behind = Vec::new();
        self.ledger.settle(|key, lease, stored| {
            if is_left_behind(lease, trimmed) {
                left_behind.push(key.clone());
            }
            let limits = (lease.limits != *defaults).then(|| json(&lease.limits)).transpose()?;
            let (used, reserved, short) =
                (units(&lease.units)?, units(&lease.reserved)?, units(&lease.short)?);
            let statement = if stored { &mut statements.set_lease } else { &mut statements.add_lease };
            let mut bind = || {
                statement.raw_bind_parameter(1, key)?;
                statement.raw_bind_parameter(2, lease.user.as_str())?;
                statement.raw_bind_parameter(3, signed(lease.events))?;
                statement.raw_bind_parameter(4, signed(lease.first))?;
                statement.raw_bind_parameter(5, signed(lease.last))?;
                statement.raw_bind_parameter(6, signed(lease.open))?;
                statement.raw_bind_parameter(7, signed(lease.parked))?;
                statement.raw_bind_parameter(8, state(lease.state))?;
                statement.raw_bind_parameter(9, limits.as_deref())?;
                statement.raw_bind_parameter(10, used.as_deref())?;
                statement.raw_bind_parameter(11, reserved.as_deref())?;
                statement.raw_bind_parameter(12, short.as_deref())?;
                statement.raw_execute()
            };
            bind().or_fault().map(drop)
        })?;
        left_behind.iter().try_for_each(|key| self.linger(head, key))
    }

    /// Lets a ledger go once retention has passed `sequence`: no row of the log will take it along.
    fn linger(&mut self, sequence: Sequence, key: &Key) -> Result<()> {
        let sql = "INSERT OR IGNORE INTO linger (seq, root) VALUES (?1, ?2)";
        self.cached(sql)?.execute((signed(sequence), key)).or_fault()?;
        Ok(())
    }

    pub(super) fn select_key(&mut self, user: &Name, key: &Name) -> Result<Option<EventId>> {
        self.cached("SELECT id FROM key WHERE user = ?1 AND key = ?2")?
            .query_row([user.as_str(), key.as_str()], |row| Ok(crate::decode::id(row, 0)))
            .optional()
            .or_fault()?
            .transpose()
            .map(Option::flatten)
    }

    pub(super) fn insert_key(&mut self, user: &Name, key: &Name, id: &EventId) -> Result<()> {
        self.writes += 1;
        let number = self.next_number()?;
        let row =
            (signed(number), signed(self.counts.head + 1), user.as_str(), key.as_str(), Key::new(user, id));
        self.cached("INSERT INTO key (number, seq, user, key, id) VALUES (?1,?2,?3,?4,?5)")?
            .execute(row)
            .or_fault()?;
        Ok(())
    }

    pub(super) fn insert_audit(&mut self, record: &AuditRecord) -> Result<()> {
        self.writes += 1;
        let number = self.next_number()?;
        let mut record = record.clone();
        record.at = self.now;
        let text = json(&record)?;
        self.grown += text.len() as u64;
        let row =
            (signed(number), signed(self.counts.head), record.at.as_micros(), record.user.as_str(), text);
        self.cached("INSERT INTO audit (number, seq, at, user, record) VALUES (?1,?2,?3,?4,?5)")?
            .execute(row)
            .or_fault()?;
        Ok(())
    }

    pub(super) fn select_checkpoint(&mut self, driver: &Name, key: &str) -> Result<Option<Data>> {
        let driver = self.driver_number(driver)?;
        self.cached("SELECT value FROM checkpoint WHERE driver = ?1 AND key = ?2")?
            .query_row((driver, key), |row| Ok(crate::decode::data(row, 0)))
            .optional()
            .or_fault()?
            .transpose()
            .map(Option::flatten)
    }

    pub(super) fn write_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.writes += 1;
        let driver = self.driver_number(&checkpoint.driver)?;
        match &checkpoint.value {
            Some(value) => self
                .cached("INSERT OR REPLACE INTO checkpoint (driver, key, value) VALUES (?1,?2,?3)")?
                .execute((driver, checkpoint.key.as_str(), value.as_json())),
            None => self
                .cached("DELETE FROM checkpoint WHERE driver = ?1 AND key = ?2")?
                .execute((driver, checkpoint.key.as_str())),
        }
        .or_fault()?;
        Ok(())
    }

    pub(super) fn write_driver(&mut self, driver: &Name, version: &str) -> Result<()> {
        self.writes += 1;
        let number = self.driver_number(driver)?;
        self.cached("UPDATE driver SET version = ?2 WHERE id = ?1")?.execute((number, version)).or_fault()?;
        Ok(())
    }

    /// The small number that stands for a driver's id.
    pub(super) fn driver_number(&mut self, driver: &Name) -> Result<i64> {
        if let Some(number) = self.drivers.get(driver) {
            return Ok(*number);
        }
        let known = self
            .cached("SELECT id FROM driver WHERE name = ?1")?
            .query_row([driver.as_str()], |row| row.get(0))
            .optional()
            .or_fault()?;
        let number = match known {
            Some(number) => number,
            None => {
                self.writes += 1;
                self.cached("INSERT INTO driver (name) VALUES (?1)")?.insert([driver.as_str()]).or_fault()?
            }
        };
        self.drivers.insert(driver.clone(), number);
        Ok(number)
    }
}

/// Whether retention has passed every event of a tree that is over, so that nothing will remove its ledger.
fn is_left_behind(lease: &Lease, trimmed: Sequence) -> bool {
    lease.open == 0 && lease.parked == 0 && lease.last <= trimmed
}
