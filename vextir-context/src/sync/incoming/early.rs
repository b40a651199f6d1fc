//! Operations that came before what they build on.

use super::{Taking, Verdict};
use crate::documents::desk::ROW;
use crate::fault::{OrFault, damaged};
use crate::queries::signed;
use crate::sync::fact;
use crate::sync::identity::number;
use crate::sync::name::Uid;
use crate::sync::wire::Operation;
use vextir_core::{ErrorKind, Result};

/// How many operations of a user may wait for what they build on, and how many bytes of them.
const MOST: Count = Count { operations: 100_000, bytes: 256 << 20 };

/// What waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    operations: u64,
    bytes: u64,
}

impl<'a> Taking<'a> {
    /// Keeps an operation until what it builds on is here.
    pub(super) fn keep(&mut self, operation: &Operation, missing: Uid) -> Result<()> {
        self.taken.missing.insert(missing);
        let text = serde_json::to_string(operation).map_err(|_| damaged("an operation"))?;
        let waiting = self.waiting()?;
        self.waiting = Some(waiting);
        if waiting.operations >= MOST.operations || waiting.bytes >= MOST.bytes {
            // What it did comes with the whole node that is missing; who did it is not told then.
            let user = &self.intake.user;
            tracing::warn!(user, "more changes wait for what they build on than are kept");
            return Ok(());
        }
        let (user, trusted, scope) = self.sender();
        let replica = number(self.file.connection, operation.by)?;
        let key = (user, trusted, scope, replica, signed(operation.n));
        let sql = "UPDATE early SET missing = ?6, at = ?7
                   WHERE user = ?1 AND trusted = ?2 AND scope = ?3 AND replica = ?4 AND counter = ?5";
        let now = self.file.now.as_micros();
        let known = (key.0, key.1, key.2, key.3, key.4, missing.0, now);
        if self.file.execute(sql, known)? > 0 {
            return Ok(());
        }
        let length = text.len() as u64;
        self.waiting = Some(Count { operations: waiting.operations + 1, bytes: waiting.bytes + length });
        self.file.desk.bytes += ROW + length;
        self.file
            .execute(
                "INSERT INTO early (user, trusted, scope, replica, counter, missing, at, operation)
                 VALUES (?1,?2,?3,?4,?5,?6,?7,?8)",
                (key.0, key.1, key.2, key.3, key.4, missing.0, now, text),
            )
            .map(drop)
    }

    /// What waits of the user; counted once for each message.
    fn waiting(&self) -> Result<Count> {
        if let Some(waiting) = self.waiting {
            return Ok(waiting);
        }
        let sql = "SELECT count(*), coalesce(sum(octet_length(operation)), 0) FROM early WHERE user = ?1";
        let (operations, bytes): (i64, i64) = self
            .file
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| {
                statement.query_row([self.intake.user.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            })
            .or_fault()?;
        Ok(Count { operations: operations.unsigned_abs(), bytes: bytes.unsigned_abs() })
    }

    /// With whose rights what waits is taken up: others' waits for a session of theirs.
    fn sender(&self) -> (&'a str, bool, [u8; 16]) {
        (self.intake.user.as_str(), self.intake.trusted, self.intake.scope.top.0)
    }

    /// Takes up operations that waited for what is here now.
    pub(super) fn retry(&mut self) -> Result<()> {
        while let Some(arrived) = self.arrived.pop_first() {
            for text in self.waited_for(arrived)? {
                self.file.desk.bytes = self.file.desk.bytes.saturating_sub(ROW + text.len() as u64);
                let operation = serde_json::from_str(&text).map_err(|_| damaged("an operation"))?;
                self.retry_one(&operation)?;
            }
        }
        Ok(())
    }

    /// What waited for a node, which it does no more.
    fn waited_for(&mut self, arrived: Uid) -> Result<Vec<String>> {
        let (user, trusted, scope) = self.sender();
        let sql = "DELETE FROM early WHERE missing = ?1 AND user = ?2 AND trusted = ?3 AND scope = ?4
                   RETURNING counter, operation";
        let mut waited: Vec<(i64, String)> = self
            .file
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| {
                let key = (arrived.0, user, trusted, scope);
                statement.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            })
            .or_fault()?;
        *self.file.writes += 1;
        self.waiting = None;
        waited.sort_by_key(|(counter, _)| *counter);
        Ok(waited.into_iter().map(|(_, text)| text).collect())
    }

    /// One that is wrong must not take the message with it.
    fn retry_one(&mut self, operation: &Operation) -> Result<()> {
        self.file.connection.execute_batch("SAVEPOINT early").or_fault()?;
        let before = (self.file.desk.head, self.file.desk.bytes, self.taken.applied);
        let arrived = self.arrived.clone();
        let outcome = self.taken_up(operation);
        if outcome.is_err() {
            self.file.connection.execute_batch("ROLLBACK TO early").or_fault()?;
            (self.file.desk.head, self.file.desk.bytes, self.taken.applied) = before;
            (self.bodies, self.touched) = Default::default();
            // A node that it made is not here: what waits for that waits on.
            self.arrived = arrived;
            self.waiting = None;
            self.view.forget();
        }
        self.file.connection.execute_batch("RELEASE early").or_fault()?;
        match outcome {
            // It builds on something else that is still missing.
            Err(error) if error.kind() == ErrorKind::Conflict => self.keep(operation, operation.node),
            Err(error) if error.kind() == ErrorKind::Invalid => {
                tracing::warn!(%error, "a change that had waited for what it builds on is refused");
                self.taken.refused += 1;
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn taken_up(&mut self, operation: &Operation) -> Result<()> {
        if self.replicas.has(self.file.connection, operation.by, operation.n)? {
            return Ok(());
        }
        let came_whole = self.intake.nodes.iter().any(|record| record.node == operation.node);
        if came_whole && let Some(node) = fact::node_of(self.file.connection, operation.node)? {
            // The node came as it is, and so with what this operation did; who did it is still told.
            let mut operation = operation.clone();
            operation.body = None;
            let sequence = self.note(node, self.file.version(node)?, &operation)?;
            let replica = number(self.file.connection, operation.by)?;
            self.file.execute(
                "INSERT INTO operation (replica, counter, seq) VALUES (?1, ?2, ?3)",
                (replica, signed(operation.n), sequence),
            )?;
            self.add_facts(node, sequence, &operation.facts)?;
            return self.settle();
        }
        match self.verdict(operation)? {
            Verdict::Apply(node) => self.take(node, operation)?,
            Verdict::Early(missing) => self.keep(operation, missing)?,
            Verdict::Gone => {}
            Verdict::Refuse => self.taken.refused += 1,
        }
        self.store_bodies()?;
        self.settle()
    }
}
