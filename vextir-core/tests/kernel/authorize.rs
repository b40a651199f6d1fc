use crate::driver::{answers, driver, log, quick, types};
use std::time::Duration;
use vextir::prelude::*;
use vextir::{AuthorizeRequest, Authorizer, Decision, ErrorKind, ManualClock, MemoryBus, Result, Verdict};

#[derive(Debug)]
struct Policy(fn(&AuthorizeRequest<'_>) -> Result<Verdict>);

#[vextir::async_trait]
impl Authorizer for Policy {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict> {
        (self.0)(request)
    }
}

fn echo() -> impl Driver {
    driver(Manifest::new("echo").handles("*.ask"), |event, cx| {
        Box::pin(async move {
            let told = cx.obligations().map_or(json!(null), vextir::Data::value);
            Ok(vec![Event::new("answer").with_data(json!({"to": event.id, "obligations": told}))])
        })
    })
}

#[tokio::test]
async fn a_tenant_emits_for_itself_only() {
    let app = quick().driver(echo()).start().await.unwrap();
    let error = app.as_user("eve").emit(Event::new("a.ask").with_user("bob")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(log(&app).await.is_empty());
    let audit = app.audit(0, 10).await.unwrap();
    assert_eq!(
        (audit.len(), audit[0].1.act.as_str(), audit[0].1.decision.policy.as_str()),
        (1, "deny", "ownership")
    );
    app.as_user("eve").emit(Event::new("a.ask")).await.unwrap();
    assert!(app.as_user("").emit(Event::new("a.ask")).await.is_err());
}

#[tokio::test]
async fn a_handler_acts_for_its_events_user_only() {
    let crosser = answers(Manifest::new("crosser").handles("go"), |_| {
        Ok(vec![Event::new("mine"), Event::new("theirs").with_user("bob")])
    });
    let app = quick().driver(crosser).start().await.unwrap();
    let outputs = app.as_user("eve").process_event(Event::new("go")).await.unwrap();
    assert_eq!(types(&outputs), ["mine"], "the other one is audited and dropped");
    assert_eq!(app.audit(0, 10).await.unwrap()[0].1.event_type, "theirs");
}

#[tokio::test]
async fn a_tenant_sees_its_own_events_only() {
    let app = quick().driver(echo()).start().await.unwrap();
    let (eve, bob) = (app.as_user("eve"), app.as_user("bob"));
    let mut eves = eve.subscribe_from("**", Start::Beginning).await.unwrap();
    let secret = bob.emit(Event::new("a.ask").with_id("evt_1".parse().unwrap())).await.unwrap();
    let own = eve.emit(Event::new("b.ask").with_id("evt_1".parse().unwrap())).await.unwrap();
    assert_eq!(secret, own, "foreign ids are each tenant's own");
    app.idle().await;
    let seen = [eves.next().await.unwrap().unwrap(), eves.next().await.unwrap().unwrap()];
    assert!(seen.iter().all(|event| event.user_id == "eve"));
    assert!(eve.subscribe_from("**", Start::After("evt_2".parse().unwrap())).await.is_err());
    let bobs = log(&app)
        .await
        .into_iter()
        .find(|event| event.event_type == "answer" && event.user_id == "bob")
        .unwrap();
    let error = eve.subscribe_from("**", Start::After(bobs.id.clone())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "another's event does not exist");
    let root = bob.emit(Event::new("c.ask")).await.unwrap();
    app.idle().await;
    assert!(bob.lease(&root).await.unwrap().is_some());
    assert!(eve.lease(&root).await.unwrap().is_none());
}

#[tokio::test]
async fn a_policy_that_fails_or_panics_denies() {
    for policy in [Policy(|_| Err(vextir::Error::invalid("broken"))), Policy(|_| panic!("broken"))] {
        let app = quick().driver(echo()).authorizer(policy).start().await.unwrap();
        let error = app.emit(Event::new("a.ask")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(!error.to_string().contains("broken"), "{error}");
    }
}

#[tokio::test]
async fn the_strictest_verdict_holds() {
    let limit =
        Policy(|_| Ok(Verdict::Limit(Decision::new("cheap", "save"), json!({"model": "small"}).into())));
    let hold = Policy(|request| {
        Ok(if request.event.event_type == "b.ask" {
            Verdict::Hold(Decision::new("ask", "first"))
        } else {
            Verdict::Allow
        })
    });
    let app = quick().driver(echo()).authorizer(limit).authorizer(hold).start().await.unwrap();
    let answer = app.process_event(Event::new("a.ask")).await.unwrap();
    assert_eq!(answer[0].data.value()["obligations"], json!([{"model": "small"}]));
    let held = app.emit(Event::new("b.ask")).await.unwrap();
    app.idle().await;
    assert_eq!(app.held(10).await.unwrap()[0].event.id, held);
    let acts: Vec<_> =
        app.audit(0, 10).await.unwrap().into_iter().map(|(_, record)| record.act.to_string()).collect();
    assert_eq!(acts, ["limit", "limit", "hold"]);
}

#[tokio::test]
async fn a_held_event_waits_for_a_person_and_blocks_its_key() {
    let hold = Policy(|request| {
        let first = request.event.data.as_json() == "1";
        Ok(if first { Verdict::Hold(Decision::new("ask", "first")) } else { Verdict::Allow })
    });
    let app = quick().driver(echo()).authorizer(hold).start().await.unwrap();
    let ask = |n: u32| Event::new("a.ask").with_ordering_key("k").with_data(json!(n));
    let held = app.emit(ask(1)).await.unwrap();
    app.emit(ask(2)).await.unwrap();
    app.emit(ask(3)).await.unwrap();
    app.idle().await;
    assert!(log(&app).await.is_empty());
    assert_eq!(app.held(10).await.unwrap().len(), 3);
    let first = app.held(10).await.unwrap().remove(0);
    assert_eq!(first.event.id, held);
    app.approve(&first, "fine with me").await.unwrap();
    app.idle().await;
    let order: Vec<String> = log(&app)
        .await
        .iter()
        .filter(|event| event.event_type == "a.ask")
        .map(|event| event.data.as_json().to_owned())
        .collect();
    assert_eq!(order, ["1", "2", "3"]);
    assert_eq!(app.approve(&first, "again").await.unwrap_err().kind(), ErrorKind::NotFound);

    let held = app.emit(ask(1)).await.unwrap();
    let first = app.held(10).await.unwrap().remove(0);
    assert_eq!(first.event.id, held);
    app.reject(&first, "no").await.unwrap();
    assert!(app.held(10).await.unwrap().is_empty());
    assert_eq!(app.audit(0, 100).await.unwrap().last().unwrap().1.act, "reject");
}

#[tokio::test]
async fn what_was_installed_does_not_act_outside_by_itself() {
    let app = quick().installed_driver(echo()).start().await.unwrap();
    let error = app.emit(Event::new("a.ask")).await.unwrap_err();
    assert!(error.to_string().contains("installed"), "{error}");
}

#[tokio::test]
async fn an_event_that_was_logged_before_it_was_held_is_delivered_once_approved() {
    let bus = vextir::MemoryBus::new();
    let id = bus.emit(Event::new("a.ask")).await.unwrap();
    let hold = Policy(|request| {
        Ok(if request.event.event_type == "a.ask" {
            Verdict::Hold(Decision::new("ask", "first"))
        } else {
            Verdict::Allow
        })
    });
    let app = crate::driver::on(bus).driver(echo()).authorizer(hold).start().await.unwrap();
    app.idle().await;
    assert_eq!(app.held(10).await.unwrap()[0].event.id, id);
    let held = app.held(10).await.unwrap().remove(0);
    assert_eq!(held.event.id, id);
    app.approve(&held, "fine").await.unwrap();
    app.idle().await;
    assert_eq!(types(&log(&app).await), ["a.ask", "answer"]);
    let lease = app.lease(&id).await.unwrap().unwrap();
    assert_eq!((lease.events, lease.open, lease.parked), (2, 0, 0));
}

#[tokio::test]
async fn an_approval_waives_the_hold_and_nothing_else() {
    let hold = Policy(|_| Ok(Verdict::Hold(Decision::new("ask", "first"))));
    let limit = Policy(|_| Ok(Verdict::Limit(Decision::new("cheap", "save"), json!("small").into())));
    let quiet = driver(Manifest::new("quiet").handles("a.ask"), |_, cx| {
        Box::pin(async move {
            assert_eq!(cx.obligations().map(vextir::Data::value), Some(json!(["small"])));
            Ok(vec![])
        })
    });
    let app = quick().driver(quiet).authorizer(hold).authorizer(limit).start().await.unwrap();
    let id = app.emit(Event::new("a.ask")).await.unwrap();
    let held = app.held(10).await.unwrap().remove(0);
    assert_eq!(held.event.id, id);
    app.approve(&held, "fine").await.unwrap();
    app.idle().await;
    assert!(app.dead_letters(0, 1).await.unwrap().is_empty());
    assert_eq!(types(&log(&app).await), ["a.ask"]);
}

/// Does not answer about events of a type that begins with `slow`, and grants nothing in time.
#[derive(Debug)]
struct Hangs;

#[vextir::async_trait]
impl Authorizer for Hangs {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict> {
        if request.event.event_type.starts_with("slow") {
            std::future::pending::<()>().await;
        }
        Ok(Verdict::Allow)
    }

    async fn grants(&self, _: &AuthorizeRequest<'_>, _: &vextir::Target) -> Result<bool> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_policy_that_hangs_denies_and_the_chores_go_on() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let bus = MemoryBus::new();
    for name in ["slow.ask", "quick.ask"] {
        bus.emit(Event::new(name)).await.unwrap();
    }
    let builder = crate::driver::on(bus).driver(echo()).authorizer(Hangs).clock(clock.clone());
    let app = builder.start().await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    clock.advance(Duration::from_millis(4_999));
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(app.audit(0, 10).await.unwrap().is_empty(), "five seconds are not over");
    clock.advance(Duration::from_millis(1));
    app.idle().await;
    assert_eq!(types(&log(&app).await), ["slow.ask", "quick.ask", "answer"]);
    let audit = app.audit(0, 10).await.unwrap();
    assert_eq!((audit.len(), audit[0].1.event_type.as_str()), (1, "slow.ask"));
    assert!(audit[0].1.decision.reason.contains("in time"), "{}", audit[0].1.decision);
}

#[tokio::test]
async fn the_limit_of_a_policy_can_be_chosen_and_late_grants_are_none() {
    let tool = answers(Manifest::new("tool").handles("quick.job"), |_| Ok(vec![Event::new("done")]));
    let limit = Duration::from_millis(10);
    let builder = quick().installed_driver(tool).authorizer(Hangs).policy_timeout(limit);
    let app = builder.start().await.unwrap();
    for name in ["slow.ask", "quick.job"] {
        let error = app.emit(Event::new(name)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{name}");
    }
    assert!(log(&app).await.is_empty());
}
