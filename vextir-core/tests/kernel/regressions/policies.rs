use super::slow::Slow;
use super::*;

#[tokio::test]
async fn the_obligations_of_two_limits_both_hold() {
    let cheap =
        Policy(|_| Ok(Verdict::Limit(Decision::new("cheap", "save"), json!({"model": "small"}).into())));
    let redact =
        Policy(|_| Ok(Verdict::Limit(Decision::new("redact", "law"), json!({"redact": true}).into())));
    let told: Arc<Mutex<String>> = Arc::default();
    let by = told.clone();
    let worker = driver(Manifest::new("worker").handles("job"), move |_, cx| {
        let by = by.clone();
        Box::pin(async move {
            *by.lock().unwrap() = cx.obligations().map(|data| data.as_json().to_owned()).unwrap_or_default();
            Ok(vec![])
        })
    });
    let app = quick().driver(worker).authorizer(cheap).authorizer(redact).start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    app.idle().await;
    let told = told.lock().unwrap();
    assert!(told.contains("small") && told.contains("redact"), "{told}");
}

#[tokio::test]
async fn an_installed_driver_gets_no_error_events_without_a_policy() {
    let (spy, seen) = seen_by("spy", "error");
    let broken =
        answers(Manifest::new("broken").handles("job"), |_| Err(Failure::permanent("secret").into()));
    let app = quick().driver(broken).installed_driver(spy).start().await.unwrap();
    app.as_user("bob").emit(Event::new("job")).await.unwrap();
    app.idle().await;
    assert!(seen.lock().unwrap().is_empty(), "it acts outside, and no policy allowed it");
}

#[tokio::test]
async fn a_policy_can_allow_an_installed_driver() {
    #[derive(Debug)]
    struct Grant;

    #[vextir::async_trait]
    impl vextir::Authorizer for Grant {
        async fn authorize(&self, _: &vextir::AuthorizeRequest<'_>) -> vextir::Result<Verdict> {
            Ok(Verdict::Allow)
        }

        async fn grants(
            &self,
            _: &vextir::AuthorizeRequest<'_>,
            target: &vextir::Target,
        ) -> vextir::Result<bool> {
            Ok(target.driver == "tool")
        }
    }
    let (tool, seen) = seen_by("tool", "job");
    let app = quick().installed_driver(tool).authorizer(Grant).start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_installed_driver_does_not_deny_other_drivers_their_events() {
    let (spy, _) = seen_by("spy", "**");
    let (own, seen) = seen_by("own", "job");
    let app = quick().driver(own).installed_driver(spy).start().await.unwrap();
    app.emit(Event::new("job")).await.unwrap();
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_delayed_event_of_the_operator_stays_the_operators() {
    let only_operator = Policy(|request| {
        Ok(match request.origin {
            vextir::Origin::Operator => Verdict::Allow,
            _ => Verdict::Deny(Decision::new("admin", "operators only")),
        })
    });
    let (worker, seen) = seen_by("worker", "job");
    let app = quick().driver(worker).authorizer(only_operator).start().await.unwrap();
    let at = app_now().after(Duration::from_millis(50));
    app.emit(Event::new("job").with_deliver_at(at)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1, "allowed at emit, dropped when due");
}

fn app_now() -> Timestamp {
    vextir::Clock::now(&SystemClock)
}

#[tokio::test]
async fn delayed_events_are_bounded() {
    let bus = MemoryBus::with_limits(BusLimits::default().with_backlog(10), 1_000, Arc::new(SystemClock));
    let app = on(bus).start().await.unwrap();
    let later: Timestamp = "9999-01-01T00:00:00Z".parse().unwrap();
    let mut taken = 0;
    for _ in 0..1_000 {
        taken +=
            usize::from(app.as_user("eve").try_emit(Event::new("job").with_deliver_at(later)).await.is_ok());
    }
    assert_eq!(taken, 10, "events in memory with a backlog limit of 10");
}

#[tokio::test]
async fn redrive_takes_each_letter_once() {
    let worker = answers(Manifest::new("worker").handles("job"), |_| Err(Failure::permanent("no").into()));
    let bus = Slow::new(MemoryBus::new(), |command| matches!(command, Command::Redrive { .. }));
    let app = bus.builder().driver(worker).start().await.unwrap();
    for _ in 0..2_000 {
        app.emit(Event::new("job")).await.unwrap();
    }
    app.idle().await;
    let touched = timeout(SOON, app.redrive(&Letters::all())).await.expect("it never ends").unwrap();
    assert_eq!(touched, 2_000);
    assert_eq!(app.audit(0, 10_000).await.unwrap().len(), 2_000);
}

#[tokio::test]
async fn an_eager_driver_keeps_its_concurrency() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running_by, most_by) = (running.clone(), most.clone());
    let manifest = Manifest::new("eager")
        .can(Capability::new("job").effect(vextir::Effect::Reads))
        .with_concurrency(1)
        .with_eager(true);
    let eager = answers(manifest, move |event| {
        most_by.fetch_max(running_by.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(if event.data.is_empty() { 0 } else { 300 }));
        running_by.fetch_sub(1, Ordering::SeqCst);
        Ok(vec![])
    });
    let app = quick().driver(eager).start().await.unwrap();
    let slow = std::thread::spawn({
        let app = app.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(app.emit(Event::new("job").with_data(json!(1)))).unwrap();
        }
    });
    std::thread::sleep(Duration::from_millis(100));
    app.emit(Event::new("job")).await.unwrap();
    slow.join().unwrap();
    app.idle().await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_tenants_handle_is_closed_when_the_processor_is_gone() {
    let (worker, _) = seen_by("worker", "job");
    let app = quick().driver(worker).start().await.unwrap();
    let eve = app.as_user("eve");
    drop(app);
    let error = eve.emit(Event::new("job")).await.expect_err("taken, and never handled");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_subscription_ends_with_the_processor() {
    let app = quick().start().await.unwrap();
    let mut stream = app.subscribe("**").await.unwrap();
    app.shutdown().await.unwrap();
    assert!(timeout(Duration::from_secs(1), stream.next()).await.expect("next() waits for ever").is_none());
}

#[tokio::test]
async fn a_full_backlog_tells_a_tenant_no_count() {
    let bus = MemoryBus::with_limits(BusLimits::default().with_backlog(7), 1_000, Arc::new(SystemClock));
    let (worker, _) = seen_by("worker", "job");
    let app = on(bus).driver(worker).paused().start().await.unwrap();
    for _ in 0..7 {
        app.as_user("bob").emit(Event::new("job")).await.unwrap();
    }
    let error = app.as_user("eve").try_emit(Event::new("job")).await.unwrap_err().to_string();
    assert!(!error.contains('7'), "{error}");
}

#[tokio::test]
async fn resume_does_not_run_two_suspects_at_once() {
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
            for _ in 0..4 {
                app.emit(Event::new("job")).await.unwrap();
            }
        }
        settle_down().await;
        drop(app);
        settle_down().await;
    }
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running_by, most_by) = (running.clone(), most.clone());
    let worker = driver(Manifest::new("worker").handles("job"), move |_, _| {
        let (running, most) = (running_by.clone(), most_by.clone());
        Box::pin(async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(vec![])
        })
    });
    let app = on(bus).driver(worker).start().await.unwrap();
    app.resume();
    app.idle().await;
    assert_eq!(most.load(Ordering::SeqCst), 1, "alone means alone");
}

#[tokio::test]
async fn a_clock_that_jumped_ahead_and_back_leaves_pauses_between_retries() {
    let clock = vextir::ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let start = vextir::Clock::now(&clock);
    let calls = Arc::new(AtomicUsize::new(0));
    let by = calls.clone();
    let worker = answers(Manifest::new("worker").handles("job").with_retries(3), move |_| {
        by.fetch_add(1, Ordering::SeqCst);
        Err("not yet".into())
    });
    let pause = Duration::from_secs(10);
    let retry = vextir::RetryPolicy { base: pause, cap: pause };
    let app = Processor::builder(MemoryBus::new()).retry(retry).clock(clock.clone()).driver(worker);
    let app = app.start().await.unwrap();
    clock.jump(start.after(Duration::from_secs(86_400)));
    app.emit(Event::new("job")).await.unwrap();
    settle_down().await;
    assert_eq!(calls.swap(0, Ordering::SeqCst), 1);
    clock.jump(start);
    app.emit(Event::new("job")).await.unwrap();
    settle_down().await;
    assert_eq!(calls.load(Ordering::SeqCst), 1, "attempts without a pause, for a day");
}

struct Hanging(Arc<AtomicUsize>, bool);
#[vextir::async_trait]
impl Driver for Hanging {
    fn manifest(&self) -> Manifest {
        Manifest::new(if self.1 { "second" } else { "first" })
    }
    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(vec![])
    }
    async fn start(&self, _emitter: Emitter) -> Result<()> {
        if self.1 { Err(vextir::Error::invalid("no")) } else { Ok(()) }
    }
    async fn stop(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn shutdown_ends_within_its_limit_also_when_a_driver_does_not_stop() {
    let app = quick().driver(Hanging(Arc::default(), false)).start().await.unwrap();
    let end = timeout(SOON, app.shutdown_within(Duration::from_millis(50))).await;
    let _ = end.expect("stop() has no limit, and the bus is never left");
}

#[tokio::test]
async fn a_start_that_fails_stops_the_drivers_that_it_started() {
    let stopped = Arc::new(AtomicUsize::new(0));
    let start = quick().driver(Hanging(stopped.clone(), false)).driver(Hanging(Arc::default(), true)).start();
    let _ = timeout(Duration::from_secs(1), start).await;
    assert_eq!(stopped.load(Ordering::SeqCst), 1);
}

/// Emits on the bus beside the processor while it judges the first event.
#[derive(Debug)]
struct Emits(MemoryBus);

#[vextir::async_trait]
impl Authorizer for Emits {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict> {
        if request.event.event_type == "first" {
            EventBusExt::emit(&self.0, Event::new("second")).await?;
        }
        Ok(Verdict::Allow)
    }
}

/// As many wait to be routed after the first one is routed as before: that changes no count.
#[tokio::test]
async fn an_event_that_comes_while_another_one_is_routed_is_routed_too() {
    let bus = MemoryBus::new();
    let (worker, seen) = seen_by("worker", "second");
    let app = on(bus.clone()).driver(worker).authorizer(Emits(bus.clone())).start().await.unwrap();
    EventBusExt::emit(&bus, Event::new("first")).await.unwrap();
    let waiting = async {
        while seen.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, waiting).await.expect("it is never routed");
    timeout(SOON, app.idle()).await.expect("it is never idle");
}

#[derive(Debug)]
struct Nothing;

#[vextir::async_trait]
impl Authorizer for Nothing {
    async fn authorize(&self, _: &AuthorizeRequest<'_>) -> Result<Verdict> {
        Ok(Verdict::Deny(Decision::new("nothing", "goes through")))
    }
}

#[tokio::test]
async fn nobody_takes_the_kernels_name_to_pass_the_policies() {
    let bus = MemoryBus::new();
    let app = on(bus.clone()).authorizer(Nothing).start().await.unwrap();
    let claims = || Event::new("job").with_source("vextir");
    let refused = [
        EventBusExt::emit(&bus, claims()).await.unwrap_err(),
        app.emit(claims()).await.unwrap_err(),
        app.as_user("eve").emit(claims()).await.unwrap_err(),
        app.register(answers(Manifest::new("vextir"), |_| Ok(vec![]))).await.unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("the kernel's own name"), "{error}");
    }
    assert!(log(&app).await.is_empty());
}

#[tokio::test]
async fn what_is_emitted_beside_a_processor_has_its_limits() {
    let bus = MemoryBus::new();
    let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
    let large = json!("x".repeat(1024 * 1024));
    for data in [vextir::Data::from_json(deep).unwrap(), large.into()] {
        let error = EventBusExt::emit(&bus, Event::new("job").with_data(data)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    EventBusExt::emit(&bus, Event::new("job")).await.unwrap();
    let page = bus.read(0, &EventFilter::all(), 10).await.unwrap();
    assert_eq!(page.events.iter().map(|logged| &*logged.event.source).collect::<Vec<_>>(), ["app"]);
}

/// Holds what says "hold".
fn hold_some() -> Policy {
    Policy(|request| {
        let held = request.event.data.as_json() == "\"hold\"";
        Ok(if held { Verdict::Hold(Decision::new("ask", "first")) } else { Verdict::Allow })
    })
}

#[tokio::test]
async fn an_approval_before_its_time_does_not_bring_an_event_forward() {
    let clock = vextir::ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let (worker, seen) = seen_by("worker", "send");
    let builder = quick().clock(clock.clone()).driver(worker).authorizer(hold_some());
    let app = builder.start().await.unwrap();
    let later = vextir::Clock::now(&clock).after(Duration::from_secs(3_600));
    app.emit(Event::new("send").with_data(json!("hold")).with_deliver_at(later)).await.unwrap();
    let held = app.held(10).await.unwrap();
    app.approve(&held[0], "fine").await.unwrap();
    settle_down().await;
    assert!(seen.lock().unwrap().is_empty(), "approved is not due");
    assert!(app.held(10).await.unwrap().is_empty());
    clock.advance(Duration::from_secs(3_601));
    let waiting = async {
        while seen.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, waiting).await.expect("it is held again, or never sent");
    app.idle().await;
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_approved_before_its_time_is_not_asked_again_behind_a_held_key() {
    let clock = vextir::ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let (worker, seen) = seen_by("worker", "send");
    let builder = quick().clock(clock.clone()).driver(worker).authorizer(hold_some());
    let app = builder.start().await.unwrap();
    let send = || Event::new("send").with_data(json!("hold")).with_ordering_key("k");
    let later = vextir::Clock::now(&clock).after(Duration::from_secs(3_600));
    app.emit(send().with_deliver_at(later)).await.unwrap();
    app.approve(&app.held(10).await.unwrap()[0], "fine").await.unwrap();
    app.emit(send()).await.unwrap();
    clock.advance(Duration::from_secs(3_601));
    settle_down().await;
    let held = app.held(10).await.unwrap();
    assert_eq!(held.iter().map(|one| one.hold).collect::<Vec<_>>(), [Hold::Approval, Hold::Key]);
    app.approve(&held[0], "fine").await.unwrap();
    timeout(SOON, app.idle()).await.expect("a person is asked a second time");
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_emitted_without_a_processor_keeps_behind_a_held_event_of_its_key() {
    let bus = MemoryBus::new();
    for data in ["hold", "go", "on"] {
        let event = Event::new("job").with_ordering_key("key").with_data(json!(data));
        EventBusExt::emit(&bus, event).await.unwrap();
    }
    let (worker, seen) = seen_by("worker", "job");
    let app = on(bus).driver(worker).authorizer(hold_some()).start().await.unwrap();
    settle_down().await;
    assert!(seen.lock().unwrap().is_empty(), "the first one is held");
    let held = app.held(10).await.unwrap();
    let first = held.iter().find(|parked| parked.event.data.as_json() == "\"hold\"").unwrap();
    app.approve(first, "fine").await.unwrap();
    timeout(SOON, app.idle()).await.expect("what stood behind it never comes");
    let order: Vec<_> = seen.lock().unwrap().iter().map(|event| event.data.as_json().to_owned()).collect();
    assert_eq!(order, ["\"hold\"", "\"go\"", "\"on\""]);
}
