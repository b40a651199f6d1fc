//! Judges what was parsed: words every mistake, and collects them all.

mod driver;
mod handler;
mod hook;
mod method;
mod options;
mod payload;
mod twice;

pub(crate) use driver::{driver, root};
pub(crate) use payload::payload;

const EFFECTS: [(&str, &str); 3] =
    [("reads", "Reads"), ("writes_context", "WritesContext"), ("acts_outside", "ActsOutside")];
