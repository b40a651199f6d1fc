//! What the processor counts.

use crate::driver::{answers, quick};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use vextir::prelude::*;

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

#[tokio::test]
async fn an_eager_driver_is_counted_as_any_other_and_an_event_once() {
    let meters = Meters::default();
    let _guard = metrics::set_default_local_recorder(&meters);
    let ping = vextir::Capability::new("ping").effect(vextir::Effect::Reads);
    let manifest = Manifest::new("quick").can(ping).with_eager(true);
    let app = quick().driver(answers(manifest, |_| Ok(vec![]))).start().await.unwrap();
    let ping = || Event::new("ping").with_id("evt_1".parse().unwrap());
    app.emit(ping()).await.unwrap();
    app.emit(ping()).await.unwrap();
    app.emit_all(vec![Event::new("ping"), ping()]).await.unwrap();
    app.idle().await;
    app.shutdown().await.unwrap();

    let counted = meters.0.lock().unwrap().clone();
    let expected = [
        ("vextir_deliveries_total driver=quick,outcome=done", 2),
        ("vextir_events_accepted_total ", 2),
        // It ran for each of them, before it was known that they are there.
        ("vextir_handle_seconds driver=quick", 4),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(counted, BTreeMap::from(expected));
}
