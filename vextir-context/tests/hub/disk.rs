//! A disk that is really full, and not a limit of ours.

use crate::full::fill;
use crate::{append, large, page, reopen, routed};
use std::path::Path;
use std::process::Command;
use vextir_context::Hub;
use vextir_core::EventBus;

/// Tells this test that it is on the small disk.
const DISK: &str = "VEXTIR_TEST_SMALL_DISK";

/// The disk is a file system of 2 MiB that only a child of this process sees.
#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    if let Some(disk) = std::env::var_os(DISK) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(fill_the_disk(Path::new(&disk)));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new("unshare");
    child.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    child.arg("mount -t tmpfs -o size=2m none \"$0\" && exec \"$@\"").arg(folder.path());
    child.arg(std::env::current_exe().unwrap());
    child.args(["--exact", "disk::a_full_disk_refuses_and_loses_nothing", "--nocapture"]);
    let said = match child.env(DISK, folder.path()).output() {
        Ok(output) => [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()),
        Err(error) => [String::new(), error.to_string()],
    };
    if said[0].contains("running 1 test") {
        assert!(said[0].contains("1 passed"), "{}\n{}", said[0], said[1]);
    } else {
        eprintln!("SKIPPED: no small disk can be made here, so a full one was not tried: {}", said[1]);
    }
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
