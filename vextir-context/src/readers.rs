//! Threads that read beside the writer, each with its own connection.

use crate::file;
use crate::writer::Reading;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::mpsc;
use vextir_core::{Error, ErrorKind, Result};

/// How many threads read.
const READERS: usize = 2;

/// How many reads may wait; who asks for more waits for room.
const QUEUE: usize = 256;

/// Starts the readers of a file. They end when the sender is dropped.
pub(crate) fn start(path: &Path) -> Result<(mpsc::Sender<Reading>, Vec<JoinHandle<()>>)> {
    pool("vextir-hub-reader", (READERS, QUEUE), || {
        let connection = file::open_reader(path)?;
        Ok(move |read: Reading| read(&connection))
    })
}

/// Starts so many threads that do what comes to one queue with so much room, each with what `make` makes for it. They end
/// when the sender is dropped.
pub(crate) fn pool<T: Send + 'static, W: FnMut(T) + Send + 'static>(
    name: &str,
    (threads, room): (usize, usize),
    make: impl Fn() -> Result<W>,
) -> Result<(mpsc::Sender<T>, Vec<JoinHandle<()>>)> {
    let (sender, receiver) = mpsc::channel(room);
    let queue = Arc::new(Mutex::new(receiver));
    let mut started = Vec::with_capacity(threads);
    for _ in 0..threads {
        let (mut work, queue) = (make()?, queue.clone());
        started.push(spawn(name, move || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                let Some(asked) = next else { return };
                work(asked);
            }
        })?);
    }
    Ok((sender, started))
}

/// Starts a named thread.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(work).map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("the thread {name} could not be started"))
            .with_source(error)
    })
}
