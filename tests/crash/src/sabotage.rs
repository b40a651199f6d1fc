//! Breaks a copy of a file, to see that the check can fail.

use crate::Result;
use rusqlite::Connection;
use std::path::Path;

/// A way to break a file, and the promise that the check must then find broken.
#[derive(Debug, Clone, Copy)]
pub struct Sabotage {
    /// Its name.
    pub name: &'static str,
    /// What it does to the tables.
    pub(crate) script: &'static str,
    /// What must be found.
    pub promise: &'static str,
}

/// Every way.
pub const ALL: [Sabotage; 11] = [
    Sabotage {
        name: "lose-root",
        script: "DELETE FROM log WHERE seq = (SELECT min(seq) FROM log WHERE type = 'quick.job')",
        promise: "no acknowledged event is lost",
    },
    Sabotage {
        name: "lose-output",
        script: "DELETE FROM log WHERE seq = (SELECT max(seq) FROM log WHERE type = 'fan.done')",
        promise: "what an event must lead to is there",
    },
    Sabotage {
        name: "double-output",
        script: "INSERT INTO log SELECT (SELECT max(seq) + 1 FROM log), logged, policy, randomblob(16), type, \
            category, time, user, source, cause, root, depth, ordering_key, deliver_at, priority, labels, \
            metadata, data, branch FROM log WHERE seq = (SELECT max(seq) FROM log WHERE type = 'chain.end')",
        promise: "no output is doubled",
    },
    Sabotage {
        name: "other-id",
        script: "UPDATE log SET id = randomblob(16) WHERE seq = (SELECT max(seq) FROM log WHERE type = 'flaky.done')",
        promise: "an output's id names its cause",
    },
    Sabotage {
        name: "swap-order",
        script: "CREATE TEMP TABLE two AS SELECT o.seq, o.cause FROM log o JOIN log c ON c.id = o.cause \
              WHERE o.type = 'ordered.second' AND c.ordering_key = (SELECT ordering_key FROM log \
                WHERE type = 'ordered.job' AND user = 'ann' GROUP BY ordering_key ORDER BY count(*) DESC LIMIT 1) \
              AND c.user = 'ann' ORDER BY o.seq LIMIT 2; \
            UPDATE log SET cause = (SELECT cause FROM two WHERE two.seq <> log.seq) \
              WHERE seq IN (SELECT seq FROM two)",
        promise: "a driver keeps the order of each key",
    },
    Sabotage {
        name: "open-ledger",
        script: "UPDATE lease SET open = open + 1 WHERE root = (SELECT root FROM lease LIMIT 1)",
        promise: "a ledger at rest has nothing open",
    },
    Sabotage {
        name: "draw-more",
        script: "UPDATE lease SET events = events + 1 WHERE root = (SELECT root FROM lease LIMIT 1)",
        promise: "a ledger has drawn the events of its tree",
    },
    Sabotage {
        name: "lose-document",
        script: "DELETE FROM node WHERE id = (SELECT max(node) FROM change WHERE driver = 'collect' AND what = 0)",
        promise: "what a handler writes is there with its outputs",
    },
    Sabotage {
        name: "double-write",
        script: "UPDATE document SET content = content || content WHERE node = \
            (SELECT max(node) FROM change WHERE driver = 'flaky' AND what = 0 AND version = 1)",
        promise: "what a handler writes is written once",
    },
    Sabotage {
        name: "other-cause",
        script: "UPDATE change SET cause = randomblob(16) WHERE seq = \
            (SELECT max(seq) FROM change WHERE driver = 'second' AND what = 0)",
        promise: "a document names the event that caused it",
    },
    Sabotage {
        name: "lose-letter",
        script: "DELETE FROM dead WHERE pos = (SELECT min(pos) FROM dead)",
        promise: "a failure is one dead letter",
    },
];

impl Sabotage {
    /// Breaks a file.
    ///
    /// # Errors
    /// The file has not what the sabotage needs.
    pub fn apply(&self, file: &Path) -> Result<()> {
        let connection = Connection::open(file)?;
        connection.execute_batch(self.script).map_err(|error| format!("{}: {error}", self.name))?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(())
    }
}
