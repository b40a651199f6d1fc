//! The log's order decides what stands behind what, whichever was handled first.

use super::{HOUR, Watch, overdue, paid, sent};
use crate::monday;
use std::collections::BTreeSet;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::prelude::*;
use vextir_core::schedule::Deadline;
use vextir_core::{AuthorizeRequest, Authorizer, Result, Start, Verdict, async_trait};

/// Takes its time with what the driver says of beginnings (true) or answers.
#[derive(Debug)]
struct Hesitates(bool);

#[async_trait]
impl Authorizer for Hesitates {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict> {
        if request.event.data.value()["begins"] == json!(self.0) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(Verdict::Allow)
    }
}

async fn hesitating(about_beginnings: bool) -> Watch {
    let clock = monday();
    let builder = Processor::builder(Hub::in_memory().unwrap()).clock(clock.clone());
    let app = builder.authorizer(Hesitates(about_beginnings)).driver(overdue()).start().await.unwrap();
    let told = app.subscribe_from("told", Start::Beginning).await.unwrap();
    Watch { app, clock, told }
}

#[tokio::test]
async fn an_answer_that_is_handled_before_its_beginning_counts() {
    let mut watch = hesitating(true).await;
    watch.comes(paid("before")).await;
    watch.app.emit_all(vec![sent("A"), sent("before"), paid("A"), paid("B")]).await.unwrap();
    watch.app.idle().await;
    assert_eq!(watch.waiting("local", "overdue").await, ["before"], "what came before it is no answer");
    watch.clock.advance(HOUR);
    assert_eq!(watch.key().await, "before");
    watch.quiet().await;
}

#[tokio::test]
async fn an_answer_that_is_handled_late_does_not_answer_what_began_behind_it() {
    let mut watch = hesitating(false).await;
    watch.app.emit_all(vec![sent("A"), paid("A"), sent("A")]).await.unwrap();
    watch.app.idle().await;
    assert_eq!(watch.waiting("local", "overdue").await, ["A"]);
    watch.comes(paid("A")).await;
    assert!(watch.waiting("local", "overdue").await.is_empty());
    watch.clock.advance(HOUR);
    watch.quiet().await;
}

#[tokio::test]
async fn many_keys_at_once_keep_apart() {
    let mut watch = Watch::new(overdue()).await;
    let come = |n| [sent(&format!("{n}")), paid(&format!("{n}")), sent(&format!("again-{n}"))];
    watch.app.emit_all((0..100).flat_map(come).collect()).await.unwrap();
    watch.app.idle().await;
    watch.clock.advance(HOUR);
    let mut told = BTreeSet::new();
    for _ in 0..100 {
        assert!(told.insert(watch.key().await));
    }
    assert!(told.iter().all(|key| key.starts_with("again-")), "{told:?}");
    watch.quiet().await;
}

/// Two that listen to everything: their own events and timers are not what they listen to.
#[tokio::test]
async fn deadlines_do_not_hear_each_others_timers() {
    let idle = |id| Deadline::absence(id, "**", HOUR, Event::new("told"));
    let watch = Watch::on(Hub::in_memory().unwrap(), monday(), vec![idle("one"), idle("two")]).await;
    watch.comes(Event::new("anything")).await;
    let mut log = watch.app.subscribe_from("**", Start::Beginning).await.unwrap();
    let mut types = Vec::new();
    while let Ok(event) = tokio::time::timeout(Duration::from_millis(50), log.next()).await {
        types.push(event.unwrap().unwrap().event_type.to_string());
    }
    types.sort();
    assert_eq!(types, ["anything", "deadline.one.heard", "deadline.two.heard"]);
}
