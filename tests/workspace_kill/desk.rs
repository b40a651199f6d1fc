//! A folder with few files, and the example that works on it.

use crate::program::Program;
use std::fs;
use std::path::PathBuf;

pub(crate) struct Desk {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) program: Program,
}

impl Desk {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        let program = Program::new(&dir.path().join("folder"), &dir.path().join("state.db"));
        let desk = Self { dir, program };
        files.iter().for_each(|(path, content)| desk.write(path, content));
        desk
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("folder").join(path)
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), content).unwrap();
    }
}
