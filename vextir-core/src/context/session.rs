//! What a handler has read and written so far: pinned documents, and changes that wait for the settlement.

mod entries;

use super::origin::{Origin, origin};
use super::{Actor, Change, Content, ContextStore, Document, Intent, Item, ItemKind, When, nothing_at};
use crate::{Error, Name, Result};
use entries::{Entries, is_structural, last, overlay};
use serde_json::json;
use std::borrow::Cow;
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
    /// The numbers of the changes that move, remove and restore.
    structural: Vec<usize>,
    /// What documents are with all changes, where it was asked for.
    current: BTreeMap<Pin, Option<Document>>,
}

/// Whether an actor sees a change of the handler: its user sees all, an agent its own. What else is done in the handler
/// may be where the agent may not look.
fn sees(actor: &Actor, change: &Change) -> bool {
    actor.agent.is_none() || change.agent == actor.agent
}

impl State {
    fn seen_by(&self, actor: &Actor) -> Vec<(usize, &Change)> {
        self.changes.iter().enumerate().filter(|(_, change)| sees(actor, change)).collect()
    }

    /// Where a path leads before all changes.
    fn origin(&self, actor: &Actor, path: &str) -> Origin {
        let structural = self.structural.iter().map(|index| (*index, &self.changes[*index]));
        let seen: Vec<_> = structural.filter(|(_, change)| sees(actor, change)).collect();
        origin(path, &seen).0
    }

    fn push(&mut self, change: Change) {
        if !change.what.is_content() {
            if matches!(change.what, Intent::Move(_) | Intent::Remove | Intent::Restore) {
                self.structural.push(self.changes.len());
                self.current.clear();
            }
        } else if change.agent.is_some() {
            // The user sees it too.
            self.current.remove(&(None, change.path.clone()));
        }
        self.changes.push(change);
    }
}

impl Session {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The changes so far.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.lock().changes.clone()
    }

    /// The changes for the settlement.
    pub(crate) fn take(&self) -> Vec<Change> {
        std::mem::take(&mut *self.lock()).changes
    }

    /// The document as the handler sees it.
    pub(super) async fn read(
        &self,
        store: &Arc<dyn ContextStore>,
        actor: &Actor,
        path: &str,
    ) -> Result<Option<Document>> {
        self.look(store, actor, path, |document| document.into_owned()).await
    }

    /// What `see` takes from the document as the handler sees it, under the lock that says so: another task of the
    /// handler may remove it right afterwards.
    async fn look<T>(
        &self,
        store: &Arc<dyn ContextStore>,
        actor: &Actor,
        path: &str,
        see: fn(Cow<'_, Option<Document>>) -> T,
    ) -> Result<T> {
        let pin = (actor.agent.clone(), path.to_owned());
        loop {
            let (from, steps, count) = {
                let state = self.lock();
                if let Some(current) = state.current.get(&pin) {
                    return Ok(see(Cow::Borrowed(current)));
                }
                let (from, steps) = origin(path, &state.seen_by(actor));
                let steps: Vec<_> =
                    steps.into_iter().rev().map(|index| state.changes[index].clone()).collect();
                (from, steps, state.changes.len())
            };
            let mut document = self.pin(store, actor, &from).await?;
            if steps.is_empty() && self.lock().changes.len() == count {
                let document = document.map(|document| Document { path: path.to_owned(), ..document });
                return Ok(see(Cow::Owned(document)));
            }
            for change in &steps {
                document = Some(applied(document, change)?);
            }
            let mut state = self.lock();
            // Another task of the handler may have changed something meanwhile.
            if state.changes.len() == count {
                let document = document.map(|document| Document { path: path.to_owned(), ..document });
                let seen = see(Cow::Borrowed(&document));
                state.current.insert(pin, document);
                return Ok(seen);
            }
        }
    }

    /// The document in the store, as it was when it was first read.
    async fn pin(
        &self,
        store: &Arc<dyn ContextStore>,
        actor: &Actor,
        from: &Origin,
    ) -> Result<Option<Document>> {
        let path = match from {
            Origin::At(path) => path,
            Origin::Removed { restored, before, path } => {
                return store.read_removed(actor, restored, *before, path).await;
            }
            Origin::Nowhere { .. } | Origin::Unclear => return Ok(None),
        };
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
        let fits =
            matches!(change.what, Intent::Edit(_) | Intent::Append(_) | Intent::Patch(_) | Intent::Describe);
        if fits {
            self.look(store, actor, &change.path, |_| ()).await?;
        }
        let mut state = self.lock();
        if state.changes.len() >= MOST {
            return Err(too_many("makes", "changes"));
        }
        if change.what.is_content() && !matches!(change.what, Intent::Guide(_)) {
            let pin = (actor.agent.clone(), change.path.clone());
            // Taken out and put back: an append to a long text costs what it adds.
            if let Some(document) = state.current.remove(&pin) {
                let document = applied(document, &change)?;
                state.current.insert(pin, Some(document));
            }
            if change.base.is_none() {
                let Origin::At(origin) = state.origin(actor, &change.path) else {
                    state.push(change);
                    return Ok(());
                };
                match state.pinned.get(&(actor.agent.clone(), origin)) {
                    Some(Some(read)) => {
                        change.base = Some(read.version);
                        change.of = Some(read.id.clone()).filter(|id| !id.is_empty());
                    }
                    Some(None) if matches!(change.what, Intent::Write(_)) => change.base = Some(0),
                    _ => {}
                }
            }
        }
        state.push(change);
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
        let changes: Vec<Change> =
            self.lock().seen_by(actor).into_iter().map(|(_, change)| change.clone()).collect();
        if changes.iter().all(|change| !is_structural(&change.what, &change.path, folder)) {
            return store.list(actor, folder, after, limit).await;
        }
        let numbered: Vec<_> = changes.iter().enumerate().collect();
        let mut entries = stored(store, actor, &origin(folder, &numbered).0).await?;
        for (index, change) in changes.iter().enumerate() {
            // The name that the folder had when this change was made. What is removed just then stays as it is.
            if let Origin::At(then) = origin(folder, &numbered[index + 1..]).0 {
                overlay(&mut entries, &then, change);
            }
        }
        let later: Vec<_> = entries
            .into_iter()
            .filter(|(name, _)| after.is_empty() || name.as_str() > after)
            .take(limit)
            .collect();
        let mut items = Vec::with_capacity(later.len());
        for (name, known) in later {
            let path = if folder == "/" { format!("/{name}") } else { format!("{folder}/{name}") };
            items.push(match known {
                Some(item) => Item { path, ..item },
                None => match self.read(store, actor, &path).await? {
                    Some(document) => Item::new(path, ItemKind::Document, document.updated),
                    None => Item::new(path, ItemKind::Folder, crate::Timestamp::UNSET),
                },
            });
        }
        Ok(items)
    }
}

/// What the store has in a folder.
async fn stored(store: &Arc<dyn ContextStore>, actor: &Actor, from: &Origin) -> Result<Entries> {
    const PAGE: usize = 1_000;
    let mut entries = Entries::new();
    let mut after = String::new();
    loop {
        let page = match from {
            Origin::At(folder) => store.list(actor, folder, &after, PAGE).await?,
            Origin::Removed { restored, before, path } => {
                store.list_removed(actor, restored, *before, (path, &after, PAGE)).await?
            }
            Origin::Nowhere { .. } | Origin::Unclear => Vec::new(),
        };
        let more = page.len() >= PAGE;
        for item in page {
            last(&item.path).clone_into(&mut after);
            entries.insert(after.clone(), Some(item));
        }
        if !more {
            return Ok(entries);
        }
    }
}

fn too_many(verb: &str, what: &str) -> Error {
    Error::invalid(format!("a handler {verb} at most {MOST} {what}; cut its work into events"))
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
