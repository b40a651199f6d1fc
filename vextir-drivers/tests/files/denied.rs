//! Where the system says no: files that cannot be read, watches that are exhausted.
//!
//! Root may read everything and has watches enough, so these tests run themselves again in a process of their
//! own: as a user without rights, or in a user namespace with limits of its own.

use crate::world::World;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;
use vextir_drivers::files::{FileUnreadable, FileWatch, Files};

/// Says to the child that it is one.
const INSIDE: &str = "VEXTIR_FILES_TEST_INSIDE";

/// Runs one test of this file in a child process that `wrap` prepares. True in the parent, once it is done.
fn in_child(test: &str, wrap: impl FnOnce(&std::path::Path) -> Command) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    // Where every user may run it and write.
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    let program = dir.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let mut command = wrap(&program);
    command
        .args([&format!("denied::{test}"), "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .env("TMPDIR", dir.path());
    let status = command.current_dir(dir.path()).status().unwrap();
    assert!(status.success(), "{test} failed in its own process");
    true
}

fn without_rights(program: &std::path::Path) -> Command {
    let mut command = Command::new(program);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
    command
}

/// Limits one of the user namespace's counters.
fn limited(counter: &str, limit: u32) -> impl FnOnce(&std::path::Path) -> Command {
    let script = format!("echo {limit} > /proc/sys/user/{counter} && exec \"$0\" \"$@\"");
    move |program| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", &script]).arg(program);
        command
    }
}

fn has_user_namespaces() -> bool {
    let probe = Command::new("unshare").args(["--user", "--map-root-user", "true"]).output();
    let works = probe.is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("SKIPPED: this machine has no user namespaces");
    }
    works
}

fn mode(world: &World, path: &str, mode: u32) {
    fs::set_permissions(world.path(path), Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_said_once_and_found_when_it_can() {
    if in_child("what_cannot_be_read_is_said_once_and_found_when_it_can", without_rights) {
        return;
    }
    let mut world = World::new(&[("a", "1"), ("dir/b", "2"), ("locked", "3"), ("shut/c", "4")]);
    mode(&world, "locked", 0o000);
    mode(&world, "shut", 0o000);
    world.start(Files::watch).await;
    let told = ["file.unreadable locked", "file.unreadable shut/"];
    world.expect(&[&["file.created a", "file.created dir/b", "file.scanned"][..], &told].concat()).await;

    // What was known stays known.
    mode(&world, "dir", 0o000);
    mode(&world, "a", 0o000);
    world.write("d", "the watch goes on");
    world.expect(&["file.created d", "file.unreadable a", "file.unreadable dir/"]).await;
    world.quiet().await;
    world.stop().await;

    // Said already, though this is another run.
    world.start(Files::watch).await;
    world.expect(&["file.scanned"]).await;
    world.quiet().await;

    mode(&world, "locked", 0o600);
    mode(&world, "shut", 0o700);
    world.expect(&["file.created locked", "file.created shut/c"]).await;
    mode(&world, "a", 0o600);
    mode(&world, "dir", 0o700);
    world.write("dir/b", "changed");
    world.expect(&["file.changed dir/b"]).await;
    world.quiet().await;

    // The root itself.
    mode(&world, "", 0o000);
    let denied: FileUnreadable = world.next_event().await.decode().unwrap();
    assert_eq!((denied.path.as_str(), denied.reason.as_str()), ("", "permission denied"));
    mode(&world, "", 0o700);
    world.write("e", "5");
    world.expect(&["file.created e"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_watches_folders_are_scanned_at_an_interval() {
    let limit = limited("max_inotify_watches", 3);
    if !has_user_namespaces() || in_child("without_watches_folders_are_scanned_at_an_interval", limit) {
        return;
    }
    let mut world = World::new(&[("1/a", "1"), ("2/b", "2"), ("3/c", "3"), ("4/d", "4")]);
    world.start(|dir| Files::watch(dir).poll_every(Duration::from_millis(100))).await;
    let mut watch = None;
    let mut created = 0;
    while watch.is_none() || created < 4 {
        let event = world.next_event().await;
        created += usize::from(event.event_type == "file.created");
        watch = event.decode::<FileWatch>().ok().or(watch);
    }
    let reason = watch.unwrap().reason;
    assert!(reason.contains("max_user_watches"), "{reason}");
    world.write("4/d", "changed");
    world.expect(&["file.changed 4/d"]).await;
    world.write("5/e", "5");
    world.expect(&["file.created 5/e"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_watchers_folders_are_scanned_at_an_interval_until_there_are_some() {
    let test = "without_watchers_folders_are_scanned_at_an_interval_until_there_are_some";
    if !has_user_namespaces() || in_child(test, limited("max_inotify_instances", 1)) {
        return;
    }
    let taken = notify::recommended_watcher(|_| {}).unwrap();
    let mut world = World::new(&[("a", "1")]);
    let often = |dir| {
        Files::watch(dir).poll_every(Duration::from_millis(100)).rescan_every(Duration::from_millis(700))
    };
    world.start(often).await;
    world.expect(&["file.watch interval", "file.created a", "file.scanned"]).await;
    world.write("a", "changed");
    world.expect(&["file.changed a"]).await;
    drop(taken);
    world.expect(&["file.watch notified"]).await;
    world.write("a", "again");
    world.expect(&["file.changed a"]).await;
}
