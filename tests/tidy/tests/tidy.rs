//! Holds the rules of `vextir-tidy` against this repository.

use std::path::{Path, PathBuf};

use vextir_tidy::{
    Tree, architecture, cargo, code, examples, facade, functions, layers, layout, manifests, surface, words,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn tree() -> Tree {
    Tree::load(&root()).unwrap_or_else(|error| panic!("{error}"))
}

fn graph(package: &str, options: &[&str]) -> std::collections::BTreeSet<String> {
    cargo::tree(&root(), package, options).unwrap_or_else(|error| panic!("{error}"))
}

fn hold(found: &[String]) {
    assert!(found.is_empty(), "\n  {}\n", found.join("\n  "));
}

#[test]
fn manifests_say_what_they_must() {
    hold(&manifests::check(&tree()));
}

#[test]
fn files_have_a_place_a_name_and_an_end() {
    let tree = tree();
    for line in layout::report(&tree) {
        println!("{line}");
    }
    hold(&layout::check(&tree));
}

#[test]
fn functions_fit_on_a_screen() {
    hold(&functions::check(&tree()));
}

#[test]
fn nothing_is_left_open_and_nothing_names_this_machine() {
    hold(&words::check(&tree()));
}

#[test]
fn library_code_leaves_the_process_alone() {
    hold(&code::check(&tree()));
}

#[test]
fn layers_know_only_what_they_may() {
    hold(&layers::check(&tree()));
}

#[test]
fn core_opens_no_file_and_no_socket() {
    hold(&layers::check_core_graph(&graph("vextir-core", &["--all-features", "--edges", "normal,features"])));
}

#[test]
fn context_opens_no_socket() {
    hold(&layers::check_context_graph(&graph("vextir-context", &["--all-features", "--edges", "normal"])));
}

#[test]
fn the_facade_holds_no_logic() {
    hold(&facade::check(&tree()));
}

#[test]
fn examples_are_listed_and_say_how_to_run_them() {
    hold(&examples::check(&tree()));
}

#[test]
fn public_dependencies_are_the_written_ones() {
    let tree = tree();
    let named = surface::named(&tree).unwrap_or_else(|error| panic!("{error}"));
    hold(&architecture::check_public_dependencies(&tree, &named));
}

#[test]
fn the_default_tree_has_the_written_size() {
    let options = ["--edges", "normal,build", "--target", "x86_64-unknown-linux-gnu"];
    hold(&architecture::check_count(&tree(), &graph("vextir", &options)));
}
