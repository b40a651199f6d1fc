//! The driver itself: its options, and how it starts and stops.

use super::hash::Reading;
use super::ignore::Ignore;
use super::name::escape;
use super::payload::{
    FileChanged, FileCreated, FileMoved, FileRemoved, FileScanned, FileUnreadable, FileWatch,
};
use super::scan::Root;
use super::sink::{Pages, Range, Sink};
use super::walk::Rules;
use super::watch::{Timing, Watch};
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use vextir::check::{Known, Wire, Wiring};
use vextir::{
    Ctx, Driver, DriverKind, Emitter, Error, ErrorKind, Event, HandlerResult, Manifest, Name, Result,
};

/// The most folders that one driver watches.
const MAX_ROOTS: usize = 64;

/// Watches folders and emits what changes in them. See the [module](crate::files) for what it promises.
///
/// ```
/// use std::time::Duration;
/// use vextir_drivers::files::Files;
///
/// let driver = Files::watch("inbox")
///     .and("scans")
///     .ignore("*.part")
///     .ignore("drafts/")
///     .max_hashed_bytes(16 << 20)
///     .debounce(Duration::from_millis(500));
/// # let _ = driver;
/// ```
#[derive(Debug)]
pub struct Files {
    id: Name,
    user: Option<Name>,
    roots: Vec<PathBuf>,
    recursive: bool,
    hidden: bool,
    follow_symlinks: bool,
    ignore: Vec<String>,
    max_hashed_bytes: Option<u64>,
    timing: Timing,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Files {
    /// Watches a folder with all that is below it.
    #[must_use]
    pub fn watch(folder: impl Into<PathBuf>) -> Self {
        Self {
            id: Name::literal("files"),
            user: None,
            roots: vec![folder.into()],
            recursive: true,
            hidden: false,
            follow_symlinks: false,
            ignore: Vec::new(),
            max_hashed_bytes: Some(64 << 20),
            timing: Timing {
                once: false,
                notifications: true,
                debounce: Duration::from_millis(200),
                rescan: Duration::from_secs(600),
                poll: Duration::from_secs(5),
            },
            tasks: Mutex::default(),
        }
    }

    /// Watches one more folder; at most 64.
    #[must_use]
    pub fn and(mut self, folder: impl Into<PathBuf>) -> Self {
        self.roots.push(folder.into());
        self
    }

    /// Sets the driver's id, `files` when nothing is said: two of these drivers in one processor need two.
    #[must_use]
    pub fn id(mut self, id: impl Into<Name>) -> Self {
        self.id = id.into();
        self
    }

    /// Emits the events for this user, instead of the application's own.
    #[must_use]
    pub fn user(mut self, user: impl Into<Name>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Whether folders in the folder count too; they do.
    #[must_use]
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.recursive = recursive;
        self
    }

    /// Whether names that begin with a dot count too; they do not.
    #[must_use]
    pub fn hidden(mut self, hidden: bool) -> Self {
        self.hidden = hidden;
        self
    }

    /// Passes over what matches a glob (`*`, `?`, `[a-z]`, `**`), folders with all that is in them. A pattern
    /// without a slash is compared with each name, one with a slash with the [escaped](escape) path below
    /// the root.
    #[must_use]
    pub fn ignore(mut self, pattern: impl Into<String>) -> Self {
        self.ignore.push(pattern.into());
        self
    }

    /// Whether symbolic links are followed; they are not.
    #[must_use]
    pub fn follow_symlinks(mut self, follow: bool) -> Self {
        self.follow_symlinks = follow;
        self
    }

    /// Whether the content is hashed; it is.
    #[must_use]
    pub fn hash(mut self, hash: bool) -> Self {
        self.max_hashed_bytes = hash.then_some(self.max_hashed_bytes.unwrap_or(64 << 20));
        self
    }

    /// Hashes files up to this size, 64 MiB when nothing is said.
    #[must_use]
    pub fn max_hashed_bytes(mut self, bytes: u64) -> Self {
        self.max_hashed_bytes = Some(bytes);
        self
    }

    /// How long to wait for the end of a burst of changes, 200 milliseconds when nothing is said; at most ten
    /// times as long.
    #[must_use]
    pub fn debounce(mut self, span: Duration) -> Self {
        self.timing.debounce = span;
        self
    }

    /// How often to scan everything although the system notifies, ten minutes when nothing is said.
    #[must_use]
    pub fn rescan_every(mut self, span: Duration) -> Self {
        self.timing.rescan = span.max(Duration::from_millis(1));
        self
    }

    /// How often to scan everything when the system does not notify, five seconds when nothing is said.
    #[must_use]
    pub fn poll_every(mut self, span: Duration) -> Self {
        self.timing.poll = span.max(Duration::from_millis(1));
        self
    }

    /// Whether to use the system's notifications; network folders often have none.
    #[must_use]
    pub fn notifications(mut self, notifications: bool) -> Self {
        self.timing.notifications = notifications;
        self
    }

    /// Scans once, emits [`FileScanned`](super::FileScanned), and watches no further.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.timing.once = true;
        self
    }

    /// Checks a folder and makes the root of it.
    async fn root(&self, folder: &Path, sink: &dyn Sink) -> Result<Root> {
        let place = |error: Error| error.context(format!("driver {:?}", self.id));
        let bad =
            |what: &str| place(Error::new(ErrorKind::NotFound, format!("{}: {what}", folder.display())));
        let path = std::path::absolute(folder).map_err(|error| bad(&error.to_string()))?;
        let root = self.describe(path).map_err(place)?;
        let probe = root.rules.root.clone();
        let found = super::scan::blocking(move || std::fs::read_dir(probe).map(drop)).await?;
        let Err(error) = found else { return Ok(root) };
        // A folder that was watched before, and is missing or locked now, is what a watch is for.
        let range = Range::Prefix(String::new(), None);
        match Pages::new(sink, &root.name, &range).next().await? {
            Some(page) if !page.is_empty() => Ok(root),
            _ => Err(bad(&super::walk::reason(&error))),
        }
    }

    fn describe(&self, path: PathBuf) -> Result<Root> {
        let path: PathBuf = path.components().collect();
        let rules = Rules {
            root: path.clone(),
            recursive: self.recursive,
            follow_symlinks: self.follow_symlinks,
            ignore: Ignore::new(self.hidden, &self.ignore)?,
        };
        let reading = Reading { max_bytes: self.max_hashed_bytes, follow_symlinks: self.follow_symlinks };
        Ok(Root { name: escape(&path), rules: Arc::new(rules), reading })
    }
}

#[async_trait]
impl Driver for Files {
    fn manifest(&self) -> Manifest {
        let mut manifest = Manifest::new(self.id.clone());
        manifest.description = "Watches folders and emits what changes in them.".into();
        manifest.name = "Files".into();
        manifest.version = env!("CARGO_PKG_VERSION").into();
        manifest.kind = DriverKind::Io;
        manifest
    }

    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        // It only emits.
        Ok(Vec::new())
    }

    async fn wiring(&self, _known: &Known) -> Result<Wiring> {
        Ok(Wiring::new([
            Wire::emits_payload::<FileCreated>(),
            Wire::emits_payload::<FileChanged>(),
            Wire::emits_payload::<FileMoved>(),
            Wire::emits_payload::<FileRemoved>(),
            Wire::emits_payload::<FileUnreadable>(),
            Wire::emits_payload::<FileScanned>(),
            Wire::emits_payload::<FileWatch>(),
        ]))
    }

    async fn start(&self, emitter: Emitter) -> Result<()> {
        if self.roots.len() > MAX_ROOTS {
            let given = self.roots.len();
            return Err(Error::invalid(format!(
                "driver {:?}: {given} folders; at most {MAX_ROOTS}",
                self.id
            )));
        }
        let emitter = match &self.user {
            Some(user) => emitter.for_user(user.clone()),
            None => emitter,
        };
        let sink: Arc<dyn Sink> = Arc::new(emitter);
        let mut roots = Vec::with_capacity(self.roots.len());
        for folder in &self.roots {
            let root = self.root(folder, &*sink).await?;
            if roots.iter().any(|other: &Arc<Root>| other.name == root.name) {
                return Err(Error::invalid(format!("driver {:?}: {} is watched twice", self.id, root.name)));
            }
            roots.push(Arc::new(root));
        }
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for root in roots {
            tasks.push(tokio::spawn(supervise(root, sink.clone(), self.timing)));
        }
        Ok(())
    }

    async fn stop(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // It ends with the emitter's stop; a panic was reported when it happened.
            let _ = task.await;
        }
    }
}

/// Keeps a watch running: one that panics is begun anew, and loses nothing.
async fn supervise(root: Arc<Root>, sink: Arc<dyn Sink>, timing: Timing) {
    loop {
        let watch = tokio::spawn(Watch::new(root.clone(), sink.clone(), timing).run());
        match watch.await {
            Err(error) if error.is_panic() => {
                tracing::error!(root = root.name, %error, "a watch panicked; it is begun anew");
                sink.sleep(Duration::from_secs(1)).await;
            }
            _ => return,
        }
    }
}
