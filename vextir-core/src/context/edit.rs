//! Edits by line and JSON patches: pure functions from old content to new.

use super::diff::{Hunk, hunks, reach};
use crate::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt::Write;

/// How many lines around the place an error shows.
const AROUND: usize = 5;

/// One edit of a text: the lines that begin at `first` read `old`, and shall read `new`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineEdit {
    /// The number of the first line, from 1. One past the end adds at the end.
    pub first: usize,
    /// What these lines read now, without the last line break; empty to insert before `first`.
    pub old: String,
    /// What they shall read; empty to remove them.
    pub new: String,
}

impl LineEdit {
    /// The lines from `first` on that read `old` shall read `new`.
    #[must_use]
    pub fn new(first: usize, old: impl Into<String>, new: impl Into<String>) -> Self {
        Self { first, old: old.into(), new: new.into() }
    }
}

/// Applies edits whose numbers all count in `text` as it is. New lines end as the line does that they replace, or as the
/// text's first one; all others stay as they are. An edit that does not fit is refused with the current lines around it.
///
/// # Errors
/// `Conflict`: the lines read something else, or two edits touch the same lines.
pub fn edit_lines(text: &str, edits: &[LineEdit]) -> Result<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let end = lines.first().map_or("\n", |line| break_of(line));
    let mut ordered: Vec<&LineEdit> = edits.iter().collect();
    ordered.sort_by_key(|edit| edit.first);
    let mut edited = String::with_capacity(text.len());
    let mut next = 0;
    for edit in ordered {
        let old: Vec<&str> = edit.old.lines().collect();
        let start = edit.first.wrapping_sub(1);
        let there = lines.get(start..).and_then(|rest| rest.get(..old.len()));
        let fits = edit.first > 0
            && there.is_some_and(|there| there.iter().zip(&old).all(|(line, old)| read(line) == *old));
        if !fits || start < next {
            return Err(does_not_fit(text, edit, lines.len()));
        }
        lines[next..start].iter().for_each(|line| push(&mut edited, line, end));
        let end = lines.get(start).filter(|_| !old.is_empty()).map_or(end, |line| break_of(line));
        for line in edit.new.lines() {
            push(&mut edited, line, end);
            edited.push_str(end);
        }
        next = start + old.len();
    }
    lines[next..].iter().for_each(|line| push(&mut edited, line, end));
    if !text.ends_with('\n') {
        // The last line had no break, and has none now.
        let kept = read(&edited).len();
        edited.truncate(kept);
    }
    Ok(edited)
}

/// A line without its break.
fn read(line: &str) -> &str {
    line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line))
}

fn break_of(line: &str) -> &'static str {
    if line.ends_with("\r\n") { "\r\n" } else { "\n" }
}

/// Adds a line; one before it that has no break gets one.
fn push(text: &mut String, line: &str, end: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str(end);
    }
    text.push_str(line);
}

fn does_not_fit(text: &str, edit: &LineEdit, count: usize) -> Error {
    let from = edit.first.saturating_sub(AROUND).clamp(1, count.max(1));
    let shown = numbered(text, from, 2 * AROUND + edit.old.lines().count().min(50));
    let message = format!(
        "the edit of line {} does not fit; the document has {count} lines, and there it reads:\n{shown}",
        edit.first
    );
    Error::new(ErrorKind::Conflict, message)
}

/// Lines with their numbers, `most` of them from line `first` on.
pub(super) fn numbered(text: &str, first: usize, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(1 << 16));
    for (number, line) in text.lines().enumerate().skip(first.saturating_sub(1)).take(most) {
        // Writing into a string does not fail.
        let _ = writeln!(shown, "{}: {line}", number + 1);
    }
    shown
}

/// The lines of two texts, each with `-`, `+` or a space before it.
pub(super) fn compare(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let (mut shown, mut next) = (String::new(), 0);
    let mut show = |sign: char, lines: &[&str]| {
        for line in lines {
            // Writing into a string does not fail.
            let _ = writeln!(shown, "{sign}{line}");
        }
    };
    for Hunk { old: gone, new: come } in hunks(&old, &new, reach(old.len() + new.len())) {
        show(' ', &old[next..gone.start]);
        show('-', &old[gone.clone()]);
        show('+', &new[come]);
        next = gone.end;
    }
    show(' ', &old[next..]);
    shown
}

/// Merges a patch into a value as RFC 7396 says.
pub fn patch_json(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            patch_json(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_are_replaced_inserted_and_removed_by_their_old_numbers() {
        let edits = [
            LineEdit::new(4, "four", "4a\n4b"),
            LineEdit::new(1, "", "zero"),
            LineEdit::new(2, "two\nthree", ""),
        ];
        assert_eq!(edit_lines("one\ntwo\nthree\nfour\n", &edits).unwrap(), "zero\none\n4a\n4b\n");
        assert_eq!(edit_lines("a", &[LineEdit::new(2, "", "b")]).unwrap(), "a\nb");
        assert_eq!(edit_lines("", &[LineEdit::new(1, "", "b")]).unwrap(), "b");
    }

    #[test]
    fn lines_keep_their_breaks_and_new_ones_take_those_of_the_text() {
        let edit = |text, edit| edit_lines(text, &[edit]).unwrap();
        assert_eq!(edit("a\r\nb\nc", LineEdit::new(2, "b", "x\ny")), "a\r\nx\ny\nc");
        assert_eq!(edit("a\r\nb", LineEdit::new(3, "", "c")), "a\r\nb\r\nc");
        assert_eq!(edit("a\nb", LineEdit::new(2, "b", "")), "a");
        assert_eq!(edit("a\n", LineEdit::new(1, "a", "")), "");
        assert_eq!(edit("\n\na", LineEdit::new(3, "a", "b")), "\n\nb");
    }

    #[test]
    fn an_edit_that_does_not_fit_shows_the_lines() {
        let text = (1..=40).map(|n| format!("line {n}\n")).collect::<String>();
        let error = edit_lines(&text, &[LineEdit::new(20, "line 19", "x")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("20: line 20"), "{error}");
        assert!(!error.to_string().contains("line 40"), "{error}");
        for edit in
            [LineEdit::new(0, "", "x"), LineEdit::new(42, "", "x"), LineEdit::new(usize::MAX, "a", "")]
        {
            assert!(edit_lines(&text, &[edit]).is_err());
        }
        let twice = [LineEdit::new(3, "line 3\nline 4", "x"), LineEdit::new(4, "line 4", "y")];
        assert!(edit_lines(&text, &twice).is_err(), "one line is edited once");
    }

    #[test]
    fn a_comparison_shows_what_went_and_came() {
        assert_eq!(compare("a\nb\nc\nd", "a\nc\nx\nd"), " a\n-b\n c\n+x\n d\n");
        assert_eq!(compare("", "a"), "+a\n");
        assert_eq!(compare("a", ""), "-a\n");
        assert_eq!(compare("a\na", "a"), " a\n-a\n");
    }

    #[test]
    fn a_patch_merges_objects_and_replaces_the_rest() {
        let mut value = json!({"a": {"b": 1, "c": 2}, "d": [1, 2]});
        patch_json(&mut value, &json!({"a": {"b": null, "e": {"f": null, "g": 3}}, "d": [3]}));
        assert_eq!(value, json!({"a": {"c": 2, "e": {"g": 3}}, "d": [3]}));
        patch_json(&mut value, &json!("text"));
        assert_eq!(value, json!("text"));
    }
}
