//! The threads that searches run on, each with a reader of the file and a clock that stops what takes too long.

use crate::fault::OrFault;
use crate::file;
use crate::readers::spawn;
use crate::writer::Reading;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
    let (sender, receiver) = mpsc::channel::<Reading>(QUEUE);
    let queue = Arc::new(Mutex::new(receiver));
    let mut threads = Vec::with_capacity(THREADS);
    for _ in 0..THREADS {
        let mut connection = file::open_reader(path)?;
        let (began, base) = (Arc::new(AtomicU64::new(0)), Instant::now());
        let beginning = began.clone();
        let is_over = move || since(base).saturating_sub(beginning.load(Ordering::Relaxed)) > micros(allowed);
        connection.progress_handler(STEPS, Some(is_over)).or_fault()?;
        let queue = queue.clone();
        threads.push(spawn("vextir-hub-search", move || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                let Some(search) = next else { return };
                began.store(since(base), Ordering::Relaxed);
                search(&connection);
            }
        })?);
    }
    Ok((sender, threads))
}

fn since(base: Instant) -> u64 {
    micros(base.elapsed())
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
