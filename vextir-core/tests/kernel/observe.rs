//! What others see of the processor: the spans of its steps, and its meters.

use crate::driver::{answers, quick};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event as LogLine, Subscriber};
use vextir::prelude::*;

type Fields = BTreeMap<&'static str, String>;

/// Keeps each span with its fields.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<(&'static str, Fields)>>>);

struct Reader<'a>(&'a mut Fields);

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("vextir_core::processor")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        span.record(&mut Reader(&mut fields));
        let mut spans = self.0.lock().unwrap();
        spans.push((span.metadata().name(), fields));
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &LogLine<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn each_step_is_a_span_with_the_ids_of_the_causal_tree() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(spans.clone());
    let echo = answers(Manifest::new("echo").handles("ping"), |_| Ok(vec![Event::new("pong")]));
    let app = quick().driver(echo).start().await.unwrap();
    app.process_event(Event::new("ping").with_id("evt_1".parse().unwrap())).await.unwrap();
    app.shutdown().await.unwrap();

    let spans = spans.0.lock().unwrap();
    let steps: Vec<&str> = spans.iter().map(|(name, _)| *name).collect();
    // The event, then its output inside the settlement.
    assert_eq!(steps, ["accept", "authorize", "route", "handle", "settle", "accept", "authorize", "route"]);
    for (name, fields) in spans.iter().skip(1) {
        assert_eq!(fields.get("root").map(String::as_str), Some("evt_1"), "{name} names its tree");
    }
    let (_, handle) = spans.iter().find(|(name, _)| *name == "handle").unwrap();
    assert_eq!((handle["driver"].as_str(), handle["event"].as_str()), ("echo", "evt_1"));
    assert_eq!(handle["attempt"], "1");
    let (_, output) = &spans[5];
    assert_eq!((output["event_type"].as_str(), output["cause"].as_str()), ("pong", "evt_1"));
}

/// Adds up each counter, and counts what each histogram got.
#[derive(Clone, Default)]
struct Meters(Arc<Mutex<BTreeMap<String, u64>>>);

struct Meter {
    all: Meters,
    name: String,
}

impl Meter {
    fn add(&self, amount: u64) {
        *self.all.0.lock().unwrap().entry(self.name.clone()).or_default() += amount;
    }
}

impl CounterFn for Meter {
    fn increment(&self, amount: u64) {
        self.add(amount);
    }
    fn absolute(&self, _: u64) {}
}

impl HistogramFn for Meter {
    fn record(&self, _: f64) {
        self.add(1);
    }
}

impl Meters {
    fn meter(&self, key: &Key) -> Arc<Meter> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Meter { all: self.clone(), name: format!("{} {}", key.name(), labels.join(",")) })
    }
}

impl Recorder for Meters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.meter(key))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.meter(key))
    }
}

#[tokio::test]
async fn what_happens_is_counted() {
    let meters = Meters::default();
    let _guard = metrics::set_default_local_recorder(&meters);
    let worker = answers(Manifest::new("worker").handles("good").handles("bad"), |event| {
        if event.event_type == "bad" { Err("no".into()) } else { Ok(vec![]) }
    });
    let app = quick().driver(worker).start().await.unwrap();
    app.emit_all(vec![Event::new("good"), Event::new("good"), Event::new("nobody.knows")]).await.unwrap();
    app.process_event(Event::new("bad")).await.unwrap();
    app.idle().await;
    assert!(app.emit(Event::new("..")).await.is_err());
    app.shutdown().await.unwrap();

    let counted = meters.0.lock().unwrap().clone();
    let expected = [
        ("vextir_deliveries_total driver=worker,outcome=dead", 1),
        ("vextir_deliveries_total driver=worker,outcome=done", 2),
        ("vextir_deliveries_total driver=worker,outcome=retried", 3),
        ("vextir_events_accepted_total ", 4),
        ("vextir_events_refused_total step=accept", 1),
        ("vextir_handle_seconds driver=worker", 6),
        ("vextir_orphans_total ", 1),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(counted, BTreeMap::from(expected));
}
