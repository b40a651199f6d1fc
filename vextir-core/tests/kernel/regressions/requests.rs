use super::slow::Slow;
use super::*;

#[tokio::test]
async fn a_request_sees_an_answer_that_is_in_the_log_already() {
    let first = answers(Manifest::new("first").handles("ask"), |_| {
        Ok(vec![Event::new("side"), Event::of(&Answer { to: "you".into() })?])
    });
    let side = answers(Manifest::new("side").handles("side"), |_| Ok(vec![]));
    let late = |command: &Command| {
        matches!(command, Command::Settle(one) if one.delivery.driver == "first"
            && matches!(one.outcome, Outcome::Done { .. }))
    };
    let bus = Slow::new(MemoryBus::new(), late);
    let app = bus.builder().driver(first).driver(side).start().await.unwrap();
    let answer: Result<Answer> = app.request(Event::new("ask")).await;
    assert!(log(&app).await.iter().any(|event| event.event_type == "answer"), "it is in the log");
    answer.unwrap();
}

#[tokio::test]
async fn a_request_ends_within_its_limit_when_the_backlog_is_full() {
    let bus = MemoryBus::with_limits(BusLimits::default().with_backlog(1), 1_000, Arc::new(SystemClock));
    let (worker, _) = seen_by("worker", "job");
    let app = on(bus).driver(worker).paused().start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    let ask = app.request_within::<Answer>(Duration::from_millis(50), Event::new("job"));
    let error = timeout(Duration::from_secs(1), ask).await.expect("no limit holds").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Busy));
}

#[tokio::test]
async fn an_emit_that_waits_ends_with_the_shutdown() {
    let bus = MemoryBus::with_limits(BusLimits::default().with_backlog(1), 1_000, Arc::new(SystemClock));
    let (worker, _) = seen_by("worker", "job");
    let app = on(bus).driver(worker).paused().start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { app.emit(Event::new("job")).await }
    });
    settle_down().await;
    app.shutdown().await.unwrap();
    let error = timeout(SOON, waiting).await.expect("it waits for ever").unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn process_event_ends_when_a_held_tree_was_extended() {
    let open = Arc::new(tokio::sync::Notify::new());
    let by = open.clone();
    let fan = answers(Manifest::new("fan").handles("start"), |_| {
        Ok(vec![Event::new("slow"), Event::new("item"), Event::new("item")])
    });
    let slow = driver(Manifest::new("slow").handles("slow"), move |_, _| {
        let by = by.clone();
        Box::pin(async move {
            by.notified().await;
            Ok(vec![])
        })
    });
    let app = quick().driver(fan).driver(slow).limits(Limits { events: 3, ..Limits::default() });
    let app = app.start().await.unwrap();
    let mut held = app.subscribe("lease.held").await.unwrap();
    let running = tokio::spawn({
        let app = app.clone();
        async move { app.process_event(Event::new("start")).await }
    });
    let notice = held.next().await.unwrap().unwrap();
    settle_down().await;
    app.extend(notice.root(), Limits::default()).await.unwrap();
    open.notify_one();
    let lease = {
        app.idle().await;
        app.lease(notice.root()).await.unwrap().unwrap()
    };
    assert_eq!((lease.open, lease.parked), (0, 0));
    timeout(SOON, running).await.expect("it waits for ever").unwrap().unwrap();
}

#[tokio::test]
async fn process_event_runs_a_repeated_event_to_its_end_too() {
    let slow = driver(Manifest::new("slow").handles("job"), |_, _| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(vec![Event::new("done")])
        })
    });
    let app = quick().driver(slow).start().await.unwrap();
    app.emit(evt("job")).await.unwrap();
    let outputs = app.process_event(evt("job")).await.unwrap();
    assert_eq!(types(&outputs), ["done"], "it returned while the work was running");
}

#[tokio::test]
async fn emit_all_answers_with_one_id_for_each_event() {
    let eager =
        Manifest::new("eager").can(Capability::new("job").effect(vextir_core_effect())).with_eager(true);
    let app = quick().driver(answers(eager, |_| Ok(vec![Event::new("done")]))).start().await.unwrap();
    let ids = app.emit_all(vec![Event::new("job"), Event::new("job")]).await.unwrap();
    let log = log(&app).await;
    let jobs: Vec<_> = log.iter().filter(|one| one.event_type == "job").map(|one| one.id.clone()).collect();
    assert_eq!(ids, jobs);
}

fn vextir_core_effect() -> vextir::Effect {
    vextir::Effect::Reads
}

#[tokio::test]
async fn a_root_that_an_event_claims_does_not_hide_its_answer() {
    let echo = answers(Manifest::new("echo").handles("ask"), |_| Ok(vec![Event::new("told")]));
    let app = quick().driver(echo).start().await.unwrap();
    let mut claims = Event::new("ask");
    claims.edit().root_id = Some("evt_other".parse().unwrap());
    let outputs = timeout(SOON, app.process_event(claims)).await.expect("it never ends").unwrap();
    assert_eq!(outputs.len(), 1);
}
