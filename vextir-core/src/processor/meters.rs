//! Counters and histograms, through the `metrics` facade. Install a recorder before the processor is built;
//! without one they cost nothing.

use crate::Name;
use metrics::{Counter, Histogram};
use std::time::Duration;

/// The meters of one driver.
pub(super) struct Meters {
    done: Counter,
    retried: Counter,
    dead: Counter,
    seconds: Histogram,
}

impl Meters {
    pub(super) fn new(driver: &Name) -> Self {
        let count = |outcome: &'static str| metrics::counter!("vextir_deliveries_total", "driver" => driver.to_string(), "outcome" => outcome);
        Self {
            done: count("done"),
            retried: count("retried"),
            dead: count("dead"),
            seconds: metrics::histogram!("vextir_handle_seconds", "driver" => driver.to_string()),
        }
    }

    pub(super) fn handled(&self, took: Duration) {
        self.seconds.record(took.as_secs_f64());
    }

    pub(super) fn done(&self) {
        self.done.increment(1);
    }

    pub(super) fn retried(&self) {
        self.retried.increment(1);
    }

    pub(super) fn dead(&self) {
        self.dead.increment(1);
    }
}

/// Events that were accepted from outside.
pub(super) fn accepted(count: usize) {
    metrics::counter!("vextir_events_accepted_total").increment(count as u64);
}

/// Events that were refused to their emitter.
pub(super) fn refused(step: &'static str) {
    metrics::counter!("vextir_events_refused_total", "step" => step).increment(1);
}

/// Events that nobody handles.
pub(super) fn orphan() {
    metrics::counter!("vextir_orphans_total").increment(1);
}
