//! What is written beside its place, as `<place>.part`, and gets its name when it is whole and on the disk.

use crate::file::beside;
use std::fs::{self, File};
use std::io::{Error as IoError, ErrorKind as IoKind};
use std::path::{Path, PathBuf};
use vextir_core::{Error, ErrorKind, Result};

/// A file or folder at work. It is removed again unless it is finished.
pub(super) struct Part {
    place: PathBuf,
    path: PathBuf,
    /// What the user calls it.
    what: &'static str,
}

impl Part {
    /// Begins a file.
    pub(super) fn file(place: &Path, what: &'static str) -> Result<Self> {
        Self::begin(place, what, |path| File::create_new(path).map(drop))
    }

    /// Begins a folder that only its owner may open, where the system has such rights.
    pub(super) fn folder(place: &Path, what: &'static str) -> Result<Self> {
        Self::begin(place, what, private_folder)
    }

    fn begin(
        place: &Path,
        what: &'static str,
        make: impl FnOnce(&Path) -> Result<(), IoError>,
    ) -> Result<Self> {
        refuse_existing(place, what)?;
        let path = beside(place, ".part");
        match make(&path) {
            Ok(()) => Ok(Self { place: place.to_owned(), path, what }),
            Err(error) if error.kind() == IoKind::AlreadyExists => {
                let path = path.display();
                let message =
                    format!("{path} is there: another {what} is under way, or was cut off; remove it then");
                Err(Error::new(ErrorKind::Conflict, message))
            }
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// Where it is written.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, if that is still free. A folder's files must be on the disk already.
    pub(super) fn finish(self) -> Result<()> {
        let Self { place, path, what } = &self;
        if path.is_dir() {
            sync_folder(path)?;
        } else {
            // Windows syncs what may be written.
            let file = File::options().append(true).open(path);
            file.and_then(|file| file.sync_all()).map_err(|error| failed(path, error))?;
        }
        // A second name is refused where there is a file, which a rename is not.
        match fs::hard_link(path, place) {
            Ok(()) => {}
            Err(error) if error.kind() == IoKind::AlreadyExists => return refuse_existing(place, what),
            Err(_) => {
                refuse_existing(place, what)?;
                fs::rename(path, place).map_err(|error| failed(place, error))?;
            }
        }
        sync_folder(place.parent().unwrap_or(Path::new(".")))
    }
}

fn refuse_existing(place: &Path, what: &str) -> Result<()> {
    if fs::symlink_metadata(place).is_err() {
        return Ok(());
    }
    let message = format!("{} is there already; choose another path for the {what}", place.display());
    Err(Error::new(ErrorKind::Conflict, message))
}

impl Drop for Part {
    fn drop(&mut self) {
        // What is not there need not be removed: a part that was finished, and what SQLite puts beside a file.
        for ending in ["", "-wal", "-shm", "-journal"] {
            let path = beside(&self.path, ending);
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

/// A folder that only its owner may open.
pub(super) fn private_folder(path: &Path) -> Result<(), IoError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes the names in a folder durable; on Windows the system does by itself.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| failed(path, error))?;
    }
    Ok(())
}

pub(super) fn failed(path: &Path, error: IoError) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{}: {error}", path.display())).with_source(error)
}
