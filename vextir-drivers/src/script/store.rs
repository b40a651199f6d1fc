//! Handlers as documents: each below `/System/Handlers`, and which of them handles a type in `.types` beside them. What is
//! labelled `untrusted` is none, whoever has written it.

use super::payload::{HandlerInstall, HandlerItem};
use serde_json::json;
use std::collections::BTreeSet;
use vextir::context::ItemKind;
use vextir::{Content, Context, Document, Error, ErrorKind, Name, Result};

pub(super) const FOLDER: &str = "/System/Handlers";

/// The most handlers of a user.
const MOST: usize = 256;

fn path(id: &str) -> String {
    format!("{FOLDER}/{id}")
}

fn type_path(event_type: &str) -> String {
    format!("{FOLDER}/.types/{event_type}")
}

/// A handler, and the labels of its documents, which all that it does carries.
pub(super) struct Found {
    pub(super) form: HandlerInstall,
    pub(super) labels: BTreeSet<Name>,
}

/// The labels of a document that has a say in which code is run.
fn trusted(document: &Document) -> Result<BTreeSet<Name>> {
    let labels = crate::labels::of(&document.metadata);
    if labels.iter().any(|label| *label == "untrusted") {
        let message = format!("{} is labelled untrusted, and installs no handler", document.path);
        return Err(Error::new(ErrorKind::Denied, message));
    }
    Ok(labels)
}

fn form_of(document: Document) -> Result<HandlerInstall> {
    let value = match document.content {
        Content::Json(value) => value,
        Content::Text(text) => serde_json::from_str(&text).unwrap_or_default(),
    };
    let path = document.path;
    serde_json::from_value(value).map_err(|error| Error::invalid(format!("{path} is no handler: {error}")))
}

/// The handler with this id.
async fn find(documents: &Context, id: &str) -> Result<Option<Found>> {
    let Some(document) = documents.read(&path(id)).await? else { return Ok(None) };
    let labels = trusted(&document)?;
    Ok(Some(Found { form: form_of(document)?, labels }))
}

/// The id of the one that handles a type, and the labels of what says so.
async fn id_for(documents: &Context, event_type: &str) -> Result<Option<(String, BTreeSet<Name>)>> {
    let Some(found) = documents.read(&type_path(event_type)).await? else { return Ok(None) };
    let labels = trusted(&found)?;
    Ok(Some((found.content.to_text().into_owned(), labels)))
}

/// The one that handles a type. One whose document was taken away or given another type by hand handles nothing.
pub(super) async fn find_for(documents: &Context, event_type: &str) -> Result<Option<Found>> {
    let Some((id, labels)) = id_for(documents, event_type).await? else { return Ok(None) };
    let mut found = find(documents, &id).await?.filter(|found| found.form.event_type == event_type);
    if let Some(found) = &mut found {
        found.labels.extend(labels);
    }
    Ok(found)
}

/// Writes a handler with the labels of who installs it, in the place of the one with its id. Of two for one type that come at
/// once one is refused.
pub(super) async fn put(documents: &Context, form: &HandlerInstall, labels: &BTreeSet<Name>) -> Result<()> {
    let HandlerInstall { id, event_type, code } = form;
    let metadata = crate::labels::added(json!({}), labels);
    let holder = id_for(documents, event_type).await?.map(|(holder, _)| holder);
    if let Some(other) = holder.as_ref().filter(|other| *other != id) {
        let message = format!("the handler {other:?} handles {event_type} already; remove it first");
        return Err(Error::invalid(message));
    }
    match find(documents, id).await? {
        Some(before) if before.form.event_type != *event_type => {
            documents.remove(&type_path(&before.form.event_type)).await?;
        }
        Some(_) => {}
        None => {
            // The folder of types is one more.
            if documents.list_page(FOLDER, "", MOST + 1).await?.len() > MOST {
                return Err(Error::invalid(format!("there are {MOST} handlers; remove one first")));
            }
        }
    }
    if holder.is_none() {
        let named = documents.write(&type_path(event_type), id.as_str()).metadata(metadata.clone());
        named.expect_version(0).await?;
    }
    let content = json!({"id": id, "type": event_type, "code": code});
    documents.write(&path(id), content).metadata(metadata).await.map(drop)
}

/// Removes a handler, and what is none because it is labelled `untrusted`; false if there is neither.
pub(super) async fn remove(documents: &Context, id: &str) -> Result<bool> {
    let Some(document) = documents.read(&path(id)).await? else { return Ok(false) };
    let is_trusted = trusted(&document).is_ok();
    match form_of(document) {
        Ok(form) => {
            let named = documents.read(&type_path(&form.event_type)).await?;
            if named.is_some_and(|named| trusted(&named).is_err() || named.content.to_text() == id) {
                documents.remove(&type_path(&form.event_type)).await?;
            }
        }
        Err(error) if is_trusted => return Err(error),
        Err(_) => {}
    }
    documents.remove(&path(id)).await?;
    Ok(true)
}

/// All of them, by id.
pub(super) async fn list(documents: &Context) -> Result<Vec<HandlerItem>> {
    let mut items = Vec::new();
    for item in documents.list_page(FOLDER, "", MOST + 1).await? {
        let id = item.path.rsplit('/').next().unwrap_or_default();
        if item.kind != ItemKind::Document {
            continue;
        }
        match find(documents, id).await {
            Ok(Some(Found { form, .. })) => {
                items.push(HandlerItem { id: form.id, event_type: form.event_type, builtin: false });
            }
            Ok(None) => {}
            // It is none.
            Err(error) if error.kind() == ErrorKind::Denied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(items)
}
