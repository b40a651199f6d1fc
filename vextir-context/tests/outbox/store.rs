//! A store of another system: a hub behind a door that can fall shut in the midst of an outbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Notify, watch};
use vextir_context::Hub;
use vextir_core::bus::Position;
use vextir_core::context::{
    Access, Change, ChangePage, Guide, Item, Mark, Outbox, Posted, Revision, Version, When,
};
use vextir_core::{
    Actor, ContextStore, Cursor, Data, Document, Error, ErrorKind, Result, Sequence, Timestamp,
};

/// Where the process dies, counted over all steps: three for each settlement (0, 3, .. before the post, 1, 4, ..
/// after it, 2, 5, .. when the bus has it).
#[derive(Debug, Default)]
pub(crate) struct Death {
    left: AtomicUsize,
    pub(crate) came: Notify,
}

impl Death {
    pub(crate) fn at(step: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(step + 1), came: Notify::new() })
    }

    pub(crate) fn never() -> Arc<Self> {
        Arc::default()
    }

    /// One more step; what dies does nothing any more.
    async fn step(&self) {
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            return;
        }
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.left.store(usize::MAX, Ordering::SeqCst);
        }
        if self.left.load(Ordering::SeqCst) > usize::MAX / 2 {
            self.came.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) hub: Hub,
    pub(crate) death: Arc<Death>,
    pub(crate) has_outbox: bool,
    /// How many calls of the outbox fail before one works.
    pub(crate) fails: Arc<AtomicUsize>,
}

impl Store {
    pub(crate) fn new(hub: &Hub, death: &Arc<Death>) -> Arc<Self> {
        Arc::new(Self { hub: hub.clone(), death: death.clone(), has_outbox: true, fails: Arc::default() })
    }

    fn fail(&self) -> Result<()> {
        let failed = self.fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if failed.is_ok() {
            return Err(Error::new(ErrorKind::Unavailable, "not now"));
        }
        Ok(())
    }
}

#[vextir_core::async_trait]
impl Outbox for Store {
    async fn post(&self, mark: &Mark, actor: &Actor, changes: Vec<Change>, outcome: &Data) -> Result<()> {
        self.fail()?;
        self.death.step().await;
        self.hub.post(mark, actor, changes, outcome).await?;
        self.death.step().await;
        Ok(())
    }

    async fn posted(&self, mark: &Mark) -> Result<Option<Posted>> {
        self.fail()?;
        self.hub.posted(mark).await
    }

    async fn unpublished(&self, log: u64, after: Position, limit: usize) -> Result<Vec<Posted>> {
        self.hub.unpublished(log, after, limit).await
    }

    async fn set_published(&self, mark: &Mark) -> Result<()> {
        self.death.step().await;
        self.hub.set_published(mark).await
    }

    async fn forget(&self, before: Timestamp, limit: usize) -> Result<usize> {
        self.hub.forget(before, limit).await
    }
}

#[vextir_core::async_trait]
impl ContextStore for Store {
    async fn read(&self, actor: &Actor, path: &str, when: When) -> Result<Option<Document>> {
        self.hub.read(actor, path, when).await
    }

    async fn list(&self, actor: &Actor, folder: &str, after: &str, limit: usize) -> Result<Vec<Item>> {
        self.hub.list(actor, folder, after, limit).await
    }

    async fn change(&self, actor: &Actor, changes: Vec<Change>) -> Result<Vec<Version>> {
        self.hub.change(actor, changes).await
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
        self.hub.changes(actor, prefix, after, limit).await
    }

    fn head(&self) -> watch::Receiver<Sequence> {
        self.hub.head()
    }

    fn cursor(&self, after: Sequence) -> Cursor {
        self.hub.cursor(after)
    }

    fn place(&self, cursor: &Cursor) -> Result<Sequence> {
        self.hub.place(cursor)
    }

    fn outbox(&self) -> Option<&dyn Outbox> {
        self.has_outbox.then_some(self)
    }
}
