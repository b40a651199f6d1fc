//! What documents hold, and how changes of them come together.

use super::super::conformance::{Outcome, holds, present, refused, same};
use super::{StoreUnderTest, of};
use crate::context::{Change, Intent, LineEdit};
use crate::{Actor, Content, ErrorKind};
use serde_json::{Value, json};

pub(super) async fn what_is_written_is_read<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    holds(ann.read("/a").await?.is_none(), "a new store is empty", ())?;
    let contents: [Content; 5] = [
        "".into(),
        "one\r\ntwo \u{1f600}\n".into(),
        Value::Null.into(),
        json!({"a": [1, -2.5, {"b": null}], "": true}).into(),
        json!([[], {}, u64::MAX]).into(),
    ];
    for (number, content) in contents.into_iter().enumerate() {
        let path = format!("/a/{number}");
        ann.write(&path, content.clone()).metadata(json!({"number": number})).await?;
        for path in [&path, "/a/same"] {
            ann.write(path, content.clone()).await?;
            let found = present(ann.read(path).await?, "what was written is there")?;
            same(found.content, content.clone(), "it is as it was written, new or over something else")?;
            same(found.path.as_str(), path, "it has its path")?;
        }
        let metadata = present(ann.read(&path).await?, "it stays")?.metadata;
        same(metadata, json!({"number": number}), "metadata stay when they are not named")?;
    }
    ann.append("/log", "one").await?;
    ann.append("/log", ", two").await?;
    let log = present(ann.read("/log").await?, "an append makes what is not there")?;
    same(log.content, "one, two".into(), "an append adds to the end")
}

pub(super) async fn a_version_is_one_more_with_each_change<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    for version in 1..5 {
        let written = ann.write("/a", format!("{version}")).await?;
        same(written.version, Some(version), "each change makes one version")?;
        same(ann.read("/a").await?.map(|found| found.version), Some(version), "it is read with it")?;
    }
    same(ann.write("/a", "4").await?.version, Some(4), "a write of what is there makes none")?;
    ann.remove("/a").await?;
    same(ann.write("/a", "new").await?.version, Some(5), "versions at one path only grow")
}

pub(super) async fn an_expected_version_is_compared<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    ann.write("/a", "one").expect_version(0).await?;
    refused(ann.write("/a", "x").expect_version(0).await, ErrorKind::Conflict, "0 is for what is not there")?;
    ann.write("/a", "two").expect_version(1).await?;
    refused(ann.write("/a", "x").expect_version(1).await, ErrorKind::Conflict, "an old version is refused")?;
    refused(ann.append("/b", "x").expect_version(3).await, ErrorKind::Conflict, "one that never was, too")?;
    same(
        ann.read("/a").await?.map(|found| found.content),
        Some("two".into()),
        "what is refused changes nothing",
    )?;
    holds(ann.read("/b").await?.is_none(), "and makes nothing", ())
}

pub(super) async fn a_lost_race_is_merged<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    ann.write("/text", "one\ntwo\nthree\n").await?;
    ann.write("/json", json!({"a": 1, "b": {"c": 2}})).await?;
    ann.write("/text", "ONE\ntwo\nthree\n").await?;
    ann.write("/text", "one\ntwo\nTHREE\n").based_on(1).await?;
    ann.write("/json", json!({"a": 9, "b": {"c": 2}})).await?;
    ann.write("/json", json!({"a": 1, "b": {"c": 2, "d": 3}})).based_on(1).await?;
    let text = ann.read("/text").await?.map(|found| found.content);
    same(text, Some("ONE\ntwo\nTHREE\n".into()), "lines that do not touch are both kept")?;
    let value = ann.read("/json").await?.map(|found| found.content);
    same(value, Some(json!({"a": 9, "b": {"c": 2, "d": 3}}).into()), "so are leaves")?;
    let mut tasks = Vec::new();
    for number in 0..8 {
        let ann = ann.clone();
        tasks.push(tokio::spawn(
            async move { ann.patch("/many", json!({format!("k{number}"): number})).await },
        ));
    }
    for task in tasks {
        present(task.await.ok(), "nobody panics")??;
    }
    let many = present(ann.read("/many").await?, "it is there")?;
    same(
        many.content.as_json().and_then(Value::as_object).map(serde_json::Map::len),
        Some(8),
        "nobody loses a race",
    )
}

pub(super) async fn a_patch_changes_what_it_names<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    ann.write("/a", json!({"keep": 1, "drop": 2, "in": {"x": 1, "y": 2}})).await?;
    ann.patch("/a", json!({"drop": null, "in": {"x": 9}, "new": []})).await?;
    let found = ann.read("/a").await?.map(|found| found.content);
    same(found, Some(json!({"keep": 1, "in": {"x": 9, "y": 2}, "new": []}).into()), "RFC 7396 holds")?;
    ann.write("/text", "x").await?;
    refused(ann.patch("/text", json!({})).await, ErrorKind::Invalid, "a text is not patched")?;
    refused(ann.append("/a", "x").await, ErrorKind::Invalid, "and JSON is not appended to")
}

pub(super) async fn an_edit_that_does_not_fit_is_refused<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    ann.write("/a", "one\ntwo\nthree\n").await?;
    ann.edit("/a", [LineEdit::new(2, "two", "TWO\nand a half")]).await?;
    refused(
        ann.edit("/a", [LineEdit::new(2, "two", "x")]).await,
        ErrorKind::Conflict,
        "what it names is gone",
    )?;
    let found = ann.read("/a").await?.map(|found| found.content);
    same(found, Some("one\nTWO\nand a half\nthree\n".into()), "lines are replaced")?;
    refused(ann.edit("/none", [LineEdit::new(1, "x", "y")]).await, ErrorKind::NotFound, "nothing is there")
}

pub(super) async fn changes_are_applied_whole_or_not_at_all<S: StoreUnderTest>(subject: S) -> Outcome {
    let (store, ann) = (subject.store(), of(&subject, "ann"));
    let write = |path: &str, text: &str| Change::new(path, Intent::Write(text.into()));
    let actor = Actor::user("ann");
    let versions =
        store.change(&actor, vec![write("/a", "1"), write("/b", "1"), Change::new("/b", Intent::Remove)]);
    same(versions.await?, vec![1, 1, 0], "each change is answered")?;
    let bad = vec![write("/a", "2"), write("/c", "1"), Change::new("/none", Intent::Remove)];
    refused(store.change(&actor, bad).await, ErrorKind::NotFound, "one that does not fit refuses all")?;
    let found = ann.read("/a").await?.map(|found| (found.content, found.version));
    same(found, Some(("1".into(), 1)), "nothing was changed")?;
    holds(ann.read("/c").await?.is_none() && ann.read("/b").await?.is_none(), "and nothing made", ())
}

pub(super) async fn the_past_is_read_by_version_and_time<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    for number in 1..=4_u64 {
        ann.write("/a", json!({"number": number})).await?;
    }
    for version in 1..=4 {
        let then = ann.at_version(version).read("/a").await?.map(|found| (found.content, found.version));
        same(then, Some((json!({"number": version}).into(), version)), "each version is as it was")?;
    }
    holds(ann.at_version(5).read("/a").await?.is_none(), "a version that never was is not there", ())?;
    let first = present(ann.history("/a", 9).await?.pop(), "it has a history")?;
    let before = first.at.before(std::time::Duration::from_secs(1));
    holds(ann.at(before).read("/a").await?.is_none(), "before it was made it is not there", ())?;
    let diff = ann.diff("/a", 1, 4).await?;
    holds(diff.text.contains("-") && diff.text.contains("+"), "versions are compared", &diff.text)?;
    refused(ann.at_version(1).write("/a", "x").await, ErrorKind::Invalid, "the past is not changed")
}
