//! How long one event takes when nothing else is going on.

use std::time::{Duration, Instant};

use vextir::Processor;

use super::answerer::{Answer, Answerer, Ask};
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// One event at a time, from the call of `emit` until its output is committed and seen, with a handler that is
/// eager or not. The median.
pub(crate) fn latency(trial: &Trial, eager: bool) -> Result<Vec<Measurement>> {
    super::block_on(async {
        let driver = Answerer { eager, ..Answerer::new(1) };
        let app = Processor::builder(super::open(trial)?).driver(driver).start().await?;
        // On a worker, as in a server: the main thread would have to be woken for each answer.
        tokio::spawn(ask_for(app.clone(), trial.warm_up())).await??;
        let mut times = tokio::spawn(ask_for(app.clone(), trial.length())).await??;
        app.shutdown().await?;
        times.sort_unstable();
        let median = times[times.len() / 2].as_secs_f64() * 1e6;
        let name = if eager { "latency_eager" } else { "latency" };
        Ok(vec![Measurement::new(name, Unit::Microseconds, median)])
    })
}

async fn ask_for(app: Processor, length: Duration) -> vextir::Result<Vec<Duration>> {
    let (started, mut times) = (Instant::now(), Vec::new());
    while started.elapsed() < length {
        let one = Instant::now();
        let _: Answer = app.request(Ask::new()).await?;
        times.push(one.elapsed());
    }
    Ok(times)
}
