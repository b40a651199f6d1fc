//! The tools: one that adds and leaves a document, one that always fails, one that never ends.

use super::journal::Journal;
use super::work;
use serde_json::json;
use std::time::Duration;
use vextir_core::prelude::*;
use vextir_core::{Capability, Event, Failure};

/// When the tool that never ends is given up; the model calls it again.
const NEVER: Duration = Duration::from_millis(200);

/// The driver of one tool.
#[derive(Debug)]
pub struct Tool {
    handles: &'static str,
    journal: Journal,
}

/// All of them.
pub fn tools(journal: &Journal) -> Vec<Tool> {
    ["math.add", "math.divide", "never.do"].map(|handles| Tool { handles, journal: journal.clone() }).into()
}

#[vextir_core::async_trait]
impl Driver for Tool {
    fn manifest(&self) -> Manifest {
        let id = self.handles.replace('.', "_");
        let manifest =
            Manifest::new(id).can(Capability::new(self.handles)).with_retries(0).with_concurrency(16);
        // After a kill it runs alone, and nobody can cancel it then.
        if self.handles == "never.do" { manifest.with_timeout(NEVER) } else { manifest }
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        match self.handles {
            "math.divide" => return Err(Failure::permanent("nothing is divided by zero").into()),
            // It ends when nobody wants it any more.
            "never.do" => {
                cx.cancelled().await;
                return Ok(Vec::new());
            }
            _ => {}
        }
        let data = event.data.value();
        let of = data["of"].as_str().unwrap_or_default();
        self.journal.called(of)?;
        // So that a kill also finds tools at work.
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..2_000))).await;
        // One that counted twice would leave two lines.
        cx.context().append(&work::effect(of), work::LINE).await?;
        let sum = data["a"].as_u64().unwrap_or(0) + data["b"].as_u64().unwrap_or(0);
        Ok(vec![Event::new("math.sum").with_data(json!({"of": of, "sum": sum}))])
    }
}
