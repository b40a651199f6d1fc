//! Changes of documents as events.

use super::payload::{ContextChanged, ContextGap};
use async_trait::async_trait;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use vextir::bus::Cursor;
use vextir::check::{Known, Wire, Wiring};
use vextir::context::Watch;
use vextir::{
    Context, Ctx, Data, Driver, DriverKind, Emitter, Error, ErrorKind, Event, HandlerResult, IntoEvent,
    Manifest, Name, Result,
};

/// How many checkpoints are read at once.
const PAGE: usize = 100;

/// How long to wait after a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// Emits a `context.changed` for every change at or below the watched paths, as far as each user may see it. How far
/// it has come is committed with the events: none is lost or doubled when the process dies, and what changed while no
/// processor ran is told at the next start. Where history is not kept that long, `context.gap` says so.
///
/// Each change is the root of a new causal tree. A handler that answers it by a change of what is watched is told of
/// that too: write elsewhere, or look at [`ContextChanged::driver`].
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir_context::Hub;
/// use vextir_drivers::context::ContextWatch;
///
/// # fn main() -> vextir::Result<()> {
/// let hub = Hub::in_memory()?;
/// let watch = ContextWatch::new(hub.context("ann"), "/Inbox").and(hub.context("bob"), "/");
/// # let _ = watch;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ContextWatch {
    id: Name,
    watched: Vec<(Context, String)>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl ContextWatch {
    /// Watches a user's path with all that is below it.
    pub fn new(context: Context, path: impl Into<String>) -> Self {
        let watched = vec![(context, path.into())];
        Self { id: Name::literal("context_watch"), watched, tasks: Mutex::default() }
    }

    /// Watches one more.
    #[must_use]
    pub fn and(mut self, context: Context, path: impl Into<String>) -> Self {
        self.watched.push((context, path.into()));
        self
    }

    /// Gives the driver another id than `context_watch`.
    #[must_use]
    pub fn with_id(self, id: impl Into<Name>) -> Self {
        Self { id: id.into(), ..self }
    }
}

#[async_trait]
impl Driver for ContextWatch {
    fn manifest(&self) -> Manifest {
        let mut manifest = Manifest::new(self.id.clone()).with_kind(DriverKind::Io);
        manifest.description = "Watches documents and emits what changes in them.".into();
        manifest.version = env!("CARGO_PKG_VERSION").into();
        manifest
    }

    async fn handle_event(&self, event: Event, _cx: &Ctx) -> HandlerResult {
        let message =
            format!("{} watches documents and handles no events, got {}", self.id, event.event_type);
        Err(Error::new(ErrorKind::Unsupported, message).into())
    }

    async fn wiring(&self, _known: &Known) -> Result<Wiring> {
        Ok(Wiring::new([Wire::emits_payload::<ContextChanged>(), Wire::emits_payload::<ContextGap>()]))
    }

    async fn start(&self, emitter: Emitter) -> Result<()> {
        for (index, (context, path)) in self.watched.iter().enumerate() {
            let same = |(other, at): &(Context, String)| other.user() == context.user() && at == path;
            if self.watched[..index].iter().any(same) {
                return Err(Error::invalid(format!(
                    "driver {:?}: {path} of {} is watched twice",
                    self.id,
                    context.user()
                )));
            }
            let emitter = emitter.for_user(context.user().clone());
            let one = Following::begin(context.clone(), path.clone(), emitter).await?;
            let task = tokio::spawn(one.follow());
            self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        }
        Ok(())
    }

    async fn stop(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // Each ends by itself when the processor stops.
            let _ = task.await;
        }
    }
}

/// One watched path.
struct Following {
    context: Context,
    path: String,
    key: String,
    emitter: Emitter,
    watch: Watch,
}

impl Following {
    async fn begin(context: Context, path: String, emitter: Emitter) -> Result<Self> {
        let key = format!("{}\u{1f}{path}", context.user());
        let watch = match checkpoint(&emitter, &key).await? {
            Some(cursor) => context.watch_from(&path, &cursor).await?,
            None => context.watch(&path).await?,
        };
        let one = Self { context, path, key, emitter, watch };
        // Should the process die before anything changes: the next one begins here.
        one.emit(None).await?;
        Ok(one)
    }

    async fn follow(mut self) {
        loop {
            let seen = tokio::select! {
                () = self.emitter.stopped() => return,
                seen = self.watch.next() => seen,
            };
            let told = match seen {
                None => return,
                Some(Ok(changed)) => self.tell(ContextChanged::from(changed).into_event()).await,
                Some(Err(error)) if error.kind() == ErrorKind::Gap => self.skip(&error).await,
                Some(Err(error)) => Err(error),
            };
            if let Err(error) = told {
                tracing::error!(%error, path = self.path, "a change of documents could not be told; trying again");
                self.pause().await;
            }
        }
    }

    /// Emits until it is stored: a change that was seen is not seen again.
    async fn tell(&self, event: Result<Event>) -> Result<()> {
        let event = event?;
        while let Err(error) = self.emit(Some(event.clone())).await {
            if !error.kind().is_transient() || self.emitter.is_stopped() {
                return Err(error);
            }
            tracing::warn!(%error, path = self.path, "a change of documents could not be told; trying again");
            self.pause().await;
        }
        Ok(())
    }

    /// What is not kept any more is said to be missing; then it goes on from now.
    async fn skip(&mut self, gap: &Error) -> Result<()> {
        self.watch = self.context.watch(&self.path).await?;
        let gap = ContextGap { path: self.path.clone(), reason: gap.to_string() };
        self.tell(gap.into_event()).await
    }

    async fn emit(&self, event: Option<Event>) -> Result<()> {
        let cursor = Data::new(&self.watch.cursor().to_string())?;
        let checkpoints = vec![(self.key.clone(), Some(cursor))];
        self.emitter.emit_all(event.into_iter().collect(), checkpoints).await.map(drop)
    }

    async fn pause(&self) {
        tokio::select! {
            () = self.emitter.stopped() => {}
            () = self.emitter.clock().sleep(PAUSE) => {}
        }
    }
}

async fn checkpoint(emitter: &Emitter, key: &str) -> Result<Option<Cursor>> {
    let mut after = String::new();
    loop {
        let page = emitter.checkpoints(&after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        after.clone_from(&last.key);
        if let Some(found) = page.iter().find(|found| found.key == key) {
            let text: Option<String> = found.value.as_ref().map(Data::decode).transpose()?;
            return text.map(|text| text.parse()).transpose();
        }
    }
}
