//! Search over documents: by words, by paths and by meaning.
//!
//! ```text
//! commit ─▶ the operation log ─▶ the index thread ─▶ words, names, and a table of what is to be embedded
//!                                follows a cursor          │
//!                                                          ▼
//!                                            the embedding thread ─▶ vectors, and their signs in memory
//!
//! search ─▶ its vector ─▶ a search thread: words, names, vectors ─▶ fused by rank ─▶ snippets
//!           in the         each arm asks for the rights of who
//!           caller's task  searches, in one snapshot
//! ```
//!
//! The index holds no rights and no paths. A row's number tells the tree and the document; whether it may be found is asked
//! in the tables of documents, when a search comes to it. So a move, a removal and a revocation hold at once.

mod arms;
mod embed;
mod engine;
mod entry;
mod eyes;
mod fuse;
mod hashing;
mod ids;
mod index;
mod link;
mod options;
mod prose;
mod refused;
mod round;
mod sieve;
mod signatures;
mod snippet;
mod threads;
mod words;

pub(crate) use embed::embedding;
pub(crate) use engine::Engine;
pub(crate) use entry::forget;
pub use hashing::HashingEmbedder;
pub(crate) use link::Link;
pub use options::SearchOptions;

use crate::decode::get;
use crate::documents::history;
use crate::fault::OrFault;
use crate::hub::Hub;
use crate::queries::{self, signed};
use crate::writer::{Reading, closed, question};
use arms::{by_meaning, by_names, by_words};
use entry::{Stored, is_about_words};
use fuse::{Fused, fuse};
use rusqlite::Connection;
use sieve::Sieve;
use signatures::Signatures;
use std::time::{Duration, Instant};
use vextir_core::context::{Found, Hit, MAX_HITS, Search, Why};
use vextir_core::{Actor, Error, ErrorKind, Result};
use words::Asked;

/// How many documents an arm finds at least, if there are so many: their order decides.
const LEAST: usize = 20;

/// How many changes are looked at to tell how far the index is behind.
const BEHIND: usize = 1_000;

/// What a search has to know beside what is asked.
struct Question {
    actor: Actor,
    search: Search,
    /// The vector of the text, and what is too far from it.
    vector: Option<(Vec<f32>, f32)>,
    /// Whose vectors it can be compared with.
    title: String,
    signatures: Signatures,
}

/// How the search index of a hub is; see [`Hub::search_state`](crate::Hub::search_state).
#[derive(Debug)]
#[non_exhaustive]
pub struct SearchState {
    /// Changes of documents, of all users, whose words are not in yet.
    pub behind: u64,
    /// Documents that wait for their vectors.
    pub waiting: u64,
    /// Documents that the embedder refused, or failed at again and again: they are found by words alone, until they change,
    /// there is another embedder, or the index is made anew.
    pub refused: u64,
    /// What the embedder said about the last one of these, with the user and the path.
    pub refusal: Option<Error>,
    /// Whether all documents are being looked at anew.
    pub rebuilding: bool,
    /// Bytes of memory that signatures take.
    pub memory: usize,
    /// Why the index does not go on, if so; it tries again, later and later.
    pub failure: Option<Error>,
}

impl Hub {
    /// Answers a search.
    pub(crate) async fn look_for(&self, actor: &Actor, search: &Search) -> Result<Found> {
        let engine = self.engine();
        if !engine.options.is_on {
            return Err(Error::new(ErrorKind::Unsupported, "search is off (SearchOptions::off)"));
        }
        if let Some(limit) = search.fresh {
            self.wait_for_index(search, limit).await?;
        }
        let (vector, title) = self.vector_of(search).await;
        if vector.is_none() && !search.by_text {
            let reason = engine.signals.failure();
            let message = "searching by meaning takes an embedder, and there is none that answers";
            let error = Error::new(ErrorKind::Unavailable, message);
            return Err(match reason {
                Some(reason) => error.with_source(reason),
                None => error,
            });
        }
        let question = Question {
            actor: actor.clone(),
            search: search.clone(),
            vector,
            title,
            signatures: engine.signatures.clone(),
        };
        let deadline = engine.options.deadline;
        self.search_with(move |hub| in_time(deadline, || answer(hub, &question))).await
    }

    /// The vector of what is searched for. A search goes on without it when the embedder fails.
    async fn vector_of(&self, search: &Search) -> (Option<(Vec<f32>, f32)>, String) {
        let Some(embedder) = self.engine().options.embedder.clone().filter(|_| search.by_meaning) else {
            return (None, String::new());
        };
        let title = embed::title(&*embedder);
        let made = embedder.embed(std::slice::from_ref(&search.text)).await;
        match made.and_then(|vectors| embed::check(&*embedder, 1, vectors)) {
            Ok(mut vectors) => {
                let vector = vectors.pop().filter(|vector| vector.iter().any(|value| *value != 0.0));
                // A text without words has no meaning, and finds nothing by it.
                let vector = vector.unwrap_or_default();
                (Some((vector, embedder.floor())), title)
            }
            Err(error) => {
                tracing::warn!(%error, "what is searched for could not be embedded");
                (None, title)
            }
        }
    }

    async fn wait_for_index(&self, search: &Search, limit: Duration) -> Result<()> {
        let engine = self.engine();
        let by_meaning = search.by_meaning && engine.options.embedder.is_some();
        let head = *self.changes_seen().borrow();
        let mut progress = engine.signals.progress.subscribe();
        engine.signals.hurry.send_modify(|waiting| *waiting += 1);
        let _hurry = Hurry(engine);
        let is_there = async {
            progress.wait_for(|progress| progress.cursor >= head && !progress.is_sweeping).await?;
            if by_meaning {
                // What is embedded since waits as of the last change when its words were stored, which may be another's.
                let head = *self.changes_seen().borrow();
                progress.wait_for(|progress| progress.embedded >= head).await?;
            }
            Ok::<_, tokio::sync::watch::error::RecvError>(())
        };
        match tokio::time::timeout(limit, is_there).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(closed()),
            Err(_) => {
                let error = Error::new(
                    ErrorKind::Timeout,
                    format!("the search index was not up to date within {limit:?}; search without `fresh`"),
                );
                Err(match engine.signals.failure() {
                    Some(reason) => error.with_source(reason),
                    None => error,
                })
            }
        }
    }

    async fn search_with<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Some(readers) = self.engine().readers(self.path())? else { return self.read_with(read).await };
        let (answer, answered) = question();
        let reading: Reading = Box::new(move |connection| answer.send(read(connection)));
        readers.send(reading).await.map_err(|_| closed())?;
        drop(readers);
        answered.await
    }

    /// How the search index is, for the operator: it tells of all users' documents.
    ///
    /// # Errors
    /// The storage failed, or the hub was closed.
    pub async fn search_state(&self) -> Result<SearchState> {
        let engine = self.engine();
        let mut state = self
            .read_with(|hub| {
                let behind = "SELECT (SELECT coalesce(max(seq), 0) FROM change) - coalesce(
                              (SELECT value FROM meta WHERE name = 'search_cursor'), 0)";
                let (refused, refusal) = refused::report(hub)?;
                Ok(SearchState {
                    refused,
                    refusal,
                    behind: queries::number(hub, behind, [])?,
                    waiting: queries::number(hub, "SELECT count(*) FROM search_queue", [])?,
                    rebuilding: is_rebuilding(hub)?,
                    memory: 0,
                    failure: None,
                })
            })
            .await?;
        state.memory = engine.signatures.lock().bytes();
        state.failure = engine.signals.failure();
        Ok(state)
    }

    /// Throws the search index away and makes it anew in the background. Emptying it holds up writers for a moment:
    /// about a second for a gigabyte of index.
    ///
    /// # Errors
    /// `Unsupported`: search is off. The storage failed.
    pub async fn reindex(&self) -> Result<()> {
        let engine = self.engine();
        if !engine.options.is_on {
            return Err(Error::new(ErrorKind::Unsupported, "search is off (SearchOptions::off)"));
        }
        self.store_index(Box::new(index::reset)).await?;
        engine.signatures.clear();
        engine.signals.progress.send_modify(|progress| {
            (progress.cursor, progress.embedded, progress.is_sweeping) = (0, 0, true);
        });
        engine.signals.rebuilds.send_modify(|count| *count += 1);
        Ok(())
    }
}

/// Somebody waits for the index.
struct Hurry<'a>(&'a Engine);

impl Drop for Hurry<'_> {
    fn drop(&mut self) {
        self.0.signals.hurry.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
    }
}

/// Says why a search was stopped.
fn in_time<T>(allowed: Duration, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    match work() {
        Err(_) if began.elapsed() > allowed => Err(Error::new(
            ErrorKind::Timeout,
            format!("the search took longer than {allowed:?}; use rarer words, or search under a path"),
        )),
        done => done,
    }
}

/// All that is read is of one moment.
fn answer(hub: &Connection, question: &Question) -> Result<Found> {
    let epoch = embed::epoch(hub, &question.title)?;
    if let Some(epoch) = epoch.filter(|_| question.vector.is_some()) {
        question.signatures.load(hub, epoch)?;
    }
    let snapshot = hub.unchecked_transaction().or_fault()?;
    let found = find(&snapshot, question, epoch.is_some())?;
    snapshot.finish().or_fault()?;
    Ok(found)
}

fn find(hub: &Connection, question: &Question, has_vectors: bool) -> Result<Found> {
    let Question { actor, search, vector, signatures, .. } = question;
    let asked = Asked::of(&search.text);
    let limit = search.limit.min(MAX_HITS);
    let want = (limit * 2).max(LEAST);
    let mut sieve = Sieve::new(hub, actor, search)?;
    let mut lists = Vec::new();
    if search.by_text {
        lists.push((Why::Text, by_words(&mut sieve, &asked, (limit, want))?));
        lists.push((Why::Path, by_names(&mut sieve, &asked, want)?));
    }
    let mut found = Found::default();
    if let Some((vector, floor)) = vector.as_ref().filter(|_| has_vectors) {
        found.by_meaning = true;
        if !vector.is_empty() {
            signatures.follow(hub)?;
            lists.push((Why::Meaning, by_meaning(&mut sieve, &signatures.lock(), (vector, *floor), want)?));
        }
    }
    for (index, fused) in fuse(lists, limit).into_iter().enumerate() {
        found.hits.push(hit(hub, &asked, index + 1, fused)?);
    }
    found.behind = behind(hub, &mut sieve)?;
    found.rebuilding = is_rebuilding(hub)?;
    Ok(found)
}

fn hit(hub: &Connection, asked: &Asked, rank: usize, fused: Fused) -> Result<Hit> {
    let Fused { candidate, why, rows, .. } = fused;
    let mut hit = Hit::new(&candidate.path, "", rank, why);
    hit.updated = candidate.updated;
    if let Some(stored) = Stored::read(hub, candidate.node)? {
        let prose = stored.prose();
        let piece = rows.iter().find(|(why, _)| *why == Why::Meaning).map(|(_, row)| *row);
        let start = match piece {
            Some(row) => {
                queries::number(hub, "SELECT coalesce(max(start), 0) FROM search_piece WHERE id = ?1", [row])?
            }
            None => 0,
        };
        (hit.snippet, hit.marks) = snippet::snippet(&prose.body, asked, usize::try_from(start).unwrap_or(0));
        hit.title = prose.title.unwrap_or_default();
    }
    if hit.title.is_empty() {
        hit.title = candidate.path.rsplit('/').next().unwrap_or_default().to_owned();
    }
    Ok(hit)
}

/// How many changes of what the actor may read are not in the index yet. Those of others are nobody's business.
fn behind(hub: &Connection, sieve: &mut Sieve<'_, '_>) -> Result<usize> {
    let cursor = queries::stored_number(hub, "search_cursor")?;
    let sql = "SELECT node, what FROM change WHERE seq > ?1 ORDER BY seq";
    let mut statement = hub.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query([signed(cursor)]).or_fault()?;
    let (mut count, mut looked) = (0, 0);
    while looked < BEHIND
        && let Some(row) = rows.next().or_fault()?
    {
        if is_about_words(history::deed(get(row, 1)?)?) {
            looked += 1;
            count += usize::from(sieve.eyes.document(get(row, 0)?)?.is_some());
        }
    }
    Ok(count)
}

fn is_rebuilding(hub: &Connection) -> Result<bool> {
    if queries::meta::<i64>(hub, "search_sweep")?.is_some() {
        return Ok(true);
    }
    let is_begun = queries::meta::<i64>(hub, "search_cursor")?.is_some();
    Ok(!is_begun && queries::last_change(hub)? > 0)
}
