//! Values with templates in their texts.

mod engine;
mod given;
mod scan;
#[cfg(test)]
mod tests;
mod token;

use super::dates::Day;
use super::names::{Part, find, shortened};
use super::{Flaw, Names, Reference, flaw};
use given::{Reads, given};
use jiff::Zoned;
use minijinja::Environment;
use scan::{Lone, Read};
use serde_json::Value;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The longest text with templates, in bytes.
const SOURCE: usize = 64 * 1024;
/// How deep a value is nested, at most.
const DEPTH: usize = 64;
/// What the engine may do for all texts of one value.
const FUEL: u64 = 4 * engine::FUEL;
/// How long the reason of an error is, in characters.
const REASON: usize = 400;

/// A JSON value with templates in its texts: `{{inputs.name}}`, `{{fetch.output.emails}}`.
///
#[doc = include_str!("../../../docs/expressions.md")]
#[derive(Clone)]
pub struct Template(Arc<Parsed>);

struct Parsed {
    source: Value,
    piece: Piece,
    references: Vec<Reference>,
    engine: Environment<'static>,
    /// What the engine is given: each path that its texts read.
    given: Vec<Vec<Part>>,
}

/// A part of the value, read.
enum Piece {
    /// Stays as it is.
    Plain(Value),
    Day(Day),
    /// A path alone: it keeps its type.
    Path(Vec<Part>),
    Text(Text),
    List(Vec<Piece>),
    Object(Vec<(String, Piece)>),
}

/// A text for the engine.
struct Text {
    /// What the engine knows it by.
    name: String,
    within: Vec<String>,
    reads: Vec<Read>,
}

impl Template {
    /// Reads all texts of a value.
    pub(crate) fn parse(value: &Value) -> Result<Self, Vec<Flaw>> {
        let mut reader = Reader {
            engine: engine::engine(),
            texts: 0,
            references: Vec::new(),
            given: Vec::new(),
            flaws: Vec::new(),
        };
        let piece = reader.value(value, None, &mut Vec::new());
        if !reader.flaws.is_empty() {
            return Err(reader.flaws);
        }
        let Reader { engine, references, given, .. } = reader;
        Ok(Self(Arc::new(Parsed { source: value.clone(), piece, references, engine, given })))
    }

    /// What it reads.
    pub(crate) fn references(&self) -> Vec<Reference> {
        self.0.references.clone()
    }

    /// The value with its templates filled in. A text that is one template alone keeps the type of what it reads. Words
    /// such as `yesterday` are counted from `now`, in its zone.
    pub(crate) fn render(&self, names: &Names, now: &Zoned) -> Result<Value, String> {
        let reads = Reads::new();
        let given = given(names, &self.0.given, &reads);
        let mut run = Run { parsed: &self.0, names, now, given, reads, room: engine::SIZE, fuel: FUEL };
        run.piece(&self.0.piece).map_err(|reason| shortened(&reason, REASON))
    }

    /// As it was written.
    #[must_use]
    pub fn source(&self) -> &Value {
        &self.0.source
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.0.source).finish()
    }
}

/// All filters and tests.
#[cfg(test)]
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    scan::FILTERS.into_iter().chain(scan::TESTS)
}

struct Reader {
    engine: Environment<'static>,
    texts: usize,
    references: Vec<Reference>,
    given: Vec<Vec<Part>>,
    flaws: Vec<Flaw>,
}

impl Reader {
    fn value(&mut self, value: &Value, key: Option<&str>, within: &mut Vec<String>) -> Piece {
        if within.len() > DEPTH {
            self.flaws.push(Flaw {
                within: within.clone(),
                at: 0..0,
                message: format!("nested deeper than {DEPTH}"),
                help: None,
            });
            return Piece::Plain(Value::Null);
        }
        match value {
            Value::String(text) => match key.and_then(|key| Day::read(key, text)) {
                Some(day) => Piece::Day(day),
                None => self.text(text, within),
            },
            Value::Array(list) => {
                let pieces = list
                    .iter()
                    .enumerate()
                    .map(|(at, value)| self.inner(value, None, at.to_string(), within));
                let pieces: Vec<Piece> = pieces.collect();
                if pieces.iter().all(Piece::is_plain) {
                    Piece::Plain(value.clone())
                } else {
                    Piece::List(pieces)
                }
            }
            Value::Object(fields) => {
                let pieces = fields
                    .iter()
                    .map(|(key, value)| (key.clone(), self.inner(value, Some(key), key.clone(), within)));
                let pieces: Vec<(String, Piece)> = pieces.collect();
                let plain = pieces.iter().all(|(_, piece)| piece.is_plain());
                if plain { Piece::Plain(value.clone()) } else { Piece::Object(pieces) }
            }
            _ => Piece::Plain(value.clone()),
        }
    }

    fn inner(&mut self, value: &Value, key: Option<&str>, step: String, within: &mut Vec<String>) -> Piece {
        within.push(step);
        let piece = self.value(value, key, within);
        within.pop();
        piece
    }

    fn text(&mut self, text: &str, within: &[String]) -> Piece {
        if !token::has_tags(text) {
            return Piece::Plain(Value::from(text));
        }
        self.tagged(text, within).unwrap_or_else(|mut flaw| {
            flaw.within = within.to_vec();
            self.flaws.push(flaw);
            Piece::Plain(Value::Null)
        })
    }

    fn tagged(&mut self, text: &str, within: &[String]) -> Result<Piece, Flaw> {
        if text.len() > SOURCE {
            return Err(flaw(
                0..0,
                format!("a text with templates has at most {SOURCE} bytes"),
                "split the text",
            ));
        }
        let scanned = scan::scan(text)?;
        self.references.extend(scanned.reads.iter().map(|read| read.reference(within)));
        if let Some(Lone::Path(path)) = scanned.lone {
            return Ok(Piece::Path(path));
        }
        let kind = if scanned.lone.is_some() { engine::ALONE } else { "text" };
        let name = format!("{kind} {}", self.texts);
        self.texts += 1;
        self.engine
            .add_template_owned(name.clone(), text.to_owned())
            .map_err(|error| refused(&error, text))?;
        self.given.extend(scanned.reads.iter().map(|read| read.path.clone()));
        Ok(Piece::Text(Text { name, within: within.to_vec(), reads: scanned.reads }))
    }
}

impl Piece {
    fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }
}

impl Read {
    fn reference(&self, within: &[String]) -> Reference {
        let keys = self.path.iter().map_while(|part| match part {
            Part::Key(key) => Some(key.clone()),
            Part::Index(_) => None,
        });
        Reference { path: keys.collect(), within: within.to_vec(), at: self.at.clone() }
    }
}

/// What the engine cannot read.
fn refused(error: &minijinja::Error, text: &str) -> Flaw {
    let at = error.range().map_or(0..0, |at| at.start.min(text.len())..at.end.min(text.len()));
    let detail = error.detail().unwrap_or("it cannot be read");
    flaw(at, shortened(detail, 200), "")
}

/// One rendering.
struct Run<'a> {
    parsed: &'a Parsed,
    names: &'a Names,
    now: &'a Zoned,
    given: minijinja::Value,
    reads: Reads,
    room: usize,
    fuel: u64,
}

impl Run<'_> {
    fn piece(&mut self, piece: &Piece) -> Result<Value, String> {
        match piece {
            Piece::Plain(value) => self.fits(value.clone()),
            Piece::Day(day) => Ok(Value::from(day.date(self.now)?)),
            Piece::Path(path) => find(self.names, path).and_then(|value| self.fits(value.clone())),
            Piece::Text(text) => self.text(text).map_err(|reason| {
                if text.within.is_empty() {
                    reason
                } else {
                    format!("in `{}`: {reason}", text.within.join("."))
                }
            }),
            Piece::List(pieces) => pieces.iter().map(|piece| self.piece(piece)).collect(),
            Piece::Object(pieces) => {
                pieces.iter().map(|(key, piece)| Ok((key.clone(), self.piece(piece)?))).collect()
            }
        }
    }

    fn text(&mut self, text: &Text) -> Result<Value, String> {
        let template = self.parsed.engine.get_template(&text.name).map_err(|error| error.to_string())?;
        let mut written = engine::Bounded { bytes: Vec::new(), room: self.room };
        let done = template
            .render_captured_to(self.given.clone(), &mut written)
            .map_err(|error| self.explained(&error, text, template.source()))?;
        if self.reads.are_spent() {
            return Err(too_long());
        }
        let used = done.state().fuel_levels().map_or(0, |(used, _)| used);
        self.fuel = self.fuel.checked_sub(used).ok_or_else(too_long)?;
        match done.state().get_temp(engine::ALONE) {
            Some(value) => {
                let value = serde_json::to_value(&value).map_err(|error| error.to_string())?;
                self.fits(value)
            }
            None => {
                let text = String::from_utf8(written.bytes).map_err(|error| error.to_string())?;
                self.fits(Value::from(text))
            }
        }
    }

    /// In words of ours: the engine's do not name what is missing.
    fn explained(&self, error: &minijinja::Error, text: &Text, source: &str) -> String {
        use minijinja::ErrorKind;
        let place =
            error.range().map_or_else(String::new, |at| format!("`{}`: ", shortened(inner(source, &at), 80)));
        match error.kind() {
            _ if self.reads.are_spent() => too_long(),
            ErrorKind::OutOfFuel => too_long(),
            ErrorKind::WriteFailure => too_large(),
            ErrorKind::UndefinedError => {
                let missing = |read: &Read| find(self.names, &read.path).err();
                let at = error.range().unwrap_or(0..source.len());
                let here = |read: &&Read| read.at.start < at.end && at.start < read.at.end;
                let found = text
                    .reads
                    .iter()
                    .filter(here)
                    .find_map(missing)
                    .or_else(|| text.reads.iter().find_map(missing));
                found.unwrap_or_else(|| format!("{place}it is not there"))
            }
            _ => format!("{place}{}", error.detail().unwrap_or("it cannot be computed")),
        }
    }

    /// Counts a value towards the size of the result.
    fn fits(&mut self, value: Value) -> Result<Value, String> {
        let mut left = Some(self.room);
        weigh(&value, &mut left);
        self.room = left.ok_or_else(too_large)?;
        Ok(value)
    }
}

/// What stands between the braces around `at`.
fn inner<'a>(source: &'a str, at: &Range<usize>) -> &'a str {
    let before = source.get(..at.end).unwrap_or_default();
    let open = before.rfind("{{").max(before.rfind("{%")).map_or(0, |open| open + 2);
    let rest = &source[open..];
    let close = if before[..open].ends_with('%') { "%}" } else { "}}" };
    rest[..rest.find(close).unwrap_or(rest.len())].trim()
}

/// Takes the size of a value, about as it is written, from what is left.
fn weigh(value: &Value, left: &mut Option<usize>) {
    let own = match value {
        Value::String(text) => text.len() + 2,
        Value::Object(fields) => 2 + fields.keys().map(|key| key.len() + 4).sum::<usize>(),
        Value::Array(list) => 2 + list.len(),
        _ => 5,
    };
    *left = left.and_then(|left| left.checked_sub(own));
    match value {
        Value::Array(list) if left.is_some() => list.iter().for_each(|value| weigh(value, left)),
        Value::Object(fields) if left.is_some() => fields.values().for_each(|value| weigh(value, left)),
        _ => {}
    }
}

fn too_large() -> String {
    format!("the result is larger than {} bytes", engine::SIZE)
}

fn too_long() -> String {
    "the templates do too much: shorten the lists that they go over".to_owned()
}
