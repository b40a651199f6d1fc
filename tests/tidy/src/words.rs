//! Text that must not be committed.

use crate::Tree;

// The needles are put together here so that this file does not contain them.

/// Work that was left for later: an issue holds it, not the code.
const LEFT_OPEN: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimplement", "ed!"),
    concat!("db", "g!"),
];
/// Paths that exist on one machine only.
const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
/// Hosts that packages are fetched from: which ones is the machine's affair.
const REGISTRY_HOSTS: [&str; 7] = [
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("pypi", ".org"),
    concat!("files.python", "hosted.org"),
    concat!("registry.npm", "js.org"),
    concat!("deb.deb", "ian.org"),
    concat!("proxy.go", "lang.org"),
];
/// Examples and tests that look like checks and never run.
const NEVER_RUN: [&str; 3] =
    [concat!("```ig", "nore"), concat!("```rust,ig", "nore"), concat!("#[ig", "nore")];

/// Checks every tracked text file.
pub fn check(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.texts() {
        for (number, line) in text.lines().enumerate() {
            let place = format!("{path}:{}", number + 1);
            found.extend(line_of(path, line).map(|(what, needle)| format!("{place}: {what}: {needle}")));
        }
    }
    found
}

fn line_of<'a>(path: &str, line: &'a str) -> impl Iterator<Item = (&'static str, &'static str)> + use<'a> {
    let code = path.ends_with(".rs");
    let settings = path.ends_with(".toml") || path.starts_with(".ci/");
    let groups: [(&str, &[&str], bool); 4] = [
        ("left open", &LEFT_OPEN, code || settings),
        ("a path of one machine", &MACHINE_PATHS, true),
        ("a registry's host", &REGISTRY_HOSTS, true),
        ("never runs", &NEVER_RUN, code || path.ends_with(".md")),
    ];
    groups
        .into_iter()
        .filter(|(_, _, applies)| *applies)
        .flat_map(|(what, needles, _)| needles.iter().map(move |needle| (what, *needle)))
        .filter(move |(_, needle)| contains_word(line, needle))
}

/// Whether `line` has `needle` where no longer word surrounds it.
fn contains_word(line: &str, needle: &str) -> bool {
    let in_word = |side: Option<char>| side.is_some_and(|sign| sign.is_alphanumeric() || sign == '_');
    line.match_indices(needle).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + needle.len()..]);
        let starts_word = needle.starts_with(|sign: char| sign.is_alphanumeric());
        let ends_word = needle.ends_with(|sign: char| sign.is_alphanumeric());
        !(starts_word && in_word(before.chars().next_back()) || ends_word && in_word(after.chars().next()))
    })
}

#[cfg(test)]
mod tests {
    use super::{LEFT_OPEN, MACHINE_PATHS, NEVER_RUN, REGISTRY_HOSTS, check};
    use crate::Tree;

    #[test]
    fn every_needle_is_found_and_longer_words_are_not() {
        for needle in LEFT_OPEN.iter().chain(&MACHINE_PATHS).chain(&REGISTRY_HOSTS).chain(&NEVER_RUN) {
            let line = format!("// {needle}");
            assert_eq!(check(&Tree::of(&[("src/lib.rs", &line)])).len(), 1, "{needle}");
        }
        let inside = format!("// {}LIST, my_{}(x)", LEFT_OPEN[0], LEFT_OPEN[5]);
        assert_eq!(check(&Tree::of(&[("src/lib.rs", &inside)])), Vec::<String>::new());
        let in_prose = format!("a {} list", LEFT_OPEN[0]);
        assert_eq!(check(&Tree::of(&[("examples/sample/note.md", &in_prose)])), Vec::<String>::new());
    }
}
