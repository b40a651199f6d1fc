//! A text cut into what stands outside of tags and the tokens inside.

use super::super::{Flaw, flaw};
use std::ops::Range;

/// The most tags of one text.
const TAGS: usize = 1_000;
/// The most tokens of one tag: what is nested or chained is less than that.
const TOKENS: usize = 256;

/// `{{ .. }}` or `{% .. %}`.
#[derive(Debug, Clone)]
pub(super) struct Tag<'a> {
    /// `{% .. %}`.
    pub(super) block: bool,
    /// Where it stands, braces included.
    pub(super) at: Range<usize>,
    pub(super) tokens: Vec<Token<'a>>,
}

#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) at: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    /// A text with its quotes.
    Text,
    Sign,
}

impl Token<'_> {
    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        self.kind == Kind::Name && self.text == name
    }
}

/// Whether anything is filled in at all.
pub(super) fn has_tags(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// All tags of a text.
pub(super) fn tags(text: &str) -> Result<Vec<Tag<'_>>, Flaw> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = next_open(text, from)? {
        if found.len() == TAGS {
            return Err(flaw(open..open + 2, format!("more than {TAGS} tags in one text"), "split the text"));
        }
        let tag = tag(text, open)?;
        from = tag.at.end;
        found.push(tag);
    }
    Ok(found)
}

fn next_open(text: &str, from: usize) -> Result<Option<usize>, Flaw> {
    let bytes = text.as_bytes();
    for at in from..bytes.len().saturating_sub(1) {
        match &bytes[at..at + 2] {
            b"{{" | b"{%" => return Ok(Some(at)),
            b"{#" => {
                let help = "write {{ '{#' }} for the two signs";
                return Err(flaw(at..at + 2, "`{#` would begin a comment, and there are none", help));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn tag(text: &str, open: usize) -> Result<Tag<'_>, Flaw> {
    let block = text.as_bytes()[open + 1] == b'%';
    let close = if block { "%}" } else { "}}" };
    // `{{-` takes the white space before it away, `-}}` that behind it.
    let mut at = open + 2 + usize::from(text[open + 2..].starts_with(['-', '+']));
    let mut tokens = Vec::new();
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = &text[at..];
        let marked = usize::from(rest.starts_with(['-', '+']) && rest[1..].starts_with(close));
        if rest[marked..].starts_with(close) {
            return Ok(Tag { block, at: open..at + marked + close.len(), tokens });
        }
        if rest.is_empty() {
            let opened = &text[open..open + 2];
            let help = format!(
                "end it with `{close}`; if the signs themselves are meant, write {{{{ '{opened}' }}}}"
            );
            return Err(flaw(open..open + 2, format!("`{opened}` is not closed"), &help));
        }
        if tokens.len() == TOKENS {
            return Err(flaw(open..at, format!("more than {TOKENS} signs and names in one tag"), "split it"));
        }
        let token = token(text, at)?;
        at = token.at.end;
        tokens.push(token);
    }
}

fn token(text: &str, from: usize) -> Result<Token<'_>, Flaw> {
    let rest = &text[from..];
    let (kind, length) = match rest.as_bytes()[0] {
        b'_' | b'a'..=b'z' | b'A'..=b'Z' => (Kind::Name, word(rest)),
        b'0'..=b'9' => (Kind::Number, number(rest, text[..from].ends_with('.'))),
        quote @ (b'\'' | b'"') => (Kind::Text, quoted(rest, quote).ok_or_else(|| unquoted(from))?),
        _ => (Kind::Sign, sign(rest).ok_or_else(|| strange(rest, from))?),
    };
    Ok(Token { kind, text: &rest[..length], at: from..from + length })
}

fn word(rest: &str) -> usize {
    rest.bytes().take_while(|sign| sign.is_ascii_alphanumeric() || *sign == b'_').count()
}

/// A number; behind a dot it is an index, and ends before the next dot.
fn number(rest: &str, index: bool) -> usize {
    let whole = word(rest);
    let fraction = rest[whole..].strip_prefix('.').map_or(0, word);
    if index || fraction == 0 || !rest.as_bytes()[whole + 1].is_ascii_digit() {
        whole
    } else {
        whole + 1 + fraction
    }
}

fn quoted(rest: &str, quote: u8) -> Option<usize> {
    let mut escaped = false;
    for (at, sign) in rest.bytes().enumerate().skip(1) {
        match sign {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if sign == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn unquoted(at: usize) -> Flaw {
    flaw(at..at + 1, "the text in quotes is not closed", "")
}

fn sign(rest: &str) -> Option<usize> {
    const LONG: [&str; 6] = ["==", "!=", "<=", ">=", "//", "**"];
    const SHORT: &str = "+-*/%.,:|=<>()[]";
    if LONG.iter().any(|long| rest.starts_with(long)) {
        return Some(2);
    }
    rest.starts_with(|sign| SHORT.contains(sign)).then_some(1)
}

fn strange(rest: &str, at: usize) -> Flaw {
    let sign = rest.chars().next().unwrap_or(' ');
    let help = match sign {
        '&' => "write `and`",
        '!' => "write `not`",
        '~' => "write the parts one after another: {{ a }}{{ b }}",
        '{' | '}' => "objects are written around templates, not inside them",
        _ => "names have letters, digits and `_`; other keys are written as in inputs['any key']",
    };
    flaw(at..at + sign.len_utf8(), format!("`{sign}` has no meaning here"), help)
}
