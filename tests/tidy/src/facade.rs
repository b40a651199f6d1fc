//! The root package re-exports and does nothing else.

use syn::{Item, Visibility};

use crate::manifests::Manifest;
use crate::{Tree, source};

/// Checks the facade's sources, and that the README names each of its features.
pub fn check(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.sources().filter(|(path, _)| path.starts_with("src/")) {
        match source::parse(path, text) {
            Ok(file) => logic(path, &file.items, &mut found),
            Err(error) => found.push(error),
        }
    }
    found.extend(features(tree));
    found
}

fn logic(path: &str, items: &[Item], found: &mut Vec<String>) {
    for item in items {
        match item {
            Item::Use(item) if matches!(item.vis, Visibility::Public(_)) => {}
            Item::ExternCrate(_) => {}
            Item::Mod(module) => {
                let inner = module.content.as_ref().map(|(_, inner)| inner.as_slice()).unwrap_or_default();
                logic(path, inner, found);
            }
            other => {
                let line = syn::spanned::Spanned::span(other).start().line;
                found.push(format!("{path}:{line}: the facade holds only `pub use` and documentation"));
            }
        }
    }
}

fn features(tree: &Tree) -> Vec<String> {
    let all = Manifest::all(tree);
    let root = all.iter().find(|one| one.folder.is_empty());
    let features = root.and_then(|root| root.get(&["features"])?.as_table());
    let readme = tree.text("README.md").unwrap_or_default();
    features
        .into_iter()
        .flat_map(|features| features.keys())
        .filter(|name| *name != "default" && !readme.contains(&format!("`{name}`")))
        .map(|name| format!("README.md: the feature table lacks `{name}`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::Tree;

    #[test]
    fn logic_and_undocumented_features_are_found() {
        let manifest = "[package]\nname = \"vextir\"\n[features]\ndefault = []\nhub = []\nfiles = []";
        let source = "
            pub use vextir_core::*;
            pub mod guides { #![doc = \"x\"] }
            pub mod prelude { pub use vextir_core::Event; fn hidden() {} }
            pub type Result<T> = std::result::Result<T, ()>;
        ";
        let files = [("Cargo.toml", manifest), ("README.md", "| `hub` | x |"), ("src/lib.rs", source)];
        let found = check(&Tree::of(&files));
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[2].contains("`files`"), "{found:?}");
    }
}
