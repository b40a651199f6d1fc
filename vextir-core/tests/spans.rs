//! What the processor shows to `tracing`. A program of its own: others would race for the first look at each span.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate vextir_core as vextir;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event as LogLine, Subscriber};
use vextir::MemoryBus;
use vextir::prelude::*;

type Fields = BTreeMap<&'static str, String>;

/// Keeps each span with its fields.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<(&'static str, Fields)>>>);

impl Spans {
    fn fields(&self, id: &Id, change: impl FnOnce(&mut Fields)) {
        let mut spans = self.0.lock().unwrap();
        change(&mut spans[usize::try_from(id.into_u64()).unwrap() - 1].1);
    }
}

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

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.fields(id, |fields| values.record(&mut Reader(fields)));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &LogLine<'_>) {}
    fn enter(&self, id: &Id) {
        self.fields(id, |fields| drop(fields.insert("entered", "yes".to_owned())));
    }
    fn exit(&self, _: &Id) {}
}

struct Echo {
    eager: bool,
}

#[vextir::async_trait]
impl Driver for Echo {
    fn manifest(&self) -> Manifest {
        let ping = vextir::Capability::new("ping").effect(vextir::Effect::Reads);
        Manifest::new("echo").can(ping).with_eager(self.eager)
    }

    async fn handle_event(&self, _: Event, _: &Ctx) -> HandlerResult {
        Ok(vec![Event::new("pong")])
    }
}

/// An eager driver does its steps before the commit; they are the same ones.
#[tokio::test]
async fn each_step_is_a_span_with_the_ids_of_the_causal_tree() {
    for eager in [false, true] {
        let spans = Spans::default();
        let _guard = tracing::subscriber::set_default(spans.clone());
        let app = Processor::builder(MemoryBus::new()).driver(Echo { eager }).start().await.unwrap();
        app.process_event(Event::new("ping").with_id("evt_1".parse().unwrap())).await.unwrap();
        app.shutdown().await.unwrap();

        let spans = spans.0.lock().unwrap();
        let steps: Vec<&str> = spans.iter().map(|(name, _)| *name).collect();
        // The event, then its output inside the settlement.
        let expected = ["accept", "authorize", "route", "handle", "settle", "accept", "authorize", "route"];
        assert_eq!(steps, expected, "eager: {eager}");
        for (name, fields) in spans.iter() {
            assert_eq!(fields.get("root").map(String::as_str), Some("evt_1"), "{name} names its tree");
            assert!(fields.contains_key("event"), "{name} names its event");
            assert!(fields.contains_key("entered"), "{name} was entered");
        }
        for (name, fields) in &spans[..5] {
            assert_eq!(fields["event"], "evt_1", "{name}");
        }
        let (_, handle) = &spans[3];
        assert_eq!((handle["driver"].as_str(), handle["attempt"].as_str()), ("echo", "1"));
        let (_, output) = &spans[5];
        assert_eq!((output["event_type"].as_str(), output["cause"].as_str()), ("pong", "evt_1"));
        assert_ne!(output["event"], "evt_1");
    }
}
