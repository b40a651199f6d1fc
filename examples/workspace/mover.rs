//! The mover: carries out one move, exactly as its intent says, and never over another file.
//!
//! Its handler may be killed and repeated at any point. What it finds tells it how far it came: the source is
//! there, so nothing has happened yet; the source is gone and the target has the content, so it has happened.

use crate::archive::follow;
use crate::events::{Folder, Move, Moved, Skipped};
use sha2::{Digest, Sha256};
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use vextir::Error;
use vextir::drivers::files::unescape;
use vextir::prelude::*;

/// How often folders that vanish under a move are made again.
const TRIES: usize = 100;

pub(crate) struct Mover {
    pub(crate) root: PathBuf,
}

/// Moves files.
#[driver("mover", version = "1", timeout = "30m", concurrency = 8)]
impl Mover {
    /// Moves one file, unless somebody changed it or took its new place.
    #[on]
    async fn carry_out(&self, step: Move, cx: &Ctx) -> Result<(Option<Moved>, Option<Skipped>), Error> {
        let root = self.root.clone();
        let work = move || {
            let outcome = perform(&root, &step);
            (step, outcome)
        };
        let (step, outcome) = tokio::task::spawn_blocking(work).await.map_err(|error| {
            Error::new(vextir::ErrorKind::Unavailable, "the move was broken off").with_source(error)
        })?;
        Ok(match outcome {
            Ok(()) => {
                // Committed with the event: the document is where the log says that the file is.
                follow(&cx.context(), &self.root, (&step.from, &step.to), None).await?;
                (Some(Moved { step }), None)
            }
            Err(reason) => (None, Some(Skipped { from: step.from, to: step.to, reason })),
        })
    }
}

/// Brings the file from `from` to `to`, or finds that it is there already. An error is the reason why it stays.
fn perform(root: &Path, step: &Move) -> Result<(), String> {
    let locate = |path: &str| unescape(path).map(|path| root.join(path)).map_err(|error| error.to_string());
    let (from, to) = (locate(&step.from)?, locate(&step.to)?);
    let result = match fs::symlink_metadata(&from) {
        Ok(found) => match is_expected(&found, step) {
            true => rename(root, &from, &to, step),
            false => Err("it was changed since it was looked at".to_owned()),
        },
        Err(error) if is_gone(&error) => match has_content(&to, step) {
            true => Ok(()),
            false => Err("it is not there any more".to_owned()),
        },
        Err(error) => Err(explain(&error)),
    };
    // Also when it stays: its new folders may have been made.
    let empty = if result.is_ok() { &step.leave } else { &step.make };
    remove_empty(root, empty, result.is_ok());
    result
}

fn is_expected(found: &Metadata, step: &Move) -> bool {
    let modified = found.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = modified.map(|since| Timestamp::UNSET.after(since));
    found.is_file() && found.len() == step.size && modified.is_none_or(|time| time == step.modified)
}

fn has_content(path: &Path, step: &Move) -> bool {
    let is_alike = fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == step.size);
    is_alike && hash(path).is_ok_and(|hash| hash == step.hash)
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}

fn rename(root: &Path, from: &Path, to: &Path, step: &Move) -> Result<(), String> {
    let mut failure = String::new();
    for _ in 0..TRIES {
        // Another move may empty a folder, and remove it, at any moment: between two of the calls in here too.
        if let Err(error) = make(root, to, &step.make) {
            failure = format!("its new folder: {}", explain(&error));
            continue;
        }
        match rename_without_overwriting(from, to) {
            Err(error) if is_gone(&error) && fs::symlink_metadata(from).is_ok() => failure = explain(&error),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err("another file has taken its place".to_owned());
            }
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                return Err("its new place is on another file system".to_owned());
            }
            answer => return answer.map_err(|error| explain(&error)),
        }
    }
    Err(failure)
}

/// Makes the folders for `to`. Those that are listed get their permissions back: also when they are there, for
/// who made them may have been killed before the permissions were set.
fn make(root: &Path, to: &Path, listed: &[Folder]) -> io::Result<()> {
    for folder in listed {
        let Ok(path) = unescape(&folder.path) else { continue };
        let path = root.join(path);
        // What was there when the move was planned may be gone.
        fs::create_dir_all(path.parent().unwrap_or(root))?;
        match make_one(&path, folder.mode) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            answer => answer?,
        }
        set_mode(&path, folder.mode)?;
    }
    fs::create_dir_all(to.parent().unwrap_or(root))
}

/// Removes the folders that are empty now, from the inside out, up to the first that is not. Those that are gone
/// were removed by another move, or by this one before it was killed.
fn remove_empty(root: &Path, folders: &[Folder], is_innermost_first: bool) {
    let remove = |folder: &Folder| {
        let Ok(path) = unescape(&folder.path) else { return false };
        fs::remove_dir(root.join(path)).map_or_else(|error| is_gone(&error), |()| true)
    };
    if is_innermost_first {
        folders.iter().all(remove);
    } else {
        folders.iter().rev().all(remove);
    }
}

/// Nobody may look into a private folder, not even for a moment.
#[cfg(unix)]
fn make_one(path: &Path, mode: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    builder.mode(mode.unwrap_or(0o777)).create(path)
}

#[cfg(not(unix))]
fn make_one(path: &Path, _mode: Option<u32>) -> io::Result<()> {
    fs::create_dir(path)
}

/// The user's mask took some of them away.
#[cfg(unix)]
fn set_mode(path: &Path, mode: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    mode.map_or(Ok(()), |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: Option<u32>) -> io::Result<()> {
    Ok(())
}

/// One system call that fails when something is at `to`; where the file system has none, a second name for the
/// file, which also fails then, and the end of the first name.
#[cfg(unix)]
fn rename_without_overwriting(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => link_and_unlink(from, to),
        answer => answer.map_err(io::Error::from),
    }
}

#[cfg(not(unix))]
fn rename_without_overwriting(from: &Path, to: &Path) -> io::Result<()> {
    link_and_unlink(from, to)
}

fn link_and_unlink(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        // An earlier attempt came this far.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_one_file(from, to) => {}
        answer => answer?,
    }
    fs::remove_file(from)
}

#[cfg(unix)]
fn is_one_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path| fs::symlink_metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(one).is_some_and(|found| identity(other) == Some(found))
}

#[cfg(not(unix))]
fn is_one_file(_one: &Path, _other: &Path) -> bool {
    false
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn explain(error: &io::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" (os error").map_or(text.as_str(), |(plain, _)| plain).to_lowercase()
}

#[cfg(test)]
mod tests;
