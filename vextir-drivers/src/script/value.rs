//! Between JSON and the values of the language.

use rhai::{Array, Dynamic, Map};
use serde_json::{Number, Value};

/// How deep what leaves the code may be nested.
const DEEPEST: usize = 64;

/// A value for the code. Whole numbers beyond 63 bits become floating ones.
pub(super) fn inward(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(inward).collect::<Array>().into(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.as_str().into(), inward(value)));
            members.collect::<Map>().into()
        }
    }
}

/// JSON from what the code has made. Numbers that are none, functions and bytes have no such form.
pub(super) fn outward(value: &Dynamic) -> Result<Value, String> {
    convert(value, 0)
}

fn convert(value: &Dynamic, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(format!("a value is nested more than {DEEPEST} deep"));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(flag.into());
    }
    if let Ok(whole) = value.as_int() {
        return Ok(whole.into());
    }
    if let Ok(number) = value.as_float() {
        return Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| format!("{number} has no JSON form"));
    }
    if let Ok(sign) = value.as_char() {
        return Ok(sign.to_string().into());
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.as_str().into());
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().map(|item| convert(item, depth + 1)).collect();
    }
    if let Ok(members) = value.as_map_ref() {
        let member = |(name, value)| Ok((ToString::to_string(name), convert(value, depth + 1)?));
        return members.iter().map(member).collect::<Result<_, String>>().map(Value::Object);
    }
    Err(format!("a value of the type {} has no JSON form", value.type_name()))
}
