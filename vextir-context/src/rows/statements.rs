//! The statements that run for almost every command, prepared once.

use crate::fault::OrFault;
use crate::schema::EVENT_COLUMNS;
use rusqlite::{Connection, Statement};
use vextir_core::Result;

/// Prepared statements of the writer's connection.
#[derive(Debug)]
pub(super) struct Statements<'c> {
    pub(super) add_event: Statement<'c>,
    pub(super) add_delivery: Statement<'c>,
    pub(super) take_delivery: Statement<'c>,
    pub(super) add_unrouted: Statement<'c>,
    pub(super) take_unrouted: Statement<'c>,
    pub(super) add_lease: Statement<'c>,
    pub(super) set_lease: Statement<'c>,
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self> {
        let prepare = |sql: &str| connection.prepare(sql).or_fault();
        Ok(Self {
            add_event: prepare(&format!(
                "INSERT INTO log (seq, logged, policy, {EVENT_COLUMNS})
                 VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19)"
            ))?,
            add_delivery: prepare(
                "INSERT INTO delivery (pos, seq, driver, logged, attempt, reclaims, due, obligations, error,
                 reserve) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
            )?,
            take_delivery: prepare("DELETE FROM delivery WHERE pos = ?1")?,
            add_unrouted: prepare("INSERT INTO unrouted (seq) VALUES (?1)")?,
            take_unrouted: prepare("DELETE FROM unrouted WHERE seq = ?1")?,
            add_lease: prepare(
                "INSERT INTO lease (root, user, events, first, last, open, parked, state, limits, units,
                 reserved, short) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
            )?,
            set_lease: prepare(
                "UPDATE lease SET user = ?2, events = ?3, first = ?4, last = ?5, open = ?6, parked = ?7,
                 state = ?8, limits = ?9, units = ?10, reserved = ?11, short = ?12 WHERE root = ?1",
            )?,
        })
    }
}
