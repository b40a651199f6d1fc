//! Our own side of the table. Each function is one workload; a process runs one of them, once.
//!
//! All durable ones use `Hub::open` in the trial's folder with its defaults (WAL, `synchronous = FULL`) on a runtime
//! with as many threads as the machine has cores, and nothing is switched off: checks, leases and audit are on.

use crate::Result;
use crate::measurement::Measurement;
use crate::trial::Trial;

/// One driver whose handler answers each event with one output. `in_flight` tasks each emit an event and wait
/// until its output is committed, then emit the next. An event counts when its output is seen, so both its emit
/// and its settlement were synced. Figure: `loop_<in_flight>`, loops a second.
pub(crate) fn durable_loop(_trial: &Trial, _in_flight: usize) -> Result<Vec<Measurement>> {
    Err(MISSING.into())
}

/// `emitters` tasks emit events that no driver handles, each as soon as its last `emit` has returned.
/// Figure: `emit_<emitters>`, events a second.
pub(crate) fn durable_emit(_trial: &Trial, _emitters: usize) -> Result<Vec<Measurement>> {
    Err(MISSING.into())
}

/// A processor is paused, `jobs` events are emitted for its one driver, whose handler answers nothing; then it is
/// released. The clock runs from there until no delivery is open. Figure: `drain_<jobs>`, events a second.
pub(crate) fn drain(_trial: &Trial, _jobs: usize) -> Result<Vec<Measurement>> {
    Err(MISSING.into())
}

/// `durable_loop` over the `MemoryBus`. Figure: `memory_loop`, loops a second.
pub(crate) fn memory_loop(_trial: &Trial, _in_flight: usize) -> Result<Vec<Measurement>> {
    Err(MISSING.into())
}

/// The router alone: `patterns` drivers, one pattern each, and event types that match one of them. The types
/// repeat, as those of real events do. Figure: `route`, nanoseconds an event.
pub(crate) fn route(_trial: &Trial, _patterns: usize) -> Result<Vec<Measurement>> {
    Err(MISSING.into())
}

/// One event at a time, from the call of `emit` until its output is committed and seen, with a handler that is
/// `eager` or not. Figure: `latency` or `latency_eager`, the median in microseconds.
pub(crate) fn latency(_trial: &Trial, _eager: bool) -> Result<Vec<Measurement>> {
    Err(MISSING.into())
}

/// A processor with one driver that has handled one event and then waits for 60 seconds (quick: 2).
/// Figures: `idle_cpu`, milliseconds of processor time in that wait, and `idle_resident`, MiB.
pub(crate) fn idle(_trial: &Trial) -> Result<Vec<Measurement>> {
    Err(MISSING.into())
}

/// The durable loop with 256 in flight over a million events (quick: 20,000), outputs counted.
/// Figures: MiB resident after a tenth, a half and all of them: `resident_tenth`, `resident_half`, `resident_all`.
pub(crate) fn million(_trial: &Trial) -> Result<Vec<Measurement>> {
    Err(MISSING.into())
}

const MISSING: &str = "the kernel does not stand yet";
