//! The threads that searches run on, each with a reader of the file and a clock that stops what takes too long.

use crate::fault::OrFault;
use crate::file;
use crate::readers::pool;
use crate::writer::Reading;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use vextir_core::Result;

/// How many searches run at once.
const THREADS: usize = 2;

/// How many may wait; who searches more waits for room.
const QUEUE: usize = 64;

/// How many steps of SQLite go by between two looks at the clock.
const STEPS: i32 = 10_000;

/// Starts the threads. They end when the sender is dropped.
pub(super) fn start(path: &Path, allowed: Duration) -> Result<(mpsc::Sender<Reading>, Vec<JoinHandle<()>>)> {
    pool("vextir-hub-search", (THREADS, QUEUE), || {
        let mut connection = file::open_reader(path)?;
        // Vectors lie far apart.
        connection.execute_batch("PRAGMA cache_size = -8000").or_fault()?;
        let (began, base) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let beginning = began.clone();
        let is_over = move || since(base).saturating_sub(beginning.load(Ordering::Relaxed)) > micros(allowed);
        connection.progress_handler(STEPS, Some(is_over)).or_fault()?;
        Ok(move |search: Reading| {
            began.store(since(base), Ordering::Relaxed);
            search(&connection);
        })
    })
}

fn since(base: Instant) -> u64 {
    micros(base.elapsed())
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
