//! The signs and words of a condition, as CEL has them.

use super::super::{Flaw, flaw};
use std::ops::Range;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A name, or a word of the language.
    Name,
    /// Without its sign.
    Whole(u64),
    /// `5u`.
    Unsigned(u64),
    Float(f64),
    /// What it says, without quotes.
    Text(String),
    Sign,
}

#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// In bytes.
    pub(super) at: Range<usize>,
}

impl Token<'_> {
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Sign | Kind::Name) && self.text == text
    }
}

/// All of them. A condition is short, and so is the list.
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, Flaw> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        at += blank(&source[at..]);
        if at == source.len() {
            return Ok(found);
        }
        let token = token(source, at)?;
        at = token.at.end;
        found.push(token);
    }
}

/// The length of white space and remarks.
fn blank(rest: &str) -> usize {
    let mut left = rest;
    loop {
        left = left.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
        match left.strip_prefix("//") {
            Some(remark) => left = remark.find('\n').map_or("", |end| &remark[end..]),
            None => return rest.len() - left.len(),
        }
    }
}

fn token(source: &str, from: usize) -> Result<Token<'_>, Flaw> {
    let rest = &source[from..];
    let word = word(rest);
    let quoted = rest[word..].starts_with(['\'', '"']);
    let (kind, length) = match &rest[..word] {
        "" if quoted => text(rest, 0, false, from)?,
        "r" | "R" if quoted => text(rest, 1, true, from)?,
        "b" | "B" | "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB" if quoted => {
            return Err(flaw(from..from + word, "there are no bytes here", "write a text: 'abc'"));
        }
        _ if rest.starts_with(|sign: char| sign.is_ascii_digit()) || floats(rest) => number(rest, from)?,
        "" => (Kind::Sign, sign(rest, from)?),
        _ => (Kind::Name, word),
    };
    Ok(Token { kind, text: &rest[..length], at: from..from + length })
}

fn word(rest: &str) -> usize {
    rest.bytes().take_while(|sign| sign.is_ascii_alphanumeric() || *sign == b'_').count()
}

/// `.5` is a number.
fn floats(rest: &str) -> bool {
    rest.strip_prefix('.').is_some_and(|rest| rest.starts_with(|sign: char| sign.is_ascii_digit()))
}

fn sign(rest: &str, at: usize) -> Result<usize, Flaw> {
    const LONG: [&str; 6] = ["==", "!=", "<=", ">=", "&&", "||"];
    if LONG.iter().any(|long| rest.starts_with(long)) {
        return Ok(2);
    }
    if rest.starts_with(|sign| "+-*/%.,:?!<>()[]{}".contains(sign)) {
        return Ok(1);
    }
    let sign = rest.chars().next().unwrap_or(' ');
    let help = match sign {
        '=' => "`==` compares",
        '&' => "write `&&`",
        '|' => "write `||`",
        _ => "names have letters, digits and `_`; other keys are written as in inputs['any key']",
    };
    Err(flaw(at..at + sign.len_utf8(), format!("`{sign}` has no meaning here"), help))
}

fn number(rest: &str, at: usize) -> Result<(Kind, usize), Flaw> {
    if let Some(digits) = rest.strip_prefix("0x") {
        let length = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
        return whole(rest, 2 + length, u64::from_str_radix(&digits[..length], 16).ok(), at);
    }
    let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    let before = end;
    if floats(&rest[end..]) {
        end += 1 + digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let signed = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + signed);
        end += if exponent > 0 { 1 + signed + exponent } else { 0 };
    }
    if end == before {
        return whole(rest, end, rest[..end].parse().ok(), at);
    }
    match rest[..end].parse::<f64>() {
        Ok(number) if number.is_finite() && word(&rest[end..]) == 0 => Ok((Kind::Float(number), end)),
        _ => Err(no_number(rest, end, at)),
    }
}

fn whole(rest: &str, end: usize, number: Option<u64>, at: usize) -> Result<(Kind, usize), Flaw> {
    let unsigned = usize::from(rest[end..].starts_with(['u', 'U']));
    match number {
        Some(number) if word(&rest[end + unsigned..]) == 0 => {
            Ok((if unsigned == 1 { Kind::Unsigned(number) } else { Kind::Whole(number) }, end + unsigned))
        }
        _ => Err(no_number(rest, end, at)),
    }
}

fn no_number(rest: &str, end: usize, at: usize) -> Flaw {
    let end = end + word(&rest[end..]);
    flaw(at..at + end, format!("`{}` is no number, or too large", &rest[..end]), "")
}

/// A text in quotes; three quotes go over several lines, and `r` before them takes it as it is written.
fn text(rest: &str, prefix: usize, raw: bool, at: usize) -> Result<(Kind, usize), Flaw> {
    let open = &rest[prefix..];
    let single = &open[..1];
    let quote = if open.starts_with(&single.repeat(3)) { 3 } else { 1 };
    let close = &open[..quote];
    let mut text = String::new();
    let mut from = prefix + quote;
    loop {
        let left = &rest[from..];
        if left.starts_with(close) {
            return Ok((Kind::Text(text), from + quote));
        }
        let Some(sign) = left.chars().next().filter(|sign| quote == 3 || !matches!(sign, '\n' | '\r')) else {
            return Err(flaw(at..at + prefix + quote, "the text in quotes is not closed", ""));
        };
        let length = if sign == '\\' && !raw {
            let (meant, length) = escaped(left).ok_or_else(|| {
                let end = left.chars().take(2).map(char::len_utf8).sum::<usize>();
                let help = "write `\\\\` for a backslash, or r'..' for a text as it is";
                flaw(at + from..at + from + end, format!("`{}` has no meaning in a text", &left[..end]), help)
            })?;
            text.push(meant);
            length
        } else {
            text.push(sign);
            sign.len_utf8()
        };
        from += length;
    }
}

/// What a backslash and what follows it mean, and how long that is.
fn escaped(left: &str) -> Option<(char, usize)> {
    let code = |digits: usize| {
        let digits =
            left.get(2..2 + digits).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, 2 + digits.len()))
    };
    let sign = match left.chars().nth(1)? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'v' => '\u{b}',
        same @ ('\\' | '?' | '\'' | '"' | '`') => same,
        'x' | 'X' => return code(2),
        'u' => return code(4),
        'U' => return code(8),
        _ => return None,
    };
    Some((sign, 2))
}
