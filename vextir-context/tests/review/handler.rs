//! A handler's view of the documents, and what is committed of it.

use crate::{handle, hub, text};

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
