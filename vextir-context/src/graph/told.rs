//! What replicas tell each other of a graph: each episode with all that it ever said.
//!
//! Whatever comes, how often and in which order, the same comes of it, since each part has a rule of its own:
//!
//! * **What an episode says** is a set of statements, to which each replica only adds. A statement has the time at which it
//!   was said last, the later one of two. One that was withdrawn stays, with the time; of two times the earlier one
//!   counts. Who said it after that without knowing of it made a statement of its own.
//! * **The row of an episode** (text, data, who told it) is that of the last telling.
//! * **What was forgotten** is a moment for each episode: what it said until then is gone, and does not come back from who
//!   has not heard of it; what is told later stands. A telling comes after everything that its replica has seen of the
//!   episode, whatever the clocks say.
//!
//! What documents mention is not told: each replica reads it in its own documents.

use super::{PROPERTY, TO_ENTITY, TO_VALUE};
use crate::key::unhex;
use crate::sync::Uid;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vextir_core::context::graph::{DOCUMENT, MAX_KEY_BYTES, MAX_TEXT_BYTES, MAX_VALUE_BYTES};
use vextir_core::{EventId, MAX_NAME_BYTES, Timestamp};

/// Episodes, statements and relations in one message.
const MOST: usize = 4_096;

/// Parts of a graph, for one message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct GraphPart {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) relations: Vec<Relation>,
    pub(super) sightings: Vec<Sighting>,
}

/// How many values a relation has at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Relation {
    pub(super) name: String,
    pub(super) told: i64,
    pub(super) single: bool,
}

/// An episode, or a part of what it said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sighting {
    pub(super) uid: Uid,
    /// What it said until then was forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) forgot: Option<i64>,
    /// Missing where nothing was told since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) telling: Option<Telling>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) said: Vec<Said>,
}

/// The last telling of an episode. The greatest one counts, so its time stands first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Telling {
    pub(super) told: i64,
    pub(super) digest: Option<Uid>,
    pub(super) source: Source,
    pub(super) key: String,
    pub(super) kind: String,
    pub(super) at: i64,
    pub(super) known: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) driver: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
}

/// Where an episode comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    Name(String),
    Document(Uid),
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) subject: Named,
    pub(super) relation: String,
    pub(super) object: End,
    pub(super) from: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<i64>,
    pub(super) known: i64,
    /// Since when it is not said any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) gone: Option<i64>,
    /// When its episode said it last, if that was after it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) again: Option<i64>,
}

/// An entity. The key of a document is its uid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) kind: String,
    pub(super) key: String,
}

/// What a statement leads to; values are JSON.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum End {
    Entity(Named),
    Value(String),
    Property(String),
}

impl End {
    pub(super) fn sort(&self) -> i64 {
        match self {
            Self::Entity(_) => TO_ENTITY,
            Self::Value(_) => TO_VALUE,
            Self::Property(_) => PROPERTY,
        }
    }
}

/// Whether something may be believed; what it is that may not.
type Checked = Result<(), &'static str>;

fn demand(fits: bool, what: &'static str) -> Checked {
    if fits { Ok(()) } else { Err(what) }
}

impl GraphPart {
    pub(crate) fn is_empty(&self) -> bool {
        self.relations.is_empty() && self.sightings.is_empty()
    }

    /// How many episodes it tells of.
    pub(crate) fn episodes(&self) -> u64 {
        self.sightings.len() as u64
    }

    /// Whether nothing in it is out of its bounds.
    pub(crate) fn check(&self) -> Checked {
        let said: usize = self.sightings.iter().map(|sighting| sighting.said.len() + 1).sum();
        demand(said + self.relations.len() <= MOST, "has too many parts of a graph")?;
        for relation in &self.relations {
            relation.check()?;
        }
        self.sightings.iter().try_for_each(Sighting::check)
    }

    /// The latest time at which something in it was said.
    pub(super) fn latest(&self) -> i64 {
        let of_sighting = |sighting: &Sighting| {
            let known = sighting.said.iter().map(|said| said.told().max(said.gone.unwrap_or(said.known)));
            let told = sighting.telling.iter().map(|telling| telling.told.max(telling.known));
            known.chain(told).chain(sighting.forgot).max().unwrap_or(0)
        };
        let relations = self.relations.iter().map(|relation| relation.told);
        self.sightings.iter().map(of_sighting).chain(relations).max().unwrap_or(0)
    }
}

impl Relation {
    pub(super) fn check(&self) -> Checked {
        check_name(&self.name)?;
        check_time(self.told)
    }
}

impl Sighting {
    fn check(&self) -> Checked {
        self.forgot.map_or(Ok(()), check_time)?;
        self.telling.as_ref().map_or(Ok(()), Telling::check)?;
        self.said.iter().try_for_each(Said::check)
    }
}

impl Telling {
    pub(super) fn check(&self) -> Checked {
        [self.told, self.at, self.known].into_iter().try_for_each(check_time)?;
        check_name(&self.kind)?;
        check_key(&self.key)?;
        if let Source::Name(name) = &self.source {
            check_key(name)?;
            demand(!name.starts_with('/'), "has an impossible source of an episode")?;
        }
        self.agent.iter().chain(&self.driver).try_for_each(|name| check_name(name))?;
        let cause = self.cause.as_ref().is_none_or(|cause| cause.parse::<EventId>().is_ok());
        demand(cause, "has an impossible cause")?;
        let size = self.text.as_ref().map_or(0, String::len);
        demand(size <= MAX_TEXT_BYTES, "has too long a text of an episode")?;
        self.data.as_ref().map_or(Ok(()), |data| check_json(data, MAX_TEXT_BYTES))
    }
}

impl Said {
    /// When its episode said it last.
    pub(super) fn told(&self) -> i64 {
        self.again.map_or(self.known, |again| again.max(self.known))
    }

    pub(super) fn check(&self) -> Checked {
        self.subject.check()?;
        check_name(&self.relation)?;
        match &self.object {
            End::Entity(object) => object.check()?,
            End::Value(value) | End::Property(value) => check_json(value, MAX_VALUE_BYTES)?,
        }
        let times = [self.from, self.known].into_iter().chain(self.until).chain(self.gone).chain(self.again);
        times.into_iter().try_for_each(check_time)?;
        let ends = self.until.is_none_or(|until| until > self.from);
        demand(
            ends && self.gone.is_none_or(|gone| gone >= self.told()),
            "has a statement that ends before it begins",
        )
    }
}

impl Named {
    fn check(&self) -> Checked {
        check_name(&self.kind)?;
        check_key(&self.key)?;
        let fits = self.kind != DOCUMENT || unhex(&self.key).is_some();
        demand(fits, "has an impossible document in its graph")
    }

    /// The document that it is, if it is one.
    pub(super) fn document(&self) -> Option<[u8; 16]> {
        if self.kind == DOCUMENT { unhex(&self.key) } else { None }
    }
}

fn check_time(micros: i64) -> Checked {
    demand(Timestamp::from_micros(micros).as_micros() == micros, "has an impossible time")
}

fn check_name(name: &str) -> Checked {
    demand(name.len() <= MAX_NAME_BYTES, "has an impossible name in its graph")?;
    check_key(name)
}

fn check_key(key: &str) -> Checked {
    let fits = !key.is_empty() && key.len() <= MAX_KEY_BYTES && !key.chars().any(char::is_control);
    demand(fits, "has an impossible name in its graph")
}

fn check_json(text: &str, most: usize) -> Checked {
    let fits = text.len() <= most && serde_json::from_str::<Value>(text).is_ok();
    demand(fits, "has an impossible value in its graph")
}
