//! What one entry of a document says, and how it is written in the CRDT.

use super::key::ElementId;
use serde_json::{Number, Value};
use std::sync::Arc;
use yrs::Any;

/// The entry at one pointer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Leaf {
    /// `null`, a boolean, a number or a short string.
    Scalar(Value),
    /// An object; its members have pointers of their own.
    Object,
    /// An array; its elements stand in the sequence named by the pointer.
    Array,
    /// A long JSON string; its characters stand in the text named by the pointer.
    Text,
    /// At the root only: the document is plain text and not JSON.
    Plain,
}

/// The integers that the wire format keeps as integers; larger ones come back as floats.
const INTEGERS: std::ops::RangeInclusive<i64> = -0x7FFF_FFFF..=0x7FFF_FFFF;

impl Leaf {
    /// The form in an entry. The markers are values that no scalar of JSON uses.
    fn to_any(&self) -> Any {
        match self {
            Self::Scalar(value) => scalar_to_any(value),
            Self::Object => Any::Map(Arc::default()),
            Self::Array => Any::Array(Arc::from([])),
            Self::Text => Any::Undefined,
            Self::Plain => Any::Buffer(Arc::from([])),
        }
    }

    /// Reads an entry. What no replica of ours writes counts as `null`.
    fn of(any: &Any) -> Self {
        match any {
            Any::Map(members) if members.is_empty() => Self::Object,
            Any::Array(items) if items.is_empty() => Self::Array,
            Any::Undefined => Self::Text,
            Any::Buffer(bytes) if bytes.is_empty() => Self::Plain,
            scalar => Self::Scalar(scalar_of(scalar)),
        }
    }
}

/// The form of an entry: its key and what stands there.
pub(super) fn entry_to_any(key: &str, leaf: &Leaf) -> Any {
    Any::Array(Arc::from([Any::String(key.into()), leaf.to_any()]))
}

/// Reads an entry.
pub(super) fn entry_of(any: &Any) -> Option<(&str, Leaf)> {
    let Any::Array(pair) = any else { return None };
    let [Any::String(key), leaf] = pair.as_ref() else { return None };
    Some((key, Leaf::of(leaf)))
}

/// One element of an array.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Element {
    /// A value without parts. Changing it removes it and inserts another.
    Scalar(Value),
    /// An object or an array, which keeps its identity while its parts change.
    Part(ElementId),
}

impl Element {
    pub(super) fn to_any(&self) -> Any {
        match self {
            Self::Scalar(value) => scalar_to_any(value),
            Self::Part(id) => Any::Buffer(Arc::from(id.as_str().as_bytes())),
        }
    }

    pub(super) fn of(any: &Any) -> Self {
        match any {
            Any::Buffer(bytes) => ElementId::of(bytes).map_or(Self::Scalar(Value::Null), Self::Part),
            scalar => Self::Scalar(scalar_of(scalar)),
        }
    }
}

fn scalar_to_any(value: &Value) -> Any {
    match value {
        Value::Bool(truth) => Any::Bool(*truth),
        Value::String(text) => Any::String(text.as_str().into()),
        Value::Number(number) => number_to_any(number),
        // Objects and arrays are taken apart before they come here.
        Value::Null | Value::Object(_) | Value::Array(_) => Any::Null,
    }
}

/// A number in a form from which exactly the same one is read: as itself if the wire format keeps it, else as its
/// digits.
fn number_to_any(number: &Number) -> Any {
    if let Some(integer) = number.as_i64().filter(|integer| INTEGERS.contains(integer)) {
        return Any::Number(yrs::Number::Int(integer));
    }
    let float = number.as_f64().filter(|_| number.is_f64());
    match float.filter(|float| Number::from_f64(*float).as_ref() == Some(number)) {
        Some(float) => Any::Number(yrs::Number::Float(float)),
        None => Any::Array(Arc::from([Any::String(number.to_string().into())])),
    }
}

fn scalar_of(any: &Any) -> Value {
    match any {
        Any::Bool(truth) => Value::Bool(*truth),
        Any::String(text) => Value::String(text.to_string()),
        Any::Number(yrs::Number::Int(integer)) => Value::from(*integer),
        Any::Number(yrs::Number::Float(float)) => Value::from(*float),
        Any::Array(digits) => digits_of(digits).unwrap_or(Value::Null),
        Any::Null | Any::Undefined | Any::Map(_) | Any::Buffer(_) => Value::Null,
    }
}

fn digits_of(items: &[Any]) -> Option<Value> {
    let [Any::String(digits)] = items else { return None };
    digits.parse::<Number>().ok().map(Value::Number)
}
