//! One user's tree, as files.

use super::Hands;
use super::parcel::{ENTRIES, Entry, EntryKind, FORMAT, HEADER, HISTORY, Header, TEXTS};
use super::part::{Part, failed, private_folder, sync_folder};
use crate::crdt::Body;
use crate::decode::get;
use crate::documents::bases::state;
use crate::documents::history::all_steps;
use crate::documents::keeping::keep_at;
use crate::documents::node::{self, Node, join};
use crate::documents::rights::all_granted;
use crate::fault::{OrFault, damaged};
use crate::file::real_path;
use crate::hub::Hub;
use crate::queries;
use rusqlite::Connection;
use serde::Serialize;
use serde_json::{Map, json};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use vextir_core::context::Revision;
use vextir_core::{Error, Name, Result};

/// How many entries of a folder are read at once.
const PAGE: usize = 256;

/// What was exported; see [`Hub::export`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Folders, the root among them.
    pub folders: u64,
    /// Documents.
    pub documents: u64,
}

impl Hub {
    /// Writes one user's tree into a new folder, as it is at this moment: documents, guides, metadata, rights, and a
    /// summary of their history, as JSON lines, with each text in a file of its own. What others share with the user
    /// is theirs and not in it; neither is what was removed, nor who is in which group.
    ///
    /// | file | what is in it |
    /// |---|---|
    /// | `export.json` | `format` (1), `user`, `at` |
    /// | `entries.jsonl` | a line for each folder and document: `uid`, `path`, `kind` (`folder`, `text`, `json`), `bytes`, `version`, `created`, `updated`, `metadata`, `restricted`, `granted`, `keep` |
    /// | `history.jsonl` | a line for each change that is kept: `uid`, `what`, `version`, `at`, `user`, `agent`, `driver`, `cause` |
    /// | `texts/<uid>.txt`, `.json` | what a document holds, or a folder's guide says |
    /// | `texts/<uid>.state` | the same as replicas merge it: an update of Yjs (v1) |
    ///
    /// It is written beside its path, as `<folder>.part`, and gets its name when it is whole. It is not encrypted; only
    /// its owner may open it, where the file system has such rights.
    ///
    /// # Errors
    /// `Conflict`: there is something at `folder`, or at `<folder>.part`. `Unavailable`: it cannot be written.
    pub async fn export(&self, user: impl Into<Name>, folder: impl AsRef<Path>) -> Result<Exported> {
        let (user, folder) = (user.into(), folder.as_ref().to_owned());
        self.keeper().run(move |hands| export(hands, user, &folder)).await
    }
}

fn export(hands: &Hands, user: Name, folder: &Path) -> Result<Exported> {
    let folder = real_path(folder)?;
    let part = Part::folder(&folder, "export")?;
    let texts = part.path().join(TEXTS);
    private_folder(&texts).map_err(|error| failed(&texts, error))?;
    let (target, own) = (part.path().to_owned(), hands.clone());
    let exported = hands.read_long(move |connection| {
        let snapshot = connection.unchecked_transaction().or_fault()?;
        let exported = write(&snapshot, &own, &user, &target)?;
        snapshot.finish().or_fault()?;
        Ok(exported)
    })?;
    sync_texts(hands, &texts)?;
    part.finish()?;
    Ok(exported)
}

/// Makes the texts durable, after all are written: one by one it would take a turn of the disk each.
fn sync_texts(hands: &Hands, texts: &Path) -> Result<()> {
    for entry in fs::read_dir(texts).map_err(|error| failed(texts, error))? {
        hands.go_on()?;
        let path = entry.map_err(|error| failed(texts, error))?.path();
        // Windows syncs what may be written.
        let file = File::options().append(true).open(&path);
        file.and_then(|file| file.sync_all()).map_err(|error| failed(&path, error))?;
    }
    sync_folder(texts)
}

/// A file of JSON lines.
struct Lines(PathBuf, BufWriter<File>);

impl Lines {
    fn begin(path: PathBuf) -> Result<Self> {
        let file = File::create_new(&path).map_err(|error| failed(&path, error))?;
        Ok(Self(path, BufWriter::new(file)))
    }

    fn push(&mut self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec(line).map_err(|_| damaged("a row"))?;
        text.push(b'\n');
        self.1.write_all(&text).map_err(|error| failed(&self.0, error))
    }

    fn finish(self) -> Result<()> {
        let Self(path, lines) = self;
        let synced =
            lines.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        synced.map_err(|error| failed(&path, error))
    }
}

fn write(connection: &Connection, hands: &Hands, user: &Name, folder: &Path) -> Result<Exported> {
    let mut header = Lines::begin(folder.join(HEADER))?;
    header.push(&Header { format: FORMAT, user: user.to_string(), at: hands.clock.now() })?;
    header.finish()?;
    let mut entries = Lines::begin(folder.join(ENTRIES))?;
    let mut history = Lines::begin(folder.join(HISTORY))?;
    let mut exported = Exported::default();
    // Folders that are being gone through: each with its path, and the last name that was met.
    let mut open = Vec::new();
    if let Some(root) = node::root(connection, user)? {
        put(connection, (&mut entries, &mut history), (folder, user), &root, "/")?;
        exported.folders += 1;
        open.push((root, "/".to_owned(), String::new()));
    }
    while let Some((top, path, after)) = open.last_mut() {
        let page = node::children(connection, top.id, after, PAGE)?;
        let Some(next) = page.first() else {
            open.pop();
            continue;
        };
        // Documents are taken one after the other, and a folder is gone into at once.
        let count = page.iter().take_while(|node| node.is_document()).count().max(1);
        let path = path.clone();
        after.clone_from(&page[count - 1].name.to_string());
        let inner = (!next.is_document()).then(|| (next.clone(), join(&path, [next.name.as_str()])));
        for node in &page[..count] {
            hands.go_on()?;
            let counted = if node.is_document() { &mut exported.documents } else { &mut exported.folders };
            *counted += 1;
            let path = join(&path, [node.name.as_str()]);
            put(connection, (&mut entries, &mut history), (folder, user), node, &path)?;
        }
        open.extend(inner.map(|(node, path)| (node, path, String::new())));
    }
    entries.finish()?;
    history.finish()?;
    Ok(exported)
}

/// One folder or document.
fn put(
    connection: &Connection,
    (entries, history): (&mut Lines, &mut Lines),
    (folder, owner): (&Path, &Name),
    node: &Node,
    path: &str,
) -> Result<()> {
    let named = |error: Error| error.context(path.to_owned());
    let sql = "SELECT kind, content, metadata, version, state FROM document WHERE node = ?1";
    let found = queries::one(connection, sql, [node.id], |row| {
        let content: String = get(row, 1)?;
        Ok((
            get::<i64>(row, 0)?,
            content,
            get::<Option<String>>(row, 2)?,
            get::<i64>(row, 3)?,
            state(row, (4, 1)).map_err(named)?,
        ))
    })?;
    let kind = match &found {
        _ if !node.is_document() => EntryKind::Folder,
        Some((0, ..)) => EntryKind::Text,
        _ => EntryKind::Json,
    };
    let mut entry = Entry {
        uid: node::uid(connection, node.id)?,
        path: path.to_owned(),
        kind,
        bytes: found.as_ref().map(|(_, content, ..)| content.len() as u64),
        version: 0,
        created: node.created,
        updated: node.updated,
        metadata: Map::new(),
        restricted: node.restricted,
        granted: all_granted(connection, node.id)?,
        keep: keep_at(connection, node.id)?,
    };
    if let Some((_, content, metadata, version, state)) = found {
        entry.version = version.unsigned_abs();
        if let Some(metadata) = metadata {
            entry.metadata = serde_json::from_str(&metadata).map_err(|_| damaged(path))?;
        }
        let file = folder.join(TEXTS).join(entry.file());
        fs::write(&file, content).map_err(|error| failed(&file, error))?;
        let file = folder.join(TEXTS).join(entry.state());
        let state = Body::load(0, &state).map_err(named)?.whole();
        fs::write(&file, state).map_err(|error| failed(&file, error))?;
    }
    entries.push(&entry)?;
    for Revision { what, version, at, by, .. } in all_steps(connection, owner, node.id)? {
        history.push(&json!({
            "uid": entry.uid, "what": what, "version": version, "at": at,
            "user": by.user, "agent": by.agent, "driver": by.driver, "cause": by.cause,
        }))?;
    }
    Ok(())
}
