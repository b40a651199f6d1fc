//! Paths that lead nowhere, or somewhere else.

use crate::{hub, text};
use vextir_core::{ErrorKind, Level};

#[tokio::test]
async fn nobody_puts_a_document_into_anothers_tree_where_its_owner_cannot_reach_it() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/mine", "ann's").await.unwrap();
    ann.grant("/", "bob", Level::Write).await.unwrap();
    let wrote = bob.write("/Shared/ann/Home/Shared/hidden", "x").await;
    let moved = bob.move_to("/Shared/ann/Home/mine", "/Shared/ann/Home/Shared").await;
    let items = ann.list("/").await.unwrap();
    assert!(wrote.is_err() && moved.is_err(), "{items:?}");
}

#[tokio::test]
async fn the_owner_reaches_what_somebody_else_moved_in_its_tree() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/mine", "ann's").await.unwrap();
    ann.grant("/", "bob", Level::Write).await.unwrap();
    drop(bob.move_to("/Shared/ann/Home/mine", "/Shared/ann/Home/Shared/ann/x").await);
    let reached = [text(&ann, "/mine").await, text(&ann, "/Shared/ann/x").await];
    assert!(reached.iter().any(Option::is_some), "{:?}", ann.list("/").await.unwrap());
}

#[tokio::test]
async fn names_of_users_that_look_like_paths_stay_names() {
    let hub = hub();
    let (odd, bob) = (hub.context("../bob"), hub.context("bob"));
    bob.write("/x", "bob's").await.unwrap();
    odd.write("/Team/x", "odd's").await.unwrap();
    assert_eq!(text(&bob, "/x").await.unwrap(), "bob's");
    odd.grant("/Team", "bob", Level::Read).await.unwrap();
    assert_eq!(text(&bob, "/Shared/..%2Fbob/Team/x").await.unwrap(), "odd's");
    assert_eq!(text(&hub.context("new"), "/bob/x").await, None);
    assert!(hub.context("new").history("/bob/x", 9).await.is_err());
    assert!(hub.context("new").restore("/bob").await.is_err());
}

#[tokio::test]
async fn a_root_is_no_document_for_a_new_user_either() {
    let hub = hub();
    let ann = hub.context("ann");
    let outcome = ann.write("/", "x").await;
    assert!(outcome.is_err(), "{outcome:?}, and the guide is {:?}", ann.guide("/").await);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_move_leaves_every_document_at_a_path_that_can_be_asked_for() {
    let hub = hub();
    let ann = hub.context("ann");
    let long = |sign: &str| sign.repeat(250);
    let path = format!("/{}/{}/{}/{}", long("a"), long("b"), long("c"), "d".repeat(60));
    ann.write(&path, "x").await.unwrap();
    let target = format!("/{}/{}", long("t"), long("a"));
    if ann.move_to(&format!("/{}", long("a")), &target).await.is_ok() {
        let moved = format!("{target}/{}/{}/{}", long("b"), long("c"), "d".repeat(60));
        assert!(ann.read(&moved).await.unwrap_or(None).is_some(), "a path of {} bytes", moved.len());
    }
}

#[tokio::test]
async fn all_that_is_shared_can_be_read_by_whom_it_is_shared_with() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    let below = "/d".repeat(31);
    ann.write(&format!("/Team{below}"), "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Read).await.unwrap();
    let read = bob.read(&format!("/Shared/ann/Team{below}")).await;
    assert!(matches!(read, Ok(Some(_))), "{read:?}");
}
