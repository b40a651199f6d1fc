use super::*;
use sha2::{Digest, Sha256};
use vextir::IntoEvent;

/// A catalog of files with these contents, as a scan would make it.
pub(crate) fn catalog(files: &[(&str, &str)]) -> Catalog {
    let mut catalog = Catalog::default();
    for (path, content) in files {
        tell(&mut catalog, created(path, content));
    }
    catalog
}

pub(crate) fn created(path: &str, content: &str) -> FileCreated {
    FileCreated {
        root: "/w".into(),
        path: path.into(),
        size: content.len() as u64,
        media_type: if path.ends_with(".png") { "image/png" } else { "application/octet-stream" }.into(),
        hash: Some(format!("{:x}", Sha256::digest(content))),
        modified: Timestamp::UNSET,
    }
}

pub(crate) fn renamed(from: &str, path: &str, content: &str) -> FileMoved {
    let FileCreated { root, path, size, media_type, hash, modified } = created(path, content);
    FileMoved { root, from: from.into(), path, size, media_type, hash, modified }
}

pub(crate) fn removed(path: &str, content: &str) -> FileRemoved {
    let FileCreated { root, path, size, media_type, hash, .. } = created(path, content);
    FileRemoved { root, path, size, media_type, hash }
}

pub(crate) fn tell(catalog: &mut Catalog, event: impl IntoEvent) {
    tell_below(catalog, event, "root");
}

/// Tells of an event in the causal tree of another one.
pub(crate) fn tell_below(catalog: &mut Catalog, event: impl IntoEvent, root: &str) {
    let mut event = event.into_event().unwrap();
    event.edit().id = root.parse().unwrap();
    catalog.apply(catalog.changed_at + 1, &event).unwrap();
}

pub(crate) fn step(from: &str, to: &str, content: &str) -> Move {
    let FileCreated { size, modified, hash, .. } = created(from, content);
    let hash = hash.unwrap();
    Move { from: from.into(), to: to.into(), size, modified, hash, make: Vec::new(), leave: Vec::new() }
}

#[test]
fn what_this_program_moved_is_no_news_when_the_scan_meets_it() {
    let mut catalog = catalog(&[("a.txt", "1"), ("b.txt", "2")]);
    catalog.news = News::default();
    tell_below(&mut catalog, Apply { run: "r1".into() }, "apply");
    tell_below(&mut catalog, Moved { step: step("a.txt", "Documents/a.txt", "1") }, "apply");
    let before = catalog.files.clone();
    tell(&mut catalog, renamed("a.txt", "Documents/a.txt", "1"));
    tell(&mut catalog, created("Documents/a.txt", "1"));
    assert_eq!((catalog.news, &catalog.files), (News::default(), &before));
    assert_eq!(catalog.runs[0].moved[0].now.as_deref(), Some("Documents/a.txt"));

    tell(&mut catalog, renamed("b.txt", "c.txt", "2"));
    assert_eq!(catalog.news, News { moved: 1, ..News::default() });
}

#[test]
fn a_filed_file_is_followed_where_its_owner_takes_it() {
    let mut catalog = catalog(&[("a.txt", "1")]);
    tell_below(&mut catalog, Apply { run: "r1".into() }, "apply");
    tell_below(&mut catalog, Moved { step: step("a.txt", "Documents/a.txt", "1") }, "apply");
    tell(&mut catalog, renamed("Documents/a.txt", "Documents/b.txt", "1"));
    assert_eq!(catalog.runs[0].moved[0].now.as_deref(), Some("Documents/b.txt"));
    tell(&mut catalog, removed("Documents/b.txt", "1"));
    assert_eq!(catalog.runs[0].moved[0].now, None);
}

#[test]
fn what_people_do_before_the_scan_meets_a_moved_file_is_understood() {
    let mut catalog = catalog(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]);
    tell_below(&mut catalog, Apply { run: "r1".into() }, "apply");
    for (name, content) in [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")] {
        let step = step(name, &format!("Other/{name}"), content);
        tell_below(&mut catalog, Moved { step }, "apply");
    }
    catalog.news = News::default();
    // The scan remembers the old places: moved on, thrown away, replaced at the old place, edited.
    tell(&mut catalog, renamed("a", "Other/kept", "1"));
    tell(&mut catalog, removed("b", "2"));
    let FileCreated { root, path, size, media_type, hash, modified } = created("c", "newcomer");
    tell(&mut catalog, FileChanged { root, path, size, media_type, hash, modified });
    tell(&mut catalog, created("Other/c", "3"));
    tell(&mut catalog, created("Other/d", "edited"));
    tell(&mut catalog, removed("d", "4"));
    assert_eq!(catalog.news, News { created: 1, changed: 1, moved: 1, removed: 1 });
    assert!(catalog.files.keys().eq(["Other/c", "Other/d", "Other/kept", "c"]));
    let now: Vec<Option<&str>> = catalog.runs[0].moved.iter().map(|filed| filed.now.as_deref()).collect();
    assert_eq!(now, [Some("Other/kept"), None, Some("Other/c"), Some("Other/d")]);
}

#[test]
fn a_move_back_belongs_to_no_run_and_an_undone_run_is_over() {
    let mut catalog = catalog(&[("a.txt", "1")]);
    tell_below(&mut catalog, Apply { run: "r1".into() }, "apply");
    tell_below(&mut catalog, Moved { step: step("a.txt", "Documents/a.txt", "1") }, "apply");
    tell_below(&mut catalog, Undone { runs: vec!["r1".into()] }, "undo");
    tell_below(&mut catalog, Moved { step: step("Documents/a.txt", "a.txt", "1") }, "undo");
    assert_eq!(catalog.runs.len(), 1);
    assert!(catalog.runs[0].undone);
    assert_eq!(catalog.files.keys().collect::<Vec<_>>(), ["a.txt"]);
}

#[test]
fn a_run_that_was_broken_off_is_known_until_it_is_over() {
    let mut catalog = catalog(&[("a.txt", "1")]);
    tell_below(&mut catalog, Apply { run: "r1".into() }, "apply");
    tell_below(&mut catalog, Moved { step: step("a.txt", "Documents/a.txt", "1") }, "apply");
    assert_eq!(catalog.unfinished.as_deref(), Some("r1"));
    tell(&mut catalog, Applied { run: "r0".into() });
    assert_eq!(catalog.unfinished.as_deref(), Some("r1"));
    tell(&mut catalog, Applied { run: "r1".into() });
    assert_eq!(catalog.unfinished, None);

    // What is put back is over as well.
    tell_below(&mut catalog, Apply { run: "r2".into() }, "second");
    tell_below(&mut catalog, Undone { runs: vec!["r2".into()] }, "undo");
    assert_eq!(catalog.unfinished, None);
}
