//! What every `Cargo.toml` says.

use toml::{Table, Value};

use crate::Tree;

/// One package's `Cargo.toml`.
#[derive(Debug)]
pub struct Manifest {
    /// Its folder, with a `/` at its end; empty for the root package.
    pub folder: String,
    /// Its content.
    pub table: Table,
}

/// One dependency of a package.
#[derive(Debug)]
pub struct Dependency<'a> {
    /// The name under which the code knows it.
    pub key: &'a str,
    /// The name under which it is published.
    pub package: &'a str,
    value: &'a Value,
}

impl Manifest {
    /// The manifests that can be read: [`check`] reports the others.
    pub fn all(tree: &Tree) -> Vec<Self> {
        Self::parse(tree).into_iter().filter_map(Result::ok).collect()
    }

    fn parse(tree: &Tree) -> Vec<Result<Self, String>> {
        tree.texts()
            .filter_map(|(path, text)| Some((path, path.strip_suffix("Cargo.toml")?, text)))
            .filter(|(_, folder, _)| folder.is_empty() || folder.ends_with('/'))
            .map(|(path, folder, text)| {
                let table = text.parse::<Table>().map_err(|error| format!("{path}: {error}"))?;
                Ok(Self { folder: folder.to_owned(), table })
            })
            .collect()
    }

    /// The members of the workspace that are published.
    pub fn published(tree: &Tree) -> Vec<Self> {
        let all = Self::all(tree);
        let members = root(&all).map(|root| strings(root, &["workspace", "members"])).unwrap_or_default();
        let kept =
            |one: &Self| members.contains(&one.as_member()) && one.get(&["package", "publish"]).is_none();
        let keep: Vec<bool> = all.iter().map(kept).collect();
        all.into_iter().zip(keep).filter_map(|(one, keep)| keep.then_some(one)).collect()
    }

    /// The package's name.
    pub fn name(&self) -> &str {
        self.get(&["package", "name"]).and_then(Value::as_str).unwrap_or_default()
    }

    /// The path of a file of this package from the repository's root.
    pub fn within(&self, path: &str) -> String {
        format!("{}{path}", self.folder)
    }

    /// What stands under a path of keys.
    pub fn get(&self, keys: &[&str]) -> Option<&Value> {
        let (first, rest) = keys.split_first()?;
        rest.iter().try_fold(self.table.get(*first)?, |value, key| value.get(key))
    }

    /// The dependencies of one kind: `dependencies`, `dev-dependencies` or `build-dependencies`.
    pub fn dependencies<'a>(&'a self, kind: &str) -> Vec<Dependency<'a>> {
        let own = self.table.get(kind);
        let targets = self.table.get("target").and_then(Value::as_table);
        let for_targets = targets.into_iter().flat_map(|all| all.values()).filter_map(|one| one.get(kind));
        own.into_iter()
            .chain(for_targets)
            .filter_map(Value::as_table)
            .flatten()
            .map(|(key, value)| {
                let package = value.get("package").and_then(Value::as_str).unwrap_or(key);
                Dependency { key, package, value }
            })
            .collect()
    }

    fn as_member(&self) -> String {
        if self.folder.is_empty() { ".".to_owned() } else { self.folder.trim_end_matches('/').to_owned() }
    }
}

impl Dependency<'_> {
    /// Whether it is one of our own crates.
    pub fn is_sibling(&self) -> bool {
        self.package == "vextir" || self.package.starts_with("vextir-")
    }

    fn says(&self, key: &str) -> Option<&Value> {
        self.value.get(key)
    }

    fn version(&self) -> Option<&str> {
        self.value.as_str().or_else(|| self.says("version")?.as_str())
    }
}

/// The manifest at the root.
fn root(all: &[Manifest]) -> Option<&Manifest> {
    all.iter().find(|one| one.folder.is_empty())
}

fn strings(manifest: &Manifest, keys: &[&str]) -> Vec<String> {
    let list = manifest.get(keys).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Checks every manifest.
pub fn check(tree: &Tree) -> Vec<String> {
    let mut found: Vec<String> = Manifest::parse(tree).into_iter().filter_map(Result::err).collect();
    let all = Manifest::all(tree);
    let Some(root) = root(&all) else {
        found.push("Cargo.toml: the root has no readable manifest".to_owned());
        return found;
    };
    let members = strings(root, &["workspace", "members"]);
    let published = Manifest::published(tree);
    found.extend(workspace(root, &published));
    for one in &all {
        let member = members.contains(&one.as_member());
        if member {
            found.extend(lints(one));
        } else if !one.table.contains_key("workspace") {
            found.push(format!("{}: neither a member nor a workspace of its own", one.within("Cargo.toml")));
        }
    }
    for one in &published {
        found.extend(packaging(one));
        found.extend(siblings(one));
    }
    found
}

/// `default-members`, `autobenches`, and the pins of our own crates.
fn workspace(root: &Manifest, published: &[Manifest]) -> Vec<String> {
    let mut found = Vec::new();
    let defaults = strings(root, &["workspace", "default-members"]);
    for one in published.iter().filter(|one| !defaults.contains(&one.as_member())) {
        found.push(format!(
            "Cargo.toml: default-members lacks {:?}: a bare `cargo test` skips it",
            one.as_member()
        ));
    }
    if root.get(&["package", "autobenches"]).and_then(Value::as_bool) != Some(false) {
        found.push(
            "Cargo.toml: [package] needs `autobenches = false`: benches/ is a package of its own".to_owned(),
        );
    }
    let version = root.get(&["workspace", "package", "version"]).and_then(Value::as_str).unwrap_or_default();
    let shared = root.get(&["workspace", "dependencies"]).and_then(Value::as_table);
    for (key, value) in shared.into_iter().flatten() {
        let package = value.get("package").and_then(Value::as_str).unwrap_or(key);
        let dependency = Dependency { key, package, value };
        if dependency.is_sibling() && dependency.version() != Some(&format!("={version}")) {
            found.push(format!("Cargo.toml: the workspace dependency {key} is not pinned to \"={version}\""));
        }
    }
    found
}

/// Without `[lints] workspace = true` the workspace's lints do not reach a member.
fn lints(one: &Manifest) -> Vec<String> {
    let inherited = one.get(&["lints", "workspace"]).and_then(Value::as_bool) == Some(true);
    let place = one.within("Cargo.toml");
    if inherited { Vec::new() } else { vec![format!("{place}: needs `[lints]` with `workspace = true`")] }
}

/// What a published package contains, and how docs.rs builds it.
fn packaging(one: &Manifest) -> Vec<String> {
    let mut found = Vec::new();
    let place = one.within("Cargo.toml");
    let include = strings(one, &["package", "include"]);
    for needed in ["src/**", "/LICENSE-*", "!tests.rs", "!**/tests/**"] {
        if !include.iter().any(|pattern| pattern == needed) {
            found.push(format!("{place}: `include` lacks {needed:?}"));
        }
    }
    let docs_rs = ["package", "metadata", "docs", "rs", "all-features"];
    let all_features = one.get(&docs_rs).and_then(Value::as_bool) == Some(true);
    if one.table.contains_key("features") && !all_features {
        found.push(format!("{place}: needs [package.metadata.docs.rs] with `all-features = true`"));
    }
    found
}

/// Our own crates are pinned where they are published, and unversioned where they are used in tests only: with a
/// version, the circle core -> macros -> core could not be published.
fn siblings(one: &Manifest) -> Vec<String> {
    let mut found = Vec::new();
    let place = one.within("Cargo.toml");
    for dependency in one.dependencies("dependencies").iter().filter(|each| each.is_sibling()) {
        let inherited = dependency.says("workspace").is_some();
        if !inherited && !dependency.version().is_some_and(|version| version.starts_with('=')) {
            found.push(format!("{place}: the sibling {} is not pinned (`workspace = true`)", dependency.key));
        }
    }
    for dependency in one.dependencies("dev-dependencies").iter().filter(|each| each.is_sibling()) {
        let path_only = dependency.says("path").is_some() && dependency.version().is_none();
        if !path_only {
            found.push(format!(
                "{place}: the sibling dev-dependency {} needs a path and no version",
                dependency.key
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests;
