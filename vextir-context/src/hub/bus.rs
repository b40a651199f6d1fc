//! The hub as a bus.

use super::Hub;
use crate::documents::{self, Merged};
use crate::key::Key;
use crate::outbox::Post;
use crate::queries;
use crate::writer::{Answer, Commit, Job, question};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use vextir_core::bus::{
    Attachment, BusStatus, Checkpoint, Chores, Command, DeadLetter, Delivery, Held, Hold, Logged, Page,
    Parked, Position, Receipt,
};
use vextir_core::{
    AuditRecord, Backend, ContextStore, EventBus, EventFilter, EventId, Lease, Name, Result, Sequence,
    async_trait,
};

impl Backend for Hub {
    fn bus(&self) -> Arc<dyn EventBus> {
        Arc::new(self.clone())
    }

    fn store(&self) -> Option<Arc<dyn ContextStore>> {
        Some(Arc::new(self.clone()))
    }

    fn commits_together(&self) -> bool {
        true
    }
}

impl Hub {
    /// Gives a command to the writer.
    pub(crate) async fn send_commit(
        &self,
        command: Command,
        merged: Option<Arc<Merged>>,
        post: Option<Arc<Post>>,
    ) -> Result<Receipt> {
        self.ask(|answer| Job::Commit(Commit { command, merged, post, answer })).await
    }

    /// Asks the writer and waits for its answer.
    pub(super) async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T> {
        let (answer, answered) = question();
        self.send(job(answer)).await?;
        answered.await
    }
}

/// A receiver for which what is there now is nothing new.
fn seen<T>(receiver: &watch::Receiver<T>) -> watch::Receiver<T> {
    let mut receiver = receiver.clone();
    receiver.mark_unchanged();
    receiver
}

#[async_trait]
impl EventBus for Hub {
    fn status(&self) -> watch::Receiver<BusStatus> {
        seen(&self.0.status)
    }

    fn chores(&self) -> watch::Receiver<Chores> {
        seen(&self.0.chores)
    }

    fn incarnation(&self) -> u64 {
        self.0.incarnation
    }

    fn is_durable(&self) -> bool {
        self.0.path.is_some()
    }

    async fn commit(&self, command: Command) -> Result<Receipt> {
        if documents::changes_documents(&command) {
            // Merging takes a larger future than most commands need.
            return Box::pin(documents::change(self, command, None)).await;
        }
        // A copy that goes last frees the memory where it was taken; the writer has better things to do.
        let _spent = command.clone();
        self.send_commit(command, None, None).await
    }

    async fn read(&self, after: Sequence, filter: &EventFilter, limit: usize) -> Result<Page> {
        let filter = filter.clone();
        self.read_with(move |connection| queries::read(connection, after, &filter, limit)).await
    }

    async fn find(&self, user: &Name, id: &EventId) -> Result<Option<Logged>> {
        let (user, id) = (user.clone(), id.clone());
        self.read_with(move |connection| queries::find(connection, &user, &id)).await
    }

    async fn lease(&self, user: &Name, root: &EventId) -> Result<Option<Lease>> {
        let (key, defaults) = (Key::new(user, root), self.0.defaults.clone());
        self.read_with(move |connection| queries::lease(connection, &key, &defaults)).await
    }

    async fn attach(&self) -> Result<Attachment> {
        self.ask(Job::Attach).await
    }

    async fn detach(&self) -> Result<()> {
        self.ask(Job::Detach).await
    }

    fn abandon(&self) {
        self.0.attached.store(false, Ordering::Release);
        self.0.feed.close();
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        self.0.feed.take(max).await
    }

    async fn pending(&self, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        self.read_with(move |connection| queries::pending(connection, after, limit)).await
    }

    async fn unclaimed(&self) -> Result<BTreeMap<Name, usize>> {
        self.read_with(queries::unclaimed).await
    }

    async fn unclaimed_of(&self, driver: &Name, after: Position, limit: usize) -> Result<Vec<Delivery>> {
        let driver = driver.clone();
        self.read_with(move |connection| queries::unclaimed_of(connection, &driver, after, limit)).await
    }

    async fn unrouted(&self, limit: usize) -> Result<Vec<Logged>> {
        self.read_with(move |connection| queries::unrouted(connection, limit)).await
    }

    async fn parked(&self, hold: Hold, limit: usize) -> Result<Vec<Parked>> {
        self.read_with(move |connection| queries::parked(connection, hold, limit)).await
    }

    async fn held(&self, which: &Held, limit: usize) -> Result<Vec<Parked>> {
        let which = which.clone();
        self.read_with(move |connection| queries::held(connection, &which, limit)).await
    }

    async fn dead_letters(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>> {
        self.read_with(move |connection| queries::dead(connection, after, limit)).await
    }

    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<(u64, AuditRecord)>> {
        self.read_with(move |connection| queries::audit(connection, after, limit)).await
    }

    async fn checkpoints(&self, driver: &Name, after: &str, limit: usize) -> Result<Vec<Checkpoint>> {
        let (driver, after) = (driver.clone(), after.to_owned());
        self.read_with(move |connection| queries::checkpoints(connection, &driver, &after, limit)).await
    }
}
