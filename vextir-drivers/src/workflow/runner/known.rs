//! What the interpreter asks of its surroundings, answered by the processor.

use crate::workflow::catalogue::Catalogue;
use crate::workflow::run::{Cause, Found, World};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use vextir::{Ctx, Event, EventId, Name, Result, Timestamp};

pub(super) struct Known {
    now: Timestamp,
    catalogue: Arc<Catalogue>,
    events: HashMap<EventId, Found>,
}

impl Known {
    pub(super) fn new(cx: &Ctx, catalogue: Arc<Catalogue>) -> Self {
        Self { now: cx.now(), catalogue, events: HashMap::new() }
    }

    /// Reads events of the log.
    pub(super) async fn load_events(&mut self, cx: &Ctx, ids: BTreeSet<EventId>) -> Result<()> {
        for id in ids {
            let found = match cx.find(&id).await? {
                // Of the end of a run its output counts.
                Some(event) if event.event_type == "plan.finished" => {
                    Found::Here(Arc::new(event.data.value()["output"].take()))
                }
                Some(event) => Found::Here(Arc::new(event.data.value())),
                None => Found::Gone,
            };
            self.events.insert(id, found);
        }
        Ok(())
    }
}

impl World for Known {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn schema(&self, event_type: &Name) -> Option<Arc<Value>> {
        self.catalogue.schema(event_type).cloned().map(Arc::new)
    }

    fn replies(&self, event_type: &Name) -> Vec<Name> {
        self.catalogue.replies(event_type)
    }

    fn handles(&self, event_type: &Name) -> bool {
        self.catalogue.handles(event_type)
    }

    fn accepts(&self, event_type: &Name, data: &Value) -> Result<(), String> {
        self.catalogue.accepts(event_type, data)
    }

    fn event(&self, id: &EventId) -> Found {
        self.events.get(id).cloned().unwrap_or(Found::NotLoaded)
    }
}

/// What began a run.
pub(super) fn cause(event: &Event) -> Cause {
    let data = (!event.data.is_empty()).then(|| Arc::new(event.data.value()));
    Cause { id: event.id.clone(), event_type: event.event_type.clone(), time: event.timestamp, data }
}

/// An event as a condition reads it.
pub(super) fn shown(event: &Event) -> Value {
    json!({
        "id": event.id, "type": event.event_type, "time": event.timestamp, "source": event.source,
        "data": event.data.value(),
    })
}
