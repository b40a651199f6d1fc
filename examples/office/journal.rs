//! A file of JSON lines to which each thing is added once.

use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use vextir::prelude::*;

/// The file. Clones write to the same one, line after line.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Mutex<PathBuf>>);

impl Journal {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(path)))
    }

    /// Adds a line, unless one with this key is there: a handler that runs again after a crash says nothing twice.
    pub(crate) async fn add(&self, key: String, said: Value) -> Result<(), Failure> {
        let journal = self.0.clone();
        let write = move || {
            let path = journal.lock().unwrap_or_else(PoisonError::into_inner);
            add(&path, &key, said).map_err(|error| format!("{}: {error}", path.display()))
        };
        let written = tokio::task::spawn_blocking(write).await.map_err(Failure::transient)?;
        written.map_err(Failure::permanent)
    }
}

fn add(path: &Path, key: &str, mut said: Value) -> std::io::Result<()> {
    let before = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let is_there = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line["key"] == key);
    if before.lines().any(is_there) {
        return Ok(());
    }
    said["key"] = key.into();
    // What a crash cut off stays a line of its own.
    let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{end}{said}\n").as_bytes())?;
    file.sync_all()
}
