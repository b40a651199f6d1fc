//! Folders that change while they are watched, and while they are not.

use crate::world::World;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::time::Duration;
use vextir_drivers::files::{FileChanged, FileCreated, FileScanned, Files};

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_as_they_happen() {
    let mut world = World::new(&[("a", "1"), ("b/c", "2")]);
    world.start(Files::watch).await;
    world.expect(&["file.created a", "file.created b/c", "file.scanned"]).await;

    world.write("new", "3");
    world.expect(&["file.created new"]).await;
    world.write("a", "other");
    world.expect(&["file.changed a"]).await;
    world.rename("a", "b/a");
    world.expect(&["file.moved a -> b/a"]).await;
    world.rename("b", "d");
    world.expect(&["file.moved b/a -> d/a", "file.moved b/c -> d/c"]).await;
    world.write("d/c", "in the renamed folder");
    world.expect(&["file.changed d/c"]).await;
    fs::remove_file(world.path("d/a")).unwrap();
    world.expect(&["file.removed d/a"]).await;
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_appear_are_watched_as_deep_as_they_go() {
    let mut world = World::new(&[]);
    world.start(Files::watch).await;
    world.expect(&["file.scanned"]).await;
    world.write("x/y/z/one", "1");
    world.expect(&["file.created x/y/z/one"]).await;
    world.write("x/y/z/two", "2");
    world.expect(&["file.created x/y/z/two"]).await;
    fs::remove_dir_all(world.path("x/y")).unwrap();
    world.expect(&["file.removed x/y/z/one", "file.removed x/y/z/two"]).await;
    world.write("x/y/z/one", "1");
    world.expect(&["file.created x/y/z/one"]).await;
    world.write("x/y/z/one", "2");
    world.expect(&["file.changed x/y/z/one"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_finds_what_changed_meanwhile_and_says_nothing_twice() {
    let mut world = World::new(&[("a", "1"), ("b", "2"), ("c", "3")]);
    world.start(Files::watch).await;
    world.expect(&["file.created a", "file.created b", "file.created c", "file.scanned"]).await;
    world.stop().await;

    world.write("a", "changed");
    world.rename("b", "moved");
    fs::remove_file(world.path("c")).unwrap();
    world.write("d", "4");
    world.start(Files::watch).await;
    let changes = ["file.changed a", "file.created d", "file.moved b -> moved", "file.removed c"];
    world.expect(&[&changes[..], &["file.scanned"]].concat()).await;

    // The process dies instead of stopping.
    world.crash();
    world.write("e", "5");
    world.start(Files::watch).await;
    world.expect(&["file.created e", "file.scanned"]).await;
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_told_whole_and_once() {
    let mut world = World::new(&[]);
    world.start(Files::watch).await;
    world.expect(&["file.scanned"]).await;
    for number in 0..3_000 {
        world.write(&format!("d{}/e{}/f{number}", number % 11, number % 7), &number.to_string());
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    while seen.len() < 3_000 {
        let line = world.next().await;
        // A file may be met between its creation and its content.
        if !line.starts_with("file.changed") {
            assert!(line.starts_with("file.created"), "{line}");
            *seen.entry(line).or_default() += 1;
        }
    }
    assert!(seen.values().all(|count| *count == 1));
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_goes_away_and_comes_back() {
    let mut world = World::new(&[("a", "1"), ("b/c", "2")]);
    world.start(Files::watch).await;
    world.expect(&["file.created a", "file.created b/c", "file.scanned"]).await;
    fs::remove_dir_all(world.root()).unwrap();
    world.expect(&["file.removed a", "file.removed b/c", "file.watch missing"]).await;
    world.write("a", "1");
    world.expect(&["file.created a", "file.watch notified"]).await;
    world.write("b", "2");
    world.expect(&["file.created b"]).await;

    // Replaced at once, without a moment in which it is missing.
    fs::rename(world.root(), world.root().with_extension("old")).unwrap();
    world.write("a", "other");
    world.expect(&["file.changed a", "file.removed b"]).await;
    world.write("z", "3");
    world.expect(&["file.created z"]).await;

    // Missing at a restart: that is a change, not a mistake.
    world.stop().await;
    fs::remove_dir_all(world.root()).unwrap();
    world.start(Files::watch).await;
    world.expect(&["file.removed a", "file.removed z", "file.scanned", "file.watch missing"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_being_written_ends_with_its_last_content() {
    let mut world = World::new(&[]);
    world.start(|dir| Files::watch(dir).debounce(Duration::from_millis(20))).await;
    world.expect(&["file.scanned"]).await;
    let path = world.path("log");
    let writer = std::thread::spawn(move || {
        let mut file = fs::File::create(path).unwrap();
        for number in 0..400 {
            writeln!(file, "{number}").unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let mut size = None;
    while size != Some(1_490) {
        let event = world.next_event().await;
        size = event.decode::<FileCreated>().map(|file| file.size).ok().or(size);
        size = event.decode::<FileChanged>().map(|file| file.size).ok().or(size);
    }
    writer.join().unwrap();
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_notifications_scans_at_an_interval_find_the_same() {
    let mut world = World::new(&[("a", "1")]);
    world.start(|dir| Files::watch(dir).notifications(false).poll_every(Duration::from_millis(50))).await;
    world.expect(&["file.created a", "file.scanned"]).await;
    world.write("x/b", "2");
    world.expect(&["file.created x/b"]).await;
    fs::remove_dir_all(world.root()).unwrap();
    world.expect(&["file.removed a", "file.removed x/b", "file.watch missing"]).await;
    world.write("a", "1");
    world.expect(&["file.created a", "file.watch interval"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_scan_and_no_watch() {
    let mut world = World::new(&[("a", "1"), ("b/c", "22"), ("d.tmp", "3")]);
    world.start(|dir| Files::watch(dir).recursive(false).ignore("*.tmp").once()).await;
    assert_eq!(world.next().await, "file.created a");
    let scanned: FileScanned = world.next_event().await.decode().unwrap();
    assert_eq!((scanned.files, scanned.bytes, scanned.events, scanned.unreadable), (1, 1, 1, 0));
    world.write("e", "4");
    world.quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_roots_in_one_driver() {
    let mut world = World::new(&[("in/a", "1"), ("out/b", "2")]);
    world.start(|dir| Files::watch(dir.join("in")).and(dir.join("out"))).await;
    world.expect(&["file.created a", "file.created b", "file.scanned", "file.scanned"]).await;
    // From one root to the other is not within a root.
    world.rename("in/a", "out/a");
    world.expect(&["file.created a", "file.removed a"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_at_the_start() {
    let world = World::new(&[("file", "")]);
    let dir = world.root().to_owned();
    for (driver, expected) in [
        (Files::watch(dir.join("nowhere")), "nowhere: no such file or directory"),
        (Files::watch(dir.join("file")), "file: not a directory"),
        (Files::watch(&dir).ignore("a["), "ignore pattern \"a[\""),
        ((0..70).fold(Files::watch(&dir), |driver, _| driver.and(&dir)), "71 folders; at most 64"),
        (Files::watch(&dir).and(dir.join(".")), "watched twice"),
    ] {
        let error = world.try_start(driver).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_not_utf_8_lead_back_to_their_files() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let mut world = World::new(&[]);
    let name = OsStr::from_bytes(b"r\xe9sum\xe9 \\ 1\n.txt");
    fs::write(world.root().join(name), "x").unwrap();
    world.start(Files::watch).await;
    let created: FileCreated = world.next_event().await.decode().unwrap();
    assert_eq!(created.path, r"r\xe9sum\xe9 \\ 1\x0a.txt");
    assert_eq!(created.location().unwrap(), world.root().join(name));
    world.expect(&["file.scanned"]).await;
    fs::rename(world.root().join(name), world.path("plain")).unwrap();
    world.expect(&[r"file.moved r\xe9sum\xe9 \\ 1\x0a.txt -> plain"]).await;
    world.stop().await;
    world.start(Files::watch).await;
    world.expect(&["file.scanned"]).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn links_that_loop_and_pipes_hold_nobody_up() {
    use std::os::unix::fs::symlink;

    let mut world = World::new(&[("a/b/c", "1")]);
    symlink("../..", world.path("a/b/up")).unwrap();
    symlink("loop", world.path("loop")).unwrap();
    symlink("nowhere", world.path("dangling")).unwrap();
    symlink("a/b/c", world.path("file")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(world.path("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()));
    world.start(|dir| Files::watch(dir).follow_symlinks(true)).await;
    world.expect(&["file.created a/b/c", "file.created file", "file.scanned"]).await;
    world.write("a/b/c", "changed");
    world.expect(&["file.changed a/b/c", "file.changed file"]).await;
    world.stop().await;

    world.start(Files::watch).await;
    world.expect(&["file.removed file", "file.scanned"]).await;
}
