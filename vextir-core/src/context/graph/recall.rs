//! What was recalled is marked, so that it is not taken for something that was seen.

use super::{Link, Object};
use std::borrow::Cow;
use std::fmt::Write;

/// The marks around recalled text: `<recalled>` and `</recalled>`. What stands between them is never ingested, neither
/// from an episode nor from a document; without the second one, that is all to the end.
pub const RECALLED: [&str; 2] = ["<recalled>", "</recalled>"];

/// A text without what stands in marks.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::context::graph::without_recalled;
///
/// assert_eq!(without_recalled("Seen. <recalled>[[/Old]]</recalled> New."), "Seen.  New.");
/// ```
#[must_use]
pub fn without_recalled(text: &str) -> Cow<'_, str> {
    let [begin, end] = RECALLED;
    let Some((mut kept, mut rest)) = text.split_once(begin).map(|(kept, rest)| (kept.to_owned(), rest))
    else {
        return text.into();
    };
    while let Some((_, after)) = rest.split_once(end) {
        match after.split_once(begin) {
            Some((between, more)) => {
                kept.push_str(between);
                rest = more;
            }
            None => {
                kept.push_str(after);
                break;
            }
        }
    }
    kept.into()
}

/// Links as lines of a text for a model, in marks.
pub(super) fn to_text(links: &[Link]) -> String {
    let [begin, end] = RECALLED;
    let mut text = format!("{begin}\n");
    for link in links {
        let object = match &link.object {
            Object::Entity(key) => key.to_string(),
            Object::Value(value) | Object::Property(value) => value.to_string(),
        };
        let until = link.valid_until.map(|until| format!(" to {until}")).unwrap_or_default();
        let line = format!("{} {} {object} (from {}{until})", link.subject, link.relation, link.valid_from);
        // What was seen may hold marks itself: it must not end those around it.
        let _ = writeln!(text, "{}", line.replace("recalled>", "recalled\u{203a}").replace('\n', " "));
    }
    text + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_outside_of_the_marks_is_left() {
        for (text, left) in [
            ("a", "a"),
            ("<recalled>a", ""),
            ("a<recalled>b", "a"),
            ("a<recalled>b</recalled>c<recalled>d</recalled>e", "ace"),
            ("a</recalled>b", "a</recalled>b"),
            ("<recalled><recalled>a</recalled>b", "b"),
        ] {
            assert_eq!(without_recalled(text), left, "{text}");
        }
    }
}
