use super::named;
use crate::Tree;

const MANIFEST: &str = r#"
    [workspace]
    members = ["core"]
    [package]
    name = "root"
"#;

const CORE: &str = r#"
    [package]
    name = "vextir-core"
    [dependencies]
    async-trait = "1"
    serde = "1"
    json = { package = "serde_json", version = "1" }
    thiserror = "1"
    vextir-macros = "1"
"#;

/// The crates that are public in a crate of these files.
fn public(lib: &str, inner: &str) -> Result<Vec<String>, String> {
    let files = [
        ("Cargo.toml", MANIFEST),
        ("core/Cargo.toml", CORE),
        ("core/src/lib.rs", lib),
        ("core/src/inner.rs", inner),
    ];
    Ok(named(&Tree::of(&files))?.into_keys().collect())
}

#[test]
fn each_way_of_being_public_is_seen() -> Result<(), String> {
    let ways = [
        "pub fn f(x: serde::X) {}",
        "pub fn f() -> Option<Vec<::serde::X>> { g() }",
        "pub fn f<T: serde::X>(t: T) {}",
        "pub async fn f<T>(t: T) where T: serde::X {}",
        "pub fn f() -> impl Iterator<Item = serde::X> { g() }",
        "pub struct A { pub x: serde::X }",
        "pub struct A<T: serde::X>(T);",
        "pub enum A { B { x: serde::X } }",
        "pub trait A: serde::X {}",
        "pub trait A { fn f(&self) -> Result<(), serde::X>; }",
        "pub trait A { type B: serde::X; }",
        "pub type A = Box<dyn serde::X>;",
        "pub const A: serde::X = 1;",
        "pub use serde::X;",
        "pub use serde;",
        "pub use serde::serde;",
        "pub struct A; impl A { pub fn f(&self, x: &serde::X) {} }",
        "pub struct A; impl From<serde::X> for A {}",
        "pub struct A; impl serde::X for A {}",
        "pub struct A; impl Iterator for A { type Item = serde::X; }",
        "impl<T: serde::X> Trait for T {}",
        "use serde::Serialize; #[derive(Debug, Serialize)] pub struct A;",
        "use serde::X as Y; pub fn f(x: Y) {}",
        "use serde::{self, de}; pub fn f(x: de::Z) {}",
        "type Short = Option<serde::X>; pub fn f(x: Short) {}",
        "mod inner; pub use inner::f;",
    ];
    for lib in ways {
        assert_eq!(public(lib, "pub fn f(x: serde::X) {}")?, ["serde"], "{lib}");
    }
    Ok(())
}

#[test]
fn names_are_followed_through_modules() -> Result<(), String> {
    let inner = "pub(crate) use json::Value; pub(crate) type Map = serde::Map;";
    let ways = [
        "mod inner; use inner::Value; pub fn f(x: Value) {}",
        "mod inner; pub fn f(x: crate::inner::Value) {}",
        "mod inner; use crate::inner::*; pub fn f(x: Value) {}",
        "mod inner; mod other { use super::inner; pub fn f(x: inner::Value) {} }",
    ];
    for lib in ways {
        assert_eq!(public(lib, inner)?, ["serde_json"], "{lib}");
    }
    assert_eq!(public("mod inner; use inner::Map; pub fn f(x: Map) {}", inner)?, ["serde"]);
    Ok(())
}

#[test]
fn what_users_cannot_name_is_left_out() -> Result<(), String> {
    let ways = [
        "use serde::X; fn f(x: X) {}",
        "pub(crate) fn f(x: serde::X) {}",
        "pub struct A { x: serde::X }",
        "struct A; impl From<serde::X> for A {}",
        "trait A {} impl A for serde::X {}",
        "pub struct A; impl A { fn f(x: serde::X) {} }",
        "pub struct A; impl A { pub fn f() { serde::f() } }",
        "#[doc(hidden)] pub mod private { pub use serde; }",
        "#[doc(hidden)] pub fn f(x: serde::X) {}",
        "#[derive(Debug, thiserror::Error)] pub enum A {}",
        "#[async_trait::async_trait] pub trait A {}",
        "#[cfg(test)] pub fn f(x: serde::X) {}",
        "pub use vextir_macros::driver;",
        "pub fn serde(x: std::X) {}",
        "mod serde { pub struct X; } pub fn f(x: serde::X) {}",
        "use a::a; use b::a; pub fn f(x: a) {}",
    ];
    for lib in ways {
        assert_eq!(public(lib, "")?, Vec::<String>::new(), "{lib}");
    }
    Ok(())
}
