//! Watches that could miss, double or tell too much.

use crate::{hub, told};
use vextir_core::context::Deed;
use vextir_core::{Level, Principal};

#[tokio::test]
async fn a_moved_document_is_told_once_where_it_left_and_where_it_came() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/x", "x").await.unwrap();
    let mut watches = Vec::new();
    for prefix in ["/", "/a", "/b", "/a/x", "/b/x", "/c"] {
        watches.push((prefix, ann.watch(prefix).await.unwrap()));
    }
    ann.write("/b/y", "y").await.unwrap();
    ann.move_to("/a/x", "/b/x").await.unwrap();
    for (prefix, watch) in &mut watches {
        let moves = told(watch).await.into_iter().filter(|one| one.what == Deed::Moved);
        let moves: Vec<_> = moves.map(|one| (one.path, one.from.unwrap_or_default())).collect();
        let expected = if *prefix == "/c" { vec![] } else { vec![("/b/x".to_owned(), "/a/x".to_owned())] };
        assert_eq!(moves, expected, "{prefix}");
    }
}

#[tokio::test]
async fn an_agents_watch_tells_only_what_the_agent_may_read() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/Drafts/x", "x").await.unwrap();
    ann.grant("/Drafts", Principal::Agent("writer".into()), Level::Read).await.unwrap();
    let mut watch = ann.clone().as_agent("writer").watch("/").await.unwrap();
    ann.write("/Private/canary", "canary").await.unwrap();
    ann.move_to("/Private/canary", "/Private/canary2").await.unwrap();
    ann.move_to("/Private/canary2", "/Drafts/y").await.unwrap();
    ann.write("/Drafts/x", "y").await.unwrap();
    let told = told(&mut watch).await;
    assert!(!format!("{told:?}").contains("canary"), "{told:?}");
    assert!(told.iter().any(|one| one.path == "/Drafts/x"));
}
