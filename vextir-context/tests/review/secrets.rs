//! What one user or agent can learn about, or do to, what is not for it.

use crate::{hub, told};
use vextir_core::{Context, Error, Level};

/// Errors without the name that was asked for.
fn answer<T>(outcome: Result<T, Error>, name: &str) -> String {
    outcome
        .map_or_else(|error| format!("{:?} {error}", error.kind()).replace(name, "NAME"), |_| "done".into())
}

async fn answers(bob: &Context, folder: &str, name: &str) -> Vec<String> {
    let path = format!("{folder}/{name}");
    vec![
        answer(bob.write(&path, "x").await, name),
        answer(bob.append(&path, "x").await, name),
        answer(bob.patch(&path, serde_json::json!({})).await, name),
        answer(bob.set_guide(&path, "x").await, name),
        answer(bob.move_to("/Shared/ann/Own/x", &path).await, name),
        answer(bob.write(&format!("{path}/below"), "x").await, name),
        answer(bob.edit(&path, []).await, name),
        answer(bob.describe(&path, serde_json::json!({})).await, name),
        answer(bob.remove(&path).await, name),
        answer(bob.restore(&path).await, name),
        answer(bob.grant(&path, "eve", Level::Read).await, name),
        answer(bob.restrict(&path, true).await, name),
    ]
}

/// A document once shared and now not: nothing of it is left to see.
#[tokio::test]
async fn what_is_not_shared_any_more_leaves_no_trace() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/canary", "canary").await.unwrap();
    ann.grant("/Team/canary", "bob", Level::Admin).await.unwrap();
    let mut early = bob.watch("/").await.unwrap();
    let cursor = early.cursor();
    bob.append("/Shared/ann/canary", " and bob").await.unwrap();
    ann.revoke("/Team/canary", "bob").await.unwrap();
    ann.write("/Team/canary", "canary again").await.unwrap();
    let mut seen = format!("{:?}", told(&mut early).await);
    seen += &format!("{:?}", told(&mut bob.watch_from("/", &cursor).await.unwrap()).await);
    for folder in ["/", "/Shared", "/Shared/ann"] {
        seen += &format!("{:?} {:?}", bob.list(folder).await.unwrap(), bob.guides(folder).await.unwrap());
    }
    assert!(!seen.contains("canary"), "{seen}");
    assert_eq!(answers(&bob, "/Shared/ann", "canary").await, answers(&bob, "/Shared/ann", "other").await);
    assert!(bob.history("/Shared/ann/canary", 9).await.is_err());
    assert!(bob.at_version(1).read("/Shared/ann/canary").await.unwrap().is_none());
}
