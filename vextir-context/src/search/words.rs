//! The words of what a user typed, and the questions for SQLite's index that are made of them. What was typed is data: every
//! word is quoted, so no sign of it is an operator, a column or a syntax error.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// More words than these are left out.
const MOST: usize = 16;

/// A longer word is cut.
const LONGEST: usize = 64;

/// How many words the wider question asks for: the longest, which tend to be the rarest.
const WIDE: usize = 6;

/// Letters that the last word needs to stand for longer ones too.
const PREFIX: usize = 3;

/// The words of a text as the index cuts it: runs of letters and digits.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| !sign.is_alphanumeric() && !is_combining_mark(sign))
        .filter(|word| !word.is_empty())
}

/// Without case and accents.
pub(super) fn fold(word: &str) -> Cow<'_, str> {
    if word.is_ascii() {
        if word.bytes().any(|sign| sign.is_ascii_uppercase()) {
            return word.to_ascii_lowercase().into();
        }
        return word.into();
    }
    word.nfd().filter(|sign| !is_combining_mark(*sign)).flat_map(char::to_lowercase).collect()
}

/// What a user asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Folded, each once.
    pub(super) words: Vec<String>,
    /// Whether the last word stands for all that begin with it.
    pub(super) is_open: bool,
}

impl Asked {
    pub(super) fn of(text: &str) -> Self {
        let mut asked = Self { words: Vec::new(), is_open: false };
        for word in words(text).take(MOST) {
            let word = fold(&word[..word.floor_char_boundary(LONGEST)]).into_owned();
            // What is folded to nothing is no word to the index either.
            if word.is_empty() {
                continue;
            }
            // The last one stays last.
            asked.words.retain(|known| *known != word);
            asked.words.push(word);
        }
        let ends_open = text.chars().next_back().is_some_and(char::is_alphanumeric);
        let last = asked.words.last().map_or(0, |word| word.chars().count());
        asked.is_open = ends_open && last >= PREFIX && words(text).nth(MOST).is_none();
        asked
    }

    /// For documents with all words.
    pub(super) fn all(&self) -> Option<String> {
        let terms: Vec<String> = (0..self.words.len()).map(|index| self.term(index)).collect();
        (!terms.is_empty()).then(|| terms.join(" AND "))
    }

    /// For documents with any of the words that matter most; `None` if that is the same question.
    pub(super) fn any(&self) -> Option<String> {
        if self.words.len() < 2 {
            return None;
        }
        let mut indexes: Vec<usize> = (0..self.words.len()).collect();
        indexes.sort_by_key(|index| std::cmp::Reverse(self.words[*index].chars().count()));
        let terms: Vec<String> = indexes.into_iter().take(WIDE).map(|index| self.term(index)).collect();
        Some(terms.join(" OR "))
    }

    /// For names that have any of the words somewhere.
    pub(super) fn in_names(&self) -> Option<String> {
        let long = self.words.iter().filter(|word| word.chars().count() >= 3);
        let terms: Vec<String> = long.map(|word| format!("\"{word}\"")).collect();
        (!terms.is_empty()).then(|| terms.join(" OR "))
    }

    fn term(&self, index: usize) -> String {
        let open = self.is_open && index + 1 == self.words.len();
        format!("\"{}\"{}", self.words[index], if open { "*" } else { "" })
    }

    /// Which of the words a folded word of a text is.
    pub(super) fn is(&self, folded: &str) -> Option<usize> {
        self.words.iter().position(|word| word == folded).or_else(|| {
            let last = self.words.len().checked_sub(1).filter(|_| self.is_open)?;
            folded.starts_with(self.words[last].as_str()).then_some(last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sign_of_what_was_typed_is_syntax() {
        let asked = Asked::of("title: \"foo* -bar^2 NEAR(a b) {x} : OR Ünïcode ");
        assert_eq!(
            asked.all().unwrap(),
            "\"title\" AND \"foo\" AND \"bar\" AND \"2\" AND \"near\" AND \"a\" AND \"b\" AND \"x\" AND \"or\" \
             AND \"unicode\""
        );
        for nothing in ["", " ", "\"", "*", "'; --", "(((", "\0", "…", "\u{301}"] {
            assert_eq!(Asked::of(nothing).all(), None, "{nothing:?}");
            assert_eq!(Asked::of(nothing).in_names(), None);
        }
    }

    #[test]
    fn the_last_word_is_open_while_it_is_being_typed() {
        assert_eq!(Asked::of("june invo").all().unwrap(), "\"june\" AND \"invo\"*");
        assert_eq!(Asked::of("june invo ").all().unwrap(), "\"june\" AND \"invo\"");
        assert_eq!(Asked::of("june in").all().unwrap(), "\"june\" AND \"in\"");
        let asked = Asked::of("june invo");
        assert_eq!((asked.is("invoices"), asked.is("junes"), asked.is("june")), (Some(1), None, Some(0)));
    }

    #[test]
    fn words_and_their_number_are_bounded() {
        let asked = Asked::of(&"word1 word2 ".repeat(500));
        assert_eq!(asked.words, ["word1", "word2"]);
        let many: String = (0..500).map(|number| format!("w{number} ")).collect();
        assert_eq!(Asked::of(&many).words.len(), MOST);
        assert_eq!(Asked::of(&"é".repeat(1_000)).words[0].len(), LONGEST / 2);
        assert_eq!(Asked::of(&many).any().unwrap().matches(" OR ").count(), WIDE - 1);
    }
}
