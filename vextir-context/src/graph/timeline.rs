//! One entity, and all that was ever said about it.

use super::holds::{Stated, group, the_one};
use super::walk::end;
use super::{PROPERTY, Sight, TO_ENTITY};
use crate::decode::get;
use crate::fault::{OrFault, damaged};
use crate::key::{Key, hex, unhex};
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Map, Value};
use vextir_core::context::graph::{Entity, EntityKey, Link, Object, Seen, Timeline};
use vextir_core::{Error, ErrorKind, Name, Result, Timestamp};

/// How many statements a timeline looks at.
const MOST: usize = 100_000;

type Group = (i64, i64, String);

/// An entity with its properties.
pub(super) fn entity(connection: &Connection, sight: &mut Sight, key: &EntityKey) -> Result<Option<Entity>> {
    let Some(id) = sight.find(connection, key)? else { return Ok(None) };
    let Some(key) = sight.key(connection, id)? else { return Ok(None) };
    Ok(Some(Entity::new(key, properties(connection, sight, id)?)))
}

/// The properties of an entity that hold.
pub(crate) fn properties(connection: &Connection, sight: &mut Sight, id: i64) -> Result<Map<String, Value>> {
    let names: Vec<String> = connection
        .prepare_cached(
            "SELECT DISTINCT relation FROM link WHERE subject = ?1 AND sort = ?2 ORDER BY relation",
        )
        .and_then(|mut statement| statement.query_map([id, PROPERTY], |row| row.get(0))?.collect())
        .or_fault()?;
    let mut properties = Map::new();
    for name in names {
        if let Some(holding) = the_one(connection, sight, (id, PROPERTY, &name))? {
            properties.insert(name, value(connection, holding.link)?);
        }
    }
    Ok(properties)
}

fn value(connection: &Connection, link: i64) -> Result<Value> {
    let text: String = connection
        .prepare_cached("SELECT value FROM link WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([link], |row| row.get(0)))
        .or_fault()?;
    serde_json::from_str(&text).map_err(|_| damaged("a value of the graph"))
}

/// The groups of links that an entity is in: as the subject, or as the object of another one's.
fn groups(connection: &Connection, entity: i64, sql: &str) -> Result<Vec<Group>> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            statement.query_map([entity], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
        })
        .or_fault()
}

const AS_SUBJECT: &str = "SELECT DISTINCT subject, sort, relation FROM link WHERE subject = ?1";
const AS_OBJECT: &str =
    "SELECT DISTINCT subject, sort, relation FROM link WHERE object = ?1 AND subject <> ?1";

/// All that was said about an entity.
pub(super) fn timeline(
    connection: &Connection,
    sight: &mut Sight,
    of: &EntityKey,
    limit: usize,
) -> Result<Timeline> {
    let mut answer = Timeline::default();
    let Some(id) = sight.find(connection, of)? else { return Ok(answer) };
    let latest = sight.view.valid_at.map_or(super::EVER, Timestamp::as_micros);
    let mut found: Vec<Stated> = Vec::new();
    for (sql, is_object) in [(AS_SUBJECT, false), (AS_OBJECT, true)] {
        for (subject, sort, relation) in groups(connection, id, sql)? {
            let all = group(connection, sight, (subject, sort, &relation))?;
            for stated in all.into_iter().filter(|stated| stated.from <= latest) {
                if is_object && object(connection, stated.link)? != Some(id) {
                    continue;
                }
                if found.len() >= MOST {
                    answer.truncated = true;
                    break;
                }
                found.push(stated);
            }
        }
    }
    found.sort_by_key(|stated| std::cmp::Reverse((stated.from, stated.known_from, stated.link)));
    for stated in found {
        if answer.links.len() >= limit {
            answer.truncated = true;
            break;
        }
        answer.links.extend(link(connection, sight, stated)?);
    }
    Ok(answer)
}

fn object(connection: &Connection, link: i64) -> Result<Option<i64>> {
    connection
        .prepare_cached("SELECT object FROM link WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([link], |row| row.get(0)))
        .or_fault()
}

/// One statement as a link; `None` if an end of it is hidden.
pub(crate) fn link(connection: &Connection, sight: &mut Sight, stated: Stated) -> Result<Option<Link>> {
    let (uid, subject, sort, relation, object): (Vec<u8>, i64, i64, String, Option<i64>) = connection
        .prepare_cached("SELECT uid, subject, sort, relation, object FROM link WHERE id = ?1")
        .and_then(|mut statement| {
            statement.query_row([stated.link], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })
        })
        .or_fault()?;
    let Some(subject) = sight.key(connection, subject)? else { return Ok(None) };
    let object = match (sort, object) {
        (TO_ENTITY, Some(object)) => match sight.key(connection, object)? {
            Some(key) => Object::Entity(key),
            None => return Ok(None),
        },
        (PROPERTY, _) => Object::Property(value(connection, stated.link)?),
        _ => Object::Value(value(connection, stated.link)?),
    };
    let from = Timestamp::from_micros(stated.from);
    let mut link = Link::new(hex(&uid), subject, Name::from(relation), object, from);
    link.valid_until = end(stated.until);
    link.known_from = Timestamp::from_micros(stated.known_from);
    link.known_until = end(stated.known_until);
    link.episodes = sight.uids(connection, &[stated.episode])?;
    Ok(Some(link))
}

/// What is said with an entity as the subject, group by group.
pub(crate) fn links_of(connection: &Connection, sight: &mut Sight, entity: i64) -> Result<Vec<Stated>> {
    let mut found = Vec::new();
    for (subject, sort, relation) in groups(connection, entity, AS_SUBJECT)? {
        found.extend(group(connection, sight, (subject, sort, &relation))?);
        if found.len() > MOST {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("one entity has more than {MOST} statements; ask for its timeline"),
            ));
        }
    }
    Ok(found)
}

/// An episode by its id.
pub(super) fn episode(connection: &Connection, sight: &mut Sight, id: &str) -> Result<Option<Seen>> {
    let Some(uid) = unhex(id) else { return Ok(None) };
    let row: Option<i64> = connection
        .prepare_cached("SELECT id FROM episode WHERE uid = ?1 AND owner = ?2 AND known <= ?3")
        .and_then(|mut statement| {
            let params = (uid.as_slice(), sight.view.owner.as_str(), sight.known);
            statement.query_row(params, |row| row.get(0)).optional()
        })
        .or_fault()?;
    let Some(row) = row else { return Ok(None) };
    if !sight.sees(connection, row)? {
        return Ok(None);
    }
    seen(connection, sight, row).map(Some)
}

fn seen(connection: &Connection, sight: &mut Sight, episode: i64) -> Result<Seen> {
    let mut statement = connection
        .prepare_cached(
            "SELECT uid, kind, source, key, at, known, text, data, agent, driver, cause, node, owner
             FROM episode WHERE id = ?1",
        )
        .or_fault()?;
    let mut rows = statement.query([episode]).or_fault()?;
    let row = rows.next().or_fault()?.ok_or_else(|| damaged("an episode"))?;
    let uid: Vec<u8> = get(row, 0)?;
    let source = match get::<Option<i64>>(row, 11)? {
        Some(document) => sight.path(connection, document)?.unwrap_or_default(),
        None => get(row, 2)?,
    };
    let time = |at| crate::decode::time(row, at);
    let kind = crate::decode::name(row, 1)?;
    let owner = crate::decode::name(row, 12)?;
    let mut seen = Seen::new(hex(&uid), kind, source, get(row, 3)?, time(4)?, owner);
    seen.known_from = time(5)?;
    seen.text = get(row, 6)?;
    let data: Option<String> = get(row, 7)?;
    seen.data = data
        .map(|data| serde_json::from_str(&data).map_err(|_| damaged("the data of an episode")))
        .transpose()?;
    seen.agent = get::<Option<String>>(row, 8)?.map(Name::from);
    seen.driver = get::<Option<String>>(row, 9)?.map(Name::from);
    seen.cause = match row.get_ref(10).or_fault()? {
        rusqlite::types::ValueRef::Null => None,
        value => Some(Key::read(value)?.id()?),
    };
    Ok(seen)
}
