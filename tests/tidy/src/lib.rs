//! The rules of this repository that no compiler checks.
//!
//! Each module holds one rule or a few that belong together, as functions from a [`Tree`] (the tracked files, in
//! memory) to the list of what breaks them. The rules read nothing else, so each has a test with a small tree that
//! breaks it. `tests/tidy.rs` holds them against the repository itself.
//!
//! ```text
//! tree          the tracked files, and which package each belongs to
//! manifests     Cargo.toml: lints, include, pins, default members
//! layout        top level, file names, file sizes
//! functions     function lengths
//! words         text that must not be committed
//! code          what library code does not do: unsafe, global state, printing
//! layers        who may know whom; core and context open no socket, core no file
//! facade        the root package re-exports and does nothing else
//! examples      each example is listed and says how to run it
//! surface       which foreign crates the public signatures name
//! architecture  the lists and figures that ARCHITECTURE.md promises
//! ```

pub mod architecture;
pub mod cargo;
pub mod code;
pub mod examples;
pub mod facade;
pub mod functions;
pub mod layers;
pub mod layout;
pub mod manifests;
pub mod surface;
pub mod tree;
pub mod words;

mod source;

pub use tree::Tree;
