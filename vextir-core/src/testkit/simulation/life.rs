//! One run: processes that follow each other on one bus, each on a runtime of its own, so that a dead one is
//! dropped where it stands.

use super::bus::{Connection, Script};
use super::{CrashPoint, Run, Simulation};
use crate::bus::{BusLimits, EventBus, MemoryBus};
use crate::{Clock, EmitOptions, Error, ErrorKind, ManualClock, Processor, Result, Timestamp};
use futures::FutureExt;
use std::sync::Arc;
use tokio::sync::Notify;

/// When each run begins, in microseconds: 2025-01-01T00:00:00Z.
const BEGIN: i64 = 1_735_689_600_000_000;
/// How often a process may die and be started again in one run.
const LIVES: usize = 8;

/// How a run ended.
pub(super) struct Ended<W> {
    pub(super) run: Run,
    pub(super) world: W,
    pub(super) commits: usize,
    pub(super) died_at: Option<String>,
}

/// How a life ended.
enum End {
    Died,
    Over,
}

/// What a run has, whichever of its lives it is in.
struct Stage {
    bus: MemoryBus,
    clock: ManualClock,
    script: Arc<Script>,
    seed: u64,
    /// Processes so far.
    lives: usize,
    /// Events whose emit was acknowledged.
    emitted: usize,
}

impl<W> Simulation<W> {
    /// Runs from the first event to the end, through a death if there is one.
    pub(super) fn run(&self, seed: u64, crash: Option<CrashPoint>) -> Result<Ended<W>> {
        let clock = ManualClock::starting(Timestamp::from_micros(BEGIN));
        let limits = BusLimits::default();
        let bus = MemoryBus::with_limits(limits, usize::MAX, Arc::new(clock.clone()));
        let script = Arc::new(Script::new(seed, crash));
        let world = (self.world)();
        let mut stage = Stage { bus, clock, script, seed, lives: 0, emitted: 0 };
        while stage.lives < LIVES {
            stage.lives += 1;
            if let End::Died = self.life(&world, &mut stage)? {
                // Also when it died before it had started.
                stage.bus.abandon();
                continue;
            }
            let run = Run::of(&stage.bus, stage.lives).now_or_never();
            let run = run.unwrap_or_else(|| Err(Error::invalid("the memory bus made its reader wait")))?;
            let (commits, died_at) = (stage.script.commits(), stage.script.died_at());
            return Ok(Ended { run, world, commits, died_at });
        }
        Err(Error::new(ErrorKind::Failed, "the process died again and again"))
    }

    /// One process, from its start to its orderly stop or its death.
    fn life(&self, world: &W, stage: &mut Stage) -> Result<End> {
        let quiet = Arc::new(Notify::new());
        let over = Timestamp::from_micros(BEGIN).after(self.longest);
        let (clock, silence) = (stage.clock.clone(), quiet.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_park(move || pass_time(&clock, &silence, over))
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "no runtime for the simulation").with_source(error)
            })?;
        let connection = Connection::new(stage.bus.clone(), stage.script.clone());
        let death = connection.death.clone();
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = death.notified() => Ok(End::Died),
                ended = self.live(world, stage, connection, &quiet) => ended.map(|()| End::Over),
            }
        })
    }

    async fn live(&self, world: &W, stage: &mut Stage, connection: Connection, quiet: &Notify) -> Result<()> {
        let bus: Arc<dyn EventBus> = Arc::new(connection);
        // Each process draws ids of its own, as real ones do.
        let seed = stage.seed.wrapping_mul(LIVES as u64).wrapping_add(stage.lives as u64);
        let builder = Processor::builder(bus).clock(stage.clock.clone()).seed(seed);
        let app = (self.build)(builder, world).start().await?;
        while let Some(event) = self.events.get(stage.emitted) {
            // A process that emits again what was not acknowledged needs a key, or an id, of its own.
            let options = EmitOptions::new().key(format!("simulation/{}", stage.emitted));
            app.emit_with(event.clone(), options).await?;
            stage.emitted += 1;
        }
        // What was noted before the last emit says nothing.
        let _ = quiet.notified().now_or_never();
        quiet.notified().await;
        if stage.clock.now() >= Timestamp::from_micros(BEGIN).after(self.longest)
            && stage.bus.status().borrow().open > 0
        {
            return Err(Error::new(
                ErrorKind::Timeout,
                format!(
                    "work is still open after {} of simulated time",
                    humantime::format_duration(self.longest)
                ),
            ));
        }
        app.shutdown().await
    }
}

/// Nothing can go on: time passes until somebody wakes, or the run is over.
fn pass_time(clock: &ManualClock, quiet: &Notify, over: Timestamp) {
    match clock.until_next() {
        Some(span) if clock.now() < over => clock.advance(span),
        _ => quiet.notify_one(),
    }
}
