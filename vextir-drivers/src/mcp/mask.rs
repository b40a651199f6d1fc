//! Keys that a server was given and that nobody is shown: servers print them when they fail.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::Arc;

/// The shortest text that is a key, in bytes; what is shorter stands in texts by chance.
const SHORTEST: usize = 6;
/// What stands in the place of a key.
const MASK: &str = "***";

/// The values that a server was given as its keys: those of `env` and `headers`, and `key`.
#[derive(Clone, Default)]
pub(super) struct Masks(Arc<[SecretString]>);

impl Masks {
    /// Of the values; of one with several words or lines, such as `Bearer KEY`, each part counts, too.
    pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut keys: Vec<SecretString> = Vec::new();
        for value in values {
            let parts = value.split_whitespace().chain([value.trim()]);
            keys.extend(parts.filter(|part| part.len() >= SHORTEST).map(SecretString::from));
        }
        // The longest goes first: another one may be a part of it.
        keys.sort_by_key(|key| std::cmp::Reverse(key.expose_secret().len()));
        keys.dedup_by(|one, other| one.expose_secret() == other.expose_secret());
        Self(keys.into())
    }

    /// A text without the keys in it, before it is cut.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for key in self.0.iter().map(ExposeSecret::expose_secret) {
            if text.contains(key) {
                text = text.replace(key, MASK);
            }
            // Somebody else has cut it already: what is left of the key at its end is hidden, too.
            if let Some(begin) =
                (SHORTEST..key.len()).rev().find(|n| key.get(..*n).is_some_and(|part| text.ends_with(part)))
            {
                text.truncate(text.len() - begin);
                text.push_str(MASK);
            }
        }
        text
    }

    /// The end of a text whose beginning was cut off, without the keys in it, and without the rest of one at its beginning.
    pub(super) fn hide_in_end(&self, text: &str) -> String {
        let hidden = self.hide(text);
        let is_rest = |key: &str, from: usize| key.get(from..).is_some_and(|part| hidden.starts_with(part));
        let rest =
            self.0.iter().map(ExposeSecret::expose_secret).filter_map(|key| {
                (1..key.len()).find(|from| is_rest(key, *from)).map(|from| key.len() - from)
            });
        hidden[rest.max().unwrap_or_default()..].to_owned()
    }
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Masks").field(&self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Masks;

    #[test]
    fn no_part_of_a_key_is_left() {
        let masks = Masks::of(["Bearer hunter2-long", "abc", "hunter2", "hunter2"]);
        assert_eq!(masks.hide("hunter2-long and Bearer hunter2-long, hunter2; abc"), "*** and ***, ***; abc");
        assert_eq!(masks.hide("was cut at hunter2-lo"), "was cut at ***");
        assert_eq!(masks.hide_in_end("nter2-long hunter2-long x"), " *** x");
        assert!(!format!("{masks:?}").contains("hunter2"));
    }
}
