//! The thread that keeps the words: it follows the operation log, and looks at all documents once where there is no index
//! yet.
//!
//! A cursor lies beside the rows, in the same transactions: what was cut off by a crash is done again from there, and
//! doing it again changes nothing.

use super::entry::{self, Step};
use super::link::{Link, Patience, Progress};
use super::signatures::Signatures;
use crate::decode::get;
use crate::documents::node::NodeId;
use crate::fault::OrFault;
use crate::queries::{self, signed};
use rusqlite::Connection;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use vextir_core::{ErrorKind, Result};

/// How many changes, or documents, are looked at together.
const BATCH: usize = 64;

/// How many bytes of steps are held at once, unless one document has more.
const AT_ONCE: usize = 1 << 20;

/// How long the index waits for more changes to come.
const COMPANY: Duration = Duration::from_millis(25);

/// The place of the words' failure among the failures.
const WORDS: usize = 0;

/// Where the index stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    cursor: u64,
    /// The last node that was looked at, while all of them are.
    sweep: Option<NodeId>,
    head: u64,
}

/// Runs until the hub closes.
pub(super) fn run(mut link: Link, signatures: &Signatures, is_embedded: bool) {
    let mut patience = Patience::new();
    let mut rebuilds = link.signals.rebuilds.subscribe();
    while !link.is_closing() {
        rebuilds.mark_unchanged();
        match step(&mut link, signatures, is_embedded) {
            Ok(true) => patience.renew(),
            Ok(false) => {
                patience.renew();
                link.signals.set_failure(WORDS, None);
                rest(&link, &mut rebuilds);
            }
            Err(error) if error.kind() == ErrorKind::Closed => return,
            Err(error) => {
                tracing::warn!(%error, "the search index could not go on; it tries again later");
                link.signals.set_failure(WORDS, Some(error));
                link.pause(patience.next());
            }
        }
    }
}

/// Waits until there is something to do, and a little longer for more of it.
fn rest(link: &Link, rebuilds: &mut watch::Receiver<u64>) {
    let mut changes = link.changes.clone();
    let cursor = link.signals.progress.borrow().cursor;
    let mut hurry = link.signals.hurry.subscribe();
    let next = async {
        tokio::select! {
            // Its sender goes with the hub, which says so before.
            changed = changes.wait_for(|head| *head > cursor) => {
                if changed.is_err() {
                    std::future::pending().await
                }
            }
            _ = rebuilds.changed() => {}
        }
    };
    if link.wait_for(next, None).is_some() {
        link.wait_for(hurry.wait_for(|waiting| *waiting > 0), Some(COMPANY));
    }
}

/// One stretch; false when all is done.
fn step(link: &mut Link, signatures: &Signatures, is_embedded: bool) -> Result<bool> {
    let Some(state) = link.read(read_state)? else {
        link.store(begin)?;
        return Ok(true);
    };
    publish(link, state);
    if state.cursor < state.head {
        let (nodes, end) = link.read(move |hub| entry::changed(hub, state.cursor, BATCH))?;
        take_in(link, nodes, is_embedded, Step::Cursor(end))?;
        let signatures = signatures.clone();
        link.read(move |hub| {
            let snapshot = hub.unchecked_transaction().or_fault()?;
            signatures.follow(&snapshot)?;
            snapshot.finish().or_fault()
        })?;
        return Ok(true);
    }
    let Some(last) = state.sweep else { return Ok(false) };
    let nodes = link.read(move |hub| nodes_after(hub, last))?;
    let next = if nodes.len() < BATCH { None } else { nodes.last().copied() };
    take_in(link, nodes, is_embedded, Step::Sweep(next))?;
    Ok(true)
}

/// Stores what has to be done for nodes, and at last that it is done.
fn take_in(link: &mut Link, nodes: Vec<NodeId>, is_embedded: bool, end: Step) -> Result<()> {
    let (nodes, mut done): (Arc<[NodeId]>, usize) = (nodes.into(), 0);
    let mut has_queued = false;
    while done < nodes.len() {
        let rest = nodes.clone();
        let (steps, taken) = link.read(move |hub| steps_of(hub, &rest[done..], is_embedded))?;
        has_queued |= steps.iter().any(|step| matches!(step, Step::Close { is_embedded: true, .. }));
        link.store_steps(steps)?;
        done += taken;
    }
    link.store_steps(vec![end])?;
    if has_queued {
        link.signals.progress.send_modify(|progress| progress.queued += 1);
    }
    Ok(())
}

fn publish(link: &Link, state: State) {
    link.signals.progress.send_if_modified(|progress| {
        let new = Progress { cursor: state.cursor, is_sweeping: state.sweep.is_some(), ..*progress };
        std::mem::replace(progress, new) != new
    });
}

/// What has to be done for the first nodes, and how many they are: as many as fit into memory without pain.
fn steps_of(hub: &Connection, nodes: &[NodeId], is_embedded: bool) -> Result<(Vec<Step>, usize)> {
    let snapshot = hub.unchecked_transaction().or_fault()?;
    let (mut steps, mut taken) = (Vec::new(), 0);
    for node in nodes {
        entry::steps(&snapshot, *node, is_embedded, &mut steps)?;
        taken += 1;
        if entry::weight(&steps) > AT_ONCE {
            break;
        }
    }
    snapshot.finish().or_fault()?;
    Ok((steps, taken))
}

/// Where the index stands; `None` when it has to be begun, also because the log does not reach back to its cursor.
fn read_state(hub: &Connection) -> Result<Option<State>> {
    let Some(cursor) = queries::meta::<i64>(hub, "search_cursor")? else { return Ok(None) };
    let head = queries::last_change(hub)?;
    let cursor = u64::try_from(cursor).unwrap_or(0);
    if cursor < queries::stored_number(hub, "changes_trimmed")? || cursor > head {
        return Ok(None);
    }
    Ok(Some(State { cursor, sweep: queries::meta(hub, "search_sweep")?, head }))
}

/// Looks at all documents from the first one on; the log is followed from now on.
fn begin(connection: &Connection) -> Result<i64> {
    let head = queries::last_change(connection)?;
    entry::set(connection, "search_cursor", Some(signed(head)))?;
    // A hub without documents has nothing to look at.
    entry::set(connection, "search_sweep", (head > 0).then_some(0))?;
    Ok(0)
}

/// Empties the index: it is made anew, from the documents.
pub(super) fn reset(connection: &Connection) -> Result<i64> {
    let bytes = queries::number(connection, "SELECT coalesce(sum(bytes + vectors), 0) FROM search_node", [])?;
    connection
        .execute_batch(
            "INSERT INTO search_words (search_words) VALUES ('delete-all');
             INSERT INTO search_names (search_names) VALUES ('delete-all');
             DELETE FROM search_node; DELETE FROM search_queue; DELETE FROM search_piece; DELETE FROM search_vector;
             DELETE FROM search_refused; DELETE FROM search_tree; DELETE FROM meta WHERE name = 'search_cursor'",
        )
        .or_fault()?;
    Ok(-signed(bytes))
}

fn nodes_after(hub: &Connection, last: NodeId) -> Result<Vec<NodeId>> {
    let sql = "SELECT id FROM node WHERE id > ?1 AND removed IS NULL ORDER BY id LIMIT ?2";
    queries::rows(hub, sql, (last, i64::try_from(BATCH).unwrap_or(i64::MAX)), |row| get(row, 0))
}
