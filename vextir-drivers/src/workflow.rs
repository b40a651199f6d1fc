//! Instructions: workflows as data, checked before they run, and the plans that they become.

mod catalogue;
mod check;
#[cfg_attr(not(test), expect(dead_code, reason = "rendering belongs to the runner"))]
mod expression;
mod fault;
mod instruction;
mod read;
mod run;

pub use catalogue::Catalogue;
pub use expression::{Condition, Template};
pub use fault::{Fault, Faults};
pub use instruction::{Act, ForEach, Input, InputKind, Instruction, OnError, Retry, Step, Trigger};
