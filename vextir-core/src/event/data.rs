//! The payload of an event: raw JSON, held once, parsed when somebody looks.

use crate::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;

/// The largest payload when nobody says otherwise, in bytes of JSON text.
pub(crate) const MAX_EVENT_BYTES: usize = 1024 * 1024;
/// How deeply an emitted payload may be nested: as deep as serde_json parses.
pub(crate) const MAX_JSON_DEPTH: usize = 127;

/// JSON text, shared between all who hold the event.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::Data;
///
/// let data = Data::from(serde_json::json!({"celsius": 21.5}));
/// assert_eq!(data.value()["celsius"], 21.5);
/// ```
#[derive(Clone)]
pub struct Data(Arc<RawValue>);

impl Data {
    /// Serializes `value`.
    ///
    /// # Errors
    /// `value` has no JSON form (a map whose keys are no strings, for example).
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let raw = serde_json::value::to_raw_value(value)
            .map_err(|error| Error::invalid(format!("the payload has no JSON form: {error}")))?;
        Ok(Self(raw.into()))
    }

    /// Takes JSON text; checks that it is JSON. What is nested deeper than 127 levels is refused where it is emitted.
    ///
    /// # Errors
    /// The text is not JSON; the message has line and column.
    pub fn from_json(text: impl Into<String>) -> Result<Self> {
        RawValue::from_string(text.into())
            .map(|raw| Self(raw.into()))
            .map_err(|error| Error::invalid(format!("not JSON: {error}")))
    }

    /// The JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// The parsed value; `Value::Null` if it is nested too deeply to be parsed.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(self.as_json()).unwrap_or_default()
    }

    /// Parses it as `T`.
    ///
    /// # Errors
    /// It does not fit; the message has the path inside the payload and what was expected there.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        if let Ok(value) = serde_json::from_str(self.as_json()) {
            return Ok(value);
        }
        // Only a misfit pays for tracking the path.
        let mut json = serde_json::Deserializer::from_str(self.as_json());
        serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            let place = if path == "." { "data".to_owned() } else { format!("data.{path}") };
            Error::invalid(format!("{place}: {}", error.inner()))
        })
    }

    /// Whether it is nested less deeply than everybody can parse it.
    pub(crate) fn is_shallow(&self) -> bool {
        let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
        for byte in self.as_json().bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                b'[' | b'{' if !in_string => {
                    depth += 1;
                    if depth > MAX_JSON_DEPTH {
                        return false;
                    }
                }
                b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        true
    }

    /// Size of the JSON text, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_json().len()
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_json() == "null"
    }
}

impl Default for Data {
    fn default() -> Self {
        Self(RawValue::NULL.to_owned().into())
    }
}

impl From<serde_json::Value> for Data {
    fn from(value: serde_json::Value) -> Self {
        // A `Value` always has a JSON form.
        Self::new(&value).unwrap_or_default()
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
    }
}
