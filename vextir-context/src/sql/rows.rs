//! The columns of `documents`, `folders` and `history`. What was not read with its entry ([`super::reading`]) is read when it
//! is asked for.

use super::walk::Item;
use crate::decode::{count, get, time};
use crate::documents::history::{deed, level_for};
use crate::documents::node::uid;
use crate::fault::OrFault;
use rusqlite::Connection;
use rusqlite::types::{FromSql, Value};
use vextir_core::context::Deed;
use vextir_core::{Error, EventId, Level, Name, Result, Timestamp};

pub(super) const DOCUMENTS: &[&str] = &[
    "id",
    "path",
    "content",
    "metadata",
    "vector_embedding",
    "permissions",
    "created_at",
    "updated_at",
    "version",
    "kind",
];
pub(super) const FOLDERS: &[&str] = &["id", "parent_id", "name", "path", "index_guide", "permissions"];
pub(super) const HISTORY: &[&str] =
    &["id", "number", "path", "what", "version", "at", "user", "agent", "driver", "cause"];

/// A column of a document.
pub(super) fn of_document(hub: &Connection, item: &Item, column: &str) -> Result<Value> {
    let node = item.id;
    Ok(match column {
        "content" => content(hub, item)?,
        "metadata" => {
            let metadata: Option<String> =
                one(hub, "SELECT metadata FROM document WHERE node = ?1", node)?.flatten();
            Value::Text(metadata.unwrap_or_else(|| "{}".to_owned()))
        }
        "vector_embedding" => crate::search::embedding(hub, node)?.map_or(Value::Null, Value::Blob),
        "created_at" => at(hub, "SELECT created FROM node WHERE id = ?1", node)?,
        "updated_at" => at(hub, "SELECT updated FROM node WHERE id = ?1", node)?,
        "version" => one(hub, "SELECT version FROM document WHERE node = ?1", node)?
            .map_or(Value::Null, Value::Integer),
        "kind" => match one::<i64>(hub, "SELECT kind FROM document WHERE node = ?1", node)? {
            Some(0) => words("text"),
            _ => words("json"),
        },
        _ => of_item(hub, item, column)?,
    })
}

/// A column of a folder.
pub(super) fn of_folder(hub: &Connection, item: &Item, column: &str) -> Result<Value> {
    Ok(match column {
        "parent_id" => match item.parent {
            Some(parent) => Value::Text(uid(hub, parent)?),
            None => Value::Null,
        },
        "name" => Value::Text(item.path.rsplit('/').next().unwrap_or_default().to_owned()),
        "index_guide" => content(hub, item)?,
        _ => of_item(hub, item, column)?,
    })
}

fn of_item(hub: &Connection, item: &Item, column: &str) -> Result<Value> {
    Ok(match column {
        "id" => Value::Text(uid(hub, item.id)?),
        "path" => Value::Text(item.path.clone()),
        "permissions" => words(match item.level {
            Level::None => "none",
            Level::Read => "read",
            Level::Comment => "comment",
            Level::Write => "write",
            Level::Admin => "admin",
        }),
        _ => Value::Null,
    })
}

/// A text, where it is not too long for a query.
fn content(hub: &Connection, item: &Item) -> Result<Value> {
    let node = item.id;
    let longest = super::sandbox::LONGEST;
    // What is too long comes as null, and is not read.
    let found = crate::queries::value::<Option<String>>(
        hub,
        "SELECT iif(octet_length(content) <= ?2, content, NULL) FROM document WHERE node = ?1",
        (node, longest as i64),
    )?;
    if found == Some(None) {
        return Err(Error::invalid(format!(
            "{} is longer than the {longest} bytes that a query takes; leave it out by its path, and use `read`",
            item.path
        )));
    }
    Ok(found.flatten().map_or(Value::Null, Value::Text))
}

fn one<T: FromSql>(hub: &Connection, sql: &str, node: i64) -> Result<Option<T>> {
    crate::queries::value(hub, sql, [node])
}

fn at(hub: &Connection, sql: &str, node: i64) -> Result<Value> {
    Ok(one::<i64>(hub, sql, node)?.map_or(Value::Null, |at| moment(Timestamp::from_micros(at))))
}

fn words(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn moment(time: Timestamp) -> Value {
    Value::Text(time.to_string())
}

/// One change of a document or folder.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) sequence: i64,
    /// Counted among those that the actor may see.
    pub(super) number: i64,
    what: Deed,
    version: i64,
    at: Timestamp,
    user: Option<Name>,
    agent: Option<String>,
    driver: Option<String>,
    cause: Option<EventId>,
}

/// The next change of an item that its reader may know of.
pub(super) fn step_after(hub: &Connection, item: &Item, last: Option<&Step>) -> Result<Option<Step>> {
    let (after, number) = last.map_or((0, 0), |last| (last.sequence, last.number));
    let mut statement = hub
        .prepare_cached(
            "SELECT seq, what, version, at, user, agent, driver, cause FROM change
             WHERE node = ?1 AND seq > ?2 ORDER BY seq",
        )
        .or_fault()?;
    let mut rows = statement.query((item.id, after)).or_fault()?;
    while let Some(row) = rows.next().or_fault()? {
        let what = deed(get(row, 1)?)?;
        if item.level < level_for(what) {
            continue;
        }
        return Ok(Some(Step {
            sequence: get(row, 0)?,
            number: number + 1,
            what,
            version: i64::try_from(count(row, 2)?).unwrap_or(i64::MAX),
            at: time(row, 3)?,
            user: get::<Option<String>>(row, 4)?.map(Name::from),
            agent: get(row, 5)?,
            driver: get(row, 6)?,
            cause: crate::decode::id(row, 7)?,
        }));
    }
    Ok(None)
}

/// A column of a change.
pub(super) fn of_step(hub: &Connection, item: &Item, step: &Step, column: &str) -> Result<Value> {
    let maybe = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
    Ok(match column {
        "number" => Value::Integer(step.number),
        "what" => words(match step.what {
            Deed::Created => "created",
            Deed::Written => "written",
            Deed::Moved => "moved",
            Deed::Removed => "removed",
            Deed::Restored => "restored",
            Deed::Guided => "guided",
            Deed::Granted => "granted",
            Deed::Restricted => "restricted",
            Deed::Kept => "kept",
            _ => return Ok(Value::Null),
        }),
        "version" => Value::Integer(step.version),
        "at" => moment(step.at),
        "user" => words(step.user.as_ref().unwrap_or(&item.owner)),
        "agent" => maybe(&step.agent),
        "driver" => maybe(&step.driver),
        "cause" => step.cause.as_ref().map_or(Value::Null, |cause| Value::Text(cause.to_string())),
        _ => of_item(hub, item, column)?,
    })
}
