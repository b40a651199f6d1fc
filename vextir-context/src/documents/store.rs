//! The hub as a context store.

use super::bases::Bases;
use super::merge::{Merged, merge};
use super::rights::acting;
use super::{guides, history, list, place, restored};
use crate::hub::Hub;
use crate::outbox::Post;
use crate::readers::spawn;
use crate::writer::question;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::watch;
use vextir_core::bus::{Command, Outcome, Receipt, Settlement};
use vextir_core::context::graph::{GraphStore, Told};
use vextir_core::context::{
    Access, Change, ChangePage, Content, Document, Found, Guide, Intent, Item, Outbox, Revision, Search,
    Version, When,
};
use vextir_core::{Actor, ContextStore, Cursor, Error, ErrorKind, Result, Sequence, async_trait};

/// How often a merge is begun anew when its document was changed meanwhile. Lanes make that rare.
const TRIES: usize = 64;

/// After so many races in a row in which nobody else did anything, it is the command that races with itself.
const ALONE: usize = 4;

/// What is merged in the caller's task: up to so many bytes, which is a millisecond or two.
const QUICK: usize = 32 << 10;

/// The changes of a command, which several tasks and threads read.
#[derive(Clone)]
enum Changes {
    Own(Arc<[Change]>),
    Settled(Arc<Settlement>),
}

impl std::ops::Deref for Changes {
    type Target = [Change];

    fn deref(&self) -> &[Change] {
        match self {
            Self::Own(changes) => changes,
            Self::Settled(settlement) => match &settlement.outcome {
                Outcome::Done { changes, .. } => changes,
                _ => &[],
            },
        }
    }
}

/// Who changes what in a command outside of an append.
fn changes_of(command: &Command) -> Option<(Actor, Changes)> {
    match command {
        Command::Change { actor, changes } => Some((actor.clone(), Changes::Own(changes.as_slice().into()))),
        Command::Settle(settlement) => match &settlement.outcome {
            Outcome::Done { changes, .. } if !changes.is_empty() => {
                let delivery = &settlement.delivery;
                let actor = Actor::handler(&delivery.event, &delivery.driver);
                Some((actor, Changes::Settled(settlement.clone())))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a command changes documents.
pub(crate) fn changes_documents(command: &Command) -> bool {
    match command {
        Command::Change { .. } => true,
        Command::Settle(settlement) => changes_in(settlement),
        Command::Append(append) => append.entries.iter().flat_map(|entry| &entry.eager).any(changes_in),
        _ => false,
    }
}

fn changes_in(settlement: &Settlement) -> bool {
    matches!(&settlement.outcome, Outcome::Done { changes, .. } if !changes.is_empty())
}

/// Commits a command that changes documents: they are merged first. What is posted lands with it.
pub(crate) async fn change(hub: &Hub, command: Command, post: Option<Arc<Post>>) -> Result<Receipt> {
    let Some((actor, changes)) = changes_of(&command) else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "an eager handler changes documents; let it be settled after its event is stored",
        ));
    };
    if !changes.iter().any(|change| change.what.is_content()) {
        // Nothing is to be merged: the writer does it as it stands.
        changes.iter().try_for_each(|change| acting(&actor, change).map(drop))?;
        let merged = Arc::new(Merged::nothing(changes.len()));
        return hub.send_commit(command, Some(merged), post).await;
    }
    let _lanes = hub.lanes().take(&actor, &changes).await;
    let mut last: Option<Arc<Bases>> = None;
    let mut alone = 0;
    for _ in 0..TRIES {
        let (who, what) = (actor.clone(), changes.clone());
        let bases = Arc::new(hub.read_with(move |connection| Bases::read(connection, &who, &what)).await?);
        alone = if last.as_ref().is_some_and(|last| last.is_as(&bases)) { alone + 1 } else { 0 };
        if alone >= ALONE {
            return Err(Error::invalid(
                "the changes of this commit exclude each other: one takes away what another one builds on, by \
                 another path; make them in two commits",
            ));
        }
        last = Some(bases.clone());
        let merged = Arc::new(merge_aside(hub.client(), changes.clone(), bases).await?);
        match hub.send_commit(command.clone(), Some(merged.clone()), post.clone()).await {
            Err(_) if merged.has_raced() => tokio::task::yield_now().await,
            answer => return answer,
        }
    }
    Err(Error::new(ErrorKind::Unavailable, "a document is changed by others all the time; try again"))
}

/// Changes the graph alone: nothing is to be merged.
pub(crate) async fn change_graph(hub: &Hub, actor: &Actor, changes: Vec<Change>) -> Result<Vec<Told>> {
    if changes.iter().any(|change| !matches!(change.what, Intent::Graph(_))) {
        return Err(Error::invalid("this changes the graph, and documents are changed by `change`"));
    }
    let merged = Arc::new(Merged::nothing(changes.len()));
    let command = Command::Change { actor: actor.clone(), changes };
    hub.send_commit(command, Some(merged.clone()), None).await?;
    let told = std::mem::take(&mut *merged.told());
    Ok(told)
}

/// Merges here, or on a thread of its own if that may take long: a task must not keep its runtime from others.
async fn merge_aside(client: u64, changes: Changes, bases: Arc<Bases>) -> Result<Merged> {
    let weight = bases.weight() + changes.iter().map(weight).sum::<usize>();
    if weight <= QUICK {
        return merge(client, &changes, &bases);
    }
    let (answer, answered) = question();
    spawn("vextir-hub-merge", move || answer.send(merge(client, &changes, &bases)))?;
    answered.await
}

/// About how many bytes a change brings along.
fn weight(change: &Change) -> usize {
    let content = match &change.what {
        Intent::Write(Content::Text(text)) | Intent::Append(text) | Intent::Guide(text) => text.len(),
        Intent::Write(Content::Json(value)) | Intent::Patch(value) => weight_of(value),
        Intent::Edit(edits) => edits.iter().map(|edit| edit.old.len() + edit.new.len()).sum(),
        _ => 0,
    };
    content + change.metadata.as_ref().map_or(0, weight_of)
}

fn weight_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight_of).sum::<usize>() + items.len(),
        Value::Object(members) => members.iter().map(|(key, value)| key.len() + weight_of(value)).sum(),
        _ => 8,
    }
}

#[async_trait]
impl ContextStore for Hub {
    async fn read(&self, actor: &Actor, path: &str, when: When) -> Result<Option<Document>> {
        let (actor, path) = (actor.clone(), path.to_owned());
        self.read_with(move |connection| history::read(connection, &actor, &path, when)).await
    }

    async fn list(&self, actor: &Actor, folder: &str, after: &str, limit: usize) -> Result<Vec<Item>> {
        let (actor, folder, after) = (actor.clone(), folder.to_owned(), after.to_owned());
        self.read_with(move |connection| list::list(connection, &actor, &folder, &after, limit)).await
    }

    async fn read_removed(
        &self,
        actor: &Actor,
        restored: &str,
        before: usize,
        path: &str,
    ) -> Result<Option<Document>> {
        let (actor, restored, path) = (actor.clone(), restored.to_owned(), path.to_owned());
        self.read_with(move |connection| restored::read(connection, &actor, (&restored, before), &path)).await
    }

    async fn list_removed(
        &self,
        actor: &Actor,
        restored: &str,
        before: usize,
        (folder, after, limit): (&str, &str, usize),
    ) -> Result<Vec<Item>> {
        let (actor, restored) = (actor.clone(), restored.to_owned());
        let (folder, after) = (folder.to_owned(), after.to_owned());
        let list = move |connection: &_| {
            restored::list(connection, &actor, (&restored, before), (&folder, &after, limit))
        };
        self.read_with(list).await
    }

    async fn change(&self, actor: &Actor, changes: Vec<Change>) -> Result<Vec<Version>> {
        Ok(change(self, Command::Change { actor: actor.clone(), changes }, None).await?.versions)
    }

    async fn history(
        &self,
        actor: &Actor,
        path: &str,
        before: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, Revision)>> {
        let (actor, path) = (actor.clone(), path.to_owned());
        self.read_with(move |connection| history::history(connection, &actor, &path, before, limit)).await
    }

    async fn guides(&self, actor: &Actor, path: &str) -> Result<Vec<Guide>> {
        let (actor, path) = (actor.clone(), path.to_owned());
        self.read_with(move |connection| guides::guides(connection, &actor, &path)).await
    }

    async fn access(&self, actor: &Actor, path: &str) -> Result<Option<Access>> {
        let (actor, path) = (actor.clone(), path.to_owned());
        self.read_with(move |connection| place::access(connection, &actor, &path)).await
    }

    async fn changes(
        &self,
        actor: &Actor,
        prefix: &str,
        after: Sequence,
        limit: usize,
    ) -> Result<ChangePage> {
        let (actor, prefix) = (actor.clone(), prefix.to_owned());
        self.read_with(move |connection| history::changes(connection, &actor, &prefix, after, limit)).await
    }

    async fn query(&self, actor: &Actor, sql: &str, parameters: &[Value]) -> Result<Vec<Value>> {
        self.sql(actor, sql, parameters).await
    }

    async fn search(&self, actor: &Actor, search: &Search) -> Result<Found> {
        self.look_for(actor, search).await
    }

    fn graph(&self) -> Option<&dyn GraphStore> {
        Some(self)
    }

    fn outbox(&self) -> Option<&dyn Outbox> {
        Some(self)
    }

    fn head(&self) -> watch::Receiver<Sequence> {
        self.changes_seen()
    }

    fn cursor(&self, after: Sequence) -> Cursor {
        self.cursors().seal(after)
    }

    fn place(&self, cursor: &Cursor) -> Result<Sequence> {
        self.cursors().unseal(cursor, *self.changes_seen().borrow())
    }
}
