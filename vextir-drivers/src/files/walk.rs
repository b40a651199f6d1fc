//! Walks a folder in the order of its checkpoints' keys, without following loops and without holding more
//! than one listing for each open level.

use super::ignore::Ignore;
use super::name;
use super::record::Stat;
use super::wake::Notifier;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec;

/// Folders inside folders: more are not entered.
const MAX_DEPTH: usize = 200;
/// Names in one folder: one with more is not listed.
const MAX_ENTRIES: usize = 1_000_000;

/// One thing that the walk met. Its path is escaped and relative to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// A regular file.
    File(String, Stat),
    /// A file whose record cannot be read.
    BlockedFile(String, String),
    /// A folder that cannot be listed; its path ends with a slash, or is empty for the root.
    BlockedFolder(String, String),
}

impl Seen {
    pub(super) fn path(&self) -> &str {
        match self {
            Self::File(path, _) | Self::BlockedFile(path, _) | Self::BlockedFolder(path, _) => path,
        }
    }
}

/// How to walk.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) root: PathBuf,
    pub(super) recursive: bool,
    pub(super) follow_symlinks: bool,
    pub(super) ignore: Ignore,
}

impl Rules {
    /// Whether a walk does not look at this path, whatever is there.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        self.ignore.skips_below(path) || (path.contains('/') && !self.recursive)
    }
}

/// An iterator over the files at and below a path, in byte order of their escaped paths.
pub(super) struct Walk {
    rules: Arc<Rules>,
    start: Option<(PathBuf, String, Kind)>,
    stack: Vec<Level>,
    /// Paths up to here are left out.
    after: Option<String>,
    /// Targets of followed links outside the root: each is entered once, so links cannot multiply.
    entered: HashSet<PathBuf>,
    real_root: Option<PathBuf>,
    notifier: Option<Arc<Notifier>>,
}

/// A folder that is being listed.
struct Level {
    path: PathBuf,
    /// Its escaped path, with a slash at the end; empty for the root.
    prefix: String,
    entries: vec::IntoIter<Entry>,
}

struct Entry {
    /// Relative to the level, escaped; a folder's ends with a slash, so that sorting gives the order of the
    /// whole paths.
    key: String,
    name: OsString,
    kind: Kind,
    /// A folder to which a link leads.
    linked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

impl Walk {
    /// Walks what is at `target`, an escaped path below the root (empty: the root itself), and leaves out
    /// everything up to and including `after`. `None` when it cannot be told what is there: walk the root.
    pub(super) fn new(rules: Arc<Rules>, target: &str, after: Option<&str>) -> Option<Self> {
        let mut walk = Self {
            start: None,
            stack: Vec::new(),
            after: after.map(str::to_owned),
            entered: HashSet::new(),
            real_root: rules.follow_symlinks.then(|| fs::canonicalize(&rules.root).ok()).flatten(),
            notifier: None,
            rules,
        };
        walk.start = walk.first(target)?;
        Some(walk)
    }

    /// Has every folder watched before it is listed.
    pub(super) fn watched_by(self, notifier: Option<Arc<Notifier>>) -> Self {
        Self { notifier, ..self }
    }

    /// What to begin with; nothing when there is nothing for a walk at `target`.
    fn first(&self, target: &str) -> Option<Option<(PathBuf, String, Kind)>> {
        let root = &self.rules.root;
        if target.is_empty() {
            return Some(Some((root.clone(), String::new(), Kind::Folder)));
        }
        if self.rules.leaves_out(target) {
            return Some(None);
        }
        for (end, _) in target.match_indices('/') {
            if self.kind_of(&name::below(root, &target[..end]).ok()?)? != Some(Kind::Folder) {
                return Some(None);
            }
        }
        let path = name::below(root, target).ok()?;
        Some(match self.kind_of(&path)? {
            Some(Kind::Folder) if !self.rules.recursive => None,
            Some(Kind::Folder) => Some((path, format!("{target}/"), Kind::Folder)),
            Some(Kind::File) => Some((path, target.to_owned(), Kind::File)),
            None => None,
        })
    }

    /// Whether a path is a file or a folder for this walk: links, sockets and the like are neither. `None`
    /// when that cannot be told.
    fn kind_of(&self, path: &Path) -> Option<Option<Kind>> {
        match self.metadata(path) {
            Ok(metadata) => Some(kind(&metadata)),
            Err(error) => is_gone(&error).then_some(None),
        }
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        if self.rules.follow_symlinks { fs::metadata(path) } else { fs::symlink_metadata(path) }
    }

    fn visit(&mut self, path: PathBuf, full: String, kind: Kind) -> Option<Seen> {
        let is_passed = self.after.as_ref().is_some_and(|after| full <= *after);
        match kind {
            Kind::Folder if is_passed && !self.leads_to_after(&full) => None,
            Kind::Folder => self.enter(path, full).filter(|_| !is_passed),
            Kind::File if is_passed => None,
            Kind::File => self.look(&path, full),
        }
    }

    fn leads_to_after(&self, prefix: &str) -> bool {
        self.after.as_ref().is_some_and(|after| after.starts_with(prefix))
    }

    fn look(&self, path: &Path, full: String) -> Option<Seen> {
        match self.metadata(path) {
            // Else it became something other than a file since it was listed.
            Ok(metadata) => metadata.is_file().then(|| Seen::File(full, Stat::of(&metadata))),
            Err(error) if is_gone(&error) => None,
            Err(error) => Some(Seen::BlockedFile(full, reason(&error))),
        }
    }

    /// Opens a level; answers with something only when that fails.
    fn enter(&mut self, path: PathBuf, prefix: String) -> Option<Seen> {
        let listed = if self.stack.len() >= MAX_DEPTH {
            Err(format!("more than {MAX_DEPTH} folders inside each other"))
        } else {
            if let Some(notifier) = &self.notifier {
                notifier.enter(&path);
            }
            self.list(&path, &prefix)
        };
        match listed {
            Ok(entries) => {
                self.stack.push(Level { path, prefix, entries: entries?.into_iter() });
                None
            }
            Err(why) => Some(Seen::BlockedFolder(prefix, why)),
        }
    }

    /// The entries of a folder, sorted; `None` when it is gone or is no folder any more.
    fn list(&mut self, path: &Path, prefix: &str) -> Result<Option<Vec<Entry>>, String> {
        let listing = match fs::read_dir(path) {
            Err(error) if is_gone(&error) => return Ok(None),
            listing => listing.map_err(|error| reason(&error))?,
        };
        let mut entries = Vec::new();
        for item in listing {
            let item = item.map_err(|error| reason(&error))?;
            let name = item.file_name();
            let full = format!("{prefix}{}", name::escape(&name));
            if self.rules.ignore.skips(&full) {
                continue;
            }
            let (kind, linked) = self.kind_of_item(&item);
            let Some(kind) = kind else { continue };
            let mut key = full[prefix.len()..].to_owned();
            if kind == Kind::Folder {
                if !self.rules.recursive {
                    continue;
                }
                key.push('/');
            }
            if entries.len() == MAX_ENTRIES {
                return Err(format!("more than {MAX_ENTRIES} names in one folder"));
            }
            entries.push(Entry { key, name, kind, linked: linked && kind == Kind::Folder });
        }
        entries.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        // In this order, so that of two links to one folder it is always the same one that counts.
        entries.retain(|entry| !entry.linked || self.enters(&path.join(&entry.name)));
        Ok(Some(entries))
    }

    /// What an entry is, and whether that is what a link leads to.
    fn kind_of_item(&self, item: &fs::DirEntry) -> (Option<Kind>, bool) {
        // A type that cannot be told is looked at as a file, and reported as blocked if need be.
        let Ok(listed) = item.file_type() else { return (Some(Kind::File), false) };
        if listed.is_symlink() {
            let followed = self.rules.follow_symlinks.then(|| fs::metadata(item.path()).ok()).flatten();
            return (followed.and_then(|metadata| kind(&metadata)), true);
        }
        let listed =
            if listed.is_dir() { Some(Kind::Folder) } else { listed.is_file().then_some(Kind::File) };
        (listed, false)
    }

    /// Whether a folder is entered through a link: when it lies outside the root (what is inside is met at
    /// its own place), does not hold the root, and was not entered before.
    fn enters(&mut self, link: &Path) -> bool {
        let (Ok(target), Some(root)) = (fs::canonicalize(link), &self.real_root) else { return false };
        let overlaps = target.starts_with(root) || root.starts_with(&target);
        !overlaps && self.entered.insert(target)
    }
}

impl Iterator for Walk {
    type Item = Seen;

    fn next(&mut self) -> Option<Seen> {
        if let Some((path, full, kind)) = self.start.take()
            && let Some(seen) = self.visit(path, full, kind)
        {
            return Some(seen);
        }
        while let Some(level) = self.stack.last_mut() {
            let Some(entry) = level.entries.next() else {
                self.stack.pop();
                continue;
            };
            let full = format!("{}{}", level.prefix, entry.key);
            let path = level.path.join(entry.name);
            if let Some(seen) = self.visit(path, full, entry.kind) {
                return Some(seen);
            }
        }
        None
    }
}

fn kind(metadata: &Metadata) -> Option<Kind> {
    if metadata.is_dir() {
        return Some(Kind::Folder);
    }
    metadata.is_file().then_some(Kind::File)
}

/// Whether nothing is there (any more).
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Why something cannot be read, without the number and without a path.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let plain = text.rsplit_once(" (os error").map_or(text.as_str(), |(plain, _)| plain);
    plain.to_lowercase()
}

#[cfg(test)]
mod tests;
