//! What the graph answers.

use super::EntityKey;
use crate::{EventId, Name, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One entity as its reader sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entity {
    /// What it is known by.
    pub key: EntityKey,
    /// Its name: the property `name`, else its key.
    pub name: String,
    /// Its properties that hold, by name.
    pub properties: Map<String, Value>,
}

impl Entity {
    /// For stores: an entity.
    #[must_use]
    pub fn new(key: EntityKey, properties: Map<String, Value>) -> Self {
        let name = properties.get("name").and_then(Value::as_str).unwrap_or(&key.key).to_owned();
        Self { key, name, properties }
    }
}

/// What a fact says of its subject, and where a link leads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Object {
    /// Another entity.
    Entity(EntityKey),
    /// A value.
    Value(Value),
    /// The value of a property of the subject: it has one at a time.
    Property(Value),
}

/// A fact with its times and its witnesses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Link {
    /// The same for the same subject, relation and object, everywhere.
    pub id: String,
    /// What it is about.
    pub subject: EntityKey,
    /// The relation, or the name of a property.
    pub relation: Name,
    /// What the subject is linked to.
    pub object: Object,
    /// Since when it holds in the world.
    pub valid_from: Timestamp,
    /// When it ceases to hold, as said or because a later fact of the same single-valued relation retires it.
    pub valid_until: Option<Timestamp>,
    /// Since when it is known here.
    pub known_from: Timestamp,
    /// Since when its source says something else.
    pub known_until: Option<Timestamp>,
    /// The ids of episodes that say so; the first few, if there are many.
    pub episodes: Vec<String>,
}

impl Link {
    /// For stores: a link that holds from a time on; the rest is set afterwards.
    #[must_use]
    pub fn new(
        id: String,
        subject: EntityKey,
        relation: Name,
        object: Object,
        valid_from: Timestamp,
    ) -> Self {
        Self {
            id,
            subject,
            relation,
            object,
            valid_from,
            valid_until: None,
            known_from: Timestamp::UNSET,
            known_until: None,
            episodes: Vec::new(),
        }
    }
}

/// What is around an entity.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Neighbourhood {
    /// The entities, each with how many links away it is: the nearest first, and the entity itself not among them.
    pub entities: Vec<(EntityKey, usize)>,
    /// The links over which they were reached, and those among them; to entities only.
    pub links: Vec<Link>,
    /// There is more: the walk stopped at its limit of links.
    pub truncated: bool,
}

impl Neighbourhood {
    /// The links as lines for a model, in the marks of what was recalled ([`RECALLED`](super::RECALLED)): such a text
    /// is not ingested again.
    #[must_use]
    pub fn to_text(&self) -> String {
        super::recall::to_text(&self.links)
    }
}

/// What was said about an entity.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Timeline {
    /// The links, each time that one was said apart, the one that holds since last first.
    pub links: Vec<Link>,
    /// There is more than the limit.
    pub truncated: bool,
}

/// The shortest ways between two entities.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Paths {
    /// Each way: the links in order. Links are gone over in both directions.
    pub paths: Vec<Vec<Link>>,
    /// There may be more, or shorter ones: the walk stopped at its limit of links or of paths.
    pub truncated: bool,
}

/// An episode that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Seen {
    /// Its id.
    pub id: String,
    /// What sort of thing was seen.
    pub kind: Name,
    /// Where it came from: a name, or the path of the document as its reader sees it.
    pub source: String,
    /// Which one of the source.
    pub key: String,
    /// When it was seen.
    pub at: Timestamp,
    /// Since when it is known here.
    pub known_from: Timestamp,
    /// Its text, without what was recalled.
    pub text: Option<String>,
    /// Anything else about it.
    pub data: Option<Value>,
    /// The user who ingested it.
    pub user: Name,
    /// The agent that acted for the user.
    pub agent: Option<Name>,
    /// The driver whose handler it was.
    pub driver: Option<Name>,
    /// The event that caused it.
    pub cause: Option<EventId>,
}

impl Seen {
    /// For stores: an episode; the rest is set afterwards.
    #[must_use]
    pub fn new(id: String, kind: Name, source: String, key: String, at: Timestamp, user: Name) -> Self {
        Self {
            id,
            kind,
            source,
            key,
            at,
            known_from: at,
            text: None,
            data: None,
            user,
            agent: None,
            driver: None,
            cause: None,
        }
    }
}

/// What an ingest did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ingested {
    /// The episode's id; `None` if it was ignored as recalled.
    pub episode: Option<String>,
    /// Whether it changed anything: not if it was known, alike, already.
    pub fresh: bool,
    /// How many facts it says now that it did not say before.
    pub facts: usize,
}

/// What was removed by a forget.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Forgotten {
    /// The ids of the episodes.
    pub episodes: Vec<String>,
    /// The ids of the links, properties among them, that nothing else says.
    pub links: Vec<String>,
    /// The entities that nothing else names.
    pub entities: Vec<EntityKey>,
    /// How many links lost a witness and stay, because something else says so too.
    pub kept: usize,
    /// For stores: there is more of the source; [`Graph::forget`](super::Graph::forget) goes on with it.
    pub more: bool,
}

impl Forgotten {
    pub(super) fn add(&mut self, next: Self) {
        self.episodes.extend(next.episodes);
        self.links.extend(next.links);
        self.entities.extend(next.entities);
        self.kept += next.kept;
        self.more = next.more;
    }
}

/// What one change of the graph did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// An ingest.
    Ingested(Ingested),
    /// A forget.
    Forgotten(Forgotten),
    /// Nothing to tell.
    Done,
}

impl Ingested {
    /// For stores: the answer for an episode.
    #[must_use]
    pub fn of(episode: Option<String>, fresh: bool, facts: usize) -> Self {
        Self { episode, fresh, facts }
    }
}
