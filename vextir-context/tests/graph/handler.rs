//! What a handler writes into the graph is committed with the rest of it, or not at all.

use crate::{fact, hub, near};
use std::pin::Pin;
use vextir_context::Hub;
use vextir_core::context::graph::{Episode, Graph};
use vextir_core::prelude::*;
use vextir_core::{BoxError, HandlerResult};

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

struct Worker(fn(&Ctx) -> Boxed<'_>);

#[vextir_core::async_trait]
impl Driver for Worker {
    fn manifest(&self) -> Manifest {
        Manifest::new("worker").handles("work")
    }

    async fn handle_event(&self, _event: Event, cx: &Ctx) -> HandlerResult {
        (self.0)(cx).await?;
        Ok(vec![Event::new("done")])
    }
}

async fn handle(hub: &Hub, work: fn(&Ctx) -> Boxed<'_>) -> (Processor, Vec<String>) {
    let app = Processor::builder(hub.clone()).driver(Worker(work)).start().await.unwrap();
    let caused = app.as_user("ann").process_event(Event::new("work")).await.unwrap();
    let told = caused.iter().map(|event| format!("{} {}", event.event_type, event.data.as_json())).collect();
    (app, told)
}

fn note(object: &str) -> Episode {
    Episode::new("note", "handler").key(object).text("@carol").fact(fact("bob", "likes", object))
}

async fn ingest(graph: &Graph, object: &str) -> Result<(), vextir_core::Error> {
    assert!(graph.ingest(note(object)).await?.is_none(), "told when it is committed, and not before");
    Ok(())
}

#[tokio::test]
async fn it_is_there_after_the_settlement_with_who_did_it() {
    let hub = hub();
    let (app, told) = handle(&hub, |cx| {
        Box::pin(async move {
            let graph = cx.context().graph();
            graph.declare_single("likes", true).await?;
            ingest(&graph, "tea").await?;
            cx.context().write("/note", "x").await?;
            assert!(graph.entity(("thing", "bob")).await?.is_none(), "reads are of what is committed");
            assert_eq!(cx.changes().len(), 3);
            Ok(())
        })
    })
    .await;
    assert_eq!(told, ["done null"]);
    let graph = app.context("ann").graph();
    let found = graph.neighbours(("thing", "bob")).await.unwrap();
    let seen = graph.episode(&found.links[0].episodes[0]).await.unwrap().unwrap();
    assert_eq!(seen.driver.as_deref(), Some("worker"));
    let cause = app.bus().find(&"ann".into(), seen.cause.as_ref().unwrap()).await.unwrap().unwrap();
    assert_eq!(cause.event.event_type, "work");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn it_goes_with_the_rest_that_cannot_be_applied() {
    let hub = hub();
    hub.context("ann").write("/doc", "x").await.unwrap();
    let (app, told) = handle(&hub, |cx| {
        Box::pin(async move {
            ingest(&cx.context().graph(), "tea").await?;
            cx.context().write("/doc/below", "a document is no folder").await?;
            Ok(())
        })
    })
    .await;
    assert!(told.len() == 1 && told[0].starts_with("error"), "{told:?}");
    assert!(near(&hub.context("ann").graph(), "bob").await.is_empty());
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn and_takes_the_rest_with_it() {
    let hub = hub();
    let (app, told) = handle(&hub, |cx| {
        Box::pin(async move {
            cx.context().write("/fine", "x").await?;
            let graph = cx.context().graph();
            ingest(&graph, "tea").await?;
            graph.ingest(Episode::new("note", "/nothing").fact(fact("bob", "likes", "coffee"))).await?;
            Ok(())
        })
    })
    .await;
    assert!(told.len() == 1 && told[0].contains("nothing at"), "{told:?}");
    assert!(hub.context("ann").read("/fine").await.unwrap().is_none());
    assert!(near(&hub.context("ann").graph(), "bob").await.is_empty());
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_failed_attempt_leaves_nothing() {
    let hub = hub();
    let (app, told) = handle(&hub, |cx| {
        Box::pin(async move {
            ingest(&cx.context().graph(), "tea").await?;
            cx.context().graph().forget("mail").await?;
            Err(Failure::permanent("no").into())
        })
    })
    .await;
    assert!(told[0].starts_with("error"), "{told:?}");
    assert!(near(&hub.context("ann").graph(), "bob").await.is_empty());
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn it_forgets_a_small_source_and_no_large_one() {
    let hub = hub();
    let graph = hub.context("ann").graph();
    graph.ingest(note("tea")).await.unwrap();
    let (app, told) = handle(&hub, |cx| {
        Box::pin(async move {
            assert!(cx.context().graph().forget("handler").await?.is_none());
            Ok(())
        })
    })
    .await;
    assert_eq!(told, ["done null"]);
    assert!(near(&graph, "bob").await.is_empty());
    for number in 0..201 {
        graph.ingest(note(&number.to_string())).await.unwrap();
    }
    let caused = app.as_user("ann").process_event(Event::new("work")).await.unwrap();
    assert!(caused[0].data.as_json().contains("outside of one"), "{caused:?}");
    assert_eq!(near(&graph, "bob").await.len(), 201);
    app.shutdown().await.unwrap();
}
