//! Deliveries that are set aside: from one table into the other, and back.

use super::SqlRows;
use crate::decode;
use crate::fault::OrFault;
use crate::queries::{signed, sql};
use rusqlite::OptionalExtension;
use vextir_core::Result;
use vextir_core::bus::{Delivery, Position};

impl SqlRows<'_> {
    pub(super) fn move_aside(&mut self, position: Position) -> Result<Option<Delivery>> {
        let found = self.one_delivery(&sql::ONE_OPEN, position)?;
        if found.is_some() {
            self.copy("INSERT INTO unclaimed SELECT * FROM delivery WHERE pos = ?1", position)?;
            self.delete_delivery(position)?;
            self.counts.unclaimed += 1;
        }
        Ok(found)
    }

    pub(super) fn move_back(&mut self, position: Position) -> Result<Option<Delivery>> {
        let found = self.one_delivery(&sql::ONE_UNCLAIMED, position)?;
        if found.is_some() {
            self.copy("INSERT INTO delivery SELECT * FROM unclaimed WHERE pos = ?1", position)?;
            self.counts.deliveries += 1;
            self.remove_unclaimed(position)?;
        }
        Ok(found)
    }

    pub(super) fn delete_unclaimed(&mut self, position: Position) -> Result<Option<Delivery>> {
        let found = self.one_delivery(&sql::ONE_UNCLAIMED, position)?;
        if found.is_some() {
            self.remove_unclaimed(position)?;
        }
        Ok(found)
    }

    fn one_delivery(&self, sql: &str, position: Position) -> Result<Option<Delivery>> {
        self.cached(sql)?
            .query_row([signed(position)], |row| Ok(decode::delivery(row)))
            .optional()
            .or_fault()?
            .transpose()
    }

    fn copy(&mut self, sql: &str, position: Position) -> Result<()> {
        self.writes += 1;
        self.cached(sql)?.execute([signed(position)]).or_fault().map(drop)
    }

    fn remove_unclaimed(&mut self, position: Position) -> Result<()> {
        self.writes += 1;
        self.cached("DELETE FROM unclaimed WHERE pos = ?1")?.execute([signed(position)]).or_fault()?;
        self.counts.unclaimed = self.counts.unclaimed.saturating_sub(1);
        Ok(())
    }
}
