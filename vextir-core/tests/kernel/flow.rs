use crate::driver::{answers, driver, log, on, quick, types};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use vextir::prelude::*;
use vextir::{Category, Clock, ErrorKind, Limits, ManualClock, MemoryBus, Orphans};

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
struct Ping {
    n: u32,
}

impl Payload for Ping {
    const TYPE: &'static str = "ping";
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, PartialEq)]
struct Pong {
    n: u32,
}

impl Payload for Pong {
    const TYPE: &'static str = "pong";
}

fn echo() -> impl Driver {
    answers(Manifest::new("echo").handles("ping"), |event| {
        let ping: Ping = event.decode()?;
        Ok(vec![Event::of(&Pong { n: ping.n })?])
    })
}

#[tokio::test]
async fn a_request_gets_its_answer_and_the_tree_is_recorded() {
    let app = quick().driver(echo()).start().await.unwrap();
    let pong: Pong = app.request(Ping { n: 7 }).await.unwrap();
    assert_eq!(pong, Pong { n: 7 });
    let events = log(&app).await;
    assert_eq!(types(&events), ["ping", "pong"]);
    let (ping, pong) = (&events[0], &events[1]);
    assert_eq!(pong.correlation_id.as_ref(), Some(&ping.id));
    assert_eq!(pong.root(), &ping.id);
    assert_eq!((pong.depth, pong.user_id.as_str(), pong.source.as_str()), (1, "local", "echo"));
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_request_ends_when_nothing_answers() {
    let silent = answers(Manifest::new("silent").handles("ping"), |_| Ok(vec![]));
    let app = quick().driver(silent).start().await.unwrap();
    let error = app.request::<Pong>(Ping { n: 1 }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoAnswer);
    let error = app.request::<Pong>(Event::new("nobody.knows")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoAnswer);
    assert_eq!(
        app.orphans().into_iter().map(|(name, n)| (name.to_string(), n)).collect::<Vec<_>>(),
        [("nobody.knows".into(), 1)]
    );
}

#[tokio::test]
async fn a_request_gets_the_failing_handlers_error() {
    let broken =
        answers(Manifest::new("broken").handles("ping"), |_| Err(Failure::permanent("no such place").into()));
    let app = quick().driver(broken).start().await.unwrap();
    let error = app.request::<Pong>(Ping { n: 1 }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.to_string().contains("broken: no such place"), "{error}");
}

#[tokio::test]
async fn a_request_times_out_and_the_work_goes_on() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let inner = clock.clone();
    let slow = driver(Manifest::new("slow").handles("ping"), |_, cx| {
        Box::pin(async move {
            cx.clock().sleep(Duration::from_secs(20)).await;
            Ok(vec![Event::of(&Pong { n: 1 })?])
        })
    });
    let app = quick().clock(clock).driver(slow).start().await.unwrap();
    let mut pongs = app.subscribe("pong").await.unwrap();
    let asked = app.request_within::<Pong>(Duration::from_secs(5), Ping { n: 1 });
    let (answer, ()) = tokio::join!(asked, async {
        while inner.until_next() != Some(Duration::from_secs(5)) {
            tokio::task::yield_now().await;
        }
        inner.advance(Duration::from_secs(5));
    });
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Timeout);
    inner.advance(Duration::from_secs(20));
    assert_eq!(pongs.next().await.unwrap().unwrap().event_type, "pong");
}

#[tokio::test]
async fn a_repeated_request_finds_the_answer_in_the_log() {
    let app = quick().driver(echo()).start().await.unwrap();
    let ask = || Event::new("ping").with_id("evt_1".parse().unwrap()).with_data(json!({"n": 3}));
    let first: Pong = app.request(ask()).await.unwrap();
    let second: Pong = app.request(ask()).await.unwrap();
    assert_eq!((first.n, second.n), (3, 3));
    assert_eq!(log(&app).await.len(), 2);
}

#[tokio::test]
async fn process_event_returns_all_that_was_caused_in_order() {
    let chain = answers(Manifest::new("chain").handles("step.*"), |event| {
        let n: u32 = event.data.decode()?;
        Ok(if n == 0 { vec![] } else { vec![Event::new("step.next").with_data(json!(n - 1))] })
    });
    let app = quick().driver(chain).start().await.unwrap();
    let outputs = app.process_event(Event::new("step.first").with_data(json!(5))).await.unwrap();
    assert_eq!(
        outputs.iter().map(|event| event.data.as_json().to_owned()).collect::<Vec<_>>(),
        ["4", "3", "2", "1", "0"]
    );
}

#[tokio::test]
async fn each_driver_has_its_own_delivery() {
    let broken = answers(Manifest::new("broken").handles("ping"), |_| panic!("boom"));
    let app = quick().driver(broken).driver(echo()).start().await.unwrap();
    let pong: Pong = app.request(Ping { n: 1 }).await.unwrap();
    assert_eq!(pong.n, 1);
    app.idle().await;
    let dead = app.dead_letters(0, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].reason.as_str()), (1, "panicked: boom"));
    let error = log(&app).await.into_iter().find(|event| event.event_type == "error").unwrap();
    assert_eq!(error.data.value()["driver"], "broken");
    assert_eq!(error.data.value()["event_id"], dead[0].event.id.to_string());
}

#[tokio::test]
async fn drivers_are_registered_while_it_runs() {
    let app = quick().start().await.unwrap();
    app.emit(Ping { n: 1 }).await.unwrap();
    app.register(echo()).await.unwrap();
    let pong: Pong = app.request(Ping { n: 2 }).await.unwrap();
    assert_eq!(pong.n, 2);
    assert_eq!(types(&log(&app).await), ["ping", "ping", "pong"], "from now on only");
    let error = app.register(echo()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let history = answers(Manifest::new("history").handles("ping").with_from_start(true), |event| {
        Ok(vec![Event::new("seen").with_data(event.data.clone())])
    });
    app.register(history).await.unwrap();
    app.idle().await;
    assert_eq!(types(&log(&app).await)[3..], ["seen", "seen"]);
}

#[tokio::test]
async fn what_was_emitted_without_a_processor_is_routed_at_the_start() {
    let bus = MemoryBus::new();
    bus.emit(Ping { n: 1 }).await.unwrap();
    bus.emit(Event::new("ping").with_data(json!("no number"))).await.unwrap();
    let app = on(bus).driver(echo()).start().await.unwrap();
    app.idle().await;
    app.bus().emit(Ping { n: 3 }).await.unwrap();
    app.idle().await;
    let mut seen = types(&log(&app).await);
    seen.sort();
    assert_eq!(seen, ["error", "ping", "ping", "ping", "pong", "pong"]);
}

#[tokio::test]
async fn delayed_events_come_when_they_are_due() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let app = quick().clock(clock.clone()).driver(echo()).start().await.unwrap();
    let mut pongs = app.subscribe("pong").await.unwrap();
    let at = "2025-06-15T12:01:00Z".parse().unwrap();
    let late = Event::of(&Ping { n: 1 }).unwrap().with_deliver_at(at);
    let id = app.emit(late).await.unwrap();
    assert_eq!(app.delayed(10).await.unwrap()[0].event.id, id);
    assert!(log(&app).await.is_empty(), "it has not happened yet");
    while clock.until_next().is_none() {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(60));
    let pong = pongs.next().await.unwrap().unwrap();
    assert_eq!(pong.root(), &id);
    assert!(app.delayed(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_emitters_key_stores_one_event() {
    let app = quick().start().await.unwrap();
    let options = || vextir::EmitOptions::new().key("order-17");
    let first = app.emit_with(Ping { n: 1 }, options()).await.unwrap();
    let again = app.emit_with(Ping { n: 1 }, options()).await.unwrap();
    let other = app.as_user("bob").emit_with(Ping { n: 1 }, options()).await.unwrap();
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert_eq!(log(&app).await.len(), 2);
}

#[tokio::test]
async fn an_eager_driver_settles_with_the_emit() {
    let manifest = Manifest::new("quick")
        .can(vextir::Capability::of::<Ping>().effect(vextir::Effect::Reads))
        .with_eager(true);
    let quick_driver =
        answers(manifest, |event| Ok(vec![Event::of(&Pong { n: event.decode::<Ping>()?.n })?]));
    let app = quick().driver(quick_driver).start().await.unwrap();
    app.emit(Ping { n: 1 }).await.unwrap();
    assert_eq!(types(&log(&app).await), ["ping", "pong"], "both are there when emit returns");
    let pong: Pong = app.request(Ping { n: 2 }).await.unwrap();
    assert_eq!(pong.n, 2);
    assert!(app.bus().pending(0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn signals_are_seen_by_who_listens_and_not_logged() {
    let talker = driver(Manifest::new("talker").handles("ping"), |_, cx| {
        Box::pin(async move {
            cx.signal("token", json!("Hel"));
            cx.signal("token", json!("lo"));
            Ok(vec![])
        })
    });
    let app = quick().driver(talker).start().await.unwrap();
    let mut signals = app.signals();
    app.process_event(Ping { n: 1 }).await.unwrap();
    let texts =
        [signals.recv().await.unwrap(), signals.recv().await.unwrap()].map(|signal| signal.data.value());
    assert_eq!(texts, [json!("Hel"), json!("lo")]);
    assert_eq!(log(&app).await.len(), 1);
}

#[tokio::test]
async fn an_output_may_name_an_ancestor_as_its_cause() {
    let manifest = Manifest::new("plan").handles("plan.**");
    let plan = answers(manifest, |event| {
        let step: u32 = event.data.decode()?;
        Ok(if step == 20 {
            vec![]
        } else {
            vec![Event::new("plan.step").with_cause(event.root().clone()).with_data(json!(step + 1))]
        })
    });
    let app = quick().limits(Limits { depth: 2, ..Limits::default() }).driver(plan).start().await.unwrap();
    let outputs = app.process_event(Event::new("plan.start").with_data(json!(0))).await.unwrap();
    assert_eq!(outputs.len(), 20);
    assert!(outputs.iter().all(|event| event.depth == 1), "depth does not grow with the number of steps");
}

#[tokio::test]
async fn an_output_cannot_name_a_stranger_as_its_cause() {
    let stranger = answers(Manifest::new("stranger").handles("ping"), |_| {
        Ok(vec![Event::new("pong").with_cause("evt_nobody".parse()?)])
    });
    let app = quick().driver(stranger).start().await.unwrap();
    let error = app.request::<Pong>(Ping { n: 1 }).await.unwrap_err();
    assert!(error.to_string().contains("not in the causal tree"), "{error}");
}

#[tokio::test]
async fn a_seeded_bus_gives_the_same_ids_for_the_same_commands() {
    let id = async |seed| {
        let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
        let bus = MemoryBus::with_limits(vextir::BusLimits::default(), 10, std::sync::Arc::new(clock));
        bus.seeded(seed).emit(Event::new("a")).await.unwrap()
    };
    assert_eq!(id(7).await, id(7).await);
    assert_ne!(id(7).await, id(8).await);
}

#[tokio::test]
async fn an_orphan_is_refused_where_that_is_wanted() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let worker = answers(Manifest::new("worker").handles("job"), |_| Ok(vec![Event::new("nobody.made")]));
    let app = quick().clock(clock.clone()).orphans(Orphans::Refuse).driver(worker).start().await.unwrap();
    let refused = app.emit(Event::new("nobody")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("nobody: no driver handles this type"), "{refused}");
    let batch = vec![Event::new("job"), Event::new("nobody")];
    assert_eq!(app.emit_all(batch).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert!(log(&app).await.is_empty(), "a refused orphan is not stored, nor is what came with it");

    app.process_event(Event::new("job")).await.unwrap();
    app.emit(Event::new("shown").with_category(Category::Output)).await.unwrap();
    app.bus().emit(Event::new("nobody.raw")).await.unwrap();
    let later = clock.now().after(Duration::from_secs(5));
    app.emit(Event::new("nobody.later").with_deliver_at(later)).await.unwrap();
    while log(&app).await.len() < 5 {
        clock.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    app.idle().await;
    assert_eq!(types(&log(&app).await), ["job", "nobody.made", "shown", "nobody.raw", "nobody.later"]);
    let counted: Vec<_> = app.orphans().into_iter().map(|(name, n)| (name.to_string(), n)).collect();
    let expected = [("nobody", 2), ("nobody.later", 1), ("nobody.made", 1), ("nobody.raw", 1)];
    assert_eq!(counted, expected.map(|(name, n)| (name.to_owned(), n)));
}

#[tokio::test]
async fn an_eager_handler_is_timed_by_the_processors_clock() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let (by, hand) = (calls.clone(), clock.clone());
    let reads = |name: &'static str| vextir::Capability::new(name).effect(vextir::Effect::Reads);
    let manifest = Manifest::new("quick").can(reads("sleeps")).can(reads("takes.long")).with_eager(true);
    let eager = answers(manifest, move |event| {
        by.fetch_add(1, Ordering::SeqCst);
        match &*event.event_type {
            "sleeps" => std::thread::sleep(Duration::from_millis(5)),
            _ => hand.advance(Duration::from_millis(5)),
        }
        Ok(vec![])
    });
    let app = quick().clock(clock).driver(eager).start().await.unwrap();
    for (event, expected) in [("sleeps", 1), ("takes.long", 3)] {
        app.emit(Event::new(event)).await.unwrap();
        app.idle().await;
        assert_eq!(calls.load(Ordering::SeqCst), expected, "{event}");
    }
}
