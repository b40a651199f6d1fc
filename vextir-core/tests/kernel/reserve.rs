//! What calls are expected to use is reserved before they run, and given back when they are over.

use crate::driver::{Closure, answers, driver, log, quick};
use std::collections::BTreeMap;
use std::time::Duration;
use vextir::prelude::*;
use vextir::{Capability, EmitOptions, ErrorKind, LeaseState, Limits, Name};

/// Which of the calls is the last.
const LAST: u32 = 5;

/// Takes `ask`, for 40 tokens as it thinks, uses ten, and says `answer` after the last of them.
fn model() -> impl Driver {
    let manifest = Manifest::new("model").can(Capability::new("ask").reserves("tokens", 40));
    driver(manifest, |event, cx| {
        Box::pin(async move {
            cx.draw("tokens", 10);
            tokio::time::sleep(Duration::from_millis(5)).await;
            let last = event.data.value() == json!(LAST);
            Ok(if last { vec![Event::new("answer").with_data(json!({"text": "yes"}))] } else { Vec::new() })
        })
    })
}

fn fan() -> impl Driver {
    answers(Manifest::new("fan").handles("start"), |_| {
        Ok((0..=LAST).map(|index| Event::new("ask").with_data(json!(index))).collect())
    })
}

fn tokens(limit: u64) -> Limits {
    Limits { units: [("tokens".into(), limit)].into(), ..Limits::default() }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Answer {
    text: String,
}

impl Payload for Answer {
    const TYPE: &'static str = "answer";
}

#[tokio::test]
async fn a_tree_without_room_for_a_call_goes_on_when_another_call_is_over() {
    let app = quick().limits(tokens(100)).driver(model()).driver(fan()).start().await.unwrap();
    let answer: Answer = app.request(Event::new("start")).await.unwrap();
    assert_eq!(answer.text, "yes");
    app.idle().await;
    let log = log(&app).await;
    let root = log[0].id.clone();
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!((lease.state, lease.open, lease.parked), (LeaseState::Active, 0, 0));
    assert_eq!(lease.units, [("tokens".into(), 60)].into());
    assert!(lease.reserved.is_empty(), "{lease:?}");
    assert_eq!(log.iter().filter(|event| event.event_type == "lease.held").count(), 1, "it is told once");
}

#[tokio::test]
async fn a_call_that_no_tree_can_pay_waits_for_an_extension() {
    let app = quick().limits(tokens(39)).driver(model()).start().await.unwrap();
    let root = app.emit(Event::new("ask").with_data(json!(LAST))).await.unwrap();
    app.idle().await;
    let held = app.held(10).await.unwrap();
    assert_eq!(held.len(), 1);
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!((lease.state, lease.short), (LeaseState::Held, [("tokens".into(), 40)].into()));
    app.extend(&root, tokens(40)).await.unwrap();
    app.idle().await;
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!((lease.state, lease.units), (LeaseState::Active, [("tokens".into(), 10)].into()));
    assert!(app.held(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_retry_keeps_and_a_letter_gives_back_what_is_reserved() {
    let manifest = Manifest::new("model").can(Capability::new("ask").reserves("tokens", 40)).with_retries(1);
    let failing = driver(manifest, |_, cx| {
        Box::pin(async move {
            cx.draw("tokens", 10);
            Err("not today".into())
        })
    });
    let app = quick().driver(failing).start().await.unwrap();
    let options = EmitOptions::new().limits(tokens(60));
    let root = app.emit_with(Event::new("ask"), options).await.unwrap();
    app.idle().await;
    let letters = app.dead_letters(0, 10).await.unwrap();
    assert_eq!((letters.len(), letters[0].attempts), (1, 2));
    assert_eq!(letters[0].reserve, [("tokens".into(), 40)].into());
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!((lease.units, lease.reserved), ([("tokens".into(), 20)].into(), [].into()));
}

#[tokio::test]
async fn of_several_capabilities_that_match_the_dearest_is_reserved() {
    let manifest: Manifest = serde_json::from_value(json!({
        "id": "model",
        "capabilities": [
            {"type": "ask", "reserve": {"tokens": 10, "cents": 3}},
            {"type": "*", "reserve": {"tokens": 20}},
            {"type": "other", "reserve": {"tokens": 30}},
        ],
    }))
    .unwrap();
    let again: Manifest = serde_json::from_value(serde_json::to_value(&manifest).unwrap()).unwrap();
    assert_eq!(again, manifest);
    let app = quick().driver(answers(manifest, |_| Ok(Vec::new()))).paused().start().await.unwrap();
    let root = app.emit(Event::new("ask")).await.unwrap();
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!(lease.reserved, [("cents".into(), 3), ("tokens".into(), 20)].into());
    assert_eq!(app.cancel(&root).await.unwrap(), 1);
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert!(lease.reserved.is_empty());
    assert_eq!(app.extend(&root, tokens(1)).await.unwrap_err().kind(), ErrorKind::Cancelled);
}

/// Two eager drivers reserve for one event. What the first one emits has no room before the second one is settled, in the
/// same commit.
#[tokio::test]
async fn what_an_eager_settlement_makes_room_for_goes_on() {
    let eager = |id: &'static str, outputs: usize| {
        let capability = Capability::new("ask").reserves("tokens", 40).effect(vextir::Effect::Reads);
        answers(Manifest::new(id).can(capability).with_eager(true), move |_| {
            Ok((0..outputs).map(|_| Event::new("think")).collect())
        })
    };
    let thinker =
        answers(Manifest::new("thinker").can(Capability::new("think").reserves("tokens", 70)), |_| {
            Ok(vec![Event::new("thought")])
        });
    let app =
        quick().limits(tokens(100)).driver(eager("first", 1)).driver(eager("second", 0)).driver(thinker);
    let app = app.start().await.unwrap();
    let root = app.emit(Event::new("ask")).await.unwrap();
    for _ in 0..200 {
        app.idle().await;
        if log(&app).await.iter().any(|event| event.event_type == "thought") {
            let lease = app.lease(&root).await.unwrap().unwrap();
            assert_eq!((lease.state, lease.parked, lease.reserved.len()), (LeaseState::Active, 0, 0));
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{:?} {:?}", app.lease(&root).await, app.held(10).await);
}

/// Takes `ask` as its model does, and knows of each how many tokens it will be.
struct Estimating {
    model: Closure,
}

#[vextir::async_trait]
impl Driver for Estimating {
    fn manifest(&self) -> Manifest {
        self.model.manifest()
    }

    fn reserves(&self, event: &Event) -> BTreeMap<Name, u64> {
        let tokens = event.data.value().as_u64().unwrap_or_else(|| panic!("no number"));
        [("tokens".into(), tokens), ("cents".into(), 1)].into()
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        self.model.handle_event(event, cx).await
    }
}

fn asks() -> Manifest {
    Manifest::new("model").can(Capability::new("ask").reserves("tokens", 40))
}

#[tokio::test]
async fn an_event_whose_own_estimate_does_not_fit_is_held_until_there_is_room() {
    let fan = answers(Manifest::new("fan").handles("start"), |_| {
        Ok([60, 41].map(|tokens| Event::new("ask").with_data(json!(tokens))).into())
    });
    let (open, gate) = tokio::sync::watch::channel(false);
    let model = driver(asks(), move |_, _| {
        let mut gate = gate.clone();
        Box::pin(async move {
            gate.wait_for(|open| *open).await?;
            Ok(Vec::new())
        })
    });
    let app = quick().limits(tokens(100)).driver(Estimating { model }).driver(fan).start().await.unwrap();
    let root = app.emit(Event::new("start")).await.unwrap();
    let lease = loop {
        let lease = app.lease(&root).await.unwrap().unwrap();
        if lease.parked > 0 {
            break lease;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    assert_eq!((lease.state, lease.parked), (LeaseState::Held, 1));
    assert_eq!(lease.reserved, [("cents".into(), 1), ("tokens".into(), 60)].into());
    assert_eq!(lease.short.get("tokens"), Some(&41), "{lease:?}");
    open.send(true).unwrap();
    while app.lease(&root).await.unwrap().unwrap().parked > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    app.idle().await;
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!((lease.state, lease.open, lease.reserved.len()), (LeaseState::Active, 0, 0));
}

#[tokio::test]
async fn of_the_declared_and_the_estimated_the_larger_is_reserved() {
    let model = answers(asks(), |_| Ok(Vec::new()));
    let app = quick().driver(Estimating { model }).paused().start().await.unwrap();
    let reserved = async |data: serde_json::Value| {
        let root = app.emit(Event::new("ask").with_data(data)).await.unwrap();
        app.lease(&root).await.unwrap().unwrap().reserved
    };
    assert_eq!(reserved(json!(70)).await, [("cents".into(), 1), ("tokens".into(), 70)].into());
    assert_eq!(reserved(json!(7)).await, [("cents".into(), 1), ("tokens".into(), 40)].into());
    assert_eq!(reserved(json!("many")).await, [("tokens".into(), 40)].into(), "a panic reserves nothing");
}
