use crate::driver::{answers, driver, log, quick, types};
use std::time::Duration;
use vextir::prelude::*;
use vextir::{ErrorKind, LeaseState, Limits};

fn ping_pong() -> [impl Driver; 2] {
    [
        answers(Manifest::new("ping").handles("pong"), |_| Ok(vec![Event::new("ping")])),
        answers(Manifest::new("pong").handles("ping"), |_| Ok(vec![Event::new("pong")])),
    ]
}

#[tokio::test]
async fn two_drivers_that_answer_each_other_for_ever_are_held() {
    let [ping, pong] = ping_pong();
    let app = quick().driver(ping).driver(pong).start().await.unwrap();
    let mut notices = app.subscribe("lease.held").await.unwrap();
    let root = app.emit(Event::new("ping")).await.unwrap();
    let notice = notices.next().await.unwrap().unwrap();
    assert_eq!(notice.data.value()["root"], root.to_string());
    assert_eq!(
        (notice.data.value()["unit"].clone(), notice.data.value()["limit"].clone()),
        (json!("depth"), json!(64))
    );
    app.idle().await;
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!((lease.state, lease.events, lease.parked, lease.open), (LeaseState::Held, 65, 1, 0));
    let held = app.held(10).await.unwrap();
    assert_eq!((held.len(), held[0].event.depth), (1, 65));

    app.extend(&root, Limits { depth: 100, ..Limits::default() }).await.unwrap();
    notices.next().await.unwrap().unwrap();
    app.idle().await;
    assert_eq!(app.lease(&root).await.unwrap().unwrap().events, 101);

    assert_eq!(app.cancel(&root).await.unwrap(), 1);
    assert!(app.held(10).await.unwrap().is_empty());
    let error = app.extend(&root, Limits::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn the_number_of_events_is_limited_too() {
    let burst = answers(Manifest::new("burst").handles("start"), |_| Ok(vec![Event::new("item"); 50]));
    let limits = Limits { events: 20, ..Limits::default() };
    let app = quick().limits(limits).driver(burst).start().await.unwrap();
    let root = app.emit(Event::new("start")).await.unwrap();
    app.idle().await;
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!((lease.events, lease.parked, lease.state), (20, 31, LeaseState::Held));
    assert_eq!(log(&app).await.len(), 21, "twenty events and one notice");
    app.extend(&root, Limits { events: 30, ..Limits::default() }).await.unwrap();
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!((lease.events, lease.parked, lease.state), (30, 21, LeaseState::Held));
    app.extend(&root, Limits::default()).await.unwrap();
    app.idle().await;
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!((lease.events, lease.parked, lease.state), (51, 0, LeaseState::Active));
}

#[tokio::test]
async fn other_units_are_drawn_by_handlers() {
    let spender = driver(Manifest::new("spender").handles("ask"), |_, cx| {
        Box::pin(async move {
            cx.draw("tokens", 60);
            Ok(vec![Event::new("ask")])
        })
    });
    let app = quick().driver(spender).start().await.unwrap();
    let units = [("tokens".into(), 150)].into();
    let options = vextir::EmitOptions::new().limits(Limits { units, ..Limits::default() });
    let root = app.emit_with(Event::new("ask"), options).await.unwrap();
    app.idle().await;
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!(lease.units.values().copied().collect::<Vec<_>>(), [180], "what was used is recorded");
    assert_eq!((lease.state, lease.parked), (LeaseState::Held, 1));
}

#[tokio::test]
async fn a_request_into_a_held_tree_says_so() {
    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    struct Never;
    impl Payload for Never {
        const TYPE: &'static str = "never";
    }
    let [ping, pong] = ping_pong();
    let app = quick().driver(ping).driver(pong).start().await.unwrap();
    let error = app.request::<Never>(Event::new("ping")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Held);
}

#[tokio::test]
async fn cancel_stops_queued_running_and_late_work() {
    let slow = driver(Manifest::new("slow").handles("job").with_concurrency(1), |_, cx| {
        Box::pin(async move {
            cx.cancelled().await;
            Ok(vec![Event::new("too.late")])
        })
    });
    let fan = answers(Manifest::new("fan").handles("start"), |_| {
        let later = "9999-01-01T00:00:00Z".parse()?;
        Ok(vec![Event::new("job"), Event::new("job"), Event::new("job").with_deliver_at(later)])
    });
    let app = quick().driver(slow).driver(fan).start().await.unwrap();
    let root = app.emit(Event::new("start")).await.unwrap();
    while app.drivers()[0].running == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(app.cancel(&root).await.unwrap(), 3, "one running, one queued, one delayed");
    while app.drivers()[0].running > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(types(&log(&app).await), ["start", "job", "job"], "the late output was dropped");
    let lease = app.lease(&root).await.unwrap().unwrap();
    assert_eq!((lease.state, lease.open, lease.parked), (LeaseState::Cancelled, 0, 0));
    let other = app.as_user("eve").cancel(&root).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::NotFound);
}

/// Grants more to one event alone.
#[derive(Debug)]
struct Generous;

#[vextir::async_trait]
impl vextir::Authorizer for Generous {
    async fn authorize(&self, _: &vextir::AuthorizeRequest<'_>) -> vextir::Result<vextir::Verdict> {
        Ok(vextir::Verdict::Allow)
    }

    async fn grants_limits(
        &self,
        request: &vextir::AuthorizeRequest<'_>,
        limits: &Limits,
    ) -> vextir::Result<bool> {
        Ok(request.event.event_type == "large" && limits.events <= 1_000)
    }
}

#[tokio::test]
async fn a_user_gets_less_by_asking_and_more_by_a_grant_alone() {
    let app = quick()
        .limits(Limits { events: 100, ..Limits::default() })
        .authorizer(Generous)
        .start()
        .await
        .unwrap();
    let events = |events| vextir::EmitOptions::new().limits(Limits { events, ..Limits::default() });
    let ann = app.as_user("ann");
    ann.emit_with(Event::new("small"), events(100)).await.unwrap();
    let error = ann.emit_with(Event::new("small"), events(101)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("more events than the 100"), "{error}");
    ann.emit_with(Event::new("large"), events(1_000)).await.unwrap();
    assert_eq!(
        ann.emit_with(Event::new("large"), events(1_001)).await.unwrap_err().kind(),
        ErrorKind::Denied
    );
    app.emit_with(Event::new("small"), events(5_000)).await.unwrap();
    let acts: Vec<_> =
        app.audit(0, 10).await.unwrap().into_iter().map(|(_, record)| record.decision.policy).collect();
    assert_eq!(acts, ["limits", "limits"]);
}

/// Denies `never`, and grants more to what the driver `tool` gets.
#[derive(Debug)]
struct ByDriver;

#[vextir::async_trait]
impl vextir::Authorizer for ByDriver {
    async fn authorize(&self, request: &vextir::AuthorizeRequest<'_>) -> vextir::Result<vextir::Verdict> {
        let never = request.event.event_type == "never";
        let denied = || vextir::Verdict::Deny(vextir::Decision::new("nobody", "it is never allowed"));
        Ok(if never { denied() } else { vextir::Verdict::Allow })
    }

    async fn grants_limits(
        &self,
        request: &vextir::AuthorizeRequest<'_>,
        _: &Limits,
    ) -> vextir::Result<bool> {
        Ok(request.targets.iter().any(|target| target.driver == "tool"))
    }
}

#[tokio::test]
async fn who_grants_limits_sees_the_drivers_and_a_denial_stays_what_it_is() {
    let tool = answers(Manifest::new("tool").handles("job"), |_| Ok(vec![]));
    let app = quick().driver(tool).authorizer(ByDriver).start().await.unwrap();
    let more = || {
        let limits = Limits { events: 1_000_000, ..Limits::default() };
        vextir::EmitOptions::new().limits(limits)
    };
    let ann = app.as_user("ann");
    ann.emit_with(Event::new("job"), more()).await.unwrap();
    ann.emit_with(Event::new("other"), more()).await.unwrap_err();
    let error = ann.emit_with(Event::new("never"), more()).await.unwrap_err();
    assert!(error.to_string().contains("it is never allowed"), "{error}");
    let audit = app.audit(0, 10).await.unwrap();
    let policies: Vec<_> = audit.into_iter().map(|(_, record)| record.decision.policy).collect();
    assert_eq!(policies, ["limits", "nobody"]);
}

#[test]
fn a_unit_that_is_not_named_has_no_limit() {
    let of = |units: &[(&str, u64)]| Limits {
        units: units.iter().map(|(unit, limit)| ((*unit).into(), *limit)).collect(),
        ..Limits::default()
    };
    let beyond =
        |asked: &Limits, usual: &Limits| asked.beyond(usual).map(|exceeded| exceeded.unit.to_string());
    assert_eq!(beyond(&of(&[("cents", 5)]), &of(&[])), None);
    assert_eq!(beyond(&of(&[]), &of(&[("cents", 5)])).as_deref(), Some("cents"));
    assert_eq!(beyond(&of(&[("cents", 5)]), &of(&[("cents", 5)])), None);
    assert_eq!(beyond(&of(&[("cents", 6)]), &of(&[("cents", 5)])).as_deref(), Some("cents"));
    assert_eq!(
        beyond(&Limits { depth: 65, ..Limits::default() }, &Limits::default()).as_deref(),
        Some("depth")
    );
}

#[tokio::test]
async fn roots_that_may_not_begin_are_told_of_and_fail_nothing() {
    let planter = crate::driver::driver(Manifest::new("planter").handles("job"), |_, cx| {
        Box::pin(async move {
            for name in ["one", "two"] {
                let limits = Limits { events: 1_000_000, ..Limits::default() };
                cx.emit_root_with(Event::new(name), limits)?;
            }
            Ok(vec![Event::new("done")])
        })
    });
    let app = quick().driver(planter).start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    app.idle().await;
    let log = log(&app).await;
    assert_eq!(types(&log), ["job", "error", "done"], "one error for both");
    assert!(log[1].data.value()["error"].as_str().unwrap().contains("one was refused"), "{:?}", log[1]);
    let audit = app.bus().audit(0, 100).await.unwrap();
    assert_eq!(audit.iter().filter(|(_, record)| record.act == "deny").count(), 2);
    assert!(app.dead_letters(0, 10).await.unwrap().is_empty());
}
