//! The one pattern language: exact names, `task.*` for one segment, `task.**` for one or more at the end.

mod trie;

pub(crate) use trie::Trie;

use crate::name::{Name, check_type};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A pattern over event types.
///
/// `*` stands for exactly one segment, anywhere; `**` for one or more, at the end only.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::Pattern;
///
/// let pattern: Pattern = "github.**".parse()?;
/// assert!(pattern.matches("github.issue.create"));
/// assert!(!pattern.matches("github"));
/// # Ok::<(), vextir::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(Name);

impl Pattern {
    /// Checks and keeps a pattern.
    ///
    /// # Errors
    /// A segment that mixes a wildcard with text, `**` before the end, or a bad character.
    pub fn new(text: impl Into<Name>) -> Result<Self> {
        let text = text.into();
        let segments: Vec<&str> = text.split('.').collect();
        for (index, segment) in segments.iter().enumerate() {
            let last = index + 1 == segments.len();
            match *segment {
                "*" => {}
                "**" if last => {}
                "**" => {
                    return Err(Error::invalid(format!("pattern {text:?}: \"**\" stands at the end only")));
                }
                mixed if mixed.contains('*') => {
                    return Err(Error::invalid(format!(
                        "pattern {text:?}: segment {mixed:?} mixes '*' with text; '*' is a whole segment"
                    )));
                }
                plain => check_type(plain)
                    .map_err(|error| Error::invalid(format!("pattern {text:?}: {}", error.message())))?,
            }
        }
        Ok(Self(text))
    }

    /// The pattern that matches every type.
    #[must_use]
    pub fn everything() -> Self {
        Self(Name::literal("**"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has no wildcard.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether an event type matches.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        matches(&self.0, event_type)
    }
}

/// Whether an event type matches the text of a pattern that was checked before.
pub(crate) fn matches(pattern: &str, event_type: &str) -> bool {
    let mut wanted = pattern.split('.');
    let mut given = event_type.split('.');
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("**"), Some(_)) => return true,
            (Some("*"), Some(_)) => {}
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return false,
        }
    }
}

/// Whether there is an event type that matches the texts of both patterns.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some("**"), Some(_)) | (Some(_), Some("**")) => return true,
            (Some("*"), Some(_)) | (Some(_), Some("*")) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

impl FromStr for Pattern {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for Pattern {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.to_string()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards_are_whole_segments() {
        let cases = [
            ("task.*", "task.created", true),
            ("task.*", "task.a.b", false),
            ("task.**", "task.a.b", true),
            ("task.**", "task", false),
            ("*.created", "task.created", true),
            ("**", "task", true),
            ("task.created", "task.created", true),
            ("task", "task.created", false),
        ];
        for (pattern, event_type, expected) in cases {
            assert_eq!(
                Pattern::new(pattern).unwrap().matches(event_type),
                expected,
                "{pattern} {event_type}"
            );
        }
        for bad in ["", "a..b", "ta*k", "**.a", "a.**.b", "a b", ".", "*."] {
            assert!(Pattern::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn patterns_overlap_where_one_type_matches_both() {
        let cases = [
            ("task.*", "*.created", true),
            ("task.**", "task.a.*", true),
            ("task.**", "task", false),
            ("**", "a", true),
            ("a.*.c", "a.b.*", true),
            ("a.*", "a.b.c", false),
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(overlap(one, other), expected, "{one} {other}");
            assert_eq!(overlap(other, one), expected, "{other} {one}");
        }
    }

    fn segments() -> impl Strategy<Value = String> {
        proptest::collection::vec("[ab]", 1..5).prop_map(|parts| parts.join("."))
    }

    fn patterns() -> impl Strategy<Value = String> {
        (proptest::collection::vec("[ab*]", 1..4), any::<bool>())
            .prop_map(|(parts, open)| if open { format!("{}.**", parts.join(".")) } else { parts.join(".") })
    }

    proptest! {
        #[test]
        fn what_matches_both_makes_them_overlap(one in patterns(), other in patterns(), event_type in segments()) {
            let both = matches(&one, &event_type) && matches(&other, &event_type);
            prop_assert!(!both || overlap(&one, &other));
        }

        #[test]
        fn the_trie_agrees_with_the_pattern(
            patterns in proptest::collection::vec(patterns(), 0..20),
            event_type in segments(),
        ) {
            let mut trie = Trie::default();
            for (index, pattern) in patterns.iter().enumerate() {
                trie.insert(&Pattern::new(pattern.as_str()).unwrap(), index);
            }
            let mut found = trie.find(&event_type);
            found.sort_unstable();
            let expected: Vec<usize> = patterns
                .iter()
                .enumerate()
                .filter(|(_, pattern)| Pattern::new(pattern.as_str()).unwrap().matches(&event_type))
                .map(|(index, _)| index)
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
