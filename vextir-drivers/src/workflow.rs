//! Instructions: workflows as data, checked before they run, and the plans that they become.

#[cfg_attr(not(test), expect(dead_code, reason = "the loader and the runner use it"))]
mod expression;
mod instruction;
mod run;

pub use expression::{Condition, Template};
pub use instruction::{Act, ForEach, Input, InputKind, Instruction, OnError, Retry, Step, Trigger};
