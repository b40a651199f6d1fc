use super::check;
use crate::Tree;

const ROOT: &str = r#"
    [workspace]
    members = [".", "vextir-core"]
    default-members = [".", "vextir-core"]
    [workspace.package]
    version = "0.1.0"
    [workspace.dependencies]
    vextir-core = { path = "vextir-core", version = "=0.1.0" }
    [package]
    name = "vextir"
    autobenches = false
    include = ["src/**", "/LICENSE-*", "!tests.rs", "!**/tests/**"]
    metadata.docs.rs.all-features = true
    [dependencies]
    vextir-core.workspace = true
    [lints]
    workspace = true
"#;

const CORE: &str = r#"
    [package]
    name = "vextir-core"
    include = ["src/**", "/LICENSE-*", "!tests.rs", "!**/tests/**"]
    metadata.docs.rs.all-features = true
    [features]
    [dev-dependencies]
    vextir-macros = { path = "../vextir-macros" }
    [lints]
    workspace = true
"#;

fn found(root: &str, core: &str) -> Vec<String> {
    check(&Tree::of(&[("Cargo.toml", root), ("vextir-core/Cargo.toml", core)]))
}

#[test]
fn a_tidy_workspace_passes() {
    assert_eq!(found(ROOT, CORE), Vec::<String>::new());
}

#[test]
fn each_omission_is_named() {
    let root_breaks = [
        (r#"default-members = [".", "vextir-core"]"#, r#"default-members = ["."]"#, "default-members"),
        ("autobenches = false", "", "autobenches"),
        ("version = \"=0.1.0\"", "version = \"0.1\"", "not pinned"),
        ("vextir-core.workspace = true", "vextir-core = \"0.1\"", "not pinned"),
        (
            "members = [\".\", \"vextir-core\"]\n    default",
            "members = [\".\"]\n    default",
            "neither a member",
        ),
    ];
    for (from, to, expected) in root_breaks {
        assert!(ROOT.contains(from), "{from}");
        let found = found(&ROOT.replacen(from, to, 1), CORE);
        assert!(found.iter().any(|each| each.contains(expected)), "{from} -> {to}: {found:?}");
    }
    let core_breaks = [
        ("workspace = true", "", "[lints]"),
        ("\"src/**\", ", "", "src/**"),
        (", \"!tests.rs\"", "", "!tests.rs"),
        ("metadata.docs.rs.all-features = true", "", "docs.rs"),
        ("{ path = \"../vextir-macros\" }", "{ path = \"../vextir-macros\", version = \"1\" }", "no version"),
        ("[package]", "[package", "vextir-core/Cargo.toml"),
    ];
    for (from, to, expected) in core_breaks {
        assert!(CORE.contains(from), "{from}");
        let found = found(ROOT, &CORE.replacen(from, to, 1));
        assert!(found.iter().any(|each| each.contains(expected)), "{from} -> {to}: {found:?}");
    }
}
