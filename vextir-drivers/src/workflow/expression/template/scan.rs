//! What the tags of a text read, and whether they keep to what is allowed.

use super::super::names::{Part, like};
use super::super::{Flaw, flaw, hyphen};
use super::token::{Kind, Tag, Token, tags};
use std::ops::Range;

/// What a value can be passed through, as in `x | upper`.
pub(super) const FILTERS: [&str; 19] = [
    "default", "first", "float", "int", "join", "last", "length", "lower", "map", "replace", "reverse",
    "round", "sort", "sum", "tojson", "trim", "unique", "upper", "abs",
];
/// What can be asked of a value, as in `x is defined`.
pub(super) const TESTS: [&str; 7] =
    ["defined", "undefined", "none", "number", "string", "sequence", "mapping"];
/// Words that are no names of values.
const WORDS: [&str; 12] =
    ["and", "or", "not", "in", "if", "else", "is", "true", "false", "none", "True", "False"];
/// How deep `for` and `if` are nested; each `elif` counts.
const DEPTH: usize = 16;

/// What a text reads.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) reads: Vec<Read>,
    /// The text is this one tag alone.
    pub(super) lone: Option<Lone>,
}

/// One place where something is read.
#[derive(Debug, Clone)]
pub(super) struct Read {
    /// Begins with a name; ends before what is only known at run time.
    pub(super) path: Vec<Part>,
    pub(super) at: Range<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lone {
    /// Nothing but a path.
    Path(Vec<Part>),
    /// Anything else.
    Expression,
}

/// Reads all tags of a text.
pub(super) fn scan(text: &str) -> Result<Scanned, Flaw> {
    let tags = tags(text)?;
    let mut scan = Scan { reads: Vec::new(), open: Vec::new() };
    for tag in &tags {
        if tag.block { scan.block(tag)? } else { scan.output(tag)? }
    }
    if let Some(open) = scan.open.last() {
        let help = format!("write {{% end{} %}} where it ends", open.word);
        return Err(flaw(open.at.clone(), format!("`{}` has no end", open.word), &help));
    }
    let lone = match tags.as_slice() {
        [tag] if !tag.block && text.trim().len() == tag.at.len() => Some(lone(tag, &scan.reads)),
        _ => None,
    };
    Ok(Scanned { reads: scan.reads, lone })
}

/// A path alone is read without the template engine.
fn lone(tag: &Tag<'_>, reads: &[Read]) -> Lone {
    let whole = tag.tokens.first().zip(tag.tokens.last()).map(|(first, last)| first.at.start..last.at.end);
    match reads {
        [read] if Some(&read.at) == whole.as_ref() => Lone::Path(read.path.clone()),
        _ => Lone::Expression,
    }
}

struct Scan<'a> {
    reads: Vec<Read>,
    open: Vec<Open<'a>>,
}

/// A `for` or `if` that has not ended.
struct Open<'a> {
    word: &'static str,
    /// What `for` names.
    names: Vec<&'a str>,
    at: Range<usize>,
}

impl<'a> Scan<'a> {
    fn output(&mut self, tag: &Tag<'a>) -> Result<(), Flaw> {
        if tag.tokens.is_empty() {
            return Err(flaw(
                tag.at.clone(),
                "nothing is named between the braces",
                "write what is to stand here, as in {{ inputs.name }}",
            ));
        }
        self.expression(&tag.tokens)
    }

    fn block(&mut self, tag: &Tag<'a>) -> Result<(), Flaw> {
        let (word, rest) =
            tag.tokens.split_first().map_or(("", tag.tokens.as_slice()), |(word, rest)| (word.text, rest));
        match word {
            "for" => self.begin_for(tag, rest),
            "if" => {
                self.expression(rest)?;
                self.begin("if", Vec::new(), tag)
            }
            "elif" => {
                self.inside(tag, &["if"], word)?;
                self.expression(rest)?;
                // Each one is nested in the one before.
                self.begin("elif", Vec::new(), tag)
            }
            "else" => {
                self.inside(tag, &["if", "for"], word)?;
                if let Some(open) = self.open.last_mut() {
                    open.names.clear();
                }
                Ok(())
            }
            "endif" => self.end(tag, "if"),
            "endfor" => self.end(tag, "for"),
            _ => Err(flaw(
                tag.at.clone(),
                format!("`{{% {word} %}}` is not known in templates"),
                "there are `for` and `if`; if the signs themselves are meant, write {{ '{%' }}",
            )),
        }
    }

    fn begin_for(&mut self, tag: &Tag<'a>, rest: &[Token<'a>]) -> Result<(), Flaw> {
        let help = "write {% for item in fetch.output.items %}";
        let Some(within) = rest.iter().position(|token| token.is_name("in")) else {
            return Err(flaw(tag.at.clone(), "`for` without `in`", help));
        };
        let (targets, list) = (&rest[..within], &rest[within + 1..]);
        let names: Vec<&str> =
            targets.iter().filter(|token| token.kind == Kind::Name).map(|token| token.text).collect();
        let fits = |token: &Token<'_>| token.kind == Kind::Name || token.is_sign(",");
        if names.is_empty() || list.is_empty() || !targets.iter().all(fits) {
            return Err(flaw(tag.at.clone(), "`for` needs a name and a list", help));
        }
        if let Some(last) = list.last().filter(|last| last.is_name("recursive")) {
            return Err(flaw(last.at.clone(), "loops do not call themselves", ""));
        }
        let guard = guard(list).unwrap_or(list.len());
        self.expression(&list[..guard])?;
        self.begin("for", names, tag)?;
        self.expression(&list[guard..])
    }

    fn begin(&mut self, word: &'static str, mut names: Vec<&'a str>, tag: &Tag<'a>) -> Result<(), Flaw> {
        if self.open.len() == DEPTH {
            return Err(flaw(
                tag.at.clone(),
                format!("nested deeper than {DEPTH}"),
                "split the text into several steps",
            ));
        }
        if word == "for" {
            names.push("loop");
        }
        self.open.push(Open { word, names, at: tag.at.clone() });
        Ok(())
    }

    fn inside(&self, tag: &Tag<'a>, words: &[&str], word: &str) -> Result<(), Flaw> {
        let opened = self.open.last().map(|open| if open.word == "elif" { "if" } else { open.word });
        if opened.is_some_and(|opened| words.contains(&opened)) {
            return Ok(());
        }
        Err(flaw(tag.at.clone(), format!("`{word}` without {}", words.join(" or ")), ""))
    }

    fn end(&mut self, tag: &Tag<'a>, word: &'static str) -> Result<(), Flaw> {
        self.inside(tag, &[word], &format!("end{word}"))?;
        while self.open.pop().is_some_and(|open| open.word == "elif") {}
        Ok(())
    }

    fn expression(&mut self, tokens: &[Token<'a>]) -> Result<(), Flaw> {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let before = at.checked_sub(1).map(|at| &tokens[at]);
            at += 1;
            if token.kind != Kind::Name {
                called(before, token)?;
            } else if before.is_some_and(|before| before.is_sign("|")) {
                known(token, &FILTERS, "filter")?;
            } else if asks(&tokens[..at - 1]) && token.text != "not" {
                known(token, &TESTS, "test")?;
            } else if before.is_some_and(|before| before.is_sign("."))
                || WORDS.contains(&token.text)
                || tokens.get(at).is_some_and(|next| next.is_sign("="))
            {
                // A field of what was computed, a word of the language, or the name of an argument.
            } else {
                at = self.name(tokens, at - 1)?;
            }
        }
        Ok(())
    }

    /// A name with its path; where it ends.
    fn name(&mut self, tokens: &[Token<'a>], from: usize) -> Result<usize, Flaw> {
        let first = &tokens[from];
        let (mut path, end) = path(tokens, from);
        let at = first.at.start..tokens[end - 1].at.end;
        if let Some(next) = tokens.get(end).filter(|next| next.is_sign("(")) {
            let help = "there are filters: `x | length`";
            return Err(flaw(
                at.start..next.at.end,
                format!("`{}` cannot be called", tokens[end - 1].text),
                help,
            ));
        }
        minus(tokens, end)?;
        if self.open.iter().any(|open| open.names.contains(&first.text)) {
            return Ok(end);
        }
        if matches!(first.text, "null" | "None" | "self") {
            return Err(flaw(at, format!("`{}` is not known", first.text), "write `none` for null"));
        }
        if first.text == "steps" {
            path.remove(0);
        }
        if !matches!(path.first(), Some(Part::Key(_))) {
            return Err(flaw(at, "`steps` is read by the id of a step", "write steps['fetch-mails'].output"));
        }
        self.reads.push(Read { path, at });
        Ok(end)
    }
}

/// Where the `if` of a `for` begins.
fn guard(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0_usize;
    tokens.iter().position(|token| {
        if token.is_sign("(") || token.is_sign("[") {
            depth += 1;
        } else if token.is_sign(")") || token.is_sign("]") {
            depth = depth.saturating_sub(1);
        }
        depth == 0 && token.is_name("if")
    })
}

/// Whether what follows is the name of a test: behind `is` and `is not`.
fn asks(before: &[Token<'_>]) -> bool {
    match before {
        [.., is, not] if not.is_name("not") => is.is_name("is"),
        [.., is] => is.is_name("is"),
        [] => false,
    }
}

fn known(token: &Token<'_>, names: &[&str], what: &str) -> Result<(), Flaw> {
    if names.contains(&token.text) {
        return Ok(());
    }
    let meant = like(token.text, names.iter().copied());
    let message = format!("there is no {what} `{}`{meant}", token.text);
    Err(flaw(token.at.clone(), message, &format!("there are {}", names.join(", "))))
}

/// Only filters and tests take arguments.
fn called(before: Option<&Token<'_>>, token: &Token<'_>) -> Result<(), Flaw> {
    let callee = |before: &Token<'_>| before.kind == Kind::Text || before.is_sign(")") || before.is_sign("]");
    if token.is_sign("(") && before.is_some_and(callee) {
        return Err(flaw(token.at.clone(), "nothing can be called here", "there are filters: `x | length`"));
    }
    Ok(())
}

/// Whether a minus is meant as one.
fn minus(tokens: &[Token<'_>], end: usize) -> Result<(), Flaw> {
    let [left, minus, right, ..] = &tokens[end - 1..] else { return Ok(()) };
    let close = left.at.end == minus.at.start && minus.at.end == right.at.start;
    if !minus.is_sign("-") || !close || left.kind != Kind::Name || right.kind != Kind::Name {
        return Ok(());
    }
    Err(hyphen(left.at.start..right.at.end, left.text, right.text))
}

/// The path that begins at `from`, as far as it is fixed, and the token behind it.
fn path(tokens: &[Token<'_>], from: usize) -> (Vec<Part>, usize) {
    let mut path = vec![Part::Key(tokens[from].text.to_owned())];
    let mut at = from + 1;
    loop {
        let (part, length) = match &tokens[at..] {
            [dot, name, ..] if dot.is_sign(".") => (plain(name, false), 2),
            [open, key, close, ..] if open.is_sign("[") && close.is_sign("]") => (plain(key, true), 3),
            _ => (None, 0),
        };
        let Some(part) = part else { return (path, at) };
        path.push(part);
        at += length;
    }
}

/// A key or an index that is fixed.
fn plain(token: &Token<'_>, bracketed: bool) -> Option<Part> {
    match token.kind {
        Kind::Number => token.text.parse().ok().map(Part::Index),
        Kind::Name if !bracketed => Some(Part::Key(token.text.to_owned())),
        Kind::Text if bracketed && !token.text.contains('\\') => {
            Some(Part::Key(token.text[1..token.text.len() - 1].to_owned()))
        }
        _ => None,
    }
}
