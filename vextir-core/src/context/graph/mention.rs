//! What a text mentions, by its signs alone: `[[links]]`, `@names` and mail addresses.

use super::{MAX_FACTS, MAX_KEY_BYTES};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The longest `@name` or part of a mail address.
const LONGEST_NAME: usize = 64;

/// One thing that a text mentions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mention {
    /// `[[target]]`, `[[target|shown]]` or `[[target#part]]`: the target. A path, from the root if it begins with
    /// `/`, else from the folder of the document; or an entity as `kind:key`.
    Page(String),
    /// A mail address, in lower case.
    Address(String),
    /// `@name`, in lower case, without the sign.
    Name(String),
}

/// What a text mentions, each once, in the order of the text. At most [`MAX_FACTS`]; the rest is left out.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::context::graph::{Mention, mentions};
///
/// let found = mentions("[[/Plan|the plan]] by @Ann and Bob@Example.org.");
/// let expected = [Mention::Page("/Plan".into()), Mention::Name("ann".into()), Mention::Address("bob@example.org".into())];
/// assert_eq!(found, expected);
/// ```
#[must_use]
pub fn mentions(text: &str) -> Vec<Mention> {
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    let mut rest = text;
    while let Some(at) = rest.find(['@', '[']) {
        let before = last_word(&rest[..at]);
        let (mention, length) = if rest[at..].starts_with("[[") {
            page(&rest[at..])
        } else if rest[at..].starts_with('@') {
            name(before, &rest[at + 1..])
        } else {
            (None, 1)
        };
        if let Some(mention) = mention
            && known.insert(mention.clone())
        {
            found.push(mention);
            if found.len() >= MAX_FACTS {
                break;
            }
        }
        rest = &rest[at + length..];
    }
    found
}

/// The letters that stand right before a sign.
fn last_word(text: &str) -> &str {
    let start = text.char_indices().rev().take(LONGEST_NAME + 1).take_while(|(_, sign)| is_local(*sign));
    start.last().map_or("", |(at, _)| &text[at..])
}

fn is_local(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '.' | '_' | '%' | '+' | '-')
}

/// A link that begins here, and how many bytes were looked at.
fn page(text: &str) -> (Option<Mention>, usize) {
    let inner = &text[2..];
    let Some(end) = inner.find(['[', ']', '\n']).filter(|end| inner[*end..].starts_with("]]")) else {
        return (None, 1);
    };
    let target = inner[..end].split(['|', '#']).next().unwrap_or_default().trim();
    let fits = !target.is_empty() && target.len() <= MAX_KEY_BYTES && !target.contains(char::is_control);
    (fits.then(|| Mention::Page(target.to_owned())), 2 + end + 2)
}

/// A name or address around a sign `@`, and how many bytes were looked at.
fn name(local: &str, after: &str) -> (Option<Mention>, usize) {
    let is_part = |sign: &char| sign.is_alphanumeric() || matches!(sign, '.' | '_' | '-');
    let length: usize = after.chars().take_while(is_part).map(char::len_utf8).sum();
    let word = after[..length].trim_end_matches(['.', '-']);
    let looked = 1 + length;
    if word.is_empty() || word.chars().count() > LONGEST_NAME || !word.starts_with(char::is_alphanumeric) {
        return (None, looked);
    }
    let lower = word.to_lowercase();
    if local.is_empty() {
        return (Some(Mention::Name(lower)), looked);
    }
    let local = local.trim_start_matches(['.', '-', '+', '%']);
    let is_domain = lower.rsplit_once('.').is_some_and(|(_, last)| {
        last.len() >= 2 && last.chars().all(char::is_alphabetic) && !lower.contains("..")
    });
    let fits = is_domain && !local.is_empty() && local.chars().count() <= LONGEST_NAME;
    (fits.then(|| Mention::Address(format!("{}@{lower}", local.to_lowercase()))), looked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        mentions(text)
            .into_iter()
            .map(|one| match one {
                Mention::Page(target) => format!("[{target}]"),
                Mention::Address(address) => address,
                Mention::Name(name) => format!("@{name}"),
            })
            .collect()
    }

    #[test]
    fn signs_are_found_and_nothing_else() {
        assert_eq!(shown("a [[b]] c [[ d | e ]] [[f#g]] [[]] [[ ]] [[h"), ["[b]", "[d]", "[f]"]);
        assert_eq!(shown("[[a\nb]] [[[c]] [[d]e]] [x] [[b]] [[b]]"), ["[c]", "[b]"]);
        assert_eq!(shown("@ann, (@Bob) @c-d. x@y @ @@e"), ["@ann", "@bob", "@c-d", "@e"]);
        assert_eq!(shown("Mail a.b+c@Ex.Org. or <d@e.de>, f@g, h@i.1"), ["a.b+c@ex.org", "d@e.de"]);
        assert_eq!(shown("@M\u{fc}ller [[/\u{dc}ber uns]]"), ["@m\u{fc}ller", "[/\u{dc}ber uns]"]);
        assert!(shown(&"@".repeat(1_000)).is_empty() && shown(&"[".repeat(1_000)).is_empty());
    }

    #[test]
    fn a_long_hostile_text_is_read_in_one_go_and_cut() {
        let many: String = (0..2_000).map(|number| format!("@n{number} ")).collect();
        assert_eq!(mentions(&many).len(), MAX_FACTS);
        let text = "a".repeat(1 << 20) + "@" + &"b.".repeat(1 << 19);
        assert!(mentions(&text).is_empty());
        assert!(mentions(&"[[".repeat(1 << 19)).is_empty());
        assert!(mentions(&format!("[[{}]]", "x".repeat(5_000))).is_empty());
    }
}
