//! What cargo says about the dependency graph.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The packages, as `name vX.Y.Z`, that `cargo tree` lists for one package of the workspace at `root`; with the edges
/// `features` among the options also the features, as `name feature "f"`.
pub fn tree(root: &Path, package: &str, options: &[&str]) -> Result<BTreeSet<String>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p}", "--package", package])
        .args(options)
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(packages(&String::from_utf8_lossy(&output.stdout)))
}

/// Name and version (or feature) of each line; paths, `(proc-macro)` and the `(*)` of a repeated line fall away.
fn packages(listing: &str) -> BTreeSet<String> {
    let of_line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [name, "feature", feature, ..] => Some(format!("{name} feature {feature}")),
            [name, version, ..] => Some(format!("{name} {version}")),
            _ => None,
        }
    };
    listing.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::packages;

    #[test]
    fn a_package_is_counted_once() {
        let listing =
            "vextir v0.1.0 (somewhere)\nserde v1.0.1\nserde_derive v1.0.1 (proc-macro)\nserde v1.0.1 (*)\n\n";
        assert_eq!(packages(listing).len(), 3);
        let features = packages("jiff feature \"std\"\njiff feature \"alloc\" (*)\n");
        assert!(features.contains("jiff feature \"alloc\""), "{features:?}");
    }
}
