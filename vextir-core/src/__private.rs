//! What the macros' code calls; no part of the public interface.
//!
//! Each type that a handler names is asked for in one call only, [`input`] or [`output`]: a type that does not
//! fit is then reported once, however often the code needs it.

use crate::{BoxError, Capability, Event, Failure, HandlerResult, IntoOutputs, Payload};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What each payload is besides.
///
/// The code of the macros takes it for granted, and asks once whether it is so: one error for whatever is missing.
/// The compiler lets a bound of a plain type be taken for granted when there is a lifetime in it, which is all
/// that the lifetime is for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the payload of an event",
    label = "this cannot be written as JSON, read again and described",
    note = "add `#[derive(Serialize, Deserialize, JsonSchema)]` to `{Self}`; it must be `Send` and `Sync` too, and own its data"
)]
pub trait Portable<'a>: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static> Portable<'_> for T {}

/// Whether it is so.
pub const fn portable<T: for<'a> Portable<'a>>() {}

/// What each driver is besides; asked for in the same way.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a driver: several threads use a driver at once",
    label = "this cannot be shared between threads",
    note = "a driver is `Send` and `Sync` and owns its data: hold an `Arc` instead of an `Rc`, a `Mutex` or an atomic instead of a `RefCell` or a `Cell`"
)]
pub trait Shareable<'a>: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> Shareable<'_> for T {}

/// Whether it is so.
pub const fn shareable<T: for<'a> Shareable<'a>>() {}

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
