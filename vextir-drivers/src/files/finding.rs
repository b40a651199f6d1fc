//! What became of a difference: the event that says it, and the checkpoint that remembers it.

use super::hash::Look;
use super::join::Change;
use super::missing::Missing;
use super::payload::{FileChanged, FileCreated, FileMoved, FileRemoved, FileUnreadable};
use super::record::{Record, Stat};
use vextir::{Data, Event, IntoEvent, MAX_NAME_BYTES, Result};

/// The outcome for one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    Created(String, Record),
    Changed(String, Record),
    /// From, to.
    Moved(String, String, Record),
    Removed(String, Record),
    Unreadable(String, String, Record),
    /// No event: the record is different, the content is not.
    Noted(String, Record),
    /// No event: there was none about it before either.
    Forgotten(String),
}

impl Finding {
    /// Settles a change whose file was looked at. A file that is gone after all joins the missing ones.
    pub(super) fn judge(change: Change, look: Look, missing: &mut Missing) -> Option<Self> {
        match (change, look) {
            (Change::New(path, _), Look::Found { stat, hash, young }) => {
                let record = reported(stat, hash, young);
                Some(Self::appeared(path, record, missing))
            }
            (Change::New(..), Look::Gone) => None,
            (Change::New(path, _), Look::Blocked(reason)) => Some(Self::blocked(path, reason, None)),
            (Change::Outdated(path, _, old), Look::Found { stat, hash, young }) => {
                let record = reported(stat, hash, young);
                Some(match () {
                    () if !old.is_reported() => Self::appeared(path, record, missing),
                    () if is_same_content(&old, &record) => Self::Noted(path, record),
                    () => Self::Changed(path, record),
                })
            }
            (Change::Outdated(path, _, old), Look::Gone) => {
                missing.add(path, old);
                None
            }
            (Change::Outdated(path, stat, old), Look::Blocked(_)) if old.blocked.is_some() => {
                Some(Self::Noted(path, Record { stat: Some(stat), ..old }))
            }
            (Change::Outdated(path, _, old), Look::Blocked(reason)) => {
                Some(Self::blocked(path, reason, Some(old)))
            }
            (Change::Blocked(path, reason, old), _) => Some(Self::blocked(path, reason, old)),
            (Change::Missing(path, old), _) => Some(Self::gone(path, old)),
        }
    }

    fn appeared(path: String, record: Record, missing: &mut Missing) -> Self {
        let size = record.stat.map_or(0, |stat| stat.size);
        match record.hash.as_ref().and_then(|hash| missing.take_same_content(hash, size)) {
            Some((from, _)) => Self::Moved(from, path, record),
            None => Self::Created(path, record),
        }
    }

    fn blocked(path: String, reason: String, old: Option<Record>) -> Self {
        let record = match old {
            Some(old) => Record { reported: old.is_reported(), blocked: Some(reason.clone()), ..old },
            None => Record::blocked(reason.clone()),
        };
        Self::Unreadable(path, reason, record)
    }

    /// A checkpoint whose file is certainly gone.
    pub(super) fn gone(path: String, old: Record) -> Self {
        if old.is_reported() { Self::Removed(path, old) } else { Self::Forgotten(path) }
    }

    /// A missing file that turned up by its inode: its content need not be read again.
    pub(super) fn renamed(from: String, path: String, stat: Stat, old: Record) -> Self {
        Self::Moved(from, path, Record { stat: Some(stat), ..old })
    }

    /// Whether the file has to be looked at again soon.
    pub(super) fn young_path(&self) -> Option<&str> {
        match self {
            Self::Created(path, record)
            | Self::Changed(path, record)
            | Self::Moved(_, path, record)
            | Self::Noted(path, record) => record.young.then_some(path),
            _ => None,
        }
    }

    /// The event, if there is one, and the checkpoints that have to be written with it.
    pub(super) fn settle(self, root: &str) -> Result<Settled> {
        let note =
            |path: &str, record: &Record| -> Result<Note> { Ok((key(root, path), Some(record.to_data()?))) };
        let forget = |path: &str| (key(root, path), None);
        Ok(match self {
            Self::Created(path, record) => {
                let event = ordered(FileCreated::of(root, &path, &record), &path)?;
                (Some(event), vec![note(&path, &record)?])
            }
            Self::Changed(path, record) => {
                let event = ordered(FileChanged::of(root, &path, &record), &path)?;
                (Some(event), vec![note(&path, &record)?])
            }
            Self::Moved(from, path, record) => {
                let event = ordered(FileMoved::of(root, &from, &path, &record), &path)?;
                (Some(event), vec![forget(&from), note(&path, &record)?])
            }
            Self::Removed(path, record) => {
                (Some(ordered(FileRemoved::of(root, &path, &record), &path)?), vec![forget(&path)])
            }
            Self::Unreadable(path, reason, record) => {
                let payload = FileUnreadable { root: root.into(), path: path.clone(), reason };
                (Some(ordered(payload, &path)?), vec![note(&path, &record)?])
            }
            Self::Noted(path, record) => (None, vec![note(&path, &record)?]),
            Self::Forgotten(path) => (None, vec![forget(&path)]),
        })
    }
}

/// An event, and the checkpoints that are written with it.
pub(super) type Settled = (Option<Event>, Vec<Note>);

/// A checkpoint's key, and what is written there; `None` forgets it.
pub(super) type Note = (String, Option<Data>);

/// The checkpoint's key of a path below a root. A root's name has no two slashes in a row, so that no root's
/// keys lie among those of another.
pub(super) fn key(root: &str, path: &str) -> String {
    format!("{root}//{path}")
}

fn reported(stat: Stat, hash: Option<String>, young: bool) -> Record {
    Record { stat: Some(stat), hash, young, blocked: None, reported: false }
}

fn is_same_content(old: &Record, new: &Record) -> bool {
    match (&old.hash, &new.hash) {
        (Some(old), Some(new)) => old == new,
        // It stands still at last, and those who were told of it wait for its hash.
        (None, Some(_)) if old.young => false,
        _ => match (&old.stat, &new.stat) {
            (Some(old), Some(new)) => !new.looks_changed(old),
            _ => false,
        },
    }
}

/// Events about one path come to each driver one after the other.
fn ordered(payload: impl IntoEvent, path: &str) -> Result<Event> {
    let mut end = path.len().min(MAX_NAME_BYTES);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    // Two paths that are alike for this long share a key, which costs them only some parallelism.
    Ok(payload.into_event()?.with_ordering_key(&path[..end]))
}
