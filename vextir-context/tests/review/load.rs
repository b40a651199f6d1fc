//! Many and large things: what they cost those who have nothing to do with them. Costs are compared with those of a
//! small case in the same run, so that the build and the machine do not matter; of several runs the quickest counts, because
//! what else the machine does takes time, and gives none.

use crate::{handle, hub, write};
use serde_json::json;
use std::time::{Duration, Instant};
use vextir_context::Hub;
use vextir_core::{Actor, BoxError, ContextStore, Ctx};

async fn fill(hub: &Hub, folder: &str, count: usize) {
    for part in (0..count).collect::<Vec<_>>().chunks(1_000) {
        let changes = part.iter().map(|number| write(format!("{folder}/{number}"), "x")).collect();
        hub.change(&Actor::user("ann"), changes).await.unwrap();
    }
}

async fn time<T>(work: impl IntoFuture<Output = vextir_core::Result<T>>) -> Duration {
    let began = Instant::now();
    work.await.unwrap();
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_with_many_versions_is_read_as_it_was_in_time() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/x", json!({"n": 0})).await.unwrap();
    for number in 0..2_000 {
        ann.patch("/x", json!({"n": number})).await.unwrap();
    }
    let (mut early, mut late) = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        early = early.min(time(ann.at_version(500).read("/x")).await);
        late = late.min(time(ann.at_version(2_000).read("/x")).await);
    }
    // Four times as many: with the square it would be sixteen times as long.
    assert!(late < early * 8 + Duration::from_millis(50), "{early:?} became {late:?}");
}

#[tokio::test]
async fn a_page_of_changes_of_any_length_is_answered() {
    let hub = hub();
    hub.context("ann").write("/x", "x").await.unwrap();
    let page = hub.changes(&Actor::user("ann"), "/", 0, usize::MAX).await;
    assert_eq!(page.unwrap().changes.len(), 1);
}

#[tokio::test]
async fn a_list_page_of_any_length_is_answered() {
    let hub = hub();
    let ann = hub.context("ann");
    fill(&hub, "/f", 5).await;
    for (limit, count) in [(0, 0), (1, 1), (5, 5), (usize::MAX, 5)] {
        assert_eq!(ann.list_page("/f", "", limit).await.unwrap().len(), count);
    }
}

#[tokio::test]
async fn appends_of_one_handler_cost_the_same_each() {
    async fn run(count: usize) -> Duration {
        let hub = hub();
        let began = Instant::now();
        let told = match count {
            400 => handle(&hub, "ann", |cx| Box::pin(appends(cx, 400))).await,
            _ => handle(&hub, "ann", |cx| Box::pin(appends(cx, 3_200))).await,
        };
        assert_eq!(told, ["done null"]);
        began.elapsed()
    }
    async fn appends(cx: &Ctx, count: usize) -> Result<(), BoxError> {
        for number in 0..count {
            cx.context().append("/log", format!("line {number} of what the handler has to say\n")).await?;
        }
        Ok(())
    }
    let (mut few, mut many) = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        (few, many) = (few.min(run(400).await), many.min(run(3_200).await));
    }
    assert!(many < few * 24, "400 took {few:?}, 3,200 took {many:?}");
}
