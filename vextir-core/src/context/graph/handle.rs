//! The handle on a graph.

use super::{
    Entity, EntityKey, Episode, Forgotten, GraphChange, GraphStore, Ingested, MAX_STEPS, Neighbourhood,
    Paths, Seen, Timeline, Told, View, Walk,
};
use crate::context::{Change, Context, Intent, clean_path};
use crate::{Error, ErrorKind, Name, Result, Timestamp};
use std::future::{Future, IntoFuture};
use std::pin::Pin;

/// A user's graph; made by [`Context::graph`].
///
/// In a handler, what is changed is committed when the delivery is settled, with its outputs, or not at all; what is
/// read is what is committed.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::context::graph::{Episode, Fact};
///
/// # async fn remember(context: vextir::Context) -> vextir::Result<()> {
/// let graph = context.graph();
/// graph.declare_single("works_for", true).await?;
/// let mail = Episode::new("mail", "imap:inbox").key("<17@example.org>")
///     .fact(Fact::new(("person", "bob"), "works_for", ("company", "acme")));
/// graph.ingest(mail).await?;
/// let around = graph.neighbours(("company", "acme")).depth(2).await?;
/// let then = graph.as_of("2024-01-01T00:00:00Z".parse()?).entity(("person", "bob")).await?;
/// # let _ = (around, then);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Graph {
    context: Context,
    owner: Option<Name>,
    valid_at: Option<Timestamp>,
    known_at: Option<Timestamp>,
}

impl Graph {
    pub(in crate::context) fn new(context: Context, at: Option<Timestamp>) -> Self {
        Self { context, owner: None, valid_at: at, known_at: at }
    }

    /// The graph of another user, as far as this user may see it: what documents say that are shared with this user.
    #[must_use]
    pub fn of(&self, owner: impl Into<Name>) -> Self {
        Self { owner: Some(owner.into()), ..self.clone() }
    }

    /// As it was at a time: what held then, as far as it was known then.
    #[must_use]
    pub fn as_of(&self, time: Timestamp) -> Self {
        self.valid_at(time).known_at(time)
    }

    /// What held at a time, as far as it is known.
    #[must_use]
    pub fn valid_at(&self, time: Timestamp) -> Self {
        Self { valid_at: Some(time), ..self.clone() }
    }

    /// As far as it was known here at a time. What was forgotten since then is not there.
    #[must_use]
    pub fn known_at(&self, time: Timestamp) -> Self {
        Self { known_at: Some(time), ..self.clone() }
    }

    /// Takes an episode in: its facts, and what its text mentions. Entities are made by their keys. `None` in a
    /// handler, whose changes are committed when it is settled.
    ///
    /// # Errors
    /// `Invalid`: a name, a size, a time, or a document that names itself as another one's. `NotFound`: the document
    /// that is the source. `Denied`: an agent without the right.
    pub async fn ingest(&self, mut episode: Episode) -> Result<Option<Ingested>> {
        if episode.source.starts_with('/') {
            episode.source = clean_path(&episode.source)?;
        }
        if episode.prepare() {
            self.store()?;
            return Ok(Some(Ingested::default()));
        }
        episode.check()?;
        let path = if episode.source.starts_with('/') { episode.source.clone() } else { "/".to_owned() };
        Ok(match self.change(path, GraphChange::Ingest(episode)).await? {
            Some(Told::Ingested(told)) => Some(told),
            _ => None,
        })
    }

    /// Removes what came from a source alone: its episodes, and the links, properties and entities that nothing else
    /// says. A source that begins with `/` is a document; what it says with `[[links]]` comes back when it changes.
    /// Nothing is removed, and no error, if there is nothing. A source of many episodes is removed in several commits; a
    /// handler removes one of at most 200, and is told nothing (`None`). What more than a thousand other episodes say
    /// may be told of as removed although it stays: so many are looked at for one that the user may see.
    ///
    /// # Errors
    /// `Invalid`: the source. `Denied`: an agent without the right.
    pub async fn forget(&self, source: &str) -> Result<Option<Forgotten>> {
        let is_document = source.starts_with('/');
        let source = if is_document { clean_path(source)? } else { source.to_owned() };
        super::episode::check_key("the source of an episode", &source, super::MAX_KEY_BYTES)?;
        let path = if is_document { source.clone() } else { "/".to_owned() };
        let mut forgotten = Forgotten::default();
        loop {
            match self.change(path.clone(), GraphChange::Forget(source.clone())).await? {
                Some(Told::Forgotten(told)) => forgotten.add(told),
                _ => return Ok(None),
            }
            if !forgotten.more {
                return Ok(Some(forgotten));
            }
        }
    }

    /// Declares that a relation has one value at a time, or takes that back. Of facts with one subject and such a
    /// relation, the one that holds since later retires the earlier ones, in whatever order they are ingested.
    ///
    /// # Errors
    /// `Invalid`: the name, or too many relations. `Denied`: an agent without the right.
    pub async fn declare_single(&self, relation: impl Into<Name>, single: bool) -> Result<()> {
        let relation = relation.into();
        super::episode::check_name("a relation", &relation)?;
        self.change("/".to_owned(), GraphChange::Declare { relation, single }).await.map(drop)
    }

    /// An entity with its properties.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn entity(&self, key: impl Into<EntityKey>) -> Result<Option<Entity>> {
        self.store()?.entity(&self.view(), &key.into()).await
    }

    /// What is around an entity: two links deep, unless [`Neighbours::depth`] says otherwise.
    pub fn neighbours(&self, of: impl Into<EntityKey>) -> Neighbours {
        Neighbours { graph: self.clone(), of: of.into(), walk: Walk::default() }
    }

    /// The shortest ways between two entities, over links in both directions; at most 16 of them, each of at most
    /// `depth` links, from 1 to 6.
    ///
    /// # Errors
    /// `Invalid`: the depth. The back end failed.
    pub async fn paths(
        &self,
        from: impl Into<EntityKey>,
        to: impl Into<EntityKey>,
        depth: usize,
    ) -> Result<Paths> {
        let walk = Walk { steps: check_depth(depth)?, ..Walk::default() };
        self.store()?.paths(&self.view(), &from.into(), &to.into(), &walk, 16).await
    }

    /// What was said about an entity, last first: what does not hold any more too, and nothing later than the time of
    /// this view.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn timeline(&self, of: impl Into<EntityKey>, limit: usize) -> Result<Timeline> {
        self.store()?.timeline(&self.view(), &of.into(), limit).await
    }

    /// An episode that a link names.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn episode(&self, id: &str) -> Result<Option<Seen>> {
        self.store()?.episode(&self.view(), id).await
    }

    fn view(&self) -> View {
        let own = View::own(self.context.actor().clone());
        let owner = self.owner.clone().unwrap_or_else(|| own.owner.clone());
        View { owner, valid_at: self.valid_at, known_at: self.known_at, ..own }
    }

    fn store(&self) -> Result<&dyn GraphStore> {
        self.context.store()?.graph().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "this context store has no graph; run it on a Hub")
        })
    }

    async fn change(&self, path: String, what: GraphChange) -> Result<Option<Told>> {
        let store = self.store()?;
        if self.owner.as_ref().is_some_and(|owner| owner != self.context.user()) {
            return Err(Error::new(
                ErrorKind::Denied,
                "the graph of another user is changed by its owner only",
            ));
        }
        if self.valid_at.is_some() || self.known_at.is_some() {
            return Err(Error::invalid("the past cannot be changed; use the graph without a time"));
        }
        let mut change = Change::new(path, Intent::Graph(Box::new(what)));
        change.agent.clone_from(&self.context.actor().agent);
        if self.context.is_in_handler() {
            return self.context.submit(change).await.map(|_| None);
        }
        Ok(store.change_graph(self.context.actor(), vec![change]).await?.pop())
    }
}

/// A traversal that runs when it is awaited; made by [`Graph::neighbours`].
#[derive(Debug)]
#[must_use = "nothing is read before it is awaited"]
pub struct Neighbours {
    graph: Graph,
    of: EntityKey,
    walk: Walk,
}

impl Neighbours {
    /// How many links away it goes, from 1 to 6; 2 by default.
    pub fn depth(mut self, depth: usize) -> Self {
        self.walk.steps = depth;
        self
    }

    /// Only over links of these relations.
    pub fn over(mut self, relations: impl IntoIterator<Item = impl Into<Name>>) -> Self {
        self.walk.relations = relations.into_iter().map(Into::into).collect();
        self
    }

    /// How many links it meets at most; 10,000 by default, which is also the most.
    pub fn limit(mut self, links: usize) -> Self {
        self.walk.visited = links.min(super::MAX_VISITED);
        self
    }
}

impl IntoFuture for Neighbours {
    type Output = Result<Neighbourhood>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { graph, of, walk } = self;
        Box::pin(async move {
            check_depth(walk.steps)?;
            graph.store()?.neighbours(&graph.view(), &of, &walk).await
        })
    }
}

fn check_depth(depth: usize) -> Result<usize> {
    if (1..=MAX_STEPS).contains(&depth) {
        return Ok(depth);
    }
    Err(Error::invalid(format!("a depth of {depth} links; it is from 1 to {MAX_STEPS}")))
}
