//! The layout of an export: what is in its folder, and what of it is believed.
//!
//! ```text
//! export.json        {"format": 1, "user", "at"}
//! entries.jsonl      a line for each folder and document, each folder before what is in it
//! history.jsonl      a line for each change, to be read; an import leaves it alone
//! texts/<uid>.txt    what a text document, or the guide of a folder, says
//! texts/<uid>.json   what a JSON document holds
//! texts/<uid>.state  the same as replicas merge it; may be missing
//! ```
//!
//! No name in it is ever used as a file's: texts are found by the `uid` of their entry, 32 hexadecimal digits.

use super::part::failed;
use crate::crdt::{Body, check_json, check_text};
use crate::documents::{SHARED, check_principal};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use vextir_core::context::{Keep, clean_path, segments};
use vextir_core::{Content, Error, Level, Principal, Result, Timestamp};

pub(super) const HEADER: &str = "export.json";
pub(super) const ENTRIES: &str = "entries.jsonl";
pub(super) const HISTORY: &str = "history.jsonl";
pub(super) const TEXTS: &str = "texts";
pub(super) const FORMAT: u32 = 1;

/// The longest line that is read: metadata of 16 MiB, and some.
const LINE: u64 = 20 << 20;
/// The longest text: JSON of 16 MiB may be longer as it is written.
const TEXT: u64 = 40 << 20;
/// The longest state that is read.
const STATE: u64 = 64 << 20;
/// How many rights one place may name.
const RIGHTS: usize = 10_000;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) format: u32,
    pub(super) user: String,
    pub(super) at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EntryKind {
    Folder,
    Text,
    Json,
}

/// One line of the entries.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) uid: String,
    pub(super) path: String,
    pub(super) kind: EntryKind,
    /// The length of its text in bytes; none for a folder without a guide.
    pub(super) bytes: Option<u64>,
    pub(super) version: u64,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    #[serde(default)]
    pub(super) metadata: Map<String, Value>,
    #[serde(default)]
    pub(super) restricted: bool,
    #[serde(default)]
    pub(super) granted: Vec<(Principal, Level)>,
    #[serde(default)]
    pub(super) keep: Keep,
}

impl Entry {
    /// Where its text is.
    pub(super) fn file(&self) -> String {
        let ending = if self.kind == EntryKind::Json { "json" } else { "txt" };
        format!("{}.{ending}", self.uid)
    }

    /// Where it is as replicas merge it.
    pub(super) fn state(&self) -> String {
        format!("{}.state", self.uid)
    }

    pub(super) fn uid(&self) -> Option<[u8; 16]> {
        crate::key::unhex(&self.uid)
    }

    fn check(&self, seen: &mut Seen) -> Result<(), String> {
        let uid = self.uid().ok_or("its uid is not 32 hexadecimal digits")?;
        let clean = clean_path(&self.path).map_err(|error| error.to_string())?;
        if clean != self.path {
            return Err("its path is not written as the hub writes it".into());
        }
        if segments(&self.path).next() == Some(SHARED) {
            return Err(format!("/{SHARED} is for what others share"));
        }
        let parent = parent(&self.path);
        if self.path != "/" && !seen.folders.contains(parent) {
            return Err("the folder that it is in does not come before it".into());
        }
        if !seen.uids.insert(uid) || !seen.paths.insert(self.path.clone()) {
            return Err("its uid or path was there already".into());
        }
        match self.kind {
            EntryKind::Folder => drop(seen.folders.insert(self.path.clone())),
            _ if self.path == "/" => return Err("the root is a folder".into()),
            _ if self.bytes.is_none() => return Err("it has no text".into()),
            _ => {}
        }
        if self.granted.len() > RIGHTS {
            return Err(format!("it names {} rights, at most {RIGHTS}", self.granted.len()));
        }
        self.granted.iter().try_for_each(|(who, _)| check_principal(who)).map_err(|error| error.to_string())
    }
}

/// The folder that a path is in.
pub(super) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

#[derive(Default)]
struct Seen {
    uids: HashSet<[u8; 16]>,
    paths: HashSet<String>,
    folders: HashSet<String>,
}

/// An export that is read.
pub(super) struct Parcel {
    folder: PathBuf,
    user: String,
}

impl Parcel {
    /// Opens an export, if all of it can be believed: each line is read once, and each text.
    pub(super) fn open(folder: &Path, go_on: impl Fn() -> Result<()>) -> Result<Self> {
        let mut parcel = Self { folder: folder.to_owned(), user: String::new() };
        let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
        if !is_folder(folder) || !is_folder(&folder.join(TEXTS)) {
            return Err(parcel.refused(TEXTS, "this is no export: its folders are missing, or are links"));
        }
        let mut text = String::new();
        parcel.plain(HEADER, 64 << 10)?.read_to_string(&mut text).map_err(|error| failed(folder, error))?;
        let header: Header = serde_json::from_str(&text).map_err(|error| parcel.refused(HEADER, error))?;
        if header.format != FORMAT {
            let what = format!("its format is {}, and this code reads {FORMAT}", header.format);
            return Err(parcel.refused(HEADER, what));
        }
        parcel.user = header.user;
        let mut seen = Seen::default();
        for (number, entry) in parcel.entries()?.enumerate() {
            go_on()?;
            let entry = entry?;
            let refused = |what: String| parcel.refused(ENTRIES, format!("line {}: {what}", number + 1));
            entry.check(&mut seen).map_err(refused)?;
            if let Some(state) = parcel.state(&entry)? {
                let checked = Body::new(0).apply(&state);
                checked.map_err(|error| parcel.refused(&format!("{TEXTS}/{}", entry.state()), error))?;
            }
            let fits = match parcel.content(&entry)? {
                Some(Content::Json(value)) => check_json(&value).map(drop),
                Some(Content::Text(text)) => check_text(text.len()),
                None => Ok(()),
            };
            fits.and_then(|()| check_json(&Value::Object(entry.metadata)).map(drop))
                .map_err(|error| refused(error.to_string()))?;
        }
        Ok(parcel)
    }

    /// The entries, in order.
    pub(super) fn entries(&self) -> Result<impl Iterator<Item = Result<Entry>>> {
        let mut lines = BufReader::new(self.plain(ENTRIES, u64::MAX)?);
        let mut number = 0;
        Ok(std::iter::from_fn(move || {
            number += 1;
            let mut line = Vec::new();
            let read = lines.by_ref().take(LINE + 1).read_until(b'\n', &mut line);
            let refused = |what: String| self.refused(ENTRIES, format!("line {number}: {what}"));
            match read {
                Ok(0) => None,
                Ok(read) if read as u64 > LINE => {
                    Some(Err(refused(format!("it is longer than {LINE} bytes"))))
                }
                Ok(_) if line.last() != Some(&b'\n') => Some(Err(refused("it is cut off".into()))),
                Ok(_) => Some(serde_json::from_slice(&line).map_err(|error| refused(error.to_string()))),
                Err(error) => Some(Err(failed(&self.folder.join(ENTRIES), error))),
            }
        }))
    }

    /// What an entry holds; nothing for a folder without a guide.
    pub(super) fn content(&self, entry: &Entry) -> Result<Option<Content>> {
        let Some(bytes) = entry.bytes else { return Ok(None) };
        let name = format!("{TEXTS}/{}", entry.file());
        let mut text = String::new();
        let found = self.plain(&name, TEXT)?.read_to_string(&mut text);
        found.map_err(|error| self.refused(&name, error))?;
        if text.len() as u64 != bytes {
            return Err(self.refused(&name, format!("it has {} bytes and not {bytes}", text.len())));
        }
        match entry.kind {
            EntryKind::Json => {
                let value = serde_json::from_str(&text).map_err(|error| self.refused(&name, error))?;
                Ok(Some(Content::Json(value)))
            }
            _ => Ok(Some(Content::Text(text))),
        }
    }

    /// An entry as replicas merge it, where the export says.
    pub(super) fn state(&self, entry: &Entry) -> Result<Option<Vec<u8>>> {
        let name = format!("{TEXTS}/{}", entry.state());
        if entry.bytes.is_none() || fs::symlink_metadata(self.folder.join(&name)).is_err() {
            return Ok(None);
        }
        let mut state = Vec::new();
        let read = self.plain(&name, STATE)?.read_to_end(&mut state);
        read.map_err(|error| self.refused(&name, error))?;
        Ok(Some(state))
    }

    /// Whose tree it was.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// A file of its own, and not somewhere else.
    fn plain(&self, name: &str, most: u64) -> Result<File> {
        let path = self.folder.join(name);
        let found = fs::symlink_metadata(&path).map_err(|error| self.refused(name, error))?;
        if !found.is_file() {
            return Err(self.refused(name, "it is no plain file"));
        }
        if found.len() > most {
            return Err(self.refused(name, format!("it has {} bytes, at most {most}", found.len())));
        }
        File::open(&path).map_err(|error| failed(&path, error))
    }

    pub(super) fn refused(&self, name: &str, what: impl std::fmt::Display) -> Error {
        Error::invalid(format!("{}: {what}; nothing was imported", self.folder.join(name).display()))
    }
}

/// The nodes that folders of an export became.
pub(super) type Placed = HashMap<String, i64>;
