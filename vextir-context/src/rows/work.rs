//! The log and the work that follows from it: events, deliveries, dead letters.

use super::{BLOCK, SqlRows};
use crate::decode;
use crate::encode::{bind_event, units};
use crate::fault::OrFault;
use crate::key::Key;
use crate::queries::{signed, sql};
use rusqlite::OptionalExtension;
use rusqlite::types::Null;
use vextir_core::bus::{DeadLetter, Delivery, Position};
use vextir_core::{Data, Error, ErrorKind, Event, Lease, Name, Result, Sequence, Timestamp};

impl SqlRows<'_> {
    pub(super) fn insert_event(&mut self, event: &Event, policy: Option<&Name>) -> Result<Sequence> {
        self.writes += 1;
        let sequence = self.counts.head + 1;
        let statement = &mut self.statements.add_event;
        statement.raw_bind_parameter(1, signed(sequence)).or_fault()?;
        statement.raw_bind_parameter(2, self.now.as_micros()).or_fault()?;
        statement.raw_bind_parameter(3, policy.map(Name::as_str)).or_fault()?;
        bind_event(statement, 4, event)?;
        statement.raw_execute().or_fault()?;
        self.counts.head = sequence;
        self.grown += 256 + event.data.len() as u64;
        Ok(sequence)
    }

    pub(super) fn insert_unrouted(&mut self, sequence: Sequence) -> Result<()> {
        self.writes += 1;
        self.statements.add_unrouted.execute([signed(sequence)]).or_fault()?;
        self.counts.unrouted += 1;
        Ok(())
    }

    pub(super) fn delete_unrouted(&mut self, sequence: Sequence) -> Result<bool> {
        let gone = self.statements.take_unrouted.execute([signed(sequence)]).or_fault()? == 1;
        if gone {
            self.writes += 1;
            self.counts.unrouted = self.counts.unrouted.saturating_sub(1);
        }
        Ok(gone)
    }

    pub(super) fn insert_delivery(&mut self, delivery: &mut Delivery) -> Result<()> {
        self.writes += 1;
        let driver = self.driver_number(&delivery.driver)?;
        self.need_event(delivery.sequence)?;
        if self.counts.position >= self.counts.positions {
            self.counts.positions = self.counts.position + BLOCK;
            self.set_meta("positions", self.counts.positions)?;
        }
        delivery.position = self.counts.position + 1;
        let reserve = units(&delivery.reserve)?;
        let mut bind = || {
            let statement = &mut self.statements.add_delivery;
            statement.raw_bind_parameter(1, signed(delivery.position))?;
            statement.raw_bind_parameter(2, signed(delivery.sequence))?;
            statement.raw_bind_parameter(3, driver)?;
            statement.raw_bind_parameter(4, delivery.logged_at.as_micros())?;
            statement.raw_bind_parameter(5, delivery.attempt)?;
            statement.raw_bind_parameter(6, delivery.reclaims)?;
            statement.raw_bind_parameter(7, delivery.due.map(Timestamp::as_micros))?;
            match &delivery.obligations {
                Some(data) => statement.raw_bind_parameter(8, data.as_json())?,
                None => statement.raw_bind_parameter(8, Null)?,
            }
            statement.raw_bind_parameter(9, delivery.error.as_deref())?;
            statement.raw_bind_parameter(10, reserve.as_deref())?;
            statement.raw_execute()
        };
        bind().or_fault()?;
        self.counts.position = delivery.position;
        self.counts.deliveries += 1;
        Ok(())
    }

    /// An event that retention has passed may be gone; one that is needed again must stay.
    fn need_event(&mut self, sequence: Sequence) -> Result<()> {
        if sequence <= self.retiring {
            self.needed_again.push(sequence);
        }
        if self.is_there(sequence)? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Stale, format!("retention removed event {sequence} of the log")))
    }

    pub(super) fn is_there(&self, sequence: Sequence) -> Result<bool> {
        Ok(sequence > self.counts.trimmed
            || self.cached("SELECT 1 FROM log WHERE seq = ?1")?.exists([signed(sequence)]).or_fault()?)
    }

    pub(super) fn delete_delivery(&mut self, position: Position) -> Result<bool> {
        let gone = self.statements.take_delivery.execute([signed(position)]).or_fault()? == 1;
        if gone {
            self.writes += 1;
            self.counts.deliveries = self.counts.deliveries.saturating_sub(1);
        }
        Ok(gone)
    }

    pub(super) fn exists_delivery(&mut self, position: Position) -> Result<bool> {
        let sql = "SELECT 1 FROM delivery WHERE pos = ?1 UNION ALL SELECT 1 FROM unclaimed WHERE pos = ?1";
        self.cached(sql)?.exists([signed(position)]).or_fault()
    }

    pub(super) fn update_delivery(
        &mut self,
        position: Position,
        attempt: u32,
        due: Timestamp,
        error: &str,
    ) -> Result<bool> {
        self.writes += 1;
        let sql = "UPDATE delivery SET attempt = ?2, due = ?3, error = ?4 WHERE pos = ?1";
        let changed = self.cached(sql)?.execute((signed(position), attempt, due.as_micros(), error));
        Ok(changed.or_fault()? == 1)
    }

    pub(super) fn count_reclaim(&mut self, position: Position) -> Result<bool> {
        self.writes += 1;
        let sql = "UPDATE delivery SET reclaims = reclaims + 1 WHERE pos = ?1";
        Ok(self.cached(sql)?.execute([signed(position)]).or_fault()? == 1)
    }

    /// Walks over all open work, which the backlog bounds: cancelling is rare, an index would cost each
    /// delivery.
    pub(super) fn delete_tree(&mut self, lease: &Lease) -> Result<usize> {
        self.writes += 1;
        let root = Key::new(&lease.user, &lease.root);
        let drop_from = |table: &str| {
            let sql = format!(
                "DELETE FROM {table} WHERE EXISTS
                 (SELECT 1 FROM log WHERE log.seq = {table}.seq AND (log.root = ?1 OR log.id = ?1))"
            );
            self.cached(&sql)?.execute([&root]).or_fault()
        };
        let (deliveries, unrouted) = (drop_from("delivery")?, drop_from("unrouted")?);
        let unclaimed = if self.counts.unclaimed > 0 { drop_from("unclaimed")? } else { 0 };
        self.counts.unclaimed = self.counts.unclaimed.saturating_sub(unclaimed);
        self.counts.deliveries = self.counts.deliveries.saturating_sub(deliveries);
        self.counts.unrouted = self.counts.unrouted.saturating_sub(unrouted);
        Ok(deliveries + unrouted + unclaimed)
    }

    pub(super) fn insert_dead(&mut self, letter: &DeadLetter) -> Result<()> {
        self.writes += 1;
        let driver = self.driver_number(&letter.driver)?;
        let sql = "INSERT INTO dead (pos, seq, driver, logged, attempts, at, reason, obligations, root, \
                   reserve) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)";
        let row = (
            signed(letter.position),
            signed(letter.sequence),
            driver,
            letter.logged_at.as_micros(),
            letter.attempts,
            letter.at.as_micros(),
            letter.reason.as_str(),
            letter.obligations.as_ref().map(Data::as_json),
            Key::new(&letter.event.user_id, letter.event.root()),
            units(&letter.reserve)?,
        );
        self.cached(sql)?.execute(row).or_fault()?;
        self.counts.dead += 1;
        Ok(())
    }

    pub(super) fn delete_dead(&mut self, position: Position) -> Result<Option<DeadLetter>> {
        let found = self
            .cached(&sql::ONE_DEAD)?
            .query_row([signed(position)], |row| Ok(decode::dead(row)))
            .optional()
            .or_fault()?
            .transpose()?;
        if found.is_some() {
            self.writes += 1;
            self.cached("DELETE FROM dead WHERE pos = ?1")?.execute([signed(position)]).or_fault()?;
            self.counts.dead = self.counts.dead.saturating_sub(1);
        }
        Ok(found)
    }
}
