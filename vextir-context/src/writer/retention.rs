//! What the log keeps: by age and by size, in slices of a few milliseconds between the batches.
//!
//! Removing is a prefix of the log that grows: `trimmed` is the mark below which `read` answers a gap. What
//! an open delivery, a dead letter or an unrouted note still needs stays below the mark until a later pass.

mod slice;

use super::Writer;
use crate::fault::OrFault;
use crate::queries::{self, signed};
use slice::{Goal, Pass, Sweep};
use std::time::{Duration, Instant};
use vextir_core::{Result, Sequence, Timestamp};

/// How long one slice may take.
const SLICE: Duration = Duration::from_millis(4);

/// How many of the latest events are not removed for their size, unless the file cannot grow.
const LATEST: u64 = 256;

/// How much is added, at most, before the size is looked at again.
const STRIDE: u64 = 1 << 20;

/// The longest that it does not look at the clock.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How long to leave it alone after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// What to keep, and how far the removing has come.
#[derive(Debug)]
pub(crate) struct Retention {
    age: Duration,
    /// For the log and everything beside it but documents.
    bytes: u64,
    /// For everything.
    room: u64,
    dead_letters: usize,
    task: Task,
    /// When the next event will be too old.
    next_look: Timestamp,
    /// How much had been added when the size was looked at last.
    looked_at: u64,
    failed: Option<Instant>,
    /// Something did not fit.
    full: bool,
}

#[derive(Debug)]
enum Task {
    Idle,
    Look,
    Pass(Pass),
    Sweep(Sweep),
    Vacuum,
}

impl Retention {
    /// Keeps events for `age`, at most `bytes` of them (which work that is still open may exceed), as long as
    /// they leave `room` to documents, and at most so many dead letters.
    pub(crate) fn new(age: Duration, bytes: u64, room: u64, dead_letters: usize) -> Self {
        Self {
            age,
            bytes,
            room,
            dead_letters,
            task: Task::Look,
            next_look: Timestamp::UNSET,
            looked_at: 0,
            failed: None,
            full: false,
        }
    }

    /// Whether there is something to do, also while nobody writes.
    pub(super) fn has_more(&self) -> bool {
        !matches!(self.task, Task::Idle) && self.may_work()
    }

    /// How long it has nothing to do, unless somebody writes. The clock may be set meanwhile, so it looks again after
    /// an hour.
    pub(super) fn rest(&self, now: Timestamp) -> Duration {
        if self.failed.is_some() {
            return PAUSE;
        }
        self.next_look.since(now).min(LONGEST)
    }

    fn may_work(&self) -> bool {
        self.failed.is_none_or(|at| at.elapsed() > PAUSE)
    }

    /// Something did not fit: looks at once if anything can be removed.
    pub(super) fn make_room(&mut self) {
        self.full = true;
        if matches!(self.task, Task::Idle) {
            self.task = Task::Look;
        }
    }
}

impl Writer<'_> {
    /// One slice, if there is anything to do by now, although nobody writes.
    pub(super) fn retain_by_now(&mut self) {
        self.rows.begin(self.clock.now());
        self.retain();
    }

    /// One slice, if there is anything to do.
    pub(super) fn retain(&mut self) {
        let retention = &mut self.retention;
        if matches!(retention.task, Task::Idle) {
            let grown = self.rows.grown - retention.looked_at >= STRIDE.min(retention.bytes / 16);
            let aged = self.rows.time() >= retention.next_look;
            let crowded = self.rows.counts.dead > retention.dead_letters;
            if !grown && !aged && !crowded {
                return;
            }
            retention.task = Task::Look;
        }
        if !retention.may_work() {
            return;
        }
        retention.failed = None;
        // Nobody's answer waits for a slice.
        self.relay.pass_on();
        let letters_removed = self.rows.counts.letters_removed;
        if let Err(error) = self.retention_slice() {
            tracing::warn!(%error, "retention could not go on; it tries again later");
            self.rows.retiring = 0;
            self.retention.failed = Some(Instant::now());
            self.retention.task = Task::Look;
        }
        if self.rows.counts.letters_removed != letters_removed {
            // Keys may go on.
            self.publish();
        }
    }

    fn retention_slice(&mut self) -> Result<()> {
        let task = std::mem::replace(&mut self.retention.task, Task::Idle);
        self.retention.task = match task {
            Task::Idle => Task::Idle,
            Task::Look => self.look()?,
            Task::Pass(pass) => self.pass_slice(pass)?,
            Task::Sweep(sweep) => self.sweep_slice(sweep)?,
            Task::Vacuum => self.vacuum_slice()?,
        };
        Ok(())
    }

    /// Finds out how much is too old or too much.
    fn look(&mut self) -> Result<Task> {
        self.rows.begin(self.clock.now());
        self.retention.looked_at = self.rows.grown;
        let (trimmed, head) = (self.rows.counts.trimmed, self.rows.counts.head);
        let too_old = self.too_old(trimmed, head)?;
        self.retention.next_look = self.next_look(too_old)?;
        let too_much = self.is_too_much()?;
        let goal = match too_much {
            // A sixteenth at a time: as much as is free then is used again before the file grows.
            true => Goal { too_old, last: self.last_removable(head), count: ((head - trimmed) / 16).max(64) },
            false => Goal { too_old, last: too_old, count: 0 },
        };
        let crowded = self.rows.counts.dead > self.retention.dead_letters;
        if goal.last.max(too_old) > trimmed {
            Ok(Task::Pass(self.begin_pass(goal)?))
        } else if crowded || too_much {
            Ok(Task::Sweep(Sweep::new(too_much)))
        } else {
            self.vacuum_if_worthwhile()
        }
    }

    /// The last event that is older than the log keeps: found by halving, as log times only grow.
    fn too_old(&self, trimmed: Sequence, head: Sequence) -> Result<Sequence> {
        let (mut old, mut young) = (trimmed, head + 1);
        let limit = self.oldest_kept();
        while young - old > 1 {
            let middle = old + (young - old) / 2;
            if self.logged_at(middle)?.is_none_or(|logged| logged <= limit) {
                old = middle;
            } else {
                young = middle;
            }
        }
        Ok(old)
    }

    /// Events up to this moment are too old.
    fn oldest_kept(&self) -> Timestamp {
        self.rows.time().before(self.retention.age)
    }

    fn logged_at(&self, sequence: Sequence) -> Result<Option<Timestamp>> {
        let sql = "SELECT logged FROM log WHERE seq = ?1";
        let mut statement = self.connection.prepare_cached(sql).or_fault()?;
        let mut rows = statement.query([signed(sequence)]).or_fault()?;
        let row = rows.next().or_fault()?;
        row.map(|row| crate::decode::time(row, 0)).transpose()
    }

    /// When the first event that is left will be too old, with some room, so that passes are few.
    fn next_look(&self, gone: Sequence) -> Result<Timestamp> {
        let age = self.retention.age;
        let first = self.logged_at(gone + 1)?.unwrap_or(self.rows.time());
        Ok(first.after(age).after(age / 64))
    }

    /// Whether the file is too large.
    fn is_too_much(&self) -> Result<bool> {
        let used = crate::space::measure(self.connection)?.used;
        let of_log = used.saturating_sub(self.rows.desk.bytes);
        Ok(of_log > self.retention.bytes || used > self.retention.room)
    }

    /// The last event that may go because there is too much.
    fn last_removable(&self, head: Sequence) -> Sequence {
        if self.retention.full { head } else { head.saturating_sub(LATEST) }
    }

    /// Goes on while it helps.
    fn after_sweep(&mut self, helped: bool) -> Result<Task> {
        if helped && self.is_too_much()? {
            return Ok(Task::Look);
        }
        self.retention.full = false;
        self.vacuum_if_worthwhile()
    }

    /// Gives pages back to the file system when an eighth of the file is free; the log will use the rest.
    fn vacuum_if_worthwhile(&self) -> Result<Task> {
        let space = crate::space::measure(self.connection)?;
        let worthwhile = space.free > (space.used + space.free) / 8 && space.free > 64 * space.page;
        Ok(if worthwhile { Task::Vacuum } else { Task::Idle })
    }

    fn vacuum_slice(&mut self) -> Result<Task> {
        let began = Instant::now();
        while began.elapsed() < SLICE {
            let before = crate::space::measure(self.connection)?;
            if before.free <= (before.used + before.free) / 16 {
                return self.end_vacuum();
            }
            let mut statement = self.connection.prepare_cached("PRAGMA incremental_vacuum(32)").or_fault()?;
            let mut rows = statement.query([]).or_fault()?;
            while rows.next().or_fault()?.is_some() {}
            drop(rows);
            if crate::space::measure(self.connection)?.free >= before.free {
                return self.end_vacuum();
            }
        }
        Ok(Task::Vacuum)
    }

    /// The file shrinks when the write-ahead log is folded into it.
    fn end_vacuum(&self) -> Result<Task> {
        queries::number(self.connection, "PRAGMA wal_checkpoint(PASSIVE)", [])?;
        Ok(Task::Idle)
    }
}
