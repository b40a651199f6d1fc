//! Threads that read beside the writer, each with its own connection.

use crate::file;
use crate::writer::Reading;
use rusqlite::Connection;
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
    let (sender, receiver) = mpsc::channel(QUEUE);
    let queue = Arc::new(Mutex::new(receiver));
    let mut threads = Vec::with_capacity(READERS);
    for _ in 0..READERS {
        let connection = file::open_reader(path)?;
        let queue = queue.clone();
        threads.push(spawn("vextir-hub-reader", move || serve(&connection, &queue))?);
    }
    Ok((sender, threads))
}

/// Starts a named thread.
pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(work).map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("the thread {name} could not be started"))
            .with_source(error)
    })
}

fn serve(connection: &Connection, queue: &Mutex<mpsc::Receiver<Reading>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(read) = next else { return };
        read(connection);
    }
}
