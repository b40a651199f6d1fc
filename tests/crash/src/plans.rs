//! The same for plans: runs with lists, timers, waits, questions and other runs inside them.
//!
//! * [`work`] has the instructions, their drivers, and what must come of each run.
//! * [`child`] is the program: it begins runs, and is the person who answers.
//! * [`check`] holds the file against that.

pub mod check;
pub mod child;
pub mod work;

/// The emitters' users; an emitter is known by its index.
pub const USERS: [&str; 2] = ["ann", "bob"];
