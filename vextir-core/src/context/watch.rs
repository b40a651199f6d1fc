//! Following what changes.

use super::{Actor, ContextStore, Deed, Version};
use crate::bus::Cursor;
use crate::{Result, Sequence, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// How many changes are read at once.
const PAGE: usize = 256;

/// One change that a watch saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Changed {
    /// The document or folder, as its path is now; the last one of what is removed.
    pub path: String,
    /// What was done.
    pub what: Deed,
    /// The path before a move, where this user may see it.
    pub from: Option<String>,
    /// The version that it made; 0 where the content was left alone.
    pub version: Version,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
}

impl Changed {
    /// For stores: one change.
    #[must_use]
    pub fn new(path: impl Into<String>, what: Deed, version: Version, at: Timestamp, by: Actor) -> Self {
        Self { path: path.into(), what, from: None, version, at, by }
    }
}

/// A stretch of the changes.
#[derive(Debug, Clone, Default)]
pub struct ChangePage {
    /// What the actor may see of it, each with its place.
    pub changes: Vec<(Sequence, Changed)>,
    /// Where to read on.
    pub next: Sequence,
    /// Nothing more is there right now.
    pub at_head: bool,
}

/// A stream of changes, made by [`Context::watch`](super::Context::watch). It reads from the store's log: a slow
/// reader misses nothing, and one that comes too late is told so by an error.
pub struct Watch {
    store: Arc<dyn ContextStore>,
    head: tokio::sync::watch::Receiver<Sequence>,
    actor: Actor,
    prefix: String,
    ready: VecDeque<(Sequence, Changed)>,
    /// The last change that was handed out, or that need not be.
    seen: Sequence,
    /// Up to where the log was read.
    read: Sequence,
}

impl Watch {
    pub(super) fn new(store: Arc<dyn ContextStore>, actor: Actor, prefix: String, after: Sequence) -> Self {
        let head = store.head();
        Self { store, head, actor, prefix, ready: VecDeque::new(), seen: after, read: after }
    }

    /// The next change; `None` when the store was closed.
    ///
    /// # Errors
    /// Inside: `Gap`, when changes that were not seen yet are not kept any more; the back end failed. After an error
    /// the next call tries again.
    pub async fn next(&mut self) -> Option<Result<Changed>> {
        loop {
            if let Some((sequence, changed)) = self.ready.pop_front() {
                self.seen = sequence;
                return Some(Ok(changed));
            }
            let head = *self.head.borrow_and_update();
            if self.read < head {
                match self.store.changes(&self.actor, &self.prefix, self.read, PAGE).await {
                    Ok(page) => {
                        self.read = page.next.max(self.read);
                        self.ready.extend(page.changes);
                        if self.ready.is_empty() {
                            self.seen = self.read;
                        }
                    }
                    Err(error) => return Some(Err(error)),
                }
                continue;
            }
            if self.head.changed().await.is_err() {
                return None;
            }
        }
    }

    /// Where to go on later: after the last change that [`Watch::next`] gave. What a cursor looks like says nothing,
    /// and no two look alike.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.store.cursor(self.seen)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
