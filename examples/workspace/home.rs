//! Where things are: the folder, and the file in which the program remembers.

use crate::args::{Args, Task};
use sha2::{Digest, Sha256};
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder that comes with the program.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/workspace/sample");

/// The paths of one run, all absolute.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
    pub(crate) state: PathBuf,
    pub(crate) out: Option<PathBuf>,
    /// The folder is a copy of the sample.
    pub(crate) is_copy: bool,
}

impl Home {
    /// Finds the paths, and makes what has to be there. An error is a sentence.
    pub(crate) fn find(args: &Args) -> Result<Self, String> {
        let (dir, is_copy) = match &args.dir {
            Some(dir) => (dir.clone(), false),
            None if matches!(args.task, Task::Look | Task::Ask(_)) => (SAMPLE.into(), false),
            // What is filed away must not be the repository's own copy.
            None => (sample_copy()?, true),
        };
        let dir = check(&dir)?;
        let state = match &args.state {
            Some(file) => absolute(file)?,
            None => state_folder()?.join(format!("{}.db", slug(&dir))),
        };
        let out = args.out.as_deref().map(absolute).transpose()?;
        Ok(Self { dir, state, out, is_copy })
    }

    /// Patterns for what is in the folder and none of its content: the program's own files.
    pub(crate) fn own_files(&self) -> Vec<String> {
        let own = [Some(&self.state), self.out.as_ref()];
        let below = own.into_iter().flatten().filter_map(|file| file.strip_prefix(&self.dir).ok());
        // SQLite and the lock add endings to the name.
        below.map(|path| format!("/{}*", literal(&vextir::drivers::files::escape(path)))).collect()
    }
}

/// A folder that can be read, as its one absolute path.
fn check(dir: &Path) -> Result<PathBuf, String> {
    let real = fs::canonicalize(dir).map_err(|error| format!("{}: {}", dir.display(), explain(&error)))?;
    fs::read_dir(&real).map_err(|error| format!("{}: {}", dir.display(), explain(&error)))?;
    Ok(real)
}

/// An absolute path whose folder exists.
fn absolute(file: &Path) -> Result<PathBuf, String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().ok_or_else(|| format!("{}: this is no file name", file.display()))?;
    Ok(check(folder)?.join(name))
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        io::ErrorKind::NotADirectory => "this is no folder".to_owned(),
        io::ErrorKind::PermissionDenied => "you may not read this folder".to_owned(),
        _ => error.to_string(),
    }
}

/// The user's folder for such things, made if need be, for the user's eyes alone.
fn state_folder() -> Result<PathBuf, String> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("LOCALAPPDATA"))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .ok_or("there is no home folder to remember things in: say --state FILE")?;
    let folder = base.join("vextir/workspace");
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let failed = |error| format!("{}: {error}; say --state FILE", folder.display());
    builder.create(&folder).map_err(failed)?;
    Ok(folder)
}

/// A file name for a folder's path: readable, and no other folder's.
fn slug(dir: &Path) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let plain: String =
        name.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).take(40).collect();
    let digest = Sha256::digest(dir.as_os_str().as_encoded_bytes());
    let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{plain}-{hash}").trim_start_matches('-').to_owned()
}

/// A copy of the sample, made once, in the user's state folder.
fn sample_copy() -> Result<PathBuf, String> {
    let target = state_folder()?.join("sample");
    let fresh = target.with_extension("new");
    let copy = || {
        if target.exists() {
            return Ok(());
        }
        // A copy that was broken off is begun anew: only a whole one gets the name.
        match fs::remove_dir_all(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        copy_folder(Path::new(SAMPLE), &fresh)?;
        fs::rename(&fresh, &target)
    };
    copy().map_err(|error| format!("the sample cannot be copied to {}: {error}", target.display()))?;
    Ok(target)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A pattern that matches this text alone.
fn literal(text: &str) -> String {
    text.chars().map(|c| if "*?[]".contains(c) { format!("[{c}]") } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_for_state_files_are_readable_and_differ() {
        let one = slug(Path::new("/home/a/My Files"));
        assert!(one.starts_with("MyFiles-") && one.len() == 20, "{one}");
        assert_ne!(one, slug(Path::new("/home/b/My Files")));
        assert!(!slug(Path::new("/")).starts_with('-'));
    }

    #[test]
    fn own_files_in_the_folder_are_passed_over() {
        let dir = PathBuf::from("/d");
        let home = Home {
            state: dir.join(".vextir/a[1].db"),
            out: Some("/elsewhere/s.md".into()),
            dir,
            is_copy: false,
        };
        assert_eq!(home.own_files(), ["/.vextir/a[[]1[]].db*"]);
    }

    #[test]
    fn problems_are_sentences() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(check(&dir.path().join("none")).unwrap_err().ends_with("there is no such folder"));
        assert!(check(&dir.path().join("file")).unwrap_err().ends_with("this is no folder"));
    }

    #[test]
    fn a_copy_is_like_the_original() {
        let dir = tempfile::tempdir().unwrap();
        copy_folder(Path::new(SAMPLE), &dir.path().join("a")).unwrap();
        copy_folder(&dir.path().join("a"), &dir.path().join("b")).unwrap();
        assert!(fs::read_dir(dir.path().join("b")).unwrap().count() > 3);
    }
}
