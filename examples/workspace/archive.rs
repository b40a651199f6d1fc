//! The archive: a document in the hub about each file, and how it is found again.
//!
//! A handler keeps it with [`Ctx::context`](vextir::Ctx::context). What it writes there is committed with the handler's
//! outputs and its acknowledgement, or not at all; and since it compares the document with the file as it is now, it may
//! be killed and repeated at any point, in any order. A question is a search over these documents, by words and by
//! meaning, among those whose metadata are what was asked for.

use crate::class::{Class, classify};
use crate::dates::When;
use crate::facts::{File, add_when};
use crate::markdown::markdown;
use crate::question::Question;
use crate::summary::Summary;
use crate::title::{HEAD_BYTES, text, title};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use vextir::context::clean_path;
use vextir::drivers::files::unescape;
use vextir::{Context, Error, ErrorKind, Result, Timestamp};

/// Where the documents about files are, and those with summaries.
const FILES: &str = "/Files";
const SUMMARIES: &str = "/Summaries";

/// So much of a text is kept, in bytes: files are long, and searched by how they begin.
const KEPT: usize = 16 << 10;

/// The most hits of a question.
pub(crate) const HITS: usize = 20;

/// How long a question waits for the search index, which may have all files still to do.
const PATIENCE: Duration = Duration::from_secs(600);

/// A file that answers a question.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) path: String,
    pub(crate) snippet: String,
    /// Which bytes of the snippet were asked for.
    pub(crate) marks: Vec<Range<usize>>,
    /// What is known of it beside: see [`File::facts`].
    pub(crate) facts: Value,
}

/// Has the document about a path say what is there now; without a file there is none. Gives the file. Who does not
/// know the media type leaves its class as it is.
pub(crate) async fn keep(
    archive: &Context,
    root: &Path,
    path: &str,
    media_type: Option<&str>,
) -> Result<Option<File>> {
    let place = place(path);
    let known = archive.read(&place).await?;
    let class = known.as_ref().filter(|_| media_type.is_none()).map(|known| known.metadata["class"].clone());
    let class = class.and_then(|class| serde_json::from_value(class).ok());
    let Some(file) = look(root, path, (class, media_type.unwrap_or_default())).await? else {
        if known.is_some() {
            archive.remove(&place).await?;
        }
        return Ok(None);
    };
    let (content, facts) = (file.text.clone().into(), file.facts());
    if known.is_none_or(|known| known.content != content || known.metadata != facts) {
        archive.write(&place, content).metadata(facts).await?;
    }
    Ok(Some(file))
}

/// The same for a file that has another path now: its document goes with it, and so does its history.
pub(crate) async fn follow(
    archive: &Context,
    root: &Path,
    (from, to): (&str, &str),
    media_type: Option<&str>,
) -> Result<Option<File>> {
    let (before, now) = (place(from), place(to));
    let is_gone = look(root, from, (None, "")).await?.is_none();
    if is_gone && archive.read(&before).await?.is_some() && archive.read(&now).await?.is_none() {
        archive.move_to(&before, &now).await?;
    }
    keep(archive, root, from, None).await?;
    keep(archive, root, to, media_type).await
}

/// Keeps the summary of a day.
pub(crate) async fn keep_summary(archive: &Context, summary: &Summary) -> Result<()> {
    let mut about = json!({"title": format!("Summary of {}", summary.date), "kind": ["summary"]});
    if let Ok(date) = summary.date.parse() {
        add_when(&mut about, When::Day(date));
    }
    let place = format!("{SUMMARIES}/{}", summary.date);
    archive.write(&place, markdown(summary)).metadata(about).await.map(drop)
}

/// What answers a question, best first. Waits until everything that was kept can be found.
pub(crate) async fn find(archive: &Context, question: &Question) -> Result<Vec<Hit>> {
    let among = if question.kind == Some("summary") { "/" } else { FILES };
    // The space ends the last word, which would stand for longer ones too.
    let search =
        archive.search(format!("{} ", question.text)).under(among).limit(HITS).fresh_within(PATIENCE);
    let search =
        question.facts().into_iter().fold(search, |search, (key, value)| search.metadata(key, value));
    let mut hits = Vec::new();
    let found = search.await.map_err(|error| match error.kind() {
        ErrorKind::Timeout => {
            Error::new(ErrorKind::Timeout, "not everything can be found yet: ask again later")
                .with_source(error)
        }
        _ => error,
    })?;
    for hit in found {
        let Some(document) = archive.read(&hit.path).await? else { continue };
        let facts = document.metadata;
        let path = facts["path"].as_str().unwrap_or(&hit.path).to_owned();
        hits.push(Hit { path, snippet: hit.snippet, marks: hit.marks, facts });
    }
    Ok(hits)
}

/// Where the document about a file is. All are in one folder, so that a file is never in the way of a folder of the same
/// name, and the other way round; `\-` stands for the slash, because no escaped name has it. What
/// the hub does not take as a name (it is too long, say) is called by its hash.
fn place(path: &str) -> String {
    let place = format!("{FILES}/{}", path.replace('/', r"\-"));
    match clean_path(&place) {
        Ok(clean) if clean == place => place,
        _ => format!("{FILES}/\\{:x}", Sha256::digest(path)),
    }
}

/// What is at a path: `None` if it is no file. One that may not be read is told of by its name. Where it cannot be found
/// out, that is an error: nobody's document goes because a disk failed for a moment.
async fn look(root: &Path, path: &str, (class, media_type): (Option<Class>, &str)) -> Result<Option<File>> {
    let (place, path, media_type) = (root.join(unescape(path)?), path.to_owned(), media_type.to_owned());
    let work = move || {
        let failed = |error: io::Error| {
            Error::new(ErrorKind::Unavailable, format!("{path}: {error}")).with_source(error)
        };
        let found = match std::fs::symlink_metadata(&place) {
            Ok(found) if found.is_file() => found,
            Ok(_) => return Ok(None),
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let head = match head(&place) {
            Ok(head) => head,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Vec::new(),
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let class = class.unwrap_or_else(|| classify(&path, &media_type, &head));
        let since = found.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Ok(Some(File {
            title: title(&path, class, &head),
            text: text(&path, class, &head, KEPT),
            class,
            size: found.len(),
            modified: Timestamp::UNSET.after(since.unwrap_or_default()),
            path,
        }))
    };
    let broken_off = |error| Error::new(ErrorKind::Unavailable, "looking was broken off").with_source(error);
    tokio::task::spawn_blocking(work).await.map_err(broken_off)?
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// How a file begins.
fn head(place: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    std::fs::File::open(place)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_a_place_of_its_own() {
        let long = "a/".repeat(200);
        let paths = [
            "a/b",
            "a",
            r"a\\b",
            r"a\xff",
            "a/xff",
            r"a\\/b",
            r"a/\\b",
            "a /b",
            "a b",
            "e\u{301}",
            "\u{e9}",
            " a",
            "a ",
            &long,
            "a/b/c.txt",
            "..",
            "…",
        ];
        let places: std::collections::BTreeSet<String> = paths.iter().map(|path| place(path)).collect();
        assert_eq!(places.len(), paths.len());
        assert!(places.iter().all(|place| clean_path(place).is_ok_and(|clean| clean == *place)));
        assert_eq!(place("a/b/c.txt"), r"/Files/a\-b\-c.txt");
    }
}
