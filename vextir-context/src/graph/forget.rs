//! Forgetting a source: its episodes become empty marks, and what only they said goes.

use super::pen::Pen;
use super::{Sight, ids};
use crate::documents::desk::ROW;
use crate::documents::node::NodeId;
use crate::fault::OrFault;
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeSet;
use vextir_core::context::graph::{EntityKey, Forgotten, View};
use vextir_core::{Error, ErrorKind, Level, Result, Timestamp};

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
        let said: Vec<i64> = self
            .file
            .connection
            .prepare_cached("SELECT link FROM statement WHERE episode = ?1")
            .and_then(|mut statement| statement.query_map([id], |row| row.get(0))?.collect())
            .or_fault()?;
        let size: i64 = self
            .file
            .connection
            .prepare_cached(
                "SELECT length(source) + length(key) + coalesce(octet_length(text), 0)
                 + coalesce(octet_length(data), 0) FROM episode WHERE id = ?1",
            )
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0)))
            .or_fault()?;
        for link in said {
            self.shrank(0);
            links.insert(link);
        }
        self.execute("DELETE FROM statement WHERE episode = ?1", [id])?;
        self.shrank(usize::try_from(size).unwrap_or(0));
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
        let found: Option<(Vec<u8>, i64, Option<i64>, i64)> = self.file.connection
            .prepare_cached(
                "SELECT uid, subject, object, octet_length(relation) + coalesce(octet_length(value), 0) FROM link
                 WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM statement WHERE link = ?1)",
            )
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
                statement.query_row([link], read).optional()
            })
            .or_fault()?;
        let Some((uid, subject, object, size)) = found else { return Ok(None) };
        ends.insert(subject);
        ends.extend(object);
        self.execute("DELETE FROM link WHERE id = ?1", [link])?;
        self.shrank(usize::try_from(size).unwrap_or(0));
        Ok(Some(ids::shown(&uid)))
    }

    /// Removes an entity of which nothing is said any more.
    fn drop_entity(&mut self, entity: i64) -> Result<Option<EntityKey>> {
        let found: Option<(String, String, Option<i64>)> = self
            .file
            .connection
            .prepare_cached(
                "SELECT kind, key, node FROM entity WHERE id = ?1
                 AND NOT EXISTS (SELECT 1 FROM link WHERE subject = ?1)
                 AND NOT EXISTS (SELECT 1 FROM link WHERE object = ?1)",
            )
            .and_then(|mut statement| {
                statement.query_row([entity], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
            })
            .or_fault()?;
        let Some((kind, key, document)) = found else { return Ok(None) };
        self.execute("DELETE FROM entity WHERE id = ?1", [entity])?;
        self.shrank(kind.len() + key.len());
        let Some(document) = document else { return Ok(Some(EntityKey::new(kind, key))) };
        let mut sight = Sight::new(
            self.file.connection,
            View::own(self.actor.clone()),
            Timestamp::from_micros(self.file.now.as_micros()),
        )?;
        Ok(sight.path(self.file.connection, document)?.map(EntityKey::document))
    }
}

/// Removes what only a document said that is removed for good, in the writer's transaction; how many bytes went.
pub(crate) fn purge(connection: &Connection, document: NodeId) -> Result<u64> {
    let ids = |sql: &str, id: i64| -> Result<Vec<i64>> {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map([id], |row| row.get(0))?.collect())
            .or_fault()
    };
    let mut gone = 0;
    let of = "FROM statement WHERE episode IN (SELECT id FROM episode WHERE node = ?1)";
    let links = ids(&format!("SELECT DISTINCT link {of}"), document)?;
    gone += ids(&format!("DELETE {of} RETURNING 0"), document)?.len() as u64 * ROW;
    let episodes = "DELETE FROM episode WHERE node = ?1
                    RETURNING length(source) + length(key) + coalesce(octet_length(text), 0) + coalesce(octet_length(data), 0)";
    gone += ids(episodes, document)?.iter().map(|size| ROW + size.unsigned_abs()).sum::<u64>();
    let mut ends = BTreeSet::new();
    for link in links {
        let silent = "link WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM statement WHERE link = ?1)";
        ends.extend(ids(&format!("SELECT subject FROM {silent}"), link)?);
        ends.extend(ids(&format!("SELECT object FROM {silent} AND object IS NOT NULL"), link)?);
        let deleted = format!(
            "DELETE FROM {silent} RETURNING octet_length(relation) + coalesce(octet_length(value), 0)"
        );
        gone += ids(&deleted, link)?.iter().map(|size| ROW + size.unsigned_abs()).sum::<u64>();
    }
    for entity in ends {
        let deleted = "DELETE FROM entity WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM link WHERE subject = ?1)
                       AND NOT EXISTS (SELECT 1 FROM link WHERE object = ?1) RETURNING length(kind) + length(key)";
        gone += ids(deleted, entity)?.iter().map(|size| ROW + size.unsigned_abs()).sum::<u64>();
    }
    Ok(gone)
}
