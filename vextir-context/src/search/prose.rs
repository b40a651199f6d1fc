//! What of a document is searched: its title, its metadata and its text, in parts.

use serde_json::Value;
use std::borrow::Cow;

/// A part of the full text is between this ..
const BLOCK: usize = 64 << 10;

/// .. and this many bytes long. The longest document has fewer parts than row numbers provide.
const LONGEST_BLOCK: usize = 72 << 10;

/// What is embedded at once is up to so many bytes long.
const PIECE: usize = 1_200;

/// So much of a piece stands in the next one too.
const OVERLAP: usize = 160;

/// How much of a document is embedded, in pieces.
const PIECES: usize = super::ids::PARTS;

/// A title is cut here.
const TITLE: usize = 200;

/// The words of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prose<'a> {
    /// From the metadata or the content; `None` where only the path names it.
    pub(super) title: Option<String>,
    /// The values of the metadata.
    pub(super) about: String,
    /// The text; of JSON, its keys and values.
    pub(super) body: Cow<'a, str>,
}

impl<'a> Prose<'a> {
    /// From what is stored of a document.
    pub(super) fn of(is_json: bool, content: &'a str, metadata: Option<&str>) -> Self {
        let metadata: Option<Value> = metadata.and_then(|text| serde_json::from_str(text).ok());
        let mut about = String::new();
        if let Some(Value::Object(members)) = &metadata {
            members.values().for_each(|value| flatten(value, &mut about));
        }
        let named = metadata.as_ref().and_then(titled);
        let parsed: Option<Value> = if is_json { serde_json::from_str(content).ok() } else { None };
        let Some(value) = parsed else {
            let title = named.or_else(|| if is_json { None } else { heading(content) });
            return Self { title, about, body: content.into() };
        };
        let mut body = String::new();
        flatten(&value, &mut body);
        Self { title: named.or_else(|| titled(&value)), about, body: body.into() }
    }

    /// The text in parts for the full-text index; at least one.
    pub(super) fn blocks(&self) -> Vec<&str> {
        let mut rest = &*self.body;
        let mut blocks = Vec::new();
        while rest.len() > LONGEST_BLOCK {
            let (block, next) = rest.split_at(cut(rest, BLOCK, LONGEST_BLOCK));
            blocks.push(block);
            rest = next;
        }
        blocks.push(rest);
        blocks
    }

    /// Where the pieces that are embedded stand in the text. A document without text has one, for its title.
    pub(super) fn pieces(&self) -> Vec<std::ops::Range<usize>> {
        let text = &*self.body;
        let mut pieces = Vec::new();
        let mut start = 0;
        loop {
            let rest = &text[start..];
            let end = start + if rest.len() > PIECE { cut(rest, PIECE / 2, PIECE) } else { rest.len() };
            pieces.push(start..end);
            if end == text.len() || pieces.len() == PIECES {
                return pieces;
            }
            start += cut(&text[start..end], 1, end - start - OVERLAP.min(end - start - 1));
        }
    }
}

/// The end of what is at most `most` bytes: after a space in `least..=most`, if there is one there. Never 0.
fn cut(text: &str, least: usize, most: usize) -> usize {
    let most = text.floor_char_boundary(most);
    if most == 0 {
        return text.ceil_char_boundary(1);
    }
    let least = text.floor_char_boundary(least).min(most);
    match text[least..most].rfind(char::is_whitespace) {
        Some(space) if least + space > 0 => text.ceil_char_boundary(least + space + 1),
        _ => most,
    }
}

/// Keys and values, a line for each.
fn flatten(value: &Value, into: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(on) => line(into, if *on { "true" } else { "false" }),
        Value::Number(number) => line(into, &number.to_string()),
        Value::String(text) => line(into, text),
        Value::Array(items) => items.iter().for_each(|item| flatten(item, into)),
        Value::Object(members) => {
            for (key, value) in members {
                into.push_str(key);
                into.push_str(": ");
                if value.is_object() || value.is_array() || value.is_null() {
                    into.push('\n');
                }
                flatten(value, into);
            }
        }
    }
}

fn line(into: &mut String, text: &str) {
    into.push_str(text);
    into.push('\n');
}

fn titled(value: &Value) -> Option<String> {
    ["title", "subject", "name"].iter().find_map(|key| shorten(value.get(key)?.as_str()?))
}

/// The first heading of a text that begins with one.
fn heading(text: &str) -> Option<String> {
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    shorten(first.trim().strip_prefix('#')?.trim_start_matches('#'))
}

fn shorten(title: &str) -> Option<String> {
    let title = title.trim();
    let title = &title[..title.floor_char_boundary(TITLE)];
    (!title.is_empty()).then(|| title.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &str) -> Prose<'_> {
        Prose::of(false, content, None)
    }

    #[test]
    fn json_is_read_as_keys_and_values_and_not_with_its_escapes() {
        let content = r#"{"items":[{"note":"first\nsecond","sum":12.5}],"open":true,"subject":"Äpfel"}"#;
        let prose = Prose::of(true, content, Some(r#"{"from":"ann@example.org","tags":["paid"]}"#));
        assert_eq!(prose.body, "items: \nnote: first\nsecond\nsum: 12.5\nopen: true\nsubject: Äpfel\n");
        assert_eq!(prose.title.as_deref(), Some("Äpfel"));
        assert_eq!(prose.about, "ann@example.org\npaid\n");
        assert_eq!(Prose::of(true, "not json", None).body, "not json");
    }

    #[test]
    fn a_title_comes_from_the_metadata_or_the_first_heading() {
        assert_eq!(text("\n## Plan \nrest").title.as_deref(), Some("Plan"));
        assert_eq!(text("Plan").title, None);
        assert_eq!(text("#").title, None);
        let named = Prose::of(false, "# Other", Some(r#"{"title":" Real "}"#));
        assert_eq!(named.title.as_deref(), Some("Real"));
    }

    #[test]
    fn blocks_and_pieces_cover_a_text_of_any_form() {
        for content in ["", "x", &"word ".repeat(60_000), &"é".repeat(200_000), &" ".repeat(100_000)] {
            let prose = text(content);
            let blocks = prose.blocks();
            assert_eq!(blocks.concat(), content);
            assert!(blocks.iter().all(|block| block.len() <= LONGEST_BLOCK));
            let pieces = prose.pieces();
            assert!(pieces.len() <= PIECES && pieces[0].start == 0);
            assert!(pieces.len() == PIECES || pieces[pieces.len() - 1].end == content.len());
            for pair in pieces.windows(2) {
                assert!(pair[1].start > pair[0].start && pair[1].start <= pair[0].end, "{pair:?}");
                assert!(pair[0].len() <= PIECE && content.is_char_boundary(pair[1].start));
            }
        }
        let longest = "é".repeat(8 << 20);
        assert!(text(&longest).blocks().len() <= super::super::ids::PARTS);
    }
}
