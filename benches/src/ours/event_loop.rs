//! The whole loop: emit, handle, settle with one output.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use vextir::{Backend, MemoryBus, Processor};

use super::answerer::{Answer, Answerer, Ask};
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// One driver whose handler answers each event with one output. `in_flight` tasks each emit an event and wait
/// until its output is committed, then emit the next. An event counts when its output is seen, so both its emit
/// and its settlement were synced.
pub(crate) fn durable_loop(trial: &Trial, in_flight: usize) -> Result<Vec<Measurement>> {
    super::block_on(async {
        let rate = rate(super::open(trial)?, trial, in_flight).await?;
        Ok(vec![Measurement::new(format!("loop_{in_flight}"), Unit::PerSecond, rate)])
    })
}

/// The same over the bus in memory.
pub(crate) fn memory_loop(trial: &Trial, in_flight: usize) -> Result<Vec<Measurement>> {
    super::block_on(async {
        let rate = rate(MemoryBus::new(), trial, in_flight).await?;
        Ok(vec![Measurement::new("memory_loop", Unit::PerSecond, rate)])
    })
}

async fn rate(backend: impl Backend, trial: &Trial, in_flight: usize) -> Result<f64> {
    let app = Processor::builder(backend).driver(Answerer::new(in_flight)).start().await?;
    let asking = Asking::begin(&app, in_flight);
    tokio::time::sleep(trial.warm_up()).await;
    let (before, started) = (asking.answered(), Instant::now());
    tokio::time::sleep(trial.length()).await;
    let rate = (asking.answered() - before) as f64 / started.elapsed().as_secs_f64();
    asking.end().await?;
    app.shutdown().await?;
    Ok(rate)
}

/// Tasks that ask one question after the other, each when the last one is answered.
pub(super) struct Asking {
    tasks: Vec<tokio::task::JoinHandle<vextir::Result<()>>>,
    answered: Arc<AtomicU64>,
    enough: Arc<AtomicBool>,
}

impl Asking {
    pub(super) fn begin(app: &Processor, in_flight: usize) -> Asking {
        let answered = Arc::new(AtomicU64::new(0));
        let enough = Arc::new(AtomicBool::new(false));
        let ask = |_| {
            let (app, answered, enough) = (app.clone(), answered.clone(), enough.clone());
            tokio::spawn(async move {
                while !enough.load(Ordering::Relaxed) {
                    let _: Answer = app.request(Ask::new()).await?;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        };
        Asking { tasks: (0..in_flight).map(ask).collect(), answered, enough }
    }

    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Whether no task has ended, as one does that got an error.
    pub(super) fn is_going_on(&self) -> bool {
        !self.tasks.iter().any(tokio::task::JoinHandle::is_finished)
    }

    /// Asks no further question, and waits for the last answers.
    pub(super) async fn end(self) -> Result<()> {
        self.enough.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}
