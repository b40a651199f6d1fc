//! The way to a file: it ends within a granted folder, whatever links say, and whoever changes them meanwhile.

use crate::files::unescape;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};
use vextir::{Error, ErrorKind, Result};

/// The real path of what was asked for, within a granted folder.
pub(super) fn find(asked: &str, granted: &[PathBuf]) -> Result<PathBuf> {
    let path = PathBuf::from(unescape(asked)?);
    let denied = || Error::new(ErrorKind::Denied, format!("{asked:?} is in no folder that is granted"));
    if path.components().any(|part| matches!(part, Component::ParentDir)) {
        return Err(denied());
    }
    let path = granted.first().ok_or_else(denied)?.join(path);
    // What is not there, and what must not be seen, sound alike.
    let real = path.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if is_within(&path, granted) => missing(asked),
        _ => denied(),
    })?;
    if is_within(&real, granted) { Ok(real) } else { Err(denied()) }
}

fn is_within(path: &Path, granted: &[PathBuf]) -> bool {
    granted.iter().any(|folder| {
        path.starts_with(folder) || folder.canonicalize().is_ok_and(|folder| path.starts_with(folder))
    })
}

fn missing(asked: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is nothing at {asked:?}"))
}

/// Opens a file, if it is one. What was opened is compared with what was found: a link may have come in between.
pub(super) fn open(asked: &str, granted: &[PathBuf]) -> Result<(PathBuf, File)> {
    let real = find(asked, granted)?;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => missing(asked),
        _ => Error::new(ErrorKind::Denied, format!("{asked:?} cannot be read: {error}")),
    };
    let no_file = || Error::invalid(format!("{asked:?} is no file"));
    // Devices and pipes are not even opened.
    if !real.symlink_metadata().map_err(failed)?.is_file() {
        return Err(no_file());
    }
    let file = options().open(&real).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(no_file());
    }
    if !is_still(&file, &real).map_err(failed)? {
        return Err(Error::new(ErrorKind::Denied, format!("{asked:?} changed while it was opened")));
    }
    Ok((real, file))
}

#[cfg(unix)]
fn options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    // A pipe that came in between must not hold us.
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    options
}

/// Whether the opened file is the one at a path that has no links in it.
#[cfg(target_os = "linux")]
fn is_still(file: &File, real: &Path) -> io::Result<bool> {
    use std::os::fd::AsRawFd;
    Ok(std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))? == real)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_still(file: &File, real: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (opened, there) = (file.metadata()?, real.symlink_metadata()?);
    Ok(real.canonicalize()? == real && (opened.dev(), opened.ino()) == (there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn is_still(_file: &File, real: &Path) -> io::Result<bool> {
    Ok(real.canonicalize()? == real)
}
