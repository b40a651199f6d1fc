//! What the macros' code calls; no part of the public interface.
//!
//! Each type that a handler names is asked for in one call only, [`input`] or [`output`]: a type that does not
//! fit is then reported once, however often the code needs it.

use crate::{BoxError, Capability, Event, Failure, HandlerResult, IntoOutputs, Payload};

/// A payload that a handler takes.
#[derive(Debug)]
pub struct Input<P> {
    event_type: &'static str,
    description: &'static str,
    capability: fn() -> Capability,
    decode: fn(&Event) -> crate::Result<P>,
}

/// The payload that a handler takes.
#[must_use]
pub const fn input<P: Payload>() -> Input<P> {
    Input {
        event_type: P::TYPE,
        description: P::DESCRIPTION,
        capability: Capability::of::<P>,
        decode: Event::decode::<P>,
    }
}

impl<P> Input<P> {
    /// The event type.
    #[must_use]
    pub const fn event_type(&self) -> &'static str {
        self.event_type
    }

    /// The capability, described by the payload's own doc comment.
    #[must_use]
    pub fn capability(&self) -> Capability {
        (self.capability)().describe(self.description)
    }

    /// Whether the event has such a payload.
    #[must_use]
    pub fn is_of(&self, event: &Event) -> bool {
        event.event_type == self.event_type
    }

    /// Whether the payload can be decoded.
    pub fn check(&self, event: &Event) -> crate::Result<()> {
        (self.decode)(event).map(drop)
    }

    /// The payload.
    pub fn decode(&self, event: &Event) -> Result<P, BoxError> {
        (self.decode)(event).map_err(|error| Failure::permanent(error).into())
    }
}

/// What a handler returns.
#[derive(Debug)]
pub struct Output<T> {
    describe: fn(Capability) -> Capability,
    add: fn(T, &mut Vec<Event>) -> Result<(), BoxError>,
}

/// What a handler returns.
#[must_use]
pub const fn output<T: IntoOutputs>() -> Output<T> {
    Output { describe: Capability::returns::<T>, add: T::add_to }
}

impl<T> Output<T> {
    /// Adds it to a capability.
    #[must_use]
    pub fn describe(&self, capability: Capability) -> Capability {
        (self.describe)(capability)
    }

    /// The events.
    pub fn events(&self, returned: T) -> HandlerResult {
        let mut events = Vec::new();
        (self.add)(returned, &mut events)?;
        Ok(events)
    }
}

/// What a method with `#[on_start]` may return.
#[diagnostic::on_unimplemented(
    message = "a method with `#[on_start]` cannot return `{Self}`",
    label = "neither nothing nor `vextir::Result<()>`",
    note = "return nothing or `vextir::Result<()>`; make an error of another kind one of ours with `vextir::Error::new(..).with_source(..)`"
)]
pub trait Started {
    /// Whether the driver can work.
    fn result(self) -> crate::Result<()>;
}

impl Started for () {
    fn result(self) -> crate::Result<()> {
        Ok(())
    }
}

impl Started for crate::Result<()> {
    fn result(self) -> crate::Result<()> {
        self
    }
}

/// What a start hook returned.
pub fn started<T: Started>(returned: T) -> crate::Result<()> {
    returned.result()
}

/// The failure of an event that no handler is for.
pub fn unmatched(driver: &str, event: &Event) -> HandlerResult {
    let why = format!("driver {driver:?} has no handler for {:?}", event.event_type);
    Err(Failure::permanent(why).into())
}

/// Whether a pattern with a wildcard matches the event's type.
#[must_use]
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
