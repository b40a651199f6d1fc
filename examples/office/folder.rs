//! The temporary folder in which an example works.

use std::fs;
use std::io;
use std::path::Path;
use tempfile::TempDir;

/// A copy of an example's input files; it is removed when it is dropped.
pub(crate) fn copy(example: &str) -> io::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    copy_into(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example), folder.path())?;
    Ok(folder)
}

fn copy_into(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            fs::create_dir(&to)?;
            copy_into(&from, &to)?;
        } else if from.extension().is_none_or(|extension| extension != "rs") {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
