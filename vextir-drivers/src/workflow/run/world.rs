//! What the interpreter asks its surroundings. All answers are input: asked twice in one transition, they are the same.

use super::part::PartKey;
use crate::workflow::expression::{Condition, Names, Template};
use jiff::Zoned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use vextir::{EventId, Name, Timestamp};

/// What is known outside of the run.
pub(crate) trait World {
    /// The time.
    fn now(&self) -> Timestamp;

    /// The JSON Schema of the data that this type's driver takes.
    fn schema(&self, event_type: &Name) -> Option<Arc<Value>>;

    /// The types of the events that this type's driver says it answers with.
    fn replies(&self, event_type: &Name) -> Vec<Name>;

    /// Whether any driver takes the event.
    fn handles(&self, _event_type: &Name) -> bool {
        true
    }

    /// Whether the event can be emitted; why not is why its step fails.
    fn accepts(&self, _event_type: &Name, _data: &Value) -> Result<(), String> {
        Ok(())
    }

    /// The data of an event that was an answer or the trigger; of the end of a run, its output.
    fn event(&self, id: &EventId) -> Found;

    /// Fills in a template.
    fn render(&self, template: &Template, names: &Names, day: &Zoned) -> Result<Value, String> {
        template.render(names, day)
    }

    /// Decides a condition.
    fn holds(&self, condition: &Condition, names: &Names) -> Result<bool, String> {
        condition.holds(names)
    }
}

/// What became of an event.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// Its data.
    Here(Arc<Value>),
    /// Retention removed it.
    Gone,
    /// Nobody looked yet.
    NotLoaded,
}

/// What a transition reads and does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) parts: BTreeSet<PartKey>,
    pub(crate) events: BTreeSet<EventId>,
}

impl Wanted {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.events.is_empty()
    }
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Load this, and call again.
    Wanted(Wanted),
    /// It cannot be done; for people.
    Refused(String),
}
