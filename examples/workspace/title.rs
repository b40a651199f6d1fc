//! What a text is called: its title, its first heading, or its first line.

use crate::class::{Class, extension};

/// How much of a file is read for its class and its title.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// Longer titles are cut.
const MAX_CHARS: usize = 80;

/// The title of a text, by the beginning of its content.
pub(crate) fn title(path: &str, class: Class, head: &[u8]) -> Option<String> {
    if class != Class::Documents {
        return None;
    }
    let text = decode(head)?;
    let found = match extension(path).as_deref() {
        Some("md" | "markdown") => markdown(&text),
        Some("html" | "htm" | "xhtml") => html(&text),
        Some("org") => org(&text).or_else(|| first_line(&text)),
        Some("txt" | "text" | "rst" | "adoc") | None => first_line(&text),
        Some(_) => None,
    };
    found.and_then(|title| tidy(&title))
}

/// The beginning of what a file says, as its reader sees it, at most so many bytes; empty for what is no text.
pub(crate) fn text(path: &str, class: Class, head: &[u8], most: usize) -> String {
    let is_written = matches!(class, Class::Documents | Class::Data | Class::Code);
    let text = if is_written && !head.starts_with(b"%PDF-") { decode(head) } else { None };
    let mut text = text.unwrap_or_default();
    if let Some("html" | "htm" | "xhtml") = extension(path).as_deref() {
        // What a tag ends is no longer one word.
        text = entities(&without_tags(&text.replace('<', " <"))).trim().to_owned();
    }
    text.truncate(text.floor_char_boundary(most));
    text
}

/// Text in UTF-8 or, with a byte order mark, UTF-16; nothing that is no text.
fn decode(head: &[u8]) -> Option<String> {
    let wide = |read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = head[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        Some(String::from_utf16_lossy(&units))
    };
    match head {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ if head.contains(&0) => None,
        _ => Some(String::from_utf8_lossy(head).trim_start_matches('\u{feff}').to_owned()),
    }
}

/// On one line, without control characters, not too long; nothing without a letter or digit.
fn tidy(title: &str) -> Option<String> {
    let words: Vec<&str> = title.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if !line.contains(char::is_alphanumeric) {
        return None;
    }
    if line.chars().count() <= MAX_CHARS {
        return Some(line);
    }
    let cut: String = line.chars().take(MAX_CHARS - 1).collect();
    Some(format!("{}…", cut.trim_end()))
}

/// The first line that says something: lines of dashes and the like are decoration.
fn first_line(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.contains(char::is_alphanumeric))?;
    Some(line.trim_start_matches(['#', '=', '*', ' ', '\t']).to_owned())
}

fn org(text: &str) -> Option<String> {
    let begins = |line: &&str| line.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("#+title:"));
    text.lines().find(begins).map(|line| line[8..].to_owned())
}

fn markdown(text: &str) -> Option<String> {
    let (matter, body) = front_matter(text);
    if let Some(title) = matter.and_then(matter_title) {
        return Some(title);
    }
    let mut fenced = false;
    let mut previous: Option<&str> = None;
    let mut first: Option<&str> = None;
    for line in body.lines().map(str::trim_end) {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        if let Some(heading) = atx_heading(line) {
            return Some(plain(heading));
        }
        let is_rule = line.len() >= 2 && line.chars().all(|c| c == '=');
        if let (true, Some(heading)) = (is_rule, previous) {
            return Some(plain(heading));
        }
        previous = Some(line).filter(|line| !line.is_empty());
        let says_something = line.contains(char::is_alphanumeric) && !line.trim_start().starts_with("<!--");
        if first.is_none() && says_something && !line.trim_start().starts_with("[![") {
            first = Some(line);
        }
    }
    first.map(|line| plain(line.trim_start_matches(['>', '-', '*', '+', ' '])))
}

/// YAML between two lines of dashes, and what follows it.
fn front_matter(text: &str) -> (Option<&str>, &str) {
    let found = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---"));
    found.map_or((None, text), |(matter, body)| (Some(matter), body.trim_start_matches('-')))
}

fn matter_title(matter: &str) -> Option<String> {
    let value = matter.lines().find_map(|line| line.strip_prefix("title:"))?.trim();
    let bare = value.trim_matches(['"', '\'']);
    (!bare.is_empty()).then(|| bare.to_owned())
}

fn atx_heading(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('#')?.trim_start_matches('#');
    let heading = rest.strip_prefix([' ', '\t'])?.trim().trim_end_matches('#').trim_end();
    (!heading.is_empty()).then_some(heading)
}

/// A line without the marks of emphasis, code and links.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, link)) = rest.split_once('[') {
        out.push_str(before);
        match link.split_once("](").and_then(|(label, after)| Some((label, after.split_once(')')?.1))) {
            Some((label, after)) => {
                out.push_str(label);
                rest = after;
            }
            None => {
                out.push('[');
                rest = link;
            }
        }
    }
    out.push_str(rest);
    without_emphasis(&out.replace('`', ""))
}

/// Without the stars and underscores around words; those between spaces, and inside words, stay.
fn without_emphasis(line: &str) -> String {
    let is_mark = |c: char| c == '*' || c == '_';
    let chars: Vec<char> = line.chars().collect();
    let is_word = |index: Option<usize>| {
        index.and_then(|index| chars.get(index)).is_some_and(|c| !c.is_whitespace() && !is_mark(*c))
    };
    let mut out = String::with_capacity(line.len());
    for (index, c) in chars.iter().enumerate() {
        let before = chars[..index].iter().rposition(|c| !is_mark(*c));
        let after = chars[index..].iter().position(|c| !is_mark(*c)).map(|after| index + after);
        let around = is_word(before) != is_word(after);
        if !(is_mark(*c) && around) {
            out.push(*c);
        }
    }
    out
}

fn html(text: &str) -> Option<String> {
    element(text, "title").or_else(|| element(text, "h1"))
}

/// The text inside the first element of that name.
fn element(text: &str, name: &str) -> Option<String> {
    // ASCII lower case keeps every byte's place.
    let lower = text.to_ascii_lowercase();
    let mut from = 0;
    loop {
        let open = from + lower[from..].find(&format!("<{name}"))?;
        let inside = open + 1 + name.len();
        if lower[inside..].starts_with(['>', ' ', '\n', '\t', '\r']) {
            let begin = inside + lower[inside..].find('>')? + 1;
            let end = begin + lower[begin..].find(&format!("</{name}"))?;
            return Some(entities(&without_tags(&text[begin..end])));
        }
        from = inside;
    }
}

fn without_tags(text: &str) -> String {
    let mut inside = false;
    let keep = |c: &char| {
        match c {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                return false;
            }
            _ => {}
        }
        !inside
    };
    text.chars().filter(keep).collect()
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let found = after.split_once(';').and_then(|(name, after)| Some((entity(name)?, after)));
        if let Some((c, after)) = found {
            out.push(c);
            rest = after;
        } else {
            out.push('&');
            rest = after;
        }
    }
    out + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        "ndash" => Some('–'),
        "mdash" => Some('—'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, text: &str) -> Option<String> {
        title(path, Class::Documents, text.as_bytes())
    }

    #[test]
    fn markdown_has_a_heading_or_a_first_line() {
        for (text, expected) in [
            ("# Minutes of **Monday** #\n\nWe met.", "Minutes of Monday"),
            ("intro\n\n## The [plan](http://x/y) for `v2`\n", "The plan for v2"),
            ("Title\n=====\n\ntext", "Title"),
            ("---\ntitle: \"From the matter\"\ndate: x\n---\n# Heading", "From the matter"),
            ("---\ndate: x\n---\n# Heading", "Heading"),
            ("```\n# no heading\n```\n> quoted words\n", "quoted words"),
            ("[![badge](x)](y)\n\n- an item", "an item"),
            ("#hashtag and more", "#hashtag and more"),
            ("a [bracket and `code`", "a [bracket and code"),
            ("## Soup *without* __any__ milk, 2 * 3, snake_case", "Soup without any milk, 2 * 3, snake_case"),
        ] {
            assert_eq!(of("a.md", text).as_deref(), Some(expected), "{text:?}");
        }
        assert_eq!(of("a.md", "---\n\n***\n"), None);
    }

    #[test]
    fn text_has_a_first_line() {
        assert_eq!(of("a.txt", "\n  =====\n  Shopping  list\t\nbread").as_deref(), Some("Shopping list"));
        assert_eq!(of("README", "\u{feff}Read me").as_deref(), Some("Read me"));
        assert_eq!(of("a.org", "* first\n#+TITLE: Real title").as_deref(), Some("Real title"));
        assert_eq!(of("a.txt", ""), None);
        let long = of("a.txt", &"word ".repeat(40)).unwrap();
        assert!(long.chars().count() <= MAX_CHARS && long.ends_with("word…"), "{long}");
    }

    #[test]
    fn html_has_a_title_or_a_heading() {
        let page = "<!DOCTYPE html><HEAD><titles>no</titles><Title lang=en>\n Fish &amp; chips &#8211; <b>r\u{e9}sum\u{e9}</b></TITLE>";
        assert_eq!(of("a.html", page).as_deref(), Some("Fish & chips – résumé"));
        assert_eq!(of("a.htm", "<h1 class='x'>Hello &you;</h1>").as_deref(), Some("Hello &you;"));
        assert_eq!(of("a.html", "<title>never closed"), None);
    }

    #[test]
    fn other_encodings_and_other_classes() {
        let wide: Vec<u8> = "\u{feff}Größe\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(title("a.txt", Class::Documents, &wide).as_deref(), Some("Größe"));
        assert_eq!(
            title("a.txt", Class::Documents, b"caf\xe9 au lait").as_deref(),
            Some("caf\u{fffd} au lait")
        );
        assert_eq!(title("a.pdf", Class::Documents, b"%PDF-1.7"), None);
        assert_eq!(title("a.rs", Class::Code, b"fn main() {}"), None);
        assert_eq!(title("a", Class::Documents, b"text\0binary"), None);
    }
}
