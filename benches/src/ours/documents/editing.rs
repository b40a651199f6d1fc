//! The editing trace: a paper, as it was typed.

use std::time::Instant;

use vextir_context::measure::Layer;

use crate::Result;
use crate::limits::trace::Trace;
use crate::measurement::{Measurement, Unit};
use crate::resources::cpu_milliseconds;
use crate::trial::Trial;

/// The merge layer alone: each edit by itself, then the whole text and the state as it is stored. Nothing is written to
/// the disk, because raw yrs does not either.
pub(crate) fn editing(trial: &Trial) -> Result<Vec<Measurement>> {
    let trace = Trace::read(trial)?;
    let began = cpu_milliseconds();
    let mut layer = Layer::new();
    for edit in &trace.edits {
        layer.splice(edit.at..edit.at + edit.removed, &edit.inserted)?;
    }
    let (text, state) = (layer.text(), layer.state());
    let took = cpu_milliseconds() - began;
    trace.check(&text)?;
    if Layer::load(&state)?.text() != text {
        return Err("the state is another text".into());
    }
    Ok(vec![Measurement::new("documents_trace", Unit::CpuMilliseconds, took)])
}

/// The same trace as users of the hub have it: the whole text is written each 1,000 edits, durably.
pub(crate) fn editing_stored(trial: &Trial) -> Result<Vec<Measurement>> {
    let trace = Trace::read(trial)?;
    super::super::block_on(async {
        let hub = super::open(trial)?;
        let ann = hub.context("ann");
        let began = Instant::now();
        let mut last = String::new();
        for text in trace.versions() {
            ann.write("/paper", text.as_str()).await?;
            last = text;
        }
        let took = began.elapsed().as_secs_f64() * 1e3;
        trace.check(&last)?;
        hub.close().await?;
        Ok(vec![Measurement::new("documents_trace_stored", Unit::Milliseconds, took)])
    })
}
