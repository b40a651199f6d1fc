//! Reads a file's content for its hash, and notices when the file changes meanwhile.

use super::record::{Stat, nanoseconds};
use super::walk::{is_gone, reason};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::SystemTime;

/// How often a file that changes while it is read is read anew.
const TRIES: usize = 3;
/// Files that are read at the same time.
const READERS: usize = 4;

/// What a look at a file brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// How it is. Without a hash when it is too large, or did not stand still.
    Found {
        stat: Stat,
        hash: Option<String>,
        /// Its times prove nothing yet: look again later.
        young: bool,
    },
    /// It is no file any more.
    Gone,
    /// It cannot be read.
    Blocked(String),
}

/// How to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Larger files get no hash; `None` reads nothing at all.
    pub(super) max_bytes: Option<u64>,
    pub(super) follow_symlinks: bool,
}

impl Reading {
    /// Looks at several files, a few at a time; in their order. Ends early, with fewer answers, on `stop`.
    pub(super) fn look_at_all(self, files: &[(PathBuf, Stat)], stop: &AtomicBool) -> Vec<Look> {
        let next = AtomicUsize::new(0);
        let found: Mutex<Vec<Option<Look>>> = Mutex::new(vec![None; files.len()]);
        let work = || {
            while !stop.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((path, stat)) = files.get(index) else { return };
                let look = self.look_at(path, stat, stop);
                found.lock().unwrap_or_else(PoisonError::into_inner)[index] = look;
            }
        };
        let readers = thread::available_parallelism().map_or(1, usize::from).min(READERS).min(files.len());
        thread::scope(|scope| {
            for _ in 1..readers {
                scope.spawn(work);
            }
            work();
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.into_iter().map_while(|look| look).collect()
    }

    /// Looks at one file that had this record a moment ago; `None` when told to stop.
    pub(super) fn look_at(self, path: &Path, listed: &Stat, stop: &AtomicBool) -> Option<Look> {
        let Some(max_bytes) = self.max_bytes else {
            return Some(Look::Found { stat: *listed, hash: None, young: false });
        };
        let look = self.read(path, max_bytes, stop);
        match look {
            Ok(look) => look,
            Err(error) if is_gone(&error) => Some(Look::Gone),
            // With `O_NOFOLLOW`, this is what a link in the file's place answers.
            Err(error) if !self.follow_symlinks && is_link_loop(&error) => Some(Look::Gone),
            Err(error) => Some(Look::Blocked(reason(&error))),
        }
    }

    fn read(self, path: &Path, max_bytes: u64, stop: &AtomicBool) -> io::Result<Option<Look>> {
        let mut stat = None;
        for _ in 0..TRIES {
            let mut file = self.open(path)?;
            let before = file.metadata()?;
            if !before.is_file() {
                return Ok(Some(Look::Gone));
            }
            let before = Stat::of(&before);
            if before.size > max_bytes {
                return Ok(Some(Look::Found { stat: before, hash: None, young: false }));
            }
            let Some(hash) = hash(&mut file, max_bytes, stop)? else { return Ok(None) };
            let after = Stat::of(&file.metadata()?);
            if after == before {
                let young = after.is_young(nanoseconds(SystemTime::now()));
                return Ok(Some(Look::Found { stat: after, hash: Some(hash), young }));
            }
            stat = Some(after);
        }
        Ok(stat.map(|stat| Look::Found { stat, hash: None, young: true }))
    }

    /// Opens it for reading; a pipe in its place blocks nobody, and a link leads nowhere unless wanted.
    fn open(self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            let no_links = if self.follow_symlinks { 0 } else { libc::O_NOFOLLOW };
            options.custom_flags(libc::O_NONBLOCK | no_links);
        }
        options.open(path)
    }
}

fn is_link_loop(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(libc::ELOOP);
    #[cfg(not(unix))]
    return {
        let _ = error;
        false
    };
}

/// SHA-256 of what is left of a file, in hexadecimal; `None` when told to stop. Reads a little more than
/// `max_bytes` at most, however much the file grows meanwhile.
fn hash(file: &mut File, max_bytes: u64, stop: &AtomicBool) -> io::Result<Option<String>> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    let mut file = file.take(max_bytes.saturating_add(1));
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    const READING: Reading = Reading { max_bytes: Some(1 << 20), follow_symlinks: false };

    fn look(reading: Reading, path: &Path) -> Look {
        let stat = Stat { size: 0, modified: 0, changed: 0, inode: None };
        reading.look_at(path, &stat, &AtomicBool::new(false)).unwrap()
    }

    #[test]
    fn content_is_hashed_and_a_fresh_file_is_young() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "abc").unwrap();
        let Look::Found { stat, hash, young } = look(READING, &path) else { panic!("not found") };
        assert_eq!(stat.size, 3);
        assert_eq!(hash.as_deref(), Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        assert!(young);

        thread::sleep(std::time::Duration::from_millis(60));
        assert!(matches!(look(READING, &path), Look::Found { young: false, .. }));
    }

    #[test]
    fn what_is_too_large_vanished_or_no_file_gets_no_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "abc").unwrap();
        let small = Reading { max_bytes: Some(2), ..READING };
        assert!(matches!(look(small, &path), Look::Found { hash: None, young: false, .. }));
        assert_eq!(look(READING, &dir.path().join("b")), Look::Gone);
        assert_eq!(look(READING, dir.path()), Look::Gone);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
            assert_eq!(look(READING, &dir.path().join("link")), Look::Gone);
            let follow = Reading { follow_symlinks: true, ..READING };
            assert!(matches!(look(follow, &dir.path().join("link")), Look::Found { hash: Some(_), .. }));
        }
    }

    #[test]
    fn a_file_that_never_stands_still_is_found_without_a_hash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, vec![7; 512 * 1024]).unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut file = File::options().append(true).open(&path).unwrap();
                // Without growing beyond what is hashed, every read sees another record.
                while !stop.load(Ordering::Relaxed) && file.metadata().unwrap().len() < 900_000 {
                    file.write_all(b"x").unwrap();
                }
                while !stop.load(Ordering::Relaxed) {
                    file.set_modified(SystemTime::now()).unwrap();
                }
            });
            thread::sleep(std::time::Duration::from_millis(20));
            let found = look(READING, &path);
            stop.store(true, Ordering::Relaxed);
            assert!(matches!(found, Look::Found { hash: None, young: true, .. }), "{found:?}");
        });
    }

    #[test]
    fn many_files_are_answered_in_their_order_and_a_stop_ends_the_work() {
        let dir = tempfile::tempdir().unwrap();
        let stat = Stat { size: 0, modified: 0, changed: 0, inode: None };
        let files: Vec<(PathBuf, Stat)> = (0..50)
            .map(|number| {
                let path = dir.path().join(number.to_string());
                fs::write(&path, vec![b'x'; number]).unwrap();
                (path, stat)
            })
            .collect();
        let looks = READING.look_at_all(&files, &AtomicBool::new(false));
        let sizes: Vec<u64> = looks
            .iter()
            .map(|look| if let Look::Found { stat, .. } = look { stat.size } else { u64::MAX })
            .collect();
        assert_eq!(sizes, (0..50).collect::<Vec<u64>>());
        assert!(READING.look_at_all(&files, &AtomicBool::new(true)).is_empty());
    }
}
