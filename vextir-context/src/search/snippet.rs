//! The part of a text that tells why it was found.

use super::words::{Asked, fold};
use std::collections::HashSet;
use std::ops::Range;
use unicode_normalization::char::is_combining_mark;

/// How many bytes of the text a snippet shows.
const LENGTH: usize = 240;

/// What comes before the first mark.
const BEFORE: usize = 60;

/// How many marks are looked at to find the best place.
const MARKS: usize = 2_000;

/// Stands where something was left out.
const GAP: &str = "…";

/// The best part of a text, and which bytes of it are the words.
pub(super) fn snippet(text: &str, asked: &Asked, otherwise: usize) -> (String, Vec<Range<usize>>) {
    let marks = marks(text, asked);
    let start = match best(&marks) {
        Some(first) => first.saturating_sub(BEFORE),
        None => otherwise,
    };
    let start = begin_at_word(text, text.floor_char_boundary(start.min(text.len())));
    let end = end_at_word(text, start, text.floor_char_boundary((start + LENGTH).min(text.len())));
    let mut shown = String::with_capacity(LENGTH + 2 * GAP.len());
    if !text[..start].trim().is_empty() {
        shown.push_str(GAP);
    }
    let offset = shown.len();
    shown.extend(text[start..end].chars().map(|sign| if sign.is_ascii_control() { ' ' } else { sign }));
    if !text[end..].trim().is_empty() {
        shown.push_str(GAP);
    }
    let inside = marks.into_iter().filter(|(place, _)| place.start >= start && place.end <= end);
    let marks = inside.map(|(place, _)| place.start - start + offset..place.end - start + offset).collect();
    (shown, marks)
}

/// Where the words stand, and which of them each is.
fn marks(text: &str, asked: &Asked) -> Vec<(Range<usize>, usize)> {
    let mut marks = Vec::new();
    let mut start = None;
    let ends = text.char_indices().chain([(text.len(), ' ')]);
    for (at, sign) in ends {
        if sign.is_alphanumeric() || is_combining_mark(sign) {
            start.get_or_insert(at);
        } else if let Some(start) = start.take()
            && let Some(word) = asked.is(&fold(&text[start..at]))
        {
            marks.push((start..at, word));
            if marks.len() == MARKS {
                break;
            }
        }
    }
    marks
}

/// The mark from which on a snippet has most of the words.
fn best(marks: &[(Range<usize>, usize)]) -> Option<usize> {
    let score = |from: usize| {
        let end = marks[from].0.start + LENGTH - BEFORE;
        let inside = marks[from..].iter().take_while(|(place, _)| place.end <= end);
        let words: HashSet<usize> = inside.clone().map(|(_, word)| *word).collect();
        (words.len(), inside.count())
    };
    let first = (0..marks.len()).map(|from| (score(from), std::cmp::Reverse(from))).max()?;
    Some(marks[first.1.0].0.start)
}

fn begin_at_word(text: &str, start: usize) -> usize {
    if start == 0 {
        return 0;
    }
    let near = text.floor_char_boundary((start + BEFORE / 2).min(text.len()));
    text[start..near].find(char::is_whitespace).map_or(start, |space| {
        let rest = &text[start + space..];
        start + space + (rest.len() - rest.trim_start().len())
    })
}

fn end_at_word(text: &str, start: usize, end: usize) -> usize {
    if end == text.len() {
        return end;
    }
    let near = text.floor_char_boundary(end.saturating_sub(BEFORE / 2).max(start));
    text[near..end].rfind(char::is_whitespace).map_or(end, |space| near + space)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, asked: &str) -> (String, Vec<String>) {
        let (snippet, marks) = snippet(text, &Asked::of(asked), 0);
        let marks = marks.into_iter().map(|mark| snippet[mark].to_owned()).collect();
        (snippet, marks)
    }

    #[test]
    fn the_words_are_marked_where_most_of_them_stand() {
        let text =
            format!("invoice {} the Invoices of Jüne\ncame late {}", "x ".repeat(400), "y ".repeat(400));
        let (snippet, marks) = shown(&text, "june invoice");
        assert_eq!(marks, ["Invoices", "Jüne"]);
        assert!(snippet.starts_with(GAP) && snippet.ends_with(GAP), "{snippet}");
        assert!(snippet.contains("Jüne came") && snippet.len() < LENGTH + 10);
    }

    #[test]
    fn any_text_has_a_snippet() {
        for text in
            ["", "é", &"é".repeat(1_000), &"e\u{301}".repeat(1_000), &"\u{0}".repeat(900), &" ".repeat(900)]
        {
            let (snippet, marks) = shown(text, "word");
            assert!(snippet.len() <= LENGTH + 2 * GAP.len() && marks.is_empty());
        }
        assert_eq!(shown("one two", "TWO").1, ["two"]);
        assert_eq!(shown(&"two ".repeat(10_000), "two").1.len(), LENGTH / 4);
    }
}
