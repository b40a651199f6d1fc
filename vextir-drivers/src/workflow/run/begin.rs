//! Begins a run.

use super::command::Command;
use super::names::measure;
use super::part::Parts;
use super::state::{Cause, Dag, Node, Run, RunStatus};
use super::turn::{Turn, moment};
use super::world::{Stop, World};
use crate::workflow::instruction::{Input, Instruction};
use serde_json::{Map, Value};
use std::sync::Arc;
use vextir::{Name, Timestamp};

/// The largest inputs, and the largest data of a trigger that stand in the document, in bytes of JSON.
const INPUTS: usize = 256 << 10;
const TRIGGER: usize = 64 << 10;

/// How a run begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Start {
    /// Unique for its user.
    pub(crate) run: Name,
    /// The time that the firing stands for, from which `yesterday` is counted.
    pub(crate) slot: Timestamp,
    /// A name of the IANA database.
    pub(crate) timezone: String,
    /// What began it, with all its data.
    pub(crate) trigger: Option<Cause>,
    /// What was given.
    pub(crate) inputs: Map<String, Value>,
}

/// A new run and what is to be done first. One whose inputs do not fit has failed at once.
///
/// # Errors
/// [`Stop::Wanted`]: the first step reads a large trigger.
pub(crate) fn begin(
    instruction: &Instruction,
    start: Start,
    world: &dyn World,
) -> Result<(Run, Vec<Command>), Stop> {
    let mut run = ready(instruction, start, world);
    let commands = first(instruction, &mut run, world)?;
    Ok((run, commands))
}

/// A new run that waits for its turn ([`Happened::Turn`](super::Happened::Turn)).
pub(crate) fn ready(instruction: &Instruction, start: Start, world: &dyn World) -> Run {
    let checked = moment(start.slot, &start.timezone).and_then(|_| given(&instruction.inputs, start.inputs));
    let (inputs, error) = match checked {
        Ok(inputs) => (inputs, None),
        Err(error) => (Map::new(), Some(error)),
    };
    let trigger = start.trigger.map(|mut cause| {
        cause.data = cause.data.filter(|data| measure(data) <= TRIGGER);
        Arc::new(cause)
    });
    let nodes = instruction.steps.iter().map(|step| (step.id.clone(), Node::new(step)));
    Run {
        id: start.run,
        instruction_id: instruction.id.clone(),
        hash: instruction.hash.clone(),
        status: RunStatus::Pending,
        started: world.now(),
        ended: None,
        slot: start.slot,
        timezone: start.timezone,
        inputs: Arc::new(inputs),
        trigger,
        error,
        failing: None,
        paused: false,
        round: 0,
        inline: 0,
        dag: Dag { nodes: nodes.collect() },
        parts: Parts::default(),
    }
}

impl Turn<'_> {
    pub(super) fn begin_in_turn(&mut self) {
        if self.run.status == RunStatus::Pending {
            self.run.started = self.world.now();
            self.start();
        }
    }

    fn start(&mut self) {
        if self.run.error.is_some() {
            self.over(RunStatus::Failed);
        }
        self.moved = !self.run.status.is_over();
    }
}

/// Begins what can begin in a run that stands still.
pub(super) fn first(
    instruction: &Instruction,
    run: &mut Run,
    world: &dyn World,
) -> Result<Vec<Command>, Stop> {
    let mut turn = Turn::new(instruction, run, world);
    turn.start();
    turn.close()
}

/// The inputs with their defaults.
pub(crate) fn given(declared: &[Input], mut given: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let unknown = given.keys().find(|name| !declared.iter().any(|input| input.name == **name));
    if let Some(name) = unknown {
        let names: Vec<&str> = declared.iter().map(|input| input.name.as_str()).collect();
        return Err(format!("there is no input `{name}`; there are: {}", names.join(", ")));
    }
    // A null where that cannot be meant is as good as nothing.
    given.retain(|name, value| {
        let input = declared.iter().find(|input| input.name == *name);
        !value.is_null() || input.is_none_or(|input| input.default.is_none() || input.kind.fits(value))
    });
    for input in declared {
        match (given.get(&input.name), &input.default) {
            (Some(value), _) if !input.kind.fits(value) => {
                return Err(format!("input `{}` takes {}", input.name, input.kind));
            }
            (Some(_), _) => {}
            (None, Some(default)) => {
                given.insert(input.name.clone(), default.clone());
            }
            (None, None) => {
                return Err(format!("input `{}` is required; it takes {}", input.name, input.kind));
            }
        }
    }
    let bytes: usize = given.values().map(measure).sum();
    if bytes > INPUTS {
        return Err(format!("the inputs have {bytes} bytes; at most {} KiB fit", INPUTS >> 10));
    }
    Ok(given)
}
