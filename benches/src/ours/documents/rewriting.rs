//! A long text that a model hands back changed.

use std::time::Instant;

use super::super::search::corpus::Corpus;
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// How many bytes the text has, about.
const BYTES: usize = 100_000;

/// A text of 100 KB is written whole, durably, with changes all over: once with every third word another one and a
/// tenth of the sentences gone, moved or new, once with nothing as it was. The medians; the search index is off.
pub(crate) fn rewriting(trial: &Trial) -> Result<Vec<Measurement>> {
    let rounds = if trial.quick { 3 } else { 20 };
    super::super::block_on(async {
        let (hub, corpus) = (super::open(trial)?, Corpus::new());
        let ann = hub.context("ann");
        let mut figures = Vec::new();
        for (name, is_whole) in [("rewrite", false), ("rewrite_whole", true)] {
            let mut times = Vec::new();
            for round in 0..rounds {
                let path = format!("/{name}{round}");
                let before = sentences(&corpus, round * 10_000);
                let after = if is_whole {
                    sentences(&corpus, round * 10_000 + 5_000)
                } else {
                    changed(&corpus, &before)
                };
                ann.write(&path, before.concat()).await?;
                let began = Instant::now();
                ann.write(&path, after.concat()).await?;
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
            figures.push(Measurement::middle(name, Unit::Milliseconds, &times)?);
        }
        hub.close().await?;
        Ok(figures)
    })
}

/// A sentence of 40 words on a line of its own, some with an empty line behind it.
fn sentences(corpus: &Corpus, first: usize) -> Vec<String> {
    let (mut all, mut bytes) = (Vec::new(), 0);
    while bytes < BYTES {
        let number = first + all.len();
        let end = if number.is_multiple_of(5) { ".\n\n" } else { ".\n" };
        let sentence = corpus.text(number) + end;
        bytes += sentence.len();
        all.push(sentence);
    }
    all
}

/// What a model makes of it that was asked to say it better.
fn changed(corpus: &Corpus, before: &[String]) -> Vec<String> {
    let mut after: Vec<String> = Vec::new();
    for (number, sentence) in before.iter().enumerate() {
        match number % 30 {
            7 => continue,
            17 => after.push(corpus.text(1_000_000 + number) + ".\n"),
            _ => {}
        }
        let other = corpus.text(2_000_000 + number);
        let others: Vec<&str> = other.split(' ').collect();
        let pick =
            |(at, word)| if at % 3 == number % 3 { others.get(at).copied().unwrap_or(word) } else { word };
        let words: Vec<&str> = sentence.split(' ').enumerate().map(pick).collect();
        after.push(words.join(" "));
        if number % 30 == 27 && after.len() > 4 {
            let last = after.len() - 1;
            after.swap(last, last - 3);
        }
    }
    after
}
