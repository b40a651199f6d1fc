//! Typed payloads, and everything that can be emitted.

use crate::{Category, Event, Result};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type that is the payload of one event type. Derive it:
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::prelude::*;
///
/// /// Ask for the weather at one place.
/// #[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
/// #[payload(type = "weather.get")]
/// struct GetWeather { location: String }
///
/// let event = Event::of(&GetWeather { location: "Oslo".into() })?;
/// assert_eq!(event.event_type, "weather.get");
/// # Ok::<(), vextir::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no payload: it has no event type",
    label = "not a payload",
    note = "add `#[derive(Serialize, Deserialize, JsonSchema, Payload)]` and `#[payload(type = \"some.name\")]` to `{Self}`"
)]
pub trait Payload: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The event type, as in `weather.get`.
    const TYPE: &'static str;
    /// The category of such events.
    const CATEGORY: Category = Category::Internal;
    /// The doc comment of the type.
    const DESCRIPTION: &'static str = "";
}

/// What can be emitted: an [`Event`], or any [`Payload`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be emitted",
    label = "neither an `Event` nor a payload",
    note = "derive `Payload` for `{Self}`, or emit `Event::new(\"some.type\").with_data(..)`"
)]
pub trait IntoEvent: Send {
    /// Whether the payload is valid by construction for its event type.
    const TYPED: bool;
    /// The event.
    ///
    /// # Errors
    /// The payload has no JSON form.
    fn into_event(self) -> Result<Event>;
}

impl IntoEvent for Event {
    const TYPED: bool = false;
    fn into_event(self) -> Result<Event> {
        Ok(self)
    }
}

impl<P: Payload> IntoEvent for P {
    const TYPED: bool = true;
    fn into_event(self) -> Result<Event> {
        Event::of(&self)
    }
}
