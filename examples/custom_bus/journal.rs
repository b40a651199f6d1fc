//! The bus: a `MemoryBus`, and a journal of what was asked of it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};
use vextir::bus::{
    Attachment, BusStatus, Checkpoint, Chores, Command, DeadLetter, Delivery, Held, Hold, Logged, Page,
    Parked, Position, Receipt,
};
use vextir::prelude::*;
use vextir::{
    AuditRecord, BusLimits, Clock, Error, ErrorKind, EventBus, Lease, ManualClock, MemoryBus, Name, Result,
    Sequence, SystemClock,
};

/// What the journal holds, one after the other.
#[derive(Serialize, Deserialize)]
enum Line {
    /// The first line. Ids and cursors follow from its number, so that each replay gives the same ones.
    Begin(u64),
    Attach,
    Detach,
    Commit(Timestamp, Command),
}

/// A durable [`EventBus`] of a [`MemoryBus`] and a journal.
#[derive(Debug)]
pub(crate) struct JournalBus {
    memory: MemoryBus,
    /// Stands at the time of the command at hand, so that a replay stamps what the first run stamped.
    clock: ManualClock,
    /// Whoever holds it writes and applies: both happen in one order.
    journal: Mutex<File>,
}

impl JournalBus {
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(failed)?;
        file.try_lock().map_err(|_| Error::new(ErrorKind::Locked, "somebody else has the journal open"))?;
        let text = std::fs::read(path).map_err(failed)?;
        let mut lines = serde_json::Deserializer::from_slice(&text).into_iter::<Line>();

        let clock = ManualClock::starting(Timestamp::UNSET);
        let mut memory = MemoryBus::with_limits(BusLimits::default(), 100_000, Arc::new(clock.clone()));
        loop {
            let whole = lines.byte_offset();
            match lines.next() {
                Some(Ok(Line::Begin(seed))) => memory = memory.seeded(seed),
                Some(Ok(Line::Attach)) => {
                    // The one before did not leave in order, or this one could not have come.
                    memory.abandon();
                    memory.attach().await?;
                }
                Some(Ok(Line::Detach)) => memory.detach().await?,
                Some(Ok(Line::Commit(at, command))) => {
                    clock.jump(at);
                    // What was refused then is refused again.
                    let _ = memory.commit(command).await;
                }
                // The last line was cut off by a crash: nobody was told that it had happened.
                Some(Err(error)) if error.is_eof() => file.set_len(whole as u64).map_err(failed)?,
                Some(Err(error)) => {
                    let place = format!("the journal is damaged after byte {whole}: {error}");
                    return Err(Error::new(ErrorKind::Corrupt, place));
                }
                None if whole == 0 => {
                    let seed = SystemClock.now().as_micros().unsigned_abs();
                    append(&mut file, &Line::Begin(seed))?;
                    memory = memory.seeded(seed);
                    break;
                }
                None => break,
            }
        }
        // Whoever was attached is gone.
        memory.abandon();
        Ok(Self { memory, clock, journal: Mutex::new(file) })
    }
}

/// Writes a line, and syncs it; a line that could not be written whole is taken back.
fn append(file: &mut File, line: &Line) -> Result<()> {
    let before = file.metadata().map_err(failed)?.len();
    let text = serde_json::to_string(line).map_err(|error| Error::invalid(error.to_string()))? + "\n";
    file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(|error| {
        let _ = file.set_len(before);
        failed(error)
    })
}

pub(crate) fn failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the journal: {error}"))
}

#[vextir::async_trait]
impl EventBus for JournalBus {
    fn incarnation(&self) -> u64 {
        self.memory.incarnation()
    }
    fn is_durable(&self) -> bool {
        true
    }

    async fn commit(&self, command: Command) -> Result<Receipt> {
        let mut journal = self.journal.lock().await;
        let now = SystemClock.now();
        append(&mut journal, &Line::Commit(now, command.clone()))?;
        self.clock.jump(now);
        // This is ready at once, so a caller that gives up cannot come between the line and its effect.
        self.memory.commit(command).await
    }

    async fn attach(&self) -> Result<Attachment> {
        let mut journal = self.journal.lock().await;
        let attachment = self.memory.attach().await?;
        append(&mut journal, &Line::Attach)?;
        Ok(attachment)
    }

    async fn detach(&self) -> Result<()> {
        let mut journal = self.journal.lock().await;
        append(&mut journal, &Line::Detach)?;
        self.memory.detach().await
    }

    // No line: a journal that goes on after an `Attach` without a `Detach` says the same.
    fn abandon(&self) {
        self.memory.abandon();
    }

    // Everything else only reads.

    fn status(&self) -> watch::Receiver<BusStatus> {
        self.memory.status()
    }
    fn chores(&self) -> watch::Receiver<Chores> {
        self.memory.chores()
    }
    async fn read(&self, after: Sequence, filter: &EventFilter, limit: usize) -> Result<Page> {
        self.memory.read(after, filter, limit).await
    }
    async fn find(&self, user: &Name, id: &EventId) -> Result<Option<Logged>> {
        self.memory.find(user, id).await
    }
    async fn lease(&self, user: &Name, root: &EventId) -> Result<Option<Lease>> {
        self.memory.lease(user, root).await
    }
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        self.memory.receive(max).await
    }
    async fn pending(&self, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        self.memory.pending(after, limit).await
    }
    async fn unclaimed(&self) -> Result<BTreeMap<Name, usize>> {
        self.memory.unclaimed().await
    }

    async fn unclaimed_of(&self, driver: &Name, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        self.memory.unclaimed_of(driver, after, limit).await
    }

    async fn unrouted(&self, limit: usize) -> Result<Vec<Logged>> {
        self.memory.unrouted(limit).await
    }
    async fn parked(&self, hold: Hold, limit: usize) -> Result<Vec<Parked>> {
        self.memory.parked(hold, limit).await
    }
    async fn held(&self, which: &Held, limit: usize) -> Result<Vec<Parked>> {
        self.memory.held(which, limit).await
    }

    async fn dead_letters(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>> {
        self.memory.dead_letters(after, limit).await
    }
    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<(u64, AuditRecord)>> {
        self.memory.audit(after, limit).await
    }
    async fn checkpoints(&self, driver: &Name, after: &str, limit: usize) -> Result<Vec<Checkpoint>> {
        self.memory.checkpoints(driver, after, limit).await
    }
}
