//! Emitting alone: durable when it returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use vextir::{Category, Event, Processor};

use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// As long as the payload of the limits.
const PAYLOAD: &str = r#"{"location":"Oslo","celsius":21.5}"#;

/// `emitters` tasks emit events that no driver handles, each as soon as its last `emit` has returned.
pub(crate) fn durable_emit(trial: &Trial, emitters: usize) -> Result<Vec<Measurement>> {
    super::block_on(async {
        let app = Processor::builder(super::open(trial)?).start().await?;
        let (emitted, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let tasks: Vec<_> =
            (0..emitters).map(|_| tokio::spawn(emit(app.clone(), emitted.clone(), ended.clone()))).collect();

        tokio::time::sleep(trial.warm_up()).await;
        let (before, started) = (emitted.load(Ordering::Relaxed), Instant::now());
        tokio::time::sleep(trial.length()).await;
        let events = emitted.load(Ordering::Relaxed) - before;
        let rate = events as f64 / started.elapsed().as_secs_f64();

        ended.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await??;
        }
        app.shutdown().await?;
        Ok(vec![Measurement::new(format!("emit_{emitters}"), Unit::PerSecond, rate)])
    })
}

async fn emit(app: Processor, emitted: Arc<AtomicU64>, ended: Arc<AtomicBool>) -> vextir::Result<()> {
    let data = vextir::Data::from_json(PAYLOAD)?;
    while !ended.load(Ordering::Relaxed) {
        let fact = Event::new("bench.fact").with_category(Category::Output).with_data(data.clone());
        app.emit(fact).await?;
        emitted.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
