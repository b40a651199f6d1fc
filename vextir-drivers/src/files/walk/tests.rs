use super::*;
use std::fs;
use tempfile::TempDir;

fn folder(files: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    dir
}

fn rules(dir: &TempDir) -> Rules {
    let ignore = Ignore::new(false, &["*.tmp".into()]).unwrap();
    Rules { root: dir.path().to_owned(), recursive: true, follow_symlinks: false, ignore }
}

fn walk(rules: Rules, target: &str, after: Option<&str>) -> Vec<String> {
    let walk = Walk::new(Arc::new(rules), target, after).unwrap();
    walk.map(|seen| seen.path().to_owned()).collect()
}

#[test]
fn files_come_in_the_order_of_their_whole_paths() {
    let dir = folder(&["b", "a/x", "a!", "a0", "a/y/z", "a.txt", ".hidden/x", "a/.y", "x.tmp", "t.tmp/x"]);
    fs::create_dir(dir.path().join("empty")).unwrap();
    let paths = walk(rules(&dir), "", None);
    assert_eq!(paths, ["a!", "a.txt", "a/x", "a/y/z", "a0", "b"]);
    assert!(paths.is_sorted());
    assert_eq!(walk(Rules { recursive: false, ..rules(&dir) }, "", None), ["a!", "a.txt", "a0", "b"]);
}

#[test]
fn a_walk_goes_on_after_any_path() {
    let dir = folder(&["b", "a/x", "a!", "a0", "a/y/z", "a/y/a", "c/d/e"]);
    let all = walk(rules(&dir), "", None);
    for (index, path) in all.iter().enumerate() {
        assert_eq!(walk(rules(&dir), "", Some(path)), all[index + 1..], "after {path}");
    }
    assert_eq!(walk(rules(&dir), "", Some("a/y/b")), ["a/y/z", "a0", "b", "c/d/e"]);
}

#[test]
fn a_target_is_walked_alone() {
    let dir = folder(&["b", "a/x", "a!", "a/y/z", ".git/x", "x.tmp"]);
    assert_eq!(walk(rules(&dir), "a", None), ["a/x", "a/y/z"]);
    assert_eq!(walk(rules(&dir), "a/y", None), ["a/y/z"]);
    assert_eq!(walk(rules(&dir), "b", None), ["b"]);
    for nothing in ["c", "a/c", "b/c", ".git", ".git/x", "x.tmp"] {
        assert_eq!(walk(rules(&dir), nothing, None), [""; 0], "{nothing}");
    }
    let flat = || Rules { recursive: false, ..rules(&dir) };
    assert_eq!(walk(flat(), "a", None), [""; 0]);
    assert_eq!(walk(flat(), "a/x", None), [""; 0]);
}

#[test]
fn a_root_that_is_gone_or_a_file_holds_nothing() {
    let dir = folder(&["a"]);
    assert_eq!(walk(Rules { root: dir.path().join("b"), ..rules(&dir) }, "", None), [""; 0]);
    assert_eq!(walk(Rules { root: dir.path().join("a"), ..rules(&dir) }, "", None), [""; 0]);
}

#[test]
fn folders_that_are_too_deep_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let mut path = dir.path().to_owned();
    for _ in 0..MAX_DEPTH + 5 {
        path.push("d");
        fs::create_dir(&path).unwrap();
    }
    fs::write(path.join("f"), "x").unwrap();
    let seen: Vec<Seen> = Walk::new(Arc::new(rules(&dir)), "", None).unwrap().collect();
    let [Seen::BlockedFolder(path, reason)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(path.matches('/').count(), MAX_DEPTH);
    assert!(reason.contains("more than 200 folders"), "{reason}");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    #[test]
    fn names_that_are_not_utf_8_are_met_and_found_again() {
        let dir = folder(&["plain"]);
        let odd = dir.path().join(OsStr::from_bytes(b"d\xff"));
        fs::create_dir(&odd).unwrap();
        fs::write(odd.join(OsStr::from_bytes(b"f\n\\\xe9")), "x").unwrap();
        let paths = walk(rules(&dir), "", None);
        assert_eq!(paths, [r"d\xff/f\x0a\\\xe9", "plain"]);
        assert_eq!(walk(rules(&dir), r"d\xff", None), paths[..1]);
        assert_eq!(walk(rules(&dir), &paths[0], None), paths[..1]);
        assert!(name::below(dir.path(), &paths[0]).unwrap().is_file());
    }

    #[test]
    fn links_and_sockets_are_passed_over() {
        let dir = folder(&["a/x"]);
        symlink(dir.path().join("a"), dir.path().join("link")).unwrap();
        symlink("a/x", dir.path().join("file")).unwrap();
        let _socket = UnixListener::bind(dir.path().join("socket")).unwrap();
        assert_eq!(walk(rules(&dir), "", None), ["a/x"]);
        assert_eq!(walk(rules(&dir), "link", None), [""; 0]);
        assert_eq!(walk(rules(&dir), "link/x", None), [""; 0]);
    }

    #[test]
    fn followed_links_bring_in_what_is_outside_once_and_never_loop() {
        let dir = folder(&["a/x"]);
        let outside = folder(&["o/y", "o/p/z"]);
        let link = |target: &Path, name: &str| symlink(target, dir.path().join(name)).unwrap();
        link(dir.path(), "a/self");
        link(&dir.path().join("a"), "b");
        link(dir.path().parent().unwrap(), "up");
        link(Path::new("nowhere"), "dead");
        link(Path::new("ring"), "ring");
        link(&outside.path().join("o"), "o1");
        link(&outside.path().join("o"), "o2");
        link(&outside.path().join("o/y"), "y");
        symlink(outside.path(), outside.path().join("o/p/round")).unwrap();
        let rules = || Rules { follow_symlinks: true, ..rules(&dir) };
        assert_eq!(
            walk(rules(), "", None),
            ["a/x", "o1/p/round/o/p/z", "o1/p/round/o/y", "o1/p/z", "o1/y", "y"]
        );
    }
}
