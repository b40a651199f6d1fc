use super::*;
use crate::catalog::tests::catalog;

fn nothing(_: &str) -> Option<Found> {
    None
}

fn steps(files: &[(&str, &str)]) -> Vec<String> {
    let plan = plan(&catalog(files), &nothing);
    plan.steps.iter().map(|step| format!("{} -> {}", step.from, step.to)).collect()
}

#[test]
fn files_go_to_their_class_and_second_copies_aside() {
    assert_eq!(
        steps(&[
            ("a.txt", "1"),
            ("old/a copy.txt", "1"),
            ("old/b.png", "2"),
            ("Images/c.png", "3"),
            ("Images/d.txt", "4"),
            ("Duplicates/e.txt", "5"),
        ]),
        [
            "Images/d.txt -> Documents/d.txt",
            "a.txt -> Documents/a.txt",
            "old/a copy.txt -> Duplicates/old/a copy.txt",
            "old/b.png -> Images/old/b.png",
        ]
    );
}

#[test]
fn a_clash_gets_a_number_and_nothing_is_overwritten() {
    assert_eq!(
        steps(&[
            ("Documents/a.txt", "1"),
            ("Documents/a (2).txt", "2"),
            ("Images/a.txt", "3"),
            ("a.txt", "4")
        ]),
        ["Images/a.txt -> Documents/a (3).txt", "a.txt -> Documents/a (4).txt"]
    );
    // What the catalog cannot see counts too.
    let hidden = |path: &str| (path == "Documents/a.txt").then_some(Found::Other);
    assert_eq!(plan(&catalog(&[("a.txt", "1")]), &hidden).steps[0].to, "Documents/a (2).txt");
    assert_eq!(numbered("a/b.tar.gz", 2), "a/b.tar (2).gz");
    assert_eq!(numbered(".profile", 2), ".profile (2)");
}

#[test]
fn the_path_of_a_file_that_leaves_is_not_given_to_another_one() {
    // Both could be `Documents/x`, were the first one gone already: the moves would depend on each other.
    let files = [("Documents/x", "\u{1}"), ("Documents/y.txt", "1"), ("x", "text")];
    let mut catalog = catalog(&files);
    let text =
        crate::events::Described { path: "x".into(), class: crate::class::Class::Documents, title: None };
    crate::catalog::tests::tell(&mut catalog, text);
    let plan = plan(&catalog, &nothing);
    let steps: Vec<(&str, &str)> =
        plan.steps.iter().map(|step| (step.from.as_str(), step.to.as_str())).collect();
    assert_eq!(steps, [("Documents/x", "Other/x"), ("x", "Documents/x (2)")]);
}

#[test]
fn projects_stay_whole() {
    let files =
        [("app/package.json", "1"), ("app/logo.png", "2"), ("app/src/x/readme.md", "3"), ("b.md", "4")];
    assert_eq!(steps(&files), ["b.md -> Documents/b.md"]);
    let git = |path: &str| (path == ".git").then_some(Found::Folder);
    assert_eq!(plan(&catalog(&files), &git).steps, []);
}

#[test]
fn a_file_where_a_folder_is_needed_blocks() {
    let plan = plan(&catalog(&[("Documents", "1"), ("a.txt", "2"), ("b.png", "3")]), &nothing);
    assert_eq!(plan.blocked, ["a.txt"]);
    assert_eq!(plan.steps.len(), 2);
}

/// A small generator, so that a failure can be repeated from its seed.
fn dice(state: &mut u64, sides: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from((*state >> 33) % sides as u64).unwrap()
}

/// Files with names that clash and contents that are doubled.
fn generated(seed: u64) -> BTreeMap<String, String> {
    let folders = ["", "Documents/", "Images/", "Duplicates/", "x/", "x/y/", "Documents/x/", "Code/p/"];
    let names = ["a.txt", "b.png", "a (2).txt", "c", "d.tar.gz", "e.rs"];
    let mut state = seed;
    let mut files = BTreeMap::new();
    for _ in 0..dice(&mut state, 30) {
        let folder = folders[dice(&mut state, folders.len())];
        let path = format!("{folder}{}", names[dice(&mut state, names.len())]);
        files.insert(path, dice(&mut state, 8).to_string());
    }
    files
}

fn known(files: &BTreeMap<String, String>) -> Catalog {
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    catalog(&files)
}

/// The two properties on which everything rests: moves of one plan never meet, and after them nothing is left
/// to do.
#[test]
fn moves_do_not_depend_on_each_other_and_a_second_plan_is_empty() {
    for seed in 0..300 {
        let mut files = generated(seed);
        let of = |files: &BTreeMap<String, String>| plan(&known(files), &nothing);
        let before = files.clone();
        for Step { from, to } in of(&files).steps {
            assert!(!before.contains_key(&to), "{to} is in use, seed {seed}");
            let content = files.remove(&from).unwrap();
            assert!(files.insert(to, content).is_none(), "seed {seed}");
        }
        assert_eq!(of(&files).steps, [], "seed {seed}");
        let contents = |files: &BTreeMap<String, String>| {
            let mut all: Vec<String> = files.values().cloned().collect();
            all.sort();
            all
        };
        assert_eq!(contents(&before), contents(&files));
    }
}

#[test]
fn many_plans_do_what_a_single_one_does_and_all_is_put_back_at_once() {
    use crate::catalog::tests::{step, tell_below};
    use crate::events::{Apply, Moved};

    for seed in 0..300 {
        let files = generated(seed);
        let whole = plan(&known(&files), &nothing).steps;
        let mut catalog = known(&files);
        for expected in &whole {
            let next = plan(&catalog, &nothing).steps.remove(0);
            assert_eq!(next, *expected, "seed {seed}");
            tell_below(&mut catalog, Apply { run: "r1".into() }, "apply");
            let moved = step(&next.from, &next.to, &files[&next.from]);
            tell_below(&mut catalog, Moved { step: moved }, "apply");
        }
        assert_eq!(plan(&catalog, &nothing).steps, [], "seed {seed}");
        let moves: Vec<_> = whole.iter().map(|step| (step.to.clone(), step.from.clone())).collect();
        let back = way_back(&catalog, &moves, &nothing);
        assert!(back.iter().map(|step| &step.to).eq(whole.iter().map(|step| &step.from)), "seed {seed}");
    }
}
