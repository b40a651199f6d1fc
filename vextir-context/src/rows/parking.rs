//! Events that wait beside the log: for their time, for a decision, for a lease, for their turn.

use super::{BLOCK, SqlRows};
use crate::decode;
use crate::encode::{bind_event, hold as hold_number, json};
use crate::fault::OrFault;
use crate::key::Key;
use crate::queries::{signed, sql};
use crate::schema::EVENT_COLUMNS;
use rusqlite::OptionalExtension;
use std::sync::LazyLock;
use vextir_core::bus::{Hold, Parked};
use vextir_core::{Decision, EventId, Name, Result};

impl SqlRows<'_> {
    pub(super) fn insert_parked(&mut self, parked: &mut Parked) -> Result<()> {
        static SQL: LazyLock<String> = LazyLock::new(|| {
            format!(
                "INSERT INTO parked (number, hold, since, decision, approved, origin, {EVENT_COLUMNS})
                 VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22)"
            )
        });
        self.writes += 1;
        parked.number = self.next_number()?;
        let decision = parked.decision.as_ref().map(json).transpose()?;
        let approved = parked.approved.as_ref().map(json).transpose()?;
        let origin = parked.origin.as_ref().map(json).transpose()?;
        let mut statement = self.cached(&SQL)?;
        let mut bind = || {
            statement.raw_bind_parameter(1, signed(parked.number))?;
            statement.raw_bind_parameter(3, parked.since.as_micros())?;
            statement.raw_bind_parameter(4, decision.as_deref())?;
            statement.raw_bind_parameter(5, approved.as_deref())?;
            statement.raw_bind_parameter(6, origin.as_deref())
        };
        bind().or_fault()?;
        statement.raw_bind_parameter(2, hold_number(parked.hold)?).or_fault()?;
        bind_event(&mut statement, 7, &parked.event)?;
        statement.raw_execute().or_fault()?;
        self.counts.parked += 1;
        self.counts.made += usize::from(parked.is_made());
        self.due_changed = true;
        self.grown += 256 + parked.event.data.len() as u64;
        Ok(())
    }

    pub(super) fn select_parked(&mut self, user: &Name, id: &EventId) -> Result<Option<Parked>> {
        if self.counts.parked == 0 {
            return Ok(None);
        }
        self.cached(&sql::ONE_PARKED)?
            .query_row([Key::new(user, id)], |row| Ok(decode::parked(row)))
            .optional()
            .or_fault()?
            .transpose()
    }

    pub(super) fn delete_parked(&mut self, number: u64) -> Result<bool> {
        let sql = "DELETE FROM parked WHERE number = ?1 RETURNING root IS NOT NULL";
        let gone = self.cached(sql)?.query_row([signed(number)], |row| row.get(0)).optional().or_fault()?;
        self.forget_parked(gone.as_slice());
        Ok(gone.is_some())
    }

    pub(super) fn delete_parked_of(&mut self, user: &Name, root: &EventId) -> Result<usize> {
        if self.counts.parked == 0 {
            return Ok(0);
        }
        let sql = "DELETE FROM parked WHERE number IN
                   (SELECT number FROM parked WHERE root = ?1 UNION ALL SELECT number FROM parked WHERE id = ?1)
                   RETURNING root IS NOT NULL";
        let mut statement = self.cached(sql)?;
        let gone = statement.query_map([Key::new(user, root)], |row| row.get(0)).or_fault()?;
        let gone: Vec<bool> = gone.collect::<Result<_, _>>().or_fault()?;
        self.forget_parked(&gone);
        Ok(gone.len())
    }

    /// For each event that went, whether a handler had made it.
    fn forget_parked(&mut self, gone: &[bool]) {
        if !gone.is_empty() {
            self.writes += 1;
            let made = gone.iter().filter(|made| **made).count();
            self.counts.parked = self.counts.parked.saturating_sub(gone.len());
            self.counts.made = self.counts.made.saturating_sub(made);
            self.due_changed = true;
        }
    }

    pub(super) fn exists_held(&mut self, user: &Name, key: &Name) -> Result<bool> {
        if self.counts.parked == 0 {
            return Ok(false);
        }
        self.cached(sql::KEY_HELD)?.exists([user.as_str(), key.as_str()]).or_fault()
    }

    pub(super) fn update_hold(
        &mut self,
        number: u64,
        hold: Hold,
        decision: Option<&Decision>,
        approved: Option<&Decision>,
    ) -> Result<()> {
        self.writes += 1;
        self.due_changed = true;
        let decision = decision.map(json).transpose()?;
        let approved = approved.map(json).transpose()?;
        let sql = "UPDATE parked SET hold = ?2, decision = coalesce(?3, decision),
                   approved = coalesce(?4, approved) WHERE number = ?1";
        self.cached(sql)?.execute((signed(number), hold_number(hold)?, decision, approved)).or_fault()?;
        Ok(())
    }

    /// A number that was never given before.
    pub(super) fn next_number(&mut self) -> Result<u64> {
        if self.counts.number >= self.counts.numbers {
            self.counts.numbers = self.counts.number + BLOCK;
            self.set_meta("numbers", self.counts.numbers)?;
        }
        self.counts.number += 1;
        Ok(self.counts.number)
    }
}
