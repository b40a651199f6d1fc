use super::*;

#[tokio::test]
async fn process_event_returns_no_other_tenants_events() {
    let echo = answers(Manifest::new("echo").handles("ask"), |event| {
        Ok(vec![Event::of(&Answer { to: event.user_id.to_string() })?])
    });
    let app = quick().driver(echo).start().await.unwrap();
    app.as_user("eve").process_event(evt("ask")).await.unwrap();
    app.as_user("bob").process_event(evt("ask")).await.unwrap();
    // A function host repeats eve's event.
    let eves = app.as_user("eve").process_event(evt("ask")).await.unwrap();
    assert!(eves.iter().all(|event| event.user_id == "eve"), "{eves:?}");
}

#[tokio::test]
async fn a_request_is_not_answered_with_another_tenants_answer() {
    let echo = driver(Manifest::new("echo").handles("ask"), |event, _| {
        Box::pin(async move {
            if event.user_id == "eve" {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(vec![Event::of(&Answer { to: event.user_id.to_string() })?])
        })
    });
    let app = quick().driver(echo).start().await.unwrap();
    let (eve, bob) = (app.as_user("eve"), app.as_user("bob"));
    let (eves, bobs) = tokio::join!(eve.request::<Answer>(evt("ask")), bob.request::<Answer>(evt("ask")));
    assert_eq!(bobs.unwrap().to, "bob");
    assert_eq!(eves.unwrap().to, "eve");
}

#[tokio::test]
async fn a_tenants_cancel_leaves_other_tenants_work_alone() {
    let (worker, seen) = seen_by("worker", "ask");
    let app = quick().driver(worker).paused().start().await.unwrap();
    app.as_user("eve").emit(evt("ask")).await.unwrap();
    app.as_user("bob").emit(evt("ask")).await.unwrap();
    settle_down().await;
    app.as_user("eve").cancel(&"evt_1".parse().unwrap()).await.unwrap();
    app.resume();
    let idle = timeout(SOON, app.idle()).await;
    assert_eq!(seen.lock().unwrap().len(), 1, "bob's delivery was taken out of the queue");
    idle.unwrap();
}

#[tokio::test]
async fn idempotency_keys_of_two_tenants_differ() {
    let keys: Arc<Mutex<Vec<String>>> = Arc::default();
    let by = keys.clone();
    let pay = driver(Manifest::new("pay").handles("ask"), move |_, cx| {
        let by = by.clone();
        Box::pin(async move {
            by.lock().unwrap().push(cx.idempotency_key());
            Ok(vec![])
        })
    });
    let app = quick().driver(pay).start().await.unwrap();
    app.as_user("eve").emit(evt("ask")).await.unwrap();
    app.as_user("bob").emit(evt("ask")).await.unwrap();
    app.idle().await;
    let keys = keys.lock().unwrap();
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn an_approval_names_whose_event_it_approves() {
    let hold = Policy(|_| Ok(Verdict::Hold(Decision::new("ask", "first"))));
    let (worker, _) = seen_by("worker", "ask");
    let app = quick().driver(worker).authorizer(hold).start().await.unwrap();
    app.as_user("eve").emit(evt("ask").with_data(json!("steal"))).await.unwrap();
    app.as_user("bob").emit(evt("ask")).await.unwrap();
    // The operator looks at bob's, and approves it: eve's has the same id.
    let held = app.held(10).await.unwrap();
    let bobs = held.iter().find(|parked| parked.event.user_id == "bob").unwrap();
    app.approve(bobs, "fine").await.unwrap();
    assert_eq!(log(&app).await[0].user_id, "bob");
}

/// Foreign ids are each user's own, so both trees have the root `evt_1`.
#[tokio::test]
async fn an_event_of_another_tenant_is_no_cause() {
    let (worker, seen) = seen_by("worker", "bobs");
    let bobs = answers(Manifest::new("bobs").handles("ask"), |event| {
        Ok(if event.user_id == "bob" { vec![Event::new("bobs")] } else { vec![] })
    });
    let stolen: Arc<Mutex<Option<EventId>>> = Arc::default();
    let names = stolen.clone();
    let eves = answers(Manifest::new("eves").handles("steal"), move |_| {
        Ok(vec![Event::new("mine").with_cause(names.lock().unwrap().clone().unwrap())])
    });
    let app = quick().driver(worker).driver(bobs).driver(eves).start().await.unwrap();
    app.as_user("bob").emit(evt("ask")).await.unwrap();
    app.idle().await;
    *stolen.lock().unwrap() = Some(seen.lock().unwrap()[0].id.clone());
    app.as_user("eve").emit(evt("steal")).await.unwrap();
    app.idle().await;
    assert!(log(&app).await.iter().all(|event| event.event_type != "mine"));
    let letters = app.dead_letters(0, 10).await.unwrap();
    assert!(letters[0].reason.contains("not in the causal tree"), "{}", letters[0].reason);
}
