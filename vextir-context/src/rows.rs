//! The rows of a hub's file inside the writer's transaction: what [`transact`](vextir_core::bus::transact)
//! decides, this stores.

mod bookkeeping;
mod branches;
mod ledger;
mod parking;
mod statements;
mod unclaimed;
mod work;

use crate::documents::desk::{self, Desk, Writing};
use crate::documents::{self, Enrollment};
use crate::fault::OrFault;
use crate::graph;
use crate::key::Key;
use crate::queries::{self, stored_number};
use ledger::Ledger;
use rusqlite::{CachedStatement, Connection};
use statements::Statements;
use std::collections::HashMap;
use vextir_core::bus::{
    Checkpoint, Chores, DeadLetter, Delivery, Hold, IdSource, Logged, Parked, Position, Rows,
};
use vextir_core::{
    Actor, AuditRecord, Branch, Change, Data, Decision, Event, EventId, Lease, Limits, Name, Result,
    Sequence, Timestamp, Version,
};

/// How many numbers are set aside at once, so that they survive a crash without a write for each.
const BLOCK: u64 = 4_096;

/// How many ledgers are kept in memory.
const LEDGERS: usize = 16_384;

/// Numbers that a rollback takes back.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// The last sequence of the log.
    pub(crate) head: Sequence,
    /// The last position, and the last that is set aside.
    position: Position,
    positions: Position,
    /// The same for numbers of parked events, audit records and keys.
    number: u64,
    numbers: u64,
    deliveries: usize,
    unrouted: usize,
    pub(crate) parked: usize,
    /// How many of the parked ones handlers made.
    pub(crate) made: usize,
    pub(crate) dead: usize,
    /// Dead letters that retention has removed since the file was opened.
    pub(crate) letters_removed: u64,
    unclaimed: usize,
    /// What retention has removed: everything up to here, but for what is still needed.
    pub(crate) trimmed: Sequence,
}

impl Counts {
    /// Deliveries and unrouted events that are not settled.
    pub(crate) fn open(&self) -> usize {
        self.deliveries + self.unrouted
    }
}

/// The rows, their caches, and the numbers that are given next.
#[derive(Debug)]
pub(crate) struct SqlRows<'c> {
    connection: &'c Connection,
    statements: Statements<'c>,
    ledger: Ledger,
    drivers: HashMap<Name, i64>,
    pub(crate) counts: Counts,
    /// Grows with each attempt to write: a refusal that leaves it alone wrote nothing.
    pub(crate) writes: u64,
    /// Old events that were needed again while retention was looking for what it may remove.
    pub(crate) needed_again: Vec<Sequence>,
    /// Up to where retention is looking.
    pub(crate) retiring: Sequence,
    /// Bytes of payload that were added, roughly.
    pub(crate) grown: u64,
    next_due: Option<Timestamp>,
    due_changed: bool,
    now: Timestamp,
    ids: IdSource,
    backlog: usize,
    defaults: Limits,
    pub(crate) desk: Desk,
}

impl<'c> SqlRows<'c> {
    /// Prepares the statements and counts what is there.
    pub(crate) fn new(connection: &'c Connection, backlog: usize, defaults: Limits) -> Result<Self> {
        let counts = count(connection)?;
        let last = queries::number(
            connection,
            "SELECT coalesce(max(logged), 0) FROM log WHERE seq = ?1",
            [queries::signed(counts.head)],
        )?;
        let mut rows = Self {
            connection,
            statements: Statements::new(connection)?,
            ledger: Ledger::new(LEDGERS),
            drivers: HashMap::new(),
            counts,
            writes: 0,
            needed_again: Vec::new(),
            retiring: 0,
            grown: 0,
            next_due: None,
            due_changed: true,
            now: Timestamp::from_micros(queries::signed(last)),
            ids: IdSource::new(None),
            backlog,
            defaults,
            desk: Desk::open(connection)?,
        };
        rows.refresh()?;
        Ok(rows)
    }

    /// Begins a transaction at `now`, or at the last one's time if the clock jumped back.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// Takes into the graph what documents say, if nobody else did.
    pub(crate) fn take_links(&mut self, batch: &graph::Batch) -> Result<()> {
        if graph::take_links(self.writing(), batch)? {
            self.set_meta(graph::MARK, batch.until)?;
        }
        Ok(())
    }

    /// The time of the last transaction.
    pub(crate) fn time(&self) -> Timestamp {
        self.now
    }

    /// Writes what is only in memory so far. The last thing before a commit.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.flush_ledger()?;
        match self.desk.new_bytes() {
            Some(bytes) => self.set_meta(desk::BYTES, bytes),
            None => Ok(()),
        }
    }

    /// Forgets what a rolled-back transaction did.
    pub(crate) fn roll_back(&mut self, counts: Counts) {
        self.counts = counts;
        self.desk.roll_back(self.connection);
        self.ledger.clear();
        self.drivers.clear();
        self.due_changed = true;
    }

    /// After a commit: looks up what others wait for, if it may have changed.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        if self.due_changed {
            let found: Option<i64> =
                self.cached(queries::sql::NEXT_DUE)?.query_row([], |row| row.get(0)).or_fault()?;
            self.next_due = found.map(Timestamp::from_micros);
            self.due_changed = false;
        }
        Ok(())
    }

    /// What documents are written with.
    pub(crate) fn writing(&mut self) -> Writing<'_> {
        Writing { connection: self.connection, desk: &mut self.desk, writes: &mut self.writes, now: self.now }
    }

    /// Puts a user into a group, or takes it out.
    pub(crate) fn enroll(&mut self, enrollment: &Enrollment) -> Result<()> {
        documents::enroll(self.writing(), enrollment)
    }

    /// Does a slice of what documents put off.
    pub(crate) fn run_errand(&mut self) -> Result<()> {
        documents::run_errand(self.writing())
    }

    /// What the processor has to do.
    pub(crate) fn chores(&self) -> Chores {
        Chores::new(self.counts.unrouted, self.next_due).with_letters_removed(self.counts.letters_removed)
    }

    /// Forgets the ledger of a tree that retention removed.
    pub(crate) fn forget_lease(&mut self, root: &Key) {
        self.ledger.forget(root);
    }

    /// Writes down how far the numbers have come, so that none is given twice.
    pub(crate) fn seal(&mut self) -> Result<()> {
        self.set_meta("head", self.counts.head)?;
        self.set_meta("positions", self.counts.position)?;
        self.set_meta("numbers", self.counts.number)?;
        (self.counts.positions, self.counts.numbers) = (self.counts.position, self.counts.number);
        Ok(())
    }

    pub(crate) fn set_meta(&mut self, name: &str, value: u64) -> Result<()> {
        self.writes += 1;
        self.cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
            .execute((name, queries::signed(value)))
            .or_fault()?;
        Ok(())
    }

    fn cached(&self, sql: &str) -> Result<CachedStatement<'c>> {
        self.connection.prepare_cached(sql).or_fault()
    }
}

/// The state of the numbers in a file that was just opened.
fn count(connection: &Connection) -> Result<Counts> {
    let number = |sql| queries::number(connection, sql, []);
    let size = |sql| number(sql).map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    let head = number("SELECT coalesce(max(seq), 0) FROM log")?.max(stored_number(connection, "head")?);
    // What was set aside may have been given: go on behind it.
    let (positions, numbers) =
        (stored_number(connection, "positions")?, stored_number(connection, "numbers")?);
    Ok(Counts {
        head,
        position: positions,
        positions,
        number: numbers,
        numbers,
        deliveries: size("SELECT count(*) FROM delivery")?,
        unrouted: size("SELECT count(*) FROM unrouted")?,
        parked: size("SELECT count(*) FROM parked")?,
        made: size("SELECT count(*) FROM parked WHERE root IS NOT NULL")?,
        dead: size("SELECT count(*) FROM dead")?,
        letters_removed: 0,
        unclaimed: size("SELECT count(*) FROM unclaimed")?,
        trimmed: stored_number(connection, "trimmed")?,
    })
}

impl Rows for SqlRows<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn new_id(&mut self) -> EventId {
        self.ids.next(self.now)
    }

    fn backlog(&self) -> (usize, usize) {
        (self.counts.open(), self.backlog)
    }

    fn waiting(&self) -> (usize, usize) {
        (self.counts.parked - self.counts.made, self.counts.made)
    }

    fn add_event(&mut self, event: &Event, policy: Option<&Name>) -> Result<Sequence> {
        self.insert_event(event, policy)
    }

    fn find_event(&mut self, user: &Name, id: &EventId) -> Result<Option<Logged>> {
        queries::find(self.connection, user, id)
    }

    fn has_event(&mut self, sequence: Sequence) -> Result<bool> {
        self.is_there(sequence)
    }

    fn add_unrouted(&mut self, sequence: Sequence) -> Result<()> {
        self.insert_unrouted(sequence)
    }

    fn take_unrouted(&mut self, sequence: Sequence) -> Result<bool> {
        self.delete_unrouted(sequence)
    }

    fn add_delivery(&mut self, delivery: &mut Delivery) -> Result<()> {
        self.insert_delivery(delivery)
    }

    fn take_delivery(&mut self, position: Position) -> Result<bool> {
        self.delete_delivery(position)
    }

    fn has_delivery(&mut self, position: Position) -> Result<bool> {
        self.exists_delivery(position)
    }

    fn retry_delivery(
        &mut self,
        position: Position,
        attempt: u32,
        due: Timestamp,
        error: &str,
    ) -> Result<bool> {
        self.update_delivery(position, attempt, due, error)
    }

    fn reclaim_delivery(&mut self, position: Position) -> Result<bool> {
        self.count_reclaim(position)
    }

    fn set_alone(&mut self, position: Option<Position>) -> Result<()> {
        self.set_meta("alone", position.unwrap_or(0))
    }

    fn drop_tree(&mut self, lease: &Lease) -> Result<usize> {
        self.delete_tree(lease)
    }

    fn unclaimed(&self) -> usize {
        self.counts.unclaimed
    }

    fn unclaim_delivery(&mut self, position: Position) -> Result<Option<Delivery>> {
        self.move_aside(position)
    }

    fn claim_delivery(&mut self, position: Position) -> Result<Option<Delivery>> {
        self.move_back(position)
    }

    fn take_unclaimed(&mut self, position: Position) -> Result<Option<Delivery>> {
        self.delete_unclaimed(position)
    }

    fn add_parked(&mut self, parked: &mut Parked) -> Result<()> {
        self.insert_parked(parked)
    }

    fn find_parked(&mut self, user: &Name, id: &EventId) -> Result<Option<Parked>> {
        self.select_parked(user, id)
    }

    fn take_parked(&mut self, number: u64) -> Result<bool> {
        self.delete_parked(number)
    }

    fn drop_parked(&mut self, user: &Name, root: &EventId) -> Result<usize> {
        self.delete_parked_of(user, root)
    }

    fn is_key_held(&mut self, user: &Name, key: &Name) -> Result<bool> {
        self.exists_held(user, key)
    }

    fn set_hold(
        &mut self,
        number: u64,
        hold: Hold,
        decision: Option<&Decision>,
        approved: Option<&Decision>,
    ) -> Result<()> {
        self.update_hold(number, hold, decision, approved)
    }

    fn add_dead(&mut self, letter: &DeadLetter) -> Result<()> {
        self.insert_dead(letter)
    }

    fn take_dead(&mut self, position: Position) -> Result<Option<DeadLetter>> {
        self.delete_dead(position)
    }

    fn lease(&mut self, user: &Name, root: &EventId) -> Result<Option<&mut Lease>> {
        self.find_lease(user, root)
    }

    fn add_lease(&mut self, lease: Lease) -> Result<()> {
        self.open_lease(lease);
        Ok(())
    }

    fn branch(&mut self, user: &Name, id: &EventId) -> Result<Option<Branch>> {
        self.select_branch(user, id)
    }

    fn set_branch(&mut self, branch: &Branch) -> Result<()> {
        self.write_branch(branch)
    }

    fn drop_branch(&mut self, branch: &Branch) -> Result<()> {
        self.delete_branch(branch)
    }

    fn drop_branches(&mut self, user: &Name, root: &EventId) -> Result<Option<Branch>> {
        self.delete_branches(user, root)
    }

    fn find_key(&mut self, user: &Name, key: &Name) -> Result<Option<EventId>> {
        self.select_key(user, key)
    }

    fn add_key(&mut self, user: &Name, key: &Name, id: &EventId) -> Result<()> {
        self.insert_key(user, key, id)
    }

    fn add_audit(&mut self, record: &AuditRecord) -> Result<()> {
        self.insert_audit(record)
    }

    fn checkpoint(&mut self, driver: &Name, key: &str) -> Result<Option<Data>> {
        self.select_checkpoint(driver, key)
    }

    fn set_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.write_checkpoint(checkpoint)
    }

    fn know_driver(&mut self, driver: &Name, version: &str) -> Result<()> {
        self.write_driver(driver, version)
    }

    fn holds_documents(&self) -> bool {
        true
    }

    fn apply_changes(&mut self, actor: &Actor, changes: &[Change]) -> Result<Vec<Version>> {
        documents::apply(self.writing(), actor, changes)
    }
}
