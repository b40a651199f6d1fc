//! Merging what comes in, beside the writer: the document as it is, and updates from outside, to rows.

use super::rebase::rebased;
use crate::crdt::{Body, squeeze};
use crate::documents::merge::{described, state_of};
use vextir_core::{Error, ErrorKind, Result};

/// A client that writes nothing.
const NOBODY: u64 = 0;

/// A document with updates in it.
#[derive(Debug)]
pub(super) struct Merged {
    /// The version that it was made from; 0 for nothing.
    pub(super) from: u64,
    /// Whether anything differs.
    pub(super) differs: bool,
    pub(super) is_json: bool,
    pub(super) content: String,
    pub(super) metadata: Option<String>,
    pub(super) state: Vec<u8>,
    /// It is new here, and has edits that were made here before it was purged.
    pub(super) is_back: bool,
    /// What came in that was not there before.
    pub(super) news: Vec<u8>,
}

/// What updates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Come {
    /// Edits; `founding`: the first one may be the first one of all.
    Edits { founding: bool },
    /// A whole document.
    Whole,
}

/// Takes updates into a document, in the order in which they were made; all of them or none.
///
/// # Errors
/// As [`Body::apply`]. [`Gap`](ErrorKind::Gap) also where somebody else began the same document: it must come whole.
pub(super) fn merge(
    client: u64,
    stored: Option<(u64, &[u8])>,
    updates: &[&[u8]],
    come: Come,
) -> Result<Merged> {
    let mut body = match stored {
        Some((_, state)) => Body::load(client, state)?,
        // Nothing of it is this replica's: what it wrote there once it has purged.
        None => Body::new(NOBODY),
    };
    let (vector, before) = (body.vector(), body.state());
    let is_strange = match updates.first() {
        Some(first) if come != (Come::Edits { founding: false }) => body.is_by_strangers(first)?,
        _ => false,
    };
    match (come, updates) {
        (Come::Whole, [whole]) if is_strange => body = rebased(&body, whole)?,
        _ if is_strange => {
            return Err(Error::new(ErrorKind::Gap, "a document that was begun twice; it must come whole"));
        }
        _ => body.apply_all(updates)?,
    }
    let state = body.state();
    let (content, metadata) = state_of(&body);
    let text = content.to_text().into_owned();
    Ok(Merged {
        from: stored.map_or(0, |(version, _)| version),
        is_back: stored.is_none() && body.has_edits_of(client),
        differs: stored.is_none() || state != before,
        is_json: content.as_json().is_some(),
        metadata: described(&metadata)?,
        news: if state == before { Vec::new() } else { body.since(&vector)? },
        state: squeeze(state, &text),
        content: text,
    })
}
