//! One user's tree goes out as files, and comes back.

use crate::{DAY, hub, refused, text};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vextir_context::{Hub, ImportRights};
use vextir_core::context::Keep;
use vextir_core::{Clock, ErrorKind, Level, Principal};

use ImportRights::{LeaveOut, Restore};

/// A tree with something of everything.
async fn fill(hub: &Hub) {
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Projects/Alpha/status", json!({"phase": "dev", "n": [1, {"x": 2.5}]}))
        .metadata(json!({"priority": "high"}))
        .await
        .unwrap();
    ann.append("/Projects/Alpha/log", "one\n").await.unwrap();
    ann.append("/Projects/Alpha/log", "two\r\nthree").await.unwrap();
    ann.set_guide("/Projects", "What we do.").await.unwrap();
    ann.set_guide("/", "All of ann.").await.unwrap();
    ann.write("/caf\u{e9} \u{1f600} %2F.txt", "").await.unwrap();
    ann.write("/private/diary", "secret").await.unwrap();
    ann.restrict("/private", true).await.unwrap();
    ann.keep("/private", Keep::new().versions(DAY).removed(Duration::MAX)).await.unwrap();
    ann.grant("/Projects", "bob", Level::Write).await.unwrap();
    ann.grant("/Projects", Principal::Group("team".into()), Level::Read).await.unwrap();
    ann.write("/gone", "CANARY-removed").await.unwrap();
    ann.remove("/gone").await.unwrap();
    bob.write("/canary", "CANARY-of-bob").await.unwrap();
    bob.write("/for/ann", "CANARY-shared").await.unwrap();
    bob.grant("/for", "ann", Level::Admin).await.unwrap();
    bob.append("/Shared/ann/Projects/Alpha/log", "\nbob was here").await.unwrap();
}

/// Everything below a user's root: path, content, metadata, guide.
async fn all(hub: &Hub, user: &str) -> Vec<Value> {
    let rows = hub.context(user).query(
        "SELECT path, kind, content, metadata FROM documents WHERE path NOT LIKE '/Shared/%'
         UNION ALL SELECT path, 'folder', index_guide, '' FROM folders WHERE path NOT LIKE '/Shared/%' ORDER BY path",
    );
    rows.await.unwrap()
}

fn every_file(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(every_file(&path));
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            found.push((path, text));
        }
    }
    found
}

#[tokio::test]
async fn a_tree_comes_back_as_it_was_in_another_hub() {
    let (hub, clock) = hub();
    fill(&hub).await;
    clock.advance(DAY);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("out");
    let exported = hub.export("ann", &folder).await.unwrap();
    assert_eq!((exported.folders, exported.documents), (4, 4));
    for (path, text) in every_file(&folder) {
        assert!(!text.contains("CANARY"), "{}: {text}", path.display());
        assert!(path.to_string_lossy().is_ascii(), "no file has the name of a document");
    }
    let history = fs::read_to_string(folder.join("history.jsonl")).unwrap();
    assert!(history.lines().any(|line| line.contains("bob")), "{history}");
    refused(hub.export("ann", &folder).await, ErrorKind::Conflict, "another path");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);

    let other = Hub::in_memory().unwrap();
    other.add_member("team", "eve").await.unwrap();
    let imported = other.import(&folder, "ann", Restore).await.unwrap();
    assert_eq!((imported.made, imported.there), (8, 0));
    assert_eq!(all(&other, "ann").await, all(&hub, "ann").await);
    let there = |hub: &Hub| {
        let ann = hub.context("ann");
        async move {
            let mut log = ann.read("/Projects/Alpha/log").await.unwrap().unwrap();
            log.version = 0;
            (log, ann.access("/Projects").await.unwrap(), ann.access("/private").await.unwrap())
        }
    };
    assert_eq!(there(&other).await, there(&hub).await);
    for user in ["bob", "eve"] {
        let shared = other.context(user);
        assert!(text(&shared, "/Shared/ann/Projects/Alpha/log").await.starts_with("one"));
        assert!(shared.read("/Shared/ann/private/diary").await.unwrap().is_none());
    }
    let again = other.import(&folder, "ann", Restore).await.unwrap();
    assert_eq!((again.made, again.there), (0, 8));
    assert_eq!(other.check().await.unwrap(), [] as [&str; 0]);
    assert_eq!(all(&other, "ann").await, all(&hub, "ann").await);
}

#[tokio::test]
async fn nothing_that_is_there_is_lost_or_doubled() {
    let (hub, clock) = hub();
    fill(&hub).await;
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("out");
    hub.export("ann", &folder).await.unwrap();
    let ann = hub.context("ann");
    ann.append("/Projects/Alpha/log", "\nnewer").await.unwrap();
    ann.move_to("/Projects/Alpha", "/Alpha").await.unwrap();
    ann.remove("/private").await.unwrap();
    ann.write("/private/diary", "another one").await.unwrap();
    clock.advance(DAY);
    for round in 0..3 {
        let imported = hub.import(&folder, "ann", LeaveOut).await.unwrap();
        assert_eq!(imported.made, u64::from(round == 0), "what was removed comes back");
        assert!(text(&ann, "/Alpha/log").await.ends_with("newer"));
        assert_eq!(text(&ann, "/private/diary").await, "another one");
        assert_eq!(text(&ann, "/private/diary (2)").await, "secret");
        assert!(ann.list("/Projects").await.unwrap().is_empty());
    }
    // Into another user's tree of the same hub, beside what that user has.
    hub.context("eve").write("/Projects", "a document").await.unwrap();
    for round in 0..2 {
        let imported = hub.import(&folder, "eve", LeaveOut).await.unwrap();
        assert_eq!(imported.made, if round == 0 { 7 } else { 0 });
    }
    let eve = hub.context("eve");
    assert_eq!(text(&eve, "/Projects").await, "a document");
    assert!(text(&eve, "/Projects (2)/Alpha/log").await.ends_with("bob was here"));
    assert!(eve.access("/Projects (2)").await.unwrap().unwrap().granted.is_empty());
    assert!(hub.context("bob").list("/Shared/eve").await.unwrap().is_empty());
    assert_eq!(hub.check().await.unwrap(), [] as [&str; 0]);
    let history = eve.history("/private/diary", 9).await.unwrap();
    assert_eq!(history[0].by.driver.as_deref(), Some("import"));
    // Some microseconds later than the clock says, where that stands still: later changes are never earlier.
    assert!(history[0].at < clock.now().after(Duration::from_secs(1)));
}

#[tokio::test]
async fn an_import_that_was_cut_off_is_finished_by_the_next() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("out");
    let (hub, _) = hub();
    for number in 0..300 {
        hub.context("ann")
            .write(&format!("/{}/{number}", number % 9), format!("text {number}"))
            .await
            .unwrap();
    }
    hub.export("ann", &folder).await.unwrap();
    let other = Hub::in_memory().unwrap();
    let mut cut = 0;
    for wait in (1..).step_by(25) {
        let import = other.import(&folder, "ann", LeaveOut);
        match tokio::time::timeout(Duration::from_millis(wait), import).await {
            Ok(done) => {
                done.unwrap();
                break;
            }
            Err(_) => cut += 1,
        }
    }
    assert!(cut > 0);
    other.import(&folder, "ann", LeaveOut).await.unwrap();
    assert_eq!(all(&other, "ann").await, all(&hub, "ann").await);
    assert_eq!(other.check().await.unwrap(), [] as [&str; 0]);
}

/// A small export, and a way to spoil it.
async fn spoiled(spoil: impl Fn(&Path, &mut Vec<Value>)) -> String {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("out");
    let (hub, _) = hub();
    hub.context("ann").write("/f/a", "text").await.unwrap();
    hub.context("ann").write("/f/j", json!({"x": 1})).await.unwrap();
    hub.export("ann", &folder).await.unwrap();
    let entries = folder.join("entries.jsonl");
    let lines = fs::read_to_string(&entries).unwrap();
    let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    let before = lines.clone();
    spoil(&folder, &mut lines);
    if lines != before {
        fs::write(&entries, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }
    let other = Hub::in_memory().unwrap();
    let error = other.import(&folder, "ann", Restore).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(other.context("ann").list("/").await.unwrap().is_empty(), "nothing is changed: {error}");
    error.to_string()
}

#[tokio::test]
async fn a_hostile_export_is_refused_before_anything_is_changed() {
    let text_of =
        |line: &Value, folder: &Path| folder.join(format!("texts/{}.txt", line["uid"].as_str().unwrap()));
    type Spoil<'a> = &'a dyn Fn(&Path, &mut Vec<Value>);
    let cases: [(&str, Spoil<'_>); 21] = [
        ("uid", &|_, lines| lines[2]["uid"] = json!("../../etc/passwd")),
        ("uid", &|_, lines| lines[2]["uid"] = json!("A".repeat(32))),
        ("..", &|_, lines| lines[2]["path"] = json!("/f/../../x")),
        ("begin", &|_, lines| lines[2]["path"] = json!("f/a")),
        ("segment", &|_, lines| lines[2]["path"] = json!("/f/")),
        ("as the hub writes it", &|_, lines| lines[2]["path"] = json!("/f/e\u{301}")),
        ("control", &|_, lines| lines[2]["path"] = json!("/f/\0")),
        ("bytes", &|_, lines| lines[2]["path"] = json!(format!("/f/{}", "x".repeat(5_000)))),
        ("Shared", &|_, lines| lines[1]["path"] = json!("/Shared")),
        ("does not come before", &|_, lines| lines[2]["path"] = json!("/f/a/b/c")),
        ("does not come before", &|_, lines| lines.swap(1, 2)),
        ("there already", &|_, lines| lines[3] = lines[2].clone()),
        ("bytes", &|_, lines| lines[2]["bytes"] = json!(3)),
        ("no text", &|_, lines| lines[2]["bytes"] = Value::Null),
        ("variant", &|_, lines| lines[2]["kind"] = json!("program")),
        ("expected", &|folder, lines| {
            lines[2]["kind"] = json!("json");
            fs::rename(text_of(&lines[2], folder), text_of(&lines[2], folder).with_extension("json"))
                .unwrap();
        }),
        ("name", &|_, lines| lines[2]["granted"] = json!([[{"user": "a\nb"}, "admin"]])),
        ("deep", &|_, lines| {
            lines[2]["metadata"] = json!({"x": (0..90).fold(json!(1), |inner, _| json!([inner]))});
        }),
        ("format", &|folder, _| {
            fs::write(folder.join("export.json"), r#"{"format":2,"user":"a","at":"2025-01-01T00:00:00Z"}"#)
                .unwrap()
        }),
        ("cut off", &|folder, lines| {
            let all: String = lines.iter().map(|line| format!("{line}\n")).collect();
            fs::write(folder.join("entries.jsonl"), &all[..all.len() - 9]).unwrap();
        }),
        ("longer", &|folder, _| fs::write(folder.join("entries.jsonl"), vec![b'x'; 21 << 20]).unwrap()),
    ];
    for (says, spoil) in cases {
        let error = spoiled(spoil).await;
        assert!(error.contains(says) && error.contains("nothing was imported"), "{says}: {error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_an_export_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "text").unwrap();
    fs::create_dir(outside.path().join("texts")).unwrap();
    let error = spoiled(|folder, lines| {
        let file = folder.join(format!("texts/{}.txt", lines[2]["uid"].as_str().unwrap()));
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(&secret, file).unwrap();
    });
    assert!(error.await.contains("no plain file"));
    let error = spoiled(|folder, _| {
        fs::remove_dir_all(folder.join("texts")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("texts"), folder.join("texts")).unwrap();
    });
    assert!(error.await.contains("links"));
    let error = spoiled(|folder, _| {
        fs::remove_file(folder.join("entries.jsonl")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.join("entries.jsonl")).unwrap();
    });
    assert!(error.await.contains("no plain file"));
    let error = spoiled(|folder, _| fs::remove_dir_all(folder).unwrap());
    assert!(error.await.contains("no export"));
}

#[tokio::test]
async fn a_user_without_documents_has_an_empty_export() {
    let (hub, _) = hub();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("out");
    let exported = hub.export("nobody", &folder).await.unwrap();
    assert_eq!((exported.folders, exported.documents), (0, 0));
    assert_eq!(hub.import(&folder, "nobody", LeaveOut).await.unwrap().made, 0);
}
