//! Acts of the operator that are cut off: what they set free goes on all the same.

use super::slow::Slow;
use super::*;
use vextir::{ManualClock, ProcessorBuilder};

/// What a worker got, by ordering key.
type Seen = Arc<Mutex<Vec<(Option<Name>, String)>>>;

/// `start` makes four items of one key and two without, of which the tree's limit lets the first one through;
/// what says `ask` waits for a person.
fn stage(app: ProcessorBuilder) -> (ProcessorBuilder, Seen) {
    let burst = answers(Manifest::new("burst").handles("start"), |_| {
        let keyed = (1..=4).map(|n| item("k", &n.to_string()));
        let loose = (1..=2).map(|n| Event::new("item").with_data(json!(format!("loose {n}"))));
        Ok(keyed.chain(loose).collect())
    });
    let seen = Seen::default();
    let by = seen.clone();
    let worker = answers(Manifest::new("worker").handles("item").with_concurrency(1), move |event| {
        let text = event.data.value().as_str().unwrap_or_default().to_owned();
        by.lock().unwrap().push((event.ordering_key.clone(), text));
        Ok(vec![])
    });
    let asks = Policy(|request| {
        let ask = request.event.data.as_json() == "\"ask\"";
        Ok(if ask { Verdict::Hold(Decision::new("person", "ask")) } else { Verdict::Allow })
    });
    (app.driver(burst).driver(worker).authorizer(asks), seen)
}

fn item(key: &str, text: &str) -> Event {
    Event::new("item").with_ordering_key(Name::from(key)).with_data(json!(text))
}

/// A tree at its limit, a held event, and others behind both; the root of the tree, and of one to be cancelled.
async fn held_work(app: &Processor) -> (EventId, EventId) {
    let few = EmitOptions::new().limits(Limits { events: 2, ..Limits::default() });
    let root = app.emit_with(Event::new("start"), few).await.unwrap();
    app.idle().await;
    app.emit(item("k", "other")).await.unwrap();
    app.emit(item("q", "ask")).await.unwrap();
    app.emit(item("q", "later")).await.unwrap();
    let doomed = app.emit(item("c", "ask")).await.unwrap();
    app.emit(item("c", "after")).await.unwrap();
    app.idle().await;
    assert_eq!(app.held(100).await.unwrap().len(), 10);
    (root, doomed)
}

/// The operator's three acts; says whether all of them were taken. Those that were are not done again.
async fn operate(app: &Processor, root: &EventId, doomed: &EventId) -> bool {
    let extended = app.extend(root, Limits::default()).await;
    let held = app.held(100).await.unwrap();
    let ask = held.iter().find(|one| one.hold == Hold::Approval && one.event.id != *doomed);
    let approved = match ask {
        Some(ask) => app.approve(ask, "fine").await,
        None => Ok(()),
    };
    let cancelled = app.cancel(doomed).await.map(drop);
    extended.is_ok() && approved.is_ok() && cancelled.is_ok()
}

async fn everything_went(app: &Processor) {
    let free = async {
        while !app.held(100).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let left = timeout(SOON, free).await;
    assert!(left.is_ok(), "still held: {:?}", app.held(100).await.unwrap());
    app.idle().await;
}

fn in_order(seen: &[(Option<Name>, String)]) {
    let of = |key: Option<&str>| -> Vec<&str> {
        seen.iter().filter(|(own, _)| own.as_deref() == key).map(|(_, text)| &**text).collect()
    };
    assert_eq!(of(Some("k")), ["1", "2", "3", "4", "other"]);
    assert_eq!(of(Some("q")), ["ask", "later"]);
    assert_eq!(of(Some("c")), ["after"]);
    assert_eq!(of(None), ["loose 1", "loose 2"]);
}

#[tokio::test]
async fn wherever_the_process_dies_in_an_act_what_it_set_free_goes_on() {
    let mut cut = 0;
    loop {
        let bus = MemoryBus::new();
        let (app, first) = stage(Slow::failing(bus.clone(), usize::MAX).builder());
        let app = app.start().await.unwrap();
        let (root, doomed) = held_work(&app).await;
        drop(app);
        settle_down().await;
        // The chores of the start have looked already: they do not help.
        let failing = Slow::failing(bus.clone(), cut);
        let (app, second) = stage(failing.builder());
        let app = app.start().await.unwrap();
        let whole = operate(&app, &root, &doomed).await;
        app.idle().await;
        drop(app);
        let (app, third) = stage(on(bus));
        let app = app.start().await.unwrap();
        if !whole {
            assert!(operate(&app, &root, &doomed).await);
        }
        everything_went(&app).await;
        let seen: Vec<_> =
            [first, second, third].iter().flat_map(|seen| seen.lock().unwrap().clone()).collect();
        in_order(&seen);
        if failing.acts.load(Ordering::SeqCst) > 0 {
            break;
        }
        cut += 1;
    }
    assert!(cut > 8, "three acts and six releases, but it never failed after {cut}");
}

#[tokio::test]
async fn what_a_failing_bus_kept_back_goes_on_when_it_works_again() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let bus = Slow::failing(MemoryBus::new(), usize::MAX);
    let (app, seen) = stage(bus.builder().clock(clock.clone()));
    let app = app.start().await.unwrap();
    let (root, doomed) = held_work(&app).await;
    // Enough for the extension and its first release.
    bus.acts.store(2, Ordering::SeqCst);
    app.extend(&root, Limits::default()).await.expect("the tree is extended, whatever comes of what it held");
    assert_eq!(app.held(100).await.unwrap().len(), 9);
    bus.acts.store(usize::MAX, Ordering::SeqCst);
    let waits = async {
        // Two for a person, each with one behind it.
        while app.held(100).await.unwrap().len() > 4 {
            clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, waits).await.expect("it is tried again without a restart, and without another act");
    assert!(operate(&app, &root, &doomed).await);
    everything_went(&app).await;
    in_order(&seen.lock().unwrap());
}

#[tokio::test]
async fn one_event_that_cannot_go_on_keeps_no_others() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let bus = Slow::failing(MemoryBus::new(), usize::MAX).refusing(|command| match command {
        Command::Release(release) => {
            let bad = release.entry.as_ref().is_some_and(|entry| entry.event.data.value() == "loose 1");
            bad.then_some(ErrorKind::Invalid)
        }
        _ => None,
    });
    let (app, _) = stage(bus.builder().clock(clock.clone()));
    let app = app.start().await.unwrap();
    let (root, _) = held_work(&app).await;
    // The extension is taken, and none of what it sets free.
    bus.acts.store(1, Ordering::SeqCst);
    app.extend(&root, Limits::default()).await.unwrap();
    bus.acts.store(usize::MAX, Ordering::SeqCst);
    let waits = async {
        // Two for a person, each with one behind it, and the bad one.
        while app.held(100).await.unwrap().len() > 5 {
            clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, waits).await.expect("it waits for one that never goes on");
}

#[tokio::test]
async fn who_gives_up_waiting_for_an_act_does_not_leave_it_half_done() {
    let (app, seen) = stage(Slow::new(MemoryBus::new(), |_| true).builder());
    let app = app.start().await.unwrap();
    let (root, doomed) = held_work(&app).await;
    let ask = app.held(100).await.unwrap().into_iter().find(|one| one.event.id != doomed).unwrap();
    let acts = async {
        let (extend, cancel) = (app.extend(&root, Limits::default()), app.cancel(&doomed));
        let _ = tokio::join!(extend, cancel, app.approve(&ask, "fine"));
    };
    // Each commit takes fifty milliseconds.
    timeout(Duration::from_millis(75), acts).await.unwrap_err();
    everything_went(&app).await;
    in_order(&seen.lock().unwrap());
}

#[tokio::test]
async fn an_act_is_audited_with_its_own_commit() {
    let bus = Slow::failing(MemoryBus::new(), usize::MAX);
    let (app, _) = stage(bus.builder());
    let app = app.start().await.unwrap();
    let (root, doomed) = held_work(&app).await;
    bus.acts.store(1, Ordering::SeqCst);
    app.extend(&root, Limits::default()).await.unwrap();
    let refused = app.cancel(&doomed).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    let audit = app.audit(0, 100).await.unwrap();
    let acts: Vec<_> = audit.iter().map(|(_, record)| record.act.to_string()).collect();
    assert_eq!(acts.iter().filter(|act| *act == "extend").count(), 1);
    assert!(!acts.iter().any(|act| act == "cancel"), "{acts:?}");
}
