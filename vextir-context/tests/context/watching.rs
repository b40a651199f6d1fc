//! Watches: in commit order, resumable, and never silently lossy.

use crate::hub;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::context::{Changed, Deed, Watch};
use vextir_core::{ErrorKind, Level};

async fn next(watch: &mut Watch) -> Changed {
    tokio::time::timeout(Duration::from_secs(5), watch.next()).await.unwrap().unwrap().unwrap()
}

async fn nothing(watch: &mut Watch) {
    let waited = tokio::time::timeout(Duration::from_millis(30), watch.next()).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test]
async fn every_deed_is_told_in_order() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/before", "x").await.unwrap();
    let (mut all, mut some) = (ann.watch("/").await.unwrap(), ann.watch("/a").await.unwrap());
    ann.write("/a/b", "x").await.unwrap();
    ann.append("/a/b", "y").await.unwrap();
    ann.move_to("/a/b", "/c").await.unwrap();
    ann.remove("/c").await.unwrap();
    ann.restore("/c").await.unwrap();
    ann.set_guide("/a", "g").await.unwrap();
    ann.write("/ab", "not within /a").await.unwrap();
    let mut told = Vec::new();
    for _ in 0..8 {
        let Changed { path, what, version, .. } = next(&mut all).await;
        told.push((path, what, version));
    }
    // A path is told as it is now: the document moved meanwhile.
    let expected = [
        ("/a", Deed::Created, 0),
        ("/c", Deed::Created, 1),
        ("/c", Deed::Written, 2),
        ("/c", Deed::Moved, 0),
        ("/c", Deed::Removed, 0),
        ("/c", Deed::Restored, 0),
        ("/a", Deed::Guided, 1),
        ("/ab", Deed::Created, 1),
    ];
    assert_eq!(told, expected.map(|(path, what, version)| (path.to_owned(), what, version)));
    let deeds = [next(&mut some).await, next(&mut some).await, next(&mut some).await].map(|seen| seen.what);
    assert_eq!(deeds, [Deed::Created, Deed::Moved, Deed::Guided], "what left is told once");
    nothing(&mut some).await;
    nothing(&mut all).await;
}

#[tokio::test]
async fn a_watch_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    let mut watch = ann.watch("/").await.unwrap();
    for number in 0..5 {
        ann.write(&format!("/{number}"), "x").await.unwrap();
    }
    assert_eq!(next(&mut watch).await.path, "/0");
    assert_eq!(next(&mut watch).await.path, "/1");
    let cursor = watch.cursor();
    drop((watch, ann));
    hub.close().await.unwrap();

    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    let mut watch = ann.watch_from("/", &cursor.to_string().parse().unwrap()).await.unwrap();
    for path in ["/2", "/3", "/4"] {
        assert_eq!(next(&mut watch).await.path, path);
    }
    nothing(&mut watch).await;
    let other = crate::hub();
    let refused = other.context("ann").watch_from("/", &cursor).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
}

#[tokio::test]
async fn rights_decide_what_is_told() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/x", "x").await.unwrap();
    let (mut watch, mut own) = (bob.watch("/Shared").await.unwrap(), bob.watch("/Team").await.unwrap());
    ann.write("/Team/x", "unseen").await.unwrap();
    nothing(&mut watch).await;
    ann.grant("/Team", "bob", Level::Read).await.unwrap();
    let granted = next(&mut watch).await;
    assert_eq!((granted.path.as_str(), granted.what), ("/Shared/ann/Team", Deed::Granted));
    ann.write("/Team/x", "seen").await.unwrap();
    let seen = next(&mut watch).await;
    assert_eq!((seen.path.as_str(), seen.by.user.as_str()), ("/Shared/ann/Team/x", "ann"));
    ann.revoke("/Team", "bob").await.unwrap();
    ann.write("/Team/x", "unseen again").await.unwrap();
    let gone = next(&mut watch).await;
    assert_eq!((gone.path.as_str(), gone.what), ("/Shared/ann/Team", Deed::Removed));
    nothing(&mut watch).await;
    nothing(&mut own).await;
}

#[tokio::test]
async fn a_slow_watch_misses_nothing() {
    let hub = hub();
    let ann = hub.context("ann");
    let mut watch = ann.watch("/").await.unwrap();
    for number in 0..700 {
        ann.write("/counter", format!("{number}")).await.unwrap();
    }
    for version in 1..=700 {
        assert_eq!(next(&mut watch).await.version, version);
    }
}

#[tokio::test]
async fn who_comes_too_late_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::open(&file).unwrap();
    let watch = hub.context("ann").watch("/").await.unwrap();
    let cursor = watch.cursor();
    drop(watch);
    for number in 0..5 {
        hub.context("ann").write(&format!("/{number}"), "x").await.unwrap();
    }
    hub.close().await.unwrap();
    let tables = rusqlite::Connection::open(&file).unwrap();
    tables
        .execute_batch("INSERT INTO meta VALUES ('changes_trimmed', 3); DELETE FROM change WHERE seq <= 3")
        .unwrap();
    drop(tables);
    let hub = Hub::open(&file).unwrap();
    let mut watch = hub.context("ann").watch_from("/", &cursor).await.unwrap();
    for _ in 0..2 {
        assert_eq!(watch.next().await.unwrap().unwrap_err().kind(), ErrorKind::Gap, "and again");
    }
    let mut again = hub.context("ann").watch_from("/", &watch.cursor()).await.unwrap();
    assert_eq!(again.next().await.unwrap().unwrap_err().kind(), ErrorKind::Gap, "nothing was skipped");
}
