//! Slower disks: a small C library that is preloaded into the measured programs and pauses after each sync.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::Result;

const SOURCE: &str = include_str!("sync_delay.c");

/// A delay, ready to be put onto programs.
#[derive(Debug)]
pub(crate) struct SyncDelay {
    /// Holds the library, and takes it away at the end.
    folder: TempDir,
    microseconds: u64,
}

impl SyncDelay {
    /// Compiles the library into a folder below `place`, with `CC` or `cc`.
    pub(crate) fn compile(place: &Path, milliseconds: u64) -> Result<SyncDelay> {
        let folder = TempDir::new_in(place)?;
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        let mut process = Command::new(&compiler)
            .args(["-shared", "-fPIC", "-O2", "-x", "c", "-o"])
            .arg(library(&folder))
            .args(["-", "-ldl"])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{compiler}, needed to delay syncs, does not start: {error}"))?;
        if let Some(mut input) = process.stdin.take() {
            input.write_all(SOURCE.as_bytes())?;
        }
        if !process.wait()?.success() {
            return Err(format!("{compiler} did not compile the delay of syncs").into());
        }
        Ok(SyncDelay { folder, microseconds: milliseconds * 1_000 })
    }

    pub(crate) fn apply(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", library(&self.folder))
            .env("VEXTIR_SYNC_DELAY_US", self.microseconds.to_string());
    }

    /// The most commits a second that a program can reach that feels this delay, one after the other.
    pub(crate) fn most_commits(&self) -> f64 {
        1e6 / self.microseconds as f64
    }
}

fn library(folder: &TempDir) -> PathBuf {
    folder.path().join("sync_delay.so")
}
