use crate::driver::{answers, log, on, quick};
use std::sync::Arc;
use vextir::prelude::*;
use vextir::{BusLimits, Driver, ErrorKind, MemoryBus, SystemClock};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Order {
    items: Vec<u32>,
}

impl Payload for Order {
    const TYPE: &'static str = "order";
}

struct Shop;

#[vextir::async_trait]
impl Driver for Shop {
    fn manifest(&self) -> Manifest {
        Manifest::new("shop").can(vextir::Capability::of::<Order>())
    }

    async fn handle_event(&self, event: Event, _cx: &Ctx) -> HandlerResult {
        event.decode::<Order>()?;
        Ok(vec![])
    }

    fn check(&self, event: &Event) -> vextir::Result<()> {
        event.decode::<Order>().map(drop)
    }
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_refused_with_path_and_expected_type() {
    let app = quick().driver(Shop).start().await.unwrap();
    let error = app.emit(Event::new("order").with_data(json!({"items": [1, "two"]}))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    for part in ["driver shop", "data.items[1]", "expected u32"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(log(&app).await.is_empty());
}

#[tokio::test]
async fn an_invalid_output_fails_its_handler_for_good() {
    let broken = answers(Manifest::new("broken").handles("go"), |_| {
        Ok(vec![Event::new("order").with_data(json!({"items": "none"}))])
    });
    let app = quick().driver(Shop).driver(broken).start().await.unwrap();
    app.process_event(Event::new("go")).await.unwrap();
    let dead = app.dead_letters(0, 10).await.unwrap();
    assert!(dead[0].reason.contains("data.items"), "{}", dead[0].reason);
    assert_eq!(dead[0].attempts, 1);
}

#[tokio::test]
async fn size_nesting_and_names_are_limited() {
    let app = quick().start().await.unwrap();
    let big = Event::new("big").with_data(json!("x".repeat(1024 * 1024)));
    assert!(app.emit(big).await.unwrap_err().to_string().contains("max_event_bytes"));
    let deep = vextir::Data::from_json(format!("{}{}", "[".repeat(200), "]".repeat(200))).unwrap();
    assert!(app.emit(Event::new("deep").with_data(deep)).await.unwrap_err().to_string().contains("nested"));
    for bad in ["", "a..b", "a b", "ä.b", "-a"] {
        assert_eq!(app.emit(Event::new(bad)).await.unwrap_err().kind(), ErrorKind::Invalid, "{bad:?}");
    }
    let long = "k".repeat(10_000);
    assert_eq!(
        app.emit(Event::new("a").with_ordering_key(long)).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert!(
        vextir::Data::from_json(String::from_utf8_lossy(&[b'"', 0xff, b'"'])).is_ok(),
        "replaced, not refused"
    );
    assert!(Event::from_json("{\"type\": \"a\", \"data\": nonsense}").is_err());
}

#[tokio::test]
async fn an_id_is_stored_once() {
    let app = quick().start().await.unwrap();
    let event = |n: u32| Event::new("a").with_id("evt_1".parse().unwrap()).with_data(json!(n));
    app.emit(event(1)).await.unwrap();
    app.emit(event(1)).await.unwrap();
    assert_eq!(app.emit(event(2)).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(log(&app).await.len(), 1);
}

#[tokio::test]
async fn an_id_that_stands_twice_in_one_batch_is_stored_once() {
    let app = quick().start().await.unwrap();
    let event = |n: u32| Event::new("a").with_id("evt_1".parse().unwrap()).with_data(json!(n));
    let ids = app.emit_all(vec![event(1), event(1)]).await.unwrap();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
    assert_eq!(log(&app).await.len(), 1);
    let two = |n: u32| event(n).with_id("evt_2".parse().unwrap());
    assert_eq!(app.emit_all(vec![two(1), two(2)]).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(log(&app).await.len(), 1);
}

#[tokio::test]
async fn an_output_under_an_id_of_its_own_is_stored_once() {
    let fetch = answers(Manifest::new("fetch").handles("fetch"), |_| {
        let mail = Event::new("mail").with_id("msg-1".parse()?).with_data(json!("hello"));
        Ok(vec![mail.clone(), mail])
    });
    let app = quick().driver(fetch).start().await.unwrap();
    app.process_event(Event::new("fetch")).await.unwrap();
    app.process_event(Event::new("fetch")).await.unwrap();
    assert_eq!(log(&app).await.iter().filter(|event| event.event_type == "mail").count(), 1);
    assert!(app.dead_letters(0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_full_backlog_makes_emit_wait_and_try_emit_say_busy() {
    let mut limits = BusLimits::default();
    limits.backlog = 3;
    let bus = MemoryBus::with_limits(limits, 1_000, Arc::new(SystemClock));
    let worker = answers(Manifest::new("worker").handles("job"), |_| Ok(vec![]));
    let app = on(bus).driver(worker).paused().start().await.unwrap();
    for _ in 0..3 {
        app.emit(Event::new("job")).await.unwrap();
    }
    assert_eq!(app.try_emit(Event::new("job")).await.unwrap_err().kind(), ErrorKind::Busy);
    let waiting = app.clone();
    let waiting = tokio::spawn(async move { waiting.emit(Event::new("job")).await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    app.resume();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_retention_removed_is_a_gap_and_not_silence() {
    let bus = MemoryBus::with_limits(BusLimits::default(), 10, Arc::new(SystemClock));
    let app = on(bus).start().await.unwrap();
    let mut slow = app.subscribe_from("**", Start::Beginning).await.unwrap();
    app.emit(Event::new("first")).await.unwrap();
    assert_eq!(slow.next().await.unwrap().unwrap().event_type, "first");
    let cursor = slow.cursor();
    for n in 0..25 {
        app.emit(Event::new("a").with_data(json!(n))).await.unwrap();
    }
    for mut stream in [slow, app.subscribe_from("**", Start::At(cursor)).await.unwrap()] {
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gap);
        assert_eq!(
            stream.next().await.unwrap().unwrap().data.as_json(),
            "15",
            "it goes on with what is left"
        );
    }
    let mut rest = app.subscribe_from("**", Start::Beginning).await.unwrap();
    assert_eq!(rest.next().await.unwrap().unwrap().data.as_json(), "15");
    let other = MemoryBus::new();
    let other = on(other).start().await.unwrap();
    let error = other.subscribe_from("**", Start::At(cursor)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
