//! One process and one hub for each file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use vextir_core::{Error, ErrorKind, Result, Timestamp};

/// A lock beside a hub's file. The system releases it when the process dies, however it dies.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
}

impl FileLock {
    /// Takes `<path>.lock`, and writes into it who holds it since when.
    pub(crate) fn take(path: &Path, now: Timestamp) -> Result<Self> {
        let beside = beside(path, ".lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&beside)
            .map_err(|error| cannot_lock(&beside, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, &mut file)),
            Err(TryLockError::Error(error)) => return Err(cannot_lock(&beside, error)),
        }
        let note = format!("process {} since {now}", std::process::id());
        let mut lock = Self { file };
        lock.write(&note).map_err(|error| cannot_lock(&beside, error))?;
        Ok(lock)
    }

    fn write(&mut self, note: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(note.as_bytes())
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // The file stays: removing it could remove the lock of who takes it next.
        let _ = self.write("");
        let _ = self.file.unlock();
    }
}

/// The path with something added to its last part.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn held(path: &Path, file: &mut File) -> Error {
    let mut note = String::new();
    // Some systems let nobody read what is locked.
    let _ = file.take(256).read_to_string(&mut note);
    let own = format!("process {} ", std::process::id());
    let holder = match note.trim() {
        "" => "another process".to_owned(),
        note => match note.strip_prefix(&own) {
            Some(since) => format!("this process ({since})"),
            None => note.to_owned(),
        },
    };
    Error::new(
        ErrorKind::Locked,
        format!(
            "{} is open in {holder}; a hub's file has one owner: share its Hub inside the process, or stop the other",
            path.display()
        ),
    )
}

fn cannot_lock(beside: &Path, error: std::io::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("{} cannot be locked ({error}); a hub needs a folder that it may write", beside.display()),
    )
    .with_source(error)
}
