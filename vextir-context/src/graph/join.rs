//! What another replica tells of a graph is joined with what is here, in the writer's transaction.

use super::Sight;
use super::forget::{EPISODE_SIZE, swept};
use super::ids;
use super::pen::Pen;
use super::tell::known;
use super::told::{End, GraphPart, Named, Relation, Said, Sighting, Source, Telling};
use crate::decode::get;
use crate::documents::desk::{ROW, Writing};
use crate::documents::node::NodeId;
use crate::key::{bare, hex};
use crate::queries;
use std::collections::BTreeSet;
use std::time::Duration;
use vextir_core::context::graph::View;
use vextir_core::{Actor, Error, EventId, Result};

/// How far ahead somebody may say that something was told.
const FUTURE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// What came of a part of a graph, in episodes and relations.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) changed: u64,
    /// Relations beyond those that a user may declare.
    pub(crate) refused: u64,
}

/// Joins what a replica of a user tells of the user's graph with what is here.
///
/// # Errors
/// `Invalid`: it says what cannot be. Nothing of it is to be stored then.
pub(crate) fn join(file: Writing<'_>, user: &str, part: &GraphPart) -> Result<Joined> {
    if part.latest() > file.now.after(FUTURE).as_micros() {
        return Err(Error::invalid(
            "the peer sent a part of a graph from years ahead; set the clock of the replica that made it",
        ));
    }
    let actor = Actor::user(user);
    let mut sight = Sight::new(file.connection, View::own(actor.clone()), file.now)?;
    let mut pen = Pen { file, actor: &actor };
    let mut joined = Joined::default();
    for relation in &part.relations {
        match pen.join_relation(relation)? {
            Some(is_new) => joined.changed += u64::from(is_new),
            None => joined.refused += 1,
        }
    }
    for sighting in &part.sightings {
        joined.changed += u64::from(pen.join(&mut sight, sighting)?);
    }
    Ok(joined)
}

impl Pen<'_> {
    /// Of two sayings the later one; of two at one moment that which retires. Nothing where there are too many.
    fn join_relation(&mut self, relation: &Relation) -> Result<Option<bool>> {
        let owner = self.owner().to_owned();
        let sql = "SELECT told, single FROM relation WHERE owner = ?1 AND name = ?2";
        let read = |row: &rusqlite::Row<'_>| Ok((get::<i64>(row, 0)?, get::<bool>(row, 1)?));
        let known = queries::one(self.file.connection, sql, (&owner, &relation.name), read)?;
        if known.is_some_and(|known| known >= (relation.told, relation.single)) {
            return Ok(Some(false));
        }
        if known.is_none() {
            if self.declared(&relation.name)? >= super::pen::MAX_DECLARED {
                return Ok(None);
            }
            self.grew(relation.name.len());
        }
        let row = (owner, &relation.name, relation.single, relation.told);
        let sql = "INSERT OR REPLACE INTO relation (owner, name, single, told) VALUES (?1,?2,?3,?4)";
        self.execute(sql, row)?;
        Ok(Some(true))
    }

    fn join(&mut self, sight: &mut Sight, sighting: &Sighting) -> Result<bool> {
        let owner = self.owner().to_owned();
        let mut here = known(self.file.connection, &owner, sighting.uid)?;
        let mut changed = false;
        let forgot = here.as_ref().and_then(|here| here.forgot).max(sighting.forgot);
        if let Some(until) = forgot
            && here.as_ref().and_then(|here| here.forgot) < forgot
        {
            let told = here.as_ref().and_then(|here| here.telling.as_ref()).map(|telling| telling.told);
            self.forget_until((sighting.uid, here.as_ref().map(|here| here.id)), told, until)?;
            changed = true;
            here = known(self.file.connection, &owner, sighting.uid)?;
        }
        let Some(telling) = sighting.telling.as_ref().filter(|telling| Some(telling.told) > forgot) else {
            return Ok(changed);
        };
        let Some(node) = self.origin(sight, sighting.uid, telling)? else { return Ok(changed) };
        let before = here.as_ref().and_then(|here| here.telling.as_ref());
        let id = match &here {
            Some(here) if before >= Some(telling) => here.id,
            _ => {
                changed = true;
                self.tell(sighting.uid, telling, node, before.is_some())?
            }
        };
        for said in sighting.said.iter().filter(|said| Some(said.told()) > forgot) {
            changed |= self.join_said(sight, id, said, forgot)?;
        }
        if changed {
            self.execute("UPDATE episode SET stir = random() WHERE id = ?1", [id])?;
        }
        Ok(changed)
    }

    /// The document that an episode comes from, if it comes from one; nothing at all where the user may not read that
    /// here and now.
    fn origin(
        &self,
        sight: &mut Sight,
        uid: crate::sync::Uid,
        telling: &Telling,
    ) -> Result<Option<Option<NodeId>>> {
        let (mark, node) = match &telling.source {
            Source::Name(name) => (format!("n:{name}"), Some(None)),
            Source::Document(document) => {
                (format!("d:{}", hex(&document.0)), self.readable(sight, &document.0)?.map(Some))
            }
        };
        if ids::of_episode(self.owner(), &mark, &telling.key) != uid.0 {
            return Err(Error::invalid(
                "the peer sent an episode under the id of another one; nothing of the message was stored",
            ));
        }
        Ok(node)
    }

    /// The document with a uid, as far as the user may read it.
    fn readable(&self, sight: &mut Sight, uid: &[u8; 16]) -> Result<Option<NodeId>> {
        let sql = "SELECT id FROM node WHERE uid = ?1 AND kind = 2";
        let found: Option<NodeId> = queries::value(self.file.connection, sql, [uid])?;
        match found {
            Some(node) if sight.reads(self.file.connection, node)? => Ok(Some(node)),
            _ => Ok(None),
        }
    }

    /// The row of an episode becomes that of another telling.
    fn tell(
        &mut self,
        uid: crate::sync::Uid,
        telling: &Telling,
        node: Option<NodeId>,
        was_told: bool,
    ) -> Result<i64> {
        let owner = self.owner().to_owned();
        let size = format!("SELECT {EPISODE_SIZE} FROM episode WHERE uid = ?1 AND owner = ?2");
        if was_told {
            let before = queries::number(self.file.connection, &size, (uid.0, &owner))?;
            self.shrank(before);
        }
        let source = match &telling.source {
            Source::Name(name) => name.as_str(),
            Source::Document(_) => "",
        };
        let cause = telling.cause.as_ref().map(|cause| cause.parse::<EventId>()).transpose()?;
        self.execute(
            "INSERT INTO episode (uid, owner, source, key, kind, node, at, known, digest, text, data, agent, driver,
             cause, told, stir) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,random())
             ON CONFLICT (uid, owner) DO UPDATE SET source = excluded.source, key = excluded.key, kind = excluded.kind,
             node = excluded.node, at = excluded.at, known = excluded.known, digest = excluded.digest,
             text = excluded.text, data = excluded.data, agent = excluded.agent, driver = excluded.driver,
             cause = excluded.cause, told = excluded.told, removed = NULL,
             stir = excluded.stir",
            rusqlite::params![
                uid.0,
                &owner,
                source,
                telling.key,
                telling.kind,
                node,
                telling.at,
                telling.known,
                telling.digest.map(|digest| digest.0),
                telling.text,
                telling.data,
                telling.agent,
                telling.driver,
                cause.as_ref().map(bare),
                telling.told
            ],
        )?;
        let now = queries::number(self.file.connection, &size, (uid.0, &owner))?;
        self.file.desk.bytes += ROW + now;
        let id = "SELECT id FROM episode WHERE uid = ?1 AND owner = ?2";
        let id = queries::value(self.file.connection, id, (uid.0, &owner))?;
        id.ok_or_else(|| crate::fault::damaged("an episode"))
    }

    /// The document that a statement names, if it names one; nothing at all where the user may not read that here and now.
    fn seen(&self, sight: &mut Sight, named: &Named) -> Result<Option<Option<NodeId>>> {
        match named.document() {
            Some(uid) => Ok(self.readable(sight, &uid)?.map(Some)),
            None => Ok(Some(None)),
        }
    }

    fn join_said(
        &mut self,
        sight: &mut Sight,
        episode: i64,
        said: &Said,
        forgot: Option<i64>,
    ) -> Result<bool> {
        // Nothing is made for what is hidden here.
        let Some(subject) = self.seen(sight, &said.subject)? else { return Ok(false) };
        let object = match &said.object {
            End::Entity(object) => match self.seen(sight, object)? {
                Some(node) => Ok(self.intern(&object.kind, &object.key, node)?),
                None => return Ok(false),
            },
            End::Value(value) | End::Property(value) => Err(value.clone()),
        };
        let subject = self.intern(&said.subject.kind, &said.subject.key, subject)?;
        let link = self.link_row(subject, said.object.sort(), &said.relation, object)?;
        let known = if Some(said.known) > forgot { said.known } else { said.told() };
        let came = Stands { until: said.until, gone: said.gone, told: said.told() };
        self.stand((link, said.from, episode), known, came)
    }

    /// Joins a statement with the one that is here since the same time; whether something changed.
    fn stand(&mut self, of: (i64, i64, i64), mut known: i64, mut came: Stands) -> Result<bool> {
        let (link, from, episode) = of;
        let sql = "SELECT valid_until, known_until, max(known_from, again) FROM statement
                   WHERE link = ?1 AND valid_from = ?2 AND episode = ?3 AND known_from = ?4";
        let mut changed = false;
        // Each one comes later than the one before.
        loop {
            let here = queries::one(self.file.connection, sql, (link, from, episode, known), Stands::read)?;
            let (joined, rest) = match here {
                Some(here) => here.joined(came),
                None => (came, None),
            };
            if here != Some(joined) {
                changed = true;
                if here.is_none() {
                    self.grew(0);
                }
                self.execute(
                    "INSERT OR REPLACE INTO statement
                     (link, valid_from, episode, known_from, valid_until, known_until, again)
                     VALUES (?1,?2,?3,?4,?5,?6,?7)",
                    (link, from, episode, known, joined.until, joined.gone, joined.told),
                )?;
            }
            let Some(rest) = rest else { break };
            (known, came) = (rest.told, rest);
        }
        if changed {
            self.execute("UPDATE link SET latest = ?2 WHERE id = ?1 AND latest < ?2", (link, from))?;
        }
        Ok(changed)
    }

    /// Forgets what an episode said until a moment, also if nothing of it is here yet.
    fn forget_until(
        &mut self,
        (uid, id): (crate::sync::Uid, Option<i64>),
        told: Option<i64>,
        until: i64,
    ) -> Result<()> {
        let Some(id) = id else {
            let owner = self.owner().to_owned();
            return self
                .execute(
                    "INSERT INTO episode (uid, owner, source, key, kind, at, known, removed, forgot, stir)
                     VALUES (?1,?2,'','','',0,0,?3,?3,random())",
                    (uid.0, owner, until),
                )
                .map(drop);
        };
        let is_told_later = told.is_some_and(|told| told > until);
        // Without a later telling nothing stands, whatever the times of its statements are.
        let last = if is_told_later { until } else { i64::MAX };
        let deleted = "DELETE FROM statement WHERE episode = ?1 AND known_from <= ?2
                       RETURNING link, valid_from, valid_until, known_until, max(known_from, again)";
        *self.file.writes += 1;
        let gone: Vec<(i64, i64, Stands)> =
            queries::rows(self.file.connection, deleted, (id, last), |row| {
                let stood = Stands { until: get(row, 2)?, gone: get(row, 3)?, told: get(row, 4)? };
                Ok((get(row, 0)?, get(row, 1)?, stood))
            })?;
        self.gave_back(gone.len() as u64 * ROW);
        let links: BTreeSet<i64> = gone.iter().map(|(link, ..)| *link).collect();
        // What was said again after that stands since then.
        for (link, from, stood) in gone.into_iter().filter(|(.., stood)| stood.told > last) {
            self.stand((link, from, id), stood.told, stood)?;
        }
        if is_told_later {
            self.execute("UPDATE episode SET forgot = ?2, stir = random() WHERE id = ?1", (id, until))?;
        } else {
            if told.is_some() {
                let size = format!("SELECT {EPISODE_SIZE} FROM episode WHERE id = ?1");
                let size = queries::number(self.file.connection, &size, [id])?;
                self.shrank(size);
            }
            self.empty_episode(id, (until, until))?;
        }
        let gone = swept(self.file.connection, links)?;
        self.gave_back(gone);
        Ok(())
    }
}

/// A statement since one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stands {
    until: Option<i64>,
    gone: Option<i64>,
    /// When it was said last.
    told: i64,
}

impl Stands {
    fn read(row: &rusqlite::Row<'_>) -> Result<Self> {
        Ok(Self { until: get(row, 0)?, gone: get(row, 1)?, told: get(row, 2)? })
    }

    /// One of two; and what was said after it was withdrawn, by who did not know that.
    fn joined(self, other: Self) -> (Self, Option<Self>) {
        let gone = sooner(self.gone, other.gone);
        let is_before = |one: &Self| gone.is_none_or(|gone| one.told <= gone);
        let told = [self, other].iter().filter(|one| is_before(one)).map(|one| one.told).max();
        let rest = [self, other].into_iter().find(|one| !is_before(one));
        let told = told.unwrap_or_else(|| self.told.min(other.told));
        (Self { until: later(self.until, other.until), gone, told }, rest)
    }
}

/// The later of two ends, where none is never.
fn later(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.zip(other).map(|(one, other)| one.max(other))
}

/// The sooner of two moments, where none is not yet.
fn sooner(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    [one, other].into_iter().flatten().min()
}
