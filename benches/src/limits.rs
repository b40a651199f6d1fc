//! What the machine can do at most: the limits that our figures are divided by.

mod disk;
mod emit;
mod event_loop;
mod lookup;
pub(crate) mod rows;

pub(crate) use disk::one_sync;
pub(crate) use emit::{emit_in_batches, emit_one_by_one};
pub(crate) use event_loop::event_loop;
pub(crate) use lookup::hash_hit;
