//! Writing, reading, listing, moving, removing.

use crate::{hub, paths, refused, text, value};
use serde_json::json;
use vextir_context::Hub;
use vextir_core::context::ItemKind;
use vextir_core::{ErrorKind, LineEdit};

#[tokio::test]
async fn what_is_written_is_read_back_and_survives() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    assert!(ann.read("/Projects/Alpha/status").await.unwrap().is_none());
    let first = ann
        .write("/Projects/Alpha/status", json!({"phase": "development", "progress": 0.75}))
        .metadata(json!({"priority": "high"}))
        .await
        .unwrap();
    assert_eq!(first.version, Some(1));
    ann.write("/notes", "one\ntwo\n").await.unwrap();
    hub.close().await.unwrap();

    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    let read = ann.read("/Projects/Alpha/status").await.unwrap().unwrap();
    assert_eq!(read.content, json!({"phase": "development", "progress": 0.75}).into());
    assert_eq!((read.metadata, read.version), (json!({"priority": "high"}), 1));
    assert_eq!(read.path, "/Projects/Alpha/status");
    assert!(!read.created.is_unset() && read.updated >= read.created);
    assert_eq!(text(&ann, "/notes").await, "one\ntwo\n");
    let root = ann.list("/").await.unwrap();
    assert_eq!(paths(&root), ["/Projects", "/notes"]);
    assert_eq!(root[0].kind, ItemKind::Folder);
    assert_eq!(paths(&ann.list("/Projects/Alpha").await.unwrap()), ["/Projects/Alpha/status"]);
    assert!(ann.list("/Projects/Beta").await.unwrap().is_empty());
    assert!(ann.list("/notes").await.unwrap().is_empty());
    assert!(hub.context("bob").read("/notes").await.unwrap().is_none());
}

#[tokio::test]
async fn every_way_of_writing_changes_what_it_says() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.append("/log", "one\n").await.unwrap();
    ann.append("/log", "two\n").await.unwrap();
    assert_eq!(ann.read("/log").await.unwrap().unwrap().numbered(), "1: one\n2: two\n");
    let edits = [LineEdit::new(2, "two", "TWO"), LineEdit::new(3, "", "three")];
    assert_eq!(ann.edit("/log", edits).await.unwrap().version, Some(3));
    assert_eq!(text(&ann, "/log").await, "one\nTWO\nthree\n");
    refused(ann.edit("/log", [LineEdit::new(2, "two", "x")]).await, ErrorKind::Conflict, "2: TWO");
    refused(ann.edit("/none", [LineEdit::new(1, "", "x")]).await, ErrorKind::NotFound, "/none");

    ann.patch("/data", json!({"a": {"b": 1}})).await.unwrap();
    ann.patch("/data", json!({"a": {"c": 2}, "d": null})).metadata(json!({"kind": "x"})).await.unwrap();
    assert_eq!(value(&ann, "/data").await, json!({"a": {"b": 1, "c": 2}}));
    refused(ann.append("/data", "x").await, ErrorKind::Invalid, "text");
    refused(ann.patch("/log", json!({})).await, ErrorKind::Invalid, "JSON");
    ann.describe("/data", json!({"kind": "y"})).await.unwrap();
    let data = ann.read("/data").await.unwrap().unwrap();
    assert_eq!((data.metadata, data.version), (json!({"kind": "y"}), 3));
    refused(ann.describe("/data", json!("no object")).await, ErrorKind::Invalid, "object");

    ann.write("/log", json!({"now": "JSON"})).await.unwrap();
    assert_eq!(value(&ann, "/log").await, json!({"now": "JSON"}));
    ann.write("/log", "and text again").await.unwrap();
    assert_eq!(text(&ann, "/log").await, "and text again");
    let same = ann.write("/log", "and text again").await.unwrap();
    assert_eq!(same.version, Some(5), "what changes nothing is no new version");
}

#[tokio::test]
async fn an_expected_version_is_compared() {
    let hub = hub();
    let ann = hub.context("ann");
    refused(ann.write("/a", "x").expect_version(1).await, ErrorKind::Conflict, "version 0");
    ann.write("/a", "one").expect_version(0).await.unwrap();
    refused(ann.write("/a", "x").expect_version(0).await, ErrorKind::Conflict, "version 1");
    ann.write("/a", "two").expect_version(1).await.unwrap();
    assert_eq!(text(&ann, "/a").await, "two");
    ann.remove("/a").await.unwrap();
    let anew = ann.write("/a", "three").await.unwrap();
    assert_eq!(anew.version, Some(3), "a version never stands for two contents of one path");
}

#[tokio::test]
async fn things_move_with_all_that_is_in_them() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/b/c", "text").await.unwrap();
    ann.write("/other", "x").await.unwrap();
    ann.move_to("/a/b", "/x/y/z").await.unwrap();
    assert_eq!(text(&ann, "/x/y/z/c").await, "text");
    assert!(ann.read("/a/b/c").await.unwrap().is_none());
    assert_eq!(paths(&ann.list("/").await.unwrap()), ["/a", "/other", "/x"]);
    refused(ann.move_to("/x", "/x/y/inside").await, ErrorKind::Invalid, "into itself");
    refused(ann.move_to("/x", "/x").await, ErrorKind::Invalid, "into itself");
    refused(ann.move_to("/x", "/other").await, ErrorKind::Conflict, "/other");
    refused(ann.move_to("/x", "/other/below").await, ErrorKind::Invalid, "/other/below");
    refused(ann.move_to("/none", "/new").await, ErrorKind::NotFound, "/none");
    refused(ann.move_to("/", "/new").await, ErrorKind::Invalid, "itself");
    assert_eq!(text(&ann, "/x/y/z/c").await, "text");
}

#[tokio::test]
async fn what_is_removed_comes_back_as_it_was() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/b", "one").await.unwrap();
    ann.write("/a/c", "two").await.unwrap();
    ann.remove("/a/c").await.unwrap();
    ann.remove("/a").await.unwrap();
    assert!(ann.list("/").await.unwrap().is_empty());
    assert!(ann.read("/a/b").await.unwrap().is_none());
    refused(ann.remove("/a").await, ErrorKind::NotFound, "/a");
    refused(ann.restore("/a/b").await, ErrorKind::NotFound, "/a/b");
    ann.restore("/a").await.unwrap();
    assert_eq!(paths(&ann.list("/a").await.unwrap()), ["/a/b"]);
    ann.restore("/a/c").await.unwrap();
    assert_eq!(text(&ann, "/a/c").await, "two");
    refused(ann.restore("/a/c").await, ErrorKind::Conflict, "/a/c");
    refused(ann.restore("/never").await, ErrorKind::NotFound, "/never");
    refused(ann.remove("/").await, ErrorKind::Invalid, "root");
}

#[tokio::test]
async fn guides_are_collected_from_the_root_down() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.set_guide("/", "Everything of Ann's.").await.unwrap();
    ann.set_guide("/Projects/Alpha", "One file for each day.").await.unwrap();
    ann.write("/Projects/Alpha/today", "x").await.unwrap();
    let guides = ann.guides("/Projects/Alpha/today").await.unwrap();
    let found: Vec<_> = guides.iter().map(|guide| (guide.path.as_str(), guide.text.as_str())).collect();
    assert_eq!(found, [("/", "Everything of Ann's."), ("/Projects/Alpha", "One file for each day.")]);
    assert_eq!(ann.guide("/Projects").await.unwrap(), None);
    assert_eq!(ann.set_guide("/Projects/Alpha", "New.").await.unwrap().version, Some(2));
    assert_eq!(ann.guide("/Projects/Alpha").await.unwrap().as_deref(), Some("New."));
    refused(ann.set_guide("/Projects/Alpha/today", "x").await, ErrorKind::Invalid, "document");
}

#[tokio::test]
async fn many_entries_are_listed_page_by_page() {
    let hub = hub();
    let ann = hub.context("ann");
    for number in 0..25 {
        ann.write(&format!("/f/{number:02}"), "x").await.unwrap();
    }
    let page = ann.list_page("/f", "04", 10).await.unwrap();
    assert_eq!((page.len(), page[0].path.as_str(), page[9].path.as_str()), (10, "/f/05", "/f/14"));
    assert_eq!(ann.list("/f").await.unwrap().len(), 25);
}
