//! Documents that two replicas began on their own, under one identity.

use super::{exchange, shown, total_of};
use crate::ImportRights;
use crate::hub::Hub;
use serde_json::json;
use std::path::Path;

/// An export whose files say nothing of how texts merge.
async fn bare_export(folder: &Path) {
    let hub = Hub::in_memory().unwrap();
    let ann = hub.context("ann");
    ann.write("/notes/plan", "one\ntwo\nthree\n").await.unwrap();
    ann.write("/notes/data", json!({"a": 1, "list": [{"id": 1, "x": 1}]}))
        .metadata(json!({"t": 1}))
        .await
        .unwrap();
    ann.set_guide("/notes", "what is here\n").await.unwrap();
    hub.export("ann", folder).await.unwrap();
    for entry in std::fs::read_dir(folder.join("texts")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "state") {
            std::fs::remove_file(path).unwrap();
        }
    }
}

async fn replica(folder: &Path) -> Hub {
    let hub = Hub::in_memory().unwrap();
    hub.import(folder, "ann", ImportRights::LeaveOut).await.unwrap();
    hub
}

#[tokio::test]
async fn one_import_on_two_replicas_is_one_document() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("out");
    bare_export(&folder).await;
    let (one, other) = (replica(&folder).await, replica(&folder).await);
    let (here, there) = (one.context("ann"), other.context("ann"));
    there.write("/notes/plan", "one\nby the other one\ntwo\nthree\n").await.unwrap();
    here.patch("/notes/data", json!({"b": 2})).await.unwrap();
    there.patch("/notes/data", json!({"c": {"d": 3}})).await.unwrap();
    for _ in 0..2 {
        let (report, told) = exchange(&one, &other, "ann").await;
        assert_eq!((report.refused_here, told.refused_here), (0, 0));
    }
    let all = shown(&here).await;
    assert_eq!(all, shown(&there).await);
    assert_eq!(all["/notes/plan"], "one\nby the other one\ntwo\nthree\n");
    assert_eq!(all["/notes/data"], r#"{"a":1,"b":2,"c":{"d":3},"list":[{"id":1,"x":1}]}"#);
    assert_eq!(here.guides("/notes").await.unwrap()[0].text, "what is here\n");
    assert_eq!(total_of(&one, "ann").await, total_of(&other, "ann").await);
    let (report, told) = exchange(&one, &other, "ann").await;
    assert_eq!((report.nodes_sent, told.nodes_sent, report.differing), (0, 0, 0));

    // What both write from now on merges as ever.
    here.append("/notes/plan", "here\n").await.unwrap();
    there.write("/notes/plan", "zero\none\nby the other one\ntwo\nthree\n").await.unwrap();
    exchange(&one, &other, "ann").await;
    let all = shown(&there).await;
    assert_eq!(all["/notes/plan"], "zero\none\nby the other one\ntwo\nthree\nhere\n");
    assert_eq!(all, shown(&here).await);
    // The versions of the past can be read, each as it was.
    for revision in here.history("/notes/plan", 99).await.unwrap() {
        if revision.version > 0 {
            let then = here.at_version(revision.version).read("/notes/plan").await.unwrap().unwrap();
            let lines: Vec<_> = then.content.to_text().lines().map(str::to_owned).collect();
            let mut once = lines.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), lines.len(), "{lines:?}");
        }
    }
}

#[tokio::test]
async fn a_third_one_comes_to_the_same() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("out");
    bare_export(&folder).await;
    let hubs = [replica(&folder).await, replica(&folder).await, replica(&folder).await];
    hubs[2].context("ann").append("/notes/plan", "by the third\n").await.unwrap();
    for (one, other) in [(0, 1), (1, 2), (2, 0), (0, 1), (1, 2)] {
        exchange(&hubs[one], &hubs[other], "ann").await;
    }
    for hub in &hubs {
        let all = shown(&hub.context("ann")).await;
        assert_eq!(all["/notes/plan"], "one\ntwo\nthree\nby the third\n");
        assert_eq!(all["/notes/data"], r#"{"a":1,"list":[{"id":1,"x":1}]}"#);
        assert_eq!(total_of(hub, "ann").await, total_of(&hubs[0], "ann").await);
    }
}

#[tokio::test]
async fn a_guide_that_two_began_at_once_has_what_both_wrote_and_that_once() {
    let hubs = [Hub::in_memory().unwrap(), Hub::in_memory().unwrap(), Hub::in_memory().unwrap()];
    hubs[0].context("ann").write("/f/x", "x").await.unwrap();
    exchange(&hubs[0], &hubs[1], "ann").await;
    exchange(&hubs[0], &hubs[2], "ann").await;
    for (hub, own) in hubs.iter().zip(["here\n", "there\n", "elsewhere\n"]) {
        hub.context("ann").set_guide("/f", format!("Mail of the year.\n{own}")).await.unwrap();
    }
    for (one, other) in [(0, 1), (1, 2), (2, 0), (0, 1), (1, 2), (2, 0)] {
        exchange(&hubs[one], &hubs[other], "ann").await;
    }
    for hub in &hubs {
        let guide = hub.context("ann").guide("/f").await.unwrap().unwrap();
        assert_eq!(guide.matches("Mail of the year.\n").count(), 1, "{guide}");
        for own in ["\nhere\n", "\nthere\n", "\nelsewhere\n"] {
            assert_eq!(guide.matches(own).count(), 1, "{guide}");
        }
        assert_eq!(total_of(hub, "ann").await, total_of(&hubs[0], "ann").await);
    }
}

#[tokio::test]
async fn a_guide_that_is_changed_after_its_file_was_opened_again_was_not_begun_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("one.db"), Hub::in_memory().unwrap());
    for text in ["one\n", "one\ntwo\n", "three\n"] {
        // Each opening has a client id of its own.
        let one = Hub::open(&path).unwrap();
        one.context("ann").set_guide("/notes", text).await.unwrap();
        let (report, told) = exchange(&one, &other, "ann").await;
        assert_eq!((report.differing, report.nodes_sent, told.repaired), (0, 0, 0), "{text:?}: {report:?}");
        assert_eq!(other.context("ann").guides("/notes").await.unwrap()[0].text, text);
        one.close().await.unwrap();
    }
}
