//! Events and their companions as columns.

use crate::fault::OrFault;
use crate::key::{Key, bare};
use rusqlite::Statement;
use rusqlite::types::Null;
use serde_json::to_string;
use std::collections::BTreeMap;
use vextir_core::bus::Hold;
use vextir_core::{Category, Error, Event, LeaseState, Name, Priority, Result};

/// How many columns an event takes: see [`EVENT_COLUMNS`](crate::schema::EVENT_COLUMNS).
pub(crate) const EVENT_WIDTH: usize = 16;

/// Binds an event to [`EVENT_WIDTH`] parameters, the first of which is `at`.
pub(crate) fn bind_event(statement: &mut Statement<'_>, at: usize, event: &Event) -> Result<()> {
    let labels = (!event.labels.is_empty()).then(|| json(&event.labels)).transpose()?;
    let metadata = (!event.metadata.is_empty()).then(|| json(&event.metadata)).transpose()?;
    let root = event.root_id.as_ref().filter(|root| **root != event.id);
    let mut bind = || {
        statement.raw_bind_parameter(at, Key::new(&event.user_id, &event.id))?;
        statement.raw_bind_parameter(at + 1, event.event_type.as_str())?;
        statement.raw_bind_parameter(at + 2, category(event.category))?;
        statement.raw_bind_parameter(at + 3, event.timestamp.as_micros())?;
        statement.raw_bind_parameter(at + 4, event.user_id.as_str())?;
        statement.raw_bind_parameter(at + 5, event.source.as_str())?;
        statement.raw_bind_parameter(at + 6, event.correlation_id.as_ref().map(bare))?;
        statement.raw_bind_parameter(at + 7, root.map(|root| Key::new(&event.user_id, root)))?;
        statement.raw_bind_parameter(at + 8, event.depth)?;
        statement.raw_bind_parameter(at + 9, event.ordering_key.as_deref())?;
        statement.raw_bind_parameter(at + 10, event.deliver_at.map(vextir_core::Timestamp::as_micros))?;
        statement.raw_bind_parameter(at + 11, priority(event.priority))?;
        statement.raw_bind_parameter(at + 12, labels.as_deref())?;
        statement.raw_bind_parameter(at + 13, metadata.as_deref())?;
        let branch = event.branch_id.as_ref().map(|branch| Key::new(&event.user_id, branch));
        statement.raw_bind_parameter(at + 14, branch)?;
        if event.data.is_empty() {
            statement.raw_bind_parameter(at + 15, Null)
        } else {
            statement.raw_bind_parameter(at + 15, event.data.as_json())
        }
    };
    bind().or_fault()
}

/// The JSON text of something that always has one.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    to_string(value).map_err(|error| Error::invalid(format!("no JSON form: {error}")))
}

/// Amounts by unit, as JSON; null where there are none.
pub(crate) fn units(units: &BTreeMap<Name, u64>) -> Result<Option<String>> {
    (!units.is_empty()).then(|| json(units)).transpose()
}

fn category(category: Category) -> i64 {
    match category {
        Category::Input => 0,
        Category::Internal => 1,
        Category::Output => 2,
    }
}

fn priority(priority: Priority) -> Option<i64> {
    match priority {
        Priority::High => Some(0),
        Priority::Normal => None,
        Priority::Low => Some(2),
    }
}

/// The number of a hold; `Delayed` is 0, which the partial indexes of `parked` rely on.
pub(crate) fn hold(hold: Hold) -> Result<i64> {
    match hold {
        Hold::Delayed => Ok(0),
        Hold::Approval => Ok(1),
        Hold::Lease => Ok(2),
        Hold::Key => Ok(3),
        other => Err(Error::new(
            vextir_core::ErrorKind::Unsupported,
            format!("this hub does not know the hold {other:?}; use a newer vextir-context"),
        )),
    }
}

/// The number of a lease's state.
pub(crate) fn state(state: LeaseState) -> i64 {
    match state {
        LeaseState::Active => 0,
        LeaseState::Held => 1,
        LeaseState::Cancelled => 2,
    }
}
