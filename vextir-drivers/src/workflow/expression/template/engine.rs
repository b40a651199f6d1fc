//! The template engine, as far as it is let: strict about what is missing, and bounded.

use super::scan::{FILTERS, TESTS};
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, filters, tests};
use std::io::{self, Write};
use std::sync::LazyLock;

/// The most that a template comes to, and that it makes on the way, in bytes.
pub(super) const SIZE: usize = 1024 * 1024;
/// What the engine may do for one text; one instruction or 64 bytes are one.
pub(super) const FUEL: u64 = 200_000;
/// The value of a text that is one template alone is left under this name.
pub(super) const ALONE: &str = "alone";

/// An engine without templates.
pub(super) fn engine() -> Environment<'static> {
    static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(build);
    ENGINE.clone()
}

fn build() -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_debug(false);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let mut syntax = engine.syntax().to_builder();
    // A line that is only a `{% .. %}` leaves no empty line behind.
    syntax.keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true);
    if let Ok(syntax) = syntax.build() {
        engine.set_syntax(syntax);
    }
    engine.set_formatter(put);
    for name in FILTERS {
        add_filter(&mut engine, name);
    }
    for name in TESTS {
        add_test(&mut engine, name);
    }
    engine
}

fn add_filter(engine: &mut Environment<'static>, name: &'static str) {
    match name {
        "abs" => engine.add_filter(name, filters::abs),
        "default" => engine.add_filter(name, default),
        "first" => engine.add_filter(name, filters::first),
        "float" => engine.add_filter(name, float),
        "int" => engine.add_filter(name, int),
        "join" => engine.add_filter(name, join),
        "last" => engine.add_filter(name, filters::last),
        "length" => engine.add_filter(name, filters::length),
        "lower" => engine.add_filter(name, |value: &Value| Ok::<_, Error>(text(value)?.to_lowercase())),
        "map" => engine.add_filter(name, map),
        "replace" => engine.add_filter(name, replace),
        "reverse" => engine.add_filter(name, filters::reverse),
        "round" => engine.add_filter(name, filters::round),
        "sort" => engine.add_filter(name, filters::sort),
        "sum" => engine.add_filter(name, filters::sum),
        "tojson" => engine.add_filter(name, json),
        "trim" => engine.add_filter(name, |value: &Value| Ok::<_, Error>(text(value)?.trim().to_owned())),
        "unique" => engine.add_filter(name, filters::unique),
        "upper" => engine.add_filter(name, |value: &Value| Ok::<_, Error>(text(value)?.to_uppercase())),
        _ => {}
    }
}

fn add_test(engine: &mut Environment<'static>, name: &'static str) {
    match name {
        "defined" => engine.add_test(name, tests::is_defined),
        "undefined" => engine.add_test(name, tests::is_undefined),
        "none" => engine.add_test(name, tests::is_none),
        "number" => engine.add_test(name, tests::is_number),
        "string" => engine.add_test(name, tests::is_string),
        "sequence" => engine.add_test(name, tests::is_sequence),
        "mapping" => engine.add_test(name, tests::is_mapping),
        _ => {}
    }
}

/// Writes a value into a text, or keeps it where it is alone.
fn put(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if !state.name().starts_with(ALONE) {
        return out.write_str(&text(value)?).map_err(|_| too_large());
    }
    if value.is_undefined() {
        return Err(missing());
    }
    state.set_temp(ALONE, value.clone());
    Ok(())
}

/// A value within a text: texts as they are, all else as JSON writes it; null has no text.
fn text(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(missing()),
        ValueKind::None => Err(Error::new(ErrorKind::InvalidOperation, NULL)),
        ValueKind::String => Ok(value.as_str().unwrap_or_default().to_owned()),
        _ => json(value),
    }
}

/// What stands in the error about a null in a text.
pub(super) const NULL: &str = "null has no text; write `| default('..')` for what stands there instead";

fn missing() -> Error {
    Error::from(ErrorKind::UndefinedError)
}

fn too_large() -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("it comes to more than {SIZE} bytes"))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

fn json(value: &Value) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(missing());
    }
    let mut bounded = Bounded { bytes: Vec::new(), room: SIZE };
    serde_json::to_writer(&mut bounded, value)
        .map_err(|error| if error.is_io() { too_large() } else { invalid(error.to_string()) })?;
    String::from_utf8(bounded.bytes).map_err(|_| too_large())
}

/// `x | default(other)`: the other where x is missing or null.
fn default(value: &Value, other: Value) -> Value {
    if value.is_undefined() || value.is_none() { other } else { value.clone() }
}

/// `x | map(attribute='subject')`: one field of each element.
fn map(value: &Value, options: Kwargs) -> Result<Vec<Value>, Error> {
    let attribute: &str = options.get("attribute")?;
    options.assert_all_used()?;
    let fields = value.try_iter()?.map(|element| {
        let field = attribute.split('.').try_fold(element, |value, key| value.get_attr(key))?;
        if field.is_undefined() {
            Err(invalid(format!("an element has no `{attribute}`")))
        } else {
            Ok(field)
        }
    });
    fields.collect()
}

fn join(value: &Value, between: Option<&str>) -> Result<String, Error> {
    let mut joined = String::new();
    for (at, element) in value.try_iter()?.enumerate() {
        if at > 0 {
            joined.push_str(between.unwrap_or_default());
        }
        joined.push_str(&text(&element)?);
        if joined.len() > SIZE {
            return Err(too_large());
        }
    }
    Ok(joined)
}

fn replace(value: &Value, from: &str, to: &str) -> Result<String, Error> {
    let text = text(value)?;
    if text.matches(from).count().saturating_mul(to.len()) > SIZE {
        return Err(too_large());
    }
    Ok(text.replace(from, to))
}

/// A whole number: what stands behind the point goes.
fn int(value: &Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        let number = text.trim().parse::<i64>().map_err(|_| invalid("`int` reads whole numbers only"))?;
        return Ok(Value::from(number));
    }
    if value.is_integer() {
        return Ok(value.clone());
    }
    let number = f64::try_from(value.clone())?.trunc();
    // Every float of that size is a whole number, and fits.
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    if number.abs() < 9e18 {
        Ok(Value::from(number as i64))
    } else {
        Err(invalid("the number is too large for `int`"))
    }
}

fn float(value: &Value) -> Result<f64, Error> {
    let number = match value.as_str() {
        Some(text) => text.trim().parse::<f64>().map_err(|_| invalid("`float` reads numbers only"))?,
        None => f64::try_from(value.clone())?,
    };
    if number.is_finite() { Ok(number) } else { Err(invalid("the number is not finite")) }
}

/// Takes no more than there is room for.
#[derive(Debug)]
pub(super) struct Bounded {
    pub(super) bytes: Vec<u8>,
    pub(super) room: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.room {
            return Err(io::Error::other("no room"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
