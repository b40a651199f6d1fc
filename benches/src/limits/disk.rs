//! How long the disk takes to keep one write.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// A page of SQLite.
const PAGE: [u8; 4096] = [7; 4096];
/// As long as a WAL grows before its checkpoint.
const PAGES: u64 = 1_000;

/// The median of writing one page over an existing one and syncing it, as a commit to a warm WAL does.
pub(crate) fn one_sync(trial: &Trial) -> Result<Vec<Measurement>> {
    let file = File::create(trial.folder.join("pages"))?;
    for page in 0..PAGES {
        file.write_all_at(&PAGE, page * PAGE.len() as u64)?;
    }
    file.sync_all()?;

    let mut times: Vec<Duration> = Vec::new();
    let started = Instant::now();
    while started.elapsed() < trial.length() {
        let page = times.len() as u64 % PAGES;
        let one = Instant::now();
        file.write_all_at(&PAGE, page * PAGE.len() as u64)?;
        file.sync_data()?;
        times.push(one.elapsed());
    }
    times.sort_unstable();
    let median = times[times.len() / 2].as_secs_f64() * 1e6;
    Ok(vec![Measurement::new("limit_sync", Unit::Microseconds, median)])
}
