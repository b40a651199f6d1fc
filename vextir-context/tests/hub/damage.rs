//! Files that are refused, each with its remedy, and none of them touched.

use crate::{append, event, large, page, routed};
use rusqlite::Connection;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use vextir_context::Hub;
use vextir_core::{ErrorKind, EventBus, EventBusExt, EventFilter};

/// A hub's file, closed in order.
async fn sound() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let hub = Hub::open(&path).unwrap();
    append(&hub, vec![routed(event("a"), "one"), routed(large(100_000), "one")]).await;
    hub.close().await.unwrap();
    (folder, path)
}

/// Opening is refused, says a word, and leaves the file as it was.
#[track_caller]
fn refused(path: &Path, kind: ErrorKind, word: &str) {
    let before = fs::read(path).unwrap();
    let error = Hub::open(path).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(word) && text.contains("hub.db"), "{text}");
    assert!(before == fs::read(path).unwrap(), "the file was changed");
    assert!(!with(path, "-wal").exists(), "a write-ahead log was begun");
    // The refusal let go of the lock: the same again, not "locked".
    assert_eq!(Hub::open(path).unwrap_err().kind(), kind);
}

fn with(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}{ending}", path.display()))
}

#[tokio::test]
async fn a_text_is_no_database() {
    let (_folder, path) = sound().await;
    fs::write(&path, "Dear diary, ".repeat(1_000)).unwrap();
    refused(&path, ErrorKind::Corrupt, "restore a backup, or move the file away");
    fs::write(&path, "short").unwrap();
    refused(&path, ErrorKind::Corrupt, "cut off");
}

#[tokio::test]
async fn a_file_that_is_cut_off_is_refused() {
    let (_folder, path) = sound().await;
    let whole = fs::metadata(&path).unwrap().len();
    for left in [whole - 1, whole - 4_096, whole / 2, 4_096, 50] {
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(left).unwrap();
        refused(&path, ErrorKind::Corrupt, "cut off");
    }
}

#[tokio::test]
async fn a_file_with_a_broken_page_is_refused() {
    let (_folder, path) = sound().await;
    let pages = fs::metadata(&path).unwrap().len() / 4_096;
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for page in 2..pages {
        file.seek(SeekFrom::Start(page * 4_096)).unwrap();
        file.write_all(&[0xa5; 64]).unwrap();
    }
    refused(&path, ErrorKind::Corrupt, "damaged");
}

#[tokio::test]
async fn a_broken_page_is_found_after_an_unclean_stop_too() {
    let (folder, path) = sound().await;
    let hub = Hub::open(&path).unwrap();
    append(&hub, vec![routed(event("b"), "one")]).await;
    // As a crash leaves it: the file and its write-ahead log.
    let copy = folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    let copy = copy.join("hub.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(with(&path, "-wal"), with(&copy, "-wal")).unwrap();
    drop(hub);
    let sound = fs::read(&copy).unwrap();
    let mut broken = sound.clone();
    broken[8 * 4_096..].fill(0xa5);
    fs::write(&copy, &broken).unwrap();
    let error = Hub::open(&copy).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(broken == fs::read(&copy).unwrap() && with(&copy, "-wal").exists(), "nothing was folded");

    fs::write(&copy, &sound).unwrap();
    let hub = Hub::open(&copy).unwrap();
    assert_eq!(page(&hub).await.len(), 3, "and a sound one is recovered whole");
}

#[tokio::test]
async fn the_database_of_another_application_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')").unwrap();
    drop(other);
    refused(&path, ErrorKind::Invalid, "another application");
}

/// The other application died: its journal is for itself to roll back.
#[tokio::test]
async fn the_journal_of_another_application_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (dying, path) = (folder.path().join("dying.db"), folder.path().join("hub.db"));
    let other = Connection::open(&dying).unwrap();
    other.execute_batch("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')").unwrap();
    other
        .execute_batch(
            "PRAGMA cache_size = 1; BEGIN IMMEDIATE; WITH RECURSIVE n(i) AS
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO notes SELECT randomblob(4000) FROM n",
        )
        .unwrap();
    for ending in ["", "-journal"] {
        assert!(fs::copy(with(&dying, ending), with(&path, ending)).unwrap() > 0);
    }
    let journal = fs::read(with(&path, "-journal")).unwrap();
    refused(&path, ErrorKind::Invalid, "another application");
    assert!(journal == fs::read(with(&path, "-journal")).unwrap());
}

#[tokio::test]
async fn a_newer_file_is_refused() {
    let (_folder, path) = sound().await;
    let newer = Connection::open(&path).unwrap();
    newer.execute_batch("PRAGMA user_version = 1000").unwrap();
    newer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(newer);
    refused(&path, ErrorKind::Corrupt, "newer vextir-context");
}

#[tokio::test]
async fn a_log_without_its_file_is_not_thrown_away() {
    for missing in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        if !missing {
            fs::write(&path, "").unwrap();
        }
        fs::write(with(&path, "-wal"), "what is left of somebody's work").unwrap();
        let error = Hub::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("write-ahead log"), "{error}");
        assert!(fs::read(with(&path, "-wal")).unwrap().starts_with(b"what is left"));
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_hub() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    fs::write(&path, "").unwrap();
    let hub = Hub::open(&path).unwrap();
    hub.emit(event("a")).await.unwrap();
    assert_eq!(page(&hub).await.len(), 1);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_refused() {
    let (_folder, path) = sound().await;
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    refused(&path, ErrorKind::Unavailable, "read-only");
}

#[test]
fn a_path_that_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Hub::open(folder.path()).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(Hub::open("").unwrap_err().kind(), ErrorKind::Invalid);
    let missing = folder.path().join("no/such/folder/hub.db");
    let error = Hub::open(missing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("make it first"), "{error}");
}

#[tokio::test]
async fn damage_that_shows_later_is_an_error_and_not_a_panic() {
    let (_folder, path) = sound().await;
    let hub = Hub::open(&path).unwrap();
    hub.close().await.unwrap();
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("UPDATE log SET category = 9 WHERE seq = 1").unwrap();
    drop(writer);
    let hub = Hub::open(&path).unwrap();
    let error = hub.pending(0, 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("restore a backup"), "{error}");
    hub.emit(event("b")).await.unwrap();
}

/// SQLite calls text what it was told is text, and looks at none of its bytes.
#[tokio::test]
async fn text_that_is_not_utf_8_is_an_error_that_says_so_and_not_a_guess() {
    for (column, word) in [("type", "a text"), ("data", "a text"), ("user", "a text")] {
        let (_folder, path) = sound().await;
        let writer = Connection::open(&path).unwrap();
        let damage = format!("UPDATE log SET {column} = CAST(x'22ff22' AS TEXT) WHERE seq = 1");
        assert_eq!(writer.execute(&damage, []).unwrap(), 1);
        drop(writer);
        let hub = Hub::open(&path).unwrap();
        for answer in
            [hub.read(0, &EventFilter::all(), 10).await.map(drop), hub.pending(0, 10).await.map(drop)]
        {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{column}: {error}");
            assert!(error.to_string().contains(word), "{column}: {error}");
            assert!(error.to_string().contains("restore a backup"), "{column}: {error}");
        }
        // What is sound can still be read, and the hub goes on.
        hub.emit(event("b")).await.unwrap();
        assert_eq!(hub.read(2, &EventFilter::all(), 10).await.unwrap().events.len(), 1);
    }
}
