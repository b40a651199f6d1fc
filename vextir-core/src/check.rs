//! The check of a whole application: whether everything that is emitted is handled, whether everything that handles can be
//! reached, what goes round in circles, and which schemas do not meet.
//!
//! ```
//! # extern crate vextir_core as vextir;
//! use vextir::check::{Check, FindingKind};
//! use vextir::prelude::*;
//! use vextir::MemoryBus;
//!
//! #[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
//! #[payload(type = "mail.received", category = "input")]
//! struct Received { text: String }
//!
//! #[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
//! #[payload(type = "mail.sorted")]
//! struct Sorted { folder: String }
//!
//! struct Sorter;
//!
//! #[driver("sorter", effect = "reads")]
//! impl Sorter {
//!     #[on]
//!     async fn sort(&self, _mail: Received) -> Sorted {
//!         Sorted { folder: "inbox".into() }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> vextir::Result<()> {
//! let app = Processor::builder(MemoryBus::new()).driver(Sorter).start().await?;
//! let report = app.check_with(Check::new().inputs(["mail.received"])).await?;
//! println!("{report}");
//! assert!(!report.is_clean());
//! assert_eq!(report.findings()[0].kind, FindingKind::Unhandled);
//! assert!(report.graph().to_mermaid().contains("mail.sorted"));
//! app.shutdown().await
//! # }
//! ```
//!
//! # What is known
//!
//! * What each driver's manifest says that it handles, and which payloads its handlers return. What a handler emits through
//!   its context, or returns as a raw [`Event`](crate::Event), nobody knows before it does.
//! * What a driver tells of itself beside that ([`Driver::wiring`](crate::Driver::wiring)): the steps of an instruction, what
//!   a watching driver emits.
//! * The schedules that are armed, and the patterns of open subscriptions.
//! * What the kernel says: `error`, `lease.held`, `branch.ended` and the scheduler's events.
//! * What comes from outside and what goes there, as far as the application says so: [`Check::inputs`], [`Check::outputs`].
//!
//! # What is found
//!
//! | finding | when |
//! |---|---|
//! | [`Unhandled`](FindingKind::Unhandled) | no driver handles what a step, a schedule or a driver emits |
//! | [`Unreachable`](FindingKind::Unreachable) | nothing emits what a handler, a trigger, a step or a subscription waits for |
//! | [`Cycle`](FindingKind::Cycle) | events that cause each other |
//! | [`Mismatch`](FindingKind::Mismatch) | what is emitted does not fit what handles it |
//! | [`Incomplete`](FindingKind::Incomplete) | something could not be looked at |
//!
//! Without [`Check::inputs`] anything may come from outside, so that what nothing emits is only a note. An event of the
//! category `output` or `input` that nobody handles is a note too, and so is the answer to a step. A cycle is a note where the limits of a
//! causal tree stop it and a condition, or code, decides whether it goes on.

mod circuit;
mod cycle;
mod finding;
mod graph;
mod known;
mod meet;
mod near;
mod reach;
mod schema;
mod unhandled;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use circuit::Facts;
#[cfg(feature = "schedule")]
pub(crate) use circuit::Scheduled;
pub use finding::{Finding, FindingKind, Severity};
pub use graph::{Edge, Graph, Node, NodeKind, mermaid_text};
pub use known::Known;
pub use wire::{Wire, WireEnd, Wiring};

use crate::{Error, EventFilter, Pattern, Result};
use circuit::Circuit;
use serde::Serialize;
use std::fmt;

/// How many findings are kept; further ones are counted.
const KEPT: usize = 500;
/// How many findings are drawn on a terminal.
const SHOWN: usize = 100;

/// What the application says of itself, for [`Processor::check_with`](crate::Processor::check_with).
#[derive(Debug, Default)]
pub struct Check {
    /// What comes from outside, if that was said.
    inputs: Option<Vec<Pattern>>,
    outputs: Vec<Pattern>,
    wrong: Option<Error>,
}

impl Check {
    /// Anything may come from outside.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what comes from outside: what the application emits, and what drivers emit that watch something and do not say
    /// what. A pattern or a list of them; may be said several times. From the first time on nothing else comes from outside.
    #[must_use]
    pub fn inputs<F: TryInto<EventFilter, Error: Into<Error>>>(mut self, patterns: F) -> Self {
        let said = self.read(patterns);
        self.inputs.get_or_insert_default().extend(said);
        self
    }

    /// Says what the application itself takes: answers that it requests, events that it reads in the log.
    #[must_use]
    pub fn outputs<F: TryInto<EventFilter, Error: Into<Error>>>(mut self, patterns: F) -> Self {
        let said = self.read(patterns);
        self.outputs.extend(said);
        self
    }

    fn read<F: TryInto<EventFilter, Error: Into<Error>>>(&mut self, patterns: F) -> Vec<Pattern> {
        match patterns.try_into().map_err(Into::into) {
            Ok(filter) => filter.patterns().to_vec(),
            Err(error) => {
                self.wrong.get_or_insert(error);
                Vec::new()
            }
        }
    }

    /// What is wrong with the patterns is told once.
    pub(crate) fn take_wrong(&mut self) -> Result<()> {
        self.wrong.take().map_or(Ok(()), Err)
    }
}

/// What was found, and how everything hangs together. `Display` is for a person at a terminal: errors and warnings, and how
/// many notes there are; with `{:#}` the notes too.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    findings: Vec<Finding>,
    /// How many findings are not among them.
    omitted: usize,
    graph: Graph,
}

impl Report {
    /// What was found, the worst first; at most 500.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many findings there are beyond those that are kept.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Whether there is nothing to mend: no errors and no warnings. There may be notes.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        // The worst come first, so that none of them is omitted before a note.
        self.findings.first().is_none_or(|worst| worst.severity == Severity::Note)
    }

    /// How everything hangs together.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Decides: what is known, to what is found.
    pub(crate) fn of(facts: &Facts) -> Self {
        let circuit = Circuit::of(facts);
        let mut findings = facts.told.clone();
        findings.extend(facts.wirings.values().flat_map(|wiring| wiring.findings.iter().cloned()));
        unhandled::find(&circuit, &mut findings);
        reach::find(&circuit, &mut findings);
        cycle::find(&circuit, &mut findings);
        meet::find(&circuit, &mut findings);
        findings.sort();
        findings.dedup();
        let omitted = findings.len().saturating_sub(KEPT);
        findings.truncate(KEPT);
        near::advise(&circuit, &mut findings);
        Self { findings, omitted, graph: Graph::of(&circuit) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let notes = f.alternate();
        let wanted = self.findings.iter().filter(|one| notes || one.severity != Severity::Note);
        let shown: Vec<&Finding> = wanted.collect();
        for finding in shown.iter().take(SHOWN) {
            writeln!(f, "{finding}")?;
        }
        let omitted = if shown.len() == self.findings.len() { self.omitted } else { 0 };
        let more = shown.len().saturating_sub(SHOWN) + omitted;
        if more > 0 {
            writeln!(f, "and {more} more")?;
        }
        let count = |severity| self.findings.iter().filter(|one| one.severity == severity).count();
        let counts = [
            (count(Severity::Error), "error", "errors"),
            (count(Severity::Warning), "warning", "warnings"),
            (count(Severity::Note), "note", "notes"),
        ];
        let said: Vec<String> = counts
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
            .collect();
        let of = |kind, one, many| {
            let count = self.graph.nodes().iter().filter(|node| node.kind == kind).count();
            format!("{count} {}", if count == 1 { one } else { many })
        };
        let drivers = of(NodeKind::Driver, "driver", "drivers");
        let schedules = of(NodeKind::Schedule, "schedule", "schedules");
        let events = of(NodeKind::Event, "type of event", "types of events");
        let found = if self.omitted > 0 {
            format!("{} findings", self.findings.len() + self.omitted)
        } else if said.is_empty() {
            "nothing found".to_owned()
        } else {
            said.join(", ")
        };
        write!(f, "{found} in {drivers}, {schedules} and {events}")
    }
}
