//! The interpreter: what is known of a run and what happened give what is known then and what is to be done. Pure: the
//! same in gives the same out, and time comes in through [`World::now`]. One definition for checking and running.
//!
//! How a shell uses it: read the run's document, call [`step`], carry out the commands, write the document and what
//! its parts gave as changed, all in one transaction. Where `step` answers [`Stop::Wanted`], the run is as it was; the
//! shell loads what is named and calls again. What comes late, twice, or for another attempt changes nothing.
//!
//! What is bounded, and how:
//!
//! * An output of up to 64 KiB stands in the document, up to 1 MiB of them in all. A larger one is kept by reference to the
//!   event that carries it (`kept_in`), and read again when something reads it.
//! * The elements of a `for_each`, at most 10,000, and what became of each lie in parts of 16, outside the document; there
//!   an output of more than 1 KiB is kept by reference. The document holds counts and what is at work.
//! * What one step reads by its templates is at most 16 MiB.

mod again;
mod answer;
mod begin;
mod command;
mod fan;
mod finish;
mod launch;
mod names;
mod part;
mod pipe;
mod record;
mod state;
mod turn;
mod world;

#[cfg(test)]
pub(super) mod tests;

pub(crate) use again::{Fork, fork, fork_ready, may_retry};
pub(crate) use begin::{Start, begin, given, ready};
pub(crate) use command::{Answer, At, Command, Due, Happened};
pub(crate) use finish::abandon;
pub(crate) use part::{PART, Part, PartKey};
#[cfg(test)]
pub(crate) use state::KeptIn;
pub(crate) use state::{Action, Cause, Node, NodeStatus, Run, RunStatus};
pub(crate) use turn::{compensations, moment};
pub(crate) use world::{Found, Stop, World};

use super::instruction::Instruction;
use turn::Turn;

/// What follows from what happened.
///
/// # Errors
/// [`Stop::Wanted`]: something has to be loaded first. [`Stop::Refused`]: the instruction is another one than the run
/// began with, or it cannot be retried from there. The run is unchanged in both cases.
pub(crate) fn step(
    instruction: &Instruction,
    run: &mut Run,
    happened: Happened,
    world: &dyn World,
) -> Result<Vec<Command>, Stop> {
    if instruction.hash != run.hash {
        return Err(Stop::Refused(format!(
            "run {} began with another version of `{}`",
            run.id, instruction.id
        )));
    }
    let before = run.clone();
    let mut turn = Turn::new(instruction, run, world);
    let done = turn.record(happened).and_then(|()| turn.close());
    if done.is_err() {
        *run = before;
    }
    done
}
