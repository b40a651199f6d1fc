//! Forgetting a source: its episodes become empty marks, and what only they said goes.

use super::Sight;
use super::pen::Pen;
use crate::decode::get;
use crate::documents::desk::ROW;
use crate::documents::node::NodeId;
use crate::fault::OrFault;
use crate::key::hex;
use crate::queries;
use rusqlite::Connection;
use std::collections::BTreeSet;
use vextir_core::context::graph::{Forgotten, View};
use vextir_core::{Error, ErrorKind, Level, Result};

/// The bytes that an episode's row is counted with, beside those of any row.
pub(super) const EPISODE_SIZE: &str = "octet_length(source) + octet_length(key) + coalesce(octet_length(text), 0) + coalesce(octet_length(data), 0)";

/// How many episodes are forgotten in one transaction.
const SLICE: i64 = 200;

impl Pen<'_> {
    pub(super) fn forget(&mut self, source: &str) -> Result<Forgotten> {
        let source = match self.source(source, Level::Read) {
            Ok(source) => source,
            // Nothing there, nothing to forget.
            Err(error) if error.kind() == ErrorKind::NotFound && self.actor.agent.is_none() => {
                return Ok(Forgotten::default());
            }
            Err(error) => return Err(error),
        };
        let sql = "SELECT id, uid FROM episode WHERE owner = ?1 AND source = ?2 AND node IS ?3
                   AND removed IS NULL ORDER BY id LIMIT ?4";
        let mut episodes: Vec<(i64, Vec<u8>)> = self
            .file
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| {
                let params = (self.owner(), &source.name, source.node, SLICE + 1);
                statement.query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            })
            .or_fault()?;
        let more = episodes.len() as i64 > SLICE;
        if more && self.actor.driver.is_some() {
            return Err(Error::invalid(format!(
                "{} has more than {SLICE} episodes; a handler forgets at most so many, forget it outside of one",
                source.name
            )));
        }
        episodes.truncate(usize::try_from(SLICE).unwrap_or(usize::MAX));
        let mut forgotten = Forgotten { more, ..Forgotten::default() };
        let mut touched = BTreeSet::new();
        for (id, uid) in episodes {
            self.forget_episode(id, &mut touched)?;
            forgotten.episodes.push(hex(&uid));
        }
        self.sweep(touched, &mut forgotten)?;
        Ok(forgotten)
    }

    /// Removes links that nothing says any more, and what only they named. Told of is what the actor could see: what
    /// stays because of something hidden is gone as far as the actor knows.
    fn sweep(&mut self, links: BTreeSet<i64>, forgotten: &mut Forgotten) -> Result<()> {
        let connection = self.file.connection;
        let mut sight = Sight::new(connection, View::own(self.actor.clone()), self.file.now)?;
        let mut ends = BTreeSet::new();
        for link in links {
            let found = said(connection, link)?;
            let is_told = sight.may_name(connection, Some(found.subject))?
                && sight.may_name(connection, found.object)?;
            if sight.is_said(connection, link)? {
                forgotten.kept += usize::from(is_told);
                continue;
            }
            if is_told {
                forgotten.links.push(hex(&found.uid));
            }
            ends.insert(found.subject);
            ends.extend(found.object);
            *self.file.writes += 1;
            let gone = drop_link(connection, link)?;
            self.gave_back(gone);
        }
        for entity in ends {
            let key = sight.key(connection, entity)?;
            if !sight.was_named(connection, entity)? {
                forgotten.entities.extend(key);
            }
            *self.file.writes += 1;
            let gone = drop_entity(connection, entity)?;
            self.gave_back(gone);
        }
        Ok(())
    }

    fn forget_episode(&mut self, id: i64, links: &mut BTreeSet<i64>) -> Result<()> {
        *self.file.writes += 1;
        // It comes after all that is forgotten, whatever the clocks say that told it.
        let last = "SELECT max(coalesce(forgot, 0), told, coalesce((SELECT max(max(known_from, again)) FROM statement WHERE episode = ?1), 0))
                    FROM episode WHERE id = ?1";
        let last: i64 = queries::value(self.file.connection, last, [id])?.unwrap_or(0);
        let size = silence(self.file.connection, id, links)?;
        self.gave_back(size);
        let now = self.file.now.as_micros();
        self.empty_episode(id, (now, now.max(last)))
    }

    /// Leaves nothing of an episode but that it was forgotten: when, and what it said until when.
    pub(super) fn empty_episode(&mut self, id: i64, (now, until): (i64, i64)) -> Result<()> {
        self.execute(
            "UPDATE episode SET source = '', key = '', kind = '', node = NULL, digest = NULL, text = NULL,
             data = NULL, agent = NULL, driver = NULL, cause = NULL, at = 0, removed = ?2, forgot = ?3,
             stir = random() WHERE id = ?1",
            (id, now, until),
        )
        .map(drop)
    }
}

/// Removes what an episode says, and adds the links of that; how many bytes go with it, those of the episode included.
fn silence(connection: &Connection, episode: i64, links: &mut BTreeSet<i64>) -> Result<u64> {
    let deleted = "DELETE FROM statement WHERE episode = ?1 RETURNING link";
    let said: Vec<i64> = queries::rows(connection, deleted, [episode], |row| get(row, 0))?;
    let size = format!("SELECT {EPISODE_SIZE} FROM episode WHERE id = ?1");
    let size = queries::number(connection, &size, [episode])?;
    let rows = said.len() as u64 + 1;
    links.extend(said);
    Ok(rows * ROW + size)
}

/// A link, with what it is between.
struct Between {
    uid: Vec<u8>,
    subject: i64,
    object: Option<i64>,
}

fn said(connection: &Connection, link: i64) -> Result<Between> {
    let read =
        |row: &rusqlite::Row<'_>| Ok(Between { uid: row.get(0)?, subject: row.get(1)?, object: row.get(2)? });
    connection
        .prepare_cached("SELECT uid, subject, object FROM link WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([link], read))
        .or_fault()
}

/// Removes a link that nothing says any more; how many bytes it was.
fn drop_link(connection: &Connection, link: i64) -> Result<u64> {
    let deleted = "DELETE FROM link WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM statement WHERE link = ?1)
                   RETURNING octet_length(relation) + coalesce(octet_length(value), 0)";
    dropped(connection, deleted, link)
}

/// Removes an entity of which nothing is said any more; how many bytes it was.
fn drop_entity(connection: &Connection, entity: i64) -> Result<u64> {
    let deleted = "DELETE FROM entity WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM link WHERE subject = ?1)
                   AND NOT EXISTS (SELECT 1 FROM link WHERE object = ?1)
                   RETURNING octet_length(kind) + octet_length(key)";
    dropped(connection, deleted, entity)
}

fn dropped(connection: &Connection, sql: &str, row: i64) -> Result<u64> {
    let size: Option<i64> = queries::value(connection, sql, [row])?;
    Ok(size.map_or(0, |size| ROW + size.unsigned_abs()))
}

/// Removes what only a document said that is removed for good, in the writer's transaction; how many bytes went.
pub(crate) fn purge(connection: &Connection, document: NodeId) -> Result<u64> {
    let of_document = "SELECT id FROM episode WHERE node = ?1";
    let episodes: Vec<i64> = queries::rows(connection, of_document, [document], |row| get(row, 0))?;
    let (mut gone, mut links) = (0, BTreeSet::new());
    for episode in episodes {
        gone += silence(connection, episode, &mut links)?;
        connection
            .prepare_cached("DELETE FROM episode WHERE id = ?1")
            .and_then(|mut statement| statement.execute([episode]))
            .or_fault()?;
    }
    Ok(gone + swept(connection, links)?)
}

/// Removes those of some links that nothing says any more, and what only they named; how many bytes went.
pub(super) fn swept(connection: &Connection, links: BTreeSet<i64>) -> Result<u64> {
    let (mut gone, mut ends) = (0, BTreeSet::new());
    for link in links {
        let Between { subject, object, .. } = said(connection, link)?;
        ends.insert(subject);
        ends.extend(object);
        gone += drop_link(connection, link)?;
    }
    for entity in ends {
        gone += drop_entity(connection, entity)?;
    }
    Ok(gone)
}
