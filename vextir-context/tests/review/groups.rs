//! Groups whose members change.

use crate::{hub, text};
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
