//! What the machine can do at most: the limits that our figures are divided by.

mod disk;
mod emit;
mod event_loop;
mod lookup;
mod raw_yrs;
pub(crate) mod row_per_key;
pub(crate) mod rows;
pub(crate) mod trace;
mod view;

pub(crate) use disk::one_sync;
pub(crate) use emit::{emit_in_batches, emit_one_by_one};
pub(crate) use event_loop::event_loop;
pub(crate) use lookup::hash_hit;
pub(crate) use raw_yrs::{yrs_editing, yrs_editing_stored, yrs_reopening};
pub(crate) use row_per_key::row_update;
pub(crate) use view::open_views;
