use super::*;
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    dir
}

fn named(path: &str, mode: Option<u32>) -> Folder {
    Folder { path: path.into(), mode }
}

/// The intent to move a file as it is now.
fn intent(dir: &TempDir, from: &str, to: &str) -> Move {
    let path = dir.path().join(from);
    let found = fs::metadata(&path).unwrap();
    let since = found.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    Move {
        from: from.into(),
        to: to.into(),
        size: found.len(),
        modified: Timestamp::UNSET.after(since),
        hash: hash(&path).unwrap(),
        make: Vec::new(),
        leave: Vec::new(),
    }
}

fn read(dir: &TempDir, path: &str) -> String {
    fs::read_to_string(dir.path().join(path)).unwrap()
}

#[test]
fn a_move_that_is_repeated_has_happened_once() {
    let dir = folder(&[("a", "1")]);
    let step = intent(&dir, "a", "x/y/b");
    for _ in 0..3 {
        assert_eq!(perform(dir.path(), &step), Ok(()));
        assert_eq!(read(&dir, "x/y/b"), "1");
        assert!(!dir.path().join("a").exists());
    }
}

#[test]
fn nothing_is_overwritten() {
    let dir = folder(&[("a", "1"), ("b", "2")]);
    let step = intent(&dir, "a", "b");
    assert_eq!(perform(dir.path(), &step).unwrap_err(), "another file has taken its place");
    // Not even by the file's own twin.
    fs::write(dir.path().join("b"), "1").unwrap();
    assert!(perform(dir.path(), &step).is_err());
    assert_eq!((read(&dir, "a"), read(&dir, "b")), ("1".into(), "1".into()));
}

#[test]
fn what_somebody_changed_or_took_away_stays_so() {
    let dir = folder(&[("a", "1"), ("c", "3")]);
    let (changed, gone) = (intent(&dir, "a", "x/b"), intent(&dir, "c", "x/d"));
    fs::write(dir.path().join("a"), "changed").unwrap();
    fs::remove_file(dir.path().join("c")).unwrap();
    assert_eq!(perform(dir.path(), &changed).unwrap_err(), "it was changed since it was looked at");
    assert_eq!(perform(dir.path(), &gone).unwrap_err(), "it is not there any more");
    // A file with the name of the target, and other content, is not ours.
    fs::create_dir(dir.path().join("x")).unwrap();
    fs::write(dir.path().join("x/d"), "4").unwrap();
    assert!(perform(dir.path(), &gone).is_err());
}

#[cfg(unix)]
#[test]
fn folders_come_and_go_with_their_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder(&[("p/q/a", "1"), ("p/keep", "2")]);
    fs::set_permissions(dir.path().join("p/q"), fs::Permissions::from_mode(0o700)).unwrap();
    let (p, q) = (named("p", Some(0o755)), named("p/q", Some(0o700)));
    let there = Move {
        make: vec![named("x", None), named("x/y", None)],
        leave: vec![q.clone(), p.clone()],
        ..intent(&dir, "p/q/a", "x/y/a")
    };
    perform(dir.path(), &there).unwrap();
    assert!(!dir.path().join("p/q").exists() && dir.path().join("p/keep").exists());
    let back = Move {
        make: vec![p, q],
        leave: vec![named("x/y", None), named("x", None)],
        ..intent(&dir, "x/y/a", "p/q/a")
    };
    perform(dir.path(), &back).unwrap();
    assert!(!dir.path().join("x").exists());
    let mode = || fs::metadata(dir.path().join("p/q")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o700);
    // Killed after the folder was made, and before it was private.
    fs::set_permissions(dir.path().join("p/q"), fs::Permissions::from_mode(0o755)).unwrap();
    make(dir.path(), &dir.path().join("p/q/b"), &[named("p/q", Some(0o700))]).unwrap();
    assert_eq!(mode(), 0o700);

    // A move that does not happen leaves no new folder behind.
    let made = Move { make: vec![named("z", None)], ..intent(&dir, "p/q/a", "z/a") };
    fs::write(dir.path().join("p/q/a"), "other").unwrap();
    assert!(perform(dir.path(), &made).is_err());
    assert!(!dir.path().join("z").exists());
}

#[test]
fn who_was_killed_while_removing_folders_goes_on() {
    let dir = folder(&[("p/q/a", "1")]);
    let step = Move { leave: vec![named("p/q", None), named("p", None)], ..intent(&dir, "p/q/a", "b") };
    fs::rename(dir.path().join("p/q/a"), dir.path().join("b")).unwrap();
    fs::remove_dir(dir.path().join("p/q")).unwrap();
    perform(dir.path(), &step).unwrap();
    assert!(!dir.path().join("p").exists());
}

#[test]
fn moves_into_and_out_of_one_folder_do_not_trip_each_other_up() {
    let dir = folder(&[("shared/out", "1"), ("in", "2")]);
    for _ in 0..200 {
        let out = Move { leave: vec![named("shared", None)], ..intent(&dir, "shared/out", "elsewhere/out") };
        let inward = intent(&dir, "in", "shared/in");
        std::thread::scope(|scope| {
            scope.spawn(|| perform(dir.path(), &out).unwrap());
            scope.spawn(|| perform(dir.path(), &inward).unwrap());
        });
        perform(dir.path(), &intent(&dir, "elsewhere/out", "shared/out")).unwrap();
        perform(dir.path(), &intent(&dir, "shared/in", "in")).unwrap();
    }
}

#[test]
fn without_the_system_call_a_second_name_does() {
    let dir = folder(&[("a", "1"), ("b", "2")]);
    let path = |name: &str| dir.path().join(name);
    assert!(link_and_unlink(&path("a"), &path("b")).is_err());
    link_and_unlink(&path("a"), &path("c")).unwrap();
    assert_eq!((read(&dir, "b"), read(&dir, "c")), ("2".into(), "1".into()));
    // Killed between the two steps.
    fs::hard_link(path("c"), path("d")).unwrap();
    #[cfg(unix)]
    link_and_unlink(&path("c"), &path("d")).unwrap();
    #[cfg(unix)]
    assert!(!path("c").exists());
}
