//! SQL of users, read-only, over what they may read.
//!
//! ```text
//! SQL ─▶ a query thread ─▶ an empty connection in memory ─▶ our tables ─▶ a reader of the hub, in one snapshot
//!        two at a time      authorizer, limits, deadline     rights, row     (no SQL of the user gets there)
//! ```
//!
//! The file is never on the connection that the user's SQL runs on. All there is to select from are tables of ours
//! ([`table`]); they go down the tree as the user sees it ([`walk`]), so that what may not be read is not met.

mod answer;
mod events;
mod functions;
mod graph;
mod plan;
mod reading;
mod rows;
mod run;
mod sandbox;
mod table;
mod threads;
mod walk;

pub(crate) use threads::Threads;

use crate::fault::OrFault;
use crate::hub::Hub;
use crate::writer::{closed, question};
use rusqlite::Connection;
use rusqlite::backup::Backup;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use threads::Ask;
use vextir_core::{Actor, Error, Result};

/// What bounds each query; see [`HubBuilder::query_limits`](crate::HubBuilder::query_limits).
///
/// ```
/// use std::time::Duration;
/// use vextir_context::QueryLimits;
///
/// let limits = QueryLimits::default().with_deadline(Duration::from_millis(500)).with_rows(1_000);
/// # let _ = limits;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryLimits {
    pub(crate) deadline: Duration,
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(2), rows: 10_000, bytes: 8 << 20 }
    }
}

impl QueryLimits {
    /// How long a query may run, its wait for a thread not counted. 2 seconds by default.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// How many rows a result may have. 10,000 by default. A larger one is refused, not cut.
    #[must_use]
    pub fn with_rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    /// How many bytes a result may have, names of columns included. 8 MiB by default. A larger one is refused.
    #[must_use]
    pub fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }
}

impl Hub {
    /// The rows of a query, as the actor.
    pub(crate) async fn sql(&self, actor: &Actor, sql: &str, parameters: &[Value]) -> Result<Vec<Value>> {
        // The tables of the graph show what documents say now.
        if names_graph(sql) {
            self.catch_up(self.queries().deadline()).await?;
        }
        let now = self.now();
        let copy = match self.path() {
            Some(_) => None,
            None => Some(self.read_with(copy).await?),
        };
        let asks = self.queries().asks(self.path())?;
        let dropped = Arc::new(AtomicBool::new(false));
        let _stop = StopOnDrop(dropped.clone());
        let (answer, answered) = question();
        let (actor, sql, parameters) = (actor.clone(), sql.to_owned(), parameters.to_vec());
        let ask = Ask { actor, now, sql, parameters, copy, dropped, answer };
        asks.send(ask).await.map_err(|_| closed())?;
        drop(asks);
        answered.await
    }
}

/// Whether a query names a table of the graph.
fn names_graph(sql: &str) -> bool {
    sql.split(|sign: char| !sign.is_alphanumeric() && sign != '_' && sign != '$')
        .any(|word| ["links", "entities"].iter().any(|table| word.eq_ignore_ascii_case(table)))
}

/// A hub in memory has one connection, which writes: a query reads a copy of it.
fn copy(hub: &Connection) -> Result<Connection> {
    let mut copy = Connection::open_in_memory().or_fault()?;
    Backup::new(hub, &mut copy).and_then(|backup| backup.step(-1)).or_fault()?;
    Ok(copy)
}

fn too_big(longest: usize) -> Error {
    Error::invalid(format!("a value in the query is longer than {longest} bytes"))
}

/// Tells a query that nobody waits for it any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::names_graph;

    #[test]
    fn a_query_names_the_graph_by_its_tables_alone() {
        for sql in
            ["SELECT 1 FROM Links", "select * from\"entities\"", "SELECT (SELECT count(*) FROM[links])"]
        {
            assert!(names_graph(sql), "{sql}");
        }
        for sql in [
            "",
            "SELECT 1",
            "SELECT path FROM documents WHERE path LIKE '/backlinks/%'",
            "SELECT 1 AS links_2",
        ] {
            assert!(!names_graph(sql), "{sql}");
        }
    }
}
