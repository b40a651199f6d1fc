//! Instructions run on a hub: the specification's own, and what can happen to others.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate vextir_core as vextir;

mod clocks;
mod fan;
mod faults;
mod flow;
mod gates;
mod review;
mod stopped;
mod whole;
mod written;

use serde_json::{Map, Value};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::prelude::*;
use vextir_core::{Capability, HandlerResult, ManualClock, Processor, async_trait};
use vextir_drivers::workflow::{PlanFinished, Plans, Workflow};

/// A driver from a closure; notes what it was given.
#[derive(Clone)]
struct Does {
    manifest: Manifest,
    work: Arc<dyn Fn(&Event) -> HandlerResult + Send + Sync>,
    seen: Arc<Mutex<Vec<Event>>>,
}

#[async_trait]
impl Driver for Does {
    fn manifest(&self) -> Manifest {
        self.manifest.clone()
    }
    async fn handle_event(&self, event: Event, _cx: &Ctx) -> HandlerResult {
        self.seen.lock().unwrap().push(event.clone());
        (self.work)(&event)
    }
}

impl Does {
    fn new(event: &'static str, work: impl Fn(&Event) -> HandlerResult + Send + Sync + 'static) -> Self {
        let manifest = Manifest::new(format!("on_{}", event.replace('.', "_")))
            .can(Capability::new(event))
            .with_retries(0);
        Self { manifest, work: Arc::new(work), seen: Arc::default() }
    }

    /// Answers with one event of this type and data.
    fn answering(event: &'static str, answer: &'static str, data: Value) -> Self {
        Self::new(event, move |_| Ok(vec![Event::new(answer).with_data(data.clone())]))
    }

    fn data(&self) -> Vec<Value> {
        self.seen.lock().unwrap().iter().map(|event| event.data.value()).collect()
    }
}

struct Stage {
    app: Processor,
    clock: ManualClock,
}

fn hub() -> Hub {
    Hub::in_memory().unwrap()
}

fn clock(now: &str) -> ManualClock {
    ManualClock::at(now).unwrap()
}

fn workflow(text: &str) -> Workflow {
    Workflow::from_yaml("test.yaml", text).unwrap()
}

impl Stage {
    async fn new(hub: Hub, clock: ManualClock, workflows: Vec<Workflow>, drivers: &[&Does]) -> Self {
        let mut builder = Processor::builder(hub).clock(clock.clone());
        for workflow in workflows {
            builder = builder.driver(workflow);
        }
        for driver in drivers {
            builder = builder.driver((*driver).clone());
        }
        Self { app: builder.start().await.unwrap(), clock }
    }

    async fn of(text: &str, drivers: &[&Does]) -> Self {
        Self::new(hub(), clock("2025-06-16T08:00:00Z"), vec![workflow(text)], drivers).await
    }

    fn plans(&self, instruction: &str) -> Plans {
        Plans::new(self.app.as_user("local"), instruction)
    }

    /// Runs it to its end.
    async fn run(&self, instruction: &str, inputs: Value) -> PlanFinished {
        let inputs = inputs.as_object().cloned().unwrap_or_default();
        self.app.request(self.plans(instruction).event(inputs)).await.unwrap()
    }

    /// The plan, once it is as it is wanted.
    async fn until(&self, instruction: &str, plan: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..2_000 {
            if let Some(value) = self.plans(instruction).get(plan).await.unwrap()
                && wanted(&value)
            {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{:?}", self.plans(instruction).get(plan).await);
    }

    async fn until_status(&self, instruction: &str, plan: &str, status: &str) -> Value {
        self.until(instruction, plan, |value| value["status"] == status).await
    }
}

fn none() -> Map<String, Value> {
    Map::new()
}
