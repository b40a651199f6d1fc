//! What is found by words, by paths and by meaning.

use crate::{exact, hits, paths, stored};
use serde_json::json;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::context::{ContentKind, Context, Why};
use vextir_core::{Clock, ErrorKind, SystemClock};

async fn mail(context: &Context) {
    context
        .write("/Mail/june/printer", "# Invoice\nThe printer was repaired in June, 120 euros.")
        .await
        .unwrap();
    context.write("/Mail/may/hosting", "Invoices for hosting, April and May.").await.unwrap();
    context
        .write(
            "/Mail/june/walk",
            json!({"subject": "A walk", "body": "Shall we walk along the river in June?\nAnn"}),
        )
        .metadata(json!({"from": "ann@example.org", "tags": ["private", "walk"]}))
        .await
        .unwrap();
    context.write("/Notes/Überblick", "Café und Müsli").await.unwrap();
}

#[tokio::test]
async fn words_paths_and_meaning_find_documents() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    mail(&ann).await;

    let found = hits(&ann, "invoice june").await;
    assert_eq!(found[0].path, "/Mail/june/printer");
    assert_eq!((found[0].rank, found[0].title.as_str()), (1, "Invoice"));
    assert!(found[0].why.contains(&Why::Text), "{found:?}");
    assert!(found[0].why.contains(&Why::Path), "june is in the path, and invoice in the title");
    let marked: Vec<&str> = found[0].marks.iter().map(|mark| &found[0].snippet[mark.clone()]).collect();
    assert_eq!(marked, ["Invoice", "June"]);
    assert!(found.iter().map(|hit| hit.rank).eq(1..=found.len()));

    assert_eq!(exact(&ann, "river walk").await, ["/Mail/june/walk"]);
    assert_eq!(exact(&ann, "cafe MUSLI").await, ["/Notes/Überblick"], "accents and case do not matter");
    assert_eq!(exact(&ann, "uberbli").await, ["/Notes/Überblick"], "a piece of a name");
    assert_eq!(exact(&ann, "example.org").await, ["/Mail/june/walk"], "metadata are searched");
    assert_eq!(exact(&ann, "print").await, ["/Mail/june/printer"], "the last word may go on");
    assert_eq!(exact(&ann, "print ").await, ["/Mail/june/printer"], "a piece of its name");
    assert!(exact(&ann, "repai ").await.is_empty(), "a space ends the word");
    assert_eq!(
        exact(&ann, "hosting unheard").await,
        ["/Mail/may/hosting"],
        "some words are better than nothing"
    );

    let near = ann.search("invoices for a printer").meaning_only().fresh().await.unwrap();
    assert!(near.iter().any(|hit| hit.path == "/Mail/june/printer"), "{near:?}");
    assert!(near.iter().all(|hit| hit.why == [Why::Meaning]));
}

#[tokio::test]
async fn what_is_not_asked_for_crowds_out_nothing_by_its_name() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    for number in 0..401 {
        ann.write(&format!("/{number}/plan"), "x").await.unwrap();
    }
    ann.write("/last/plan", json!({"y": 1})).await.unwrap();
    let found = ann.search("plan").kind(ContentKind::Json).text_only().fresh().await.unwrap();
    assert_eq!(found.iter().map(|hit| hit.path.as_str()).collect::<Vec<_>>(), ["/last/plan"]);
}

#[tokio::test]
async fn filters_narrow_each_arm() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    mail(&ann).await;
    let search = || ann.search("june").limit(50).fresh();
    let paths = async |search: vextir_core::context::Searching| -> Vec<String> {
        let mut paths: Vec<String> = search.await.unwrap().into_iter().map(|hit| hit.path).collect();
        paths.sort();
        paths
    };
    assert_eq!(paths(search()).await, ["/Mail/june/printer", "/Mail/june/walk"]);
    assert_eq!(paths(search().kind(ContentKind::Json)).await, ["/Mail/june/walk"]);
    assert_eq!(paths(search().kind(ContentKind::Text)).await, ["/Mail/june/printer"]);
    assert_eq!(paths(search().under("/Mail/june")).await.len(), 2);
    assert_eq!(paths(search().under("/Mail/june/walk")).await, ["/Mail/june/walk"]);
    assert!(paths(search().under("/Mail/ju")).await.is_empty(), "a path is no prefix of letters");
    assert_eq!(search().under("/Mail/june/").await.unwrap_err().kind(), ErrorKind::Invalid);
    assert!(paths(search().under("/Nowhere")).await.is_empty());
    assert_eq!(paths(search().metadata("from", "ann@example.org")).await, ["/Mail/june/walk"]);
    assert_eq!(paths(search().metadata("tags", "walk")).await, ["/Mail/june/walk"]);
    assert!(paths(search().metadata("from", "bob").metadata("tags", "walk")).await.is_empty());
    assert!(paths(search().metadata("from", json!(null))).await.is_empty());
    let later = SystemClock.now().after(Duration::from_secs(60));
    assert!(paths(search().since(later)).await.is_empty());
    assert_eq!(paths(search().until(later)).await.len(), 2);
    assert!(paths(search().limit(0)).await.is_empty());
    assert_eq!(paths(search().limit(1)).await.len(), 1);
}

#[tokio::test]
async fn what_is_typed_is_data() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    mail(&ann).await;
    for text in [
        "",
        " ",
        "\"",
        "'",
        "*",
        "(",
        "title:",
        "body: x",
        "a AND",
        "NOT",
        "NEAR(a b)",
        "x OR y",
        "-june",
        "^a",
        "\0",
        "{title body}: june",
        "\"june",
        "june\"*",
        "a + b",
        "search_words",
        "é\u{301}\u{301}",
        "\u{202e}",
        "🦀",
    ] {
        let found = ann.search(text).fresh().limit(1_000_000).await;
        assert!(found.is_ok(), "{text:?}: {found:?}");
    }
    assert!(exact(&ann, "title: \"repaired\" NOT june").await.contains(&"/Mail/june/printer".to_owned()));
    let longest = "x".repeat(1_024);
    assert!(ann.search(longest.as_str()).await.unwrap().is_empty());
    assert_eq!(ann.search("x".repeat(1_025)).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(ann.search("x").under("/a/../../b").await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(ann.at(SystemClock.now()).search("june").await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn long_and_empty_documents_are_found() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    let filler = "word ".repeat(40_000);
    ann.write("/long", format!("{filler} needle {filler} haystack")).await.unwrap();
    ann.write("/empty", "").await.unwrap();
    ann.write("/null", json!(null)).await.unwrap();
    let found = ann.search("needle").text_only().fresh().await.unwrap();
    assert_eq!(found[0].path, "/long");
    assert_eq!(&found[0].snippet[found[0].marks[0].clone()], "needle");
    assert_eq!(exact(&ann, "haystack").await, ["/long"]);
    assert_eq!(exact(&ann, "empty").await, ["/empty"]);
    ann.write("/long", "short").await.unwrap();
    assert!(exact(&ann, "haystack").await.is_empty(), "all parts of the old text are gone");
    assert_eq!(exact(&ann, "short").await, ["/long"]);
}

#[tokio::test]
async fn a_hub_in_memory_is_searched_too() {
    let hub = Hub::in_memory().unwrap();
    let ann = hub.context("ann");
    mail(&ann).await;
    assert_eq!(paths(&ann, "river walk").await[0], "/Mail/june/walk");
    assert!(ann.search("river").found().await.unwrap().by_meaning);
}

#[tokio::test]
async fn a_user_without_documents_finds_nothing() {
    let (_folder, hub) = stored();
    let found = hub.context("nobody").search("june").fresh().found().await.unwrap();
    assert!(found.hits.is_empty() && found.behind == 0 && !found.rebuilding);
    mail(&hub.context("ann")).await;
    assert!(hits(&hub.context("nobody"), "june").await.is_empty());
}

#[tokio::test]
async fn what_drivers_keep_for_themselves_is_found_by_its_name_alone() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    ann.write("/System/Agents/helper-17", json!({"messages": ["the river is deep"]})).await.unwrap();
    ann.write("/Systems/river", "the river is deep").await.unwrap();
    assert_eq!(exact(&ann, "deep").await, ["/Systems/river"]);
    assert_eq!(exact(&ann, "helper").await, ["/System/Agents/helper-17"]);
    let near = ann.search("a deep river").meaning_only().fresh().await.unwrap();
    assert!(near.iter().all(|hit| hit.path == "/Systems/river"), "{near:?}");
    // What goes there is forgotten, and what comes back is found again.
    ann.move_to("/Systems/river", "/System/river").await.unwrap();
    assert!(exact(&ann, "deep").await.is_empty());
    ann.move_to("/System/river", "/Systems/river").await.unwrap();
    assert_eq!(exact(&ann, "deep").await, ["/Systems/river"]);
}
