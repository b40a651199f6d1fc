//! Who pays: what is reserved before a call, what is drawn after it, and what a report makes of it.

use crate::server::{Answer, Server, said};
use crate::{asking, hello, model};
use std::time::Duration;
use vextir_core::prelude::*;
use vextir_core::{LeaseState, Limits, Processor, Timestamp};
use vextir_drivers::agent::{ModelComplete, ModelCompleted, ModelRegistry, UsageReport};

fn units<const N: usize>(all: [(&str, u64); N]) -> std::collections::BTreeMap<Name, u64> {
    all.map(|(unit, amount)| (unit.into(), amount)).into()
}

use vextir_core::Name;

/// Asks a model twice in one tree.
struct Twice;

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "ask.twice")]
struct AskTwice {}

#[driver("twice", effect = "reads")]
impl Twice {
    /// Asks twice.
    #[on]
    async fn twice(&self, _ask: AskTwice) -> (ModelComplete, ModelComplete) {
        let ask = || ModelComplete::new("first", hello().with_max_tokens(50));
        (ask(), ask())
    }
}

async fn until(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..2_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it does not come about");
}

#[tokio::test]
async fn what_a_call_used_is_drawn_for_all_for_the_model_and_for_the_agent() {
    let server = Server::always(said("Good day", 1_000, 500));
    let models = ModelRegistry::new().with("first", model(&server).with_price(0.03, 0.06));
    let app = asking(models).start().await.unwrap();
    let ann = app.as_user("ann");
    let root = ann.emit(ModelComplete::new("first", hello()).for_agent("helper", "r", 1)).await.unwrap();
    app.idle().await;
    let lease = ann.lease(&root).await.unwrap().unwrap();
    let expected =
        [("tokens", 1_500), ("tokens/first", 1_500), ("tokens/agent/helper", 1_500), ("micro_usd", 60_000)];
    assert_eq!(lease.units, units(expected));
    assert!(lease.reserved.is_empty(), "{:?}", lease.reserved);
}

#[tokio::test]
async fn a_try_that_broke_off_is_paid_too() {
    let whole = said("Good day, dear friend", 10, 10);
    let cut = whole[..whole.find("finish_reason").unwrap() - 40].to_owned();
    let server =
        Server::start(move |number, _| Answer::Raw(if number == 1 { cut.clone() } else { whole.clone() }));
    let app = asking(ModelRegistry::new().with("first", model(&server))).start().await.unwrap();
    let ann = app.as_user("ann");
    let root = ann.emit(ModelComplete::new("first", hello())).await.unwrap();
    app.idle().await;
    let drawn = ann.lease(&root).await.unwrap().unwrap().units;
    assert!(drawn[&Name::from("tokens")] > 20, "the first try was estimated: {drawn:?}");
}

#[tokio::test]
async fn of_two_calls_of_which_one_fits_the_other_waits_until_there_is_room() {
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let server = Server::start(move |_, _| {
        gate.lock().unwrap().recv().unwrap();
        Answer::Raw(said("Good day", 5, 5))
    });
    let models = ModelRegistry::new().with("first", model(&server));
    let limits = Limits { units: units([("tokens", 100)]), ..Limits::default() };
    let app: Processor = asking(models).driver(Twice).limits(limits).start().await.unwrap();
    let ann = app.as_user("ann");
    let root = ann.emit(AskTwice {}).await.unwrap();
    let lease = async || ann.lease(&root).await.unwrap().unwrap();
    until(async || lease().await.parked > 0).await;
    let held = lease().await;
    assert_eq!(held.state, LeaseState::Held);
    let estimate = hello().estimate() + 50;
    assert_eq!(held.reserved.get("tokens"), Some(&estimate), "{held:?}");
    assert!(server.asked().len() <= 1);
    open.send(()).unwrap();
    open.send(()).unwrap();
    until(async || server.asked().len() == 2).await;
    app.idle().await;
    let after = lease().await;
    assert_eq!((after.state, after.parked, after.units[&Name::from("tokens")]), (LeaseState::Active, 0, 20));
}

#[tokio::test]
async fn the_dearest_of_a_chain_is_reserved() {
    let server = Server::start(|_, _| Answer::Silent(String::new()));
    let models = ModelRegistry::new()
        .with("first", model(&server).with_price(0.001, 0.001).with_fallbacks(["second"]))
        .with("second", model(&server).with_price(0.03, 0.06).with_max_output_tokens(100));
    let app = asking(models).start().await.unwrap();
    let root = app.as_user("ann").emit(ModelComplete::new("first", hello())).await.unwrap();
    let reserved = app.lease(&root).await.unwrap().unwrap().reserved;
    let input = hello().estimate();
    assert_eq!(reserved, units([("tokens", input + 1_024), ("micro_usd", input * 30 + 100 * 60)]));
    app.cancel(&root).await.unwrap();
}

#[tokio::test]
async fn a_report_tells_by_user_agent_model_and_tree() {
    let server = Server::always(said("Good day", 100, 50));
    let models =
        ModelRegistry::new().with("a", model(&server).with_price(0.01, 0.02)).with("b", model(&server));
    let app = asking(models).start().await.unwrap();
    let ask = async |user: &str, model: &str, agent: Option<&str>| {
        let ask = ModelComplete::new(model, hello());
        let ask = ModelComplete { agent: agent.map(Name::from), ..ask };
        let _: ModelCompleted = app.as_user(user).request(ask).await.unwrap();
    };
    ask("ann", "a", Some("helper")).await;
    ask("ann", "b", None).await;
    ask("bob", "a", Some("helper")).await;
    // Anybody can say so, and nobody believes it.
    let seen =
        app.bus().read(0, &vextir_core::EventFilter::try_from("model.completed").unwrap(), 1).await.unwrap();
    let forged = Event::new("model.completed").with_data(seen.events[0].event.data.clone());
    app.as_user("ann").emit(forged).await.unwrap();
    let since = Timestamp::default();
    let all = UsageReport::read(&*app.bus(), None, since).await.unwrap();
    assert_eq!((all.total.calls, all.total.tokens(), all.total.micro_usd), (3, 450, 4_000));
    assert_eq!((all.by_user["ann"].tokens(), all.by_user["bob"].micro_usd), (300, 2_000));
    assert_eq!((all.by_model["a"].calls, all.by_model["b"].calls), (2, 1));
    assert_eq!((all.by_agent["helper"].input, all.by_tree.len()), (200, 3));
    let anns = UsageReport::read(&*app.bus(), Some("ann"), since).await.unwrap();
    assert_eq!((anns.total.calls, anns.by_user.len()), (2, 1));
    let later = app.bus().read(0, &vextir_core::EventFilter::all(), 100).await.unwrap();
    let last = later.events.last().unwrap().logged_at;
    let none = UsageReport::read(&*app.bus(), None, last.after(Duration::from_secs(1))).await.unwrap();
    assert_eq!(none, UsageReport::default());
}
