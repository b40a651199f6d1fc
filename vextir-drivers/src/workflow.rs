//! Instructions: workflows as data, checked before they run, and the plans that they become.
//!
#![doc = include_str!("../docs/runs.md")]

mod asking;
mod catalogue;
mod check;
mod dry;
mod expression;
mod instruction;
mod plan;
mod read;
mod run;
mod runner;

pub use crate::yaml::{Fault, Faults};
pub use catalogue::Catalogue;
pub use dry::PlannedStep;
pub use expression::{Condition, Template};
pub use instruction::{Act, ForEach, Input, InputKind, Instruction, OnError, Retry, Step, Trigger};
pub use runner::{Parent, PlanApproval, PlanFinished, Plans, Workflow};
