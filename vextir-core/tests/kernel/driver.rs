//! A driver made of closures, and small helpers around it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use vextir::prelude::*;
use vextir::{MemoryBus, ProcessorBuilder, RetryPolicy};

type Handled<'a> = Pin<Box<dyn Future<Output = HandlerResult> + Send + 'a>>;
type Handler = Arc<dyn for<'a> Fn(Event, &'a Ctx) -> Handled<'a> + Send + Sync>;

pub(crate) struct Closure {
    manifest: Manifest,
    handler: Handler,
}

/// A driver of an async closure.
pub(crate) fn driver<F>(manifest: Manifest, handler: F) -> Closure
where
    F: for<'a> Fn(Event, &'a Ctx) -> Handled<'a> + Send + Sync + 'static,
{
    Closure { manifest, handler: Arc::new(handler) }
}

/// A driver that answers at once.
pub(crate) fn answers(
    manifest: Manifest,
    answer: impl Fn(&Event) -> HandlerResult + Send + Sync + 'static,
) -> Closure {
    let answer = Arc::new(answer);
    driver(manifest, move |event, _cx| {
        let answer = answer.clone();
        Box::pin(async move { answer(&event) })
    })
}

#[vextir::async_trait]
impl Driver for Closure {
    fn manifest(&self) -> Manifest {
        self.manifest.clone()
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        (self.handler)(event, cx).await
    }
}

/// A processor in memory whose retries come quickly.
pub(crate) fn quick() -> ProcessorBuilder {
    on(MemoryBus::new())
}

pub(crate) fn on(bus: MemoryBus) -> ProcessorBuilder {
    let retry = RetryPolicy { base: Duration::from_millis(1), cap: Duration::from_millis(4) };
    Processor::builder(bus).retry(retry)
}

/// Every event of the log so far.
pub(crate) async fn log(app: &Processor) -> Vec<Event> {
    app.bus()
        .read(0, &EventFilter::all(), 100_000)
        .await
        .unwrap()
        .events
        .into_iter()
        .map(|one| one.event)
        .collect()
}

pub(crate) fn types(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.event_type.to_string()).collect()
}
