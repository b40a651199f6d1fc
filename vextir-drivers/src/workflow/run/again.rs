//! Goes on with a run that is over, and begins another one in the middle.

use super::begin::{first, given};
use super::command::Command;
use super::names::measure;
use super::part::{PART, PartKey, Parts};
use super::state::{KeptIn, NodeStatus, Run, RunStatus};
use super::turn::{Turn, compensations};
use super::world::{Stop, Wanted, World};
use crate::workflow::instruction::{Instruction, OnError, Step};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use vextir::Name;

/// Whether the run can go on from this step.
///
/// # Errors
/// Why not, for people.
pub(crate) fn may_retry(instruction: &Instruction, run: &Run, step: &Name) -> Result<(), String> {
    if !matches!(run.status, RunStatus::Failed | RunStatus::Cancelled) {
        return Err(format!("run {} has neither failed nor was it cancelled", run.id));
    }
    // One that was cancelled while it waited may still stand in a queue, which it would enter a second time.
    if run.dag.nodes.values().all(|node| node.started.is_none()) {
        let why =
            run.error.as_deref().unwrap_or("it was cancelled before its turn; run the instruction anew");
        return Err(format!("run {} never began: {why}", run.id));
    }
    let Some(node) = run.dag.nodes.get(step) else { return Err(format!("there is no step `{step}`")) };
    if compensations(instruction).contains(step) {
        return Err(format!("step `{step}` is done only when another one fails"));
    }
    if matches!(node.status, NodeStatus::Completed | NodeStatus::Skipped) {
        return Err(format!("step `{step}` is {}; fork the run to do it again", node.status.name()));
    }
    Ok(())
}

/// How another run begins in the middle of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fork {
    /// The id of the new run.
    pub(crate) run: Name,
    /// Where it begins.
    pub(crate) step: Name,
    /// Inputs that are others than they were.
    pub(crate) inputs: Map<String, Value>,
}

/// As [`fork_ready`], and what is to be done first.
///
/// # Errors
/// As [`fork_ready`].
pub(crate) fn fork(
    instruction: &Instruction,
    run: &Run,
    fork: Fork,
    world: &dyn World,
) -> Result<(Run, Vec<Command>), Stop> {
    let mut new = fork_ready(instruction, run, fork, world)?;
    let commands = first(instruction, &mut new, world)?;
    Ok((new, commands))
}

/// A new run in which all that this step depends on, near or far, has been done already. Everything else is done anew.
///
/// # Errors
/// [`Stop::Refused`]: there is no such step, something that it depends on is not over, another version of the
/// instruction, or inputs that do not fit. [`Stop::Wanted`]: the outputs of a long `for_each` have to be copied.
pub(crate) fn fork_ready(
    instruction: &Instruction,
    run: &Run,
    fork: Fork,
    world: &dyn World,
) -> Result<Run, Stop> {
    let refused = |why: String| Err(Stop::Refused(why));
    if instruction.hash != run.hash {
        return refused(format!("run {} began with another version of `{}`", run.id, instruction.id));
    }
    let Some(step) = instruction.steps.iter().find(|step| step.id == fork.step) else {
        return refused(format!("there is no step `{}`", fork.step));
    };
    let kept = before(instruction, step);
    let mut new = run.clone();
    let (turn, ends) = (Turn::new(instruction, &mut new, world), &step.id);
    if let Some(open) = kept.iter().find(|id| !turn.is_over(id)) {
        return refused(format!("step `{open}`, which `{ends}` depends on, is not over"));
    }
    let mut inputs = (*run.inputs).clone();
    inputs.extend(fork.inputs);
    new.inputs = Arc::new(given(&instruction.inputs, inputs).map_err(Stop::Refused)?);
    new.parts = copied(run, &kept)?;
    let mut inline = 0;
    for (id, node) in &mut new.dag.nodes {
        if kept.contains(id) {
            inline += node.output.as_deref().map_or(0, measure);
        } else {
            node.reset();
            (node.attempts, node.base) = (0, 0);
        }
    }
    new.inline = u32::try_from(inline).unwrap_or(u32::MAX);
    (new.id, new.status, new.round, new.paused) = (fork.run, RunStatus::Pending, 0, false);
    (new.started, new.ended, new.failing, new.error) = (world.now(), None, None, None);
    Ok(new)
}

/// What a step depends on, near or far.
fn before<'a>(instruction: &'a Instruction, step: &'a Step) -> BTreeSet<&'a Name> {
    let mut all: BTreeSet<&Name> = step.depends_on.iter().collect();
    // Each step stands after all that it depends on, so one pass back finds all.
    for step in instruction.steps.iter().rev() {
        if all.contains(&step.id) {
            all.extend(&step.depends_on);
        }
    }
    all
}

/// The parts behind outputs that are kept.
fn copied(run: &Run, kept: &BTreeSet<&Name>) -> Result<Parts, Stop> {
    let (mut parts, mut wanted) = (Parts::default(), Wanted::default());
    for id in kept {
        let Some(KeptIn::Items(count)) = run.dag.nodes.get(*id).and_then(|node| node.kept_in.as_ref()) else {
            continue;
        };
        for number in 0..count.div_ceil(PART) {
            let key = PartKey { step: (*id).clone(), number };
            match run.parts.get(&key) {
                Some(part) => parts.put(key, Arc::clone(part)),
                None => {
                    wanted.parts.insert(key);
                }
            }
        }
    }
    if wanted.is_empty() { Ok(parts) } else { Err(Stop::Wanted(wanted)) }
}

impl Turn<'_> {
    /// Goes on from a step, and from all others that failed or were cut off: without them the run could not complete.
    /// What depends on them is done anew; elements of a list that are done stay done.
    pub(super) fn retry_from(&mut self, id: &Name) -> Result<(), String> {
        may_retry(self.instruction, self.run, id)?;
        let reserved = compensations(self.instruction);
        let mut undone: BTreeSet<&Name> = BTreeSet::new();
        for step in &self.instruction.steps {
            let behind = step.depends_on.iter().any(|id| undone.contains(id));
            let status = self.node(&step.id).map(|node| node.status);
            let broken = match status {
                Some(NodeStatus::Failed) => step.on_error != OnError::Continue,
                status => status == Some(NodeStatus::Cancelled),
            };
            if !(behind || broken || step.id == *id || reserved.contains(&step.id)) {
                continue;
            }
            undone.insert(&step.id);
            let keeps = !behind && self.node(&step.id).is_some_and(|node| node.items.is_some());
            if keeps {
                self.reopen(step);
            } else {
                self.undo(step);
            }
        }
        (self.run.failing, self.run.error, self.run.ended) = (None, None, None);
        self.run.status = RunStatus::Executing;
        self.run.round = self.run.round.saturating_add(1);
        self.moved = true;
        self.wake();
        Ok(())
    }

    /// A list whose elements are done in part.
    fn reopen(&mut self, step: &Step) {
        let Some(node) = self.node_mut(&step.id) else { return };
        (node.status, node.error, node.ended) = (NodeStatus::Running, None, None);
        node.base = node.attempts;
        if let Some(fan) = &mut node.items
            && step.on_error != OnError::Continue
        {
            fan.failed = 0;
        }
    }

    fn undo(&mut self, step: &Step) {
        let Some(node) = self.node_mut(&step.id) else { return };
        let bytes = node.output.as_deref().map_or(0, measure);
        let parts = node.items.as_ref().map_or(0, |fan| fan.count.div_ceil(PART));
        node.reset();
        self.run.inline = self.run.inline.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
        for number in 0..parts {
            self.run.parts.remove(PartKey { step: step.id.clone(), number });
        }
    }
}
