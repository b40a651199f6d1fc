//! The writer's side: rows of entities, links and statements.

use super::ids::{self, Uid};
use super::{PROPERTY, TO_ENTITY, TO_VALUE};
use crate::decode::get;
use crate::documents::desk::{ROW, Writing};
use crate::documents::node::{self, NodeId, join};
use crate::documents::place::{Spot, demand, find};
use crate::fault::OrFault;
use crate::queries;
use std::collections::HashMap;
use vextir_core::context::graph::{DOCUMENT, EntityKey, GraphChange, Object, PAGE, Told};
use vextir_core::context::{clean_path, segments};
use vextir_core::{Actor, Error, Level, MAX_NAME_BYTES, Name, Result};

/// The most relations that a user declares.
pub(super) const MAX_DECLARED: u64 = 1_000;

/// What an episode says at present.
const STANDING: &str = "SELECT link, valid_from, valid_until, known_from FROM statement
                        WHERE episode = ?1 AND known_until IS NULL";

/// What writes into one user's graph, inside the writer's transaction.
pub(crate) struct Pen<'a> {
    pub(crate) file: Writing<'a>,
    pub(crate) actor: &'a Actor,
}

/// An entity's row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) uid: Uid,
}

/// Entities that were looked up for the same episode.
pub(super) type Known = HashMap<EntityKey, Row>;

/// Applies one change of the actor's own graph.
pub(crate) fn apply(pen: &mut Pen<'_>, change: &GraphChange) -> Result<Told> {
    match change {
        GraphChange::Ingest(episode) => pen.ingest(episode).map(Told::Ingested),
        GraphChange::Forget(source) => pen.forget(source).map(Told::Forgotten),
        GraphChange::Declare { relation, single } => pen.declare(relation, *single).map(|()| Told::Done),
        _ => Err(Error::invalid("this hub does not know this change of the graph")),
    }
}

impl Pen<'_> {
    pub(super) fn owner(&self) -> &str {
        &self.actor.user
    }

    pub(super) fn execute(&mut self, sql: &str, params: impl rusqlite::Params) -> Result<usize> {
        *self.file.writes += 1;
        self.file
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .or_fault()
    }

    pub(super) fn grew(&mut self, bytes: usize) {
        self.file.desk.bytes += ROW + bytes as u64;
    }

    /// A row of so many bytes went.
    pub(super) fn shrank(&mut self, bytes: u64) {
        self.gave_back(ROW + bytes);
    }

    /// So many bytes went, those of rows included.
    pub(super) fn gave_back(&mut self, bytes: u64) {
        self.file.desk.bytes = self.file.desk.bytes.saturating_sub(bytes);
    }

    fn exists(&self, sql: &str, params: impl rusqlite::Params) -> Result<bool> {
        self.file.connection.prepare_cached(sql).and_then(|mut statement| statement.exists(params)).or_fault()
    }

    /// Whether the actor may change what has no document: the owner may, and an agent that may write the whole tree.
    pub(super) fn demand_tree(&self) -> Result<()> {
        if self.actor.agent.is_none() {
            return Ok(());
        }
        demand(self.file.connection, self.actor, "/", Level::Write).map(drop)
    }

    fn declare(&mut self, relation: &Name, single: bool) -> Result<()> {
        self.demand_tree()?;
        if relation.is_empty() || relation.chars().any(char::is_control) {
            return Err(Error::invalid("a relation has an empty name, or a control character in it"));
        }
        if relation.len() > MAX_NAME_BYTES {
            return Err(Error::invalid(format!(
                "the name of a relation has {} bytes and may have {MAX_NAME_BYTES}",
                relation.len()
            )));
        }
        let owner = self.owner().to_owned();
        if self.declared(relation)? >= MAX_DECLARED {
            return Err(Error::invalid(format!("at most {MAX_DECLARED} relations are declared")));
        }
        let is_known = "SELECT 1 FROM relation WHERE owner = ?1 AND name = ?2";
        if !self.exists(is_known, (&owner, relation.as_str()))? {
            self.grew(relation.len());
        }
        let row = (owner, relation.as_str(), i64::from(single), self.file.now.as_micros());
        let sql = "INSERT INTO relation (owner, name, single, told) VALUES (?1,?2,?3,?4)
                   ON CONFLICT (owner, name) DO UPDATE SET single = excluded.single, told = max(told + 1, excluded.told)";
        self.execute(sql, row).map(drop)
    }

    /// How many other relations are declared.
    pub(super) fn declared(&self, but: &str) -> Result<u64> {
        let counted = "SELECT count(*) FROM relation WHERE owner = ?1 AND name <> ?2";
        queries::number(self.file.connection, counted, (self.owner(), but))
    }

    /// The entity that a user names.
    pub(super) fn entity(&mut self, key: &EntityKey, known: &mut Known) -> Result<Row> {
        if let Some(row) = known.get(key) {
            return Ok(*row);
        }
        let row = if key.kind == DOCUMENT {
            self.path(&clean_path(&key.key)?)?
        } else {
            self.intern(&key.kind, &key.key, None)?
        };
        known.insert(key.clone(), row);
        Ok(row)
    }

    /// The document at a path, or the page that stands for it as long as there is none that the actor may read.
    fn path(&mut self, path: &str) -> Result<Row> {
        match find(self.file.connection, self.actor, path)? {
            Spot::Place(place) => match place.readable().filter(|node| node.is_document()) {
                Some(node) => self.document(node.id),
                None => self.intern(PAGE, path, None),
            },
            _ => self.intern(PAGE, path, None),
        }
    }

    /// What a `[[target]]` leads to, from a folder; nothing if it cannot be a path.
    pub(super) fn target(&mut self, target: &str, folder: &str) -> Result<Option<Row>> {
        let is_kind = |kind: &str| {
            kind.starts_with(|sign: char| sign.is_ascii_lowercase())
                && kind.bytes().all(|sign| matches!(sign, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-'))
        };
        if let Some((kind, key)) = target.split_once(':')
            && is_kind(kind)
        {
            let key = EntityKey::new(kind, key.trim());
            let fits = key.check().is_ok() && (kind != DOCUMENT || clean_path(&key.key).is_ok());
            return if fits { self.entity(&key, &mut Known::new()).map(Some) } else { Ok(None) };
        }
        let path = if target.starts_with('/') { target.to_owned() } else { join(folder, [target]) };
        match clean_path(&path) {
            Ok(path) if segments(&path).next().is_some() => self.path(&path).map(Some),
            _ => Ok(None),
        }
    }

    /// The entity of a document.
    pub(super) fn document(&mut self, node: NodeId) -> Result<Row> {
        let uid = node::uid(self.file.connection, node)?;
        self.intern(DOCUMENT, &uid, Some(node))
    }

    /// The row of an entity; it is made if it is not there.
    pub(super) fn intern(&mut self, kind: &str, key: &str, node: Option<NodeId>) -> Result<Row> {
        let uid = ids::of_entity(self.owner(), kind, key);
        let known = "SELECT id FROM entity WHERE owner = ?1 AND kind = ?2 AND key = ?3";
        if let Some(id) = queries::value(self.file.connection, known, (self.owner(), kind, key))? {
            // A document that comes back after it was removed for good has another number.
            if node.is_some() {
                self.execute("UPDATE entity SET node = ?2 WHERE id = ?1 AND node IS NOT ?2", (id, node))?;
            }
            return Ok(Row { id, uid });
        }
        let row = (uid.as_slice(), self.owner().to_owned(), kind, key, node);
        self.execute("INSERT INTO entity (uid, owner, kind, key, node) VALUES (?1,?2,?3,?4,?5)", row)?;
        self.grew(kind.len() + key.len());
        Ok(Row { id: self.file.connection.last_insert_rowid(), uid })
    }

    /// The link that a fact says; it is made if it is not there.
    pub(super) fn link(
        &mut self,
        subject: Row,
        relation: &str,
        object: &Object,
        known: &mut Known,
    ) -> Result<i64> {
        match object {
            Object::Entity(object) => {
                let object = self.entity(object, known)?;
                self.link_to(subject, relation, object)
            }
            Object::Value(value) => self.link_row(subject, TO_VALUE, relation, Err(value.to_string())),
            Object::Property(value) => self.link_row(subject, PROPERTY, relation, Err(value.to_string())),
            _ => Err(Error::invalid("this hub does not know this sort of fact")),
        }
    }

    /// A link between two entities.
    pub(super) fn link_to(&mut self, subject: Row, relation: &str, object: Row) -> Result<i64> {
        self.link_row(subject, TO_ENTITY, relation, Ok(object))
    }

    pub(super) fn link_row(
        &mut self,
        subject: Row,
        sort: i64,
        relation: &str,
        object: Result<Row, String>,
    ) -> Result<i64> {
        let end = match &object {
            Ok(object) => object.uid.as_slice(),
            Err(value) => value.as_bytes(),
        };
        let sorts = sort.to_be_bytes();
        let uid = ids::hash([b"link".as_slice(), &subject.uid, &sorts, relation.as_bytes(), end]);
        let known = "SELECT id FROM link WHERE uid = ?1";
        if let Some(id) = queries::value(self.file.connection, known, [uid.as_slice()])? {
            return Ok(id);
        }
        let (object, value) = (object.as_ref().ok().map(|row| row.id), object.as_ref().err());
        let row = (uid.as_slice(), subject.id, sort, relation, object, value, i64::MIN);
        self.execute(
            "INSERT INTO link (uid, subject, sort, relation, object, value, latest)
             VALUES (?1,?2,?3,?4,?5,?6,?7)",
            row,
        )?;
        self.grew(relation.len() + value.map_or(0, String::len));
        Ok(self.file.connection.last_insert_rowid())
    }

    /// A statement that holds from a time on, known from another one on.
    pub(super) fn state(&mut self, link: i64, episode: i64, times: Times, known: i64) -> Result<()> {
        let is_known = "SELECT 1 FROM statement WHERE link = ?1 AND valid_from = ?2 AND episode = ?3 AND known_from = ?4";
        if !self.exists(is_known, (link, times.from, episode, known))? {
            self.grew(0);
        }
        self.execute(
            "INSERT OR REPLACE INTO statement (link, valid_from, episode, known_from, valid_until)
             VALUES (?1,?2,?3,?4,?5)",
            (link, times.from, episode, known, times.until),
        )?;
        self.execute("UPDATE link SET latest = ?2 WHERE id = ?1 AND latest < ?2", (link, times.from))
            .map(drop)
    }

    /// A statement that its episode does not say any more, from a moment on.
    pub(super) fn withdraw(&mut self, link: i64, episode: i64, stated: Standing, at: i64) -> Result<()> {
        let key = (link, stated.times.from, episode, stated.known);
        if stated.known >= at {
            self.execute(
                "DELETE FROM statement WHERE link = ?1 AND valid_from = ?2 AND episode = ?3 AND known_from = ?4",
                key,
            )?;
            self.shrank(0);
            return Ok(());
        }
        let (link, from, episode, known) = key;
        self.execute(
            "UPDATE statement SET known_until = ?5
             WHERE link = ?1 AND valid_from = ?2 AND episode = ?3 AND known_from = ?4",
            (link, from, episode, known, at),
        )
        .map(drop)
    }

    /// All that an episode says at present it says at a time too.
    pub(super) fn say_again(&mut self, episode: i64, at: i64) -> Result<()> {
        let sql = "UPDATE statement SET again = ?2
                   WHERE episode = ?1 AND known_until IS NULL AND max(known_from, again) < ?2";
        self.execute(sql, (episode, at)).map(drop)
    }

    /// What an episode says at present.
    pub(super) fn standing(&self, episode: i64) -> Result<Vec<(i64, Standing)>> {
        queries::rows(self.file.connection, STANDING, [episode], |row| {
            let times = Times { from: get(row, 1)?, until: get(row, 2)? };
            Ok((get(row, 0)?, Standing { times, known: get(row, 3)? }))
        })
    }
}

/// When something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Times {
    pub(super) from: i64,
    pub(super) until: Option<i64>,
}

/// A statement as it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) times: Times,
    pub(super) known: i64,
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    /// An episode that was said anew a thousand times has a thousand statements in the past.
    #[test]
    fn what_stands_is_found_without_the_past() {
        let connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&connection, 0).unwrap();
        let plan = format!("EXPLAIN QUERY PLAN {}", super::STANDING);
        let plan: String = connection.query_row(&plan, [1], |row| row.get("detail")).unwrap();
        assert!(plan.contains("statement_standing"), "{plan}");
    }
}
