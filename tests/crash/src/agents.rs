//! The same for agents: runs that ask models and tools outside of the file, agents that ask agents, runs that fail or are
//! cancelled.
//!
//! * [`work`] has the questions, and what must come of each.
//! * [`model`] is the model that is asked, and [`tools`] are the tools: both note each call before they answer.
//! * [`journal`] is what they note: how often something outside was really asked.
//! * [`child`] is the program: it asks agents, and is the person who cancels.
//! * [`check`] holds the file and the journal against that.
//! * [`sabotage`] breaks copies of both, to see that the check can fail.

pub mod check;
pub mod child;
pub mod journal;
pub mod model;
pub mod sabotage;
pub mod tools;
pub mod work;

/// The emitters' users; an emitter is known by its index.
pub const USERS: [&str; 2] = ["ann", "bob"];
