//! The router alone.

use std::hint::black_box;

use vextir::prelude::*;
use vextir::{MemoryBus, Name};

use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// A driver with one pattern.
struct Listener(usize);

#[vextir::async_trait]
impl Driver for Listener {
    fn manifest(&self) -> Manifest {
        Manifest::new(format!("listener{}", self.0)).handles(format!("service{}.**", self.0))
    }

    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(Vec::new())
    }
}

/// `patterns` drivers with one pattern each, and event types that match one of them. The types repeat, as those of
/// real events do. Nanoseconds an event.
pub(crate) fn route(trial: &Trial, patterns: usize) -> Result<Vec<Measurement>> {
    super::block_on(async {
        let mut builder = Processor::builder(MemoryBus::new());
        for number in 0..patterns {
            builder = builder.driver(Listener(number));
        }
        let app = builder.start().await?;
        let types: Vec<Name> =
            (0..patterns).map(|number| format!("service{number}.issue.created").into()).collect();
        let rate = trial.rate(|| {
            let found = types.iter().filter(|name| app.is_handled(black_box(name))).count();
            assert_eq!(found, patterns, "every type has its driver");
            Ok(found as u64)
        })?;
        app.shutdown().await?;
        Ok(vec![Measurement::new("route", Unit::Nanoseconds, 1e9 / rate)])
    })
}
