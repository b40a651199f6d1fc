//! Instructions: workflows as data, checked before they run, and the plans that they become.
//!
#![doc = include_str!("../docs/runs.md")]

#[cfg_attr(not(test), expect(dead_code, reason = "the driver that carries plans out uses it"))]
mod dry;
#[cfg_attr(not(test), expect(dead_code, reason = "what reads instructions uses it"))]
mod expression;
mod instruction;
mod plan;
#[cfg_attr(
    not(test),
    expect(dead_code, unused_imports, reason = "the driver that carries plans out uses it")
)]
mod run;

pub use expression::{Condition, Template};
pub use instruction::{Act, ForEach, Input, InputKind, Instruction, OnError, Retry, Step, Trigger};
