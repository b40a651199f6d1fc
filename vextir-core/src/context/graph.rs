//! The context graph: what was seen, what it says about the things of the world, and when that holds.
//!
//! ```text
//! episode ─ says ─▶ link: subject ─ relation ─▶ object, or a value
//! what was seen     each with the time for which it holds in the world, and the time for which it was known here
//! ```
//!
//! Everything in the graph was said by an episode, is seen by who may see one of its episodes, and goes with the
//! last of them. A [`Graph`] is what users hold; stores that have one implement [`GraphStore`].

mod answer;
mod episode;
mod handle;
mod key;
mod mention;
mod recall;

pub use answer::{Entity, Forgotten, Ingested, Link, Neighbourhood, Object, Paths, Seen, Timeline, Told};
pub use episode::{Episode, Fact};
pub use handle::{Graph, Neighbours};
pub use key::EntityKey;
pub use mention::{Mention, mentions};
pub use recall::{RECALLED, without_recalled};

use super::{Actor, Change};
use crate::{Name, Result, Timestamp};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// The most facts of one episode, those among them that its text mentions.
pub const MAX_FACTS: usize = 500;
/// The longest value or property, as JSON, in bytes.
pub const MAX_VALUE_BYTES: usize = 16 << 10;
/// The longest text of an episode, and its longest data as JSON, in bytes.
pub const MAX_TEXT_BYTES: usize = 64 << 10;
/// The longest key of an entity or episode, and the longest source, in bytes.
pub const MAX_KEY_BYTES: usize = 1_200;
/// How far a traversal goes at most.
pub const MAX_STEPS: usize = 6;
/// How many links a traversal meets at most, unless it is told to stop earlier.
pub const MAX_VISITED: usize = 10_000;

/// The kind of an entity that is a document: its key is the document's path.
pub const DOCUMENT: &str = "document";
/// The kind of an entity that a `[[link]]` names and that is no document yet: its key is the path.
pub const PAGE: &str = "page";

/// A change of the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GraphChange {
    /// Something was seen.
    Ingest(Episode),
    /// Remove what came from a source alone.
    Forget(String),
    /// A relation has one value at a time, or may have many.
    Declare {
        /// The relation.
        relation: Name,
        /// Whether a later fact retires an earlier one of the same subject.
        single: bool,
    },
}

/// Whose graph is read, by whom, and as of when.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct View {
    /// Who reads.
    pub actor: Actor,
    /// Whose graph it is.
    pub owner: Name,
    /// What holds at this time in the world; now if it is not given.
    pub valid_at: Option<Timestamp>,
    /// As far as it was known here at this time; now if it is not given.
    pub known_at: Option<Timestamp>,
}

impl View {
    /// An actor's own graph, as it is now.
    #[must_use]
    pub fn own(actor: Actor) -> Self {
        Self { owner: actor.user.clone(), actor, valid_at: None, known_at: None }
    }
}

/// How a traversal goes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Walk {
    /// How many links away it goes, at most [`MAX_STEPS`].
    pub steps: usize,
    /// Only over links of these relations; over all if there are none.
    pub relations: Vec<Name>,
    /// How many links it meets at most.
    pub visited: usize,
}

impl Default for Walk {
    fn default() -> Self {
        Self { steps: 2, relations: Vec::new(), visited: MAX_VISITED }
    }
}

/// A store's graph.
///
/// # What every implementation promises
///
/// * Everything was said by at least one episode that is kept. What a reader may not see does not exist for it: no
///   entity, link, count or time, and no fact that is retired by a hidden one.
/// * An episode whose source is a document is seen by who may read that document now; any other one by the owner of
///   the graph. An agent needs `Read` on the document, or on `/` for what has none; to change the graph it needs
///   `Write` there.
/// * What documents say with `[[links]]` and mentions is in the answer as the documents are when it is asked for.
#[async_trait]
pub trait GraphStore: Send + Sync {
    /// Applies changes of the graph, all or none, and says for each what it did.
    ///
    /// # Errors
    /// `Invalid`, `Denied`, `NotFound`: nothing was changed.
    async fn change_graph(&self, actor: &Actor, changes: Vec<Change>) -> Result<Vec<Told>>;

    /// One entity.
    ///
    /// # Errors
    /// The back end failed.
    async fn entity(&self, view: &View, key: &EntityKey) -> Result<Option<Entity>>;

    /// What is around an entity.
    ///
    /// # Errors
    /// The back end failed.
    async fn neighbours(&self, view: &View, from: &EntityKey, walk: &Walk) -> Result<Neighbourhood>;

    /// The shortest ways between two entities, at most `limit`.
    ///
    /// # Errors
    /// The back end failed.
    async fn paths(
        &self,
        view: &View,
        from: &EntityKey,
        to: &EntityKey,
        walk: &Walk,
        limit: usize,
    ) -> Result<Paths>;

    /// All that was said about an entity, what does not hold any more included, last first, at most `limit`.
    ///
    /// # Errors
    /// The back end failed.
    async fn timeline(&self, view: &View, of: &EntityKey, limit: usize) -> Result<Timeline>;

    /// One episode.
    ///
    /// # Errors
    /// The back end failed.
    async fn episode(&self, view: &View, id: &str) -> Result<Option<Seen>>;
}
