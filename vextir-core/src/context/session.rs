//! What a handler has read and written so far: pinned documents, and changes that wait for the settlement.

use super::{
    Actor, Change, Content, ContextStore, Document, Intent, Item, ItemKind, When, is_within, nothing_at,
    rebase,
};
use crate::{Error, Name, Result, Timestamp};
use serde_json::json;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most changes of one handler, and the most documents that it reads.
const MOST: usize = 10_000;

/// The reads and writes of one attempt.
#[derive(Debug, Default)]
pub(crate) struct Session(Mutex<State>);

/// The agent that reads, and the path.
type Pin = (Option<Name>, String);

#[derive(Debug, Default)]
struct State {
    /// What each document was when it was first read.
    pinned: BTreeMap<Pin, Option<Document>>,
    changes: Vec<Change>,
}

impl State {
    fn seen_by(&self, actor: &Actor) -> impl Iterator<Item = &Change> {
        let sees = |change: &&Change| actor.agent.is_none() || change.agent == actor.agent;
        self.changes.iter().filter(sees)
    }
}

impl Session {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The changes so far that an actor sees: its user sees all, an agent its own. What else is done in the handler
    /// may be where the agent may not look.
    fn seen_by(&self, actor: &Actor) -> Vec<Change> {
        self.lock().seen_by(actor).cloned().collect()
    }

    /// The changes so far.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.lock().changes.clone()
    }

    /// The changes for the settlement.
    pub(crate) fn take(&self) -> Vec<Change> {
        std::mem::take(&mut self.lock().changes)
    }

    /// The document as the handler sees it.
    pub(super) async fn read(
        &self,
        store: &Arc<dyn ContextStore>,
        actor: &Actor,
        path: &str,
    ) -> Result<Option<Document>> {
        let changes = self.seen_by(actor);
        let way = way_back(path, &changes);
        let base = match &way.origin {
            Some(origin) => self.pin(store, actor, origin).await?,
            None => None,
        };
        let mut document = base;
        for change in way.steps.into_iter().rev().map(|index| &changes[index]) {
            document = Some(applied(document, change)?);
        }
        Ok(document.map(|document| Document { path: path.to_owned(), ..document }))
    }

    /// The document in the store, as it was when it was first read.
    async fn pin(
        &self,
        store: &Arc<dyn ContextStore>,
        actor: &Actor,
        path: &str,
    ) -> Result<Option<Document>> {
        let pin = (actor.agent.clone(), path.to_owned());
        {
            let state = self.lock();
            if let Some(pinned) = state.pinned.get(&pin) {
                return Ok(pinned.clone());
            }
            if state.pinned.len() >= MOST {
                return Err(too_many("reads", "documents"));
            }
        }
        let found = store.read(actor, path, When::Now).await?;
        Ok(self.lock().pinned.entry(pin).or_insert(found).clone())
    }

    /// Takes a change in, if it fits what the handler sees.
    pub(super) async fn add(
        &self,
        store: &Arc<dyn ContextStore>,
        actor: &Actor,
        mut change: Change,
    ) -> Result<()> {
        // An edit must fit now: what it would be refused for at the end, its author can still mend here.
        if matches!(change.what, Intent::Edit(_) | Intent::Append(_) | Intent::Patch(_) | Intent::Describe) {
            let document = self.read(store, actor, &change.path).await?;
            applied(document, &change)?;
        }
        let mut state = self.lock();
        if state.changes.len() >= MOST {
            return Err(too_many("makes", "changes"));
        }
        if change.base.is_none() && change.what.is_content() && !matches!(change.what, Intent::Guide(_)) {
            let changes: Vec<&Change> = state.seen_by(actor).collect();
            let origin = way_back(&change.path, &changes).origin;
            match origin.and_then(|origin| state.pinned.get(&(actor.agent.clone(), origin))) {
                Some(Some(read)) => {
                    change.base = Some(read.version);
                    change.of = Some(read.id.clone()).filter(|id| !id.is_empty());
                }
                Some(None) if matches!(change.what, Intent::Write(_)) => change.base = Some(0),
                _ => {}
            }
        }
        state.changes.push(change);
        Ok(())
    }

    /// What is in a folder, with the handler's own changes.
    pub(super) async fn list(
        &self,
        store: &Arc<dyn ContextStore>,
        actor: &Actor,
        folder: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Item>> {
        let changes = self.seen_by(actor);
        if changes.iter().all(|change| !is_structural(&change.what, &change.path, folder)) {
            return store.list(actor, folder, after, limit).await;
        }
        let mut items = BTreeMap::new();
        if let Some(origin) = way_back(folder, &changes).origin {
            let mut page_after = String::new();
            loop {
                let page = store.list(actor, &origin, &page_after, 1_000).await?;
                let more = page.len() >= 1_000;
                for item in page {
                    page_after = last(&item.path).to_owned();
                    items.insert(page_after.clone(), item.kind);
                }
                if !more {
                    break;
                }
            }
        }
        for (index, change) in changes.iter().enumerate() {
            // The name that the folder had when this change was made.
            if let Some(then) = way_to(folder, &changes[index + 1..]) {
                overlay(&mut items, &then, change);
            }
        }
        let later =
            items.into_iter().filter(|(name, _)| after.is_empty() || name.as_str() > after).take(limit);
        let path = |name: &str| if folder == "/" { format!("/{name}") } else { format!("{folder}/{name}") };
        Ok(later.map(|(name, kind)| Item::new(path(&name), kind, Timestamp::UNSET)).collect())
    }
}

fn too_many(verb: &str, what: &str) -> Error {
    Error::invalid(format!("a handler {verb} at most {MOST} {what}; cut its work into events"))
}

/// How a document came to its path: where it was before all changes, and the changes of its content, last first.
struct Way {
    origin: Option<String>,
    steps: Vec<usize>,
}

fn way_back(path: &str, changes: &[impl Borrow<Change>]) -> Way {
    let mut way = Way { origin: Some(path.to_owned()), steps: Vec::new() };
    for (index, change) in changes.iter().map(Borrow::borrow).enumerate().rev() {
        let Some(path) = &way.origin else { break };
        match &change.what {
            Intent::Move(to) if is_within(path, to) => way.origin = rebase(path, to, &change.path),
            Intent::Move(_) | Intent::Remove if is_within(path, &change.path) => way.origin = None,
            what if what.is_content() && !matches!(what, Intent::Guide(_)) && change.path == *path => {
                way.steps.push(index);
            }
            _ => {}
        }
    }
    way
}

/// The path of a place before some changes; `None` if it was not there.
fn way_to(path: &str, changes: &[Change]) -> Option<String> {
    way_back(path, changes).origin
}

/// A document after one change of its content.
fn applied(document: Option<Document>, change: &Change) -> Result<Document> {
    let there = document.is_some();
    if !there && !change.what.makes() {
        return Err(nothing_at(&change.path));
    }
    let mut document =
        document.unwrap_or_else(|| Document::new(&change.path, Content::Text(String::new()), json!({}), 0));
    document.content = change.what.on(there.then_some(document.content), &change.path)?;
    if let Some(metadata) = &change.metadata {
        document.metadata.clone_from(metadata);
    }
    Ok(document)
}

/// Whether it may change which entries a folder has.
fn is_structural(what: &Intent, path: &str, folder: &str) -> bool {
    match what {
        Intent::Move(to) => {
            is_within(path, folder)
                || is_within(to, folder)
                || is_within(folder, path)
                || is_within(folder, to)
        }
        Intent::Remove => is_within(path, folder) || is_within(folder, path),
        what => what.makes() && is_within(path, folder),
    }
}

/// Changes the entries of a folder as one change does.
fn overlay(items: &mut BTreeMap<String, ItemKind>, folder: &str, change: &Change) {
    let child = |path: &str| -> Option<(String, bool)> {
        let rest = if folder == "/" { path } else { path.strip_prefix(folder)? };
        let rest = rest.strip_prefix('/').filter(|rest| !rest.is_empty())?;
        let (name, below) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
        Some((name.to_owned(), below))
    };
    match &change.what {
        Intent::Remove => match child(&change.path) {
            Some((name, false)) => drop(items.remove(&name)),
            None if is_within(folder, &change.path) => items.clear(),
            _ => {}
        },
        Intent::Move(to) => {
            let moved = match child(&change.path) {
                Some((name, false)) => items.remove(&name),
                _ => None,
            };
            match child(to) {
                Some((name, false)) => drop(items.insert(name, moved.unwrap_or(ItemKind::Document))),
                Some((name, true)) => drop(items.entry(name).or_insert(ItemKind::Folder)),
                None => {}
            }
        }
        what if what.makes() => {
            if let Some((name, below)) = child(&change.path) {
                let is_folder = below || matches!(what, Intent::Guide(_));
                items.entry(name).or_insert(if is_folder { ItemKind::Folder } else { ItemKind::Document });
            }
        }
        _ => {}
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
