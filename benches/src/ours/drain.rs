//! A backlog that waits, and how fast it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use vextir::{Event, Processor};

use super::answerer::{Answerer, Ask};
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// A processor is paused, `jobs` events are emitted for its one driver, whose handler answers nothing; then it is
/// released. The clock runs from there until no delivery is open.
pub(crate) fn drain(trial: &Trial, jobs: usize) -> Result<Vec<Measurement>> {
    super::block_on(async {
        let asked = Arc::new(AtomicUsize::new(0));
        let driver = Answerer { silent: Some(asked.clone()), ..Answerer::new(256) };
        let app = Processor::builder(super::open(trial)?).driver(driver).paused().start().await?;
        let mut left = jobs;
        while left > 0 {
            let batch = left.min(1_000);
            let events = (0..batch).map(|_| Event::of(&Ask::new())).collect::<vextir::Result<Vec<_>>>()?;
            app.emit_all(events).await?;
            left -= batch;
        }
        let started = Instant::now();
        app.resume();
        app.idle().await;
        let rate = jobs as f64 / started.elapsed().as_secs_f64();
        app.shutdown().await?;
        if asked.load(Ordering::Relaxed) != jobs {
            return Err(format!("{asked:?} of {jobs} jobs were done").into());
        }
        Ok(vec![Measurement::new(format!("drain_{jobs}"), Unit::PerSecond, rate)])
    })
}
