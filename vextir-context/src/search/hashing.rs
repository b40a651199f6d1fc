//! The embedder that needs nothing: words and their pieces, hashed.

use super::words::{fold, words};
use std::collections::HashMap;
use vextir_core::context::Embedder;
use vextir_core::{Result, async_trait};

const DIMENSIONS: usize = 384;
const WORDS: usize = DIMENSIONS / 64;

/// What a gram of a word weighs beside the word itself.
const GRAM: f32 = 0.3;

/// The default [`Embedder`]: deterministic, without a model, without a network.
///
/// It knows no language. Each word and each three letters in a row within a word are a direction in space that follows
/// from a hash of them; a text is the sum of its directions. So two texts are close when they have words, or parts of words, in
/// common, whatever the order and the endings: "invoice" is near "invoices", and "car" is not near "automobile". It is
/// good for short texts, and weak where one word of a long text is asked for, which is what the full text is for.
#[derive(Debug, Clone, Copy, Default)]
pub struct HashingEmbedder;

#[async_trait]
impl Embedder for HashingEmbedder {
    fn name(&self) -> &str {
        "vextir-hashing-1"
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        Ok(texts.iter().map(|text| vector(text)).collect())
    }

    /// Four times as far from 0 as two texts without anything in common usually are.
    fn floor(&self) -> f32 {
        0.2
    }
}

fn vector(text: &str) -> Vec<f32> {
    let mut features: HashMap<u64, f32> = HashMap::new();
    for word in words(text) {
        let folded = fold(word);
        let signs: Vec<char> = std::iter::once('<').chain(folded.chars()).chain(['>']).collect();
        let weight = weight(signs.len() - 2);
        *features.entry(hash(folded.as_bytes())).or_default() += weight;
        for gram in signs.windows(3).filter(|_| signs.len() > 4) {
            let gram: String = gram.iter().collect();
            *features.entry(hash(gram.as_bytes()) ^ 1).or_default() += GRAM * weight;
        }
    }
    let mut sum = vec![0.0; DIMENSIONS];
    // In an order that does not depend on the map: sums of floats do.
    let mut features: Vec<(u64, f32)> = features.into_iter().collect();
    features.sort_unstable_by_key(|(feature, _)| *feature);
    for (feature, count) in features {
        add(&mut sum, feature, count.sqrt());
    }
    sum
}

/// Short words are mostly in every text.
fn weight(letters: usize) -> f32 {
    match letters {
        0..=2 => 0.1,
        3 => 0.3,
        4 => 0.7,
        _ => 1.0,
    }
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Adds a feature's direction: plus or minus one in each dimension, as SplitMix64 says from the hash on.
fn add(sum: &mut [f32], feature: u64, weight: f32) {
    let mut state = feature;
    for part in sum.chunks_exact_mut(DIMENSIONS / WORDS) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        for (index, value) in part.iter_mut().enumerate() {
            *value += if bits >> index & 1 == 1 { weight } else { -weight };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(one: &str, other: &str) -> f32 {
        let (one, other) = (vector(one), vector(other));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(&one, &other) / (dot(&one, &one) * dot(&other, &other)).sqrt()
    }

    #[test]
    fn texts_with_common_words_are_close_and_others_are_not() {
        let invoice = "the invoice of june from the printer";
        assert!(cosine(invoice, "The Invoices of June, from the printers") > 0.5);
        assert!(cosine(invoice, "a walk along the river with dogs") < HashingEmbedder.floor());
        assert!(cosine("Müller", "muller") > 0.99);
        assert!(vector("").iter().all(|value| *value == 0.0));
    }

    /// The vectors in files were made by this; another result needs another name.
    #[test]
    fn vectors_never_change() {
        let found = vector("a certain text");
        let sum: f32 = (0_u16..).zip(&found).map(|(at, value)| f32::from(at) * value).sum();
        let is = |value: f32, expected: f32| (value - expected).abs() < 0.01;
        assert!(is(found[0], -0.805_74) && is(found[383], -4.134_7), "{} {}", found[0], found[383]);
        assert!(is(sum, -3_727.556_6), "{sum}");
    }
}
