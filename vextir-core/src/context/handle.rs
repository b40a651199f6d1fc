//! The handle on one user's documents.

use super::{
    Access, Actor, Change, Content, ContextStore, Document, Found, Guide, Intent, Item, Level, LineEdit,
    Principal, Query, Revision, Search, Searching, Session, Version, Watch, When, Writing, Written,
    clean_path, nothing_at,
};
use crate::bus::Cursor;
use crate::{Error, ErrorKind, Name, Result, Sequence, Timestamp};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// One user's documents. Paths begin at the user's own root; what others share stands below `/Shared`, as
/// `/Shared/<owner>/<name>`.
///
/// In a handler ([`Ctx::context`](crate::Ctx::context)) reads see a document as it was when the handler first read
/// it, with the handler's own writes; the writes are committed when the delivery is settled, together with its
/// outputs, or not at all. Guides, rights, history, the past and watches show what is committed.
#[derive(Clone)]
pub struct Context {
    store: Option<Arc<dyn ContextStore>>,
    actor: Actor,
    session: Option<Arc<Session>>,
    when: When,
}

/// Two states of a document, to be compared.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Diff {
    /// The lines that went and came, each with `-`, `+` or a space before it.
    pub text: String,
    /// The earlier state; `None` if it was not there yet.
    pub before: Option<Document>,
    /// The later state.
    pub after: Document,
}

impl Context {
    /// The documents of a user in a store.
    #[must_use]
    pub fn new(store: Arc<dyn ContextStore>, actor: Actor) -> Self {
        Self { store: Some(store), actor, session: None, when: When::Now }
    }

    pub(crate) fn of(store: Option<Arc<dyn ContextStore>>, actor: Actor) -> Self {
        Self { store, actor, session: None, when: When::Now }
    }

    pub(crate) fn in_session(
        store: Option<Arc<dyn ContextStore>>,
        actor: Actor,
        session: Arc<Session>,
    ) -> Self {
        Self { store, actor, session: Some(session), when: When::Now }
    }

    /// Acts as an agent for the user: within the rights of both. In a handler the agent sees what is committed and
    /// its own changes; what else the handler does it sees when that is committed.
    #[must_use]
    pub fn as_agent(mut self, agent: impl Into<Name>) -> Self {
        self.actor.agent = Some(agent.into());
        self
    }

    /// Reads documents as they were at a time. What is removed since then is there again, under its last path;
    /// moves are not undone.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> Self {
        Self { when: When::At(time), ..self.clone() }
    }

    /// Reads documents as they were with a version.
    #[must_use]
    pub fn at_version(&self, version: Version) -> Self {
        Self { when: When::Version(version), ..self.clone() }
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &Name {
        &self.actor.user
    }

    /// The document at a path; `None` if there is none, or none that this user may read.
    ///
    /// # Errors
    /// `Invalid`: the path. `Gap`: a past state that is not kept any more. The back end failed.
    pub async fn read(&self, path: &str) -> Result<Option<Document>> {
        let path = clean_path(path)?;
        match &self.session {
            Some(session) if self.when == When::Now => session.read(self.store()?, &self.actor, &path).await,
            _ => self.store()?.read(&self.actor, &path, self.when).await,
        }
    }

    /// What is in a folder, by name. Nothing if there is no such folder.
    ///
    /// # Errors
    /// `Invalid`: the path. The back end failed.
    pub async fn list(&self, folder: &str) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            let after = items.last().map(name_of).unwrap_or_default().to_owned();
            let page = self.list_page(folder, &after, PAGE).await?;
            let more = page.len() >= PAGE;
            items.extend(page);
            if !more {
                return Ok(items);
            }
        }
    }

    /// What is in a folder after the name `after`, at most `limit` entries.
    ///
    /// # Errors
    /// As [`Context::list`].
    pub async fn list_page(&self, folder: &str, after: &str, limit: usize) -> Result<Vec<Item>> {
        let folder = clean_path(folder)?;
        match &self.session {
            Some(session) => session.list(self.store()?, &self.actor, &folder, after, limit).await,
            None => self.store()?.list(&self.actor, &folder, after, limit).await,
        }
    }

    /// Writes a document: text, or JSON. Only what differs is changed, so that what others wrote elsewhere in it
    /// stays.
    pub fn write(&self, path: &str, content: impl Into<Content>) -> Writing {
        Writing::new(self, path, Intent::Write(content.into()))
    }

    /// Adds to the end of a text.
    pub fn append(&self, path: &str, text: impl Into<String>) -> Writing {
        Writing::new(self, path, Intent::Append(text.into()))
    }

    /// Merges into a JSON document (RFC 7396): keys that the patch does not name stay, `null` removes one.
    pub fn patch(&self, path: &str, patch: Value) -> Writing {
        Writing::new(self, path, Intent::Patch(patch))
    }

    /// Replaces lines of a text, given with what they read now ([`Document::numbered`]). An edit that does not fit
    /// is refused with the current lines.
    pub fn edit(&self, path: &str, edits: impl IntoIterator<Item = LineEdit>) -> Writing {
        Writing::new(self, path, Intent::Edit(edits.into_iter().collect()))
    }

    /// Changes the metadata alone; see [`Writing::metadata`].
    pub fn describe(&self, path: &str, metadata: Value) -> Writing {
        Writing::new(self, path, Intent::Describe).metadata(metadata)
    }

    /// Gives a document or folder another path. Folders on the way are made.
    ///
    /// # Errors
    /// `NotFound`, `Denied`; `Conflict`: something is there; `Invalid`: into itself, or to another owner.
    pub async fn move_to(&self, from: &str, to: &str) -> Result<()> {
        let to = clean_path(to)?;
        self.submit(Change::new(from, Intent::Move(to))).await.map(drop)
    }

    /// Removes a document, or a folder with all that is in it. [`Context::restore`] brings it back.
    ///
    /// # Errors
    /// `NotFound`, `Denied`.
    pub async fn remove(&self, path: &str) -> Result<()> {
        self.submit(Change::new(path, Intent::Remove)).await.map(drop)
    }

    /// Brings back what was removed last from this path, as it was.
    ///
    /// # Errors
    /// `NotFound`; `Denied`; `Conflict`: something else is there now.
    pub async fn restore(&self, path: &str) -> Result<()> {
        self.submit(Change::new(path, Intent::Restore)).await.map(drop)
    }

    /// What was done to a document or folder, last first: who, when, because of which event. At most `limit`.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn history(&self, path: &str, limit: usize) -> Result<Vec<Revision>> {
        let found = self.store()?.history(&self.actor, &clean_path(path)?, Sequence::MAX, limit).await?;
        Ok(found.into_iter().map(|(_, revision)| revision).collect())
    }

    /// What changed between two versions of a document.
    ///
    /// # Errors
    /// `NotFound`; `Gap`: a version is not kept any more.
    pub async fn diff(&self, path: &str, from: Version, to: Version) -> Result<Diff> {
        let path = clean_path(path)?;
        let store = self.store()?;
        let read = |version| store.read(&self.actor, &path, When::Version(version));
        let after = read(to).await?.ok_or_else(|| nothing_at(&path))?;
        let before = if from == 0 { None } else { read(from).await? };
        let old = before.as_ref().map(|document| document.content.to_text()).unwrap_or_default();
        let text = super::edit::compare(&old, &after.content.to_text());
        Ok(Diff { text, before, after })
    }

    /// Asks in SQL, read-only, over what this user may read; the rows come as JSON objects, one member for each
    /// column. In a handler this is the committed state, without the handler's own writes.
    ///
    /// What the tables are and what bounds a query, the store says. The Context Hub has `documents`, `folders`,
    /// `history`, `events`, `links` and `entities`; its limits, and an example that runs, stand in the documentation of `vextir-context`.
    ///
    /// ```
    /// # extern crate vextir_core as vextir;
    /// # async fn ask(notes: vextir::Context) -> vextir::Result<()> {
    /// let rows = notes.query("SELECT path, content FROM documents WHERE path LIKE ?1")
    ///     .params(["/Projects/%"]).await?;
    /// for row in rows {
    ///     println!("{}", row["path"]);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid`: the query, its parameters, or a result that is too large. `Timeout`: it takes too long.
    /// `Unsupported`: the store speaks no SQL, or the past is asked for.
    pub fn query(&self, sql: impl Into<String>) -> Query {
        Query::new(self, sql.into())
    }

    pub(super) async fn ask(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Value>> {
        if self.when != When::Now {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a query reads what is there now; use the context without `at`",
            ));
        }
        self.store()?.query(&self.actor, sql, parameters).await
    }

    /// Searches the documents that this user may read, by words, by paths and by meaning, best first. In a handler
    /// this is the committed state. The index follows the commits by a moment; [`Searching::fresh`] waits for it.
    /// What drivers keep below `/System` (runs of agents, plans, schedules) is found by its name alone.
    ///
    /// ```
    /// # extern crate vextir_core as vextir;
    /// # async fn ask(notes: vextir::Context) -> vextir::Result<()> {
    /// for hit in notes.search("invoices june").under("/Mail").limit(5).await? {
    ///     println!("{}. {} ({:?}): {}", hit.rank, hit.path, hit.why, hit.snippet);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid`: the text is too long, or the path. `Timeout`: it takes too long. `Unsupported`: the store does not
    /// search, or the past is asked for.
    pub fn search(&self, text: impl Into<String>) -> Searching {
        Searching::new(self, text.into())
    }

    pub(super) async fn look(&self, search: &Search) -> Result<Found> {
        if self.when != When::Now {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a search finds what is there now; use the context without `at`",
            ));
        }
        self.store()?.search(&self.actor, search).await
    }

    /// Watches what changes at or below a path, from now on.
    ///
    /// # Errors
    /// `Invalid`: the path.
    pub async fn watch(&self, prefix: &str) -> Result<Watch> {
        let now = *self.store()?.head().borrow();
        self.watch_after(prefix, now)
    }

    /// Watches on from where another watch was ([`Watch::cursor`]).
    ///
    /// # Errors
    /// `Invalid`: the path, or a cursor of another store, or of changes that were lost when a backup was restored.
    pub async fn watch_from(&self, prefix: &str, cursor: &Cursor) -> Result<Watch> {
        let after = self.store()?.place(cursor)?;
        self.watch_after(prefix, after)
    }

    fn watch_after(&self, prefix: &str, after: Sequence) -> Result<Watch> {
        Ok(Watch::new(self.store()?.clone(), self.actor.clone(), clean_path(prefix)?, after))
    }

    /// A folder's own index guide; `None` if it has none.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn guide(&self, folder: &str) -> Result<Option<String>> {
        let folder = clean_path(folder)?;
        let guides = self.store()?.guides(&self.actor, &folder).await?;
        Ok(guides.into_iter().find(|guide| guide.path == folder).map(|guide| guide.text))
    }

    /// The index guides of the folders on a path, from the root down.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn guides(&self, path: &str) -> Result<Vec<Guide>> {
        self.store()?.guides(&self.actor, &clean_path(path)?).await
    }

    /// Sets a folder's index guide: what belongs into it, and how it is used. Makes the folder if it is not there.
    pub fn set_guide(&self, folder: &str, text: impl Into<String>) -> Writing {
        Writing::new(self, folder, Intent::Guide(text.into()))
    }

    /// Gives somebody a level on a document or folder and all that is below; a level given before is replaced.
    /// Users find it below `/Shared`, and may read its history too.
    ///
    /// # Errors
    /// `NotFound`; `Denied`: this takes `Admin`.
    pub async fn grant(&self, path: &str, to: impl Into<Principal>, level: Level) -> Result<()> {
        self.submit(Change::new(path, Intent::Grant(to.into(), level))).await.map(drop)
    }

    /// Takes back what was granted to somebody at this place. What is inherited from above stays.
    ///
    /// # Errors
    /// As [`Context::grant`].
    pub async fn revoke(&self, path: &str, from: impl Into<Principal>) -> Result<()> {
        self.grant(path, from, Level::None).await
    }

    /// Cuts off what a folder inherits: only its owner, and whom it is granted to itself, see it from now on. Who does
    /// it stays an administrator of it; by the right of a group, for as long as it is in the group. `false` lets it
    /// inherit again.
    ///
    /// # Errors
    /// As [`Context::grant`].
    pub async fn restrict(&self, folder: &str, restricted: bool) -> Result<()> {
        self.submit(Change::new(folder, Intent::Restrict(restricted))).await.map(drop)
    }

    /// What this user may do at a path, and, for its administrators, what is granted there. `None` where this user
    /// sees nothing.
    ///
    /// # Errors
    /// `Invalid`: the path. The back end failed.
    pub async fn access(&self, path: &str) -> Result<Option<Access>> {
        self.store()?.access(&self.actor, &clean_path(path)?).await
    }

    /// This user's graph: what was seen, and what it says about people, things and documents.
    #[must_use]
    pub fn graph(&self) -> super::graph::Graph {
        let at = if let When::At(time) = self.when { Some(time) } else { None };
        super::graph::Graph::new(self.clone(), at)
    }

    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(super) fn is_in_handler(&self) -> bool {
        self.session.is_some()
    }

    pub(super) async fn submit(&self, mut change: Change) -> Result<Written> {
        if self.when != When::Now {
            return Err(Error::invalid("the past cannot be changed; use the context without `at`"));
        }
        change.path = clean_path(&change.path)?;
        if change.metadata.as_ref().is_some_and(|metadata| !metadata.is_object()) {
            return Err(Error::invalid(format!("{}: metadata are an object", change.path)));
        }
        change.agent.clone_from(&self.actor.agent);
        let store = self.store()?;
        if let Some(session) = &self.session {
            session.add(store, &self.actor, change).await?;
            return Ok(Written { version: None });
        }
        let versions = store.change(&self.actor, vec![change]).await?;
        Ok(Written { version: versions.first().copied().filter(|version| *version > 0) })
    }

    pub(super) fn store(&self) -> Result<&Arc<dyn ContextStore>> {
        self.store.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "this processor has no context store; run it on a Hub")
        })
    }
}

fn name_of(item: &Item) -> &str {
    item.path.rsplit('/').next().unwrap_or_default()
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("actor", &self.actor)
            .field("when", &self.when)
            .finish_non_exhaustive()
    }
}
