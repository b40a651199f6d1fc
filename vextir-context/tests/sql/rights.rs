//! Whose rows a query sees.

use crate::{column, stored};
use serde_json::{Value, json};
use vextir_core::{Context, Event, EventBusExt, Level, Principal};

const PATHS: &str = "SELECT path FROM documents ORDER BY path";

async fn paths(context: &Context) -> Vec<Value> {
    column(context, PATHS).await
}

#[tokio::test]
async fn shared_folders_are_there_under_the_paths_of_who_asks() {
    let (_folder, hub) = stored();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Clients/Acme/plan", "x").await.unwrap();
    ann.write("/Clients/canary", "x").await.unwrap();
    bob.write("/own", "x").await.unwrap();
    assert_eq!(paths(&bob).await, ["/own"]);
    ann.grant("/Clients/Acme", "bob", Level::Read).await.unwrap();
    assert_eq!(paths(&bob).await, ["/Shared/ann/Acme/plan", "/own"]);
    let rows = bob.query("SELECT permissions AS p FROM documents ORDER BY path").await.unwrap();
    assert_eq!(rows, [json!({"p": "read"}), json!({"p": "admin"})]);
    let rows = bob.query("SELECT path, parent_id AS p, name FROM folders WHERE name = 'Acme'").await.unwrap();
    assert_eq!(
        rows,
        [json!({"path": "/Shared/ann/Acme", "p": null, "name": "Acme"})],
        "what is above is not told"
    );
    assert!(column(&bob, "SELECT path FROM documents WHERE path = '/Clients/Acme/plan'").await.is_empty());

    ann.move_to("/Clients/Acme", "/Archive/Acme 2").await.unwrap();
    assert_eq!(paths(&bob).await, ["/Shared/ann/Acme/plan", "/own"], "a move changes nothing for others");
    ann.grant("/Archive/Acme 2/plan", "bob", Level::Write).await.unwrap();
    assert_eq!(paths(&bob).await, ["/Shared/ann/Acme/plan", "/own"], "shared twice, there once");
    let levels = "SELECT permissions FROM documents WHERE path LIKE '/Shared/%'";
    assert_eq!(column(&bob, levels).await, ["write"]);
    ann.revoke("/Archive/Acme 2", "bob").await.unwrap();
    assert_eq!(paths(&bob).await, ["/Shared/ann/plan", "/own"]);
    ann.remove("/Archive").await.unwrap();
    assert_eq!(paths(&bob).await, ["/own"]);
    ann.restore("/Archive").await.unwrap();
    ann.revoke("/Archive/Acme 2/plan", "bob").await.unwrap();
    assert_eq!(paths(&bob).await, ["/own"]);
}

#[tokio::test]
async fn an_id_of_another_finds_nothing_before_and_after_it_was_shared() {
    let (_folder, hub) = stored();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/a/b", "x").await.unwrap();
    let id = column(&ann, "SELECT id FROM documents").await.remove(0);
    let sql = "SELECT path, (SELECT count(*) FROM history AS h WHERE h.id = ?1) AS steps FROM documents WHERE id = ?1";
    let ask = || async { bob.query(sql).params([id.clone()]).await.unwrap() };
    assert!(ask().await.is_empty());
    ann.grant("/a", "bob", Level::Read).await.unwrap();
    assert_eq!(ask().await, [json!({"path": "/Shared/ann/a/b", "steps": 1})]);
    ann.restrict("/a", true).await.unwrap();
    assert_eq!(ask().await.len(), 1, "the grant is on the folder itself");
    ann.revoke("/a", "bob").await.unwrap();
    assert!(ask().await.is_empty());
    ann.grant("/a", "bob", Level::Read).await.unwrap();
    ann.remove("/a/b").await.unwrap();
    assert!(ask().await.is_empty());
    for id in ["", "0", "é", &"f".repeat(32), &"+".repeat(32), &"F".repeat(32)] {
        assert!(ann.query("SELECT 1 FROM documents WHERE id = ?").params([id]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_restricted_folder_is_cut_off_and_what_is_shared_in_it_stands_alone() {
    let (_folder, hub) = stored();
    let (ann, eve) = (hub.context("ann"), hub.context("eve"));
    ann.write("/Team/wages/all", "canary").await.unwrap();
    ann.write("/Team/wages/mine", "x").await.unwrap();
    ann.write("/Team/news", "x").await.unwrap();
    ann.grant("/Team", "eve", Level::Write).await.unwrap();
    ann.restrict("/Team/wages", true).await.unwrap();
    assert_eq!(paths(&eve).await, ["/Shared/ann/Team/news"]);
    assert_eq!(column(&eve, "SELECT name FROM folders").await, ["Team"]);
    ann.grant("/Team/wages/mine", "eve", Level::Read).await.unwrap();
    assert_eq!(paths(&eve).await, ["/Shared/ann/Team/news", "/Shared/ann/mine"], "the folder is not named");
    let what = "SELECT DISTINCT what FROM history ORDER BY what";
    assert_eq!(column(&eve, what).await, ["created"], "grants are for administrators");
    assert_eq!(column(&ann, what).await, ["created", "granted", "restricted"]);
}

#[tokio::test]
async fn an_agent_sees_what_both_may_and_no_events() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    let agent = ann.clone().as_agent("writer");
    ann.write("/Drafts/deep/one", "x").await.unwrap();
    ann.write("/Private/canary", "x").await.unwrap();
    hub.emit(Event::new("a.b").with_user("ann")).await.unwrap();
    assert!(paths(&agent).await.is_empty());
    ann.grant("/Drafts/deep", Principal::Agent("writer".into()), Level::Read).await.unwrap();
    assert_eq!(paths(&agent).await, ["/Drafts/deep/one"]);
    let rows = agent.query("SELECT path, parent_id FROM folders").await.unwrap();
    assert_eq!(rows, [json!({"path": "/Drafts/deep", "parent_id": null})]);
    assert!(column(&agent, "SELECT id FROM events").await.is_empty());
    assert_eq!(column(&ann, "SELECT type FROM events").await, ["a.b"]);
    assert!(column(&hub.context("bob"), "SELECT type FROM events").await.is_empty());
}

#[tokio::test]
async fn events_of_others_are_not_there_by_their_id_either() {
    let (_folder, hub) = stored();
    let ours = hub.emit(Event::new("a.b").with_user("ann")).await.unwrap();
    let sql = "SELECT type FROM events WHERE id = ?";
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    assert_eq!(ann.query(sql).params([ours.to_string()]).await.unwrap().len(), 1);
    assert!(bob.query(sql).params([ours.to_string()]).await.unwrap().is_empty());
}
