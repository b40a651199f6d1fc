//! The process is killed in the middle of house-keeping: nothing is half, and the next one goes on.
//!
//! The parent starts this test program again as a child, which does one piece of house-keeping over and over, and
//! kills it after a while.

use crate::{DAY, text};
use std::fs;
use std::ops::ControlFlow::Continue;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vextir_context::{Hub, ImportRights, Synchronous};
use vextir_core::context::Keep;
use vextir_core::{ErrorKind, ManualClock};

const FOLDER: &str = "VEXTIR_KEEP_FOLDER";
const WORK: &str = "VEXTIR_KEEP_WORK";

/// How often the child is killed for each kind of work.
const KILLS: u64 = 6;

fn open(folder: &Path, days: u32) -> Hub {
    let clock = ManualClock::at("2025-06-15T00:00:00Z").unwrap();
    clock.advance(DAY * days);
    let builder = Hub::builder(folder.join("hub.db")).synchronous(Synchronous::Normal);
    builder.clock(Arc::new(clock)).open().unwrap()
}

/// The child: it works until it is killed.
#[tokio::test]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(std::path::PathBuf::from) else { return };
    let work = std::env::var(WORK).unwrap();
    let hub = open(&folder, if work == "tidy" { 2_000 } else { 200 });
    fs::write(folder.join("begun"), "").unwrap();
    match work.as_str() {
        "tidy" => {
            hub.tidy().await.unwrap();
        }
        "import" => {
            hub.import(folder.join("export"), "eve", ImportRights::LeaveOut).await.unwrap();
        }
        _ => loop {
            hub.backup(folder.join("copy.db"), |_| Continue(())).await.unwrap();
            fs::remove_file(folder.join("copy.db")).unwrap();
        },
    }
    fs::write(folder.join("done"), "").unwrap();
}

/// Runs the child and kills it so long after it began; whether it had done its work.
fn kill(folder: &Path, work: &str, after: Duration) -> bool {
    let _ = fs::remove_file(folder.join("begun"));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kills::child", "--exact"])
        .env(FOLDER, folder)
        .env(WORK, work)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !folder.join("begun").exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(folder.join("begun").exists(), "{work} did not begin");
    std::thread::sleep(after);
    if let Some(status) = child.try_wait().unwrap() {
        assert!(status.success(), "{work} failed by itself: {status}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(folder.join("done")).is_ok()
}

#[tokio::test]
async fn a_kill_leaves_nothing_half() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let hub = open(folder, 0);
    let ann = hub.context("ann");
    for number in 0..150 {
        ann.write(&format!("/old/{}/{number}", number % 5), "x".repeat(3_000)).await.unwrap();
        ann.append(&format!("/long/{}", number % 10), format!("{number}\n")).await.unwrap();
    }
    ann.keep("/long", Keep::new().versions(DAY)).await.unwrap();
    hub.export("ann", folder.join("export")).await.unwrap();
    ann.remove("/old").await.unwrap();
    hub.close().await.unwrap();

    for work in ["backup", "import", "tidy"] {
        let mut cut = 0;
        for round in 0..KILLS {
            let done = kill(folder, work, Duration::from_millis(3 + 9 * round));
            cut += u32::from(!done);
            let hub = open(folder, 200);
            assert_eq!(hub.check().await.unwrap(), [] as [&str; 0], "{work}");
            whole(&hub, work).await;
            if folder.join("copy.db").exists() {
                let copy = Hub::open(folder.join("copy.db")).unwrap();
                assert_eq!(copy.check().await.unwrap(), [] as [&str; 0]);
                assert_eq!(text(&copy.context("ann"), "/long/9").await.lines().count(), 15);
                drop(copy);
                fs::remove_file(folder.join("copy.db")).unwrap();
            }
            for rest in ["", "-journal", "-wal", "-shm"] {
                let _ = fs::remove_file(folder.join(format!("copy.db.part{rest}")));
            }
        }
        assert!(cut > 0, "{work} was never cut off");
    }
    // And then it is done.
    let hub = open(folder, 2_000);
    hub.context("ann").write("/head", "x").await.unwrap();
    hub.tidy().await.unwrap();
    hub.import(folder.join("export"), "eve", ImportRights::LeaveOut).await.unwrap();
    let ann = hub.context("ann");
    assert_eq!(ann.restore("/old").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(ann.at_version(3).read("/long/3").await.unwrap_err().kind(), ErrorKind::Gap);
    assert_eq!(text(&hub.context("eve"), "/old/4/149").await.len(), 3_000);
    assert_eq!(hub.check().await.unwrap(), [] as [&str; 0]);
}

/// What may be there is there whole.
async fn whole(hub: &Hub, work: &str) {
    let (ann, eve) = (hub.context("ann"), hub.context("eve"));
    for number in 0..10 {
        let long = ann.read(&format!("/long/{number}")).await.unwrap().unwrap();
        assert_eq!(long.content.to_text().lines().count(), 15);
        for version in 1..=15 {
            match ann.at_version(version).read(&format!("/long/{number}")).await {
                Ok(then) => {
                    let lines = then.unwrap().content.to_text().lines().count();
                    assert_eq!(lines as u64, version);
                }
                Err(error) => assert_eq!((error.kind(), work), (ErrorKind::Gap, "tidy"), "{error}"),
            }
        }
    }
    for folder in 0..5 {
        for item in eve.list(&format!("/old/{folder}")).await.unwrap() {
            assert_eq!(text(&eve, &item.path).await.len(), 3_000);
        }
    }
    // What is being purged cannot be restored in part.
    if let (Ok(()), true) = (ann.restore("/old").await, work == "tidy") {
        for folder in 0..5 {
            assert_eq!(ann.list(&format!("/old/{folder}")).await.unwrap().len(), 30);
        }
        ann.remove("/old").await.unwrap();
    } else if work != "tidy" {
        ann.remove("/old").await.unwrap();
    }
}
