//! Instructions: workflows as data, checked before they run, and the plans that they become.

mod expression;
mod instruction;
mod run;

pub use instruction::{Act, ForEach, Input, InputKind, Instruction, OnError, Retry, Step, Trigger};
