//! Merging, outside of the writer: intents and the documents as they are, to rows that the writer only stores.

use super::bases::{Base, Bases, Begin, Key, Shown, Stored};
use super::threeway;
use crate::crdt::{self, Body};
use crate::encode::json;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    pub(super) shown: Arc<Shown>,
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

impl Shown {
    fn of((content, metadata): &State) -> Result<Self> {
        let metadata = described(metadata)?;
        Ok(Self { is_json: content.as_json().is_some(), content: content.to_text().into_owned(), metadata })
    }
}

/// One document that is being changed.
struct Open {
    from: From,
    version: Version,
    body: Body,
    /// As it is stored, or will be by an earlier part.
    before: Option<Arc<Shown>>,
    /// As it was found.
    found: Option<Arc<Stored>>,
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
        let new = |from, version, body, before, found| Self {
            from,
            version,
            body,
            before,
            found,
            now: None,
            views: BTreeMap::new(),
            waiting: Vec::new(),
            agent: None,
        };
        match base {
            Base::Nothing | Base::Hidden | Base::Other(_) => {
                Ok(new(From::Nothing, 0, Body::new(client), None, None))
            }
            Base::Stored { stored, .. } => {
                let body =
                    Body::load(client, &stored.state).map_err(|error| error.context(path.to_owned()))?;
                let shown = match &stored.shown {
                    Some(shown) => shown.clone(),
                    None => Arc::new(Shown::of(&state_of(&body))?),
                };
                let from = From::Stored(stored.node, stored.version);
                Ok(new(from, stored.version, body, Some(shown), Some(stored.clone())))
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
                let load = |found: &Arc<Stored>| Body::load(0, &found.state).map(|body| state_of(&body));
                self.found.as_ref().map(load).transpose()
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
        if let (None, Intent::Write(wanted)) = (&view, what) {
            self.views.insert(begin.agent.clone(), None);
            return self.replace(wanted, change, now);
        }
        let (current, described) = exists.then(|| now.unwrap_or_else(|| state_of(&self.body))).unzip();
        let (wanted, metadata, view) = put(change, view, current, described.clone())?;
        self.views.insert(begin.agent.clone(), view);
        match (what, &wanted) {
            // An append costs what it adds, however long the text is.
            (Intent::Append(more), Content::Text(_)) if exists => {
                self.body.append(more).map_err(|error| error.context(path.clone()))?;
                self.describe(metadata.as_ref(), path)?;
            }
            (_, wanted) => self.set(wanted, metadata.as_ref(), path)?,
        }
        if let Some(described) = metadata.or(described) {
            self.note((wanted, described));
        }
        Ok(())
    }

    /// A whole new value for what its author sees as it is: what stood there need not be known.
    fn replace(&mut self, wanted: &Content, change: &Change, now: Option<State>) -> Result<()> {
        let described = match (&change.metadata, now) {
            (Some(metadata), _) => metadata.clone(),
            (None, Some((_, described))) => described,
            (None, None) => self.body.metadata(),
        };
        self.set(wanted, change.metadata.as_ref(), &change.path)?;
        self.note((wanted.clone(), described));
        Ok(())
    }

    fn set(&mut self, wanted: &Content, metadata: Option<&Value>, path: &str) -> Result<()> {
        let set = match wanted {
            Content::Text(text) => self.body.set_text(text),
            Content::Json(value) => self.body.set_json(value),
        };
        set.map_err(|error| error.context(path.to_owned()))?;
        self.describe(metadata, path)
    }

    /// What was written stands there as it was written, but for zeros: -0.0 in the place of 0.0 is no change.
    fn note(&mut self, written: State) {
        let keeps = |value: &Value| !has_negative_zero(value);
        let kept = written.0.as_json().is_none_or(keeps) && keeps(&written.1);
        self.now = kept.then_some(written);
    }

    fn describe(&mut self, metadata: Option<&Value>, path: &str) -> Result<()> {
        let set = metadata.map_or(Ok(()), |metadata| self.body.set_metadata(metadata));
        set.map_err(|error| error.context(path.to_owned()))
    }

    /// Turns what was changed so far into a part.
    fn close(&mut self, parts: &mut [Part]) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let Some(last) = waiting.last().copied() else { return Ok(()) };
        waiting.iter().for_each(|index| parts[*index] = Part::Folded(last));
        let after = self.now.take().unwrap_or_else(|| state_of(&self.body));
        debug_assert_eq!(after, state_of(&self.body), "what was written is what stands there");
        let after = Arc::new(Shown::of(&after)?);
        let same = self.before.as_ref() == Some(&after);
        parts[last] = Part::Content(Box::new(Prepared {
            from: self.from,
            same,
            state: crdt::squeeze(self.body.state(), &after.content),
            shown: after.clone(),
            update: self.body.take_update(),
        }));
        (self.before, self.from) = (Some(after), From::Own);
        self.version += u64::from(!same);
        Ok(())
    }
}

fn has_negative_zero(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            number.as_f64().is_some_and(|float| float == 0.0 && float.is_sign_negative())
        }
        Value::Array(items) => items.iter().any(has_negative_zero),
        Value::Object(members) => members.values().any(has_negative_zero),
        _ => false,
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
