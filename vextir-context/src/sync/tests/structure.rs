//! Moves, names and removals that two replicas make at the same time.

use super::{exchange, shown, total_of};
use crate::hub::Hub;
use serde_json::json;

async fn two() -> (Hub, Hub) {
    (Hub::in_memory().unwrap(), Hub::in_memory().unwrap())
}

#[tokio::test]
async fn what_one_replica_has_the_other_has_too_with_who_did_it() {
    let (one, other) = two().await;
    let (here, there) = (one.context("ann"), other.context("ann"));
    here.write("/Notes/a", "first\nsecond\n").await.unwrap();
    here.write("/data", json!({"x": {"y": 1}})).metadata(json!({"tag": "t"})).await.unwrap();
    let (_, report) = exchange(&one, &other, "ann").await;
    assert_eq!((report.applied, report.differing), (3, 0));
    assert_eq!(shown(&here).await, shown(&there).await);
    let document = there.read("/data").await.unwrap().unwrap();
    assert_eq!(document.metadata, json!({"tag": "t"}));

    here.write("/Notes/a", "first, by ann\nsecond\n").await.unwrap();
    there.write("/Notes/a", "first\nsecond, on the phone\n").await.unwrap();
    there.patch("/data", json!({"x": {"z": 2}})).await.unwrap();
    here.patch("/data", json!({"x": {"y": 3}})).await.unwrap();
    exchange(&one, &other, "ann").await;
    let both = shown(&here).await;
    assert_eq!(both, shown(&there).await);
    assert_eq!(both["/Notes/a"], "first, by ann\nsecond, on the phone\n");
    assert_eq!(both["/data"], "{\"x\":{\"y\":3,\"z\":2}}");
    let report = exchange(&one, &other, "ann").await;
    assert_eq!((report.0.applied, report.1.applied, report.0.sent, report.1.sent), (0, 0, 0, 0));
    let told: Vec<_> = there.history("/Notes/a", 9).await.unwrap();
    assert_eq!(told.len(), 3, "{told:?}");
}

#[tokio::test]
async fn names_that_clash_both_survive_and_lose_their_numbers_when_the_clash_goes() {
    let (one, other) = two().await;
    let (here, there) = (one.context("ann"), other.context("ann"));
    here.write("/plan", "mine").await.unwrap();
    there.write("/plan", "yours").await.unwrap();
    exchange(&one, &other, "ann").await;
    let both = shown(&here).await;
    assert_eq!(both, shown(&there).await);
    let mut texts: Vec<_> = both.values().cloned().collect();
    texts.sort();
    assert_eq!(
        (both.keys().map(String::as_str).collect::<Vec<_>>(), texts),
        (vec!["/plan", "/plan (2)"], vec!["mine".into(), "yours".into()])
    );

    let kept = both["/plan (2)"].clone();
    here.remove("/plan").await.unwrap();
    assert_eq!(shown(&here).await, [("/plan".to_owned(), kept)].into());
    exchange(&one, &other, "ann").await;
    assert_eq!(shown(&here).await, shown(&there).await);
}

#[tokio::test]
async fn folders_that_are_moved_into_each_other_make_no_circle() {
    let (one, other) = two().await;
    let (here, there) = (one.context("ann"), other.context("ann"));
    here.write("/a/in a", "1").await.unwrap();
    here.write("/b/in b", "2").await.unwrap();
    exchange(&one, &other, "ann").await;
    here.move_to("/a", "/b/a").await.unwrap();
    there.move_to("/b", "/a/b").await.unwrap();
    exchange(&one, &other, "ann").await;
    let both = shown(&here).await;
    assert_eq!(both, shown(&there).await);
    assert!(both.contains_key("/b/a/in a") ^ both.contains_key("/a/b/in b"), "{both:?}");
    assert_eq!(total_of(&one, "ann").await, total_of(&other, "ann").await);
}

#[tokio::test]
async fn what_is_written_in_a_folder_that_is_removed_elsewhere_comes_back_with_it() {
    let (one, other) = two().await;
    let (here, there) = (one.context("ann"), other.context("ann"));
    here.write("/f/x", "1").await.unwrap();
    exchange(&one, &other, "ann").await;
    here.remove("/f").await.unwrap();
    there.write("/f/y", "2").await.unwrap();
    exchange(&one, &other, "ann").await;
    assert_eq!((shown(&here).await, shown(&there).await), Default::default());
    there.restore("/f").await.unwrap();
    exchange(&one, &other, "ann").await;
    assert_eq!(shown(&here).await, shown(&there).await);
    assert_eq!(shown(&here).await.len(), 3);
}
