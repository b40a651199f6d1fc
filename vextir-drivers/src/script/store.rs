//! Handlers as documents: each below `/System/Handlers`, and which of them handles a type in `.types` beside them.

use super::payload::{HandlerInstall, HandlerItem};
use serde_json::json;
use vextir::context::ItemKind;
use vextir::{Content, Context, Error, Result};

pub(super) const FOLDER: &str = "/System/Handlers";

/// The most handlers of a user.
const MOST: usize = 256;

fn path(id: &str) -> String {
    format!("{FOLDER}/{id}")
}

fn type_path(event_type: &str) -> String {
    format!("{FOLDER}/.types/{event_type}")
}

/// The handler with this id.
pub(super) async fn find(documents: &Context, id: &str) -> Result<Option<HandlerInstall>> {
    let Some(document) = documents.read(&path(id)).await? else { return Ok(None) };
    let value = match document.content {
        Content::Json(value) => value,
        Content::Text(text) => serde_json::from_str(&text).unwrap_or_default(),
    };
    let form = serde_json::from_value::<HandlerInstall>(value);
    form.map(Some).map_err(|error| Error::invalid(format!("{} is no handler: {error}", path(id))))
}

/// The id of the one that handles a type.
async fn id_for(documents: &Context, event_type: &str) -> Result<Option<String>> {
    let found = documents.read(&type_path(event_type)).await?;
    Ok(found.map(|document| document.content.to_text().into_owned()))
}

/// The one that handles a type. One whose document was taken away or given another type by hand handles nothing.
pub(super) async fn find_for(documents: &Context, event_type: &str) -> Result<Option<HandlerInstall>> {
    let Some(id) = id_for(documents, event_type).await? else { return Ok(None) };
    Ok(find(documents, &id).await?.filter(|form| form.event_type == event_type))
}

/// Writes a handler, in the place of the one with its id. Of two for one type that come at once one is refused.
pub(super) async fn put(documents: &Context, form: &HandlerInstall) -> Result<()> {
    let HandlerInstall { id, event_type, code } = form;
    let holder = id_for(documents, event_type).await?;
    if let Some(other) = holder.as_ref().filter(|other| *other != id) {
        let message = format!("the handler {other:?} handles {event_type} already; remove it first");
        return Err(Error::invalid(message));
    }
    match find(documents, id).await? {
        Some(before) if before.event_type != *event_type => {
            documents.remove(&type_path(&before.event_type)).await?;
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
        documents.write(&type_path(event_type), id.as_str()).expect_version(0).await?;
    }
    documents.write(&path(id), json!({"id": id, "type": event_type, "code": code})).await.map(drop)
}

/// Removes a handler; false if there is none.
pub(super) async fn remove(documents: &Context, id: &str) -> Result<bool> {
    let Some(form) = find(documents, id).await? else { return Ok(false) };
    if id_for(documents, &form.event_type).await?.is_some_and(|holder| holder == id) {
        documents.remove(&type_path(&form.event_type)).await?;
    }
    documents.remove(&path(id)).await?;
    Ok(true)
}

/// All of them, by id.
pub(super) async fn list(documents: &Context) -> Result<Vec<HandlerItem>> {
    let mut items = Vec::new();
    for item in documents.list_page(FOLDER, "", MOST + 1).await? {
        let id = item.path.rsplit('/').next().unwrap_or_default();
        if item.kind == ItemKind::Document
            && let Some(form) = find(documents, id).await?
        {
            items.push(HandlerItem { id: form.id, event_type: form.event_type, builtin: false });
        }
    }
    Ok(items)
}
