pub(in crate::files) mod fake;

use super::*;
use fake::Fake;

async fn paths(sink: &Fake, range: Range) -> Vec<String> {
    let mut paths = Vec::new();
    let mut pages = Pages::new(sink, "/r", &range);
    while let Some(page) = pages.next().await.unwrap() {
        paths.extend(page.into_iter().map(|(path, _)| path));
    }
    paths
}

#[tokio::test]
async fn ranges_of_checkpoints_hold_what_belongs_to_them() {
    let sink = Fake::default();
    for path in ["", "a", "a!", "a/", "a/b", "a/c", "a0", "\u{e000}"] {
        sink.remember(&key("/r", path), &Record::blocked("x".into()));
    }
    sink.remember("/r/x//a", &Record::blocked("x".into()));
    sink.remember("/q//a", &Record::blocked("x".into()));
    sink.remember("/r/.//a", &Record::blocked("x".into()));
    let all = ["", "a", "a!", "a/", "a/b", "a/c", "a0", "\u{e000}"];
    assert_eq!(paths(&sink, Range::Prefix(String::new(), None)).await, all);
    assert_eq!(paths(&sink, Range::Prefix(String::new(), Some("a/b".into()))).await, all[5..]);
    assert_eq!(paths(&sink, Range::Prefix("a/".into(), None)).await, all[3..6]);
    assert_eq!(paths(&sink, Range::Exact("a".into())).await, ["a"]);
    assert_eq!(paths(&sink, Range::Exact("\u{e000}".into())).await, ["\u{e000}"]);
    assert_eq!(paths(&sink, Range::Exact("b".into())).await, [""; 0]);
}
