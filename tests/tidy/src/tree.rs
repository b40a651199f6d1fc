//! The tracked files of a repository, held in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::manifests::Manifest;

/// All text files of a repository by their path from its root, with `/` between the parts.
#[derive(Debug, Default)]
pub struct Tree {
    texts: BTreeMap<String, String>,
    paths: Vec<String>,
}

impl Tree {
    /// Reads what git tracks under `root`, and what it would track after `git add`.
    pub fn load(root: &Path) -> Result<Self, String> {
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("git does not run: {error}"))?;
        if !listing.status.success() {
            return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listing.stderr)));
        }
        let names = String::from_utf8_lossy(&listing.stdout).into_owned();
        let mut tree = Self::default();
        for path in names.split('\0').filter(|path| !path.is_empty()) {
            // A file that was deleted and not yet staged is listed and cannot be read.
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            tree.paths.push(path.to_owned());
            if let Ok(text) = String::from_utf8(bytes) {
                tree.texts.insert(path.to_owned(), text);
            }
        }
        Ok(tree)
    }

    /// A tree made of the given files.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let texts = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let paths = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        Self { texts, paths }
    }

    /// The paths of all files, those that are not text included.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// The text files.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// The Rust files that are no tests: see [`Tree::is_test`].
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| path.ends_with(".rs") && !self.is_test(path))
    }

    /// The sources of the packages that are published, without their tests.
    pub fn library_sources(&self) -> Vec<(&str, &str)> {
        let published = Manifest::published(self);
        let inside = |path: &str| published.iter().any(|package| path.starts_with(&package.within("src/")));
        self.sources().filter(|(path, _)| inside(path)).collect()
    }

    /// The folder of the package that a file belongs to, with a `/` at its end; empty for the root package.
    pub fn package_of<'a>(&'a self, path: &str) -> &'a str {
        self.paths()
            .filter_map(|other| other.strip_suffix("Cargo.toml"))
            .filter(|folder| path.starts_with(folder))
            .max_by_key(|folder| folder.len())
            .unwrap_or_default()
    }

    /// Whether a file holds tests or benches only: `tests/` and `benches/` of a package, any `tests.rs`, and programs
    /// that must not compile, which have their error text beside them.
    pub fn is_test(&self, path: &str) -> bool {
        let has_error_text =
            path.strip_suffix("rs").is_some_and(|stem| self.text(&format!("{stem}stderr")).is_some());
        let inside = path.get(self.package_of(path).len()..).unwrap_or(path);
        has_error_text || inside.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches"))
    }
}

#[cfg(test)]
mod tests {
    use super::Tree;

    #[test]
    fn a_package_below_tests_has_sources_of_its_own() {
        let tree =
            Tree::of(&[("Cargo.toml", ""), ("tests/tidy/Cargo.toml", ""), ("tests/tidy/src/lib.rs", "")]);
        assert_eq!(tree.package_of("tests/tidy/src/lib.rs"), "tests/tidy/");
        assert!(!tree.is_test("tests/tidy/src/lib.rs"));
        assert!(tree.is_test("tests/tidy/tests/tidy.rs"));
        assert!(tree.is_test("tests/end_to_end.rs"));
        assert!(tree.is_test("src/bus/tests.rs"));
        assert!(!tree.is_test("src/testkit.rs"));
        assert!(tree.is_test("tests/ui/a.rs"));
    }
}
