//! Texts as people's: a few words are everywhere, most are rare; each text has a subject of its own.

use std::sync::Arc;

/// How many words there are.
const WORDS: usize = 5_000;

/// How many words a text has.
const LENGTH: usize = 40;

/// Texts by number, always the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Corpus {
    words: Arc<Vec<String>>,
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

impl Corpus {
    pub(crate) fn new() -> Corpus {
        let syllables = [
            "ka", "lo", "mi", "ren", "tu", "sa", "vo", "fi", "gra", "del", "pen", "os", "bri", "an", "el",
            "um",
        ];
        let word = |number: usize| {
            let mut state = number as u64;
            // The number itself keeps words apart.
            let parts = [number % 16, number / 16 % 16, number / 256 % 16, number / 4_096 % 16];
            let ending = (next(&mut state) % 16) as usize;
            let long = parts.into_iter().chain([ending]).map(|part| syllables[part]).collect::<String>();
            // What people say most is short.
            if number < 60 { long[..2 + number / 20].to_owned() + &syllables[number % 16][..1] } else { long }
        };
        Corpus { words: Arc::new((0..WORDS).map(word).collect()) }
    }

    /// The words of a text.
    fn numbers(number: usize) -> Vec<usize> {
        let mut state = (number as u64) << 20;
        (0..LENGTH)
            .map(|_| {
                // Zipf's law, about: the logarithm of a word's rank is evenly spread.
                let spread = (next(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
                ((WORDS as f64).powf(spread) as usize).min(WORDS - 1)
            })
            .collect()
    }

    pub(crate) fn text(&self, number: usize) -> String {
        self.join(&Self::numbers(number))
    }

    /// Every second word of a text.
    pub(crate) fn half(&self, number: usize) -> String {
        let numbers: Vec<usize> = Self::numbers(number).into_iter().step_by(2).collect();
        self.join(&numbers)
    }

    /// Two words that stand together in some hundreds of texts.
    pub(crate) fn pair(&self, question: usize) -> (&str, &str) {
        (&self.words[3 + question % 5], &self.words[20 + question])
    }

    fn join(&self, numbers: &[usize]) -> String {
        numbers.iter().map(|number| self.words[*number].as_str()).collect::<Vec<_>>().join(" ")
    }
}
