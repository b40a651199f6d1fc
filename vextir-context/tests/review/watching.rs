//! Watches that could miss, double or tell too much.

use crate::{hub, told};
use vextir_context::Hub;
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

#[tokio::test]
async fn a_watch_goes_on_when_a_folder_further_up_is_shared_too() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/a/Notes/x", "one").await.unwrap();
    ann.grant("/a/Notes", "bob", Level::Read).await.unwrap();
    let mut watch = bob.watch("/Shared/ann/Notes").await.unwrap();
    ann.write("/a/Notes/x", "two").await.unwrap();
    assert_eq!(told(&mut watch).await.len(), 1);
    ann.grant("/a", "bob", Level::Read).await.unwrap();
    ann.write("/a/Notes/x", "three").await.unwrap();
    assert!(bob.read("/Shared/ann/Notes/x").await.unwrap().is_some(), "it is still there");
    assert_eq!(told(&mut watch).await.len(), 1);
}

#[tokio::test]
async fn a_cursor_from_after_a_restored_backup_is_refused_or_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (file, backup) = (folder.path().join("hub.db"), folder.path().join("backup.db"));
    let hub = Hub::open(&file).unwrap();
    hub.context("ann").write("/before", "x").await.unwrap();
    hub.close().await.unwrap();
    std::fs::copy(&file, &backup).unwrap();
    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    for number in 0..5 {
        ann.write(&format!("/lost{number}"), "x").await.unwrap();
    }
    let cursor = ann.watch("/").await.unwrap().cursor();
    drop(ann);
    hub.close().await.unwrap();
    std::fs::copy(&backup, &file).unwrap();
    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    for number in 0..7 {
        ann.write(&format!("/new{number}"), "x").await.unwrap();
    }
    if let Ok(mut watch) = ann.watch_from("/", &cursor).await {
        let mut seen = 0;
        while let Ok(Some(next)) =
            tokio::time::timeout(std::time::Duration::from_millis(100), watch.next()).await
        {
            match next {
                Ok(_) => seen += 1,
                Err(_) => return,
            }
        }
        assert_eq!(seen, 7, "and no error told of the rest");
    }
}

#[tokio::test]
async fn what_goes_out_of_sight_by_a_revocation_or_a_restriction_is_told_as_gone() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/sub/x", "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Read).await.unwrap();
    let mut watch = bob.watch("/Shared").await.unwrap();
    ann.restrict("/Team/sub", true).await.unwrap();
    let restricted = told(&mut watch).await;
    ann.revoke("/Team", "bob").await.unwrap();
    let revoked = told(&mut watch).await;
    assert!(bob.list("/Shared").await.unwrap().is_empty());
    assert!(!restricted.is_empty() && !revoked.is_empty(), "{restricted:?} {revoked:?}");
}

#[tokio::test]
async fn what_comes_into_sight_by_a_grant_is_told() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/x", "x").await.unwrap();
    let mut watch = bob.watch("/Shared").await.unwrap();
    ann.grant("/Team", "bob", Level::Read).await.unwrap();
    assert!(!told(&mut watch).await.is_empty());
}

#[tokio::test]
async fn a_document_written_before_its_folder_was_removed_is_told_after_the_folder_came_back() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/old", "x").await.unwrap();
    let mut watch = ann.watch("/a").await.unwrap();
    ann.write("/a/new", "x").await.unwrap();
    ann.remove("/a").await.unwrap();
    let mut seen = told(&mut watch).await;
    ann.restore("/a").await.unwrap();
    seen.extend(told(&mut watch).await);
    assert!(seen.iter().any(|one| one.path == "/a/new"), "{seen:?}");
}
