//! What one user or agent can learn about, or do to, what is not for it.

use crate::{handle, hub, told, write};
use vextir_core::context::{Change, Deed, Intent};
use vextir_core::{Actor, Context, ContextStore, Error, Level, Principal};

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

#[tokio::test]
async fn a_reader_hears_the_same_of_a_hidden_name_and_of_a_free_one() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/wages/all", "x").await.unwrap();
    ann.write("/Own/x", "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Read).await.unwrap();
    ann.grant("/Own", "bob", Level::Write).await.unwrap();
    ann.restrict("/Team/wages", true).await.unwrap();
    assert_eq!(
        answers(&bob, "/Shared/ann/Team", "wages").await,
        answers(&bob, "/Shared/ann/Team", "plans").await
    );
}

#[tokio::test]
async fn the_name_of_a_restricted_folder_is_not_told_when_it_is_moved() {
    for to in ["/Open/elsewhere", "/Private/elsewhere"] {
        let hub = hub();
        let (ann, bob) = (hub.context("ann"), hub.context("bob"));
        ann.write("/Open/canary/x", "x").await.unwrap();
        ann.restrict("/Open/canary", true).await.unwrap();
        ann.grant("/Open", "bob", Level::Read).await.unwrap();
        assert!(bob.list("/Shared/ann/Open").await.unwrap().is_empty());
        let mut watch = bob.watch("/").await.unwrap();
        ann.move_to("/Open/canary", to).await.unwrap();
        let told = told(&mut watch).await;
        assert!(!format!("{told:?}").contains("canary"), "{told:?}");
    }
}

#[tokio::test]
async fn an_agents_write_is_checked_also_when_its_user_writes_the_same_document_after_it() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/Private/x", "ann's").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            cx.context().as_agent("writer").write("/Private/x", "the agent's").await?;
            cx.context().describe("/Private/x", serde_json::json!({"seen": true})).await?;
            Ok(())
        })
    })
    .await;
    assert_eq!(crate::text(&ann, "/Private/x").await.unwrap(), "ann's", "{told:?}");
    assert!(told[0].starts_with("error"), "{told:?}");
}

#[tokio::test]
async fn an_agent_that_may_only_read_writes_nothing_through_what_its_user_adds() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/Rules/x", "ann's\n").await.unwrap();
    ann.grant("/Rules", Principal::Agent("writer".into()), Level::Read).await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            cx.context().as_agent("writer").write("/Rules/x", "the agent's\n").await?;
            cx.context().append("/Rules/x", "seen\n").await?;
            Ok(())
        })
    })
    .await;
    assert!(!crate::text(&ann, "/Rules/x").await.unwrap().contains("agent"), "{told:?}");
}

#[tokio::test]
async fn history_names_the_agent_whose_words_stand_in_a_document() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/Drafts/x", "ann's\n").await.unwrap();
    ann.grant("/Drafts", Principal::Agent("writer".into()), Level::Write).await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            cx.context().as_agent("writer").append("/Drafts/x", "the agent's\n").await?;
            cx.context().append("/Drafts/x", "ann's again\n").await?;
            Ok(())
        })
    })
    .await;
    let history = ann.history("/Drafts/x", 9).await.unwrap();
    assert!(history.iter().any(|one| one.by.agent.as_deref() == Some("writer")), "{told:?} {history:?}");
}

#[tokio::test]
async fn an_agent_in_a_handler_does_not_read_what_its_user_writes_where_it_may_not_look() {
    let hub = hub();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            cx.context().write("/Private/x", "canary").await?;
            let seen = cx.context().as_agent("writer").read("/Private/x").await?;
            let items = cx.context().as_agent("writer").list("/Private").await?;
            if seen.is_some() || !items.is_empty() {
                return Err(format!("the agent saw {seen:?} {items:?}").into());
            }
            Ok(())
        })
    })
    .await;
    assert_eq!(told, ["done null"]);
}

#[tokio::test]
async fn an_actor_with_an_agent_never_has_more_rights_than_the_agent() {
    let hub = hub();
    hub.context("ann").write("/Private/x", "ann's").await.unwrap();
    let actor = Actor::user("ann").acting_as(Some("writer".into()));
    let outcome = hub.change(&actor, vec![write("/Private/x", "the agent's")]).await;
    assert!(outcome.is_err(), "{outcome:?}");
    let remove = Change::new("/Private/x", Intent::Remove);
    assert!(hub.change(&actor, vec![remove]).await.is_err());
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
    let mut seen = String::new();
    for watch in [&mut early, &mut bob.watch_from("/", &cursor).await.unwrap()] {
        // That it is gone, under the name that bob knows, and nothing after that.
        let told: Vec<_> = told(watch).await.into_iter().map(|one| (one.path, one.what)).collect();
        assert_eq!(told, [("/Shared/ann/canary".to_owned(), Deed::Removed)]);
    }
    for folder in ["/", "/Shared", "/Shared/ann"] {
        seen += &format!("{:?} {:?}", bob.list(folder).await.unwrap(), bob.guides(folder).await.unwrap());
    }
    assert!(!seen.contains("canary"), "{seen}");
    assert_eq!(answers(&bob, "/Shared/ann", "canary").await, answers(&bob, "/Shared/ann", "other").await);
    assert!(bob.history("/Shared/ann/canary", 9).await.is_err());
    assert!(bob.at_version(1).read("/Shared/ann/canary").await.unwrap().is_none());
}

#[tokio::test]
async fn a_cursor_does_not_count_what_others_do() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    bob.write("/own", "x").await.unwrap();
    let watch = bob.watch("/").await.unwrap();
    let mut cursors = vec![watch.cursor(), watch.cursor(), bob.watch("/").await.unwrap().cursor()];
    for number in 0..3 {
        ann.write(&format!("/{number}"), "x").await.unwrap();
        cursors.push(bob.watch("/").await.unwrap().cursor());
    }
    let texts: Vec<String> = cursors.iter().map(ToString::to_string).collect();
    let parts: std::collections::BTreeSet<&str> =
        texts.iter().flat_map(|text| [&text[..16], &text[16..32], &text[32..]]).collect();
    assert_eq!(
        parts.len(),
        3 * cursors.len(),
        "none looks like another one, whether something happened or not"
    );
    for cursor in &cursors {
        assert!(told(&mut bob.watch_from("/", cursor).await.unwrap()).await.is_empty());
    }
}

/// What is restricted where somebody cannot look, and what was moved there later, is not told as gone.
#[tokio::test]
async fn what_was_never_in_sight_is_not_told_as_gone() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/x", "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Read).await.unwrap();
    let mut early = vec![bob.watch("/").await.unwrap(), bob.watch("/Shared").await.unwrap()];
    // Restricted elsewhere, and moved into sight.
    ann.write("/Private/canary/x", "x").await.unwrap();
    ann.restrict("/Private/canary", true).await.unwrap();
    ann.move_to("/Private/canary", "/Team/canary").await.unwrap();
    ann.restrict("/Team/canary", true).await.unwrap();
    // Within what is restricted, and under a name that it got later.
    ann.write("/Team/wages/x", "x").await.unwrap();
    for watch in &mut early {
        told(watch).await;
    }
    ann.restrict("/Team/wages", true).await.unwrap();
    ann.write("/Team/wages/canary/x", "x").await.unwrap();
    ann.restrict("/Team/wages/canary", true).await.unwrap();
    ann.move_to("/Team/wages", "/Team/canary wages").await.unwrap();
    ann.grant("/Team/canary wages", "eve", Level::Read).await.unwrap();
    ann.revoke("/Team/canary wages", "eve").await.unwrap();
    // Before somebody came into the group.
    ann.write("/Staff/canary/x", "x").await.unwrap();
    ann.grant("/Staff", Principal::Group("staff".into()), Level::Read).await.unwrap();
    ann.restrict("/Staff/canary", true).await.unwrap();
    hub.add_member("staff", "bob").await.unwrap();
    for watch in &mut early {
        let told = told(watch).await;
        assert!(!format!("{told:?}").contains("canary"), "{told:?}");
        assert!(told.iter().any(|one| one.path == "/Shared/ann/Team/wages" && one.what == Deed::Removed));
    }
}

#[tokio::test]
async fn a_version_does_not_tell_of_a_hidden_predecessor() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/x", "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Write).await.unwrap();
    ann.write("/Team/wages/all", "x").await.unwrap();
    ann.restrict("/Team/wages", true).await.unwrap();
    for guide in ["one", "two", "three"] {
        ann.set_guide("/Team/wages", guide).await.unwrap();
    }
    ann.remove("/Team/wages").await.unwrap();
    let written = bob.write("/Shared/ann/Team/wages", "mine").await.unwrap();
    assert_eq!(written.version, Some(1));
}

#[tokio::test]
async fn a_move_does_not_tell_how_deep_hidden_folders_are() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/without/x", "x").await.unwrap();
    ann.write("/Team/with/x", "x").await.unwrap();
    ann.write(&format!("/Team/with/hidden{}", "/d".repeat(20)), "x").await.unwrap();
    ann.restrict("/Team/with/hidden", true).await.unwrap();
    ann.grant("/Team", "bob", Level::Write).await.unwrap();
    let deep = "/e".repeat(15);
    let outcome = |name: &'static str| {
        let (bob, to) = (bob.clone(), format!("/Shared/ann/Team{deep}/{name}"));
        async move { answer(bob.move_to(&format!("/Shared/ann/Team/{name}"), &to).await, name) }
    };
    assert_eq!(outcome("without").await, outcome("with").await);
    let moved = format!("/Team{deep}/with/hidden{}", "/d".repeat(20));
    assert_eq!(crate::text(&ann, &moved).await.as_deref(), Some("x"), "its owner reaches it all the same");
    let deeper = format!("{}/y", moved);
    assert!(
        ann.write(&deeper, "y").await.is_err() && ann.move_to("/Team", &format!("{deep}/t")).await.is_err()
    );
}

#[tokio::test]
async fn restoring_over_a_hidden_removed_folder_brings_back_what_was_removed_before_it() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/x", "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Write).await.unwrap();
    bob.write("/Shared/ann/Team/doc", "bob's").await.unwrap();
    bob.remove("/Shared/ann/Team/doc").await.unwrap();
    ann.write("/Team/doc/secret", "x").await.unwrap();
    ann.restrict("/Team/doc", true).await.unwrap();
    ann.remove("/Team/doc").await.unwrap();
    let restored = bob.restore("/Shared/ann/Team/doc").await;
    assert!(restored.is_ok(), "for bob only his own was ever there: {restored:?}");
}
