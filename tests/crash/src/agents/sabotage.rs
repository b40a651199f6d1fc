//! Breaks a copy of a file and of its journal, to see that the check can fail.

use super::journal::{self, AGAIN, IN_VAIN};
use crate::Result;
use crate::campaign::copy;
use crate::sabotage::Sabotage;
use std::fmt::Write as _;
use std::path::Path;

/// Every way to break the file.
pub const ALL: [Sabotage; 6] = [
    Sabotage {
        name: "lose-question",
        script: "DELETE FROM log WHERE seq = (SELECT min(seq) FROM log WHERE type = 'spare.ask')",
        promise: "no acknowledged question is lost",
    },
    Sabotage {
        name: "lose-answer",
        script: "DELETE FROM log WHERE seq = (SELECT max(seq) FROM log WHERE type = 'spare.ask.result')",
        promise: "a run answers once if it completes, and never otherwise",
    },
    Sabotage {
        name: "lose-reply",
        script: "DELETE FROM log WHERE seq = (SELECT min(seq) FROM log WHERE type = 'model.completed')",
        promise: "a run has used what its answers cost",
    },
    Sabotage {
        name: "double-reply",
        script: "INSERT INTO log SELECT (SELECT max(seq) + 1 FROM log), logged, policy, randomblob(16), type, \
            category, time, user, source, cause, root, depth, ordering_key, deliver_at, priority, labels, \
            metadata, data, branch FROM log WHERE seq = (SELECT max(seq) FROM log WHERE type = 'model.completed')",
        promise: "a call has one answer in the log",
    },
    Sabotage {
        name: "lose-run",
        script: "DELETE FROM node WHERE id = (SELECT max(node) FROM change WHERE driver = 'spare' AND what = 0)",
        promise: "a question has one run",
    },
    Sabotage {
        name: "double-effect",
        script: "UPDATE document SET content = content || content WHERE node = \
            (SELECT max(node) FROM change WHERE driver = 'math_add' AND what = 0 AND version = 1)",
        promise: "what a tool does is done once",
    },
];

/// The ways to break the journal, as a driver would that forgets: the call whose answer is committed is made again, in a later
/// life; or in the same one.
pub const FORGETFUL: [(&str, &str); 2] = [("repeat", AGAIN), ("repeat-at-once", IN_VAIN)];

/// Breaks a copy of the file and its journal in the way that is named, and says which promise must be found broken.
///
/// # Errors
/// There is no such way; or there is not enough in the file.
pub fn apply(name: &str, file: &Path, broken: &Path) -> Result<&'static str> {
    copy(file, broken)?;
    let mut journal = std::fs::read_to_string(journal::beside(file))?;
    let promise = if let Some((name, promise)) = FORGETFUL.iter().find(|(known, _)| *known == name) {
        let committed = journal.lines().find_map(|line| line.strip_prefix("committed model/"));
        let again = format!("call model/{}", committed.ok_or("no answer was committed before a kill")?);
        if *name == "repeat" {
            writeln!(journal, "{again}")?;
        } else {
            journal = journal.replacen(&again, &format!("{again}\n{again}"), 1);
        }
        promise
    } else {
        let way = ALL.iter().find(|way| way.name == name).ok_or("no such sabotage")?;
        way.apply(broken)?;
        way.promise
    };
    std::fs::write(journal::beside(broken), journal)?;
    Ok(promise)
}
