//! The one driver of the workloads: it answers each question with one output, or with nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use vextir::prelude::*;
use vextir::{Capability, Effect};

/// As long as the payload of the peers and of the limits.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct Ask {
    location: String,
    celsius: f64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Answer {
    location: String,
    celsius: f64,
}

impl Payload for Ask {
    const TYPE: &'static str = "bench.ask";
}

impl Payload for Answer {
    const TYPE: &'static str = "bench.answer";
    const CATEGORY: Category = Category::Output;
}

impl Ask {
    pub(super) fn new() -> Ask {
        Ask { location: "Oslo".into(), celsius: 21.5 }
    }
}

/// Answers as many events at once as a workload has in flight.
#[derive(Debug, Default)]
pub(super) struct Answerer {
    pub(super) concurrency: usize,
    pub(super) eager: bool,
    /// Answers nothing, but counts what it was asked.
    pub(super) silent: Option<Arc<AtomicUsize>>,
}

impl Answerer {
    pub(super) fn new(concurrency: usize) -> Answerer {
        Answerer { concurrency, ..Answerer::default() }
    }
}

#[vextir::async_trait]
impl Driver for Answerer {
    fn manifest(&self) -> Manifest {
        let capability = Capability::of::<Ask>().returns::<Answer>().effect(Effect::Reads);
        Manifest::new("answerer").can(capability).with_concurrency(self.concurrency).with_eager(self.eager)
    }

    async fn handle_event(&self, event: Event, _: &Ctx) -> HandlerResult {
        let Ask { location, celsius } = event.decode()?;
        if let Some(asked) = &self.silent {
            asked.fetch_add(1, Ordering::Relaxed);
            return Ok(Vec::new());
        }
        Ok(vec![Event::of(&Answer { location, celsius })?])
    }
}
