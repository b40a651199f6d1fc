//! What is wrong with an instruction, where, and what to write instead.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// How many faults are shown.
const SHOWN: usize = 50;
/// How many faults are kept until they are put in order; further ones are counted.
const KEPT: usize = 1_000;
/// How wide a line is drawn, in columns.
const WIDTH: usize = 110;
/// How much of a long line is kept on either side of the fault, in characters.
const AROUND: usize = 200;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The line, from 1; 0 where it is the file as a whole.
    pub line: usize,
    /// The character in the line, from 1; 0 where it is the file as a whole.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    extract: Option<Extract>,
}

/// A part of the line, and what is marked in it.
#[derive(Clone, PartialEq, Eq)]
struct Extract {
    line: String,
    marked: Range<usize>,
}

/// All that is wrong with a file, in the order of its lines. `Display` draws each of them.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir_drivers::workflow::Instruction;
///
/// let text = "name: Greeter\nplan:\n  - emitt: {type: chat.message}\n";
/// let faults = Instruction::from_yaml("greeter.yaml", text).unwrap_err();
/// let fault = faults.iter().next().unwrap();
/// assert_eq!((fault.line, fault.column), (3, 5));
/// assert_eq!(fault.help.as_deref(), Some("did you mean `emit`?"));
/// println!("{faults}");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Faults {
    file: String,
    faults: Vec<Fault>,
    /// How many are not among them.
    more: usize,
}

impl Faults {
    /// One by one, in the order of their places; at most 50.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Fault> {
        self.faults.iter()
    }

    /// How many there are, those beyond the first 50 included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.faults.len() + self.more
    }

    /// The name of the file, as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What is wrong with the file as a whole.
    pub(crate) fn of_file(file: &str, message: String, help: Option<String>) -> Self {
        let fault = Fault { line: 0, column: 0, message, help, extract: None };
        Self { file: file.to_owned(), faults: vec![fault], more: 0 }
    }
}

impl Fault {
    fn draw(&self, file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{file}: {}", self.message)?;
        } else {
            write!(f, "{file}:{}:{}: {}", self.line, self.column, self.message)?;
        }
        if let Some(extract) = &self.extract {
            let mark = AnnotationKind::Primary.span(extract.marked.clone());
            let snippet = Snippet::source(&extract.line).line_start(self.line).annotation(mark);
            let drawn = Renderer::plain()
                .term_width(WIDTH)
                .render(&[Group::with_level(Level::ERROR).element(snippet)]);
            for line in drawn.lines() {
                write!(f, "\n{}", line.trim_end())?;
            }
        }
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            fault.draw(&self.file, f)?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n\n{}: and {more} more", self.file),
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Faults {}

impl From<Faults> for vextir::Error {
    /// `Invalid`, with the first of them in its one line and all of them as its source.
    fn from(faults: Faults) -> Self {
        let mut message = String::new();
        if let Some(first) = faults.faults.first() {
            message = match first.line {
                0 => format!("{}: {}", faults.file, first.message),
                _ => format!("{}:{first}", faults.file),
            };
        }
        let others = faults.count().saturating_sub(1);
        if others > 0 {
            message = format!("{message} (and {others} more)");
        }
        Self::invalid(message).with_source(faults)
    }
}

/// A file and its text.
#[derive(Clone, Default)]
pub(crate) struct Source {
    pub(crate) file: Arc<str>,
    pub(crate) text: Arc<str>,
}

impl Source {
    /// Where something begins, as faults say it: file, line, column.
    pub(crate) fn place(&self, at: &Range<usize>) -> String {
        if self.text.is_empty() {
            return self.file.to_string();
        }
        let before = self.text.get(..floor(&self.text, at.start)).unwrap_or_default();
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{}:{line}:{column}", self.file)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.file).finish()
    }
}

/// What was found so far, by place in the text.
#[derive(Debug, Default)]
pub(crate) struct Found {
    notes: Vec<Note>,
    more: usize,
    /// What may be a secret: drawn as stars.
    veiled: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Note {
    at: Range<usize>,
    message: String,
    help: Option<String>,
}

impl Found {
    pub(crate) fn add(&mut self, at: Range<usize>, message: impl Into<String>) {
        self.note(at, message.into(), None);
    }

    pub(crate) fn with_help(
        &mut self,
        at: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.note(at, message.into(), Some(help.into()));
    }

    pub(crate) fn note(&mut self, at: Range<usize>, message: String, help: Option<String>) {
        if self.notes.len() == KEPT {
            self.more += 1;
        } else {
            self.notes.push(Note { at, message, help });
        }
    }

    /// Draws what stands there as stars, in all faults of its line: it may be a secret.
    #[cfg_attr(not(feature = "agent"), allow(dead_code, reason = "only files of models hold keys"))]
    pub(crate) fn veil(&mut self, at: Range<usize>) {
        self.veiled.push(at);
    }

    /// Whether there are more than are shown: then nobody needs the cost of good advice.
    pub(crate) fn is_crowded(&self) -> bool {
        self.notes.len() > SHOWN
    }

    /// `Ok` where nothing was found.
    pub(crate) fn into_result(self, source: &Source) -> Result<(), Faults> {
        if self.notes.is_empty() { Ok(()) } else { Err(self.into_faults(source)) }
    }

    pub(crate) fn into_faults(mut self, source: &Source) -> Faults {
        self.notes.sort_by_key(|note| (note.at.start, note.at.end));
        self.notes.dedup_by(|next, first| next.at == first.at && next.message == first.message);
        let more = self.more + self.notes.len().saturating_sub(SHOWN);
        self.notes.truncate(SHOWN);
        let text = veiled(&source.text, &self.veiled);
        let faults = self.notes.into_iter().map(|note| note.place(&text)).collect();
        Faults { file: source.file.to_string(), faults, more }
    }
}

/// The text with stars for some of its parts, each as long as what stood there, line by line.
fn veiled<'t>(text: &'t str, parts: &[Range<usize>]) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for part in parts {
        let stars = |hidden: &str| hidden.split('\n').map(|line| "*".repeat(line.len())).collect::<Vec<_>>();
        if let Some(stars) = text.get(part.clone()).map(stars) {
            text.to_mut().replace_range(part.clone(), &stars.join("\n"));
        }
    }
    text
}

impl Note {
    fn place(self, text: &str) -> Fault {
        let Self { at, message, help } = self;
        if text.is_empty() {
            return Fault { line: 0, column: 0, message, help, extract: None };
        }
        let start = floor(text, at.start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = text.get(line_start..).unwrap_or_default();
        let whole = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let offset = (start - line_start).min(whole.len());
        let end = floor(whole, at.end.saturating_sub(line_start).min(whole.len())).max(offset);
        let column = whole.get(..offset).unwrap_or_default().chars().count() + 1;
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Fault { line, column, message, help, extract: Some(Extract::of(whole, offset..end)) }
    }
}

impl Extract {
    /// The line around what is marked, without the far ends of a very long one.
    fn of(line: &str, marked: Range<usize>) -> Self {
        let back = |(place, _): (usize, char)| place;
        let head = line.get(..marked.start).unwrap_or_default();
        let first = head.char_indices().rev().nth(AROUND).map_or(0, back);
        let tail = line.get(marked.start..).unwrap_or_default();
        let last = tail.char_indices().nth(AROUND).map_or(line.len(), |(place, _)| marked.start + place);
        let end = marked.end.min(last).max(marked.start);
        Self {
            line: line.get(first..last).unwrap_or_default().to_owned(),
            marked: marked.start - first..end - first,
        }
    }
}

/// The nearest boundary of a character at or before a byte.
fn floor(text: &str, byte: usize) -> usize {
    text.floor_char_boundary(byte)
}
