//! How steps, inputs and elements may be called.

use crate::workflow::expression::is_name;
use std::borrow::Cow;

/// What stands beside the steps in templates and conditions.
pub(super) const BESIDE: [&str; 5] = ["inputs", "trigger", "event", "item", "index"];

/// Why this cannot be the name of a step, an input or an element; `None` if it can. Some can have a `-` in it.
pub(super) fn refuse(name: &str, dash: bool, taken: &[&str]) -> Option<Cow<'static, str>> {
    const LONGEST: usize = 64;
    let is_inner = |sign: char| sign.is_ascii_alphanumeric() || sign == '_' || dash && sign == '-';
    if name.is_empty() {
        Some("is empty".into())
    } else if name.len() > LONGEST {
        Some(format!("has {} bytes; at most {LONGEST}", name.len()).into())
    } else if let Some(bad) = name.chars().find(|sign| !is_inner(*sign)) {
        let signs = if dash { "letters, digits, `_` and `-`" } else { "letters, digits and `_`" };
        Some(format!("has the character {bad:?}; use ASCII {signs}").into())
    } else if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        Some("does not begin with a letter or `_`".into())
    } else if taken.contains(&name) || !name.contains('-') && !is_name(name) {
        Some("has a meaning of its own in templates and conditions".into())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{BESIDE, refuse};

    #[test]
    fn names_are_what_templates_can_read() {
        for good in ["a", "_x", "fetch_mails", "n1"] {
            assert_eq!(refuse(good, false, &BESIDE), None, "{good}");
        }
        assert_eq!(refuse("fetch-mails", true, &BESIDE), None);
        assert_eq!(refuse("event", false, &[]), None);
        for bad in [
            "",
            "1a",
            "-a",
            "a.b",
            "a b",
            "é",
            "inputs",
            "index",
            "steps",
            "for",
            "fetch-mails",
            &"x".repeat(65),
        ] {
            assert!(refuse(bad, false, &BESIDE).is_some(), "{bad}");
        }
    }
}
