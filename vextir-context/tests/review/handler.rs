//! A handler's view of the documents, and what is committed of it.

use crate::{handle, hub, text};
use vextir_core::Level;
use vextir_core::context::ItemKind;

#[tokio::test]
#[ignore = "found by review: two paths of one document are merged apart, the second always loses the race with the first, and the settlement is tried for ever"]
async fn a_handler_that_writes_one_document_by_two_paths_is_settled() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/Notes/x", "").await.unwrap();
    ann.grant("/a/Notes", "bob", Level::Write).await.unwrap();
    ann.grant("/a", "bob", Level::Write).await.unwrap();
    let told = handle(&hub, "bob", |cx| {
        Box::pin(async move {
            cx.context().append("/Shared/ann/Notes/x", "one\n").await?;
            cx.context().append("/Shared/ann/a/Notes/x", "two\n").await?;
            Ok(())
        })
    })
    .await;
    assert_eq!(
        (told, text(&ann, "/a/Notes/x").await.unwrap()),
        (vec!["done null".into()], "one\ntwo\n".into())
    );
}

#[tokio::test]
#[ignore = "found by review: the race is with itself, and the answer after 64 tries is to try again"]
async fn changes_of_one_document_by_two_paths_are_applied_or_refused_for_good() {
    use vextir_core::{Actor, ContextStore, ErrorKind};
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/Notes/x", "").await.unwrap();
    ann.grant("/a/Notes", "bob", Level::Write).await.unwrap();
    ann.grant("/a", "bob", Level::Write).await.unwrap();
    let changes = vec![crate::write("/Shared/ann/Notes/x", "1"), crate::write("/Shared/ann/a/Notes/x", "2")];
    if let Err(error) = hub.change(&Actor::user("bob"), changes).await {
        assert_ne!(error.kind(), ErrorKind::Unavailable, "trying again does not help: {error}");
    }
}

#[tokio::test]
#[ignore = "found by review: the overlay takes what comes from another folder for a document"]
async fn a_folder_that_a_handler_moves_into_another_is_listed_as_a_folder() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/c/y", "y").await.unwrap();
    ann.write("/b/x", "x").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            let context = cx.context();
            context.move_to("/a/c", "/b/c").await?;
            let items = context.list("/b").await?;
            match items.iter().find(|item| item.path == "/b/c") {
                Some(item) if item.kind == ItemKind::Folder => Ok(()),
                other => Err(format!("{other:?}").into()),
            }
        })
    })
    .await;
    assert_eq!(told, ["done null"]);
}

#[tokio::test]
#[ignore = "found by review: the overlay leaves restorations out of reads and lists"]
async fn a_handler_sees_what_it_restored() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/x", "x").await.unwrap();
    ann.remove("/a/x").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            let context = cx.context();
            context.restore("/a/x").await?;
            let (read, items) = (context.read("/a/x").await?, context.list("/a").await?);
            if read.is_none() || items.is_empty() {
                return Err(format!("{read:?} {items:?}").into());
            }
            Ok(())
        })
    })
    .await;
    assert_eq!(told, ["done null"]);
}

#[tokio::test]
#[ignore = "found by review: an append after a restoration is taken in by the handler and refused for good at settling"]
async fn a_handler_that_removes_and_restores_sees_what_is_committed() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/x", "x").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            let context = cx.context();
            context.remove("/a").await?;
            context.restore("/a").await?;
            context.append("/a/x", "y").await?;
            Ok(())
        })
    })
    .await;
    assert_eq!((told, text(&ann, "/a/x").await.unwrap()), (vec!["done null".into()], "xy".into()));
}

#[tokio::test]
async fn a_document_that_a_handler_overwrites_without_reading_it_keeps_its_metadata_in_both_views() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/x", "old").metadata(serde_json::json!({"m": 1})).await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            let context = cx.context();
            context.write("/x", "new").await?;
            let seen = context.read("/x").await?.unwrap();
            (seen.metadata == serde_json::json!({"m": 1})).then_some(()).ok_or("metadata are gone".into())
        })
    })
    .await;
    assert_eq!(told, ["done null"]);
    assert_eq!(ann.read("/x").await.unwrap().unwrap().metadata, serde_json::json!({"m": 1}));
}

#[tokio::test]
async fn what_cannot_be_merged_takes_the_outputs_of_its_settlement_along() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/doc", "x").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            cx.context().write("/fine", "x").await?;
            cx.context().write("/doc/below", "x").await?;
            Ok(())
        })
    })
    .await;
    assert!(told.len() == 1 && told[0].starts_with("error"), "{told:?}");
    assert_eq!(text(&ann, "/fine").await, None);
}

#[tokio::test]
#[ignore = "found by review: the base of a write is a number without a document, so one that took the path meanwhile is replaced unmerged"]
async fn a_handler_does_not_overwrite_another_document_than_the_one_that_it_read() {
    use tokio::sync::Semaphore;
    static READ: Semaphore = Semaphore::const_new(0);
    static MOVED: Semaphore = Semaphore::const_new(0);
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/x", "first\n").await.unwrap();
    let work = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            let read = cx.context().read("/x").await?.unwrap();
            READ.add_permits(1);
            MOVED.acquire().await?.forget();
            cx.context().write("/x", format!("{}mine\n", read.content.to_text())).await?;
            Ok(())
        })
    });
    let (told, ()) = tokio::join!(work, async {
        READ.acquire().await.unwrap().forget();
        ann.move_to("/x", "/away").await.unwrap();
        ann.write("/x", "another\n").await.unwrap();
        MOVED.add_permits(1);
    });
    let now = text(&ann, "/x").await.unwrap();
    assert!(now.contains("another") || told[0].starts_with("error"), "{now:?} {told:?}");
}

#[tokio::test]
async fn an_agent_that_writes_where_it_may_not_look_is_refused_for_good() {
    let hub = hub();
    hub.context("ann").write("/Private/x", "ann's").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            cx.context().as_agent("writer").write("/Private/x", "the agent's").await?;
            Ok(())
        })
    })
    .await;
    assert!(told[0].contains("there is nothing at"), "{told:?}");
}

#[tokio::test]
#[ignore = "found by review: a list with one own change in it has no times at all"]
async fn a_list_in_a_handler_tells_the_times_of_what_it_did_not_touch() {
    let hub = hub();
    hub.context("ann").write("/a/old", "x").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            cx.context().write("/a/new", "x").await?;
            let items = cx.context().list("/a").await?;
            let old = items.iter().find(|item| item.path == "/a/old").map(|item| item.updated);
            (old.is_some_and(|at| at > vextir_core::Timestamp::UNSET))
                .then_some(())
                .ok_or(format!("{old:?}").into())
        })
    })
    .await;
    assert_eq!(told, ["done null"]);
}
