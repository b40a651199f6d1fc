//! Paths that lead nowhere, or somewhere else.

use crate::{hub, text};
use vextir_core::Level;

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
