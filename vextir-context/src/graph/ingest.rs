//! An episode becomes rows; one that is known already changes nothing, one that says something else now is compared.

use super::forget::EPISODE_SIZE;
use super::ids;
use super::pen::{Known, Pen, Row, Times};
use crate::decode::get;
use crate::documents::node::{NodeId, folder_of, uid};
use crate::documents::place::demand_node;
use crate::key::{bare, hex};
use crate::queries;
use std::collections::BTreeSet;
use vextir_core::context::graph::{Episode, Ingested, Mention};
use vextir_core::{Error, Level, Result};

/// What documents and texts are linked by.
const LINKS_TO: &str = "links_to";
const MENTIONS: &str = "mentions";

/// Where an episode comes from.
pub(super) struct Source {
    /// Its document, if it has one.
    pub(super) node: Option<NodeId>,
    /// The name of what is no document.
    pub(super) name: String,
    /// What tells it from others, in the id of its episodes.
    pub(super) mark: String,
    /// From where its `[[links]]` begin.
    pub(super) folder: String,
}

/// An episode's row as it was.
pub(super) struct Before {
    pub(super) id: i64,
    digest: Option<Vec<u8>>,
    pub(super) removed: bool,
    /// As [`EPISODE_SIZE`] has it.
    size: u64,
    /// When it was told last, and until when what it said was forgotten.
    told: i64,
    forgot: Option<i64>,
}

impl Before {
    /// Whether what was said at a time was forgotten.
    pub(super) fn is_forgotten_at(&self, time: i64) -> bool {
        self.forgot.is_some_and(|forgot| time <= forgot)
    }

    /// When it is told anew: after what it said before and what was forgotten, whatever the clocks say. What is said
    /// twice within a moment takes its own place as long as nobody else knows of it.
    fn told_at(&self, now: i64, is_known_elsewhere: bool) -> i64 {
        let after_told = if is_known_elsewhere { self.told.saturating_add(1) } else { self.told };
        let after_forgot = self.forgot.map_or(now, |forgot| forgot.saturating_add(1));
        now.max(after_told).max(after_forgot)
    }
}

impl Pen<'_> {
    pub(super) fn ingest(&mut self, episode: &Episode) -> Result<Ingested> {
        if episode.recalled {
            return Ok(Ingested::default());
        }
        episode.check()?;
        let source = self.source(&episode.source, Level::Read)?;
        let content =
            ((&episode.kind, &episode.at, &episode.text), (&episode.data, &episode.facts, &episode.mentions));
        let digest = ids::hash([crate::encode::json(&content)?.as_bytes()]);
        let key = episode.key.clone().unwrap_or_else(|| hex(&digest));
        let uid = ids::of_episode(self.owner(), &source.mark, &key);
        let before = self.before(&uid)?;
        let shown = Some(hex(&uid));
        if before
            .as_ref()
            .is_some_and(|before| !before.removed && before.digest.as_deref() == Some(digest.as_slice()))
        {
            return Ok(Ingested::of(shown, false, 0));
        }
        let at = episode.at.map_or(self.file.now.as_micros(), vextir_core::Timestamp::as_micros);
        let now = self.file.now.as_micros();
        let told = match &before {
            Some(before) => before.told_at(now, crate::sync::has_met(self.file.connection)?),
            None => now,
        };
        let id = self.episode_row(episode, &source, &key, (&uid, &digest, at, told), before.as_ref())?;
        let wanted = self.facts(episode, &source, (&key, at))?;
        let facts = self.restate(id, &wanted, (before.is_some(), told))?;
        Ok(Ingested::of(shown, true, facts))
    }

    /// Where something comes from, as far as the actor has the level there. An agent needs to write.
    pub(super) fn source(&self, source: &str, level: Level) -> Result<Source> {
        if !source.starts_with('/') {
            self.demand_tree()?;
            let mark = format!("n:{source}");
            return Ok(Source { node: None, name: source.to_owned(), mark, folder: "/".to_owned() });
        }
        let level = if self.actor.agent.is_some() { Level::Write } else { level };
        let (place, node) = demand_node(self.file.connection, self.actor, source, level)?;
        if !node.is_document() {
            return Err(Error::invalid(format!(
                "{source} is a folder; the source of an episode is a document"
            )));
        }
        let mark = format!("d:{}", uid(self.file.connection, node.id)?);
        let is_own = place.owner == self.actor.user;
        let folder = if is_own {
            folder_of(&place.chain)
        } else {
            source.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned()
        };
        Ok(Source { node: Some(node.id), name: String::new(), mark, folder })
    }

    pub(super) fn before(&self, uid: &[u8]) -> Result<Option<Before>> {
        let sql = format!(
            "SELECT id, digest, removed, {EPISODE_SIZE}, told, forgot FROM episode WHERE uid = ?1 AND owner = ?2"
        );
        queries::one(self.file.connection, &sql, (uid, self.owner()), |row| {
            Ok(Before {
                id: get(row, 0)?,
                digest: get(row, 1)?,
                removed: get::<Option<i64>>(row, 2)?.is_some(),
                size: crate::decode::count(row, 3)?,
                told: get(row, 4)?,
                forgot: get(row, 5)?,
            })
        })
    }

    fn episode_row(
        &mut self,
        episode: &Episode,
        source: &Source,
        key: &str,
        (uid, digest, at, told): (&ids::Uid, &ids::Uid, i64, i64),
        before: Option<&Before>,
    ) -> Result<i64> {
        let data = episode.data.as_ref().map(ToString::to_string);
        let size = source.name.len() + key.len() + data.as_ref().map_or(0, String::len);
        let size = size + episode.text.as_ref().map_or(0, String::len);
        let actor = self.actor;
        let what = (source.name.as_str(), key, episode.kind.as_str(), source.node, at);
        let by = (actor.agent.as_deref(), actor.driver.as_deref(), actor.cause.as_ref().map(bare));
        let row = rusqlite::params![
            uid.as_slice(),
            actor.user.as_str(),
            what.0,
            what.1,
            what.2,
            what.3,
            what.4,
            told,
            digest.as_slice(),
            episode.text,
            data,
            by.0,
            by.1,
            by.2
        ];
        self.grew(size);
        if let Some(before) = before.filter(|before| !before.removed) {
            self.shrank(before.size);
        }
        match before {
            None => {
                self.execute(
                    "INSERT INTO episode (uid, owner, source, key, kind, node, at, known, digest, text, data,
                     agent, driver, cause, told, stir)
                     VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?8,random())",
                    row,
                )?;
                Ok(self.file.connection.last_insert_rowid())
            }
            Some(before) => {
                self.execute(
                    "UPDATE episode SET source = ?3, key = ?4, kind = ?5, node = ?6, at = ?7,
                     known = CASE WHEN removed IS NULL THEN known ELSE ?8 END, digest = ?9, text = ?10, data = ?11,
                     agent = ?12, driver = ?13, cause = ?14, told = ?8, removed = NULL, stir = random()
                     WHERE uid = ?1 AND owner = ?2",
                    row,
                )?;
                Ok(before.id)
            }
        }
    }

    /// The links that an episode says, with their times.
    fn facts(
        &mut self,
        episode: &Episode,
        source: &Source,
        (key, at): (&str, i64),
    ) -> Result<BTreeSet<(i64, Times)>> {
        let mut known = Known::new();
        let mut wanted = BTreeSet::new();
        for fact in &episode.facts {
            let from = fact.valid_from.map_or(at, vextir_core::Timestamp::as_micros);
            let until = fact.valid_until.map(vextir_core::Timestamp::as_micros);
            if until.is_some_and(|until| until <= from) {
                return Err(Error::invalid(format!(
                    "{} of {} ceases to hold before its episode; say since when it holds",
                    fact.relation, fact.subject
                )));
            }
            let subject = self.entity(&fact.subject, &mut known)?;
            let link = self.link(subject, &fact.relation, &fact.object, &mut known)?;
            wanted.insert((link, Times { from, until }));
        }
        if !episode.mentions.is_empty() {
            let subject = match source.node {
                Some(node) => self.document(node)?,
                None => self.intern(&episode.kind, key, None)?,
            };
            for link in self.mentioned(subject, &episode.mentions, &source.folder)? {
                wanted.insert((link, Times { from: at, until: None }));
            }
        }
        Ok(wanted)
    }

    /// The links of a text to what it mentions.
    pub(super) fn mentioned(
        &mut self,
        subject: Row,
        mentions: &[Mention],
        folder: &str,
    ) -> Result<BTreeSet<i64>> {
        let mut links = BTreeSet::new();
        for mention in mentions {
            let (relation, object) = match mention {
                Mention::Page(target) => (LINKS_TO, self.target(target, folder)?),
                Mention::Address(address) => (MENTIONS, Some(self.intern("email", address, None)?)),
                Mention::Name(name) => (MENTIONS, Some(self.intern("handle", name, None)?)),
                _ => continue,
            };
            if let Some(object) = object {
                links.insert(self.link_to(subject, relation, object)?);
            }
        }
        Ok(links)
    }

    /// Makes an episode say these links and no others; how many it did not say before.
    fn restate(
        &mut self,
        episode: i64,
        wanted: &BTreeSet<(i64, Times)>,
        (had, now): (bool, i64),
    ) -> Result<usize> {
        // Two replicas may have said the same at two times: both stand, and both are withdrawn.
        let standing = if had { self.standing(episode)? } else { Vec::new() };
        let mut kept = BTreeSet::new();
        for (link, one) in standing {
            if wanted.contains(&(link, one.times)) {
                kept.insert((link, one.times));
            } else {
                self.withdraw(link, episode, one, now)?;
            }
        }
        self.say_again(episode, now)?;
        let fresh = wanted.difference(&kept);
        let mut count = 0;
        for (link, times) in fresh {
            self.state(*link, episode, *times, now)?;
            count += 1;
        }
        Ok(count)
    }
}
