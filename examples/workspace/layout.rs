//! Where a file belongs: `<Class>/<the folder that it was in>/<name>`, and second copies in
//! `Duplicates/<the folder that it was in>/<name>`. Projects stay whole.

use crate::class::Class;
use std::collections::BTreeSet;

/// Where second copies go.
pub(crate) const DUPLICATES: &str = "Duplicates";

/// Files that make a folder a project: what is in it belongs together.
const MARKERS: [(&str, &str); 14] = [
    ("Cargo.toml", "Rust"),
    ("package.json", "JavaScript"),
    ("pyproject.toml", "Python"),
    ("setup.py", "Python"),
    ("go.mod", "Go"),
    ("pom.xml", "Java"),
    ("build.gradle", "Java"),
    ("CMakeLists.txt", "C or C++"),
    ("Makefile", "make"),
    ("composer.json", "PHP"),
    ("Gemfile", "Ruby"),
    ("mix.exs", "Elixir"),
    ("Package.swift", "Swift"),
    (".git", "git"),
];

/// A folder that stays whole. The folder itself is the empty path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Project {
    pub(crate) path: String,
    pub(crate) kind: &'static str,
}

impl Project {
    pub(crate) fn holds(&self, path: &str) -> bool {
        self.path.is_empty() || path.strip_prefix(&self.path).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Where the file at `path` belongs, if it is the only one of its content.
pub(crate) fn place(path: &str, class: Class) -> String {
    format!("{}/{}", class.name(), inner(path))
}

/// Where it goes as a second copy.
pub(crate) fn aside(path: &str) -> String {
    format!("{DUPLICATES}/{}", inner(path))
}

/// The path without the folder of a class in front.
fn inner(path: &str) -> &str {
    match path.split_once('/') {
        Some((DUPLICATES, rest)) => rest,
        Some((first, rest)) if Class::ALL.iter().any(|class| class.name() == first) => rest,
        _ => path,
    }
}

/// The folders around a path, the outermost first; not the whole folder itself.
pub(crate) fn folders(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

/// The outermost projects among these files. `exists` tells of hidden markers, which no scan sees.
pub(crate) fn projects<'a>(
    paths: impl Iterator<Item = &'a String> + Clone,
    exists: &dyn Fn(&str) -> bool,
) -> Vec<Project> {
    let mut around: BTreeSet<&str> = paths.clone().flat_map(|path| folders(path)).collect();
    around.insert("");
    let files: BTreeSet<&str> = paths.map(String::as_str).collect();
    let mut found: Vec<Project> = Vec::new();
    for folder in around {
        if found.iter().any(|project| project.path == folder || project.holds(folder)) {
            continue;
        }
        let slash = if folder.is_empty() { "" } else { "/" };
        let has = |marker: &str| {
            let path = format!("{folder}{slash}{marker}");
            if marker.starts_with('.') { exists(&path) } else { files.contains(path.as_str()) }
        };
        if let Some((_, kind)) = MARKERS.iter().find(|(marker, _)| has(marker)) {
            found.push(Project { path: folder.to_owned(), kind });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_the_folder_and_is_stable() {
        for (path, class, expected) in [
            ("a.txt", Class::Documents, "Documents/a.txt"),
            ("scans/2024/a.pdf", Class::Documents, "Documents/scans/2024/a.pdf"),
            ("Documents/a.png", Class::Images, "Images/a.png"),
            ("Duplicates/x/a.txt", Class::Documents, "Documents/x/a.txt"),
            ("documents/a.txt", Class::Documents, "Documents/documents/a.txt"),
        ] {
            assert_eq!(place(path, class), expected);
            assert_eq!(place(expected, class), expected);
        }
        assert_eq!(aside("Images/x/a.png"), "Duplicates/x/a.png");
    }

    #[test]
    fn projects_are_found_by_their_markers_the_outermost_alone() {
        let files = ["a/Cargo.toml", "a/sub/package.json", "b/x.txt", "c/d/y.c", "Makefile.old"];
        let files: Vec<String> = files.map(String::from).to_vec();
        let found = projects(files.iter(), &|path| path == "c/.git");
        let found: Vec<(&str, &str)> = found.iter().map(|one| (one.path.as_str(), one.kind)).collect();
        assert_eq!(found, [("a", "Rust"), ("c", "git")]);
        let all = projects(files.iter(), &|path| path == ".git");
        assert!(all.len() == 1 && all[0].holds("b/x.txt"));
        assert!(!Project { path: "a".into(), kind: "" }.holds("ab/c"));
    }
}
