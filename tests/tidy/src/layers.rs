//! Who may know whom, and what core and context never touch.

use std::collections::BTreeSet;

use crate::manifests::Manifest;
use crate::{Tree, source};

/// The siblings that each crate may depend on. The facade may know them all.
const KNOWS: [(&str, &[&str]); 4] = [
    ("vextir-macros", &[]),
    ("vextir-core", &["vextir-macros"]),
    ("vextir-context", &["vextir-core"]),
    ("vextir-drivers", &["vextir-core"]),
];

/// Paths that open a socket.
const SOCKETS: [&str; 4] = ["std::net", "std::os::unix::net", "tokio::net", "async_std::net"];
/// Paths that open a file or start a program.
const FILES: [&str; 4] = ["std::fs", "tokio::fs", "std::process::Command", "tokio::process"];

/// Crates through which a socket could be opened: tokio's `net`, `process` and `signal` bring `mio`.
const NETWORK_CRATES: [&str; 12] = [
    "mio",
    "socket2",
    "hyper",
    "h2",
    "rustls",
    "native-tls",
    "reqwest",
    "ureq",
    "curl",
    "axum",
    "async-nats",
    "tokio-postgres",
];
/// What the kernel does not know: databases, YAML, templates, models, tools, file watching.
const NOT_IN_CORE: [&str; 12] = [
    "rusqlite",
    "libsqlite3-sys",
    "serde_yaml",
    "serde_yml",
    "serde-saphyr",
    "minijinja",
    "cel",
    "rhai",
    "yrs",
    "genai",
    "rmcp",
    "notify",
];
/// Features through which a dependency of core would read files: time zones come with the binary.
const FILE_FEATURES: [&str; 3] =
    ["jiff feature \"tz-system\"", "jiff feature \"tzdb-zoneinfo\"", "jiff feature \"tzdb-concatenated\""];

/// Checks the edges between our crates and the paths that core and context name.
pub fn check(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for one in Manifest::published(tree) {
        let Some((name, known)) = KNOWS.iter().find(|(name, _)| *name == one.name()) else { continue };
        for dependency in one.dependencies("dependencies") {
            if dependency.is_sibling() && !known.contains(&dependency.package) {
                found.push(format!(
                    "{}: {name} may not know {}",
                    one.within("Cargo.toml"),
                    dependency.package
                ));
            }
        }
    }
    let core: Vec<&str> = SOCKETS.iter().chain(&FILES).copied().collect();
    for (path, text) in tree.library_sources() {
        let forbidden = match tree.package_of(path) {
            "vextir-core/" => core.as_slice(),
            "vextir-context/" => SOCKETS.as_slice(),
            _ => continue,
        };
        let Ok(file) = source::parse(path, text) else { continue };
        let reached = |used: &str| forbidden.iter().any(|prefix| source::below(used, prefix));
        let broken = source::paths(&file).into_iter().filter(|(used, _)| reached(used));
        found.extend(broken.map(|(used, line)| format!("{path}:{line}: `{used}` is outside this layer")));
    }
    found
}

/// Checks what core's tree contains: see [`crate::cargo::tree`], with the features listed.
pub fn check_core_graph(packages: &BTreeSet<String>) -> Vec<String> {
    let mut found = check_context_graph(packages);
    let reads = FILE_FEATURES.iter().filter(|feature| packages.contains(**feature));
    found.extend(reads.map(|feature| format!("vextir-core would read files: {feature}")));
    found.extend(contained(packages, &NOT_IN_CORE).map(|name| format!("vextir-core knows `{name}`")));
    found
}

/// Checks what the context hub's tree contains.
pub fn check_context_graph(packages: &BTreeSet<String>) -> Vec<String> {
    contained(packages, &NETWORK_CRATES).map(|name| format!("`{name}` could open a socket")).collect()
}

fn contained<'a>(packages: &'a BTreeSet<String>, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let name_of = |package: &'a String| package.split(' ').next().unwrap_or_default();
    let mut all: Vec<&str> = packages.iter().map(name_of).filter(|name| names.contains(name)).collect();
    all.dedup();
    all.into_iter()
}

#[cfg(test)]
mod tests {
    use super::{check, check_context_graph, check_core_graph};
    use crate::Tree;

    fn found(name: &str, dependency: &str, source: &str) -> Vec<String> {
        let root = format!("[workspace]\nmembers = [\"{name}\"]");
        let manifest = format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependency}.workspace = true");
        let (manifest_path, source_path) = (format!("{name}/Cargo.toml"), format!("{name}/src/lib.rs"));
        check(&Tree::of(&[("Cargo.toml", &root), (&manifest_path, &manifest), (&source_path, source)]))
    }

    #[test]
    fn a_layer_that_reaches_too_far_is_found() {
        assert_eq!(found("vextir-context", "vextir-core", "use std::fs;").len(), 0);
        assert_eq!(found("vextir-core", "vextir-context", "").len(), 1);
        assert_eq!(found("vextir-drivers", "vextir-context", "").len(), 1);
        assert_eq!(found("vextir-core", "serde", "use std::{fs::File, time};").len(), 1);
        assert_eq!(found("vextir-core", "serde", "fn f() { tokio::net::lookup_host(x); }").len(), 1);
        assert_eq!(found("vextir-context", "serde", "use std::net::TcpStream;").len(), 1);
    }

    #[test]
    fn a_tree_with_a_foreign_crate_is_found() {
        let packages = |names: &[&str]| names.iter().map(|name| format!("{name} v1.0.0")).collect();
        let zones = ["jiff feature \"tz-system\"".to_owned()];
        assert_eq!(check_core_graph(&zones.into()).len(), 1);
        assert_eq!(check_core_graph(&packages(&["serde", "rusqlite", "mio"])).len(), 2);
        assert_eq!(check_context_graph(&packages(&["serde", "rusqlite", "mio"])).len(), 1);
    }
}
