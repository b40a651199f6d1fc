//! Where a command may run.

use std::path::{Path, PathBuf};
use vextir::{Error, ErrorKind, Result};

/// The folder that was asked for, as the system knows it: within one that is granted, whatever links say.
pub(super) fn folder(asked: Option<&str>, granted: &[PathBuf]) -> Result<PathBuf> {
    let Some(asked) = asked else {
        return granted.first().map_or_else(|| Ok(PathBuf::from("/")), |first| real(first));
    };
    let path = Path::new(asked);
    // What is relative is below the first.
    let path = granted.first().map_or_else(|| path.to_owned(), |first| first.join(path));
    let found = real(&path)?;
    for folder in granted {
        if found.starts_with(real(folder)?) {
            return Ok(found);
        }
    }
    Err(Error::new(ErrorKind::Denied, format!("{asked:?} is in no folder that is granted")))
}

fn real(path: &Path) -> Result<PathBuf> {
    let found = path.canonicalize().and_then(|found| {
        if found.is_dir() { Ok(found) } else { Err(std::io::ErrorKind::NotADirectory.into()) }
    });
    found.map_err(|error| Error::new(ErrorKind::NotFound, format!("{}: {error}", path.display())))
}
