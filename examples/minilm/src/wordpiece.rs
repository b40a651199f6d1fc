//! Texts to numbers of word pieces, as BERT models without capitals want them.

use std::collections::HashMap;
use std::path::Path;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use vextir::{Error, Result};

/// The longest word that is looked up, in signs.
const LONGEST: usize = 100;

pub struct WordPiece {
    pieces: HashMap<String, usize>,
    unknown: usize,
    /// What stands before and after a text.
    ends: (usize, usize),
}

impl WordPiece {
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |why: String| Error::invalid(format!("{}: {why}", path.display()));
        let file = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let pieces: HashMap<String, usize> =
            file.lines().enumerate().map(|(number, piece)| (piece.to_owned(), number)).collect();
        let find = |piece: &str| pieces.get(piece).copied().ok_or_else(|| wrong(format!("no piece {piece}")));
        let (unknown, ends) = (find("[UNK]")?, (find("[CLS]")?, find("[SEP]")?));
        Ok(Self { pieces, unknown, ends })
    }

    /// The pieces of a text; at most `most`, its ends among them.
    pub fn pieces(&self, text: &str, most: usize) -> Vec<usize> {
        let mut found = vec![self.ends.0];
        for word in words(text) {
            if found.len() + 1 >= most {
                break;
            }
            self.word(&word, &mut found);
        }
        found.truncate(most - 1);
        found.push(self.ends.1);
        found
    }

    /// The longest known piece first, then the longest of what is left.
    fn word(&self, word: &str, found: &mut Vec<usize>) {
        let before = found.len();
        let mut rest = word;
        while !rest.is_empty() {
            let prefix = if rest.len() == word.len() { "" } else { "##" };
            let mut ends = rest.char_indices().map(|(at, sign)| at + sign.len_utf8()).rev();
            let known =
                ends.find_map(|end| Some((end, *self.pieces.get(&format!("{prefix}{}", &rest[..end]))?)));
            let Some((end, piece)) = known.filter(|_| word.chars().count() <= LONGEST) else {
                found.truncate(before);
                found.push(self.unknown);
                return;
            };
            found.push(piece);
            rest = &rest[end..];
        }
    }
}

/// Small letters without accents; each sign that is no letter or digit is a word.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for sign in text.to_lowercase().nfd().filter(|sign| !is_combining_mark(*sign)) {
        let (is_alone, is_space) = (stands_alone(sign), sign.is_whitespace());
        if (is_alone || is_space) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if is_alone {
            words.push(sign.to_string());
        } else if !is_space && !sign.is_control() {
            word.push(sign);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Punctuation, and signs that are words in Chinese and Japanese; nearly all of them.
fn stands_alone(sign: char) -> bool {
    sign.is_ascii_punctuation()
        || matches!(sign, '\u{a1}' | '\u{a7}' | '\u{ab}' | '\u{b6}' | '\u{b7}' | '\u{bb}' | '\u{bf}')
        || matches!(sign, '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3011}')
        || matches!(sign, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}
