//! One transition: what every part of it shares, and what begins when.

use super::command::{At, Command};
use super::state::{Failing, Node, NodeStatus, Phase, Run};
use super::world::{Stop, Wanted, World};
use crate::workflow::instruction::{Act, Instruction, OnError, Step};
use jiff::Zoned;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use vextir::{Name, Timestamp};

/// The longest error that is kept, in bytes.
const ERROR: usize = 2_000;

pub(super) struct Turn<'a> {
    pub(super) instruction: &'a Instruction,
    pub(super) run: &'a mut Run,
    pub(super) world: &'a dyn World,
    pub(super) commands: Vec<Command>,
    /// What was read and is not at hand. Where something is, all else is worth nothing: the transition is done again.
    pub(super) wanted: Wanted,
    /// A step is over, so others may begin.
    pub(super) moved: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn new(instruction: &'a Instruction, run: &'a mut Run, world: &'a dyn World) -> Self {
        Self { instruction, run, world, commands: Vec::new(), wanted: Wanted::default(), moved: false }
    }

    /// Begins what can begin now, ends the run if nothing is left, and gives the commands.
    pub(super) fn close(mut self) -> Result<Vec<Command>, Stop> {
        if self.moved {
            self.advance();
        }
        self.finish();
        if self.wanted.is_empty() { Ok(self.commands) } else { Err(Stop::Wanted(self.wanted)) }
    }

    /// Steps are in the order of their dependencies, so one pass finds all, also where one is over at once.
    fn advance(&mut self) {
        let instruction = self.instruction;
        let reserved = compensations(instruction);
        for step in &instruction.steps {
            if !reserved.contains(&step.id) && self.is_ready(step) {
                self.begin(step);
            }
            if !self.wanted.is_empty() {
                return;
            }
        }
        let compensation = self.run.failing.as_ref().and_then(|failing| failing.compensate.clone());
        if let Some(step) = compensation.and_then(|id| self.find(&id))
            && self.may_begin(step)
            && self.node(&step.id).is_some_and(|node| node.status == NodeStatus::Pending)
        {
            self.begin(step);
        }
    }

    fn is_ready(&self, step: &Step) -> bool {
        self.may_begin(step)
            && self.node(&step.id).is_some_and(|node| node.status == NodeStatus::Pending)
            && step.depends_on.iter().all(|id| self.is_over(id))
    }

    /// Whether what depends on it may begin.
    pub(super) fn is_over(&self, id: &Name) -> bool {
        match self.node(id).map(|node| node.status) {
            Some(NodeStatus::Completed | NodeStatus::Skipped) => true,
            Some(NodeStatus::Failed) => self.find(id).is_some_and(|step| step.on_error == OnError::Continue),
            _ => false,
        }
    }

    /// Whether the state of the run lets a step, or one more element of it, begin.
    pub(super) fn may_begin(&self, step: &Step) -> bool {
        !self.run.paused && !self.run.status.is_over() && self.may_go_on(step)
    }

    /// Whether the step's end still matters: in a run that fails, only that of the compensation does.
    pub(super) fn may_go_on(&self, step: &Step) -> bool {
        self.run.failing.as_ref().is_none_or(|failing| failing.compensate.as_ref() == Some(&step.id))
    }

    fn begin(&mut self, step: &'a Step) {
        let now = self.world.now();
        if let Some(node) = self.node_mut(&step.id) {
            node.started = Some(now);
        }
        if let Some(condition) = &step.condition {
            let names = self.names(&condition.references(), None);
            match names.and_then(|names| self.world.holds(condition, &names)) {
                Ok(true) => {}
                Ok(false) => return self.end(step, NodeStatus::Skipped),
                Err(error) => return self.fail_step(step, format!("its condition: {error}")),
            }
        }
        if let Some(node) = self.node_mut(&step.id) {
            node.status = NodeStatus::Running;
        }
        match &step.for_each {
            Some(each) => self.open(step, each),
            None => self.launch(step, None),
        }
    }

    /// The step is over.
    pub(super) fn end(&mut self, step: &Step, status: NodeStatus) {
        let now = self.world.now();
        if let Some(node) = self.node_mut(&step.id) {
            node.status = status;
            node.ended = Some(now);
        }
        self.moved = true;
    }

    /// The step has failed for good.
    pub(super) fn fail_step(&mut self, step: &Step, error: String) {
        let error = shortened(error);
        if let Some(node) = self.node_mut(&step.id) {
            node.error = Some(error.clone());
        }
        self.end(step, NodeStatus::Failed);
        if step.on_error != OnError::Continue {
            self.doom(step, &error);
        }
    }

    /// The first step that fails decides what becomes of the run. What others do then is noted at them.
    fn doom(&mut self, step: &Step, error: &str) {
        let Some(failing) = &self.run.failing else {
            let compensate = match &step.on_error {
                OnError::Compensate(id) => Some(id.clone()),
                OnError::Fail | OnError::Continue => None,
            };
            self.run.failing = Some(Failing { step: step.id.clone(), compensate });
            self.run.error = Some(format!("step `{}`: {error}", step.id));
            return self.give_up();
        };
        if failing.compensate.as_ref() == Some(&step.id) {
            let first = self.run.error.take().unwrap_or_default();
            self.run.error =
                Some(shortened(format!("{first}; and its compensation `{}` failed: {error}", step.id)));
        }
    }

    /// What nobody works at is not waited for: tries that are to come, events, people, and what is held.
    fn give_up(&mut self) {
        for step in &self.instruction.steps {
            let Some(node) = self.node_mut(&step.id) else { continue };
            let waits = matches!(step.act, Act::WaitFor { .. } | Act::Approve { .. });
            let idle: Vec<u32> = node
                .at_work
                .iter()
                .filter(|(_, slot)| waits || slot.phase != Phase::Working || slot.error.is_some())
                .map(|(item, _)| *item)
                .collect();
            for item in idle {
                self.drop_slot(step, item);
            }
            self.settle_fan(step);
        }
    }

    /// Takes an attempt, or the wait after it, out of the work.
    fn drop_slot(&mut self, step: &Step, item: u32) {
        let Some(slot) = self.node_mut(&step.id).and_then(|node| node.at_work.remove(&item)) else { return };
        let at =
            At { step: step.id.clone(), item: step.for_each.as_ref().map(|_| item), attempt: slot.attempt };
        self.stop(step, &at, slot.phase);
        let status = if slot.phase == Phase::Working { NodeStatus::Cancelled } else { NodeStatus::Failed };
        let Some(node) = self.node_mut(&step.id) else { return };
        match &mut node.items {
            Some(fan) => {
                fan.lost.insert(item);
            }
            None => {
                node.error = slot.error;
                self.end(step, status);
            }
        }
    }

    /// Ends what an attempt began, and its timers.
    pub(super) fn stop(&mut self, step: &Step, at: &At, phase: Phase) {
        let at = at.clone();
        match phase {
            Phase::Working => {
                self.stop_timeout(step, &at);
                self.commands.push(Command::CancelBranch { at });
            }
            Phase::Waiting => self.commands.push(Command::StopTimer { at, what: super::Due::Retry }),
            Phase::Ready => {}
        }
    }

    pub(super) fn stop_timeout(&mut self, step: &Step, at: &At) {
        if step.timeout.is_some() {
            self.commands.push(Command::StopTimer { at: at.clone(), what: super::Due::Timeout });
        }
    }

    pub(super) fn find(&self, id: &Name) -> Option<&'a Step> {
        self.instruction.steps.iter().find(|step| step.id == *id)
    }

    pub(super) fn node(&self, id: &Name) -> Option<&Node> {
        self.run.dag.nodes.get(id)
    }

    pub(super) fn node_mut(&mut self, id: &Name) -> Option<&mut Node> {
        self.run.dag.nodes.get_mut(id)
    }

    /// The moment from which relative dates are counted.
    pub(super) fn day(&self) -> Zoned {
        // A run whose zone is unknown has failed at its beginning.
        let utc = || jiff::Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        moment(self.run.slot, &self.run.timezone).unwrap_or_else(|_| utc())
    }
}

/// The steps that run for nothing else than the failure of another one.
pub(crate) fn compensations(instruction: &Instruction) -> BTreeSet<&Name> {
    let targets = instruction.steps.iter().filter_map(|step| match &step.on_error {
        OnError::Compensate(id) => Some(id),
        OnError::Fail | OnError::Continue => None,
    });
    targets.collect()
}

/// A time in a zone of the IANA database.
pub(crate) fn moment(time: Timestamp, zone: &str) -> Result<Zoned, String> {
    let known = TimeZone::get(zone).map_err(|error| format!("time zone `{zone}`: {error}"))?;
    Ok(jiff::Timestamp::from_microsecond(time.as_micros()).unwrap_or_default().to_zoned(known))
}

/// An error as it is kept.
pub(super) fn shortened(mut error: String) -> String {
    if error.len() > ERROR {
        error.truncate(error.floor_char_boundary(ERROR));
        error.push_str(" ..");
    }
    error
}
