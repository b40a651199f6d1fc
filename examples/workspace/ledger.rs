//! Reads the log into the catalog, as far as it goes, each event once.

use crate::catalog::Catalog;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};
use vextir::{Error, ErrorKind, EventBus, EventFilter, Result, Sequence};

const PAGE: usize = 1_024;

/// The catalog, up to a place in the log. Cheap to clone; the clones share it.
#[derive(Clone)]
pub(crate) struct Ledger {
    bus: Arc<dyn EventBus>,
    filter: Arc<EventFilter>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    catalog: Catalog,
    read: Sequence,
}

/// The catalog as of a moment ago. Nobody else reads it while this is held.
pub(crate) struct Reading<'a>(MutexGuard<'a, State>);

impl std::ops::Deref for Reading<'_> {
    type Target = Catalog;
    fn deref(&self) -> &Catalog {
        &self.0.catalog
    }
}

impl Ledger {
    pub(crate) fn new(bus: Arc<dyn EventBus>) -> Result<Self> {
        let filter = Arc::new(EventFilter::try_from(["file.**", "workspace.**"])?);
        Ok(Self { bus, filter, state: Arc::default() })
    }

    /// The catalog with everything that is in the log now.
    pub(crate) async fn read(&self) -> Result<Reading<'_>> {
        let mut state = self.state.lock().await;
        loop {
            let after = state.read;
            let page =
                self.bus.read(after, &self.filter, PAGE).await.map_err(|error| match error.kind() {
                    ErrorKind::Gap => Error::new(
                        ErrorKind::Gap,
                        "the beginning of the log is gone, and with it what is known of the folder: \
                     remove the state file, and begin anew",
                    ),
                    _ => error,
                })?;
            for logged in &page.events {
                state.catalog.apply(logged.sequence, &logged.event)?;
                state.read = logged.sequence;
            }
            state.read = state.read.max(page.next);
            if page.at_head {
                return Ok(Reading(state));
            }
        }
    }
}
