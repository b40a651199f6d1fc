//! The functions that a query may use. What SQLite does in more than linear time, or without ever looking at the
//! deadline, is done here instead.

use super::run::{Run, Serving};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Null, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Result};
use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use vextir_core::Error;

/// Nothing here reads files, changes anything, tells of the process, or makes much out of little.
pub(super) const ALLOWED: &[&str] = &[
    "->",
    "->>",
    "abs",
    "avg",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "cume_dist",
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "dense_rank",
    "first_value",
    "glob",
    "group_concat",
    "hex",
    "if",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_object",
    "json_quote",
    "json_type",
    "json_valid",
    "julianday",
    "lag",
    "last_value",
    "lead",
    "length",
    "like",
    "likely",
    "lower",
    "ltrim",
    "max",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "quote",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "time",
    "timediff",
    "total",
    "trim",
    "typeof",
    "unhex",
    "unicode",
    "unixepoch",
    "unlikely",
    "upper",
];

/// How many steps are taken between two looks at the clock.
const STRIDE: usize = 1 << 16;

/// A pattern of more bytes is read again for each row: one that is kept takes many times its bytes until the statement ends, for
/// each place in the query.
const KEPT: usize = 256;

/// Puts ours in the place of SQLite's.
pub(super) fn register(connection: &Connection, serving: &Arc<Serving>, longest: usize) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("instr", 2, flags, instr)?;
    let ours = serving.clone();
    connection.create_scalar_function("replace", 3, flags, move |call| replace(call, &ours, longest))?;
    for (name, front, back) in [("trim", true, true), ("ltrim", true, false), ("rtrim", false, true)] {
        connection.create_scalar_function(name, 2, flags, move |call| trim(call, front, back))?;
    }
    for count in [2, 3] {
        let ours = serving.clone();
        connection.create_scalar_function("like", count, flags, move |call| {
            matches(call, &ours, Style { any: '%', one: '_', folds: true })
        })?;
    }
    let ours = serving.clone();
    connection.create_scalar_function("glob", 2, flags, move |call| {
        matches(call, &ours, Style { any: '*', one: '?', folds: false })
    })
}

/// An argument as text; `None` for null.
fn text<'a>(call: &'a Context<'_>, at: usize) -> Option<Cow<'a, str>> {
    words(call.get_raw(at))
}

fn words(value: ValueRef<'_>) -> Option<Cow<'_, str>> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string().into()),
        ValueRef::Real(number) => Some(number.to_string().into()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes)),
    }
}

fn null() -> ToSqlOutput<'static> {
    ToSqlOutput::from(Null)
}

fn number(number: usize) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
}

/// The place of one text in another, from 1, in characters; 0 if it is not in it.
fn instr(call: &Context<'_>) -> Result<ToSqlOutput<'static>> {
    let (Some(text), Some(part)) = (text(call, 0), text(call, 1)) else { return Ok(null()) };
    Ok(number(text.find(&*part).map_or(0, |at| text[..at].chars().count() + 1)))
}

fn replace(call: &Context<'_>, serving: &Serving, longest: usize) -> Result<ToSqlOutput<'static>> {
    let (Some(whole), Some(part), Some(new)) = (text(call, 0), text(call, 1), text(call, 2)) else {
        return Ok(null());
    };
    if part.is_empty() {
        return Ok(ToSqlOutput::Owned(Value::Text(whole.into_owned())));
    }
    let count = whole.matches(&*part).count();
    if (whole.len() - count * part.len()).saturating_add(count.saturating_mul(new.len())) > longest {
        return Err(serving.fail(|_| super::too_big(longest)));
    }
    Ok(ToSqlOutput::Owned(Value::Text(whole.replace(&*part, &new))))
}

fn trim(call: &Context<'_>, front: bool, back: bool) -> Result<ToSqlOutput<'static>> {
    let (Some(text), Some(signs)) = (text(call, 0), text(call, 1)) else { return Ok(null()) };
    let signs: std::collections::BTreeSet<char> = signs.chars().collect();
    let mut rest = &*text;
    if front {
        rest = rest.trim_start_matches(|sign| signs.contains(&sign));
    }
    if back {
        rest = rest.trim_end_matches(|sign| signs.contains(&sign));
    }
    Ok(ToSqlOutput::Owned(Value::Text(rest.to_owned())))
}

/// What the signs of a pattern mean.
#[derive(Debug, Clone, Copy)]
struct Style {
    any: char,
    one: char,
    /// Whether upper and lower case of ASCII are the same; and if not, `[..]` is a set of signs.
    folds: bool,
}

#[derive(Debug, PartialEq)]
enum Sign {
    Any,
    One,
    This(char),
    /// One of these ranges, or none of them.
    Set(bool, Vec<(char, char)>),
}

/// `LIKE` and `GLOB`.
fn matches(call: &Context<'_>, serving: &Serving, style: Style) -> Result<ToSqlOutput<'static>> {
    let Some(subject) = text(call, 1) else { return Ok(null()) };
    let escape = match call.len() {
        3 => match text(call, 2) {
            None => return Ok(null()),
            Some(escape) => {
                let mut signs = escape.chars();
                let (Some(sign), None) = (signs.next(), signs.next()) else {
                    return Err(serving.fail(|_| Error::invalid("ESCAPE takes a single character")));
                };
                Some(sign)
            }
        },
        _ => None,
    };
    let read = |pattern: ValueRef<'_>| words(pattern).map(|pattern| read(&pattern, style, escape));
    let pattern = call.get_raw(0);
    let is_long = matches!(pattern, ValueRef::Text(bytes) | ValueRef::Blob(bytes) if bytes.len() > KEPT);
    if is_long && serving.is_over() {
        return Err(serving.fail(Run::too_long));
    }
    // A pattern that is the same for all rows is read once.
    let pattern = match escape {
        None if !is_long => {
            call.get_or_create_aux(0, |pattern: ValueRef<'_>| Ok::<_, Infallible>(read(pattern)))?
        }
        _ => Arc::new(read(pattern)),
    };
    let Some(pattern) = &*pattern else { return Ok(null()) };
    let Some(pattern) = pattern else { return Ok(number(0)) };
    match fits(pattern, &subject, style.folds, || serving.is_over()) {
        Some(fits) => Ok(number(usize::from(fits))),
        None => Err(serving.fail(Run::too_long)),
    }
}

/// The signs of a pattern; `None` for one that fits nothing.
fn read(pattern: &str, style: Style, escape: Option<char>) -> Option<Vec<Sign>> {
    let mut signs = Vec::new();
    let mut rest = pattern.chars();
    while let Some(sign) = rest.next() {
        signs.push(match sign {
            sign if Some(sign) == escape => Sign::This(rest.next()?),
            sign if sign == style.any => {
                if signs.last() == Some(&Sign::Any) {
                    continue;
                }
                Sign::Any
            }
            sign if sign == style.one => Sign::One,
            '[' if !style.folds => set(&mut rest)?,
            sign => Sign::This(if style.folds { sign.to_ascii_lowercase() } else { sign }),
        });
        if let (true, Some(Sign::This(sign))) = (style.folds, signs.last_mut()) {
            sign.make_ascii_lowercase();
        }
    }
    Some(signs)
}

fn set(rest: &mut std::str::Chars<'_>) -> Option<Sign> {
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut next = rest.next()?;
    let negated = next == '^';
    if negated {
        next = rest.next()?;
    }
    // A bracket that comes first stands for itself.
    let mut is_first = true;
    while is_first || next != ']' {
        is_first = false;
        let sign = next;
        next = rest.next()?;
        if next == '-' {
            let end = rest.next()?;
            if end == ']' {
                ranges.extend([(sign, sign), ('-', '-')]);
                next = end;
            } else {
                ranges.push((sign, end));
                next = rest.next()?;
            }
        } else {
            ranges.push((sign, sign));
        }
    }
    Some(Sign::Set(negated, ranges))
}

/// Whether a text fits a pattern: only the last `Any` is ever tried again, so that time is at most the product of
/// both lengths. `None` when it is over.
fn fits(pattern: &[Sign], subject: &str, folds: bool, is_over: impl Fn() -> bool) -> Option<bool> {
    let (mut at, mut place, mut steps) = (0, subject.chars(), 0_usize);
    let mut again: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        steps += 1;
        if steps.is_multiple_of(STRIDE) && is_over() {
            return None;
        }
        if pattern.get(at) == Some(&Sign::Any) {
            at += 1;
            if at == pattern.len() {
                return Some(true);
            }
            again = Some((at, place.clone()));
            continue;
        }
        let mut rest = place.clone();
        let next = rest.next();
        match (pattern.get(at), next) {
            (None, None) => return Some(true),
            (Some(sign), Some(found)) if is(sign, found, folds) => {
                at += 1;
                place = rest;
            }
            (_, None) => return Some(false),
            _ => {
                let Some((from, tried)) = &mut again else { return Some(false) };
                tried.next();
                at = *from;
                place = tried.clone();
            }
        }
    }
}

fn is(sign: &Sign, found: char, folds: bool) -> bool {
    match sign {
        Sign::One => true,
        Sign::Any => false,
        Sign::This(sign) => *sign == if folds { found.to_ascii_lowercase() } else { found },
        Sign::Set(negated, ranges) => {
            ranges.iter().any(|(from, to)| (*from..=*to).contains(&found)) != *negated
        }
    }
}
