//! Who holds a place and who waits for one: (gate, what came) to (gate, what is to be done). Pure.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use vextir::Name;

use super::place::Place;

/// How many wait at one gate.
pub(super) const MOST_WAITING: usize = 10_000;

/// How many runs a rule lets be at work, and what becomes of one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// So many; the others wait.
    Most(u32),
    /// One; a second one is left out.
    Skip,
    /// One, the latest.
    Replace,
}

impl Rule {
    fn most(self) -> usize {
        match self {
            Self::Most(most) => most.try_into().unwrap_or(usize::MAX),
            Self::Skip | Self::Replace => 1,
        }
    }
}

/// The document of a gate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Gate {
    /// Those that hold a place, until they are over.
    pub(super) running: Vec<Name>,
    /// Those that wait for one, in the order in which they get it.
    pub(super) waiting: Vec<Entry>,
}

/// A run that wants a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) plan: Name,
    /// Above zero before others, below it behind them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) rank: i8,
    /// The gates that it has to pass after this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) then: Vec<Place>,
    /// The step from which it is retried, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) again: Option<Name>,
    /// The labels of who asked: what begins later has them too.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) labels: BTreeSet<Name>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(rank: &i8) -> bool {
    *rank == 0
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// It holds a place now.
    Admit(Entry),
    /// It waits.
    Wait(Name),
    /// It makes room for the latest.
    Cancel(Name),
    /// It is not begun.
    LeaveOut(Entry),
}

/// Too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Gate {
    /// A run wants a place. One that holds a place, or waits for one, changes nothing.
    pub(super) fn enter(&mut self, entry: Entry, rule: Rule) -> Result<Vec<Step>, Full> {
        if self.knows(&entry.plan) {
            return Ok(Vec::new());
        }
        let mut steps = Vec::new();
        if !self.is_empty() {
            match rule {
                Rule::Most(_) if self.waiting.len() >= MOST_WAITING => return Err(Full),
                Rule::Most(_) => {}
                Rule::Skip => return Ok(vec![Step::LeaveOut(entry)]),
                Rule::Replace => {
                    let waiting = self.waiting.drain(..).map(|entry| entry.plan);
                    steps.extend(waiting.chain(self.running.iter().cloned()).map(Step::Cancel));
                }
            }
        }
        let plan = entry.plan.clone();
        let behind = self.waiting.iter().rposition(|other| other.rank >= entry.rank);
        self.waiting.insert(behind.map_or(0, |last| last + 1), entry);
        self.fill(rule, &mut steps);
        if self.waiting.iter().any(|entry| entry.plan == plan) {
            steps.push(Step::Wait(plan));
        }
        Ok(steps)
    }

    /// A run is over, or wants no place any more.
    pub(super) fn leave(&mut self, plan: &Name, rule: Rule) -> Vec<Step> {
        self.running.retain(|running| running != plan);
        self.waiting.retain(|entry| entry.plan != *plan);
        let mut steps = Vec::new();
        self.fill(rule, &mut steps);
        steps
    }

    /// Whether this run holds a place, or waits for one.
    pub(super) fn knows(&self, plan: &Name) -> bool {
        self.running.contains(plan) || self.waiting.iter().any(|entry| entry.plan == *plan)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    fn fill(&mut self, rule: Rule, steps: &mut Vec<Step>) {
        let room = rule.most().saturating_sub(self.running.len()).min(self.waiting.len());
        for entry in self.waiting.drain(..room) {
            self.running.push(entry.plan.clone());
            steps.push(Step::Admit(entry));
        }
    }
}

#[cfg(test)]
mod tests;
