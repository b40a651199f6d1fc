//! Kills a program under load, again and again, and counts what its file says afterwards.
//!
//! * [`campaign`] starts the program, kills it at a random moment, and starts it again.
//! * [`child`] is the program: a processor on a hub's file, with emitters and drivers of every kind.
//! * [`log`] is what the program says about itself.
//! * [`work`] says what each emitted event must lead to.
//! * [`check`] holds the file against that, and [`promise`] counts what is broken.
//! * [`plans`] is the same for instructions: another program, and another check. [`agents`] is the same for agents.
//! * [`sabotage`] breaks a copy of the file, to see that the check can fail.

pub mod agents;
pub mod campaign;
pub mod check;
pub mod child;
pub mod log;
pub mod plans;
pub mod promise;
pub mod sabotage;
pub mod work;

/// The result of everything here: who reads it is a person.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
