//! Documents by event: what [`Context`] does, for plans, agents and other programs.
//!
//! | event | answer |
//! |---|---|
//! | `context.read` | `context.data`: the document, or what is in the folder |
//! | `context.list` | `context.items` |
//! | `context.write`, `context.append`, `context.patch`, `context.edit` | `context.written` |
//! | `context.move`, `context.remove`, `context.restore` | `context.written` |
//! | `context.history` | `context.revisions` |
//! | `context.search` | `context.found` |
//!
//! [`ContextWatch`] emits `context.changed` for what changes.
//!
//! Labels travel through documents: what an event with labels writes has them in its metadata, as `labels`, beside those that it
//! had, and what a document, a list or a search tells has those of the documents. An event without labels that sets the metadata can take
//! them off again.
//!
//! Each acts for the event's user and within that user's rights, and commits with its answer. A change that cannot be
//! made fails the event for good, with the reason.
//!
//! ```
//! # extern crate vextir_core as vextir;
//! use vextir::prelude::*;
//! use vextir_drivers::context::{ContextData, ContextDriver, ContextRead};
//!
//! # async fn run(hub: impl vextir::Backend) -> vextir::Result<()> {
//! let app = Processor::builder(hub).driver(ContextDriver).start().await?;
//! let read = ContextRead { path: "/Tasks/Active".into(), numbered: false };
//! let answer: ContextData = app.as_user("user_123").request(read).await?;
//! println!("{answer:?}");
//! # Ok(())
//! # }
//! ```

mod labelled;
mod payload;
mod search;
mod watch;

pub use payload::{
    ContextAppend, ContextChanged, ContextData, ContextEdit, ContextGap, ContextHistory, ContextItem,
    ContextItems, ContextList, ContextMove, ContextPatch, ContextRead, ContextRemove, ContextRestore,
    ContextRevision, ContextRevisions, ContextWrite, ContextWritten, EditedLines,
};

pub use search::{ContextFound, ContextHit, ContextSearch};
pub use watch::ContextWatch;

use labelled::Labelled;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vextir::context::{Content, ItemKind, Writing};
use vextir::{Context, Ctx, LineEdit, Name, Result, driver};

/// The most entries that one answer holds.
const MOST: usize = 1_000;

/// Answers the `context.*` events; see the [module](crate::context).
#[derive(Debug, Clone, Copy, Default)]
pub struct ContextDriver;

#[driver("context_hub", kind = "tool", effect = "writes_context")]
impl ContextDriver {
    /// Read a document, or see what is in a folder.
    #[on(effect = "reads")]
    async fn read(&self, ask: ContextRead, cx: &Ctx) -> Result<Labelled<ContextData>> {
        let context = cx.context();
        let Some(document) = context.read(&ask.path).await? else {
            let (items, labels) = items_of(&context, &ask.path, "", MOST).await?;
            let found = !items.is_empty();
            let data = ContextData { path: ask.path, found, items, ..ContextData::default() };
            return Ok(Labelled { payload: data, labels });
        };
        let content = match &document.content {
            Content::Text(_) if ask.numbered => Value::String(document.numbered()),
            Content::Text(text) => Value::String(text.clone()),
            Content::Json(value) => value.clone(),
        };
        let labels = crate::labels::of(&document.metadata);
        let (metadata, version) = (Some(document.metadata), Some(document.version));
        let data =
            ContextData { path: document.path, found: true, content, metadata, version, items: Vec::new() };
        Ok(Labelled { payload: data, labels })
    }

    /// List what is in a folder, by name.
    #[on(effect = "reads")]
    async fn list(&self, ask: ContextList, cx: &Ctx) -> Result<Labelled<ContextItems>> {
        let limit = ask.limit.unwrap_or(MOST).min(MOST);
        let (items, labels) = items_of(&cx.context(), &ask.path, &ask.after, limit).await?;
        Ok(Labelled { payload: ContextItems { path: ask.path, items }, labels })
    }

    /// Write a document: a string is a text, everything else is JSON.
    #[on]
    async fn write(&self, ask: ContextWrite, cx: &Ctx) -> Result<ContextWritten> {
        let content = match ask.content {
            Value::String(text) => Content::Text(text),
            value => Content::Json(value),
        };
        let mut writing = cx.context().write(&ask.path, content);
        if let Some(metadata) = marked(&ask.path, ask.metadata, cx).await? {
            writing = writing.metadata(metadata);
        }
        if let Some(version) = ask.expected_version {
            writing = writing.expect_version(version);
        }
        written(ask.path, writing).await
    }

    /// Add to the end of a text.
    #[on]
    async fn append(&self, ask: ContextAppend, cx: &Ctx) -> Result<ContextWritten> {
        let mut writing = cx.context().append(&ask.path, ask.text);
        if let Some(metadata) = marked(&ask.path, None, cx).await? {
            writing = writing.metadata(metadata);
        }
        written(ask.path, writing).await
    }

    /// Merge into a JSON document: keys that are not named stay, null removes one.
    #[on]
    async fn patch(&self, ask: ContextPatch, cx: &Ctx) -> Result<ContextWritten> {
        let mut writing = cx.context().patch(&ask.path, ask.patch);
        if let Some(metadata) = marked(&ask.path, None, cx).await? {
            writing = writing.metadata(metadata);
        }
        written(ask.path, writing).await
    }

    /// Replace lines of a text. Read it with numbered = true first; an edit that does not fit is refused with the
    /// current lines.
    #[on]
    async fn edit(&self, ask: ContextEdit, cx: &Ctx) -> Result<ContextWritten> {
        let edits = ask.edits.into_iter().map(|edit| LineEdit::new(edit.first, edit.old, edit.new));
        let mut writing = cx.context().edit(&ask.path, edits);
        if let Some(metadata) = marked(&ask.path, None, cx).await? {
            writing = writing.metadata(metadata);
        }
        written(ask.path, writing).await
    }

    /// Give a document or folder another path.
    #[on]
    async fn relocate(&self, ask: ContextMove, cx: &Ctx) -> Result<ContextWritten> {
        cx.context().move_to(&ask.path, &ask.to).await?;
        Ok(ContextWritten { path: ask.to })
    }

    /// Remove a document or folder; it can be restored.
    #[on]
    async fn remove(&self, ask: ContextRemove, cx: &Ctx) -> Result<ContextWritten> {
        cx.context().remove(&ask.path).await?;
        Ok(ContextWritten { path: ask.path })
    }

    /// Bring back what was removed last from a path.
    #[on]
    async fn restore(&self, ask: ContextRestore, cx: &Ctx) -> Result<ContextWritten> {
        cx.context().restore(&ask.path).await?;
        Ok(ContextWritten { path: ask.path })
    }

    /// What was done to a document or folder, last first.
    #[on(effect = "reads")]
    async fn history(&self, ask: ContextHistory, cx: &Ctx) -> Result<ContextRevisions> {
        let found = cx.context().history(&ask.path, ask.limit.unwrap_or(20).min(MOST)).await?;
        let revisions = found.into_iter().map(ContextRevision::from).collect();
        Ok(ContextRevisions { path: ask.path, revisions })
    }

    /// Search documents by words, paths and meaning, best first.
    #[on(effect = "reads")]
    async fn search(&self, ask: ContextSearch, cx: &Ctx) -> Result<Labelled<ContextFound>> {
        let context = cx.context();
        let found = search::search(&context, ask).await?;
        let labels = labels_at(&context, found.hits.iter().map(|hit| hit.path.as_str())).await?;
        Ok(Labelled { payload: found, labels })
    }
}

/// The metadata that a change sets: those that were asked for, and with them, or with those that are there, what the event is
/// labelled with. Nothing if neither says anything.
async fn marked(path: &str, asked: Option<Value>, cx: &Ctx) -> Result<Option<Value>> {
    let labels = &cx.event().labels;
    if labels.is_empty() {
        return Ok(asked);
    }
    let there = cx.context().read(path).await?.map_or_else(|| json!({}), |document| document.metadata);
    let metadata = match asked {
        // It is refused where it is no object.
        Some(asked) if asked.is_object() => crate::labels::added(asked, &crate::labels::of(&there)),
        Some(asked) => return Ok(Some(asked)),
        None => there,
    };
    Ok(Some(crate::labels::added(metadata, labels)))
}

async fn written(path: String, writing: Writing) -> Result<ContextWritten> {
    writing.await?;
    Ok(ContextWritten { path })
}

/// What documents are labelled with: their names, too, may be chosen by who wrote them.
async fn labels_at(context: &Context, paths: impl Iterator<Item = &str>) -> Result<BTreeSet<Name>> {
    let mut labels = BTreeSet::new();
    for path in paths {
        let document = context.read(path).await?;
        labels.extend(document.iter().flat_map(|document| crate::labels::of(&document.metadata)));
    }
    Ok(labels)
}

/// What is in a folder, and the labels of the documents in it.
async fn items_of(
    context: &Context,
    folder: &str,
    after: &str,
    limit: usize,
) -> Result<(Vec<ContextItem>, BTreeSet<Name>)> {
    let items = context.list_page(folder, after, limit).await?;
    let documents = items.iter().filter(|item| item.kind == ItemKind::Document);
    let labels = labels_at(context, documents.map(|item| item.path.as_str())).await?;
    let item = |item: vextir::context::Item| ContextItem {
        path: item.path,
        kind: match item.kind {
            ItemKind::Folder => "folder".into(),
            ItemKind::Document => "document".into(),
        },
    };
    Ok((items.into_iter().map(item).collect(), labels))
}
