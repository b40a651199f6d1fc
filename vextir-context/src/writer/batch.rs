//! Group commit: many commands, one transaction, one sync.

use super::answer::answer_all;
use super::job::Commit;
use super::{Durability, Writer};
use crate::fault::OrFault;
use crate::outbox;
use std::time::Instant;
use vextir_core::bus::{Applied, transact};
use vextir_core::{Error, ErrorKind, Result};

/// What the commands of a batch came to; an error is a refusal, which wrote nothing.
type Outcomes = Vec<Result<Applied>>;

/// A transaction that was lost while the command at this place ran; at the end, while it was committed.
struct Torn {
    at: usize,
    error: Error,
}

impl Torn {
    fn for_all(&self, commits: &[Commit]) -> Outcomes {
        tracing::warn!(error = %self.error, commands = commits.len(), "a batch could not be stored");
        commits.iter().map(|_| Err(self.error.duplicate())).collect()
    }
}

impl Writer<'_> {
    /// Applies commands in one transaction and answers each of them.
    pub(super) fn commit(&mut self, commits: Vec<Commit>) {
        self.rows.begin(self.clock.now());
        let mut outcomes = match self.all_at_once(&commits) {
            Ok(outcomes) => outcomes,
            Err(_) => self.each_apart(&commits),
        };
        self.relay.pass_on();
        let mut made = Vec::with_capacity(commits.len());
        for applied in outcomes.iter_mut().flatten() {
            made.append(&mut applied.deliveries);
        }
        self.shared.feed.push(made);
        self.publish();
        let answers = commits
            .into_iter()
            .zip(outcomes)
            .map(|(commit, outcome)| (commit.answer, outcome.map(|applied| applied.receipt)));
        self.relay = answer_all(answers);
    }

    /// The quick way. An error means that nothing of the batch was stored.
    fn all_at_once(&mut self, commits: &[Commit]) -> Result<Outcomes> {
        let counts = self.rows.counts;
        let attempt = self.try_all(commits);
        if attempt.is_err() {
            self.abandon(counts);
        }
        attempt
    }

    fn try_all(&mut self, commits: &[Commit]) -> Result<Outcomes> {
        self.begin(self.durability)?;
        let mut outcomes = Vec::with_capacity(commits.len());
        for commit in commits {
            let writes = self.rows.writes;
            let outcome = self.apply(commit);
            if let Err(error) = &outcome
                && (self.rows.writes != writes || self.connection.is_autocommit())
            {
                return Err(error.duplicate());
            }
            outcomes.push(outcome);
        }
        self.rows.flush()?;
        // Those of the last batch who do not know yet have waited for this one's rows; not for its sync too.
        self.relay.pass_on();
        let began = Instant::now();
        self.run("COMMIT")?;
        self.window.learn(began.elapsed(), commits.len());
        Ok(outcomes)
    }

    fn apply(&mut self, commit: &Commit) -> Result<Applied> {
        if let Some(post) = &commit.post {
            outbox::refuse_known(&mut self.rows, post)?;
        }
        self.rows.desk.merged.clone_from(&commit.merged);
        let applied = transact(&mut self.rows, &self.limits.lease, &commit.command)?;
        if let Some(post) = &commit.post {
            outbox::keep(&mut self.rows, post)?;
        }
        Ok(applied)
    }

    /// The way after a failure: each command can be taken back alone. Where a failure takes the transaction
    /// with it, those before it are stored by themselves.
    fn each_apart(&mut self, mut commits: &[Commit]) -> Outcomes {
        let mut outcomes = Vec::with_capacity(commits.len());
        while !commits.is_empty() {
            let torn = match self.try_each(commits) {
                Ok(rest) => {
                    outcomes.extend(rest);
                    break;
                }
                Err(torn) => torn,
            };
            let (before, rest) = commits.split_at(torn.at.min(commits.len()));
            if rest.is_empty() {
                outcomes.extend(torn.for_all(before));
            } else if !before.is_empty() {
                outcomes.extend(self.try_each(before).unwrap_or_else(|torn| torn.for_all(before)));
            }
            commits = rest;
            if let Some((_, others)) = rest.split_first() {
                outcomes.push(Err(torn.error));
                commits = others;
            }
        }
        outcomes
    }

    fn try_each(&mut self, commits: &[Commit]) -> Result<Outcomes, Torn> {
        let counts = self.rows.counts;
        let mut outcomes = Vec::with_capacity(commits.len());
        let attempt = self.run_each(commits, &mut outcomes);
        attempt.map_err(|error| {
            self.abandon(counts);
            // Perhaps there is something to be removed.
            self.retention.make_room();
            Torn { at: outcomes.len(), error }
        })?;
        Ok(outcomes)
    }

    fn run_each(&mut self, commits: &[Commit], outcomes: &mut Outcomes) -> Result<()> {
        self.begin(self.durability)?;
        for commit in commits {
            let counts = self.rows.counts;
            self.run("SAVEPOINT command")?;
            let outcome = self.apply(commit).and_then(|applied| self.rows.flush().map(|()| applied));
            if let Err(error) = &outcome {
                if self.connection.is_autocommit() {
                    return Err(error.duplicate());
                }
                self.run("ROLLBACK TO command")?;
                self.rows.roll_back(counts);
            }
            self.run("RELEASE command")?;
            outcomes.push(outcome);
        }
        self.run("COMMIT")
    }

    /// A statement about transactions.
    pub(super) fn run(&self, statement: &str) -> Result<()> {
        let mut statement = self.connection.prepare_cached(statement).or_fault()?;
        statement.execute([]).or_fault().map(drop)
    }

    /// Takes everything back that was not committed.
    pub(super) fn abandon(&mut self, counts: crate::rows::Counts) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a failed batch could not be rolled back");
        }
        self.rows.roll_back(counts);
    }

    /// Runs something small of the writer's own in a transaction.
    pub(super) fn in_transaction<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.in_transaction_of(self.durability, work)
    }

    /// As [`Self::in_transaction`], as durable as is said.
    pub(super) fn in_transaction_of<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let counts = self.rows.counts;
        let run = |writer: &mut Self| {
            writer.begin(durability)?;
            let done = work(writer)?;
            if writer.connection.is_autocommit() {
                return Err(Error::new(ErrorKind::Unavailable, "the transaction was rolled back"));
            }
            writer.run("COMMIT")?;
            Ok(done)
        };
        let outcome = run(self);
        if outcome.is_err() {
            self.abandon(counts);
        }
        outcome
    }
}
