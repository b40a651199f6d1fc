//! Who holds a place and who waits for one: (gate, what came) to (gate, what is to be done). Pure.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use vextir::Name;

use super::place::Place;

/// How many wait at one gate.
pub(super) const MOST_WAITING: usize = 10_000;
/// How many of those stand in the document: it is written whenever a run comes or goes. The others stand in pages.
const NEAR: usize = 32;
/// How many one page has.
const PAGE: usize = 64;

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
    /// Those that wait behind them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    behind: Vec<Pages>,
}

/// Runs of one rank that wait, in pages that stand beside the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pages {
    rank: i8,
    /// The page that has its turn next, and the one that is added to.
    first: u64,
    last: u64,
    /// How many the last one has; the others are full.
    filled: usize,
}

impl Pages {
    fn count(&self) -> usize {
        let full = usize::try_from(self.last.saturating_sub(self.first)).unwrap_or(usize::MAX);
        full.saturating_mul(PAGE).saturating_add(self.filled)
    }

    fn add(&mut self) -> Page {
        if self.filled == PAGE {
            (self.last, self.filled) = (self.last + 1, 0);
        }
        self.filled += 1;
        Page { rank: self.rank, number: self.last }
    }
}

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Page {
    pub(super) rank: i8,
    pub(super) number: u64,
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
    /// It waits behind those that the document names: it is added to this page.
    Aside(Page, Entry),
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
                Rule::Most(_) if self.count() >= MOST_WAITING => return Err(Full),
                Rule::Most(_) => {}
                Rule::Skip => return Ok(vec![Step::LeaveOut(entry)]),
                Rule::Replace => {
                    let waiting = self.waiting.drain(..).map(|entry| entry.plan);
                    steps.extend(waiting.chain(self.running.iter().cloned()).map(Step::Cancel));
                }
            }
        }
        let plan = entry.plan.clone();
        if self.is_far(entry.rank) {
            steps.extend([Step::Wait(plan), Step::Aside(self.page_for(entry.rank), entry)]);
            return Ok(steps);
        }
        self.stand(entry);
        self.fill(rule, &mut steps);
        if self.waiting.iter().any(|entry| entry.plan == plan) {
            steps.push(Step::Wait(plan));
        }
        Ok(steps)
    }

    /// Behind all that are as urgent.
    fn stand(&mut self, entry: Entry) {
        let behind = self.waiting.iter().rposition(|other| other.rank >= entry.rank);
        self.waiting.insert(behind.map_or(0, |last| last + 1), entry);
    }

    /// Whether one of this rank has its turn after all that the document names.
    fn is_far(&self, rank: i8) -> bool {
        let is_behind = self.waiting.last().is_some_and(|last| last.rank >= rank);
        self.behind.iter().any(|pages| pages.rank >= rank)
            || self.waiting.len() >= if is_behind { NEAR } else { 2 * NEAR }
    }

    fn page_for(&mut self, rank: i8) -> Page {
        if let Some(pages) = self.behind.iter_mut().find(|pages| pages.rank == rank) {
            return pages.add();
        }
        let mut pages = Pages { rank, first: 0, last: 0, filled: 0 };
        let page = pages.add();
        self.behind.push(pages);
        page
    }

    /// The page that is to be taken in ([`Gate::take_in`]) before anything else, since few stand in the document.
    pub(super) fn wanted(&self) -> Option<Page> {
        let next = self.behind.iter().max_by_key(|pages| pages.rank);
        let next = next.filter(|_| self.waiting.len() <= NEAR / 2);
        next.map(|pages| Page { rank: pages.rank, number: pages.first })
    }

    /// A page is not needed any more: those on it stand in the document.
    pub(super) fn take_in(&mut self, page: Page, entries: Vec<Entry>) {
        entries.into_iter().for_each(|entry| self.stand(entry));
        self.behind.retain_mut(|pages| {
            let is_it = pages.rank == page.rank && pages.first == page.number;
            pages.first += u64::from(is_it);
            pages.first <= pages.last
        });
    }

    fn count(&self) -> usize {
        self.waiting.len() + self.behind.iter().map(Pages::count).sum::<usize>()
    }

    /// A run is over, or wants no place any more.
    pub(super) fn leave(&mut self, plan: &Name, rule: Rule) -> Vec<Step> {
        self.running.retain(|running| running != plan);
        self.waiting.retain(|entry| entry.plan != *plan);
        let mut steps = Vec::new();
        self.fill(rule, &mut steps);
        steps
    }

    /// Whether this run holds a place, or waits for one. Those on pages are not known: who was cancelled there leaves when it
    /// has its turn.
    pub(super) fn knows(&self, plan: &Name) -> bool {
        self.running.contains(plan) || self.waiting.iter().any(|entry| entry.plan == *plan)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty() && self.behind.is_empty()
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
