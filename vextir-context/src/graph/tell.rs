//! What a replica tells of a user's graph, as far as the user may see it; and whether two replicas have the same.

use super::Sight;
use super::told::{End, GraphPart, Named, Relation, Said, Sighting, Source, Telling};
use super::{PROPERTY, TO_ENTITY};
use crate::decode::get;
use crate::documents::desk::Writing;
use crate::documents::node::NodeId;
use crate::fault::{OrFault, damaged};
use crate::key::Key;
use crate::queries;
use crate::sync::Uid;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use vextir_core::context::graph::{DOCUMENT, View};
use vextir_core::{Actor, Result, Timestamp};

/// Statements in one message: some milliseconds of the other side's writer.
const BATCH: usize = 512;
/// Bytes of texts and data in one message, beyond the first episode.
const BYTES: usize = 512 << 10;
/// A graph is compared in so many parts.
const BUCKETS: usize = 256;
/// Bytes of a hash that are compared.
const SHORT: usize = 12;

/// What each episode of a part of a graph comes to.
pub(crate) type Digests = BTreeMap<Uid, String>;

const COLUMNS: &str =
    "id, uid, forgot, removed IS NULL, told, digest, source, key, kind, node, at, known, text, data,
                       agent, driver, cause";

fn hashed(parts: &[&[u8]]) -> Uid {
    Uid(super::ids::hash(parts.iter().copied()))
}

/// In which part of a user's graph an episode is.
fn bucket(user: &str, episode: Uid) -> Uid {
    hashed(&[b"graph", user.as_bytes(), &episode.0[..1]])
}

/// What the relations of a user's graph are compared under.
fn of_relations(user: &str) -> Uid {
    hashed(&[b"relations", user.as_bytes()])
}

/// What a user's graph comes to.
#[derive(Debug, Default)]
pub(crate) struct Summed {
    /// Part by part; parts without anything too.
    pub(crate) parts: BTreeMap<Uid, Digests>,
    /// What was worked out, and will be the same as long as the episode is.
    pub(crate) news: Vec<Sum>,
}

/// What an episode comes to, which names no document.
#[derive(Debug)]
pub(crate) struct Sum {
    episode: i64,
    stir: i64,
    hash: String,
}

/// Works out what a user's graph comes to.
pub(crate) fn digests(connection: &Connection, user: &str) -> Result<Summed> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let mut sight = own(&snapshot, user)?;
    let mut summed = Summed::default();
    for byte in 0..BUCKETS {
        let byte = u8::try_from(byte).unwrap_or_default();
        summed.parts.insert(bucket(user, Uid([byte; 16])), Digests::new());
    }
    let put = |parts: &mut BTreeMap<_, Digests>, uid, hash| {
        parts.entry(bucket(user, uid)).or_default().insert(uid, hash);
    };
    let relations = relations(&snapshot, user)?;
    if !relations.is_empty() {
        put(&mut summed.parts, of_relations(user), hash(&relations)?);
    }
    let sql = format!(
        "SELECT {COLUMNS}, hash, episode.stir FROM episode
         LEFT JOIN graph_sum ON graph_sum.episode = id AND graph_sum.stir = episode.stir WHERE owner = ?1"
    );
    let mut statement = snapshot.prepare_cached(&sql).or_fault()?;
    let mut rows = statement.query([user]).or_fault()?;
    while let Some(row) = rows.next().or_fault()? {
        if let Some(hash) = get::<Option<String>>(row, 17)? {
            put(&mut summed.parts, Uid::of(&get::<Vec<u8>>(row, 1)?)?, hash);
            continue;
        }
        let (episode, stir) = (get(row, 0)?, get(row, 18)?);
        let Shown { sighting, names_documents } = shown(&snapshot, &mut sight, Known::read(&snapshot, row)?)?;
        let Some(sighting) = sighting else { continue };
        let hash = hash(&sighting)?;
        if !names_documents {
            summed.news.push(Sum { episode, stir, hash: hash.clone() });
        }
        put(&mut summed.parts, sighting.uid, hash);
    }
    Ok(summed)
}

/// Keeps what was worked out, in the writer's transaction.
pub(crate) fn keep(mut file: Writing<'_>, sums: &[Sum]) -> Result<()> {
    for Sum { episode, stir, hash } in sums {
        let sql = "INSERT OR REPLACE INTO graph_sum (episode, stir, hash)
                   SELECT id, stir, ?3 FROM episode WHERE id = ?1 AND stir = ?2";
        file.execute(sql, (episode, stir, hash))?;
    }
    Ok(())
}

fn hash(value: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_vec(value).map_err(|_| damaged("the graph"))?;
    Ok(crate::key::hex(&Sha256::digest(text)[..SHORT]))
}

fn own(connection: &Connection, user: &str) -> Result<Sight> {
    Sight::new(connection, View::own(Actor::user(user)), Timestamp::UNSET)
}

fn relations(connection: &Connection, user: &str) -> Result<Vec<Relation>> {
    let sql = "SELECT name, told, single FROM relation WHERE owner = ?1 ORDER BY name";
    let mut relations = queries::rows(connection, sql, [user], |row| {
        Ok(Relation { name: get(row, 0)?, told: get(row, 1)?, single: get(row, 2)? })
    })?;
    // What another replica would not take travels nowhere.
    relations.retain(|relation| relation.check().is_ok());
    Ok(relations)
}

/// What is still to be told: an episode, and how many of its statements were told already.
pub(crate) type Wanted = (Uid, usize);

/// Some of what is wanted of a user's graph, at most one message full; what is left of `wanted` comes next.
pub(crate) fn part(connection: &Connection, user: &str, wanted: &mut Vec<Wanted>) -> Result<GraphPart> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let mut sight = own(&snapshot, user)?;
    let (mut part, mut said, mut bytes) = (GraphPart::default(), 0, 0);
    while said < BATCH
        && bytes < BYTES
        && let Some((uid, told)) = wanted.pop()
    {
        if uid == of_relations(user) {
            part.relations = relations(&snapshot, user)?;
            continue;
        }
        let Some(known) = known(&snapshot, user, uid)? else { continue };
        let Some(mut sighting) = shown(&snapshot, &mut sight, known)?.sighting else { continue };
        sighting.said.drain(..told.min(sighting.said.len()));
        let room = BATCH - said;
        if sighting.said.len() > room {
            sighting.said.truncate(room);
            wanted.push((uid, told + room));
        }
        said += sighting.said.len() + 1;
        bytes += sighting.telling.as_ref().map_or(0, Telling::size);
        part.sightings.push(sighting);
    }
    Ok(part)
}

impl Telling {
    fn size(&self) -> usize {
        self.text.as_ref().map_or(0, String::len) + self.data.as_ref().map_or(0, String::len)
    }
}

/// An episode's row.
pub(super) struct Known {
    pub(super) id: i64,
    uid: Uid,
    pub(super) forgot: Option<i64>,
    /// Unless it is forgotten.
    pub(super) telling: Option<Telling>,
}

/// The row of one episode of a user.
pub(super) fn known(connection: &Connection, user: &str, uid: Uid) -> Result<Option<Known>> {
    let sql = format!("SELECT {COLUMNS} FROM episode WHERE uid = ?1 AND owner = ?2");
    queries::one(connection, &sql, (uid.0, user), |row| Known::read(connection, row))
}

impl Known {
    fn read(connection: &Connection, row: &Row<'_>) -> Result<Self> {
        let (id, uid) = (get(row, 0)?, Uid::of(&get::<Vec<u8>>(row, 1)?)?);
        let telling = if get(row, 3)? { Some(telling(connection, row)?) } else { None };
        Ok(Self { id, uid, forgot: get(row, 2)?, telling })
    }

    /// Whether it is what a document mentions: each replica knows that by itself.
    fn is_read_in_a_document(&self) -> bool {
        self.telling.as_ref().is_some_and(|telling| telling.key.is_empty())
    }
}

fn telling(connection: &Connection, row: &Row<'_>) -> Result<Telling> {
    let source = match get::<Option<NodeId>>(row, 9)? {
        Some(node) => {
            let uid: Option<Vec<u8>> =
                queries::value(connection, "SELECT uid FROM node WHERE id = ?1", [node])?;
            Source::Document(Uid::of(&uid.unwrap_or_default())?)
        }
        None => Source::Name(get(row, 6)?),
    };
    let cause = match row.get_ref(16).or_fault()? {
        ValueRef::Null => None,
        value => Some(Key::read(value)?.id()?.to_string()),
    };
    Ok(Telling {
        told: get(row, 4)?,
        digest: get::<Option<Vec<u8>>>(row, 5)?.map(|digest| Uid::of(&digest)).transpose()?,
        source,
        key: get(row, 7)?,
        kind: get(row, 8)?,
        at: get(row, 10)?,
        known: get(row, 11)?,
        text: get(row, 12)?,
        data: get(row, 13)?,
        agent: get(row, 14)?,
        driver: get(row, 15)?,
        cause,
    })
}

/// An episode as its owner may see it now.
struct Shown {
    /// Nothing where the owner may see nothing of it.
    sighting: Option<Sighting>,
    /// Whether that may change without a change of the episode.
    names_documents: bool,
}

fn shown(connection: &Connection, sight: &mut Sight, known: Known) -> Result<Shown> {
    let mut names_documents =
        known.telling.as_ref().is_some_and(|telling| matches!(telling.source, Source::Document(_)));
    let is_told = !known.is_read_in_a_document() && sight.sees(connection, known.id)?;
    let Known { id, uid, forgot, telling } = known;
    // What another replica would not take travels nowhere.
    let telling = telling.filter(|telling| is_told && telling.check().is_ok());
    if telling.is_none() && forgot.is_none() {
        return Ok(Shown { sighting: None, names_documents });
    }
    let said = match &telling {
        Some(_) => said(connection, sight, id, &mut names_documents)?,
        None => Vec::new(),
    };
    Ok(Shown { sighting: Some(Sighting { uid, forgot, telling, said }), names_documents })
}

/// What an episode says and said, in order, but for what is about something hidden.
fn said(
    connection: &Connection,
    sight: &mut Sight,
    episode: i64,
    names_documents: &mut bool,
) -> Result<Vec<Said>> {
    let sql = "SELECT subject, s.kind, s.key, sort, relation, object, o.kind, o.key, value,
                 valid_from, valid_until, known_from, known_until, again
               FROM statement CROSS JOIN link ON link.id = statement.link CROSS JOIN entity s ON s.id = subject
               LEFT JOIN entity o ON o.id = object WHERE episode = ?1";
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query([episode]).or_fault()?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().or_fault()? {
        let (subject, object) = (get(row, 0)?, get(row, 5)?);
        let kinds = (get::<String>(row, 1)?, get::<Option<String>>(row, 6)?);
        *names_documents |= kinds.0 == DOCUMENT || kinds.1.as_deref() == Some(DOCUMENT);
        if !sight.may_name(connection, Some(subject))? || !sight.may_name(connection, object)? {
            continue;
        }
        let value = || get::<Option<String>>(row, 8).map(Option::unwrap_or_default);
        let object = match get(row, 3)? {
            TO_ENTITY => End::Entity(Named { kind: kinds.1.unwrap_or_default(), key: get(row, 7)? }),
            PROPERTY => End::Property(value()?),
            _ => End::Value(value()?),
        };
        let known = get(row, 11)?;
        let said = Said {
            subject: Named { kind: kinds.0, key: get(row, 2)? },
            relation: get(row, 4)?,
            object,
            from: get(row, 9)?,
            until: get(row, 10)?,
            known,
            gone: get(row, 12)?,
            again: Some(get(row, 13)?).filter(|again| *again > known),
        };
        found.extend(Some(said).filter(|said| said.check().is_ok()));
    }
    found.sort_unstable();
    Ok(found)
}
