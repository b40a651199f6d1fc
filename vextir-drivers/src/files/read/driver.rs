//! The driver: which folders are granted, and what is read of them.

use super::open::{find, open};
use super::payload::{FileContent, FileItem, FileItems, FileList, FileRead};
use crate::files::escape;
use crate::files::scan::blocking;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use vextir::{
    Capability, Ctx, Driver, Effect, Error, ErrorKind, Event, HandlerResult, IntoEvent, Manifest, Name,
    Payload, Result,
};

/// How much is read when nothing is said, and at most.
const USUAL: u64 = 64 << 10;
const LARGEST: u64 = 512 << 10;
/// The most entries in one answer, and the most that a folder may have.
const LISTED: usize = 1_000;
const LOOKED_AT: usize = 1_000_000;

/// Reads files in granted folders, and lists them: `files.read` is answered with `files.content`, `files.list` with
/// `files.items`, both labelled `untrusted`.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::prelude::*;
/// use vextir_drivers::files::{FileContent, FileRead, FileReader};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("notes.txt"), "Buy milk")?;
/// let reader = FileReader::new().grant(folder.path());
/// let app = vextir::Processor::builder(vextir::MemoryBus::new()).driver(reader).start().await?;
/// let ask = FileRead { path: "notes.txt".into(), ..FileRead::default() };
/// let notes: FileContent = app.as_user("ann").request(ask).await?;
/// assert_eq!(notes.text, "Buy milk");
/// # Ok(())
/// # }
/// ```
///
/// Where a path really leads decides: links out of the granted folders, `..`, devices, pipes and sockets are refused, and what
/// was opened is compared with what was found, so that a link that comes in between leads nowhere. All users may read what is
/// granted; a policy can say otherwise.
#[derive(Debug, Clone)]
pub struct FileReader {
    id: Name,
    granted: Vec<PathBuf>,
}

impl Default for FileReader {
    fn default() -> Self {
        Self::new()
    }
}

impl FileReader {
    /// Nothing is granted yet.
    #[must_use]
    pub fn new() -> Self {
        Self { id: Name::literal("file_reader"), granted: Vec::new() }
    }

    /// Sets the driver's id, `file_reader` when nothing is said.
    #[must_use]
    pub fn id(mut self, id: impl Into<Name>) -> Self {
        self.id = id.into();
        self
    }

    /// Grants a folder with all that is below it.
    #[must_use]
    pub fn grant(mut self, folder: impl Into<PathBuf>) -> Self {
        self.granted.push(folder.into());
        self
    }
}

fn content(ask: &FileRead, granted: &[PathBuf]) -> Result<FileContent> {
    let (path, mut file) = open(&ask.path, granted)?;
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Unavailable, format!("{:?} cannot be read: {error}", ask.path))
    };
    let size = file.metadata().map_err(failed)?.len();
    file.seek(SeekFrom::Start(ask.offset)).map_err(failed)?;
    let most = ask.max_bytes.unwrap_or(USUAL).min(LARGEST);
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    let mut end = ask.offset.saturating_add(bytes.len() as u64);
    if end < size {
        // A character that is cut is read next time.
        let cut = cut_character(&bytes);
        bytes.truncate(bytes.len() - cut);
        end -= cut as u64;
    }
    let binary = bytes.contains(&0);
    let text = if binary { String::new() } else { String::from_utf8_lossy(&bytes).into_owned() };
    let next_offset = Some(end).filter(|end| *end < size && *end > ask.offset);
    Ok(FileContent { path: escape(path), size, offset: ask.offset, text, next_offset, binary })
}

/// How many bytes at the end begin a character and do not finish it, if there is something before them.
fn cut_character(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            bytes.len() - error.valid_up_to()
        }
        _ => 0,
    }
}

fn items(ask: &FileList, granted: &[PathBuf]) -> Result<FileItems> {
    let folder = find(&ask.path, granted)?;
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Denied, format!("{:?} cannot be listed: {error}", ask.path))
    };
    let entries = std::fs::read_dir(&folder).map_err(failed)?;
    let named = entries.map(|entry| entry.map(|entry| (escape(entry.file_name()), entry.path())));
    let limit = ask.limit.unwrap_or(LISTED).min(LISTED);
    let (found, more) = first(named, &ask.after, limit).map_err(failed)?;
    let items = found.into_iter().map(|(name, path)| item(name, &path)).collect();
    Ok(FileItems { path: escape(folder), items, more })
}

/// The first of the names after this one, and whether there are more. All entries are looked at, and only so many kept.
fn first(
    entries: impl Iterator<Item = std::io::Result<(String, PathBuf)>>,
    after: &str,
    limit: usize,
) -> std::io::Result<(BTreeMap<String, PathBuf>, bool)> {
    let (mut found, mut more) = (BTreeMap::new(), false);
    for (number, entry) in entries.enumerate() {
        if number >= LOOKED_AT {
            return Err(std::io::Error::other(format!("it has more than {LOOKED_AT} entries")));
        }
        let (name, path) = entry?;
        if name.as_str() > after {
            found.insert(name, path);
        }
        if found.len() > limit {
            found.pop_last();
            more = true;
        }
    }
    Ok((found, more))
}

fn item(name: String, path: &Path) -> FileItem {
    let (kind, size) = match path.symlink_metadata() {
        Ok(found) if found.is_file() => ("file", Some(found.len())),
        Ok(found) if found.is_dir() => ("folder", None),
        Ok(found) if found.is_symlink() => ("link", None),
        _ => ("other", None),
    };
    FileItem { name, kind: kind.to_owned(), size }
}

#[async_trait]
impl Driver for FileReader {
    fn manifest(&self) -> Manifest {
        let read = Capability::of::<FileRead>().describe("Read a file.").returns::<FileContent>();
        let list = Capability::of::<FileList>().describe("List what is in a folder.").returns::<FileItems>();
        Manifest::new(self.id.clone())
            .with_name("File reader")
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_description("Reads files in granted folders.")
            .can(read.effect(Effect::ActsOutside))
            .can(list.effect(Effect::ActsOutside))
    }

    async fn handle_event(&self, event: Event, _cx: &Ctx) -> HandlerResult {
        let granted = self.granted.clone();
        let answer = match event.event_type.as_str() {
            FileList::TYPE => {
                let ask: FileList = event.decode()?;
                blocking(move || items(&ask, &granted)).await??.into_event()?
            }
            _ => {
                let ask: FileRead = event.decode()?;
                blocking(move || content(&ask, &granted)).await??.into_event()?
            }
        };
        Ok(vec![answer.with_label("untrusted")])
    }

    fn check(&self, event: &Event) -> Result<()> {
        match event.event_type.as_str() {
            FileList::TYPE => event.decode::<FileList>().map(drop),
            _ => event.decode::<FileRead>().map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LOOKED_AT, first};
    use std::path::PathBuf;

    #[test]
    fn a_large_folder_is_listed_to_its_end() {
        let entries = |many: usize| (0..many).rev().map(|n| Ok((format!("{n:07}"), PathBuf::new())));
        let (found, more) = first(entries(150_000), "", 2).unwrap();
        assert_eq!(
            (found.into_keys().collect::<Vec<_>>(), more),
            (vec!["0000000".into(), "0000001".into()], true)
        );
        let (found, more) = first(entries(150_000), "0149997", 2).unwrap();
        assert_eq!((found.len(), more), (2, false));
        assert!(first(entries(LOOKED_AT + 1), "", 2).is_err());
    }
}
