//! A suite that cannot fail proves nothing: each of these stores breaks one promise, and it is found.

use std::sync::Arc;
use tokio::sync::watch;
use vextir_context::Hub;
use vextir_core::context::graph::{
    Entity, EntityKey, GraphStore, Neighbourhood, Paths, Seen, Timeline, Told, View, Walk,
};
use vextir_core::context::{
    Access, Actor, Change, ChangePage, Document, Found, Guide, Item, Mark, Outbox, Posted, Revision, Search,
    Version, When,
};
use vextir_core::testkit::stores::{self, StoreUnderTest};
use vextir_core::{ContextStore, Cursor, Data, ErrorKind, Result, Sequence, Timestamp};

/// What a store does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    SkipsAChange,
    AppliesHalf,
    ListsWhatIsHidden,
    RawCursor,
    TakesAnyCursor,
    ShowsWhatOthersRemoved,
    SearchesAll,
    QueriesAll,
    GraphOfAll,
    HalfAGraph,
    PostsTwice,
    PublishesNothing,
}

#[derive(Debug)]
struct Broken {
    hub: Hub,
    fault: Fault,
}

impl Broken {
    fn with(fault: Fault) -> Self {
        Self { hub: Hub::in_memory().unwrap(), fault }
    }

    /// Who asks, or, with this fault, who owns everything.
    fn asks(&self, actor: &Actor, fault: Fault) -> Actor {
        if self.fault == fault { Actor::user("ann") } else { actor.clone() }
    }

    fn view(&self, view: &View) -> View {
        let mut view = view.clone();
        view.actor = self.asks(&view.actor, Fault::GraphOfAll);
        view
    }
}

#[vextir_core::async_trait]
impl StoreUnderTest for Broken {
    fn store(&self) -> Arc<dyn ContextStore> {
        Arc::new(Self { hub: self.hub.clone(), fault: self.fault })
    }

    async fn another(&self) -> Option<Self> {
        Some(Self::with(self.fault))
    }
}

#[deny(clippy::missing_trait_methods)]
#[vextir_core::async_trait]
impl ContextStore for Broken {
    async fn read(&self, actor: &Actor, path: &str, when: When) -> Result<Option<Document>> {
        self.hub.read(actor, path, when).await
    }

    async fn list(&self, actor: &Actor, folder: &str, after: &str, limit: usize) -> Result<Vec<Item>> {
        if self.fault != Fault::ListsWhatIsHidden || folder != "/Shared/ann" {
            return self.hub.list(actor, folder, after, limit).await;
        }
        let all = self.hub.list(&Actor::user("ann"), "/", after, limit).await?;
        let shown = |item: Item| Item::new(format!("{folder}{}", item.path), item.kind, item.updated);
        Ok(all.into_iter().map(shown).collect())
    }

    async fn read_removed(
        &self,
        actor: &Actor,
        restored: &str,
        before: usize,
        path: &str,
    ) -> Result<Option<Document>> {
        let actor = self.asks(actor, Fault::ShowsWhatOthersRemoved);
        self.hub.read_removed(&actor, restored, before, path).await
    }

    async fn list_removed(
        &self,
        actor: &Actor,
        restored: &str,
        before: usize,
        page: (&str, &str, usize),
    ) -> Result<Vec<Item>> {
        self.hub.list_removed(actor, restored, before, page).await
    }

    async fn change(&self, actor: &Actor, changes: Vec<Change>) -> Result<Vec<Version>> {
        if self.fault != Fault::AppliesHalf {
            return self.hub.change(actor, changes).await;
        }
        let mut versions = Vec::new();
        for change in changes {
            versions.extend(self.hub.change(actor, vec![change]).await?);
        }
        Ok(versions)
    }

    async fn history(
        &self,
        actor: &Actor,
        path: &str,
        before: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, Revision)>> {
        self.hub.history(actor, path, before, limit).await
    }

    async fn guides(&self, actor: &Actor, path: &str) -> Result<Vec<Guide>> {
        self.hub.guides(actor, path).await
    }

    async fn access(&self, actor: &Actor, path: &str) -> Result<Option<Access>> {
        self.hub.access(actor, path).await
    }

    async fn changes(
        &self,
        actor: &Actor,
        prefix: &str,
        after: Sequence,
        limit: usize,
    ) -> Result<ChangePage> {
        let mut page = self.hub.changes(actor, prefix, after, limit).await?;
        if self.fault == Fault::SkipsAChange {
            page.changes.retain(|(_, changed)| changed.version != 300);
        }
        Ok(page)
    }

    fn head(&self) -> watch::Receiver<Sequence> {
        self.hub.head()
    }

    fn cursor(&self, after: Sequence) -> Cursor {
        match self.fault {
            Fault::RawCursor => format!("{after:048x}").parse().unwrap(),
            _ => self.hub.cursor(after),
        }
    }

    fn place(&self, cursor: &Cursor) -> Result<Sequence> {
        match self.fault {
            Fault::RawCursor => Ok(Sequence::from_str_radix(&cursor.to_string()[32..], 16).unwrap()),
            Fault::TakesAnyCursor => Ok(self.hub.place(cursor).unwrap_or_default()),
            _ => self.hub.place(cursor),
        }
    }

    async fn query(
        &self,
        actor: &Actor,
        sql: &str,
        parameters: &[serde_json::Value],
    ) -> Result<Vec<serde_json::Value>> {
        self.hub.query(&self.asks(actor, Fault::QueriesAll), sql, parameters).await
    }

    async fn search(&self, actor: &Actor, search: &Search) -> Result<Found> {
        self.hub.search(&self.asks(actor, Fault::SearchesAll), search).await
    }

    fn graph(&self) -> Option<&dyn GraphStore> {
        Some(self)
    }

    fn outbox(&self) -> Option<&dyn Outbox> {
        Some(self)
    }
}

#[deny(clippy::missing_trait_methods)]
#[vextir_core::async_trait]
impl GraphStore for Broken {
    async fn change_graph(&self, actor: &Actor, changes: Vec<Change>) -> Result<Vec<Told>> {
        if self.fault != Fault::HalfAGraph {
            return self.hub.change_graph(actor, changes).await;
        }
        let mut told = Vec::new();
        for change in changes {
            told.extend(self.hub.change_graph(actor, vec![change]).await?);
        }
        Ok(told)
    }

    async fn entity(&self, view: &View, key: &EntityKey) -> Result<Option<Entity>> {
        self.hub.entity(&self.view(view), key).await
    }

    async fn neighbours(&self, view: &View, from: &EntityKey, walk: &Walk) -> Result<Neighbourhood> {
        self.hub.neighbours(&self.view(view), from, walk).await
    }

    async fn paths(
        &self,
        view: &View,
        from: &EntityKey,
        to: &EntityKey,
        walk: &Walk,
        limit: usize,
    ) -> Result<Paths> {
        self.hub.paths(&self.view(view), from, to, walk, limit).await
    }

    async fn timeline(&self, view: &View, of: &EntityKey, limit: usize) -> Result<Timeline> {
        self.hub.timeline(&self.view(view), of, limit).await
    }

    async fn episode(&self, view: &View, id: &str) -> Result<Option<Seen>> {
        self.hub.episode(&self.view(view), id).await
    }
}

#[vextir_core::async_trait]
impl Outbox for Broken {
    async fn post(&self, mark: &Mark, actor: &Actor, changes: Vec<Change>, outcome: &Data) -> Result<()> {
        match self.hub.post(mark, actor, changes.clone(), outcome).await {
            Err(error) if error.kind() == ErrorKind::Stale && self.fault == Fault::PostsTwice => {
                self.hub.change(actor, changes).await.map(drop)
            }
            answer => answer,
        }
    }

    async fn posted(&self, mark: &Mark) -> Result<Option<Posted>> {
        self.hub.posted(mark).await
    }

    async fn unpublished(&self, log: u64, after: u64, limit: usize) -> Result<Vec<Posted>> {
        self.hub.unpublished(log, after, limit).await
    }

    async fn set_published(&self, mark: &Mark) -> Result<()> {
        match self.fault {
            Fault::PublishesNothing => Ok(()),
            _ => self.hub.set_published(mark).await,
        }
    }

    async fn forget(&self, before: Timestamp, limit: usize) -> Result<usize> {
        self.hub.forget(before, limit).await
    }
}

/// That the property holds, and breaks with the fault.
macro_rules! finds {
    ($($fault:ident: $property:ident;)*) => {$(
        if let Err(broken) = stores::$property(Broken::with(Fault::None)).await {
            panic!("the suite finds what is not there: {broken}");
        }
        let found = stores::$property(Broken::with(Fault::$fault)).await;
        assert!(found.is_err(), "{:?} was not found", Fault::$fault);
    )*};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_promise_of_a_store_is_found() {
    finds! {
        SkipsAChange: nothing_is_skipped_by_a_cursor;
        AppliesHalf: changes_are_applied_whole_or_not_at_all;
        ListsWhatIsHidden: a_user_sees_nothing_of_another;
        RawCursor: a_cursor_tells_no_count;
        TakesAnyCursor: cursors_tell_stores_apart;
        ShowsWhatOthersRemoved: what_would_be_restored_is_read_before;
        SearchesAll: a_search_finds_what_its_user_may_read;
        QueriesAll: a_query_sees_what_its_user_may_read;
        GraphOfAll: a_graph_shows_what_its_reader_may_see;
        HalfAGraph: changes_of_the_graph_are_applied_whole_or_not_at_all;
        PostsTwice: what_is_posted_lands_with_its_changes_once;
        PublishesNothing: what_is_not_published_is_told_in_order;
    }
}
