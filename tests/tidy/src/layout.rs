//! Where files are, what they are called, how long they are.

use crate::Tree;

/// A file of more lines fails.
const LONGEST: usize = 800;
/// A file of more lines is reported, to be thought about.
const LONG: usize = 400;

/// What the root of the repository holds. A newcomer reads this list first, so it stays short.
const TOP_LEVEL: [&str; 23] = [
    ".ci",
    ".gitattributes",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "clippy.toml",
    "deny.toml",
    "examples",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "src",
    "tests",
    "vextir-context",
    "vextir-core",
    "vextir-drivers",
    "vextir-macros",
];

/// Names that say nothing about what is inside. `mod` is here because modules are `foo.rs` beside `foo/`.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "common", "helpers", "helper", "types", "misc", "mod"];

/// Checks places, names and sizes.
pub fn check(tree: &Tree) -> Vec<String> {
    let mut found = top_level(tree);
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".rs")) {
        found.extend(empty_name(path));
        let lines = text.lines().count();
        if lines > LONGEST {
            found.push(format!("{path}: {lines} lines, at most {LONGEST}"));
        }
    }
    found
}

/// The source files past 400 lines and the median, for the reader of the log.
pub fn report(tree: &Tree) -> Vec<String> {
    let mut sizes: Vec<(usize, &str)> =
        tree.sources().map(|(path, text)| (text.lines().count(), path)).collect();
    sizes.sort_unstable();
    let median = sizes.get(sizes.len() / 2).map_or(0, |(lines, _)| *lines);
    let long = sizes.iter().rev().take_while(|(lines, _)| *lines > LONG);
    std::iter::once(format!("{} source files, median {median} lines", sizes.len()))
        .chain(long.map(|(lines, path)| format!("{path}: {lines} lines: is it one subject?")))
        .collect()
}

fn top_level(tree: &Tree) -> Vec<String> {
    let mut names: Vec<&str> = tree.paths().map(|path| path.split('/').next().unwrap_or(path)).collect();
    names.dedup();
    names
        .into_iter()
        .filter(|name| !TOP_LEVEL.contains(name))
        .map(|name| format!("{name}: the top level of this repository is fixed"))
        .collect()
}

fn empty_name(path: &str) -> Option<String> {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let name = stem.split('/').find(|part| EMPTY_NAMES.contains(part))?;
    Some(format!("{path}: the name `{name}` says nothing about what is inside"))
}

#[cfg(test)]
mod tests {
    use super::{check, report};
    use crate::Tree;

    #[test]
    fn strange_places_empty_names_and_long_files_are_found() {
        let long = "\n".repeat(801);
        let tree = Tree::of(&[
            ("NOTES.md", ""),
            ("src/lib.rs", ""),
            ("src/bus/mod.rs", ""),
            ("src/common/clock.rs", ""),
            ("src/module.rs", &long),
        ]);
        let found = check(&tree);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].starts_with("NOTES.md"), "{found:?}");
        assert!(found.iter().any(|each| each.contains("801 lines")), "{found:?}");
        assert_eq!(report(&tree).len(), 2);
    }
}
