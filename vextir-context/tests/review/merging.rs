//! What is kept, and what is lost, when several write.

use crate::{hub, text, write};
use serde_json::json;
use vextir_core::context::{Change, Intent};
use vextir_core::{Actor, ContextStore, ErrorKind, LineEdit};

#[tokio::test]
async fn numbers_come_back_as_they_were() {
    let hub = hub();
    let ann = hub.context("ann");
    for value in [
        json!(9_007_199_254_740_993_i64),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX - 1),
        json!(1.0),
        json!(1e16),
        json!(f64::MIN_POSITIVE),
        json!(0.1),
    ] {
        ann.write("/n", json!({"n": value.clone(), "l": [value.clone()]})).await.unwrap();
        let read = ann.read("/n").await.unwrap().unwrap().content;
        assert_eq!(read, json!({"n": value.clone(), "l": [value]}).into());
    }
}

#[tokio::test]
async fn of_two_who_make_one_document_both_are_kept_or_one_is_told() {
    let hub = hub();
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let ann = hub.context("ann");
            tokio::spawn(
                async move { ann.append("/x", format!("{number}\n")).expect_version(0).await.is_ok() },
            )
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += usize::from(task.await.unwrap());
    }
    assert_eq!(made, 1, "only one found nothing there");
    assert_eq!(text(&hub.context("ann"), "/x").await.unwrap().lines().count(), 1);
}

/// Moves, removals, restorations and appends at once: what was said to be written is somewhere, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn races_of_structure_and_content_lose_and_double_nothing() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/x", "").await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let ann = hub.context("ann");
        tasks.spawn(async move {
            let mut written = Vec::new();
            for number in 0..30 {
                let line = format!("{task}-{number}\n");
                match task % 4 {
                    0 => drop(ann.move_to("/a", "/b").await),
                    1 => drop(ann.move_to("/b", "/a").await),
                    2 if number % 3 == 0 => {
                        drop(ann.remove("/a").await);
                        drop(ann.restore("/a").await);
                    }
                    _ => {
                        let path = if number % 2 == 0 { "/a/x" } else { "/b/x" };
                        if ann.append(path, line.clone()).await.is_ok() {
                            written.push(line);
                        }
                    }
                }
            }
            written
        });
    }
    let written: Vec<String> = tasks.join_all().await.concat();
    let mut all = String::new();
    // Everything that is or was somewhere: bring back what is removed, layer by layer.
    for _ in 0..200 {
        for folder in ["/a", "/b"] {
            if let Some(found) = text(&ann, &format!("{folder}/x")).await {
                all += &found;
            }
            drop(
                ann.move_to(folder, &format!("/seen/{}", all.len() * 2 + usize::from(folder == "/b"))).await,
            );
            drop(ann.restore(folder).await);
        }
    }
    for line in &written {
        assert_eq!(all.lines().filter(|found| *found == line.trim_end()).count(), 1, "{line}");
    }
}

#[tokio::test]
async fn a_document_that_is_made_anew_under_another_case_or_form_is_found_under_one() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/Cafe\u{301}", "one").await.unwrap();
    assert_eq!(text(&ann, "/Caf\u{e9}").await.as_deref(), Some("one"));
    assert_eq!(text(&ann, "/caf\u{e9}").await, None);
}

#[tokio::test]
async fn two_deletions_of_lines_by_two_writers_are_both_kept() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/t", "1\n2\n3\n4\n5\n").await.unwrap();
    ann.write("/t", "1\n3\n4\n5\n").await.unwrap();
    ann.write("/t", "1\n2\n3\n5\n").based_on(1).await.unwrap();
    assert_eq!(text(&ann, "/t").await.unwrap(), "1\n3\n5\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_value_is_refused_and_breaks_nothing() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/x", json!({})).await.unwrap();
    let deep = (0..1_000).fold(json!(1), |inner, _| json!({"a": inner}));
    for intent in [Intent::Write(deep.clone().into()), Intent::Patch(deep)] {
        let hub = hub.clone();
        let change = vec![Change::new("/x", intent)];
        let outcome =
            tokio::spawn(async move { hub.change(&Actor::user("ann"), change).await }).await.unwrap();
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn changes_far_apart_are_kept_in_a_long_text_too() {
    let hub = hub();
    let ann = hub.context("ann");
    for lines in [900, 1_500] {
        let path = format!("/{lines}");
        let base: Vec<String> = (0..lines).map(|line| format!("line {line}\n")).collect();
        let with = |changes: &[usize], by: &str| -> String {
            let changed = |(at, line): (usize, &String)| {
                if changes.contains(&at) { format!("{by} {at}\n") } else { line.clone() }
            };
            base.iter().enumerate().map(changed).collect()
        };
        ann.write(&path, base.concat()).await.unwrap();
        ann.write(&path, with(&[lines / 2], "theirs")).await.unwrap();
        ann.write(&path, with(&[1, lines - 2], "mine")).based_on(1).await.unwrap();
        let merged = text(&ann, &path).await.unwrap();
        assert!(merged.contains("mine") && merged.contains("theirs"), "of {lines} lines");
    }
}

#[tokio::test]
async fn an_edit_of_one_line_leaves_the_others_as_they_are() {
    let hub = hub();
    let ann = hub.context("ann");
    for (name, old, new) in [
        ("/lf", "a\nb\nc\n", "a\nB\nc\n"),
        ("/crlf", "a\r\nb\r\nc\r\n", "a\r\nB\r\nc\r\n"),
        ("/mixed", "a\r\nb\nc", "a\r\nB\nc"),
    ] {
        ann.write(name, old).await.unwrap();
        ann.edit(name, [LineEdit::new(2, "b", "B")]).await.unwrap();
        assert_eq!(text(&ann, name).await.unwrap(), new);
    }
}

#[tokio::test]
async fn the_same_text_inserted_by_a_retry_with_its_base_stands_there_once() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/t", "1\n2\n").await.unwrap();
    for _ in 0..2 {
        ann.write("/t", "1\nnew\n2\n").based_on(1).await.unwrap();
    }
    assert_eq!(text(&ann, "/t").await.unwrap(), "1\nnew\n2\n");
    ann.write("/t", "1\nnew\n2\nend\n").await.unwrap();
    ann.write("/t", "1\nnew\n2\n").based_on(1).await.unwrap();
    assert_eq!(text(&ann, "/t").await.unwrap(), "1\nnew\n2\nend\n");
}

#[tokio::test]
async fn an_expected_version_is_that_of_the_document_which_was_read() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/x", "the one that was read").await.unwrap();
    let seen = ann.read("/x").await.unwrap().unwrap();
    ann.move_to("/x", "/away").await.unwrap();
    ann.write("/x", "another document").await.unwrap();
    let outcome = ann.write("/x", "made from the first").expect_version(seen.version).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn versions_at_a_path_never_go_back() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/x", "one").await.unwrap();
    ann.remove("/x").await.unwrap();
    let second = ann.write("/x", "two").await.unwrap().version.unwrap();
    ann.move_to("/x", "/away").await.unwrap();
    ann.restore("/x").await.unwrap();
    let third = ann.write("/x", "three").await.unwrap().version.unwrap();
    assert!(third > second, "{second} then {third}, of another document");
}

#[tokio::test]
async fn a_version_of_another_document_is_no_base() {
    let hub = hub();
    let ann = hub.context("ann");
    for text in ["one", "two", "three"] {
        ann.write("/x", text).await.unwrap();
        ann.write("/y", text).await.unwrap();
    }
    ann.move_to("/x", "/away").await.unwrap();
    ann.move_to("/y", "/x").await.unwrap();
    let moved = ann.read("/x").await.unwrap().unwrap();
    assert_eq!(moved.version, 4, "after what stood there before");
    for base in [1, 3, 9] {
        let outcome = ann.write("/x", "mine").based_on(base).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Conflict, "{base}");
    }
    ann.write("/x", "mine").based_on(4).expect_version(4).await.unwrap();
    assert_eq!(text(&ann.at_version(4), "/x").await.as_deref(), Some("three"));
    ann.remove("/x").await.unwrap();
    ann.restore("/x").await.unwrap();
    assert_eq!(ann.read("/x").await.unwrap().unwrap().version, 5, "nobody else was there");
    ann.move_to("/x", "/y").await.unwrap();
    ann.move_to("/y", "/x").await.unwrap();
    let back = ann.write("/x", "more").based_on(5).await.unwrap();
    assert_eq!(back.version, Some(6));
}

#[tokio::test]
async fn each_change_about_content_is_answered_with_its_version() {
    let hub = hub();
    let changes = vec![write("/x", "one"), Change::new("/x", Intent::Append("two".into()))];
    let versions = hub.change(&Actor::user("ann"), changes).await.unwrap();
    assert!(versions.iter().all(|version| *version > 0), "{versions:?}");
}
