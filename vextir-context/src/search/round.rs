//! One round of embedding: texts of many documents together, and one by one where an embedder refuses them, or fails at them.
//!
//! A text that is refused must stop nobody else's, and neither must one at which the embedder fails each time. But something
//! may be wrong with the embedder itself; so either counts only from one that takes another text.

use crate::documents::node::NodeId;
use std::collections::HashMap;
use std::mem;
use std::ops::Range;
use vextir_core::{Error, ErrorKind};

/// How many texts are embedded at once.
const TEXTS: usize = 16;

/// What every embedder takes.
const PROBE: &str = "text";

/// How much of a reason is kept, in signs.
const REASON: usize = 300;

/// How often in a row the embedder may fail at a document that it is asked for alone.
const LOOKS: u32 = 5;

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
    /// Why some go on waiting.
    pub(super) failure: Option<Error>,
}

/// How often the embedder has failed at documents, each as of a change.
#[derive(Debug, Default)]
pub(super) struct Looks(HashMap<(NodeId, i64), u32>);

/// Why a document gets no vectors in this round.
enum Fault {
    Refused(String),
    Failed(String),
}

/// A document, and what has come of it so far.
struct Work {
    made: Made,
    /// How many vectors are missing.
    missing: usize,
    fault: Option<Fault>,
}

/// Asks for the vectors of all texts.
pub(super) fn round(
    waiting: Vec<Waiting>,
    looks: &mut Looks,
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
        works.push(Work { made, missing, fault: None });
    }
    let mut asking = Asking { ask, works, is_slow: false, failure: None };
    let ended = texts.chunks_mut(TEXTS).try_for_each(|texts| asking.together(texts));
    let mut round = Round::default();
    // What waits longest is asked for first: it is met again in the next round.
    let before = mem::take(&mut looks.0);
    for Work { made, missing, fault } in asking.works {
        let Made { node, seq, .. } = made;
        match fault {
            Some(Fault::Refused(reason)) => round.refused.push(Refused { node, seq, reason }),
            Some(Fault::Failed(reason)) => {
                let count = before.get(&(node, seq)).map_or(1, |count| count + 1);
                if count < LOOKS {
                    looks.0.insert((node, seq), count);
                } else {
                    round.refused.push(Refused { node, seq, reason });
                }
            }
            None if missing == 0 => round.made.push(made),
            None => {}
        }
    }
    round.failure = ended.err().or(asking.failure.filter(|_| !looks.0.is_empty()));
    round
}

/// Which piece of which document.
type Place = (usize, usize);

struct Asking<A> {
    ask: A,
    works: Vec<Work>,
    /// Whether several texts took too long.
    is_slow: bool,
    /// Why the first document failed that did so alone.
    failure: Option<Error>,
}

impl<A: FnMut(&[String]) -> Result<Vec<Vec<f32>>, Trouble>> Asking<A> {
    /// Some texts; an error ends the round.
    fn together(&mut self, texts: &mut [(Place, String)]) -> Result<(), Error> {
        let open = texts.iter_mut().filter(|((work, _), _)| self.works[*work].fault.is_none());
        let (places, texts): (Vec<Place>, Vec<String>) =
            open.map(|(place, text)| (*place, mem::take(text))).unzip();
        if texts.is_empty() {
            return Ok(());
        }
        if texts.len() > 1 && !self.is_slow {
            match (self.ask)(&texts) {
                Ok(vectors) => {
                    places.into_iter().zip(vectors).for_each(|(place, vector)| self.keep(place, vector));
                    return Ok(());
                }
                Err(trouble) => self.is_slow = is_late(&self.confirm(trouble)?),
            }
        }
        places.into_iter().zip(texts).try_for_each(|(place, text)| self.alone(place, text))
    }

    fn alone(&mut self, place: Place, text: String) -> Result<(), Error> {
        if self.works[place.0].fault.is_some() {
            return Ok(());
        }
        match (self.ask)(&[text]) {
            Ok(vectors) => vectors.into_iter().for_each(|vector| self.keep(place, vector)),
            Err(trouble) => {
                let trouble = self.confirm(trouble)?;
                self.put_off(place.0, trouble);
            }
        }
        Ok(())
    }

    /// The trouble, if it may be about the texts and the embedder takes another one right now; else it is about none.
    fn confirm(&mut self, trouble: Trouble) -> Result<Trouble, Error> {
        let may_be_theirs = match &trouble {
            Trouble::Texts(_) => true,
            Trouble::Embedder(error) => matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable),
        };
        if may_be_theirs && (self.ask)(&[PROBE.to_owned()]).is_ok() {
            return Ok(trouble);
        }
        let (Trouble::Texts(error) | Trouble::Embedder(error)) = trouble;
        Err(error)
    }

    /// Keeps a vector.
    fn keep(&mut self, (work, piece): Place, vector: Vec<f32>) {
        let work = &mut self.works[work];
        work.made.pieces[piece].1 = vector;
        work.missing -= 1;
    }

    /// A document gets no vectors in this round.
    fn put_off(&mut self, work: usize, trouble: Trouble) {
        let reason = |error: &Error| error.to_string().chars().take(REASON).collect();
        self.works[work].fault = Some(match trouble {
            Trouble::Texts(error) => Fault::Refused(reason(&error)),
            Trouble::Embedder(error) => {
                let reason = reason(&error);
                self.failure.get_or_insert(error);
                Fault::Failed(reason)
            }
        });
    }
}

fn is_late(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Embedder(error) if error.kind() == ErrorKind::Timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(node: i64, texts: &[&str]) -> Waiting {
        let pieces = texts.iter().map(|text| (0..text.len(), (*text).to_owned())).collect();
        Waiting { node, seq: node, pieces }
    }

    /// A round of which nothing is remembered.
    fn round(waiting: Vec<Waiting>, ask: impl FnMut(&[String]) -> Result<Vec<Vec<f32>>, Trouble>) -> Round {
        super::round(waiting, &mut Looks::default(), ask)
    }

    fn trouble(kind: ErrorKind) -> Trouble {
        Trouble::Embedder(Error::new(kind, format!("{kind:?}")))
    }

    /// An embedder that refuses what is bad, fails at what is heavy, has no right to what is secret, and counts what it is
    /// asked.
    fn strict(calls: &mut Vec<usize>) -> impl FnMut(&[String]) -> Result<Vec<Vec<f32>>, Trouble> {
        |texts| {
            calls.push(texts.len());
            let has = |what: &str| texts.iter().any(|text| text == what);
            if has("secret") {
                return Err(trouble(ErrorKind::Denied));
            }
            if has("heavy") {
                return Err(trouble(ErrorKind::Unavailable));
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
    fn what_takes_too_long_together_is_asked_for_one_by_one_in_the_whole_round() {
        let waiting = vec![document(1, &["a"; TEXTS]), document(2, &["b", "c"])];
        let mut calls = Vec::new();
        let round = round(waiting, |texts| {
            calls.push(texts.len());
            if texts.len() == 1 { Ok(vec![vec![1.0]]) } else { Err(trouble(ErrorKind::Timeout)) }
        });
        assert_eq!((nodes(&round), round.failure.is_none()), ((vec![1, 2], vec![]), true));
        let alone = TEXTS + 2;
        assert_eq!((calls[0], calls[1..].len()), (TEXTS, 1 + alone), "together, the probe, and alone");
    }

    #[test]
    fn a_text_at_which_the_embedder_always_fails_waits_for_some_rounds_and_stops_no_other_one() {
        let mut looks = Looks::default();
        let mut calls = Vec::new();
        let waiting = |seq, others: &[&str]| {
            let late = Waiting { seq, ..document(1, &["heavy", "heavy", "a"]) };
            vec![late, document(2, others)]
        };
        let round = super::round(waiting(1, &["b"]), &mut looks, strict(&mut calls));
        assert_eq!(nodes(&round), (vec![2], vec![]));
        assert_eq!(round.failure.unwrap().kind(), ErrorKind::Unavailable);
        assert_eq!(
            calls,
            [4, 1, 1, 1, 1],
            "all, the probe, one alone, the probe for it, and the other document"
        );
        // It was changed, and is counted anew.
        for look in 1..LOOKS {
            let round = super::round(waiting(2, &[]), &mut looks, strict(&mut calls));
            assert_eq!((nodes(&round), round.failure.is_some()), ((vec![2], vec![]), true), "{look}");
        }
        let round = super::round(waiting(2, &[]), &mut looks, strict(&mut calls));
        assert_eq!((nodes(&round), round.failure.is_none()), ((vec![2], vec![1]), true));
        assert_eq!(round.refused[0].reason, "Unavailable");
        assert!(looks.0.is_empty());
    }

    #[test]
    fn an_embedder_that_is_away_sets_nothing_aside() {
        let mut looks = Looks::default();
        for _ in 0..=LOOKS {
            let waiting = vec![document(1, &["a"]), document(2, &["b"])];
            let round = super::round(waiting, &mut looks, |_| Err(trouble(ErrorKind::Unavailable)));
            assert_eq!((nodes(&round), round.failure.is_some()), ((vec![], vec![]), true));
        }
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
            document(3, &["secret"]),
            document(4, &["c"]),
        ];
        let round = round(waiting, strict(&mut calls));
        assert_eq!(nodes(&round), (vec![1], vec![]));
        assert_eq!(round.failure.unwrap().kind(), ErrorKind::Denied);
        assert_eq!(calls, [16, 4]);
    }
}
