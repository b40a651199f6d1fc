//! Forgetting a source: its episodes become empty marks, and what only they said goes.

use super::pen::Pen;
use super::{Sight, ids};
use crate::documents::desk::ROW;
use crate::documents::node::NodeId;
use crate::fault::OrFault;
use crate::queries;
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeSet;
use vextir_core::context::graph::{EntityKey, Forgotten, View};
use vextir_core::{Error, ErrorKind, Level, Result, Timestamp};

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
            forgotten.episodes.push(ids::shown(&uid));
        }
        let mut ends = BTreeSet::new();
        for link in touched {
            match self.drop_link(link, &mut ends)? {
                Some(uid) => forgotten.links.push(uid),
                None => forgotten.kept += 1,
            }
        }
        for entity in ends {
            forgotten.entities.extend(self.drop_entity(entity)?);
        }
        Ok(forgotten)
    }

    fn forget_episode(&mut self, id: i64, links: &mut BTreeSet<i64>) -> Result<()> {
        *self.file.writes += 1;
        let size = silence(self.file.connection, id, links)?;
        self.gave_back(size);
        let (now, clock) = (self.file.now.as_micros(), self.clock);
        self.execute(
            "UPDATE episode SET source = '', key = '', kind = '', node = NULL, digest = NULL, text = NULL,
             data = NULL, agent = NULL, driver = NULL, cause = NULL, at = 0, clock = ?3, removed = ?2 WHERE id = ?1",
            (id, now, clock),
        )?;
        Ok(())
    }

    /// Removes a link that nothing says any more; its id. `None` if something does.
    fn drop_link(&mut self, link: i64, ends: &mut BTreeSet<i64>) -> Result<Option<String>> {
        *self.file.writes += 1;
        let Some((uid, size)) = drop_link(self.file.connection, link, ends)? else { return Ok(None) };
        self.gave_back(size);
        Ok(Some(ids::shown(&uid)))
    }

    /// Removes an entity of which nothing is said any more.
    fn drop_entity(&mut self, entity: i64) -> Result<Option<EntityKey>> {
        *self.file.writes += 1;
        let Some((kind, key, document)) = drop_entity(self.file.connection, entity)? else { return Ok(None) };
        self.shrank((kind.len() + key.len()) as u64);
        let Some(document) = document else { return Ok(Some(EntityKey::new(kind, key))) };
        let mut sight = Sight::new(
            self.file.connection,
            View::own(self.actor.clone()),
            Timestamp::from_micros(self.file.now.as_micros()),
        )?;
        Ok(sight.path(self.file.connection, document)?.map(EntityKey::document))
    }
}

/// Removes what an episode says, and adds the links of that; how many bytes go with it, those of the episode included.
fn silence(connection: &Connection, episode: i64, links: &mut BTreeSet<i64>) -> Result<u64> {
    let said: Vec<i64> = connection
        .prepare_cached("DELETE FROM statement WHERE episode = ?1 RETURNING link")
        .and_then(|mut statement| statement.query_map([episode], |row| row.get(0))?.collect())
        .or_fault()?;
    let size = format!("SELECT {EPISODE_SIZE} FROM episode WHERE id = ?1");
    let size = queries::number(connection, &size, [episode])?;
    let rows = said.len() as u64 + 1;
    links.extend(said);
    Ok(rows * ROW + size)
}

/// Removes a link that nothing says any more, and adds its ends; its id, and how many bytes it was.
fn drop_link(connection: &Connection, link: i64, ends: &mut BTreeSet<i64>) -> Result<Option<(Vec<u8>, u64)>> {
    let found: Option<(Vec<u8>, i64, Option<i64>, i64)> = connection
        .prepare_cached(
            "DELETE FROM link WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM statement WHERE link = ?1)
             RETURNING uid, subject, object, octet_length(relation) + coalesce(octet_length(value), 0)",
        )
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            statement.query_row([link], read).optional()
        })
        .or_fault()?;
    Ok(found.map(|(uid, subject, object, size)| {
        ends.insert(subject);
        ends.extend(object);
        (uid, ROW + size.unsigned_abs())
    }))
}

/// Removes an entity of which nothing is said any more; its kind, its key, and the document that it is.
fn drop_entity(connection: &Connection, entity: i64) -> Result<Option<(String, String, Option<NodeId>)>> {
    connection
        .prepare_cached(
            "DELETE FROM entity WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM link WHERE subject = ?1)
             AND NOT EXISTS (SELECT 1 FROM link WHERE object = ?1) RETURNING kind, key, node",
        )
        .and_then(|mut statement| {
            statement.query_row([entity], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
        })
        .or_fault()
}

/// Removes what only a document said that is removed for good, in the writer's transaction; how many bytes went.
pub(crate) fn purge(connection: &Connection, document: NodeId) -> Result<u64> {
    let episodes: Vec<i64> = connection
        .prepare_cached("SELECT id FROM episode WHERE node = ?1")
        .and_then(|mut statement| statement.query_map([document], |row| row.get(0))?.collect())
        .or_fault()?;
    let (mut gone, mut links, mut ends) = (0, BTreeSet::new(), BTreeSet::new());
    for episode in episodes {
        gone += silence(connection, episode, &mut links)?;
        connection
            .prepare_cached("DELETE FROM episode WHERE id = ?1")
            .and_then(|mut statement| statement.execute([episode]))
            .or_fault()?;
    }
    for link in links {
        gone += drop_link(connection, link, &mut ends)?.map_or(0, |(_, size)| size);
    }
    for entity in ends {
        if let Some((kind, key, _)) = drop_entity(connection, entity)? {
            gone += ROW + (kind.len() + key.len()) as u64;
        }
    }
    Ok(gone)
}
