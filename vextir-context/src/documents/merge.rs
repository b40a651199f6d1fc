//! Merging, outside of the writer: intents and the documents as they are, to rows that the writer only stores.

use super::bases::{Base, Bases, Begin, Key};
use super::threeway;
use crate::crdt::{self, Body};
use crate::encode::json;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use vextir_core::context::graph::Told;
use vextir_core::context::{Change, Content, Intent, Version, nothing_at};
use vextir_core::{Error, ErrorKind, Name, Result};

/// What becomes of each change of a command, in the same order.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(super) parts: Vec<Part>,
    /// Set by the writer when a document is not any more what was merged into.
    raced: AtomicBool,
    /// What the writer tells of the changes of the graph.
    told: Mutex<Vec<Told>>,
}

/// What becomes of one change.
#[derive(Debug)]
pub(super) enum Part {
    /// Not about content: the writer does it as it stands.
    Structure,
    /// The part of this later change of the same document holds it too.
    Folded(usize),
    /// About something that its author could not see when it was merged: refused, or merged again.
    Hidden,
    /// New content.
    Content(Box<Prepared>),
}

/// New content of one document.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) from: From,
    /// Nothing differs: there is nothing to store.
    pub(super) same: bool,
    pub(super) is_json: bool,
    pub(super) content: String,
    pub(super) metadata: Option<String>,
    pub(super) state: Vec<u8>,
    pub(super) update: Vec<u8>,
}

/// What new content was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// Nothing was there.
    Nothing,
    /// This version of this node.
    Stored(i64, Version),
    /// What an earlier part of the same command stores.
    Own,
}

impl Merged {
    /// Changes that need no merge.
    pub(super) fn nothing(changes: usize) -> Self {
        let parts = (0..changes).map(|_| Part::Structure).collect();
        Self { parts, raced: AtomicBool::new(false), told: Mutex::default() }
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Vec<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_race(&self) {
        self.raced.store(true, Ordering::Relaxed);
    }

    /// Whether the merge must be done again.
    pub(crate) fn has_raced(&self) -> bool {
        self.raced.load(Ordering::Relaxed)
    }
}

type State = (Content, Value);

/// One document that is being changed.
struct Open {
    from: From,
    version: Version,
    body: Body,
    /// As it is stored, or will be by an earlier part.
    before: Option<State>,
    /// As it was found.
    found: Option<State>,
    /// As it is now, where that is known without looking.
    now: Option<State>,
    /// As each author, an agent or the user, sees it, where that is not how it is.
    views: BTreeMap<Option<Name>, Option<State>>,
    /// The changes that are not in a part yet, and their agent.
    waiting: Vec<usize>,
    agent: Option<Name>,
}

/// Merges all changes of a command.
pub(crate) fn merge(client: u64, changes: &[Change], bases: &Bases) -> Result<Merged> {
    let mut parts: Vec<Part> = Vec::with_capacity(changes.len());
    let mut open: BTreeMap<Key, Open> = BTreeMap::new();
    for (index, change) in changes.iter().enumerate() {
        if !change.what.is_content() {
            // What was written so far must be there before it is moved or removed.
            for document in open.values_mut() {
                document.close(&mut parts)?;
            }
            parts.push(Part::Structure);
            continue;
        }
        let begin = bases.of(index);
        if let Base::Other(refused) = &begin.base {
            return Err(Error::new(ErrorKind::Conflict, refused.clone()));
        }
        if matches!(begin.base, Base::Hidden) {
            // For its author nothing is there, so it is refused for what that would be refused for.
            Open::begin(client, &Base::Nothing, &change.path)?.step(change, begin)?;
            parts.push(Part::Hidden);
            continue;
        }
        let mut document = match open.remove(&begin.key) {
            Some(document) => document,
            None => Open::begin(client, &begin.base, &change.path)?,
        };
        // What two authors write are two parts: each has its rights, and its line in the history.
        if document.agent != begin.agent {
            document.close(&mut parts)?;
        }
        document.step(change, begin)?;
        document.agent.clone_from(&begin.agent);
        document.waiting.push(index);
        parts.push(Part::Folded(index));
        open.insert(begin.key.clone(), document);
    }
    for document in open.values_mut() {
        document.close(&mut parts)?;
    }
    Ok(Merged { parts, raced: AtomicBool::new(false), told: Mutex::default() })
}

impl Open {
    fn begin(client: u64, base: &Base, path: &str) -> Result<Self> {
        let new = |from, version, body, found: Option<State>| Self {
            from,
            version,
            body,
            before: found.clone(),
            found,
            now: None,
            views: BTreeMap::new(),
            waiting: Vec::new(),
            agent: None,
        };
        match base {
            Base::Nothing | Base::Hidden | Base::Other(_) => {
                Ok(new(From::Nothing, 0, Body::new(client), None))
            }
            Base::Stored { stored, .. } => {
                let body =
                    Body::load(client, &stored.state).map_err(|error| error.context(path.to_owned()))?;
                let found = Some(state_of(&body));
                Ok(new(From::Stored(stored.node, stored.version), stored.version, body, found))
            }
            Base::Unclear => Err(Error::invalid(format!(
                "{path} was restored in the same commit, and a folder above it too; change it in the next one"
            ))),
        }
    }

    /// What the author of a change sees, where that is not how it is.
    fn view(&mut self, change: &Change, begin: &Begin) -> Result<Option<State>> {
        if let Some(view) = self.views.remove(&begin.agent) {
            return Ok(view);
        }
        let touched = !self.waiting.is_empty() || self.from == From::Own;
        match &begin.base {
            Base::Stored { seen: Some(seen), .. } => replay(seen).map(Some),
            // An agent does not see what its user does in the same command.
            Base::Stored { .. } if touched && begin.agent.is_some() && change.base.is_some() => {
                Ok(self.found.clone())
            }
            _ => Ok(None),
        }
    }

    /// One intent.
    fn step(&mut self, change: &Change, begin: &Begin) -> Result<()> {
        let Change { path, what, .. } = change;
        if let Some(expected) = change.expected
            && expected != self.version
        {
            let version = self.version;
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("{path} has the version {version}, and {expected} was expected; read it again"),
            ));
        }
        let exists = self.before.is_some() || !self.waiting.is_empty();
        if !exists && !what.makes() {
            return Err(nothing_at(path));
        }
        let view = self.view(change, begin)?;
        let now = self.now.take();
        // As it was found, as long as nothing waits.
        let now = now.or_else(|| self.before.clone().filter(|_| self.waiting.is_empty()));
        let (current, described) = exists.then(|| now.unwrap_or_else(|| state_of(&self.body))).unzip();
        let (wanted, metadata, view) = put(change, view, current, described.clone())?;
        self.views.insert(begin.agent.clone(), view);
        let body = &mut self.body;
        let set = match (what, &wanted) {
            // An append costs what it adds, however long the text is.
            (Intent::Append(more), Content::Text(_)) if exists => body.append(more),
            (_, Content::Text(text)) => body.set_text(text),
            (_, Content::Json(value)) => body.set_json(value),
        };
        let set = set.and_then(|()| metadata.iter().try_for_each(|metadata| body.set_metadata(metadata)));
        set.map_err(|error| error.context(path.clone()))?;
        if let (Content::Text(_), None, Some(described)) = (&wanted, metadata, described) {
            self.now = Some((wanted, described));
        }
        Ok(())
    }

    /// Turns what was changed so far into a part.
    fn close(&mut self, parts: &mut [Part]) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let Some(last) = waiting.last().copied() else { return Ok(()) };
        waiting.iter().for_each(|index| parts[*index] = Part::Folded(last));
        let (content, metadata) = state_of(&self.body);
        let text = content.to_text().into_owned();
        let described = described(&metadata)?;
        let after = (content, metadata);
        let same = self.before.as_ref() == Some(&after);
        parts[last] = Part::Content(Box::new(Prepared {
            from: self.from,
            same,
            is_json: after.0.as_json().is_some(),
            state: crdt::squeeze(self.body.state(), &text),
            content: text,
            metadata: described,
            update: self.body.take_update(),
        }));
        (self.before, self.from) = (Some(after), From::Own);
        self.version += u64::from(!same);
        Ok(())
    }
}

/// The content and metadata after a change, and what its author sees then.
fn put(
    change: &Change,
    view: Option<State>,
    current: Option<Content>,
    described: Option<Value>,
) -> Result<(Content, Option<Value>, Option<State>)> {
    let Change { path, what, .. } = change;
    let Some((content, described_then)) = view else {
        return Ok((what.on(current, path)?, change.metadata.clone(), None));
    };
    let metadata = change.metadata.clone().unwrap_or_else(|| described_then.clone());
    let (mine, merged) = match (what, current) {
        // A whole text or value replaces what its author saw, and not what came meanwhile.
        (Intent::Write(_) | Intent::Edit(_), Some(theirs)) => {
            let mine = what.on(Some(content.clone()), path)?;
            (mine.clone(), threeway::content(&content, mine, theirs))
        }
        (_, theirs) => (what.on(Some(content), path)?, what.on(theirs, path)?),
    };
    let described = threeway::value(&described_then, metadata.clone(), described.unwrap_or_default());
    Ok((merged, Some(described), Some((mine, metadata))))
}

/// Metadata as they are stored.
pub(crate) fn described(metadata: &Value) -> Result<Option<String>> {
    Ok(Some(json(metadata)?).filter(|text| text != "{}"))
}

/// The document that updates make.
pub(super) fn replay(updates: &[Vec<u8>]) -> Result<State> {
    Ok(state_of(&Body::of_updates(updates)?))
}

pub(crate) fn state_of(body: &Body) -> State {
    let content = match body.content() {
        crdt::Content::Text(text) => Content::Text(text),
        crdt::Content::Json(value) => Content::Json(value),
    };
    (content, body.metadata())
}
