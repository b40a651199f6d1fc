//! What was done, when and by whom: the operation log, and documents as they were.

use super::bases::updates;
use super::keeping;
use super::merge::replay;
use super::node::{self, Node};
use super::place::{Spot, find};
use super::rights::level_at;
use super::sight::seen;
use crate::decode::{self, count, get, time};
use crate::fault::{OrFault, damaged};
use crate::queries::signed;
use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::Value;
use vextir_core::context::{ChangePage, Deed, Document, Revision, Version, When, nothing_at};
use vextir_core::{Actor, Content, Error, ErrorKind, Level, Name, Result, Sequence, Timestamp};

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
        Deed::Kept => Ok(8),
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
        8 => Ok(Deed::Kept),
        other => Err(damaged(format_args!("the deed {other}"))),
    }
}

/// Who else than administrators hears of it.
pub(crate) fn level_for(deed: Deed) -> Level {
    match deed {
        Deed::Granted | Deed::Restricted | Deed::Kept => Level::Admin,
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

/// The node at a path, or what was removed last from it, where the actor may read it; with its chain.
fn present_or_removed(connection: &Connection, actor: &Actor, path: &str) -> Result<Option<Vec<Node>>> {
    let Spot::Place(place) = find(connection, actor, path)? else { return Ok(None) };
    let mut chain = place.chain;
    for missing in &place.missing {
        let folder = chain.last().map_or(0, |last| last.id);
        // Below what was removed, its content stands as it was.
        let found = match node::child(connection, folder, missing)? {
            Some(found) => Some(found),
            None => node::last_removed(connection, folder, missing)?,
        };
        let Some(found) = found else { return Ok(None) };
        chain.push(found);
    }
    Ok((!chain.is_empty() && level_at(connection, actor, &chain)? >= Level::Read).then_some(chain))
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
    let chain = present_or_removed(&snapshot, actor, path)?.ok_or_else(|| nothing_at(path))?;
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

/// All that is kept of what was done to a node, the first thing first.
pub(crate) fn all_steps(connection: &Connection, owner: &Name, id: i64) -> Result<Vec<Revision>> {
    let sql = format!("SELECT {COLUMNS} FROM change WHERE node = ?1 ORDER BY seq");
    let mut statement = connection.prepare_cached(&sql).or_fault()?;
    let mut rows = statement.query([id]).or_fault()?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().or_fault()? {
        found.push(Entry::read(row)?.revision(owner));
    }
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

/// A document as it was at a time, or with a version.
fn past(
    connection: &Connection,
    actor: &Actor,
    path: &str,
    at: Option<Timestamp>,
    version: Option<Version>,
) -> Result<Option<Document>> {
    let Some(chain) = present_or_removed(connection, actor, path)? else {
        // It may have been there, and be gone for good.
        return match at {
            Some(at) if at <= keeping::purged(connection, actor, path)? => {
                Err(Error::new(ErrorKind::Gap, format!("{path}: what was there then is not kept any more")))
            }
            _ => Ok(None),
        };
    };
    let Some(node) = chain.last().filter(|node| node.is_document()) else { return Ok(None) };
    let kept = keeping::first_kept(connection, node.id)?;
    let not_kept = |what: &str| Error::new(ErrorKind::Gap, format!("{path}: {what} is not kept any more"));
    if let Some(version) = version.filter(|version| *version > 0 && *version < kept) {
        return Err(not_kept(&format!("version {version}")));
    }
    if at.is_some() && !was_there(connection, &chain, at.unwrap_or_default())? {
        return Ok(None);
    }
    // The last change until then that has content.
    let found = connection
        .prepare_cached(
            "SELECT version, at FROM change WHERE node = ?1 AND at <= ?2 AND version <= ?3 AND body IS NOT NULL
             ORDER BY seq DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            let at = at.map_or(i64::MAX, Timestamp::as_micros);
            let most = signed(version.unwrap_or(u64::MAX));
            statement.query_row((node.id, at, most), |row| Ok(count(row, 0).and_then(|v| Ok((v, time(row, 1)?))))).optional()
        })
        .or_fault()?
        .transpose()?;
    let Some((found, updated)) = found.filter(|(found, _)| version.is_none_or(|version| version == *found))
    else {
        return if at.is_some() && kept > 0 { Err(not_kept("what it was then")) } else { Ok(None) };
    };
    let updates =
        updates(connection, node.id, found)?.ok_or_else(|| not_kept(&format!("version {found}")))?;
    let (content, metadata) = replay(&updates)?;
    let mut document = Document::new(path, content, metadata, found);
    (document.created, document.updated) = (node.created, updated);
    document.id = node::uid(connection, node.id)?;
    Ok(Some(document))
}

/// Whether nothing of a chain was removed at a time.
fn was_there(connection: &Connection, chain: &[Node], at: Timestamp) -> Result<bool> {
    for node in chain {
        let last: Option<i64> = connection
            .prepare_cached(
                "SELECT what FROM change WHERE node = ?1 AND at <= ?2 AND what IN (3, 4) ORDER BY seq DESC LIMIT 1",
            )
            .and_then(|mut statement| statement.query_row((node.id, at.as_micros()), |row| row.get(0)).optional())
            .or_fault()?;
        if node.created > at || last == Some(3) {
            return Ok(false);
        }
    }
    Ok(true)
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
    let trimmed = keeping::trimmed(&snapshot, actor, prefix)?;
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
