//! Which foreign crates the public signatures name.
//!
//! A crate is *public* when a change of its major version can break our users: when a `pub` function, field, variant,
//! type, constant, trait or re-export names it, or a trait is implemented between it and a public type of ours (also
//! by derive). Names are resolved through `use`, private aliases and the modules of the crate. `pub` is taken at its
//! word, because the lint `unreachable_pub` is on. What is `#[doc(hidden)]` is no promise and is left out. What a macro
//! of ours expands to cannot be seen here.

use std::collections::{BTreeMap, BTreeSet};

use crate::Tree;
use crate::manifests::Manifest;

mod modules;
mod signatures;

/// The public crates by their published name, with the places that name them.
pub type Named = BTreeMap<String, BTreeSet<String>>;

/// Reads the public signatures of the published packages. A proc-macro package has none.
pub fn named(tree: &Tree) -> Result<Named, String> {
    let mut all = Named::new();
    for package in Manifest::published(tree) {
        let is_macro = package.get(&["lib", "proc-macro"]).is_some();
        if !is_macro && tree.text(&package.within("src/lib.rs")).is_some() {
            let krate = modules::Crate::read(tree, &package)?;
            for (name, places) in signatures::named(&krate) {
                all.entry(name).or_default().extend(places);
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
