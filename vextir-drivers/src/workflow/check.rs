//! Checks that need the whole instruction: how its steps depend on each other, and what they read.

mod app;
mod graph;

use super::instruction::OnError;
use super::read::{Draft, Read, Scope};
use crate::yaml::Found;
use crate::yaml::Shown;
use crate::yaml::word::{instead_of, list};
use graph::Graph;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// What can be read of a step.
const OF_STEP: [&str; 3] = ["status", "output", "error"];

/// Checks the steps. The result is an order in which each comes after all that it depends on.
pub(super) fn plan(
    drafts: &[Draft],
    inputs: &[String],
    is_sequence: bool,
    text: &str,
    found: &mut Found,
) -> Vec<usize> {
    let steps = Steps::of(drafts, found);
    let before = steps.dependencies(found);
    let compensates = steps.compensations(is_sequence, found);
    let graph = Graph::of(before);
    for cycle in graph.cycles() {
        steps.cycle(&cycle, found);
    }
    let known = graph.ancestors(&compensates);
    let in_order: HashSet<usize> = graph.order().iter().copied().collect();
    for (index, draft) in drafts.iter().enumerate() {
        let reads = if !in_order.contains(&index) {
            Reads::Anything
        } else if let Some(failed) = compensates.get(&index) {
            Reads::OfFailed(steps.names(failed))
        } else if is_sequence {
            Reads::OfSequence
        } else {
            Reads::OfDependencies
        };
        let reader = Reader { text, steps: &steps, inputs, index, draft, known: &known, reads };
        reader.names(found);
        for (scope, read) in &draft.reads {
            reader.check(*scope, read, found);
        }
    }
    graph.order().to_vec()
}

/// Checks what the condition of a trigger reads: the event.
pub(super) fn trigger(reads: &[Read], text: &str, found: &mut Found) {
    for read in reads {
        let Some(name) = read.path.first() else { continue };
        if name != "event" {
            let message =
                format!("the condition of a trigger reads `event`; there is no {} yet", Shown(name));
            found.with_help(read.at(text, found), message, "write `event.type` or `event.data`");
        }
    }
}

struct Steps<'d> {
    drafts: &'d [Draft],
    by_id: HashMap<&'d str, usize>,
    ids: Vec<&'d str>,
}

impl<'d> Steps<'d> {
    /// Steps by their ids. An id that is there twice is found.
    fn of(drafts: &'d [Draft], found: &mut Found) -> Self {
        let mut by_id = HashMap::new();
        for (index, draft) in drafts.iter().enumerate() {
            let Some(id) = draft.id.as_deref().filter(|id| !id.is_empty()) else { continue };
            if by_id.contains_key(id) {
                let message = format!("there is another step `{id}` above");
                found.with_help(draft.at.clone(), message, "each step has an id of its own");
            } else {
                by_id.insert(id, index);
            }
        }
        let ids = drafts.iter().filter_map(|draft| draft.id.as_deref()).collect();
        Self { drafts, by_id, ids }
    }

    fn id(&self, index: usize) -> &'d str {
        self.drafts.get(index).and_then(|draft| draft.id.as_deref()).unwrap_or_default()
    }

    /// What each step depends on. Steps that are not there are found.
    fn dependencies(&self, found: &mut Found) -> Vec<Vec<usize>> {
        let mut all = Vec::with_capacity(self.drafts.len());
        for draft in self.drafts {
            let mut before = Vec::new();
            for (id, at) in &draft.depends_on {
                match self.by_id.get(id.as_str()) {
                    Some(index) => before.push(*index),
                    None => self.missing(id, at, found),
                }
            }
            all.push(before);
        }
        all
    }

    /// For each step that compensates, the steps that it compensates for.
    fn compensations(&self, is_sequence: bool, found: &mut Found) -> HashMap<usize, Vec<usize>> {
        let mut all: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, draft) in self.drafts.iter().enumerate() {
            let OnError::Compensate(id) = &draft.on_error else { continue };
            let at = draft.compensate_at.clone();
            if is_sequence {
                let message = "steps without ids follow each other; none of them waits for a failure";
                found.with_help(at, message, "give the steps ids, and say what each depends on");
                continue;
            }
            match self.by_id.get(id.as_str()) {
                Some(target) if *target == index => {
                    found.add(at, format!("`{id}` cannot compensate for itself"))
                }
                Some(target) => all.entry(*target).or_default().push(index),
                None => self.missing(id, &at, found),
            }
        }
        for (target, failed) in &all {
            self.compensation(*target, failed, found);
        }
        for draft in self.drafts {
            for (id, at) in &draft.depends_on {
                if let Some(failed) = self.by_id.get(id.as_str()).and_then(|target| all.get(target)) {
                    let message = format!("`{id}` is done only when {} failed", self.names(failed));
                    found.with_help(at.clone(), message, "nothing can depend on it");
                }
            }
        }
        all
    }

    fn missing(&self, id: &str, at: &Range<usize>, found: &mut Found) {
        let help = instead_of(id, &self.ids, found.is_crowded());
        found.note(at.clone(), format!("there is no step {}", Shown(id)), help.or_else(|| self.few()));
    }

    /// All of them, where they are few.
    fn few(&self) -> Option<String> {
        const SHOWN: usize = 8;
        (self.ids.len() <= SHOWN).then(|| format!("the steps are {}", list(&self.ids)))
    }

    /// A step that compensates waits for a failure, and for nothing else.
    fn compensation(&self, target: usize, failed: &[usize], found: &mut Found) {
        let Some(draft) = self.drafts.get(target) else { return };
        let why = || format!("`{}` is done when {} failed", self.id(target), self.names(failed));
        if let Some(at) = &draft.depends_at {
            found.with_help(at.clone(), format!("{}, and depends on nothing else", why()), "leave it out");
        }
        if matches!(draft.on_error, OnError::Compensate(_)) {
            let message = format!("{}; nothing compensates for it in turn", why());
            found.with_help(draft.compensate_at.clone(), message, "write `on_error: fail`");
        }
    }

    fn names(&self, indexes: &[usize]) -> String {
        const SHOWN: usize = 5;
        list(&indexes.iter().take(SHOWN).map(|index| self.id(*index)).collect::<Vec<_>>())
    }

    fn cycle(&self, cycle: &[usize], found: &mut Found) {
        const SHOWN: usize = 10;
        let (Some(first), Some(second)) = (cycle.first(), cycle.get(1).or(cycle.first())) else { return };
        let Some(draft) = self.drafts.get(*first) else { return };
        let next = self.id(*second);
        let entry = draft.depends_on.iter().find(|(id, _)| *id == next);
        let at = entry.map_or_else(|| draft.at.clone(), |(_, at)| at.clone());
        if cycle.len() == 1 {
            return found.add(at, format!("`{next}` waits for itself"));
        }
        let mut names: Vec<String> = cycle.iter().map(|index| format!("`{}`", self.id(*index))).collect();
        if names.len() > SHOWN {
            names.truncate(SHOWN);
            names.push("..".to_owned());
        }
        let first = self.id(*first);
        let message = format!("steps wait for each other: {} -> `{first}`", names.join(" -> "));
        found.with_help(at, message, "an arrow points at what a step depends on; take one of them away");
    }
}

/// Why a step may read what it reads.
enum Reads {
    OfDependencies,
    OfSequence,
    /// It compensates for these.
    OfFailed(String),
    /// It waits for itself, which is said already.
    Anything,
}

/// A step, and what it may read.
struct Reader<'r> {
    text: &'r str,
    steps: &'r Steps<'r>,
    inputs: &'r [String],
    index: usize,
    draft: &'r Draft,
    known: &'r graph::Ancestors,
    reads: Reads,
}

impl Reader<'_> {
    fn at(&self, read: &Read, found: &Found) -> Range<usize> {
        read.at(self.text, found)
    }

    /// An element must not hide a step.
    fn names(&self, found: &mut Found) {
        if let Some(each) = &self.draft.for_each
            && self.steps.by_id.contains_key(each.name.as_str())
        {
            let message = format!("the element of this step is called `{}`, and so is a step", each.name);
            found.with_help(self.draft.at.clone(), message, "call the element something else, with `as`");
        }
    }

    fn check(&self, scope: Scope, read: &Read, found: &mut Found) {
        let Some((name, rest)) = read.path.split_first() else { return };
        let each = self.draft.for_each.as_ref().map(|each| each.name.as_str());
        match name.as_str() {
            "trigger" => {}
            "inputs" => self.input(read, rest, found),
            "event" if scope == Scope::Event => {}
            "event" => found.with_help(
                self.at(read, found),
                "there is no `event` here",
                "the trigger's event is `trigger`",
            ),
            element if each == Some(element) || element == "index" && each.is_some() => {
                if scope == Scope::Whole {
                    let message = format!("`{element}` is known only in what is done for each element");
                    found.add(self.at(read, found), message);
                }
            }
            "item" | "index" => {
                let why = if each.is_some() { "" } else { ": the step has no `for_each`" };
                let help = each.map(|each| format!("the element is called `{each}`"));
                found.note(self.at(read, found), format!("there is no `{name}` here{why}"), help);
            }
            other => match self.steps.by_id.get(other) {
                Some(step) => self.step(*step, read, rest, found),
                None => self.nobody(other, read, found),
            },
        }
    }

    fn input(&self, read: &Read, rest: &[String], found: &mut Found) {
        let Some(name) = rest.first() else { return };
        if self.inputs.iter().any(|input| input == name) {
            return;
        }
        let help = instead_of(name, self.inputs, found.is_crowded());
        let help = help.unwrap_or_else(|| match self.inputs {
            [] => format!("write `inputs:` and below it `- name: {}`", Shown(name)),
            inputs => format!("the inputs are {}", list(inputs)),
        });
        found.with_help(self.at(read, found), format!("there is no input {}", Shown(name)), help);
    }

    fn step(&self, step: usize, read: &Read, rest: &[String], found: &mut Found) {
        let id = self.steps.id(step);
        if step == self.index {
            return found.add(self.at(read, found), format!("`{id}` reads itself"));
        }
        if !self.known.has(self.index, step) {
            let own = self.steps.id(self.index);
            let help = match &self.reads {
                Reads::Anything => return,
                Reads::OfDependencies => format!("write `depends_on: [{id}]` in `{own}`"),
                Reads::OfSequence => "a step reads those above it".to_owned(),
                Reads::OfFailed(failed) => {
                    format!("`{own}` is done when {failed} failed; it reads that, and what is before it")
                }
            };
            return found.with_help(
                self.at(read, found),
                format!("`{id}` may not have run before `{own}`"),
                help,
            );
        }
        if let Some(part) = rest.first().filter(|part| !OF_STEP.contains(&part.as_str())) {
            let message = format!("a step has no {}", Shown(part));
            let help = instead_of(part, &OF_STEP, found.is_crowded());
            let step = if id.contains('-') { format!("steps['{id}']") } else { id.to_owned() };
            let help =
                help.unwrap_or_else(|| format!("write `{step}.output.{part}`, or read {}", list(&OF_STEP)));
            found.with_help(self.at(read, found), message, help);
        }
    }

    fn nobody(&self, name: &str, read: &Read, found: &mut Found) {
        let mut known: HashSet<&str> = self.steps.ids.iter().copied().collect();
        known.extend(["inputs", "trigger"]);
        known.extend(self.draft.for_each.as_ref().map(|each| each.name.as_str()));
        let known: Vec<&str> = known.into_iter().collect();
        let help = instead_of(name, &known, found.is_crowded());
        let help = help.or_else(|| {
            let input = self.inputs.iter().find(|input| *input == name);
            input.map(|input| format!("write `inputs.{input}`")).or_else(|| self.steps.few())
        });
        let message = format!("there is no step {}", Shown(name));
        found.note(self.at(read, found), message, help);
    }
}
