//! Which tools of a turn have answered, in memory: a run's document is written when the last of them has, and not for each. After a
//! restart the log tells.

use super::key::{self, Begun};
use crate::agent::run::AgentRun;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use vextir::{BranchEnded, Ctx, EventFilter, Name, Payload, Result};

/// For how many runs it is known. The log tells of the others.
const RUNS: usize = 4_096;
/// How many tools of one causal tree the log is asked for.
const TOOLS: usize = 100_000;

/// A tool that has answered, and where its answer comes from.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) ended: BranchEnded,
    pub(super) labels: BTreeSet<Name>,
}

/// The answers of a turn, by the number of the call.
pub(super) type Answers = BTreeMap<usize, Answer>;

#[derive(Debug)]
struct Turn {
    number: u32,
    calls: BTreeSet<usize>,
    answers: Answers,
}

/// What is known of the turns of runs, by user and run.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<(Name, Name), Turn>>);

/// What an answer means.
pub(super) enum Noted {
    /// Others are awaited.
    Waits,
    /// It was the last one; or one of before, told again.
    All(Answers),
    /// The log has to be asked.
    Unknown,
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, HashMap<(Name, Name), Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tools are called.
    pub(super) fn begin(&self, user: &Name, run: &AgentRun) {
        let called = run.calls.iter().enumerate().filter(|(_, called)| called.answer.is_none());
        let calls = called.map(|(index, _)| index).collect();
        self.keep(user, &run.run, Turn { number: run.turn, calls, answers: Answers::new() });
    }

    fn keep(&self, user: &Name, run: &Name, turn: Turn) {
        let mut turns = self.lock();
        if turns.len() >= RUNS {
            turns.clear();
        }
        turns.insert((user.clone(), run.clone()), turn);
    }

    /// Nothing of the run is awaited any more.
    pub(super) fn forget(&self, user: &Name, run: &Name) {
        self.lock().remove(&(user.clone(), run.clone()));
    }

    /// A tool has answered. What an attempt notes that is not settled, is true all the same.
    pub(super) fn note(&self, user: &Name, run: &Name, turn: u32, index: usize, answer: Answer) -> Noted {
        let mut turns = self.lock();
        let known = turns.get_mut(&(user.clone(), run.clone())).filter(|known| known.number == turn);
        let Some(known) = known else { return Noted::Unknown };
        known.answers.insert(index, answer);
        known.noted()
    }

    /// As [`Turns::note`], with what the log knows.
    pub(super) async fn look(&self, run: &AgentRun, index: usize, answer: Answer, cx: &Ctx) -> Result<Noted> {
        self.begin(cx.user(), run);
        let root = cx.event().root();
        let filter = EventFilter::try_from(BranchEnded::TYPE)?.root(root.clone());
        for event in cx.since_root(root, &filter, TOOLS).await? {
            let ended: BranchEnded = event.decode()?;
            let Some((of, Begun::Tool(turn, index))) = key::parse(&ended.branch) else { continue };
            if of == run.run && turn == run.turn {
                let answer = Answer { ended, labels: event.labels.clone() };
                self.note(cx.user(), &of, turn, index, answer);
            }
        }
        Ok(self.note(cx.user(), &run.run, run.turn, index, answer))
    }
}

impl Turn {
    fn noted(&self) -> Noted {
        if self.calls.iter().all(|index| self.answers.contains_key(index)) {
            Noted::All(self.answers.clone())
        } else {
            Noted::Waits
        }
    }
}
