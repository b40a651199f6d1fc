//! What wakes a watch: the system's notifications, which say where something may have changed.
//!
//! They are hints. They may be late, doubled or missing; what a scan finds is what counts.

use super::dirty::Dirty;
use super::name;
use super::scan::Scope;
use super::walk::{Rules, reason};
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Config, ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Only inotify watches folders one by one; the others see all that is below a root.
const BY_FOLDER: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Where something may have changed, and the bell that rings when it did.
#[derive(Debug, Default)]
pub(super) struct Wake {
    dirty: Mutex<Dirty>,
    bell: Notify,
}

impl Wake {
    pub(super) fn mark(&self, dirty: &Dirty) {
        if !dirty.is_empty() {
            lock(&self.dirty).merge(dirty);
            self.bell.notify_one();
        }
    }

    pub(super) fn mark_path(&self, path: &str) {
        lock(&self.dirty).insert(path);
        self.bell.notify_one();
    }

    pub(super) fn mark_all(&self) {
        self.mark_path("");
    }

    pub(super) fn take(&self) -> Option<Scope> {
        lock(&self.dirty).take()
    }

    /// Resolves when something was marked since the last call.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }
}

/// The system's notifications about one root. Dropping it ends them.
pub(super) struct Notifier {
    watcher: Mutex<RecommendedWatcher>,
    ears: Arc<Ears>,
}

/// What the notifying thread writes to.
struct Ears {
    rules: Arc<Rules>,
    wake: Arc<Wake>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Folders that are watched, where each has its own watch.
    folders: BTreeSet<PathBuf>,
    /// Folders that went away, with their watches.
    gone: Vec<PathBuf>,
    /// Why the notifications cannot be relied on any more.
    failure: Option<String>,
}

impl Notifier {
    /// Asks the system for notifications about a root. Blocks.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) fn start(rules: Arc<Rules>, wake: Arc<Wake>) -> Result<Self, String> {
        let ears = Arc::new(Ears { rules: rules.clone(), wake, state: Mutex::default() });
        let hear = ears.clone();
        let config = Config::default().with_follow_symlinks(rules.follow_symlinks);
        let watcher = RecommendedWatcher::new(move |told| hear.hear(told), config);
        let watcher = Mutex::new(watcher.map_err(|error| explain(&error))?);
        let notifier = Self { watcher, ears };
        if !BY_FOLDER {
            let mode = if rules.recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            lock(&notifier.watcher).watch(&rules.root, mode).map_err(|error| explain(&error))?;
        }
        Ok(notifier)
    }

    /// A walk is about to list a folder: from now on, changes in it are notified. Blocks.
    pub(super) fn enter(&self, folder: &Path) {
        if !BY_FOLDER || !self.ears.state().folders.insert(folder.to_owned()) {
            return;
        }
        let watched = lock(&self.watcher).watch(folder, RecursiveMode::NonRecursive);
        let Err(error) = watched else { return };
        let mut state = self.ears.state();
        state.folders.remove(folder);
        // The walk itself finds out when the folder cannot be listed, or is gone.
        if is_exhausted(&error) {
            state.failure.get_or_insert_with(|| explain(&error));
        }
    }

    /// Gives back the watches of folders that went away; before a walk meets them at a new place. Blocks.
    pub(super) fn tidy(&self) {
        let gone = std::mem::take(&mut self.ears.state().gone);
        let mut watcher = lock(&self.watcher);
        for folder in gone {
            // Those that were deleted have no watch any more.
            let _ = watcher.unwatch(&folder);
        }
    }

    /// Why it cannot be relied on any more, if that is so.
    pub(super) fn failure(&self) -> Option<String> {
        self.ears.state().failure.clone()
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").field("folders", &self.ears.state().folders.len()).finish_non_exhaustive()
    }
}

impl Ears {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn hear(&self, told: notify::Result<notify::Event>) {
        match told {
            Err(error) if is_exhausted(&error) => {
                self.state().failure.get_or_insert_with(|| explain(&error));
                self.wake.mark_all();
            }
            Err(_) => self.wake.mark_all(),
            // The system's queue ran over.
            Ok(event) if event.need_rescan() || event.paths.is_empty() => self.wake.mark_all(),
            Ok(event) if is_about_content(event.kind) => {
                for path in &event.paths {
                    if is_departure(event.kind) {
                        self.forget(path);
                    }
                    self.mark(path);
                }
            }
            Ok(_) => {}
        }
    }

    fn mark(&self, path: &Path) {
        let Ok(relative) = path.strip_prefix(&self.rules.root) else {
            // Behind a followed link, or under another name of the root.
            return self.wake.mark_all();
        };
        let relative = name::escape(relative);
        if relative.is_empty() || !self.rules.leaves_out(&relative) {
            self.wake.mark_path(&relative);
        }
    }

    /// A folder, with those in it, is not where it was.
    fn forget(&self, path: &Path) {
        let mut state = self.state();
        let below: Vec<PathBuf> = state
            .folders
            .range(path.to_owned()..)
            .take_while(|folder| folder.starts_with(path))
            .cloned()
            .collect();
        for folder in below {
            state.folders.remove(&folder);
            state.gone.push(folder);
        }
    }
}

/// Reading is no change; the watch's own reading least of all.
fn is_about_content(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

fn is_departure(kind: EventKind) -> bool {
    match kind {
        EventKind::Remove(_) => true,
        EventKind::Modify(ModifyKind::Name(mode)) => mode == RenameMode::From,
        _ => false,
    }
}

/// Whether the system has no more watches, or no more open files, to give.
fn is_exhausted(error: &notify::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    match &error.kind {
        ErrorKind::MaxFilesWatch => true,
        ErrorKind::Io(error) => matches!(error.raw_os_error(), Some(ENFILE | EMFILE)),
        _ => false,
    }
}

fn explain(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => {
            "the system has no more watches to give (fs.inotify.max_user_watches)".to_owned()
        }
        ErrorKind::Io(inner) if is_exhausted(error) => {
            format!(
                "the system has no more watchers to give ({}; fs.inotify.max_user_instances)",
                reason(inner)
            )
        }
        ErrorKind::Io(error) => reason(error),
        _ => error.to_string(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
