//! One owner for each file, and what a killed one leaves behind.

use crate::{event, page, routed};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use vextir_context::Hub;
use vextir_core::{ErrorKind, EventBus, EventBusExt, EventId, Name};

/// What a child of these tests is to do, and on which file.
const ROLE: &str = "VEXTIR_TEST_ROLE";
const FILE: &str = "VEXTIR_TEST_FILE";

/// Runs this very program as another process.
fn child(role: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lock::in_another_process", "--nocapture"])
        .env(ROLE, role)
        .env(FILE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// No test by itself: what the child does.
#[tokio::test]
async fn in_another_process() {
    let (Ok(role), Some(path)) = (std::env::var(ROLE), std::env::var_os(FILE)) else { return };
    match (role.as_str(), Hub::open(path)) {
        ("open", Err(error)) => println!("refused: {:?}: {error}", error.kind()),
        ("open", Ok(_)) => println!("opened"),
        ("write", Ok(hub)) => write_until_killed(&hub).await,
        (role, opened) => panic!("{role}: {opened:?}"),
    }
}

/// Says which events are stored, after they are.
async fn write_until_killed(hub: &Hub) {
    hub.attach().await.unwrap();
    loop {
        let entries = vec![routed(event("a"), "one")];
        let receipt = hub.commit(vextir_core::bus::Command::append(entries)).await.unwrap();
        println!("stored {}", receipt.appended[0].id);
        std::io::stdout().flush().unwrap();
    }
}

fn said(child: &mut Child, word: &str) -> Vec<String> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.filter(|line| line.contains(word)).collect()
}

#[test]
fn a_second_hub_in_this_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let first = Hub::open(&path).unwrap();
    let error = Hub::open(folder.path().join(".").join("hub.db")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("this process (since 20"), "{error}");
    let clone = first.clone();
    drop(first);
    assert_eq!(Hub::open(&path).unwrap_err().kind(), ErrorKind::Locked, "a handle is left");
    drop(clone);
    Hub::open(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn a_link_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let _first = Hub::open(&path).unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(Hub::open(&link).unwrap_err().kind(), ErrorKind::Locked);
}

#[test]
fn a_second_process_is_told_who_has_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let hub = Hub::open(&path).unwrap();
    let mut second = child("open", &path);
    let refusal = said(&mut second, "refused").join("");
    let own = format!("process {} since 20", std::process::id());
    assert!(refusal.contains("Locked") && refusal.contains(&own), "{refusal}");
    drop(hub);
    let mut third = child("open", &path);
    assert_eq!(said(&mut third, "opened").len(), 1);
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let mut writer = child("write", &path);
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    let stored: Vec<EventId> = lines
        .by_ref()
        .filter_map(|line| line.strip_prefix("stored ").map(str::to_owned))
        .map(|id| id.parse().unwrap())
        .take(300)
        .collect();
    let error = Hub::open(&path).unwrap_err();
    assert!(error.to_string().contains(&format!("process {}", writer.id())), "{error}");
    writer.kill().unwrap();
    writer.wait().unwrap();

    let hub = Hub::open(&path).unwrap();
    for id in &stored {
        assert!(hub.find(&Name::literal("local"), id).await.unwrap().is_some(), "{id} was lost");
    }
    assert!(hub.attach().await.unwrap().unclean);
    let pending = hub.pending(0, 10_000).await.unwrap();
    assert_eq!(pending.len(), page(&hub).await.len(), "an event and its delivery are one");
    assert_eq!(hub.status().borrow().open, pending.len());
    let next = hub.emit(event("b")).await.unwrap();
    assert_eq!(page(&hub).await.last().unwrap().id, next);
}

#[tokio::test]
async fn a_hub_has_one_processor() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    hub.attach().await.unwrap();
    assert_eq!(hub.clone().attach().await.unwrap_err().kind(), ErrorKind::Locked);
    hub.detach().await.unwrap();
    assert_eq!(hub.receive(1).await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(!hub.attach().await.unwrap().unclean);
}

#[tokio::test]
async fn a_closed_hub_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("hub.db")).unwrap();
    let other = hub.clone();
    let mut status = hub.status();
    hub.close().await.unwrap();
    assert_eq!(other.emit(event("a")).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(other.pending(0, 1).await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(status.changed().await.is_err());
    other.close().await.unwrap();
    assert!(!folder.path().join("hub.db-wal").exists(), "the write-ahead log was folded into the file");
}
