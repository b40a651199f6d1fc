//! What goes wrong around documents: no room, huge and malformed input, a clock that jumps.

use crate::{hub, refused, text, value};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use vextir_context::{Hub, HubBuilder};
use vextir_core::{Clock, ErrorKind, ManualClock};

#[tokio::test]
async fn a_full_file_refuses_a_write_whole_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::builder(&file).max_bytes(1 << 20).open().unwrap();
    let ann = hub.context("ann");
    ann.write("/kept", "as it was").await.unwrap();
    let noise = |seed: u64| -> String {
        let mut random = fastrand::Rng::with_seed(seed);
        std::iter::repeat_with(|| random.alphanumeric()).take(20_000).collect()
    };
    let mut stored = 0;
    let error = loop {
        match ann.write(&format!("/f{stored}/x"), noise(stored)).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(stored > 5, "{stored}");
    refused(ann.append("/kept", noise(7)).await, ErrorKind::Unavailable, "room");
    assert_eq!(text(&ann, "/kept").await, "as it was");
    assert_eq!(ann.read("/kept").await.unwrap().unwrap().version, 1);
    assert!(ann.read(&format!("/f{stored}/x")).await.unwrap().is_none());
    assert!(ann.list(&format!("/f{stored}")).await.unwrap().is_empty(), "nor is its folder there");
    assert_eq!(ann.list("/").await.unwrap().len() as u64, stored + 1);
    hub.close().await.unwrap();

    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    for number in 0..stored {
        assert_eq!(text(&ann, &format!("/f{number}/x")).await, noise(number));
    }
    assert_eq!(ann.append("/kept", noise(7)).await.unwrap().version, Some(2));
}

#[tokio::test]
async fn what_is_too_large_or_too_deep_is_refused_and_changes_nothing() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a", "x").await.unwrap();
    refused(ann.write("/a", "y".repeat((16 << 20) + 1)).await, ErrorKind::Invalid, "16777216");
    refused(ann.append("/a", "y".repeat(16 << 20)).await, ErrorKind::Invalid, "16777216");
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    refused(ann.write("/deep", deep).await, ErrorKind::Invalid, "deep");
    let metadata = json!({"x": "y".repeat(17 << 20)});
    refused(ann.describe("/a", metadata).await, ErrorKind::Invalid, "16777216");
    let a = ann.read("/a").await.unwrap().unwrap();
    assert_eq!((a.content, a.metadata, a.version), ("x".into(), json!({}), 1));
    assert!(ann.read("/deep").await.unwrap().is_none());
}

#[tokio::test]
async fn every_value_and_text_comes_back_as_it_was() {
    let hub = hub();
    let ann = hub.context("ann");
    let values = [
        Value::Null,
        json!(true),
        json!(0),
        json!(-1.5e300),
        json!(u64::MAX),
        json!(""),
        json!([]),
        json!({}),
        json!({"": {"": [null, {"a/b~c": "\u{0}\u{1f600}"}]}}),
        json!([[], {}, "long ".repeat(100)]),
    ];
    for (number, one) in values.iter().enumerate() {
        let path = format!("/{number}");
        ann.write(&path, one.clone()).await.unwrap();
        assert_eq!(value(&ann, &path).await, *one, "as new");
        ann.write("/same", one.clone()).await.unwrap();
        assert_eq!(value(&ann, "/same").await, *one, "over another");
        assert_eq!(value(&ann.at_version(1), &path).await, *one, "out of the history");
    }
    for one in ["", "\n", "\r\n", "\0", "e\u{301}\u{1f468}\u{200d}\u{1f469}", "no end", "end\n"] {
        ann.write("/text", one).await.unwrap();
        assert_eq!(text(&ann, "/text").await, one);
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_a_day_changes_no_order() {
    let clock = ManualClock::at("2025-06-15T00:00:00Z").unwrap();
    let hub = HubBuilder::in_memory().clock(Arc::new(clock.clone())).open().unwrap();
    let ann = hub.context("ann");
    let day = Duration::from_secs(24 * 60 * 60);
    ann.write("/a", "one").await.unwrap();
    clock.jump(clock.now().before(day));
    ann.write("/a", "two").await.unwrap();
    clock.jump(clock.now().after(2 * day));
    ann.remove("/a").await.unwrap();
    clock.jump(clock.now().before(2 * day));
    ann.restore("/a").await.unwrap();
    let times: Vec<_> = ann.history("/a", 9).await.unwrap().iter().map(|deed| deed.at).collect();
    assert!(times.is_sorted_by(|later, earlier| later >= earlier), "{times:?}");
    assert_eq!(text(&ann, "/a").await, "two");
}

#[tokio::test]
async fn a_hub_that_was_closed_says_so() {
    let hub = hub();
    let ann = hub.context("ann");
    let mut watch = ann.watch("/").await.unwrap();
    hub.close().await.unwrap();
    refused(ann.write("/a", "x").await, ErrorKind::Closed, "closed");
    refused(ann.read("/a").await, ErrorKind::Closed, "closed");
    assert!(watch.next().await.is_none());
}
