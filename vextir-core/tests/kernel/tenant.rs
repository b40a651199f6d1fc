//! What a tenant's handle shows, and what the kernel says of itself.

use crate::driver::{answers, driver, log, quick};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vextir::prelude::*;
use vextir::{
    AuthorizeRequest, Authorizer, Decision, ErrorKind, HandlerFailed, LeaseHeld, Limits, ManualClock, Verdict,
};

#[tokio::test]
async fn a_tenant_hears_its_own_signals_only() {
    let tells = driver(Manifest::new("tells").handles("tell"), |_, cx| {
        Box::pin(async move {
            cx.signal("token", json!(cx.user()));
            Ok(vec![])
        })
    });
    let app = quick().driver(tells).start().await.unwrap();
    let (eve, bob) = (app.as_user("eve"), app.as_user("bob"));
    let mut signals = eve.signals();
    bob.process_event(Event::new("tell")).await.unwrap();
    eve.process_event(Event::new("tell")).await.unwrap();
    assert_eq!(signals.next().await.unwrap().data.value(), json!("eve"));
    app.shutdown().await.unwrap();
    assert!(signals.next().await.is_none());
}

#[derive(Debug)]
struct HoldAll;

#[vextir::async_trait]
impl Authorizer for HoldAll {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> vextir::Result<Verdict> {
        let hold = Verdict::Hold(Decision::new("ask", "first"));
        Ok(if request.event.event_type == "risky" { hold } else { Verdict::Allow })
    }
}

#[tokio::test]
async fn a_tenant_sees_its_own_held_events_and_dead_letters_only() {
    let fails = answers(Manifest::new("fails").handles("job"), |_| Err(Failure::permanent("no").into()));
    let app = quick().driver(fails).authorizer(HoldAll).start().await.unwrap();
    let (eve, bob) = (app.as_user("eve"), app.as_user("bob"));
    for tenant in [&bob, &eve, &bob] {
        tenant.emit(Event::new("risky")).await.unwrap();
        tenant.emit(Event::new("job")).await.unwrap();
    }
    app.idle().await;
    let held = eve.held(10).await.unwrap();
    assert_eq!((held.len(), held[0].number, held[0].event.user_id.as_str()), (1, 0, "eve"));
    let letters = eve.dead_letters(10).await.unwrap();
    assert_eq!((letters.len(), letters[0].position, letters[0].sequence), (1, 0, 0));
    assert_eq!(letters[0].event.user_id, "eve");
    assert_eq!((bob.held(1).await.unwrap().len(), bob.dead_letters(1).await.unwrap().len()), (1, 1));
    assert!(app.as_user("").held(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_stream_gives_up_after_its_limit_and_loses_nothing() {
    let clock = ManualClock::at("2025-06-15T12:00:00Z").unwrap();
    let app = quick().clock(clock.clone()).start().await.unwrap();
    let mut stream = app.subscribe("**").await.unwrap();
    let waits = tokio::spawn(async move {
        let first = stream.next_within(Duration::from_secs(60)).await;
        (stream, first)
    });
    while clock.until_next().is_none() {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(60));
    let (mut stream, first) = waits.await.unwrap();
    assert_eq!(first.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    app.emit(Event::new("late")).await.unwrap();
    let next = stream.next_within(Duration::from_secs(60)).await;
    assert_eq!(next.unwrap().unwrap().event_type, "late");
}

struct Alarm(Arc<Mutex<Vec<String>>>);

#[vextir::driver("alarm", effect = "reads")]
impl Alarm {
    /// Notes what failed.
    #[on]
    async fn failed(&self, failed: HandlerFailed) {
        self.0.lock().unwrap().push(format!("{} {} {}", failed.driver, failed.error, failed.event_id));
    }

    /// Notes what is held.
    #[on]
    async fn held(&self, held: LeaseHeld) {
        self.0.lock().unwrap().push(format!("{} {} {}", held.unit, held.limit, held.event_type));
    }
}

#[tokio::test]
async fn a_driver_takes_what_the_kernel_says() {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let fails = answers(Manifest::new("fails").handles("job"), |_| Err(Failure::permanent("no").into()));
    let burst = answers(Manifest::new("burst").handles("start"), |_| Ok(vec![Event::new("item")]));
    let limits = Limits { events: 1, ..Limits::default() };
    let builder = quick().limits(limits).driver(fails).driver(burst).driver(Alarm(heard.clone()));
    let app = builder.start().await.unwrap();
    let job = app.emit(Event::new("job")).await.unwrap();
    app.idle().await;
    app.emit(Event::new("start")).await.unwrap();
    app.idle().await;
    assert_eq!(*heard.lock().unwrap(), [format!("fails no {job}"), "events 1 item".to_owned()]);
    let told: Vec<_> = log(&app).await.into_iter().filter(|event| event.source == "vextir").collect();
    let told: Vec<_> = told.iter().map(|one| (one.event_type.as_str(), one.category)).collect();
    assert_eq!(told, [("error", Category::Internal), ("lease.held", Category::Output)]);
}
