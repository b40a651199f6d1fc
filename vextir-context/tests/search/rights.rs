//! What a user may not see is not found: no hit, no count, no hint, through no arm.

use crate::{paths, stored};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::context::{Context, Found, Searching};
use vextir_core::{Level, Principal};

const CANARY: &str = "canaryword";

/// All ways to ask for a text.
fn ways(context: &Context, text: &str) -> Vec<Searching> {
    let search = || context.search(text).limit(1_000_000);
    vec![
        search(),
        search().text_only(),
        search().meaning_only(),
        search().under("/"),
        search().under("/Shared"),
        search().under("/Secrets"),
        search().under("/Shared/ann/Secrets"),
        search().metadata("label", CANARY),
    ]
}

/// Everything that somebody hears who looks for the canary.
async fn heard(context: &Context) -> Vec<Found> {
    let mut heard = Vec::new();
    for text in
        [CANARY, "canary", "can", "a canaryword in a secret document", "Secrets", "secret label", "report"]
    {
        for way in ways(context, text) {
            heard.push(way.fresh().found().await.unwrap());
        }
    }
    heard
}

async fn assert_silence(context: &Context, when: &str) {
    for found in heard(context).await {
        assert!(found.hits.iter().all(|hit| !hit.path.contains("ecret")), "{when}: {found:?}");
        let told = format!("{found:?}").to_lowercase();
        assert!(!told.contains("canary") && found.behind == 0 && !found.rebuilding, "{when}: {found:?}");
    }
}

async fn assert_found(context: &Context, when: &str) {
    for only in [|search: Searching| search.text_only(), |search: Searching| search.meaning_only()] {
        let found = only(context.search(CANARY)).fresh().await.unwrap();
        assert!(!found.is_empty() && found[0].snippet.contains(CANARY), "{when}: {found:?}");
    }
}

async fn secrets(hub: &Hub) -> Context {
    let ann = hub.context("ann");
    ann.write("/Secrets/canary report", format!("{CANARY} report"))
        .metadata(serde_json::json!({"label": CANARY, "title": format!("The {CANARY}")}))
        .await
        .unwrap();
    ann.write("/open", "nothing to see").await.unwrap();
    hub.context("bob").write("/mine", "a report of my own").await.unwrap();
    ann
}

#[tokio::test]
async fn a_canary_is_heard_only_while_it_is_shared() {
    let (_folder, hub) = stored();
    let ann = secrets(&hub).await;
    let bob = hub.context("bob");
    assert_found(&ann, "the owner").await;
    assert_silence(&bob, "never shared").await;
    assert_silence(&hub.context("nobody"), "nobody").await;

    ann.grant("/Secrets", "bob", Level::Read).await.unwrap();
    assert_found(&bob, "granted").await;
    assert_eq!(paths(&bob, CANARY).await, ["/Shared/ann/Secrets/canary report"]);
    ann.revoke("/Secrets", "bob").await.unwrap();
    assert_silence(&bob, "revoked").await;

    ann.grant("/Secrets/canary report", "bob", Level::Read).await.unwrap();
    assert_found(&bob, "the document alone").await;
    assert_eq!(paths(&bob, CANARY).await, ["/Shared/ann/canary report"]);
    ann.revoke("/Secrets/canary report", "bob").await.unwrap();
    assert_silence(&bob, "the document revoked").await;

    ann.grant("/Secrets", Principal::Group("team".into()), Level::Read).await.unwrap();
    assert_silence(&bob, "not in the group").await;
    hub.add_member("team", "bob").await.unwrap();
    assert_found(&bob, "in the group").await;
    hub.remove_member("team", "bob").await.unwrap();
    assert_silence(&bob, "out of the group").await;
}

#[tokio::test]
async fn moves_restrictions_and_removals_hold_at_once() {
    let (_folder, hub) = stored();
    let ann = secrets(&hub).await;
    let bob = hub.context("bob");
    ann.write("/Team/plan", "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Read).await.unwrap();
    crate::hits(&ann, CANARY).await;

    // None of these waits for the index.
    let found = async |context: &Context| {
        let mut counts = Vec::new();
        for search in [context.search(CANARY).text_only(), context.search(CANARY).meaning_only()] {
            counts.push(search.await.unwrap().len());
        }
        counts
    };
    assert_eq!(found(&bob).await, [0, 0]);
    ann.move_to("/Secrets", "/Team/inside").await.unwrap();
    assert_eq!(found(&bob).await, [1, 1], "moved to where bob may read");
    ann.restrict("/Team/inside", true).await.unwrap();
    assert_eq!(found(&bob).await, [0, 0], "restricted");
    assert_eq!(found(&ann).await, [1, 1]);
    ann.restrict("/Team/inside", false).await.unwrap();
    ann.move_to("/Team/inside/canary report", "/Private/canary report").await.unwrap();
    assert_eq!(found(&bob).await, [0, 0], "moved away");
    assert_eq!(found(&ann).await, [1, 1]);
    ann.move_to("/Private/canary report", "/Team/canary report").await.unwrap();
    assert_eq!(found(&bob).await, [1, 1], "and back");
    ann.remove("/Team/canary report").await.unwrap();
    assert_eq!((found(&bob).await, found(&ann).await), (vec![0, 0], vec![0, 0]), "removed");
    ann.restore("/Team/canary report").await.unwrap();
    assert_found(&bob, "restored").await;
    ann.remove("/Team").await.unwrap();
    assert_eq!((found(&bob).await, found(&ann).await), (vec![0, 0], vec![0, 0]), "removed with its folder");
    ann.restore("/Team").await.unwrap();
    assert_eq!(found(&bob).await, [1, 1]);
}

#[tokio::test]
async fn an_agent_finds_what_both_may_read() {
    let (_folder, hub) = stored();
    let ann = secrets(&hub).await;
    let agent = ann.clone().as_agent("writer");
    assert_silence(&agent, "no scope").await;
    ann.grant("/open", Principal::Agent("writer".into()), Level::Read).await.unwrap();
    assert_silence(&agent, "another scope").await;
    assert_eq!(paths(&agent, "nothing to see").await, ["/open"]);
    ann.grant("/Secrets", Principal::Agent("writer".into()), Level::Read).await.unwrap();
    assert_found(&agent, "in scope").await;
    let bob = hub.context("bob");
    assert_silence(&bob.clone().as_agent("writer"), "for somebody else").await;
    ann.grant("/", "bob", Level::Read).await.unwrap();
    assert_found(&bob.as_agent("writer"), "for somebody who may").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_heard_while_others_write_and_the_index_follows() {
    let (_folder, hub) = stored();
    secrets(&hub).await;
    let bob = hub.context("bob");
    crate::hits(&bob, "report").await;
    let rounds = Arc::new(AtomicUsize::new(0));
    let writing = {
        let (ann, rounds) = (hub.context("ann"), rounds.clone());
        tokio::spawn(async move {
            let mut written = 0;
            // Until somebody listened meanwhile.
            while written < 150 || (written < 900 && rounds.load(Ordering::Relaxed) == 0) {
                let path = format!("/Secrets/canary {written}");
                ann.write(&path, format!("{CANARY} {written}")).await.unwrap();
                written += 1;
            }
            written
        })
    };
    while !writing.is_finished() {
        for way in ways(&bob, CANARY) {
            let found = way.found().await.unwrap();
            let told = format!("{found:?}").to_lowercase();
            assert!(found.behind == 0 && !told.contains("canary"), "{found:?}");
        }
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    let written = writing.await.unwrap();
    assert!(rounds.load(Ordering::Relaxed) > 0, "nobody listened");
    let ann = hub.context("ann");
    let found = ann.search(CANARY).text_only().limit(1_000).fresh().await.unwrap();
    assert_eq!(found.len(), written + 1);
    assert_silence(&bob, "afterwards").await;
}

#[tokio::test]
async fn many_hidden_documents_do_not_crowd_out_what_may_be_read() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    for number in 0..600 {
        ann.write(&format!("/Hidden/{number}"), "common words of all documents").await.unwrap();
    }
    ann.write("/Open/one", "common words of all documents, and some more of them here").await.unwrap();
    ann.grant("/Open", "bob", Level::Read).await.unwrap();
    let bob = hub.context("bob");
    for search in
        [bob.search("common words of all").text_only(), bob.search("common words of all").meaning_only()]
    {
        let found = search.fresh_within(Duration::from_secs(60)).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].rank, 1);
    }
}
