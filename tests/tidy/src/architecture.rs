//! The lists and figures that ARCHITECTURE.md promises.

use std::collections::{BTreeMap, BTreeSet};

use crate::Tree;

const FILE: &str = "ARCHITECTURE.md";
const LIST: &str = "## Public dependencies";
const COUNT: &str = "Crates in the default tree:";

/// The crates that the section "Public dependencies" lists: the first name in backticks of each bullet.
fn listed(text: &str) -> BTreeSet<&str> {
    let section = text.lines().skip_while(|line| line.trim_end() != LIST).skip(1);
    section
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("* ") || line.starts_with("- "))
        .filter_map(|line| line.split('`').nth(1))
        .collect()
}

/// Compares the written list with the crates that public signatures name, both ways.
pub fn check_public_dependencies(tree: &Tree, named: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let listed = listed(tree.text(FILE).unwrap_or_default());
    let missing = named.iter().filter(|(name, _)| !listed.contains(name.as_str())).map(|(name, places)| {
        let places: Vec<&str> = places.iter().take(5).map(String::as_str).collect();
        format!("{FILE}: `{name}` is public at {} and not listed under \"{LIST}\"", places.join(", "))
    });
    let unused = listed.iter().filter(|name| !named.contains_key(**name));
    let unused =
        unused.map(|name| format!("{FILE}: no public signature names `{name}`, which \"{LIST}\" lists"));
    missing.chain(unused).collect()
}

/// Compares the written count with the default tree.
pub fn check_count(tree: &Tree, packages: &BTreeSet<String>) -> Vec<String> {
    let text = tree.text(FILE).unwrap_or_default();
    let written =
        text.lines().find_map(|line| line.split_once(COUNT)?.1.split_whitespace().next()?.parse().ok());
    let counted = packages.len();
    match written {
        Some(number) if counted == number => Vec::new(),
        Some(number) => vec![format!("{FILE}: says \"{COUNT} {number}\", and there are {counted}")],
        None => vec![format!("{FILE}: needs the line \"{COUNT} {counted}\"")],
    }
}

#[cfg(test)]
mod tests {
    use super::{check_count, check_public_dependencies};
    use crate::Tree;

    const TEXT: &str = "
Crates in the default tree: 2

## Public dependencies

* `serde`: derives, beside `other`.
* `futures`: streams.

## Next

* `tokio`
";

    #[test]
    fn both_ways_of_being_wrong_are_found() {
        let tree = Tree::of(&[("ARCHITECTURE.md", TEXT)]);
        let named = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), ["x:1".to_owned()].into())).collect()
        };
        assert!(check_public_dependencies(&tree, &named(&["serde", "futures"])).is_empty());
        assert_eq!(check_public_dependencies(&tree, &named(&["serde", "tokio"])).len(), 2);
    }

    #[test]
    fn a_count_that_is_off_or_missing_is_found() {
        let packages = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let tree = Tree::of(&[("ARCHITECTURE.md", TEXT)]);
        assert!(check_count(&tree, &packages(&["a", "b"])).is_empty());
        assert_eq!(check_count(&tree, &packages(&["a"])).len(), 1);
        assert_eq!(check_count(&Tree::of(&[]), &packages(&["a"])).len(), 1);
    }
}
