//! The slices of a pass: rows of the log first, then what hangs on them.

use super::{SLICE, Task, Writer};
use crate::decode;
use crate::fault::OrFault;
use crate::key::Key;
use crate::queries::signed;
use std::collections::HashSet;
use std::time::Instant;
use vextir_core::{Result, Sequence};

/// How many rows are looked at before the time is.
const STEP: usize = 64;

/// The same for SQLite.
const LIMIT: i64 = STEP as i64;

/// What a pass is to remove.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    /// All events up to here.
    pub(super) too_old: Sequence,
    /// And events up to here, until `count` are gone.
    pub(super) last: Sequence,
    pub(super) count: u64,
}

/// A walk over the log.
#[derive(Debug)]
pub(super) struct Pass {
    goal: Goal,
    cursor: Sequence,
    removed: u64,
    /// Events that open work needs.
    needed: HashSet<Sequence>,
}

impl Pass {
    fn is_over(&self) -> bool {
        let enough = self.removed >= self.goal.count || self.cursor >= self.goal.last;
        self.cursor >= self.goal.too_old && enough
    }
}

/// How many of the latest audit records stay when there is no room.
const LATEST_RECORDS: i64 = 1_000;

/// What hangs on events that are gone: one kind after the other.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    tight: bool,
    helped: bool,
    kind: usize,
    cursor: i64,
}

impl Sweep {
    /// A sweep without a pass; a `tight` one lets the audit give what the log has not.
    pub(super) fn new(tight: bool) -> Self {
        Self { tight, ..Self::default() }
    }

    fn after(pass: &Pass) -> Self {
        Self { helped: pass.removed > 0, ..Self::default() }
    }
}

impl Writer<'_> {
    /// Notes what must stay, and begins at the front: what had to stay last time may go now.
    pub(super) fn begin_pass(&mut self, goal: Goal) -> Result<Pass> {
        let target = goal.last.max(goal.too_old);
        let sql = "SELECT seq FROM delivery WHERE seq <= ?1 UNION ALL SELECT seq FROM dead WHERE seq <= ?1
                   UNION ALL SELECT seq FROM unrouted WHERE seq <= ?1
                   UNION ALL SELECT seq FROM unclaimed WHERE seq <= ?1";
        let mut statement = self.connection.prepare_cached(sql).or_fault()?;
        let mut rows = statement.query([signed(target)]).or_fault()?;
        let mut needed = HashSet::new();
        while let Some(row) = rows.next().or_fault()? {
            needed.insert(decode::count(row, 0)?);
        }
        self.rows.retiring = target;
        self.rows.needed_again.clear();
        Ok(Pass { goal, cursor: 0, removed: 0, needed })
    }

    /// Removes for a while.
    pub(super) fn pass_slice(&mut self, mut pass: Pass) -> Result<Task> {
        pass.needed.extend(self.rows.needed_again.drain(..));
        self.in_transaction(|writer| {
            let began = Instant::now();
            while !pass.is_over() && began.elapsed() < SLICE {
                writer.remove_some(&mut pass)?;
            }
            writer.rows.set_meta("trimmed", writer.rows.counts.trimmed)?;
            writer.rows.set_meta("head", writer.rows.counts.head)
        })?;
        if !pass.is_over() {
            return Ok(Task::Pass(pass));
        }
        self.rows.retiring = 0;
        Ok(Task::Sweep(Sweep::after(&pass)))
    }

    fn remove_some(&mut self, pass: &mut Pass) -> Result<()> {
        let some = self.next_rows(pass)?;
        let at_end = some.len() < STEP;
        for (sequence, root) in some {
            pass.cursor = sequence;
            if pass.needed.contains(&sequence) {
                continue;
            }
            self.connection
                .prepare_cached("DELETE FROM log WHERE seq = ?1")
                .and_then(|mut statement| statement.execute([signed(sequence)]))
                .or_fault()?;
            pass.removed += 1;
            // The mark stands on the last event that is gone: what is all there behind it can be read.
            self.rows.counts.trimmed = self.rows.counts.trimmed.max(sequence);
            self.remove_ledger(&root, self.rows.counts.trimmed)?;
            if pass.is_over() {
                return Ok(());
            }
        }
        if at_end {
            pass.cursor = self.rows.retiring;
        }
        Ok(())
    }

    /// The next rows of the log, each with the root of its tree.
    fn next_rows(&self, pass: &Pass) -> Result<Vec<(Sequence, Key)>> {
        let sql =
            "SELECT seq, coalesce(root, id) FROM log WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql).or_fault()?;
        let bounds = (signed(pass.cursor), signed(self.rows.retiring), LIMIT);
        let mut rows = statement.query(bounds).or_fault()?;
        let mut some = Vec::with_capacity(STEP);
        while let Some(row) = rows.next().or_fault()? {
            some.push((decode::count(row, 0)?, Key::read(row.get_ref(1).or_fault()?)?));
        }
        Ok(some)
    }

    /// Removes the ledger of a tree that is over, has no dead letters, and whose events are gone up to `removed`.
    fn remove_ledger(&mut self, root: &Key, removed: Sequence) -> Result<()> {
        let sql = "DELETE FROM lease WHERE root = ?1 AND open = 0 AND parked = 0 AND last <= ?2
                   AND NOT EXISTS (SELECT 1 FROM dead WHERE dead.root = ?1)";
        let gone = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute((root, signed(removed))))
            .or_fault()?;
        if gone > 0 {
            self.rows.forget_lease(root);
        }
        Ok(())
    }

    /// Removes for a while what hangs on removed events.
    pub(super) fn sweep_slice(&mut self, mut sweep: Sweep) -> Result<Task> {
        let kinds = [Self::sweep_ledgers, Self::sweep_keys, Self::sweep_audit, Self::sweep_dead];
        self.in_transaction(|writer| {
            let began = Instant::now();
            while let Some(kind) = kinds.get(sweep.kind)
                && began.elapsed() < SLICE
            {
                if !kind(writer, &mut sweep)? {
                    sweep = Sweep { kind: sweep.kind + 1, cursor: 0, ..sweep };
                }
            }
            Ok(())
        })?;
        if sweep.kind < kinds.len() { Ok(Task::Sweep(sweep)) } else { self.after_sweep(sweep.helped) }
    }

    /// Ledgers that no row of the log takes along.
    fn sweep_ledgers(&mut self, _: &mut Sweep) -> Result<bool> {
        let trimmed = self.rows.counts.trimmed;
        let sql = "DELETE FROM linger WHERE (seq, root) IN
                   (SELECT seq, root FROM linger WHERE seq <= ?1 ORDER BY seq LIMIT ?2) RETURNING root";
        let mut roots = Vec::new();
        {
            let mut statement = self.connection.prepare_cached(sql).or_fault()?;
            let mut rows = statement.query((signed(trimmed), LIMIT)).or_fault()?;
            while let Some(row) = rows.next().or_fault()? {
                roots.push(Key::read(row.get_ref(0).or_fault()?)?);
            }
        }
        for root in &roots {
            self.remove_ledger(root, trimmed)?;
        }
        Ok(roots.len() == STEP)
    }

    /// Emitters' keys, each with its event.
    fn sweep_keys(&mut self, sweep: &mut Sweep) -> Result<bool> {
        let sql = "SELECT number, EXISTS (SELECT 1 FROM log WHERE log.id = key.id)
                     OR EXISTS (SELECT 1 FROM parked WHERE parked.id = key.id)
                   FROM key WHERE number > ?1 AND seq <= ?2 ORDER BY number LIMIT ?3";
        let mut looked = 0;
        let mut gone = Vec::new();
        {
            let mut statement = self.connection.prepare_cached(sql).or_fault()?;
            let mut rows =
                statement.query((sweep.cursor, signed(self.rows.counts.trimmed), LIMIT)).or_fault()?;
            while let Some(row) = rows.next().or_fault()? {
                looked += 1;
                sweep.cursor = decode::get(row, 0)?;
                if !decode::get::<bool>(row, 1)? {
                    gone.push(sweep.cursor);
                }
            }
        }
        for number in gone {
            self.connection
                .prepare_cached("DELETE FROM key WHERE number = ?1")
                .and_then(|mut statement| statement.execute([number]))
                .or_fault()?;
        }
        Ok(looked == STEP)
    }

    /// Audit records of removed events, and those that are too old.
    fn sweep_audit(&mut self, sweep: &mut Sweep) -> Result<bool> {
        let sql = "DELETE FROM audit WHERE number IN (SELECT number FROM audit ORDER BY number LIMIT ?1)
                   AND (seq <= ?2 OR at <= ?3 OR (?4 AND number <= (SELECT max(number) FROM audit) - ?5))";
        let oldest = self.oldest_kept().as_micros();
        let trimmed = signed(self.rows.counts.trimmed);
        let gone = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| {
                statement.execute((LIMIT, trimmed, oldest, sweep.tight, LATEST_RECORDS))
            })
            .or_fault()?;
        Ok(gone == STEP)
    }

    /// Dead letters beyond the limit, the oldest first.
    fn sweep_dead(&mut self, _: &mut Sweep) -> Result<bool> {
        let excess = self.rows.counts.dead.saturating_sub(self.retention.dead_letters).min(STEP);
        if excess == 0 {
            return Ok(false);
        }
        let excess = i64::try_from(excess).unwrap_or(LIMIT);
        // Their ledgers may go as well, when everything up to here is gone.
        let sql = "INSERT OR IGNORE INTO linger (seq, root)
                   SELECT ?2, root FROM dead WHERE root IS NOT NULL ORDER BY pos LIMIT ?1";
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([excess, signed(self.rows.counts.head)]))
            .or_fault()?;
        let sql = "DELETE FROM dead WHERE pos IN (SELECT pos FROM dead ORDER BY pos LIMIT ?1)";
        let gone = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([excess]))
            .or_fault()?;
        self.rows.counts.dead = self.rows.counts.dead.saturating_sub(gone);
        self.rows.counts.letters_removed += gone as u64;
        tracing::warn!(letters = gone, "the oldest dead letters were removed: there are too many");
        Ok(gone > 0)
    }
}
