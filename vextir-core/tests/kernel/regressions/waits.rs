//! Events that handlers let wait: bounded, and nobody else's matter.

use super::slow::Slow;
use super::*;
use vextir::{Clock, Effect};

/// Answers each order with something for a month later.
fn reminder() -> impl Driver {
    answers(Manifest::new("reminder").handles("order").with_retries(0), |_| {
        let month = Duration::from_secs(30 * 24 * 3_600);
        Ok(vec![Event::new("reminder.due").with_deliver_at(SystemClock.now().after(month))])
    })
}

fn small(backlog: usize) -> MemoryBus {
    MemoryBus::with_limits(BusLimits::default().with_backlog(backlog), 1_000, Arc::new(SystemClock))
}

#[tokio::test]
async fn what_handlers_let_wait_is_bounded() {
    let app = on(small(8)).driver(reminder()).start().await.unwrap();
    for _ in 0..20 {
        app.emit(Event::new("order")).await.unwrap();
        app.idle().await;
    }
    assert_eq!(app.delayed(100).await.unwrap().len(), 8);
    let dead = app.dead_letters(0, 100).await.unwrap();
    assert_eq!(dead.len(), 12, "nothing is lost");
    assert!(dead[0].reason.contains("raise the backlog limit"), "{}", dead[0].reason);
}

#[tokio::test]
async fn what_handlers_let_wait_is_in_nobodys_way() {
    let app = on(small(8)).driver(reminder()).start().await.unwrap();
    for _ in 0..20 {
        app.emit(Event::new("order")).await.unwrap();
        app.idle().await;
    }
    let own = Event::new("wake.up").with_deliver_at(SystemClock.now().after(SOON));
    app.as_user("ann").try_emit(own).await.unwrap();
}

/// The first of a key waits for a person; what comes behind it waits too, and is bounded.
#[tokio::test]
async fn what_waits_behind_a_held_key_is_bounded() {
    let hold = Policy(|request| {
        let first = request.event.data.as_json() == "1";
        Ok(if first { Verdict::Hold(Decision::new("ask", "first")) } else { Verdict::Allow })
    });
    for eager in [false, true] {
        held_key(hold, eager).await;
    }
}

async fn held_key(hold: Policy, eager: bool) {
    let keyed = |kind: &'static str| Event::new(kind).with_ordering_key("k");
    let order = Capability::new("order").effect(Effect::Reads);
    let manifest = Manifest::new("worker").can(order).with_eager(eager).with_retries(0);
    let worker = answers(manifest, move |_| Ok(vec![keyed("parcel"), Event::new("note")]));
    let app = on(small(4)).authorizer(hold).driver(worker).start().await.unwrap();
    app.emit(keyed("order").with_data(json!(1))).await.unwrap();
    for _ in 0..10 {
        app.emit(Event::new("order")).await.unwrap();
        app.idle().await;
    }
    let held = app.held(100).await.unwrap();
    assert_eq!(held.len(), 1 + 4, "what handlers made");
    assert_eq!(app.dead_letters(0, 100).await.unwrap().len(), 6, "nothing is lost");
    for n in 0..3 {
        assert_eq!(app.try_emit(keyed("order")).await.map(drop).map_err(|error| error.kind()), Ok(()), "{n}");
    }
    let more = app.try_emit(keyed("order")).await.unwrap_err();
    assert_eq!(more.kind(), ErrorKind::Busy, "what comes from outside");
    app.try_emit(Event::new("order").with_ordering_key("other")).await.unwrap();
    app.approve(&held[0], "fine").await.unwrap();
    timeout(SOON, app.idle()).await.unwrap();
    app.try_emit(keyed("order")).await.unwrap();
}

#[tokio::test]
async fn an_eager_handler_is_bounded_too() {
    let order = Capability::new("order").effect(Effect::Reads);
    let eager = answers(Manifest::new("eager").can(order).with_eager(true).with_retries(0), |_| {
        Ok(vec![Event::new("reminder.due").with_deliver_at(SystemClock.now().after(SOON))])
    });
    let app = on(small(4)).driver(eager).start().await.unwrap();
    for _ in 0..10 {
        app.emit(Event::new("order")).await.unwrap();
        app.idle().await;
    }
    assert_eq!(app.delayed(100).await.unwrap().len(), 4);
    assert_eq!(app.dead_letters(0, 100).await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_tree_pays_for_what_it_lets_wait_and_once() {
    let burst = answers(Manifest::new("burst").handles("go"), |_| {
        let soon = SystemClock.now().after(Duration::from_millis(50));
        Ok(vec![Event::new("later").with_deliver_at(soon); 5])
    });
    let limits = |events| Limits { events, ..Limits::default() };
    let app = quick().limits(limits(3)).driver(burst).start().await.unwrap();
    let root = app.emit(Event::new("go")).await.unwrap();
    app.idle().await;
    let counts = async || (app.delayed(10).await.unwrap().len(), app.held(10).await.unwrap().len());
    assert_eq!(counts().await, (2, 3), "the root and two more");
    while counts().await.0 > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        log(&app).await.iter().filter(|event| event.event_type == "later").count(),
        2,
        "they were paid"
    );
    assert_eq!(app.lease(&root).await.unwrap().unwrap().events, 3);
}

#[tokio::test]
async fn an_extension_does_not_hurry_what_is_not_due() {
    let limits = Limits { events: 1, ..Limits::default() };
    let app = quick().limits(limits).driver(reminder()).start().await.unwrap();
    let root = app.emit(Event::new("order")).await.unwrap();
    app.idle().await;
    assert_eq!(app.held(10).await.unwrap().len(), 1);
    app.extend(&root, Limits::default()).await.unwrap();
    assert_eq!(app.held(10).await.unwrap().len(), 0);
    assert_eq!(app.delayed(10).await.unwrap().len(), 1, "it waits for its time");
    assert_eq!(types(&log(&app).await), ["order", "lease.held"]);
}

/// One event that is due cannot be released, for good. The others go on, and the operator hears of it.
#[tokio::test]
async fn an_event_that_cannot_be_released_stops_nobody_and_is_not_forgotten() {
    let goes_wrong = |command: &Command| match command {
        Command::Release(release) => {
            let entry = release.entry.as_ref()?;
            let logs = matches!(entry.place, vextir::bus::Place::Routed(_));
            (logs && entry.event.event_type == "bad").then_some(ErrorKind::Corrupt)
        }
        _ => None,
    };
    let bus = MemoryBus::new();
    let app = Slow::new(bus.clone(), |_| false).refusing(goes_wrong).builder().start().await.unwrap();
    let soon = SystemClock.now().after(Duration::from_millis(20));
    for kind in ["bad", "good", "bad", "good"] {
        app.emit(Event::new(kind).with_deliver_at(soon)).await.unwrap();
    }
    let mut good = app.subscribe_from("good", vextir::Start::Beginning).await.unwrap();
    for _ in 0..2 {
        timeout(SOON, good.next()).await.expect("it waits for another one").unwrap().unwrap();
    }
    while app.held(10).await.unwrap().len() < 2 {
        settle_down().await;
    }
    let held = app.held(10).await.unwrap();
    let reason = &held[0].decision.as_ref().unwrap().reason;
    assert!(reason.contains("refused by the test"), "{reason}");
    assert_eq!(app.audit(0, 10).await.unwrap().len(), 2, "that is audited");
    assert!(app.approve(&held[0], "again").await.is_err(), "whoever decides hears of it");
    app.reject(&held[1], "no").await.unwrap();
    assert_eq!(app.held(10).await.unwrap().len(), 1);
}
