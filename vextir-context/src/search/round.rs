//! One round of embedding: texts of many documents together, and one by one where an embedder refuses them.
//!
//! A text that is refused must stop nobody else's. But an embedder may refuse because something is wrong with itself; so a
//! refusal counts only from one that takes another text.

use crate::documents::node::NodeId;
use std::mem;
use std::ops::Range;
use vextir_core::{Error, ErrorKind};

/// How many texts are embedded at once.
const TEXTS: usize = 16;

/// What every embedder takes.
const PROBE: &str = "text";

/// How much of a reason is kept, in signs.
const REASON: usize = 300;

/// A document that waits, with its texts.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) node: NodeId,
    pub(super) seq: i64,
    /// Where each piece stands, and what is embedded.
    pub(super) pieces: Vec<(Range<usize>, String)>,
}

/// The vectors of one document.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) node: NodeId,
    pub(super) seq: i64,
    pub(super) pieces: Vec<(Range<usize>, Vec<f32>)>,
}

/// A document that is set aside.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) node: NodeId,
    pub(super) seq: i64,
    pub(super) reason: String,
}

/// Why there are no vectors.
#[derive(Debug)]
pub(super) enum Trouble {
    /// With the texts, so it seems.
    Texts(Error),
    /// With the embedder, or with what it asks.
    Embedder(Error),
}

/// What came of a round.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) made: Vec<Made>,
    pub(super) refused: Vec<Refused>,
    /// Why it ended before all was asked for.
    pub(super) failure: Option<Error>,
}

/// A document, and what has come of it so far.
struct Work {
    made: Made,
    /// How many vectors are missing.
    missing: usize,
    refusal: Option<String>,
}

/// Asks for the vectors of all texts.
pub(super) fn round(
    waiting: Vec<Waiting>,
    ask: impl FnMut(&[String]) -> Result<Vec<Vec<f32>>, Trouble>,
) -> Round {
    let mut texts = Vec::new();
    let mut works = Vec::with_capacity(waiting.len());
    for (number, document) in waiting.into_iter().enumerate() {
        let mut pieces = Vec::with_capacity(document.pieces.len());
        for (place, text) in document.pieces {
            texts.push(((number, pieces.len()), text));
            pieces.push((place, Vec::new()));
        }
        let missing = pieces.len();
        let made = Made { node: document.node, seq: document.seq, pieces };
        works.push(Work { made, missing, refusal: None });
    }
    let mut asking = Asking { ask, works };
    let failure = texts.chunks_mut(TEXTS).try_for_each(|texts| asking.together(texts)).err();
    let mut round = Round { failure, ..Round::default() };
    for Work { made, missing, refusal } in asking.works {
        match refusal {
            Some(reason) => round.refused.push(Refused { node: made.node, seq: made.seq, reason }),
            None if missing == 0 => round.made.push(made),
            None => {}
        }
    }
    round
}

/// Which piece of which document.
type Place = (usize, usize);

struct Asking<A> {
    ask: A,
    works: Vec<Work>,
}

impl<A: FnMut(&[String]) -> Result<Vec<Vec<f32>>, Trouble>> Asking<A> {
    /// Some texts; an error ends the round.
    fn together(&mut self, texts: &mut [(Place, String)]) -> Result<(), Error> {
        let open = texts.iter_mut().filter(|((work, _), _)| self.works[*work].refusal.is_none());
        let (places, texts): (Vec<Place>, Vec<String>) =
            open.map(|(place, text)| (*place, mem::take(text))).unzip();
        if texts.is_empty() {
            return Ok(());
        }
        let refusal = match (self.ask)(&texts) {
            Ok(vectors) => {
                places.into_iter().zip(vectors).for_each(|(place, vector)| self.keep(place, vector));
                return Ok(());
            }
            // One by one they may come within the time.
            Err(Trouble::Embedder(error)) if error.kind() == ErrorKind::Timeout && places.len() > 1 => {
                return places.into_iter().zip(texts).try_for_each(|(place, text)| self.alone(place, text));
            }
            Err(Trouble::Embedder(error)) => return Err(error),
            Err(Trouble::Texts(error)) => error,
        };
        self.confirm(&refusal)?;
        if let [(work, _)] = places[..] {
            self.refuse(work, &refusal);
            return Ok(());
        }
        places.into_iter().zip(texts).try_for_each(|(place, text)| self.alone(place, text))
    }

    fn alone(&mut self, place: Place, text: String) -> Result<(), Error> {
        if self.works[place.0].refusal.is_some() {
            return Ok(());
        }
        match (self.ask)(&[text]) {
            Ok(vectors) => vectors.into_iter().for_each(|vector| self.keep(place, vector)),
            Err(Trouble::Texts(error)) => {
                self.confirm(&error)?;
                self.refuse(place.0, &error);
            }
            Err(Trouble::Embedder(error)) => return Err(error),
        }
        Ok(())
    }

    /// Whether the embedder takes another text right now: else the refusal is about none.
    fn confirm(&mut self, refusal: &Error) -> Result<(), Error> {
        (self.ask)(&[PROBE.to_owned()]).map(drop).map_err(|_| refusal.duplicate())
    }

    fn keep(&mut self, (work, piece): Place, vector: Vec<f32>) {
        let work = &mut self.works[work];
        work.made.pieces[piece].1 = vector;
        work.missing -= 1;
    }

    fn refuse(&mut self, work: usize, error: &Error) {
        self.works[work].refusal = Some(error.to_string().chars().take(REASON).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(node: i64, texts: &[&str]) -> Waiting {
        let pieces = texts.iter().map(|text| (0..text.len(), (*text).to_owned())).collect();
        Waiting { node, seq: node, pieces }
    }

    /// An embedder that refuses what is bad, fails at what is fatal, and counts what it is asked.
    fn strict(calls: &mut Vec<usize>) -> impl FnMut(&[String]) -> Result<Vec<Vec<f32>>, Trouble> {
        |texts| {
            calls.push(texts.len());
            let has = |what: &str| texts.iter().any(|text| text == what);
            if has("fatal") {
                return Err(Trouble::Embedder(Error::new(ErrorKind::Unavailable, "away")));
            }
            if has("bad") {
                return Err(Trouble::Texts(Error::invalid("bad ".repeat(1_000))));
            }
            Ok(texts.iter().map(|text| vec![text.len() as f32]).collect())
        }
    }

    fn nodes(round: &Round) -> (Vec<i64>, Vec<i64>) {
        let made = round.made.iter().map(|made| made.node).collect();
        (made, round.refused.iter().map(|refused| refused.node).collect())
    }

    #[test]
    fn an_embedder_that_begins_to_refuse_everything_sets_nothing_aside() {
        let mut asked = 0;
        let texts = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let waiting = (1..6).map(|node| document(node, &texts)).collect();
        let round = round(waiting, |texts| {
            asked += 1;
            if asked > 1 {
                return Err(Trouble::Texts(Error::invalid("unloaded")));
            }
            Ok(texts.iter().map(|_| vec![1.0]).collect())
        });
        assert_eq!(nodes(&round), (vec![1, 2], vec![]));
        assert!(round.failure.is_some());
    }

    #[test]
    fn what_takes_too_long_together_is_asked_for_one_by_one() {
        let waiting = vec![document(1, &["a", "b"]), document(2, &["c"])];
        let round = round(waiting, |texts| match texts.len() {
            1 => Ok(vec![vec![1.0]]),
            _ => Err(Trouble::Embedder(Error::new(ErrorKind::Timeout, "slow"))),
        });
        assert_eq!((nodes(&round), round.failure.is_none()), ((vec![1, 2], vec![]), true));
    }

    #[test]
    fn a_text_that_is_refused_stops_no_other_document() {
        let mut calls = Vec::new();
        let waiting = vec![
            document(1, &["a", "bb"]),
            document(2, &["c", "bad", "d"]),
            document(3, &[]),
            document(4, &["eee"]),
        ];
        let round = round(waiting, strict(&mut calls));
        assert_eq!(nodes(&round), (vec![1, 3, 4], vec![2]));
        assert_eq!(round.made[0].pieces, [(0..1, vec![1.0]), (0..2, vec![2.0])]);
        assert_eq!(round.made[2].pieces, [(0..3, vec![3.0])]);
        assert_eq!(round.refused[0].reason.chars().count(), REASON);
        assert!(round.failure.is_none());
        assert_eq!(
            calls,
            [6, 1, 1, 1, 1, 1, 1, 1],
            "all, the probe, five alone and the probe for the refused one: not what follows it"
        );
    }

    #[test]
    fn a_refused_document_of_many_texts_is_not_asked_for_to_its_end() {
        let mut calls = Vec::new();
        let texts = vec!["bad"; 100];
        let round = round(vec![document(1, &texts), document(2, &["a"])], strict(&mut calls));
        assert_eq!(nodes(&round), (vec![2], vec![1]));
        assert_eq!(calls, [16, 1, 1, 1, 1]);
    }

    #[test]
    fn an_embedder_that_refuses_everything_refuses_nothing() {
        let mut calls = 0;
        let round = round(vec![document(1, &["a"]), document(2, &["b"])], |_| {
            calls += 1;
            Err(Trouble::Texts(Error::invalid("no such model")))
        });
        assert_eq!(nodes(&round), (vec![], vec![]));
        assert_eq!(round.failure.unwrap().message(), "no such model");
        assert_eq!(calls, 2, "the texts and the probe");
    }

    #[test]
    fn what_was_made_before_a_failure_is_kept() {
        let mut calls = Vec::new();
        let many = vec!["a"; TEXTS];
        let waiting = vec![
            document(1, &many),
            document(2, &["b", "bad"]),
            document(3, &["fatal"]),
            document(4, &["c"]),
        ];
        let round = round(waiting, strict(&mut calls));
        assert_eq!(nodes(&round), (vec![1], vec![]));
        assert_eq!(round.failure.unwrap().kind(), ErrorKind::Unavailable);
        assert_eq!(calls, [16, 4]);
    }
}
