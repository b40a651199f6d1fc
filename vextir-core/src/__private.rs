//! What the macros' code calls; no part of the public interface.

use crate::{BoxError, Event, Failure, HandlerResult, IntoOutputs, Payload};

/// The payload that a handler takes.
pub fn decode<P: Payload>(event: &Event) -> Result<P, BoxError> {
    event.decode().map_err(|error| Failure::permanent(error).into())
}

/// What a handler returned, as events.
pub fn outputs<T: IntoOutputs>(returned: T) -> HandlerResult {
    let mut outputs = Vec::new();
    returned.add_to(&mut outputs)?;
    Ok(outputs)
}

/// The failure of an event that no handler is for.
pub fn unmatched(driver: &str, event: &Event) -> HandlerResult {
    let why = format!("driver {driver:?} has no handler for {:?}", event.event_type);
    Err(Failure::permanent(why).into())
}

/// Whether a pattern with a wildcard matches the event's type.
pub fn matches(pattern: &str, event: &Event) -> bool {
    crate::pattern::matches(pattern, &event.event_type)
}

/// Compares two names at compile time.
#[must_use]
pub const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}
