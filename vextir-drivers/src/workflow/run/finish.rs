//! Whether a run is over, and what it gives then.

use super::command::{At, Command};
use super::names::measure;
use super::state::{NodeStatus, Phase, Run, RunStatus};
use super::turn::{Turn, compensations, shortened};
use super::world::World;
use crate::workflow::instruction::Step;
use serde_json::{Map, Value};

/// The largest output of a run, in bytes of JSON.
const OUTPUT: usize = 512 << 10;

/// Ends a run that cannot go on, since there is no instruction to go on with: all that is at work is cancelled. Its
/// timers may still come; they change nothing.
pub(crate) fn abandon(run: &mut Run, reason: &str, world: &dyn World) -> Vec<Command> {
    if run.status.is_over() {
        return Vec::new();
    }
    let mut commands = Vec::new();
    for (id, node) in &mut run.dag.nodes {
        if matches!(node.status, NodeStatus::Running | NodeStatus::Held) {
            node.status = NodeStatus::Cancelled;
        }
        let slots = std::mem::take(&mut node.at_work);
        if let Some(fan) = &mut node.items {
            fan.lost.extend(slots.keys().copied());
        }
        for (item, slot) in slots {
            let item = node.items.as_ref().map(|_| item);
            if slot.phase == Phase::Working {
                let at = At { step: id.clone(), item, attempt: slot.attempt };
                commands.push(Command::CancelBranch { at });
            }
        }
    }
    let (status, error) = (RunStatus::Failed, Some(shortened(reason.to_owned())));
    (run.status, run.error, run.paused, run.ended) = (status, error.clone(), false, Some(world.now()));
    commands.push(Command::Finished { round: run.round, status, output: Value::Null, error });
    commands
}

impl<'a> Turn<'a> {
    /// Ends the run if nothing is at work and nothing can begin; else says how it stands.
    pub(super) fn finish(&mut self) {
        if self.run.status.is_over() {
            return;
        }
        let nodes = &self.run.dag.nodes;
        let working = nodes.values().filter(|node| !node.at_work.is_empty());
        let (mut at_work, mut held) = (0, 0);
        for node in working {
            at_work += 1;
            held += usize::from(node.status == NodeStatus::Held);
        }
        if at_work == 0 && self.run.failing.is_some() {
            let to_compensate = self.run.failing.as_ref().and_then(|failing| failing.compensate.as_ref());
            let pending = |node: &super::Node| !node.status.is_settled();
            if !to_compensate.and_then(|id| nodes.get(id)).is_some_and(pending) {
                return self.over(RunStatus::Failed);
            }
        } else if at_work == 0 && self.run.failing.is_none() {
            let (all, skipped) = self.ends();
            if all {
                return self.over(if skipped { RunStatus::Skipped } else { RunStatus::Completed });
            }
        }
        self.run.status = match () {
            () if self.run.paused => RunStatus::Paused,
            () if at_work > 0 && at_work == held => RunStatus::Held,
            () => RunStatus::Executing,
        };
    }

    /// Whether all steps are over, and whether all were skipped.
    fn ends(&self) -> (bool, bool) {
        let reserved = compensations(self.instruction);
        let mut steps = self.instruction.steps.iter().filter(|step| !reserved.contains(&step.id)).peekable();
        let any = steps.peek().is_some();
        let (mut over, mut skipped) = (true, any);
        for step in steps {
            over &= self.is_over(&step.id);
            skipped &= self.node(&step.id).is_some_and(|node| node.status == NodeStatus::Skipped);
        }
        (over, skipped)
    }

    pub(super) fn over(&mut self, status: RunStatus) {
        let mut error = self.run.error.clone();
        let mut output = Value::Null;
        if status == RunStatus::Completed {
            match self.last_output() {
                Ok(value) => output = value,
                Err(reason) => error = Some(format!("its output is left out: {reason}")),
            }
        }
        self.run.error.clone_from(&error);
        self.run.status = status;
        self.run.paused = false;
        self.run.ended = Some(self.world.now());
        self.commands.push(Command::Finished { round: self.run.round, status, output, error });
    }

    /// What its last steps gave: those that no other depends on.
    fn last_output(&mut self) -> Result<Value, String> {
        let reserved = compensations(self.instruction);
        let steps = &self.instruction.steps;
        let is_last = |step: &&Step| {
            !reserved.contains(&step.id) && !steps.iter().any(|other| other.depends_on.contains(&step.id))
        };
        let last: Vec<&'a Step> = steps.iter().filter(is_last).collect();
        let output = match last.as_slice() {
            [step] => (*self.output(&step.id)?).clone(),
            several => {
                let (mut outputs, mut bytes) = (Map::new(), 0);
                for step in several {
                    let output = self.output(&step.id)?;
                    bytes += measure(&output);
                    small_enough(bytes)?;
                    outputs.insert(step.id.to_string(), (*output).clone());
                }
                Value::Object(outputs)
            }
        };
        small_enough(measure(&output))?;
        Ok(output)
    }
}

fn small_enough(bytes: usize) -> Result<(), String> {
    if bytes > OUTPUT {
        return Err(format!("it has more than {} KiB", OUTPUT >> 10));
    }
    Ok(())
}
