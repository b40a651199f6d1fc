//! What a hub holds, and how much room each kind of it takes.

use super::Progress;
use crate::decode::{count, get};
use crate::fault::OrFault;
use crate::hub::Hub;
use crate::{queries, space};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;
use vextir_core::{Error, ErrorKind, Result};

/// One kind of what a hub holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubPart {
    /// The room that it takes, in bytes of whole pages, with its indexes.
    pub bytes: u64,
    /// How many there are of what it is named for.
    pub count: u64,
}

/// What a hub holds; see [`Hub::stats`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// Events in the log, with keys and audit records.
    pub events: HubPart,
    /// Deliveries that are open or wait for their driver, dead letters, events that wait, and ledgers; counted are
    /// the first three.
    pub work: HubPart,
    /// Documents, with folders and rights. Removed ones count as long as they can be restored.
    pub documents: HubPart,
    /// Changes of documents and folders.
    pub history: HubPart,
    /// What searches look into; counted are the documents and folders in it.
    pub search: HubPart,
    /// The graph; counted are the links.
    pub graph: HubPart,
    /// What replicas need, and everything else.
    pub other: HubPart,
    /// Free pages inside the file.
    pub free: u64,
}

const EVENTS: [&str; 3] = ["log", "key", "audit"];
const WORK: [&str; 8] = ["delivery", "unclaimed", "unrouted", "dead", "parked", "lease", "linger", "outbox"];
const DOCUMENTS: [&str; 7] = ["document", "node", "entitlement", "member", "mount", "keeping", "former"];
const GRAPH: [&str; 6] = ["entity", "episode", "link", "statement", "relation", "graph_sum"];
const HISTORY: [&str; 3] = ["change", "trimmed", "shortened"];

/// How many free pages are given back in one step.
const PAGES: u32 = 32;

impl Hub {
    /// What the hub holds, by kind. Reads the whole file, beside the work.
    ///
    /// # Errors
    /// The storage failed, or the hub was closed.
    pub async fn stats(&self) -> Result<HubStats> {
        self.keeper().run(|hands| hands.read_long(stats)).await
    }

    /// Gives the free pages inside the file back to the file system, a few milliseconds of the writer at a time;
    /// how many bytes. The hub does it by itself, in part, when an eighth of the file is free. `progress` hears how
    /// many bytes are done, and cuts it off with `Break`; so does dropping the future.
    ///
    /// # Errors
    /// `Closed`: it was cut off; what was given back stays so. The storage failed.
    pub async fn vacuum(
        &self,
        mut progress: impl FnMut(Progress) -> ControlFlow<()> + Send + 'static,
    ) -> Result<u64> {
        self.keeper()
            .run(move |hands| {
                let total = hands.read(space::measure)?.free;
                let mut last = total;
                while last > 0 {
                    let free = hands.write(|rows| vacuum_slice(rows.writing().connection))?;
                    let done = total.saturating_sub(free);
                    if progress(Progress { done, total: total.max(done) }).is_break() {
                        return Err(Error::new(ErrorKind::Closed, "the vacuum was cut off"));
                    }
                    if free >= last {
                        break;
                    }
                    last = free;
                }
                // The file shrinks when the write-ahead log is folded into it.
                hands.read_long(|connection| {
                    queries::number(connection, "PRAGMA wal_checkpoint(PASSIVE)", [])
                })?;
                Ok(total.saturating_sub(last))
            })
            .await
    }
}

fn vacuum_slice(connection: &Connection) -> Result<u64> {
    let began = Instant::now();
    loop {
        let before = space::measure(connection)?.free;
        let sql = format!("PRAGMA incremental_vacuum({PAGES})");
        let mut statement = connection.prepare_cached(&sql).or_fault()?;
        let mut rows = statement.query([]).or_fault()?;
        while rows.next().or_fault()?.is_some() {}
        drop(rows);
        let free = space::measure(connection)?.free;
        if free >= before || began.elapsed() > crate::documents::trim::SLICE {
            return Ok(free);
        }
    }
}

fn stats(connection: &Connection) -> Result<HubStats> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let mut bytes = sizes(&snapshot)?;
    let of = |tables: &[&str], bytes: &mut BTreeMap<String, u64>| -> u64 {
        tables.iter().filter_map(|table| bytes.remove(*table)).sum()
    };
    let rows = |sql: &str| queries::number(&snapshot, sql, []);
    let stats = HubStats {
        events: HubPart { bytes: of(&EVENTS, &mut bytes), count: rows("SELECT count(*) FROM log")? },
        work: HubPart {
            bytes: of(&WORK, &mut bytes),
            count: rows(
                "SELECT (SELECT count(*) FROM delivery) + (SELECT count(*) FROM unclaimed)
                 + (SELECT count(*) FROM dead) + (SELECT count(*) FROM parked)",
            )?,
        },
        documents: HubPart {
            bytes: of(&DOCUMENTS, &mut bytes),
            count: rows("SELECT count(*) FROM node WHERE kind = 2 AND (removed IS NULL OR removed >= 0)")?,
        },
        history: HubPart { bytes: of(&HISTORY, &mut bytes), count: rows("SELECT count(*) FROM change")? },
        search: HubPart {
            bytes: bytes
                .extract_if(.., |table, _| table.starts_with("search_"))
                .map(|(_, bytes)| bytes)
                .sum(),
            count: rows("SELECT count(*) FROM search_node")?,
        },
        graph: HubPart { bytes: of(&GRAPH, &mut bytes), count: rows("SELECT count(*) FROM link")? },
        other: HubPart { bytes: bytes.values().sum(), count: 0 },
        free: space::measure(&snapshot)?.free,
    };
    snapshot.finish().or_fault()?;
    Ok(stats)
}

/// The bytes of each table with its indexes.
fn sizes(connection: &Connection) -> Result<BTreeMap<String, u64>> {
    let sql = "SELECT coalesce(tbl_name, dbstat.name), sum(pgsize) FROM dbstat
               LEFT JOIN sqlite_schema ON sqlite_schema.name = dbstat.name GROUP BY 1";
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query([]).or_fault()?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next().or_fault()? {
        found.insert(get(row, 0)?, count(row, 1)?);
    }
    Ok(found)
}
