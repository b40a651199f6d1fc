//! What one run of a workload is given, and how it measures a rate.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::Result;

/// The place and the length of one run.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    /// An empty folder on the disk that is measured. The driver removes it.
    pub(crate) folder: PathBuf,
    /// Short runs, to see that everything works; the figures say little.
    pub(crate) quick: bool,
}

impl Trial {
    /// How long a rate is measured.
    pub(crate) fn length(&self) -> Duration {
        if self.quick { Duration::from_millis(300) } else { Duration::from_secs(2) }
    }

    /// How long a workload runs before its rate is measured. The first writes to a fresh WAL make the file
    /// longer, which costs more than the later ones, which overwrite it.
    pub(crate) fn warm_up(&self) -> Duration {
        self.length() / 4
    }

    /// Calls `step`, which answers how many events it brought to their end, until the time is over: first
    /// unmeasured, then measured. Events per second.
    pub(crate) fn rate(&self, mut step: impl FnMut() -> Result<u64>) -> Result<f64> {
        run_for(self.warm_up(), &mut step)?;
        let started = Instant::now();
        let events = run_for(self.length(), &mut step)?;
        Ok(events as f64 / started.elapsed().as_secs_f64())
    }
}

fn run_for(length: Duration, step: &mut impl FnMut() -> Result<u64>) -> Result<u64> {
    let started = Instant::now();
    let mut events = 0;
    while started.elapsed() < length {
        events += step()?;
    }
    Ok(events)
}
