//! Two changes of one state: both are kept where they do not touch; where they do, the later one.

use serde_json::{Map, Value};
use vextir_core::Content;
use vextir_core::context::{Hunk, hunks, reach};

/// What `mine` changed in `base`, put into `theirs`.
pub(super) fn content(base: &Content, mine: Content, theirs: Content) -> Content {
    match (base, mine, theirs) {
        (Content::Json(base), Content::Json(mine), Content::Json(theirs)) => {
            Content::Json(value(base, mine, theirs))
        }
        (Content::Text(base), Content::Text(mine), Content::Text(theirs)) => {
            Content::Text(text(base, &mine, &theirs))
        }
        // Where nothing was, both made it.
        (Content::Text(base), Content::Json(mine), Content::Json(theirs)) if base.is_empty() => {
            Content::Json(value(&Value::Null, mine, theirs))
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

fn text(base: &str, mine: &str, theirs: &str) -> String {
    if mine == base || mine == theirs {
        return theirs.to_owned();
    }
    if theirs == base {
        return mine.to_owned();
    }
    let lines = |text| str::split_inclusive(text, '\n').collect::<Vec<&str>>();
    let (lines, mine_lines, their_lines) = (lines(base), lines(mine), lines(theirs));
    let compare = |new: &[&str]| hunks(&lines, new, reach(lines.len() + new.len()));
    let (ours, others) = (compare(&mine_lines), compare(&their_lines));
    let touch = |one: &Hunk, other: &Hunk| {
        one.old.start < other.old.end && other.old.start < one.old.end
            || one.old.start == other.old.start && one.old.is_empty() == other.old.is_empty()
    };
    let same = |one: &Hunk, other: &Hunk| {
        one.old == other.old && mine_lines[one.new.clone()] == their_lines[other.new.clone()]
    };
    let mut all: Vec<(bool, &Hunk)> = ours.iter().map(|hunk| (true, hunk)).collect();
    all.extend(
        others
            .iter()
            .filter(|other| {
                // Two insertions at one place are both kept, unless both say the same.
                !ours.iter().any(|hunk| same(hunk, other) || !other.old.is_empty() && touch(hunk, other))
            })
            .map(|hunk| (false, hunk)),
    );
    all.sort_by_key(|(is_mine, hunk)| (hunk.old.start, !hunk.old.is_empty(), *is_mine));
    let (mut merged, mut next) = (String::with_capacity(mine.len().max(theirs.len())), 0);
    for (is_mine, hunk) in all {
        let new = if is_mine { &mine_lines } else { &their_lines };
        lines.get(next..hunk.old.start).unwrap_or_default().iter().for_each(|line| push(&mut merged, line));
        new[hunk.new.clone()].iter().for_each(|line| push(&mut merged, line));
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
