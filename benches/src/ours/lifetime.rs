//! What a processor costs that does nothing, and one that has done much.

use std::time::Duration;

use vextir::Processor;

use super::answerer::{Answer, Answerer, Ask};
use super::event_loop::Asking;
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::resources::{cpu_milliseconds, resident_mebibytes};
use crate::trial::Trial;

/// A processor with one driver that has handled one event and then waits for 60 seconds (quick: 2).
/// Processor time in that wait, and the memory resident after it.
pub(crate) fn idle(trial: &Trial) -> Result<Vec<Measurement>> {
    super::block_on(async {
        let app = Processor::builder(super::open(trial)?).driver(Answerer::new(64)).start().await?;
        let _: Answer = app.request(Ask::new()).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;

        let before = cpu_milliseconds();
        tokio::time::sleep(Duration::from_secs(if trial.quick { 2 } else { 60 })).await;
        let used = cpu_milliseconds() - before;
        let resident = resident_mebibytes()?;
        app.shutdown().await?;
        Ok(vec![
            Measurement::new("idle_cpu", Unit::CpuMilliseconds, used),
            Measurement::new("idle_resident", Unit::Mebibytes, resident),
        ])
    })
}

/// The durable loop with 256 in flight over a million events (quick: 200,000): what is resident early, after a half of
/// them and after all. Early is when the caches are full, so that what is compared is growth with the log: the writer's
/// page cache is full after some 30,000 loops.
pub(crate) fn million(trial: &Trial) -> Result<Vec<Measurement>> {
    super::block_on(async {
        let (early, events) = if trial.quick { (50_000, 200_000) } else { (100_000, 1_000_000) };
        let app = Processor::builder(super::open(trial)?).driver(Answerer::new(256)).start().await?;
        let asking = Asking::begin(&app, 256);
        let mut figures = Vec::new();
        let marks = [("resident_early", early), ("resident_half", events / 2), ("resident_all", events)];
        for (name, mark) in marks {
            while asking.answered() < mark && asking.is_going_on() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            figures.push(Measurement::new(name, Unit::Mebibytes, resident_mebibytes()?));
        }
        asking.end().await?;
        app.shutdown().await?;
        Ok(figures)
    })
}
