//! The values of a file, each with its place.

use super::Found;
use serde_json::{Map, Number, Value};
use std::fmt;
use std::ops::Range;

/// A value and where it stands, in bytes of the text. Lists and maps have the place of their beginning.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) at: Range<usize>,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, Default)]
pub(crate) enum Kind {
    /// Nothing stands there, or `null`.
    #[default]
    Nothing,
    /// As it was written, and what that means.
    Plain(String, Plain),
    /// Text: in quotes, in a block, or plain text that means nothing else.
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// What plain text means, where it is not just text.
#[derive(Debug, Clone)]
pub(crate) enum Plain {
    Bool(bool),
    Number(Number),
    /// A number that JSON cannot hold, or that could be read in two ways: why, and what to write.
    Odd(&'static str, &'static str),
}

/// A key of a map and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Range<usize>,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.kind, Kind::Nothing)
    }

    /// Text, if it is some: what was written in quotes, or plain text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What was written, if it is text, a number or a truth value.
    pub(crate) fn written(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) | Kind::Plain(text, _) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map.
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// As JSON. What JSON cannot hold is a fault, and null.
    pub(crate) fn to_json(&self, found: &mut Found) -> Value {
        match &self.kind {
            Kind::Nothing => Value::Null,
            Kind::Text(text) => Value::String(text.clone()),
            Kind::Plain(_, Plain::Bool(truth)) => Value::Bool(*truth),
            Kind::Plain(_, Plain::Number(number)) => Value::Number(number.clone()),
            Kind::Plain(text, Plain::Odd(why, remedy)) => {
                found.with_help(self.at.clone(), format!("{}: {why}", Shown(text)), *remedy);
                Value::Null
            }
            Kind::List(nodes) => nodes.iter().map(|node| node.to_json(found)).collect(),
            Kind::Map(entries) => {
                let pair = |entry: &Entry| (entry.key.clone(), entry.value.to_json(found));
                entries.iter().map(pair).collect::<Map<_, _>>().into()
            }
        }
    }

    /// The value at this place inside it: keys and indexes from its top. Where there is none, the last one on the way.
    pub(crate) fn within(&self, path: impl IntoIterator<Item = impl AsRef<str>>) -> &Self {
        let mut node = self;
        for step in path {
            let step = step.as_ref();
            let next = match &node.kind {
                Kind::List(nodes) => step.parse::<usize>().ok().and_then(|index| nodes.get(index)),
                Kind::Map(entries) => {
                    entries.iter().find(|entry| entry.key == step).map(|entry| &entry.value)
                }
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// The place in the file of a part of its text, where the text stands there as it reads; else its own place.
    pub(crate) fn part(&self, source: &str, part: &Range<usize>) -> Range<usize> {
        self.find(source, part).unwrap_or_else(|| self.at.clone())
    }

    fn find(&self, source: &str, part: &Range<usize>) -> Option<Range<usize>> {
        let text = self.text()?;
        let slice = source.get(self.at.clone())?;
        let start = match slice.find(text) {
            Some(quote) => quote + part.start,
            // Written over several lines, or with escapes: the part itself stands there as often as in the text.
            None => {
                let wanted = text.get(part.clone()).filter(|wanted| !wanted.is_empty())?;
                let nth = text.get(..part.start)?.matches(wanted).count();
                let mut places = slice.match_indices(wanted);
                let place = places.nth(nth)?.0;
                let in_all = text.matches(wanted).count();
                (nth + 1 + places.count() == in_all).then_some(place)?
            }
        };
        let start = self.at.start + start;
        Some(start..start + part.len().max(1))
    }
}

impl fmt::Display for Node {
    /// What it is, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Nothing => f.write_str("nothing"),
            Kind::Text(text) => write!(f, "the text {}", Shown(text)),
            Kind::Plain(text, Plain::Bool(_)) => write!(f, "`{text}`"),
            Kind::Plain(text, _) => write!(f, "the number {text}"),
            Kind::List(_) => f.write_str("a list"),
            Kind::Map(_) => f.write_str("a map"),
        }
    }
}

/// The beginning of a text, in quotes, with what cannot be seen escaped.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 40;
        let beginning: String = self.0.chars().take(LONGEST).collect();
        let dots = if beginning.len() < self.0.len() { ".." } else { "" };
        write!(f, "{beginning:?}{dots}")
    }
}
