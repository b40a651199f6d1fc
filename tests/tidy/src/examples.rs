//! Each example is listed where a reader looks for it, and its first line says how to run it.

use std::collections::BTreeMap;

use crate::Tree;

/// The examples by name, with the file that a reader opens first.
fn examples(tree: &Tree) -> BTreeMap<&str, &str> {
    let mut all = BTreeMap::new();
    for path in tree.paths() {
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["examples", file] => {
                if let Some(name) = file.strip_suffix(".rs") {
                    all.insert(name, path);
                }
            }
            ["examples", name, "main.rs"] | ["examples", name, "src", "main.rs"] => {
                all.insert(*name, path);
            }
            _ => {}
        }
    }
    all
}

/// Checks every example.
pub fn check(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    let lists = ["README.md", "examples/README.md"];
    for (name, path) in examples(tree) {
        let quoted = format!("`{name}`");
        if !lists.iter().any(|list| tree.text(list).is_some_and(|text| text.contains(&quoted))) {
            found.push(format!("{path}: neither README.md nor examples/README.md lists {quoted}"));
        }
        let first = tree.text(path).and_then(|text| text.lines().next()).unwrap_or_default();
        if !(first.starts_with("//!") && first.contains("cargo run") && first.contains(name)) {
            found.push(format!(
                "{path}:1: the first line is `//! ..` and says how to run it: `cargo run .. {name}`"
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::Tree;

    #[test]
    fn unlisted_and_unexplained_examples_are_found() {
        let good = "//! Run with `cargo run --example quickstart`.";
        let files = [
            ("README.md", "`quickstart`"),
            ("examples/README.md", "`embed_axum`"),
            ("examples/quickstart.rs", good),
            ("examples/embed_axum/src/main.rs", "//! Run with `cargo run -p embed_axum`."),
            ("examples/embed_axum/src/routes.rs", ""),
            ("examples/folder/notes.md", ""),
        ];
        assert_eq!(check(&Tree::of(&files)), Vec::<String>::new());
        assert_eq!(check(&Tree::of(&[("examples/simulate.rs", good)])).len(), 2);
    }
}
