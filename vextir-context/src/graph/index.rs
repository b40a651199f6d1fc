//! What documents say with `[[links]]` and mentions.
//!
//! Nothing is done when a document is written. Who asks the graph first takes in what changed since the last time,
//! along the operation log, in slices: read and searched beside the writer, compared and stored by it. So does
//! house-keeping for a graph that was asked before, because it takes away what is too old of the log. The mark of how far
//! that went is committed with each slice, so a slice is done once, whoever else asks meanwhile.

use super::ingest::Before;
use super::pen::{Pen, Times};
use crate::decode::get;
use crate::documents::desk::Writing;
use crate::documents::history;
use crate::documents::node::{self, join, uid};
use crate::fault::OrFault;
use crate::queries::{self, signed};
use rusqlite::Connection;
use std::collections::BTreeMap;
use vextir_core::context::Deed;
use vextir_core::context::graph::{DOCUMENT, MAX_FACTS, Mention, PAGE, mentions, without_recalled};
use vextir_core::{Actor, EventId, Name, Result, Timestamp};

/// Where the file keeps how far the operation log was looked at.
pub(crate) const MARK: &str = "graph_seen";

/// How many changes a slice looks at, and how many mentions it takes in.
const SLICE: i64 = 256;
const HEAVY: usize = MAX_FACTS / 2;

/// The most documents that are looked at again because what they link to has come.
const REFERRERS: usize = 200;

/// One slice of the operation log.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Only while the file says that this is how far it is.
    pub(crate) after: u64,
    pub(crate) until: u64,
    documents: Vec<Found>,
}

/// A document and what it mentions.
#[derive(Debug)]
struct Found {
    node: i64,
    owner: Name,
    folder: String,
    at: i64,
    by: By,
    mentions: Vec<Mention>,
}

/// Who changed a document last.
#[derive(Debug, Clone, Default)]
struct By {
    agent: Option<String>,
    driver: Option<String>,
    cause: Option<EventId>,
}

/// The documents that were looked at, each with its place among those that say something.
type Done = BTreeMap<i64, Option<usize>>;

/// A line of the operation log.
#[derive(Debug)]
struct Changed {
    seq: u64,
    node: i64,
    at: i64,
    /// Whether it came to its path, or went from there.
    moved: bool,
    by: By,
}

/// Whether documents changed that were not looked at.
pub(super) fn is_behind(connection: &Connection) -> Result<bool> {
    let head = queries::last_change(connection)?;
    Ok(queries::stored_number(connection, MARK)? < head)
}

/// The next slice for a graph that is in use.
pub(crate) fn unseen(connection: &Connection) -> Result<Option<Batch>> {
    if queries::stored_number(connection, MARK)? == 0 { Ok(None) } else { next(connection) }
}

/// The next slice.
pub(super) fn next(connection: &Connection) -> Result<Option<Batch>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let after = queries::stored_number(&snapshot, MARK)?;
    let mut batch = Batch { after, until: after, documents: Vec::new() };
    let changed = changed(&snapshot, after)?;
    let mut weight = 0;
    // In the order of the log, so that a slice can end anywhere.
    let mut done = BTreeMap::new();
    for change in changed {
        if weight >= HEAVY {
            break;
        }
        batch.until = change.seq;
        weight += look(&snapshot, &change, &mut batch.documents, &mut done)?;
    }
    snapshot.finish().or_fault()?;
    Ok((batch.until > after).then_some(batch))
}

fn changed(connection: &Connection, after: u64) -> Result<Vec<Changed>> {
    let sql =
        "SELECT seq, node, at, what, agent, driver, cause FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    queries::rows(connection, sql, (signed(after), SLICE), |row| {
        let what = history::deed(get(row, 3)?)?;
        Ok(Changed {
            seq: crate::decode::count(row, 0)?,
            node: get(row, 1)?,
            at: get(row, 2)?,
            moved: matches!(what, Deed::Created | Deed::Moved | Deed::Removed | Deed::Restored),
            by: By { agent: get(row, 4)?, driver: get(row, 5)?, cause: crate::decode::id(row, 6)? },
        })
    })
}

/// Looks at a document that changed; if it came or went, also at those that link to it, or to its path.
fn look(
    connection: &Connection,
    change: &Changed,
    documents: &mut Vec<Found>,
    done: &mut Done,
) -> Result<usize> {
    let chain = node::chain(connection, change.node)?;
    let (Some(root), Some(last)) = (chain.first(), chain.last()) else { return Ok(0) };
    if !last.is_document() {
        return Ok(0);
    }
    let mut weight = found(connection, change.node, change, documents, done)?;
    if change.moved {
        let path = join("/", chain[1..].iter().map(|node| node.name.as_str()));
        for referrer in referrers(connection, (&root.name, &path, change.node))? {
            weight += found(connection, referrer, change, documents, done)?;
        }
    }
    Ok(weight)
}

fn referrers(connection: &Connection, (owner, path, node): (&str, &str, i64)) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    for (kind, key) in [(PAGE, path.to_owned()), (DOCUMENT, uid(connection, node)?)] {
        let linking: Vec<i64> = connection
            .prepare_cached(
                "SELECT DISTINCT other.node FROM entity CROSS JOIN link ON link.object = entity.id
                 CROSS JOIN entity AS other ON other.id = link.subject
                 WHERE entity.owner = ?1 AND entity.kind = ?2 AND entity.key = ?3 AND other.node IS NOT NULL
                 LIMIT ?4",
            )
            .and_then(|mut statement| {
                // What links to the path, and what links to the document, together.
                let left = i64::try_from(REFERRERS - found.len()).unwrap_or(0);
                statement.query_map((owner, kind, key, left), |row| row.get(0))?.collect()
            })
            .or_fault()?;
        found.extend(linking);
    }
    Ok(found)
}

/// What a document mentions now.
fn found(
    connection: &Connection,
    id: i64,
    change: &Changed,
    documents: &mut Vec<Found>,
    done: &mut Done,
) -> Result<usize> {
    if let Some(place) = done.get(&id) {
        if let Some(known) = place.and_then(|place| documents.get_mut(place)) {
            (known.at, known.by) = (change.at, change.by.clone());
        }
        return Ok(0);
    }
    done.insert(id, None);
    let text: Option<String> =
        queries::value(connection, "SELECT content FROM document WHERE node = ?1 AND kind = 0", [id])?;
    let mentions = text.map(|text| mentions(&without_recalled(&text))).unwrap_or_default();
    if mentions.is_empty() && !has_episode(connection, id)? {
        return Ok(1);
    }
    let chain = node::chain(connection, id)?;
    let Some(root) = chain.first() else { return Ok(1) };
    let folder = node::folder_of(&chain);
    let weight = 1 + mentions.len();
    done.insert(id, Some(documents.len()));
    documents.push(Found {
        node: id,
        owner: root.name.clone(),
        folder,
        at: change.at,
        by: change.by.clone(),
        mentions,
    });
    Ok(weight)
}

fn has_episode(connection: &Connection, id: i64) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM episode WHERE node = ?1 AND kind = 'document' AND key = ''")
        .and_then(|mut statement| statement.exists([id]))
        .or_fault()
}

/// Stores a slice, if nobody else did.
pub(crate) fn take_links(mut file: Writing<'_>, batch: &Batch) -> Result<bool> {
    if queries::stored_number(file.connection, MARK)? != batch.after {
        return Ok(false);
    }
    for found in &batch.documents {
        // It may have been removed for good meanwhile.
        if node::node(file.connection, found.node)?.is_none_or(|row| row.is_purged()) {
            continue;
        }
        // As the owner sees it: who wrote it stands in the episode.
        let actor = Actor::user(found.owner.clone());
        let mut pen =
            Pen { file: Writing { now: Timestamp::from_micros(found.at), ..file.again() }, actor: &actor };
        pen.document_says(found)?;
    }
    Ok(true)
}

impl Pen<'_> {
    /// Makes a document say what it mentions now, since its last change.
    fn document_says(&mut self, found: &Found) -> Result<()> {
        let node = found.node;
        let subject = self.document(node)?;
        let uid = super::ids::hash([b"document".as_slice(), &subject.uid]);
        let before = self.before(&uid)?;
        if before.as_ref().is_some_and(|before| before.is_forgotten_at(self.file.now.as_micros())) {
            // What it said then was forgotten, here or on another replica.
            return Ok(());
        }
        let episode = self.document_episode(found, &uid, before)?;
        let wanted = self.mentioned(subject, &found.mentions, &found.folder)?;
        let mut standing = BTreeMap::new();
        for (link, one) in self.standing(episode)? {
            if one.times.until.is_none() {
                standing.insert(link, one);
            }
        }
        let at = self.file.now.as_micros();
        for (link, one) in standing.iter().filter(|(link, _)| !wanted.contains(link)) {
            self.withdraw(*link, episode, *one, at)?;
            if one.times.from < at && one.known < at {
                // It did hold until now.
                self.state(*link, episode, Times { from: one.times.from, until: Some(at) }, at)?;
            }
        }
        self.say_again(episode, at)?;
        for link in wanted.into_iter().filter(|link| !standing.contains_key(link)) {
            self.state(link, episode, Times { from: at, until: None }, at)?;
        }
        Ok(())
    }

    fn document_episode(
        &mut self,
        found: &Found,
        uid: &super::ids::Uid,
        before: Option<Before>,
    ) -> Result<i64> {
        if before.as_ref().is_none_or(|before| before.removed) {
            self.grew(0);
        }
        let cause = found.by.cause.as_ref().map(crate::key::bare);
        let at = self.file.now.as_micros();
        let owner = self.owner().to_owned();
        let row =
            rusqlite::params![uid.as_slice(), owner, found.node, at, found.by.agent, found.by.driver, cause];
        self.execute(
            "INSERT INTO episode (uid, owner, source, key, kind, node, at, known, agent, driver, cause, told)
             VALUES (?1,?2,'','','document',?3,?4,?4,?5,?6,?7,?4)
             ON CONFLICT (uid, owner) DO UPDATE SET kind = 'document', node = excluded.node, at = excluded.at,
             agent = excluded.agent, driver = excluded.driver, cause = excluded.cause, told = excluded.told,
             removed = NULL",
            row,
        )?;
        Ok(before.map_or_else(|| self.file.connection.last_insert_rowid(), |before| before.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_documents_are_looked_at_again_and_no_more() {
        let connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&connection, 0).unwrap();
        let (page, document) = (1, 2);
        connection
            .execute_batch(
                "INSERT INTO node (id, uid, kind, parent, name, created, updated, clock) VALUES (7, x'07', 2, 0, 'x', 0, 0, 0);
                 INSERT INTO entity (id, uid, owner, kind, key) VALUES (1, x'01', 'ann', 'page', '/x');
                 INSERT INTO entity (id, uid, owner, kind, key, node) VALUES (2, x'02', 'ann', 'document', '07', 7);",
            )
            .unwrap();
        for other in 10..310 {
            let entity = "INSERT INTO entity (id, uid, owner, kind, key, node) VALUES (?1, ?1, 'ann', 'document', ?1, ?1)";
            connection.execute(entity, [other]).unwrap();
            let link = "INSERT INTO link (uid, subject, sort, relation, object, latest)
                        VALUES (?1, ?1, 0, 'links_to', ?2, 0)";
            connection.execute(link, (other, if other % 2 == 0 { page } else { document })).unwrap();
        }
        assert_eq!(referrers(&connection, ("ann", "/x", 7)).unwrap().len(), REFERRERS);
    }
}
