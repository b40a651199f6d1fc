//! A disk that is really full, and not a limit of ours.

use crate::full::fill;
use crate::{append, large, page, reopen, routed};
use std::path::Path;
use std::process::Command;
use vextir_context::Hub;
use vextir_core::EventBus;

/// Tells this test that it is on the small disk.
const DISK: &str = "VEXTIR_TEST_SMALL_DISK";

/// With the value `required`, a machine on which no small disk can be made fails this test.
const REQUIRED: &str = "VEXTIR_SMALL_DISK";

/// Mounts the small disk at the first argument, and runs the others.
const MOUNT: &str = "mount -t tmpfs -o size=2m none \"$0\" && exec \"$@\"";

/// In a mount namespace of its own, with the rights to mount there.
fn apart(disk: &Path) -> Command {
    let mut child = Command::new("unshare");
    child.args(["--user", "--map-root-user", "--mount", "sh", "-c", MOUNT]).arg(disk);
    child
}

/// Whether this machine lets its users make file systems of their own; tried without anything of this test.
fn can_make_disks(place: &Path) -> Result<(), String> {
    let mut bare = Command::new("unshare");
    bare.args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none"]).arg(place);
    match bare.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The disk is a file system of 2 MiB that only a child of this process sees.
#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    if let Some(disk) = std::env::var_os(DISK) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(fill_the_disk(Path::new(&disk)));
    }
    let folder = tempfile::tempdir().unwrap();
    if let Err(reason) = can_make_disks(folder.path()) {
        assert!(std::env::var(REQUIRED).as_deref() != Ok("required"), "no small disk can be made: {reason}");
        return eprintln!("SKIPPED: no small disk can be made here, so a full one was not tried: {reason}");
    }
    let mut child = apart(folder.path());
    child.arg(std::env::current_exe().unwrap());
    child.args(["--exact", "disk::a_full_disk_refuses_and_loses_nothing", "--nocapture"]);
    let output = child.env(DISK, folder.path()).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(out.contains("running 1 test") && out.contains("1 passed"), "{out}\n{err}");
}

async fn fill_the_disk(disk: &Path) {
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![1; 512 << 10]).unwrap();
    let hub = Hub::open(disk.join("hub.db")).unwrap();
    let taken = fill(&hub).await;
    assert!(taken > 10, "{taken}");
    let taken = taken + fill(&hub).await;
    assert_eq!((page(&hub).await.len(), hub.status().borrow().open), (taken, taken));

    std::fs::remove_file(ballast).unwrap();
    append(&hub, vec![routed(large(10_000), "one")]).await;
    let hub = reopen(hub, disk).await;
    assert_eq!((page(&hub).await.len(), hub.status().borrow().open), (taken + 1, taken + 1));
}
