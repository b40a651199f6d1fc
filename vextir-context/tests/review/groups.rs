//! Groups whose members change.

use crate::{hub, text, told};
use vextir_context::Hub;
use vextir_core::context::Deed;
use vextir_core::{Level, Principal};

#[tokio::test]
async fn who_leaves_a_group_and_comes_back_finds_the_same_place() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/plan", "x").await.unwrap();
    ann.grant("/Team", Principal::Group("staff".into()), Level::Write).await.unwrap();
    for _ in 0..3 {
        hub.add_member("staff", "bob").await.unwrap();
        hub.add_member("staff", "bob").await.unwrap();
        assert_eq!(text(&bob, "/Shared/ann/Team/plan").await.as_deref(), Some("x"));
        hub.remove_member("staff", "bob").await.unwrap();
        assert_eq!(text(&bob, "/Shared/ann/Team/plan").await, None);
        assert!(bob.append("/Shared/ann/Team/plan", "y").await.is_err());
    }
}

#[tokio::test]
async fn who_comes_into_a_group_while_its_folder_is_removed_finds_it_when_it_is_restored() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/plan", "x").await.unwrap();
    ann.grant("/Team", Principal::Group("staff".into()), Level::Read).await.unwrap();
    ann.remove("/Team").await.unwrap();
    hub.add_member("staff", "bob").await.unwrap();
    ann.restore("/Team").await.unwrap();
    assert_eq!(text(&bob, "/Shared/ann/Team/plan").await.as_deref(), Some("x"));
}

#[tokio::test]
async fn who_leaves_a_group_keeps_nothing_of_what_it_gave() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/wages/all", "canary").await.unwrap();
    ann.grant("/Team", Principal::Group("staff".into()), Level::Admin).await.unwrap();
    hub.add_member("staff", "bob").await.unwrap();
    bob.restrict("/Shared/ann/Team/wages", true).await.unwrap();
    hub.remove_member("staff", "bob").await.unwrap();
    assert_eq!(text(&bob, "/Shared/ann/Team/wages/all").await, None);
}

#[tokio::test]
async fn who_comes_into_a_group_or_leaves_it_is_told() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/plan", "x").await.unwrap();
    ann.grant("/Team", Principal::Group("staff".into()), Level::Read).await.unwrap();
    let mut watch = bob.watch("/Shared").await.unwrap();
    hub.add_member("staff", "bob").await.unwrap();
    hub.add_member("staff", "bob").await.unwrap();
    let came: Vec<_> = told(&mut watch).await.into_iter().map(|one| (one.path, one.what)).collect();
    assert_eq!(came, [("/Shared/ann/Team".to_owned(), Deed::Granted)]);
    hub.remove_member("staff", "bob").await.unwrap();
    hub.remove_member("staff", "bob").await.unwrap();
    let went: Vec<_> = told(&mut watch).await.into_iter().map(|one| (one.path, one.what)).collect();
    assert_eq!(went, [("/Shared/ann/Team".to_owned(), Deed::Removed)]);
}

#[tokio::test]
async fn who_restricts_a_folder_by_a_groups_right_keeps_it_as_long_as_the_group() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/wages/inner/all", "x").await.unwrap();
    ann.grant("/Team", Principal::Group("staff".into()), Level::Admin).await.unwrap();
    ann.grant("/Team/wages", "bob", Level::Read).await.unwrap();
    hub.add_member("staff", "bob").await.unwrap();
    for folder in ["wages", "wages/inner"] {
        let path = format!("/Shared/ann/Team/{folder}");
        bob.restrict(&path, true).await.unwrap();
        assert_eq!(bob.access(&path).await.unwrap().unwrap().level, Level::Admin);
    }
    let granted = ann.access("/Team/wages").await.unwrap().unwrap().granted;
    assert_eq!(granted, [(Principal::User("bob".into()), Level::Admin)], "both rights are one to who looks");
    hub.remove_member("staff", "bob").await.unwrap();
    assert_eq!(bob.access("/Shared/ann/wages").await.unwrap().unwrap().level, Level::Read, "its own");
    assert_eq!(text(&bob, "/Shared/ann/wages/inner/all").await, None);
    hub.add_member("staff", "bob").await.unwrap();
    assert_eq!(bob.access("/Shared/ann/wages").await.unwrap().unwrap().level, Level::Read);
    bob.restrict("/Shared/ann/Team", false).await.unwrap();
    ann.revoke("/Team/wages", "bob").await.unwrap();
    assert!(bob.access("/Shared/ann/wages").await.unwrap().is_none());
}

/// A member's places are made in slices, also over a restart.
#[tokio::test]
async fn all_members_of_a_large_group_find_what_is_shared_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = Hub::open(&file).unwrap();
    let ann = hub.context("ann");
    for member in 0..150 {
        hub.add_member("large", format!("user{member}")).await.unwrap();
    }
    for folder in 0..150 {
        ann.write(&format!("/{folder}/x"), "x").await.unwrap();
        ann.grant(&format!("/{folder}"), Principal::Group("large".into()), Level::Read).await.unwrap();
    }
    hub.add_member("large", "new").await.unwrap();
    drop(ann);
    hub.close().await.unwrap();
    let hub = Hub::open(&file).unwrap();
    for user in ["user0", "user149", "new"] {
        let user = hub.context(user);
        while user.list("/Shared/ann").await.unwrap().len() < 150 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(text(&user, "/Shared/ann/149/x").await.as_deref(), Some("x"));
    }
}
