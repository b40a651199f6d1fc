//! Reading documents for a query: each once, with all columns that are wanted of it, and many in the order in which they lie
//! in the file. A walk meets them by name, and each would take a page of the file of its own, again and again.

use super::rows::{DOCUMENTS, moment};
use super::walk::{Item, Walk};
use crate::decode::get;
use crate::fault::OrFault;
use rusqlite::types::Value;
use rusqlite::{Connection, Row};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use vextir_core::{Result, Timestamp};

/// How many documents are put into order at first, and at most; each time four times as many, since a query may want only
/// a few. Where a query reads with several cursors, the second one gets at most half as many, the third one a third.
const FIRST: usize = 64;
const MOST: usize = 32_768;

/// How many are read at once.
const CHUNK: usize = 32;

/// What is longer is read when it is asked for: the query may want another document.
const SHORT: usize = 1_024;

/// What was read of a document: columns by their place, and their values.
pub(super) type Ahead = Vec<(usize, Value)>;

/// Reads the documents that a walk meets.
#[derive(Debug)]
pub(super) struct Reading {
    /// The columns.
    places: Vec<usize>,
    statement: String,
    size: usize,
    most: usize,
    /// How many the query has; this one counts until it is dropped.
    count: Arc<AtomicUsize>,
    /// From the last one in the file to the first.
    waiting: Vec<Item>,
    ready: VecDeque<Item>,
}

impl Reading {
    /// Of the columns of `documents` whose bits are set; one more of so many.
    pub(super) fn of(used: u64, count: &Arc<AtomicUsize>) -> Self {
        let is_read = |place: &usize| used & (1 << place) != 0 && source(DOCUMENTS[*place]).is_some();
        let places: Vec<usize> = (0..DOCUMENTS.len()).filter(is_read).collect();
        let columns: Vec<String> = places.iter().filter_map(|place| source(DOCUMENTS[*place])).collect();
        let columns = columns.join(", ");
        let nodes = if columns.contains("node.") { "JOIN node ON node.id = document.node" } else { "" };
        let statement = format!("SELECT {columns} FROM document {nodes} WHERE document.node = ?1");
        let others = count.fetch_add(1, Ordering::Relaxed);
        Self {
            places,
            statement,
            size: FIRST,
            most: (MOST / (others + 1)).max(FIRST),
            count: count.clone(),
            waiting: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    /// The next document.
    pub(super) fn next(
        &mut self,
        hub: &Connection,
        walk: &mut Walk,
        is_over: &dyn Fn() -> Result<()>,
    ) -> Result<Option<Item>> {
        if self.places.is_empty() {
            return document(hub, walk, is_over);
        }
        while self.ready.is_empty() {
            if self.waiting.is_empty() {
                self.gather(hub, walk, is_over)?;
            }
            if self.waiting.is_empty() {
                return Ok(None);
            }
            is_over()?;
            self.read(hub)?;
        }
        Ok(self.ready.pop_front())
    }

    fn gather(&mut self, hub: &Connection, walk: &mut Walk, is_over: &dyn Fn() -> Result<()>) -> Result<()> {
        while self.waiting.len() < self.size
            && let Some(item) = document(hub, walk, is_over)?
        {
            self.waiting.push(item);
        }
        self.waiting.sort_unstable_by_key(|item| std::cmp::Reverse(item.id));
        self.size = self.larger();
        Ok(())
    }

    /// How many are put into order the next time.
    fn larger(&self) -> usize {
        (self.size * 4).min(self.most)
    }

    fn read(&mut self, hub: &Connection) -> Result<()> {
        let mut statement = hub.prepare_cached(&self.statement).or_fault()?;
        for _ in 0..CHUNK {
            let Some(mut item) = self.waiting.pop() else { break };
            let mut rows = statement.query([item.id]).or_fault()?;
            if let Some(row) = rows.next().or_fault()? {
                item.ahead = self.columns(row)?;
            }
            self.ready.push_back(item);
        }
        Ok(())
    }

    fn columns(&self, row: &Row<'_>) -> Result<Ahead> {
        let mut ahead = Ahead::with_capacity(self.places.len());
        for (at, place) in self.places.iter().enumerate() {
            let value: Value = get(row, at)?;
            match (DOCUMENTS[*place], value) {
                (_, Value::Null) => {}
                ("created_at" | "updated_at", Value::Integer(at)) => {
                    ahead.push((*place, moment(Timestamp::from_micros(at))));
                }
                (_, value) => ahead.push((*place, value)),
            }
        }
        Ok(ahead)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The next document of a walk.
fn document(hub: &Connection, walk: &mut Walk, is_over: &dyn Fn() -> Result<()>) -> Result<Option<Item>> {
    while let Some(item) = walk.next(hub, is_over)? {
        if item.is_document {
            return Ok(Some(item));
        }
    }
    Ok(None)
}

/// Where a column comes from; null where it is too long.
fn source(column: &str) -> Option<String> {
    Some(match column {
        "id" => "lower(hex(node.uid))".into(),
        "created_at" => "node.created".into(),
        "updated_at" => "node.updated".into(),
        "version" => "document.version".into(),
        "kind" => "iif(document.kind = 0, 'text', 'json')".into(),
        "content" => format!("iif(octet_length(content) <= {SHORT}, content, NULL)"),
        "metadata" => {
            format!("iif(octet_length(metadata) > {SHORT}, NULL, coalesce(metadata, '{{}}'))")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many it holds at most, however long it goes on.
    fn held(mut reading: Reading) -> (usize, Reading) {
        for _ in 0..20 {
            reading.size = reading.larger();
        }
        (reading.size, reading)
    }

    #[test]
    fn cursors_of_one_query_share_what_is_read_ahead() {
        let count = Arc::default();
        let next = || held(Reading::of(u64::MAX, &count));
        let mut open: Vec<_> = (0..1_000).map(|_| next()).collect();
        let held: Vec<usize> = open.iter().map(|(held, _)| *held).collect();
        assert_eq!(held[..4], [MOST, MOST / 2, MOST / 3, MOST / 4]);
        assert_eq!(held[999], FIRST);
        assert!(held[..64].iter().sum::<usize>() < 5 * MOST, "64 cursors");
        open.clear();
        for _ in 0..1_000 {
            assert_eq!(next().0, MOST, "one after the other");
        }
    }
}
