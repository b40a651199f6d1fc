//! What was done, when and by whom: the operation log, and documents as they were.

use super::node;
use super::past::{first_at, past};
use super::place::{Spot, find};
use super::rights::level_at;
use super::sight::seen;
use crate::decode::{self, count, get, time};
use crate::fault::{OrFault, damaged};
use crate::queries::{self, signed};
use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::Value;
use vextir_core::context::{ChangePage, Deed, Document, Revision, When, nothing_at};
use vextir_core::{Actor, Content, Error, ErrorKind, Level, Name, Result, Sequence};

const COLUMNS: &str = "seq, node, what, version, at, user, agent, driver, cause, detail";

/// How a deed is stored.
pub(super) fn number(deed: Deed) -> Result<i64> {
    match deed {
        Deed::Created => Ok(0),
        Deed::Written => Ok(1),
        Deed::Moved => Ok(2),
        Deed::Removed => Ok(3),
        Deed::Restored => Ok(4),
        Deed::Guided => Ok(5),
        Deed::Granted => Ok(6),
        Deed::Restricted => Ok(7),
        other => {
            Err(Error::new(ErrorKind::Unsupported, format!("this hub does not know the deed {other:?}")))
        }
    }
}

pub(crate) fn deed(number: i64) -> Result<Deed> {
    match number {
        0 => Ok(Deed::Created),
        1 => Ok(Deed::Written),
        2 => Ok(Deed::Moved),
        3 => Ok(Deed::Removed),
        4 => Ok(Deed::Restored),
        5 => Ok(Deed::Guided),
        6 => Ok(Deed::Granted),
        7 => Ok(Deed::Restricted),
        other => Err(damaged(format_args!("the deed {other}"))),
    }
}

/// Who else than administrators hears of it.
pub(crate) fn level_for(deed: Deed) -> Level {
    match deed {
        Deed::Granted | Deed::Restricted => Level::Admin,
        _ => Level::Read,
    }
}

/// One row of the operation log.
pub(super) struct Entry {
    pub(super) sequence: Sequence,
    pub(super) node: i64,
    pub(super) revision: Revision,
    /// Whether the user stands in the row; else it is the owner.
    has_user: bool,
    pub(super) detail: Option<Value>,
}

impl Entry {
    fn read(row: &Row<'_>) -> Result<Self> {
        let maybe_name = |at| Ok::<_, Error>(get::<Option<String>>(row, at)?.map(Name::from));
        let user = maybe_name(5)?;
        let has_user = user.is_some();
        let mut by = Actor::user(user.unwrap_or_default());
        by.agent = maybe_name(6)?;
        by.driver = maybe_name(7)?;
        by.cause = decode::id(row, 8)?;
        let detail = get::<Option<String>>(row, 9)?;
        Ok(Self {
            sequence: count(row, 0)?,
            node: get(row, 1)?,
            revision: Revision::new(count(row, 3)?, deed(get(row, 2)?)?, time(row, 4)?, by),
            has_user,
            detail: detail
                .map(|text| serde_json::from_str(&text).map_err(|_| damaged("a change")))
                .transpose()?,
        })
    }

    pub(super) fn revision(mut self, owner: &Name) -> Revision {
        if !self.has_user {
            self.revision.by.user = owner.clone();
        }
        self.revision
    }
}

/// What was done to a document or folder, last first.
pub(super) fn history(
    connection: &Connection,
    actor: &Actor,
    path: &str,
    before: Sequence,
    limit: usize,
) -> Result<Vec<(Sequence, Revision)>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let chain = first_at(&snapshot, actor, path, &mut |chain| Ok(Some(chain.to_vec())))?
        .ok_or_else(|| nothing_at(path))?;
    let level = level_at(&snapshot, actor, &chain)?;
    let (Some(root), Some(node)) = (chain.first(), chain.last()) else { return Err(nothing_at(path)) };
    let sql = format!("SELECT {COLUMNS} FROM change WHERE node = ?1 AND seq < ?2 ORDER BY seq DESC");
    let mut found = Vec::new();
    {
        let mut statement = snapshot.prepare_cached(&sql).or_fault()?;
        let mut rows = statement.query((node.id, signed(before))).or_fault()?;
        while let Some(row) = rows.next().or_fault()?
            && found.len() < limit
        {
            let entry = Entry::read(row)?;
            if level >= level_for(entry.revision.what) {
                found.push((entry.sequence, entry.revision(&root.name)));
            }
        }
    }
    snapshot.finish().or_fault()?;
    Ok(found)
}

/// A document, now or as it was.
pub(super) fn read(
    connection: &Connection,
    actor: &Actor,
    path: &str,
    when: When,
) -> Result<Option<Document>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let found = match when {
        When::Now => current(&snapshot, actor, path)?,
        When::At(time) => past(&snapshot, actor, path, Some(time), None)?,
        When::Version(version) => past(&snapshot, actor, path, None, Some(version))?,
        _ => return Err(Error::new(ErrorKind::Unsupported, "this hub does not know that point in time")),
    };
    snapshot.finish().or_fault()?;
    Ok(found)
}

fn current(connection: &Connection, actor: &Actor, path: &str) -> Result<Option<Document>> {
    let Spot::Place(place) = find(connection, actor, path)? else { return Ok(None) };
    let Some(node) = place.readable().filter(|node| node.is_document()) else { return Ok(None) };
    let read = |row: &Row<'_>| {
        let text: String = get(row, 1)?;
        let content = match get::<i64>(row, 0)? {
            0 => Content::Text(text),
            _ => Content::Json(serde_json::from_str(&text).map_err(|_| damaged(path))?),
        };
        let metadata = match get::<Option<String>>(row, 2)? {
            None => Value::Object(serde_json::Map::new()),
            Some(text) => serde_json::from_str(&text).map_err(|_| damaged(path))?,
        };
        let mut document = Document::new(path, content, metadata, count(row, 3)?);
        (document.created, document.updated) = (node.created, node.updated);
        document.id = node::uid(connection, node.id)?;
        Ok(document)
    };
    connection
        .prepare_cached("SELECT kind, content, metadata, version FROM document WHERE node = ?1")
        .and_then(|mut statement| statement.query_row([node.id], |row| Ok(read(row))).optional())
        .or_fault()?
        .transpose()
}

/// A stretch of the operation log, as far as the actor may see it, at or below a path.
pub(super) fn changes(
    connection: &Connection,
    actor: &Actor,
    prefix: &str,
    after: Sequence,
    limit: usize,
) -> Result<ChangePage> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let trimmed = queries::stored_number(&snapshot, "changes_trimmed")?;
    if after < trimmed {
        return Err(Error::new(
            ErrorKind::Gap,
            "changes that were not seen yet are not kept any more; read the documents anew, and watch from now on",
        ));
    }
    let mut page = ChangePage { changes: Vec::new(), next: after, at_head: true };
    {
        let sql = format!("SELECT {COLUMNS} FROM change WHERE seq > ?1 ORDER BY seq");
        let mut statement = snapshot.prepare_cached(&sql).or_fault()?;
        let mut rows = statement.query([signed(after)]).or_fault()?;
        let mut looked = 0;
        while let Some(row) = rows.next().or_fault()? {
            if page.changes.len() >= limit || looked >= limit.saturating_mul(4) {
                page.at_head = false;
                break;
            }
            looked += 1;
            let entry = Entry::read(row)?;
            page.next = entry.sequence;
            page.changes.extend(seen(&snapshot, actor, prefix, entry)?);
        }
    }
    snapshot.finish().or_fault()?;
    Ok(page)
}
