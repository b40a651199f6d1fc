//! Judges what was parsed: words every mistake, and collects them all.

mod driver;
mod flow;
mod handler;
mod hook;
mod method;
mod options;
mod payload;
mod settings;
mod twice;

pub(crate) use driver::driver;
pub(crate) use payload::payload;
pub(crate) use settings::root;

const EFFECTS: [(&str, &str); 3] =
    [("reads", "Reads"), ("writes_context", "WritesContext"), ("acts_outside", "ActsOutside")];
