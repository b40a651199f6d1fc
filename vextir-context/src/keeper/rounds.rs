//! The rounds through what is too old: now and then by themselves, and when they are asked for.

use super::Hands;
use crate::documents::desk::Writing;
use crate::documents::keeping::{self, CONDEMNED};
use crate::documents::node::NodeId;
use crate::documents::{purge, trim};
use crate::graph;
use crate::hub::Hub;
use crate::queries;
use crate::sync;
use std::sync::PoisonError;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use vextir_core::{Result, Timestamp};

/// When to look for the first time after the hub was opened, and then how often.
const FIRST: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_secs(60);

/// How long a round counts.
const ROUND: Duration = Duration::from_secs(60 * 60);

/// Replicas that were not met for so long are forgotten: half a year, in microseconds.
const FORGOTTEN: i64 = 183 * 24 * 60 * 60 * 1_000_000;

/// Where the file keeps when the last round was.
const DONE: &str = "kept_at";

/// What a round removed for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tidied {
    /// Changes of documents and folders that stay: old versions, and what was done to them.
    pub changes: u64,
    /// Removed documents and folders, with everything about them.
    pub nodes: u64,
    /// Documents and folders of which more is kept than is asked for, because a replica that was met has not got it
    /// yet: see [`Hub::forget_replicas`].
    pub held_back: u64,
    /// Documents whose old changes stay because they cannot be put together; the log says why.
    pub damaged: u64,
}

impl Hub {
    /// Removes now what is older than is kept ([`Keep`](vextir_core::context::Keep),
    /// [`HubBuilder::keep_versions`](crate::HubBuilder::keep_versions)); what it removed. The hub does it by itself
    /// every hour.
    ///
    /// The writer is not held up by more than 5 milliseconds at once, but by the removal of a single large document.
    /// A round that is cut off, also by a crash, leaves nothing half: the next one goes on.
    ///
    /// # Errors
    /// The storage failed, or the hub was closed.
    pub async fn tidy(&self) -> Result<Tidied> {
        self.keeper().run(round).await
    }
}

/// Goes round until the hub is closed.
pub(super) fn go(hands: &Hands, stop: &Receiver<()>) {
    let mut wait = FIRST;
    while stop.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        wait = LOOK;
        if let Err(error) = is_due(hands).and_then(|due| if due { round(hands).map(drop) } else { Ok(()) })
            && hands.go_on().is_ok()
        {
            tracing::warn!(%error, "house-keeping could not go on; it tries again later");
        }
    }
}

fn is_due(hands: &Hands) -> Result<bool> {
    let (now, last) = (hands.clock.now(), hands.read(|connection| queries::stored_number(connection, DONE))?);
    let last = Timestamp::from_micros(queries::signed(last));
    Ok(now >= last.after(ROUND) || now < last)
}

/// One round through everything.
fn round(hands: &Hands) -> Result<Tidied> {
    let _only = hands.round.lock().unwrap_or_else(PoisonError::into_inner);
    let now = hands.clock.now();
    // The graph follows the changes that go.
    while let Some(batch) = hands.read(graph::unseen)? {
        hands.write(move |rows| rows.take_links(&batch))?;
        breathe();
    }
    let before = Timestamp::from_micros(keeping::since(now, FORGOTTEN));
    while hands.write(move |rows| sync::forget(rows.writing(), before))?.has_more {
        breathe();
    }
    let mut tidied = Tidied::default();
    purge_all(hands, now, &mut tidied)?;
    trim_all(hands, now, &mut tidied)?;
    hands.write(move |rows| rows.set_meta(DONE, now.as_micros().cast_unsigned()))?;
    Ok(tidied)
}

fn purge_all(hands: &Hands, now: Timestamp, tidied: &mut Tidied) -> Result<()> {
    let terms = hands.terms;
    let mut after = Some((CONDEMNED, 0));
    while let Some(place) = after {
        let overdue = hands.read(move |connection| purge::look(connection, terms, now, place))?;
        for top in overdue.found {
            let condemned = hands.write(move |rows| purge::condemn(rows.writing().connection, top))?;
            if condemned {
                tidied.nodes += purge_one(hands, top.1)?;
            }
        }
        tidied.held_back += overdue.held_back;
        after = overdue.next;
    }
    Ok(())
}

fn purge_one(hands: &Hands, top: NodeId) -> Result<u64> {
    let mut gone = 0;
    loop {
        let mut leaves = hands.read(move |connection| purge::leaves(connection, top))?;
        if leaves.is_empty() {
            return Ok(gone);
        }
        while !leaves.is_empty() {
            let now = leaves.clone();
            let erased = hands.write(move |rows| purge::slice(rows.writing(), &now))?;
            leaves.drain(..erased.passed);
            gone += erased.nodes;
            breathe();
        }
    }
}

fn trim_all(hands: &Hands, now: Timestamp, tidied: &mut Tidied) -> Result<()> {
    let terms = hands.terms;
    if terms.versions == i64::MAX && !hands.read(keeping::says_anything)? {
        return Ok(());
    }
    let mut after = Some(0);
    while let Some(place) = after {
        let trims = hands.read(move |connection| trim::look(connection, terms, now, place))?;
        after = trims.next;
        tidied.held_back += trims.held_back;
        let Some(trim) = trims.found else { continue };
        let node = trim.node();
        match trim.fold() {
            Ok(trim) => tidied.changes += trim_one(hands, trim)?,
            Err(error) => {
                tracing::warn!(%error, "the history of a document is left as it is");
                tidied.damaged += 1;
                after = Some(node);
            }
        }
    }
    Ok(())
}

fn trim_one(hands: &Hands, trim: trim::Trim) -> Result<u64> {
    let (mut left, mut gone) = (Some(trim), 0);
    while let Some(trim) = left {
        let (some, rest) = hands.write(move |rows| {
            let Writing { connection, desk, .. } = rows.writing();
            trim.slice(connection, desk)
        })?;
        gone += some;
        left = rest;
        breathe();
    }
    Ok(gone)
}

/// What others want written comes first.
fn breathe() {
    std::thread::sleep(Duration::from_millis(1));
}
