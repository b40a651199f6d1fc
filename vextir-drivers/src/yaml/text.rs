//! YAML text to values with their places. This file alone knows the parser.
//!
//! Read as YAML 1.2: `yes`, `no`, `on` and `off` are text, and so are dates.

use super::node::{Entry, Kind, Node};
use super::plain;
use super::{Found, What};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// How deeply values may be nested.
const DEEPEST: usize = 64;
/// How many values there may be, those that aliases repeat included.
const MOST: usize = 100_000;
/// How much text there may be in them, in bytes.
const MOST_BYTES: usize = 4 << 20;

/// Reads the one document of a text. `None` if it could not be read to its end; then something was found.
pub(super) fn read(text: &str, what: What, found: &mut Found) -> Option<Node> {
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reading =
        Reading { text, what, parser, found, anchors: HashMap::new(), values: 0, bytes: 0, braces: None };
    match reading.document() {
        Ok(node) => Some(node),
        Err(stop) => {
            let Stop { at, message, help } = *stop;
            // A template without quotes was found; that the rest of its line makes no sense is no news.
            if reading.braces.is_none_or(|braces| line_start(text, braces) != line_start(text, at.start)) {
                found.note(at, message, help);
            }
            None
        }
    }
}

/// Where the line of a place begins.
fn line_start(text: &str, place: usize) -> usize {
    text.get(..place).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

struct Reading<'t, 'f> {
    text: &'t str,
    what: What,
    parser: Parser<'t, StrInput<'t>>,
    found: &'f mut Found,
    anchors: HashMap<usize, Anchored>,
    values: usize,
    bytes: usize,
    /// Where a template stands without quotes.
    braces: Option<usize>,
}

#[derive(Debug, Clone, Default)]
struct Anchored {
    node: Node,
    values: usize,
    bytes: usize,
    height: usize,
}

/// What makes it pointless to read on.
#[derive(Debug)]
struct Stop {
    at: Range<usize>,
    message: String,
    help: Option<String>,
}

type Reached<T> = Result<T, Box<Stop>>;

fn stop<T>(at: Range<usize>, message: impl Into<String>, help: Option<&str>) -> Reached<T> {
    Err(Box::new(Stop { at, message: message.into(), help: help.map(str::to_owned) }))
}

impl<'t> Reading<'t, '_> {
    fn next(&mut self) -> Reached<(Event<'t>, Range<usize>)> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, bytes(&span))),
            Some(Err(error)) => Err(Box::new(syntax(self.text, &error))),
            None => Ok((Event::StreamEnd, self.text.len()..self.text.len())),
        }
    }

    fn document(&mut self) -> Reached<Node> {
        let mut root = None;
        loop {
            let (event, at) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(..) if root.is_some() => {
                    let help = format!("write {} into a file of its own", self.what.name);
                    return stop(at, "a second document begins here", Some(&help));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                other => root = Some(self.node(other, at, 0)?.node),
            }
        }
        match root {
            Some(root) if !root.is_nothing() => Ok(root),
            _ => {
                let message = format!("there is nothing in this file; {} was expected", self.what.name);
                stop(0..0, message, Some(self.what.example))
            }
        }
    }

    fn node(&mut self, event: Event<'t>, at: Range<usize>, depth: usize) -> Reached<Anchored> {
        self.values += 1;
        let (node, anchor) = match event {
            Event::Alias(id) => return self.alias(id, at, depth),
            Event::UnresolvedAlias(name) => {
                let message =
                    format!("`*{name}` stands for what was marked `&{name}`, and nothing before it is");
                self.found.with_help(at.clone(), message, "put text that begins with `*` in quotes");
                (Anchored { node: Node { at, kind: Kind::Nothing }, values: 1, bytes: 0, height: 0 }, 0)
            }
            Event::Scalar(text, style, anchor, tag) => (self.scalar(text, style, tag.as_deref(), at), anchor),
            Event::SequenceStart(..) | Event::MappingStart(..) if depth == DEEPEST => {
                return stop(at, format!("values are nested more than {DEEPEST} deep"), None);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), &at, "seq");
                (self.list(at, depth + 1)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), &at, "map");
                (self.map(at, depth + 1)?, anchor)
            }
            _ => return stop(at, "this is not YAML", None),
        };
        if self.values > MOST || self.bytes > MOST_BYTES {
            return stop(
                node.node.at,
                format!("more than {MOST} values, or {MOST_BYTES} bytes of text"),
                None,
            );
        }
        if anchor != 0 {
            self.values += node.values;
            self.bytes += node.bytes;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, at: Range<usize>, depth: usize) -> Reached<Anchored> {
        let Some(anchored) = self.anchors.get(&id) else {
            return stop(at, "this alias stands for something that it is a part of", None);
        };
        self.values += anchored.values;
        self.bytes += anchored.bytes;
        if self.values > MOST || self.bytes > MOST_BYTES {
            let message =
                format!("with this alias there are more than {MOST} values, or {MOST_BYTES} bytes of text");
            return stop(at, message, Some("repeat less"));
        }
        if depth + anchored.height > DEEPEST {
            return stop(at, format!("with this alias values are nested more than {DEEPEST} deep"), None);
        }
        Ok(anchored.clone())
    }

    fn scalar(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        at: Range<usize>,
    ) -> Anchored {
        let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str") || tag.original() == "!");
        if !is_text {
            self.tag(tag, &at, "");
        }
        self.bytes += text.len();
        let bytes = text.len();
        let kind = match style {
            ScalarStyle::Plain if !is_text => plain::read(text.into_owned()),
            _ => Kind::Text(text.into_owned()),
        };
        Anchored { node: Node { at, kind }, values: 1, bytes, height: 0 }
    }

    fn tag(&mut self, tag: Option<&Tag>, at: &Range<usize>, fits: &str) {
        let Some(tag) = tag else { return };
        if fits.is_empty() || !tag.is_yaml_core_schema_tag(fits) {
            let message = format!("the tag `{}` means nothing here", tag.original());
            self.found.with_help(at.clone(), message, "leave it out; `!!str` is the one that is read");
        }
    }

    fn list(&mut self, at: Range<usize>, depth: usize) -> Reached<Anchored> {
        let mut whole = Anchored { values: 1, ..Anchored::default() };
        let mut nodes = Vec::new();
        loop {
            let (event, place) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            let item = self.node(event, place, depth)?;
            whole.add(&item);
            nodes.push(item.node);
        }
        whole.node = Node { at: at.start..at.start, kind: Kind::List(nodes) };
        Ok(whole)
    }

    fn map(&mut self, at: Range<usize>, depth: usize) -> Reached<Anchored> {
        let mut whole = Anchored { values: 1, ..Anchored::default() };
        let (mut entries, mut seen) = (Vec::new(), HashSet::new());
        loop {
            let (event, place) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = self.node(event, place.clone(), depth)?;
            let (event, value_place) = self.next()?;
            let value = self.node(event, value_place, depth)?;
            whole.add(&key);
            whole.add(&value);
            if let Some(key) = self.key(&key.node, &place, &mut seen) {
                entries.push(Entry { key, at: place, value: value.node });
            }
        }
        whole.node = Node { at: at.start..at.start, kind: Kind::Map(entries) };
        Ok(whole)
    }

    fn key(&mut self, key: &Node, at: &Range<usize>, seen: &mut HashSet<String>) -> Option<String> {
        let Some(text) = key.written() else {
            let before = self.text.get(..at.start).unwrap_or_default();
            if matches!(key.kind, Kind::Map(_)) && before.ends_with('{') {
                let help = "put the text around the braces in quotes, as in \"{{fetch.output}}\"";
                let start = before.len() - 1;
                self.braces = Some(start);
                self.found.with_help(start..start + 2, "a template without quotes is a map to YAML", help);
            } else {
                self.found.add(at.clone(), format!("a key is text, but this is {key}"));
            }
            return None;
        };
        if text == "<<" && matches!(self.text.get(at.clone()), Some("<<")) {
            let help = "write the keys out; YAML 1.2 has no merge keys";
            self.found.with_help(at.clone(), "`<<` merges nothing here", help);
            return None;
        }
        if !seen.insert(text.to_owned()) {
            let message = format!("the key `{text}` stands here a second time");
            self.found.with_help(at.clone(), message, "remove one of them");
            return None;
        }
        Some(text.to_owned())
    }
}

impl Anchored {
    /// Counts a part of it.
    fn add(&mut self, part: &Self) {
        self.values += part.values;
        self.bytes += part.bytes;
        self.height = self.height.max(part.height + 1);
    }
}

fn bytes(span: &Span) -> Range<usize> {
    span.byte_range().filter(|range| range.start <= range.end).unwrap_or(0..0)
}

/// What the parser could not read.
fn syntax(text: &str, error: &ScanError) -> Stop {
    let mut start = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let (message, help) = explain(error.kind());
    let line_start = line_start(text, start);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    if help == Some(TABS) {
        // The parser points at what the tab stands before, or in.
        let tab =
            line.get(..start - line_start).and_then(|before| before.rfind('\t')).map(|tab| line_start + tab);
        let after = || text.get(start..).and_then(|rest| rest.find('\t')).map(|tab| start + tab);
        start = tab.or_else(after).unwrap_or(start);
    }
    let is_template = line.contains(": {{") || line.contains("- {{");
    let help = if is_template {
        Some("put a text with a template in quotes, as in \"{{fetch.output}} and more\"")
    } else {
        help
    };
    Stop { at: start..start + 1, message, help: help.map(str::to_owned) }
}

const TABS: &str = "indent with spaces; a tab is none";

fn explain(kind: &ErrorKind) -> (String, Option<&'static str>) {
    let (message, help) = match kind {
        ErrorKind::TabInIndentation
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabInPlainScalar => ("a tab stands where YAML wants spaces", Some(TABS)),
        ErrorKind::UnclosedQuotedScalar => {
            ("a quote is not closed", Some("close it, or put the text into a block with `|`"))
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => (
            "a key cannot stand here",
            Some("put text with `: ` in it in quotes; or is a `[`, a `{` or a quote above not closed?"),
        ),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation | ErrorKind::SimpleKeyExpected => {
            (
                "this is neither a key of the map above nor its end",
                Some("check how far the line is indented, and that a `:` and a space follow the key"),
            )
        }
        ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::BlockSequenceEntryNotAllowed => {
            ("this is no item of the list above", Some("check how far the line is indented"))
        }
        ErrorKind::RecursionLimitExceeded => ("values are nested more than 64 deep", None),
        ErrorKind::UnexpectedCharacter { .. } => {
            ("this character begins nothing in YAML", Some("put the text in quotes"))
        }
        ErrorKind::UnclosedFlowCollection { open: '[' }
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnexpectedEofFlowSequence => {
            ("a list is not closed", Some("close it with `]`, and put `,` between its items"))
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::UnexpectedEofFlowMapping => {
            ("a map is not closed", Some("close it with `}`, and put `,` between its entries"))
        }
        other => return (format!("this is not YAML: {other}"), None),
    };
    (message.to_owned(), help)
}
