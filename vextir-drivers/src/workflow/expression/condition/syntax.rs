//! The text of a condition becomes CEL's tree, and that one ours.
//!
//! CEL's parser goes as deep as the text says. So it runs on a thread with a large stack, the text is short, and only
//! a tree of bounded depth leaves that thread.

use super::super::Flaw;
use super::lower::lower;
use super::tree::Node;
use cel::{Env, ParseErrors};
use std::ops::Range;

/// The longest condition, in bytes.
pub(super) const SOURCE: usize = 1024;
/// The stack of the thread that parses; only what is used of it takes memory.
const STACK: usize = 64 * 1024 * 1024;

/// Reads a condition.
pub(super) fn read(source: &str) -> Result<Node, Flaw> {
    if source.trim().is_empty() {
        return Err(flaw(
            0..source.len(),
            "the condition is empty",
            "write what has to hold, such as trigger.data.count > 0",
        ));
    }
    if source.len() > SOURCE {
        let message = format!("a condition has at most {SOURCE} bytes, and this one {}", source.len());
        return Err(flaw(0..source.len(), message, "compute a part of it in a step of its own"));
    }
    if source.trim_start().starts_with("{{") {
        return Err(flaw(
            0..source.len(),
            "a condition has no braces around it",
            "write trigger.data.count > 0",
        ));
    }
    let text = source.to_owned();
    let thread = std::thread::Builder::new().name("condition".to_owned()).stack_size(STACK);
    let parsed = thread.spawn(move || parse(&text)).map(std::thread::JoinHandle::join);
    match parsed {
        Ok(Ok(parsed)) => parsed,
        Ok(Err(_)) => Err(flaw(0..source.len(), "it cannot be read", "")),
        Err(error) => {
            Err(flaw(0..source.len(), format!("there is no thread to read it on: {error}"), "load it again"))
        }
    }
}

fn parse(source: &str) -> Result<Node, Flaw> {
    // Without macros `has(x.y)` and `x.all(y, ..)` stay calls, which are easier to tell.
    let parser = Env::default().with_optional_support(false).parser();
    let (tree, places) = parser.parse_with_source_info(source).map_err(|errors| refused(source, &errors))?;
    lower(source, &tree, &places)
}

/// A flaw of a condition.
pub(super) fn flaw(at: Range<usize>, message: impl Into<String>, help: &str) -> Flaw {
    let help = (!help.is_empty()).then(|| help.to_owned());
    Flaw { within: Vec::new(), at, message: message.into(), help }
}

/// The first thing that is wrong, in our words: the parser's list all tokens of its grammar.
fn refused(source: &str, errors: &ParseErrors) -> Flaw {
    let Some(first) = errors.errors.first() else {
        return flaw(0..source.len(), "it cannot be read", "");
    };
    let at = offset(source, first.pos);
    let rest = &source[at..];
    if rest.trim().is_empty() {
        return flaw(source.trim_end().len()..source.len(), "something is missing at the end", "");
    }
    let word =
        rest.len() - rest.trim_start_matches(|sign: char| sign.is_ascii_alphanumeric() || sign == '_').len();
    let length = if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) };
    let found = &rest[..length];
    let message = match first.msg.strip_prefix("reserved identifier: ") {
        Some(_) => format!("`{found}` cannot be a name"),
        None => format!("`{found}` is not expected here"),
    };
    flaw(at..at + length, message, meant(&source[..at], found))
}

/// What people write who know another language.
fn meant(before: &str, found: &str) -> &'static str {
    let before = before.trim_end();
    match found {
        "and" => "write `&&`",
        "or" => "write `||`",
        "=" if before.ends_with('=') => "write `==`",
        "=" => "`==` compares",
        "?" => "optional fields are asked for with has(x.y)",
        _ if before == "not" || before.ends_with(" not") => "write `!`",
        _ => "",
    }
}

/// The byte at a line and column, both from 1 and in characters.
fn offset(source: &str, (line, column): (isize, isize)) -> usize {
    let count = |number: isize| usize::try_from(number - 1).unwrap_or(0);
    let start: usize = source.split_inclusive('\n').take(count(line)).map(str::len).sum();
    let rest = &source[start..];
    start + rest.char_indices().nth(count(column)).map_or(rest.len(), |(at, _)| at)
}
