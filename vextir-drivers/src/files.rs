//! x
mod hash;
mod ignore;
mod join;
mod name;
mod record;
mod walk;
pub use name::{escape, unescape};
