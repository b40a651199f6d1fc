use super::*;

#[tokio::test]
async fn what_waits_behind_a_lease_held_key_goes_on_after_extend() {
    let burst = answers(Manifest::new("burst").handles("start"), |_| {
        Ok((0..10).map(|n| Event::new("item").with_ordering_key("k").with_data(json!(n))).collect())
    });
    let app = quick().limits(Limits { events: 4, ..Limits::default() }).driver(burst).start().await.unwrap();
    let root = app.emit(Event::new("start")).await.unwrap();
    app.idle().await;
    app.extend(&root, Limits::default()).await.unwrap();
    app.idle().await;
    assert_eq!(app.held(100).await.unwrap().len(), 0);
}

#[tokio::test]
async fn what_waits_behind_a_cancelled_held_event_goes_on() {
    let hold = Policy(|request| {
        let first = request.event.data.as_json() == "1";
        Ok(if first { Verdict::Hold(Decision::new("ask", "first")) } else { Verdict::Allow })
    });
    let (worker, seen) = seen_by("worker", "ask");
    let app = quick().driver(worker).authorizer(hold).start().await.unwrap();
    let ask = |n: u32| Event::new("ask").with_ordering_key("k").with_data(json!(n));
    let held = app.emit(ask(1)).await.unwrap();
    app.emit(ask(2)).await.unwrap();
    app.cancel(&held).await.unwrap();
    app.emit(ask(3)).await.unwrap();
    app.idle().await;
    assert_eq!(app.held(10).await.unwrap().len(), 0, "2 and 3 wait for ever");
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[derive(Debug)]
struct Gate {
    armed: AtomicBool,
    reached: tokio::sync::Notify,
    open: tokio::sync::Notify,
}
#[derive(Debug)]
struct Gated(Arc<Gate>);
#[vextir::async_trait]
impl Authorizer for Gated {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict> {
        match request.event.data.as_json() {
            "1" => return Ok(Verdict::Hold(Decision::new("ask", "first"))),
            "2" if self.0.armed.load(Ordering::SeqCst) => {
                self.0.reached.notify_one();
                self.0.open.notified().await;
            }
            _ => {}
        }
        Ok(Verdict::Allow)
    }
}

#[tokio::test]
async fn what_comes_during_an_approval_is_not_left_behind() {
    let gate = Arc::new(Gate {
        armed: AtomicBool::new(false),
        reached: tokio::sync::Notify::new(),
        open: tokio::sync::Notify::new(),
    });
    let (worker, _) = seen_by("worker", "ask");
    let app = quick().driver(worker).authorizer(Gated(gate.clone())).start().await.unwrap();
    let ask = |n: u32| Event::new("ask").with_ordering_key("k").with_data(json!(n));
    app.emit(ask(1)).await.unwrap();
    app.emit(ask(2)).await.unwrap();
    let held = app.held(10).await.unwrap().remove(0);
    gate.armed.store(true, Ordering::SeqCst);
    let approving = tokio::spawn({
        let app = app.clone();
        async move { app.approve(&held, "fine").await }
    });
    gate.reached.notified().await;
    app.emit(ask(3)).await.unwrap();
    gate.open.notify_one();
    approving.await.unwrap().unwrap();
    app.idle().await;
    assert_eq!(app.held(10).await.unwrap().len(), 0, "3 waits for ever, and so does everything after it");
}

#[tokio::test]
async fn one_blocked_key_does_not_stop_the_driver_for_others() {
    let done = Arc::new(AtomicUsize::new(0));
    let by = done.clone();
    let worker = answers(Manifest::new("worker").handles("job"), move |event| {
        if event.ordering_key.is_some() {
            return Err(Failure::transient("later").retry_after(Duration::from_secs(3600)).into());
        }
        by.fetch_add(1, Ordering::SeqCst);
        Ok(vec![])
    });
    let app = quick().queue_capacity(8).driver(worker).start().await.unwrap();
    for _ in 0..20 {
        app.as_user("eve").emit(Event::new("job").with_ordering_key("k")).await.unwrap();
    }
    settle_down().await;
    app.as_user("bob").emit(Event::new("job")).await.unwrap();
    settle_down().await;
    assert_eq!(done.load(Ordering::SeqCst), 1, "bob waits for eve's retry in an hour");
}

#[tokio::test]
async fn suspects_of_one_key_keep_their_order_over_a_retry() {
    let bus = MemoryBus::new();
    for _ in 0..2 {
        let stuck = driver(Manifest::new("worker").handles("job"), |_, _| {
            Box::pin(async {
                std::future::pending::<()>().await;
                Ok(vec![])
            })
        });
        let app = on(bus.clone()).driver(stuck).start().await.unwrap();
        if log(&app).await.is_empty() {
            for n in 1..=3 {
                app.emit(Event::new("job").with_ordering_key("k").with_data(json!(n))).await.unwrap();
            }
        }
        settle_down().await;
        drop(app);
        settle_down().await;
    }
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    let by = order.clone();
    let worker = driver(Manifest::new("worker").handles("job"), move |event, cx| {
        let by = by.clone();
        Box::pin(async move {
            if event.data.as_json() == "1" && cx.attempt() == 1 {
                return Err("again".into());
            }
            by.lock().unwrap().push(event.data.as_json().to_owned());
            Ok(vec![])
        })
    });
    let app = on(bus).driver(worker).start().await.unwrap();
    timeout(SOON, app.idle()).await.unwrap();
    assert_eq!(*order.lock().unwrap(), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_cancelled_death_does_not_block_its_key() {
    let worker = driver(Manifest::new("worker").handles("job").with_block_on_dead(true), |event, cx| {
        Box::pin(async move {
            if event.data.as_json() == "1" {
                cx.cancelled().await;
                return Err(Failure::permanent("stopped").into());
            }
            Ok(vec![Event::new("done")])
        })
    });
    let app = quick().driver(worker).start().await.unwrap();
    let job = |n: u32| Event::new("job").with_ordering_key("k").with_data(json!(n));
    let root = app.emit(job(1)).await.unwrap();
    settle_down().await;
    app.cancel(&root).await.unwrap();
    settle_down().await;
    assert!(app.dead_letters(0, 1).await.unwrap().is_empty(), "there is nothing to redrive or discard");
    app.emit(job(2)).await.unwrap();
    timeout(SOON, app.idle()).await.expect("the key is blocked for ever");
}

#[tokio::test]
async fn a_new_driver_gets_an_unrouted_event_once() {
    let bus = MemoryBus::new();
    bus.emit(Event::new("job")).await.unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let by = count.clone();
    let worker = answers(Manifest::new("worker").handles("job").with_from_start(true), move |_| {
        by.fetch_add(1, Ordering::SeqCst);
        Ok(vec![Event::new("done")])
    });
    let app = on(bus).driver(worker).start().await.unwrap();
    settle_down().await;
    app.idle().await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!(types(&log(&app).await), ["job", "done"]);
}

#[tokio::test]
async fn a_driver_that_the_log_knows_gets_nothing_twice_when_registered_again() {
    let bus = MemoryBus::new();
    let make = |count: &Arc<AtomicUsize>| {
        let by = count.clone();
        answers(Manifest::new("worker").handles("job").with_from_start(true), move |_| {
            by.fetch_add(1, Ordering::SeqCst);
            Ok(vec![Event::new("done")])
        })
    };
    let count = Arc::new(AtomicUsize::new(0));
    for run in 0..2 {
        let app = on(bus.clone()).start().await.unwrap();
        app.register(make(&count)).await.unwrap();
        if run == 0 {
            app.emit(Event::new("job")).await.unwrap();
        }
        app.idle().await;
        app.shutdown().await.unwrap();
    }
    assert_eq!(count.load(Ordering::SeqCst), 1, "its output is doubled");
}

/// Two trees share a key. The first, extended by too little, still comes before the second.
#[tokio::test]
async fn an_extension_that_does_not_suffice_lets_nobody_pass() {
    let burst = answers(Manifest::new("burst").handles("start"), |_| {
        Ok((1..=6).map(|n| Event::new("item").with_ordering_key("k").with_data(json!(n))).collect())
    });
    let (worker, seen) = seen_by("worker", "item");
    let limits = Limits { events: 3, ..Limits::default() };
    let app = quick().limits(limits).driver(burst).driver(worker).start().await.unwrap();
    let root = app.emit(Event::new("start")).await.unwrap();
    app.idle().await;
    app.emit(Event::new("item").with_ordering_key("k").with_data(json!("other"))).await.unwrap();
    for (events, left) in [(3, 5), (5, 3), (6, 2), (7, 0)] {
        app.extend(&root, Limits { events, ..Limits::default() }).await.unwrap();
        app.idle().await;
        assert_eq!(app.held(10).await.unwrap().len(), left);
    }
    let order: Vec<String> =
        seen.lock().unwrap().iter().map(|event| event.data.as_json().to_owned()).collect();
    assert_eq!(order, ["1", "2", "3", "4", "5", "6", "\"other\""]);
}

#[tokio::test]
async fn outputs_that_are_extended_one_by_one_keep_their_order() {
    let burst = answers(Manifest::new("burst").handles("start"), |_| {
        Ok((1..=5).map(|n| Event::new("item").with_data(json!(n))).collect())
    });
    let limits = Limits { events: 1, ..Limits::default() };
    let app = quick().limits(limits).driver(burst).start().await.unwrap();
    let root = app.emit(Event::new("start")).await.unwrap();
    app.idle().await;
    for events in [2, 3, 4, 6] {
        app.extend(&root, Limits { events, ..Limits::default() }).await.unwrap();
    }
    let items = log(&app).await.into_iter().filter(|event| event.event_type == "item");
    let order: Vec<String> = items.map(|event| event.data.as_json().to_owned()).collect();
    assert_eq!(order, ["1", "2", "3", "4", "5"]);
}
