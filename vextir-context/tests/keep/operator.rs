//! What the operator asks of a whole hub: its size, its health, a copy of it.

use crate::{DAY, hub, refused, text};
use std::fs;
use std::ops::ControlFlow::{Break, Continue};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vextir_context::{Hub, Progress};
use vextir_core::{ErrorKind, Event, EventBusExt};

fn noise(seed: u64, length: usize) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.alphanumeric()).take(length).collect()
}

async fn filled(path: &std::path::Path, documents: u64) -> Hub {
    let hub = Hub::open(path).unwrap();
    for number in 0..documents {
        hub.context("ann").write(&format!("/f/{number}"), noise(number, 20_000)).await.unwrap();
    }
    hub
}

#[tokio::test]
async fn the_size_is_told_by_kind() {
    let (hub, _) = hub();
    let empty = hub.stats().await.unwrap();
    assert_eq!((empty.events.count, empty.documents.count, empty.history.count), (0, 0, 0));
    hub.context("ann").write("/a", noise(1, 100_000)).await.unwrap();
    hub.context("ann").append("/a", "x").await.unwrap();
    hub.emit(Event::new("a.b")).await.unwrap();
    // The index grows no more between the two looks at it.
    hub.context("ann").search("x").fresh().await.unwrap();
    let stats = hub.stats().await.unwrap();
    assert_eq!((stats.events.count, stats.documents.count, stats.history.count), (1, 1, 2));
    assert!(stats.documents.bytes > 100_000 && stats.history.bytes > 100_000, "{stats:?}");
    assert!(stats.events.bytes > 0 && stats.events.bytes < 50_000, "{stats:?}");
    let size = hub.size().await.unwrap();
    let kinds =
        [stats.events, stats.work, stats.documents, stats.history, stats.search, stats.graph, stats.other];
    let sum: u64 = kinds.iter().map(|part| part.bytes).sum();
    assert!(sum <= size.used && sum > size.used * 9 / 10, "{stats:?} {size:?}");
}

#[tokio::test]
async fn a_copy_is_made_while_others_write_and_opens_as_a_hub() {
    let folder = tempfile::tempdir().unwrap();
    let hub = filled(&folder.path().join("hub.db"), 200).await;
    let seen = Arc::new(Mutex::new(Vec::<Progress>::new()));
    let (writer, steps) = (hub.clone(), seen.clone());
    let written = Arc::new(AtomicU64::new(0));
    let count = written.clone();
    let writing = tokio::spawn(async move {
        loop {
            let number = count.fetch_add(1, Ordering::Relaxed);
            writer.context("ann").write("/busy", format!("{number}")).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let copy = folder.path().join("copy.db");
    hub.backup(&copy, move |progress| {
        steps.lock().unwrap().push(progress);
        std::thread::sleep(Duration::from_millis(10));
        Continue(())
    })
    .await
    .unwrap();
    assert!(written.load(Ordering::Relaxed) > 5, "others write meanwhile");
    writing.abort();
    let seen = seen.lock().unwrap().clone();
    assert!(seen.len() > 3 && seen.is_sorted_by_key(|progress| progress.done), "{seen:?}");
    assert_eq!(seen.last().map(|last| last.done), seen.last().map(|last| last.total));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("part")), "{left:?}");

    refused(hub.backup(&copy, |_| Continue(())).await, ErrorKind::Conflict, "another path");
    let restored = Hub::open(&copy).unwrap();
    assert_eq!(restored.check().await.unwrap(), [] as [&str; 0]);
    assert_eq!(text(&restored.context("ann"), "/f/199").await, noise(199, 20_000));
    // What was seen of the one says nothing about the other.
    let cursor = hub.context("ann").watch("/").await.unwrap().cursor();
    assert!(restored.context("ann").watch_from("/", &cursor).await.is_err());
}

#[tokio::test]
async fn a_copy_that_is_cut_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let hub = filled(&folder.path().join("hub.db"), 100).await;
    let copies = folder.path().join("copies");
    fs::create_dir(&copies).unwrap();
    let copy = copies.join("copy.db");
    refused(hub.backup(&copy, |_| Break(())).await, ErrorKind::Closed, "cut off");
    assert_eq!(fs::read_dir(&copies).unwrap().count(), 0);

    let slow = hub.backup(&copy, |_| {
        std::thread::sleep(Duration::from_millis(20));
        Continue(())
    });
    assert!(tokio::time::timeout(Duration::from_millis(30), slow).await.is_err());
    let began = Instant::now();
    while fs::read_dir(&copies).unwrap().count() > 0 {
        assert!(began.elapsed() < Duration::from_secs(5), "it goes on though nobody waits");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // What a crash left is not overwritten unseen.
    fs::write(copies.join("copy.db.part"), "rest").unwrap();
    refused(hub.backup(&copy, |_| Continue(())).await, ErrorKind::Conflict, "remove it");
    fs::remove_file(copies.join("copy.db.part")).unwrap();
    refused(hub.backup(folder.path().join("no/copy"), |_| Continue(())).await, ErrorKind::NotFound, "folder");
    hub.backup(&copy, |_| Continue(())).await.unwrap();

    // The hub closes at once, also with a copy under way.
    let other = copies.join("other.db");
    let (late, path) = (hub.clone(), other.clone());
    let copying = tokio::spawn(async move {
        let slow = |_| {
            std::thread::sleep(Duration::from_millis(20));
            Continue(())
        };
        late.backup(&path, slow).await
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    hub.close().await.unwrap();
    assert_eq!(copying.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(!other.exists());
    Hub::open(folder.path().join("hub.db")).unwrap();
}

#[tokio::test]
async fn a_hub_in_memory_can_be_copied_into_a_file() {
    let (hub, _) = hub();
    hub.context("ann").write("/a", "x").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    hub.backup(&copy, |_| Continue(())).await.unwrap();
    let restored = Hub::open(&copy).unwrap();
    assert_eq!(text(&restored.context("ann"), "/a").await, "x");
    assert_eq!(hub.check().await.unwrap(), [] as [&str; 0]);
}

#[tokio::test]
async fn what_is_purged_makes_the_file_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    filled(&path, 200).await.close().await.unwrap();
    let before = fs::metadata(&path).unwrap().len();
    let hub = Hub::builder(&path).keep_removed(Duration::ZERO).open().unwrap();
    hub.context("ann").remove("/f").await.unwrap();
    hub.context("ann").write("/head", "x").await.unwrap();
    assert_eq!(hub.tidy().await.unwrap().nodes, 201);
    assert!(hub.size().await.unwrap().free > 200 * 20_000);
    let seen = Arc::new(AtomicU64::new(0));
    let last = seen.clone();
    let given = hub
        .vacuum(move |progress| {
            last.store(progress.done, Ordering::Relaxed);
            Continue(())
        })
        .await
        .unwrap();
    assert_eq!((hub.size().await.unwrap().free, seen.load(Ordering::Relaxed)), (0, given));
    assert_eq!(hub.check().await.unwrap(), [] as [&str; 0]);
    hub.close().await.unwrap();
    assert!(fs::metadata(&path).unwrap().len() < before / 10);
}

#[tokio::test]
async fn a_round_holds_up_nobody_for_long() {
    let (hub, clock) = hub();
    let ann = hub.context("ann");
    for number in 0..400 {
        ann.write(&format!("/gone/{number}"), noise(number, 2_000)).await.unwrap();
    }
    for number in 0..100 {
        ann.append("/long", noise(number, 50)).await.unwrap();
    }
    ann.remove("/gone").await.unwrap();
    ann.keep("/", vextir_core::context::Keep::new().versions(DAY)).await.unwrap();
    clock.advance(100 * DAY);
    ann.write("/head", "x").await.unwrap();
    let (other, done) = (hub.clone(), Arc::new(AtomicU64::new(0)));
    let flag = done.clone();
    let tidying = tokio::spawn(async move {
        let tidied = other.tidy().await.unwrap();
        flag.store(1, Ordering::Relaxed);
        tidied
    });
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    while done.load(Ordering::Relaxed) == 0 {
        let emitted = Instant::now();
        hub.emit(Event::new("a.b")).await.unwrap();
        longest = longest.max(emitted.elapsed());
        tokio::task::yield_now().await;
    }
    let whole = begun.elapsed();
    let tidied = tidying.await.unwrap();
    assert_eq!(tidied.nodes, 401);
    assert!(tidied.changes >= 99, "{tidied:?}");
    // Each of them waited for one slice of it at most.
    assert!(longest * 4 < whole, "an emit waited {longest:?} of {whole:?}");
    assert_eq!(text(&ann, "/long").await.len(), 100 * 50);
}

#[tokio::test]
async fn a_document_whose_content_was_changed_behind_the_hub_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let hub = Hub::open(&path).unwrap();
    let long = noise(1, 100_000);
    for (name, content) in
        [("/f/long", long.as_str()), ("/f/short", "a plan of some words"), ("/f/well", "x")]
    {
        hub.context("ann").write(name, content).await.unwrap();
    }
    hub.context("ann").write("/f/json", serde_json::json!({"plan": "of some words"})).await.unwrap();
    assert_eq!(hub.check().await.unwrap(), [] as [&str; 0]);
    hub.close().await.unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    let changed = "UPDATE document SET content = replace(replace(content, 'words', 'wordz'), substr(?1, 1, 10), '0123456789')";
    file.execute(changed, [&long]).unwrap();
    drop(file);
    let hub = Hub::open(&path).unwrap();
    let found = hub.check().await.unwrap();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.iter().all(|line| line.starts_with("a document whose content is not")), "{found:?}");
    let ann = hub.context("ann");
    refused(ann.append("/f/short", "more").await, ErrorKind::Corrupt, "/f/short");
    refused(hub.export("ann", folder.path().join("out")).await, ErrorKind::Corrupt, "/f/");
    ann.append("/f/well", "y").await.unwrap();
}
