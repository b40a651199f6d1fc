//! Two changes of one state: both are kept where they do not touch; where they do, the later one.

use serde_json::{Map, Value};
use std::ops::Range;
use vextir_core::Content;

/// Lines of one side times lines of the other, beyond which a difference is one piece.
const CELLS: usize = 1_000_000;

/// What `mine` changed in `base`, put into `theirs`.
pub(super) fn content(base: &Content, mine: Content, theirs: Content) -> Content {
    match (base, mine, theirs) {
        (Content::Json(base), Content::Json(mine), Content::Json(theirs)) => {
            Content::Json(value(base, mine, theirs))
        }
        (Content::Text(base), Content::Text(mine), Content::Text(theirs)) => {
            Content::Text(text(base, &mine, &theirs))
        }
        (base, mine, theirs) => {
            if mine == *base {
                theirs
            } else {
                mine
            }
        }
    }
}

/// JSON, leaf by leaf: objects are merged key by key, everything else is one leaf.
pub(super) fn value(base: &Value, mine: Value, theirs: Value) -> Value {
    if mine == *base {
        return theirs;
    }
    if theirs == *base {
        return mine;
    }
    match (mine, theirs) {
        (Value::Object(mine), Value::Object(theirs)) => {
            let none = Map::new();
            Value::Object(object(base.as_object().unwrap_or(&none), mine, theirs))
        }
        (mine, _) => mine,
    }
}

fn object(
    base: &Map<String, Value>,
    mut mine: Map<String, Value>,
    theirs: Map<String, Value>,
) -> Map<String, Value> {
    let mut merged = Map::new();
    for (key, theirs) in theirs {
        match (base.get(&key), mine.remove(&key)) {
            // It is new on both sides: their nested keys and mine belong together.
            (None, Some(mine)) => drop(merged.insert(key, value(&Value::Null, mine, theirs))),
            (None, None) => drop(merged.insert(key, theirs)),
            (Some(base), Some(mine)) => drop(merged.insert(key, value(base, mine, theirs))),
            // I removed it: what they changed in it stays.
            (Some(base), None) if *base != theirs => drop(merged.insert(key, theirs)),
            (Some(_), None) => {}
        }
    }
    // What they removed stays removed, unless I changed it.
    merged.extend(mine.into_iter().filter(|(key, mine)| base.get(key) != Some(mine)));
    merged
}

/// Lines that were replaced.
struct Hunk<'a> {
    old: Range<usize>,
    new: Vec<&'a str>,
}

fn text(base: &str, mine: &str, theirs: &str) -> String {
    if mine == base || mine == theirs {
        return theirs.to_owned();
    }
    if theirs == base {
        return mine.to_owned();
    }
    let lines: Vec<&str> = base.split_inclusive('\n').collect();
    let (ours, others) = (hunks(&lines, mine), hunks(&lines, theirs));
    let touch = |one: &Hunk<'_>, other: &Hunk<'_>| {
        one.old.start < other.old.end && other.old.start < one.old.end
            || one.old.start == other.old.start && one.old.is_empty() == other.old.is_empty()
    };
    let mut all: Vec<(bool, &Hunk<'_>)> = ours.iter().map(|hunk| (true, hunk)).collect();
    all.extend(
        others
            .iter()
            .filter(|other| {
                // Two insertions at one place are both kept.
                other.old.is_empty() || !ours.iter().any(|hunk| touch(hunk, other))
            })
            .map(|hunk| (false, hunk)),
    );
    all.sort_by_key(|(is_mine, hunk)| (hunk.old.start, !hunk.old.is_empty(), *is_mine));
    let (mut merged, mut next) = (String::with_capacity(mine.len().max(theirs.len())), 0);
    for (_, hunk) in all {
        lines.get(next..hunk.old.start).unwrap_or_default().iter().for_each(|line| push(&mut merged, line));
        hunk.new.iter().for_each(|line| push(&mut merged, line));
        next = next.max(hunk.old.end);
    }
    lines.get(next..).unwrap_or_default().iter().for_each(|line| push(&mut merged, line));
    merged
}

/// A last line without its break gets one when something comes behind it.
fn push(text: &mut String, line: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
}

/// What was replaced in `base`, in order.
fn hunks<'a>(base: &[&str], new: &'a str) -> Vec<Hunk<'a>> {
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let head = base.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let tail =
        base[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(old, new)| old == new).count();
    let (old_part, new_part) = (&base[head..base.len() - tail], &new[head..new.len() - tail]);
    let mut hunks = Vec::new();
    let (mut old_from, mut new_from) = (0, 0);
    let ends = std::iter::once((old_part.len(), new_part.len()));
    for (old_at, new_at) in matches(old_part, new_part).into_iter().chain(ends) {
        if old_at > old_from || new_at > new_from {
            let old = head + old_from..head + old_at;
            hunks.push(Hunk { old, new: new_part[new_from..new_at].to_vec() });
        }
        (old_from, new_from) = (old_at + 1, new_at + 1);
    }
    hunks
}

/// The places of the longest common lines.
fn matches(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let columns = new.len() + 1;
    if old.len().saturating_mul(new.len()) > CELLS {
        return Vec::new();
    }
    let mut longest = vec![0u32; (old.len() + 1) * columns];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * columns + j] = if old[i] == new[j] {
                longest[(i + 1) * columns + j + 1] + 1
            } else {
                longest[(i + 1) * columns + j].max(longest[i * columns + j + 1])
            };
        }
    }
    let (mut i, mut j, mut found) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            found.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * columns + j] >= longest[i * columns + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn leaves_that_do_not_touch_are_both_kept() {
        let base = json!({"a": 1, "b": {"c": 2, "d": 3}, "gone": 0, "kept": 0});
        let mine = json!({"a": 9, "b": {"c": 2, "d": 4}, "kept": 0, "new": {"x": 1}});
        let theirs = json!({"a": 1, "b": {"c": 7, "d": 3}, "gone": 0, "new": {"y": 2}});
        let merged = json!({"a": 9, "b": {"c": 7, "d": 4}, "new": {"x": 1, "y": 2}});
        assert_eq!(value(&base, mine, theirs), merged);
        assert_eq!(value(&json!(1), json!(2), json!(3)), json!(2), "the later one");
        assert_eq!(value(&json!([1]), json!([1]), json!([2])), json!([2]));
    }

    #[test]
    fn lines_that_do_not_touch_are_both_kept() {
        let base = "one\ntwo\nthree\nfour\n";
        assert_eq!(
            text(base, "ONE\ntwo\nthree\nfour\n", "one\ntwo\nthree\nFOUR\n"),
            "ONE\ntwo\nthree\nFOUR\n"
        );
        assert_eq!(
            text(base, "one\ntwo\nthree\nfour\nmine\n", &format!("{base}theirs\n")),
            format!("{base}theirs\nmine\n")
        );
        assert_eq!(text(base, "one\nTWO\nthree\nfour\n", "one\n2\nthree\n4\n"), "one\nTWO\nthree\n4\n");
        assert_eq!(text("a", "a\nb", "a\nc"), "a\nb");
        assert_eq!(text("", "mine", "theirs"), "theirs\nmine");
    }
}
