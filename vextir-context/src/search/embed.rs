//! The thread that has meanings made: documents wait in a table until their vectors are there.

use super::entry::{self, Stored, execute, set};
use super::ids;
use super::link::{Link, Patience};
use super::refused;
use super::round::{Looks, Made, Refused, Round, Trouble, Waiting, round};
use super::signatures::{Fresh, Signatures, older, signature, to_bytes};
use crate::decode::get;
use crate::documents::node::NodeId;
use crate::fault::OrFault;
use crate::queries;
use rusqlite::Connection;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use vextir_core::context::Embedder;
use vextir_core::{Error, ErrorKind, Result};

/// How many documents are taken from the table at once, unless they have more pieces than this.
const PIECES: usize = 64;

/// How long one call of an embedder may take.
const LONGEST: Duration = Duration::from_secs(120);

/// How many documents are put into the table at once when the embedder is another one.
const ENROLLED: i64 = 256;

/// The place of the meanings' failure among the failures.
const MEANINGS: usize = 1;

/// What the thread works with.
pub(super) struct Desk {
    pub(super) link: Link,
    pub(super) embedder: Arc<dyn Embedder>,
    pub(super) signatures: Signatures,
    /// Up to where no signatures of an older form are left; `None` if there are none at all.
    pub(super) brought: Option<i64>,
    /// Where the application's connections live, if the hub was opened there.
    pub(super) runtime: Option<tokio::runtime::Handle>,
}

/// What the file calls the vectors of an embedder.
pub(super) fn title(embedder: &dyn Embedder) -> String {
    format!("{}/{}", embedder.name(), embedder.dimensions())
}

/// The epoch of the vectors, if they are of this embedder.
pub(super) fn epoch(hub: &Connection, title: &str) -> Result<Option<i64>> {
    let stored = queries::meta::<String>(hub, "search_embedder")?;
    if stored.as_deref() != Some(title) {
        return Ok(None);
    }
    Ok(Some(queries::meta::<i64>(hub, "search_epoch")?.unwrap_or(0)))
}

/// Notes which embedder makes the vectors from now on; `None` for none. All documents are taken up again if it is
/// another one.
pub(super) fn appoint(connection: &Connection, title: Option<&str>) -> Result<i64> {
    if queries::meta::<String>(connection, "search_embedder")?.as_deref() != title {
        let epoch = queries::meta::<i64>(connection, "search_epoch")?.unwrap_or(0) + 1;
        let name = "INSERT OR REPLACE INTO meta (name, value) VALUES ('search_embedder', ?1)";
        execute(connection, name, [title])?;
        set(connection, "search_epoch", Some(epoch))?;
        older::note_none(connection)?;
        set(connection, "search_enroll", title.map(|_| 0))?;
        refused::readmit_all(connection)?;
    }
    Ok(0)
}

impl Desk {
    /// Runs until the hub closes.
    pub(super) fn run(mut self) {
        let runtime = self.runtime.clone();
        let _inside = runtime.as_ref().map(tokio::runtime::Handle::enter);
        let (mut patience, mut looks) = (Patience::new(), Looks::default());
        let mut progress = self.link.signals.progress.subscribe();
        let mut appointed = false;
        while !self.link.is_closing() {
            progress.mark_unchanged();
            let begun = if appointed { Ok(()) } else { self.begin() };
            appointed = begun.is_ok();
            match begun.and_then(|()| self.step(&mut patience, &mut looks)) {
                Ok(true) => patience.renew(),
                Ok(false) => {
                    patience.renew();
                    self.link.signals.set_failure(MEANINGS, None);
                    self.link.wait_for(progress.changed(), None);
                }
                Err(error) if error.kind() == ErrorKind::Closed => return,
                Err(error) => {
                    tracing::warn!(%error, "documents could not be embedded; this is tried again later");
                    self.link.signals.set_failure(MEANINGS, Some(error));
                    self.link.pause(patience.next());
                }
            }
        }
    }

    fn begin(&mut self) -> Result<()> {
        let title = title(&*self.embedder);
        let wanted = title.clone();
        if self.link.read(move |hub| epoch(hub, &wanted))?.is_none() {
            self.link.store(move |connection| appoint(connection, Some(&title)))?;
        }
        Ok(())
    }

    /// Some documents; false when none wait.
    fn step(&mut self, patience: &mut Patience, looks: &mut Looks) -> Result<bool> {
        if self.link.read(|hub| queries::meta::<i64>(hub, "search_enroll"))?.is_some() {
            self.link.store(enroll)?;
            return Ok(true);
        }
        let (waiting, done) = self.link.read(take)?;
        self.publish(done);
        if waiting.is_empty() {
            return self.bring_forward();
        }
        let Round { made, refused, failure } = round(waiting, looks, |texts| self.ask(texts));
        if !made.is_empty() || !refused.is_empty() {
            self.keep(made, refused)?;
            patience.renew();
        }
        failure.map_or(Ok(true), Err)
    }

    /// Some signatures of an older form, when nothing else is to be done; false when there are none.
    fn bring_forward(&mut self) -> Result<bool> {
        let Some(after) = self.brought else { return Ok(false) };
        let (title, stride) = (title(&*self.embedder), self.embedder.dimensions().div_ceil(64));
        let page = self.link.read(move |hub| {
            let Some(epoch) = epoch(hub, &title)? else { return Ok(None) };
            older::page(hub, after, epoch, stride)
        })?;
        match page {
            None => self.brought = None,
            Some(older::Page { last: None, .. }) => {
                self.link.store(older::note_none)?;
                self.brought = None;
            }
            Some(older::Page { rows, last }) => {
                if !rows.is_empty() {
                    self.link.store(move |connection| older::bring_forward(connection, &rows, stride))?;
                }
                self.brought = last;
            }
        }
        Ok(self.brought.is_some())
    }

    /// Stores what was made, and sets aside what was refused.
    fn keep(&mut self, made: Vec<Made>, refused: Vec<Refused>) -> Result<()> {
        for Refused { node, .. } in &refused {
            tracing::warn!(node, "the embedder refused a document; it is found by its words alone");
        }
        let mut nodes: HashSet<NodeId> = made.iter().map(|made| made.node).collect();
        let stored = Arc::new(Mutex::new((Vec::new(), Vec::new(), 0)));
        let (into, title) = (stored.clone(), title(&*self.embedder));
        self.link.store(move |connection| {
            let Some(epoch) = epoch(connection, &title)? else { return Ok(0) };
            let mut fresh = Vec::new();
            let mut grown = store(connection, &made, epoch, &mut fresh)?;
            let aside = refused::set_aside(connection, &refused)?;
            for node in &aside {
                grown += note_bytes(connection, *node, 0)?;
            }
            let at = queries::signed(queries::last_change(connection)?);
            *into.lock().unwrap_or_else(PoisonError::into_inner) = (fresh, aside, at);
            Ok(grown)
        })?;
        let (fresh, aside, at) = std::mem::take(&mut *stored.lock().unwrap_or_else(PoisonError::into_inner));
        nodes.extend(aside);
        self.signatures.replace(&nodes, fresh, at);
        Ok(())
    }

    fn publish(&self, done: u64) {
        self.link.signals.progress.send_if_modified(|progress| {
            // Told to those who wait for it; this thread has no use for it.
            std::mem::replace(&mut progress.embedded, done) != done
        });
    }

    /// Has the embedder make vectors, and says whose fault it is when it does not.
    fn ask(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Trouble> {
        if self.link.is_closing() {
            return Err(Trouble::Embedder(crate::writer::closed()));
        }
        let embedding = AssertUnwindSafe(|| self.link.wait_for(self.embedder.embed(texts), Some(LONGEST)));
        let answer = match catch_unwind(embedding) {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                let message = format!("the embedder took longer than {LONGEST:?}");
                return Err(Trouble::Embedder(Error::new(ErrorKind::Timeout, message)));
            }
            Err(_) => return Err(Trouble::Texts(panicked(&*self.embedder))),
        };
        let checked = answer.and_then(|vectors| check(&*self.embedder, texts.len(), vectors));
        checked.map_err(|error| match error.kind() {
            ErrorKind::Invalid => Trouble::Texts(error),
            // It is not this hub that was closed.
            ErrorKind::Closed => Trouble::Embedder(Error::new(ErrorKind::Unavailable, error.to_string())),
            _ => Trouble::Embedder(error),
        })
    }
}

fn panicked(embedder: &dyn Embedder) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the embedder {} panicked", embedder.name()))
}

/// What an embedder answered, made to length 1. One that is wrong must not spoil what is stored.
pub(super) fn check(embedder: &dyn Embedder, texts: usize, vectors: Vec<Vec<f32>>) -> Result<Vec<Vec<f32>>> {
    let wrong = |what: String| Error::invalid(format!("the embedder {}: {what}", embedder.name()));
    if vectors.len() != texts {
        return Err(wrong(format!("{} vectors for {texts} texts", vectors.len())));
    }
    let dimensions = embedder.dimensions();
    vectors
        .into_iter()
        .map(|mut vector| {
            if vector.len() != dimensions || vector.iter().any(|value| !value.is_finite()) {
                return Err(wrong(format!("a vector that is not {dimensions} finite numbers")));
            }
            let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            if length > 0.0 && length.is_finite() {
                vector.iter_mut().for_each(|value| *value /= length);
            }
            Ok(vector)
        })
        .collect()
}

/// The documents that wait longest, and the change up to which none waits.
fn take(hub: &Connection) -> Result<(Vec<Waiting>, u64)> {
    let snapshot = hub.unchecked_transaction().or_fault()?;
    let taken = take_from(&snapshot)?;
    snapshot.finish().or_fault()?;
    Ok(taken)
}

fn take_from(hub: &Connection) -> Result<(Vec<Waiting>, u64)> {
    let mut statement =
        hub.prepare_cached("SELECT node, seq FROM search_queue ORDER BY seq, node LIMIT ?1").or_fault()?;
    let mut rows = statement.query([i64::try_from(PIECES).unwrap_or(i64::MAX)]).or_fault()?;
    let (mut waiting, mut pieces, mut first) = (Vec::new(), 0, None);
    while let Some(row) = rows.next().or_fault()?
        && pieces < PIECES
    {
        let (node, seq): (NodeId, i64) = (get(row, 0)?, get(row, 1)?);
        first.get_or_insert(seq);
        let texts = Stored::read(hub, node)?.map(|stored| texts(&stored)).unwrap_or_default();
        pieces += texts.len() + 1;
        waiting.push(Waiting { node, seq, pieces: texts });
    }
    // What is still to be looked at at all does not wait here yet.
    let is_swept = queries::meta::<i64>(hub, "search_sweep")?.is_none();
    let cursor = if is_swept { queries::stored_number(hub, "search_cursor")? } else { 0 };
    let done = first.map_or(cursor, |seq| u64::try_from(seq - 1).unwrap_or(0).min(cursor));
    Ok((waiting, done))
}

fn texts(stored: &Stored) -> Vec<(std::ops::Range<usize>, String)> {
    let prose = stored.prose();
    let title = prose.title.as_deref().unwrap_or_default();
    let text = |place: std::ops::Range<usize>| {
        let piece = &prose.body[place.clone()];
        // A piece that begins with the title needs it no second time.
        let repeats = title.is_empty() || piece.contains(title);
        let text = if repeats { piece.to_owned() } else { format!("{title}\n{piece}") };
        (place, text)
    };
    prose.pieces().into_iter().map(text).collect()
}

/// Puts some of the indexed documents into the table, in order.
fn enroll(connection: &Connection) -> Result<i64> {
    let Some(last) = queries::meta::<i64>(connection, "search_enroll")? else { return Ok(0) };
    let end: Option<i64> = connection
        .query_row(
            "SELECT max(node) FROM (SELECT node FROM search_node WHERE node > ?1 ORDER BY node LIMIT ?2)",
            [last, ENROLLED],
            |row| row.get(0),
        )
        .or_fault()?;
    if let Some(end) = end {
        let sql = "INSERT OR IGNORE INTO search_queue (node, seq)
                   SELECT node, (SELECT coalesce(max(seq), 0) FROM change) FROM search_node
                   WHERE node > ?1 AND node <= ?2";
        execute(connection, sql, [last, end])?;
    }
    set(connection, "search_enroll", end)?;
    Ok(0)
}

/// Stores vectors, in the writer's transaction; by how many bytes the index grew.
fn store(connection: &Connection, made: &[Made], epoch: i64, fresh: &mut Vec<Fresh>) -> Result<i64> {
    let mut grown = 0;
    for Made { node, seq, pieces } in made {
        execute(connection, "DELETE FROM search_queue WHERE node = ?1 AND seq = ?2", (node, seq))?;
        let sql = "SELECT tree, parent FROM search_node CROSS JOIN node ON node.id = search_node.node
                   WHERE search_node.node = ?1";
        let place = queries::one(connection, sql, [node], |row| Ok((get(row, 0)?, get(row, 1)?)))?;
        let Some((tree, folder)) = place else { continue };
        entry::remove_pieces(connection, *node)?;
        let mut bytes = 0;
        for (number, (at, vector)) in pieces.iter().enumerate() {
            // One that is 0 everywhere is near to nothing.
            let is_nothing = vector.iter().all(|value| *value == 0.0);
            let Some(row) = ids::row(tree, *node, number).filter(|_| !is_nothing) else { continue };
            let bits = signature(vector);
            let number = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
            let sql = "INSERT OR REPLACE INTO search_piece (id, epoch, start, length, bits) VALUES (?1,?2,?3,?4,?5)";
            execute(connection, sql, (row, epoch, number(at.start), number(at.len()), to_bytes(&bits)))?;
            let data: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            bytes += number(data.len() + bits.len() * 8 + 32);
            execute(
                connection,
                "INSERT OR REPLACE INTO search_vector (id, data) VALUES (?1,?2)",
                (row, data),
            )?;
            fresh.push(Fresh { row, folder, bits });
        }
        grown += note_bytes(connection, *node, bytes)?;
    }
    Ok(grown)
}

/// Notes what the vectors of a document take.
fn note_bytes(connection: &Connection, node: NodeId, bytes: i64) -> Result<i64> {
    let before: i64 = connection
        .prepare_cached("SELECT vectors FROM search_node WHERE node = ?1")
        .and_then(|mut statement| statement.query_row([node], |row| row.get(0)))
        .or_fault()?;
    execute(connection, "UPDATE search_node SET vectors = ?2 WHERE node = ?1", (node, bytes))?;
    Ok(bytes - before)
}

/// Nobody makes vectors from now on: whoever does so later begins anew.
pub(super) fn dismiss(link: &mut Link) {
    let is_done = link.read(|hub| Ok(queries::meta::<String>(hub, "search_embedder")?.is_none()));
    if !is_done.unwrap_or(true)
        && let Err(error) = link.store(|connection| appoint(connection, None))
        && error.kind() != ErrorKind::Closed
    {
        tracing::warn!(%error, "that there is no embedder was not written down; vectors may be old later");
    }
}

/// The vector of a document: the middle of those of its pieces, as it is stored. `None` where there is none yet.
pub(crate) fn embedding(hub: &Connection, node: NodeId) -> Result<Option<Vec<u8>>> {
    let tree = queries::value::<i64>(hub, "SELECT tree FROM search_node WHERE node = ?1", [node])?;
    let Some(tree) = tree else { return Ok(None) };
    let (Some(first), Some(last)) = (ids::row(tree, node, 0), ids::row(tree, node, ids::PARTS - 1)) else {
        return Ok(None);
    };
    let epoch = queries::meta::<i64>(hub, "search_epoch")?.unwrap_or(0);
    let mut statement = hub
        .prepare_cached(
            "SELECT data FROM search_piece AS piece CROSS JOIN search_vector AS vector ON vector.id = piece.id
             WHERE piece.id BETWEEN ?1 AND ?2 AND epoch = ?3",
        )
        .or_fault()?;
    let mut rows = statement.query([first, last, epoch]).or_fault()?;
    let mut sum: Vec<f32> = Vec::new();
    while let Some(row) = rows.next().or_fault()? {
        let data: Vec<u8> = get(row, 0)?;
        let (numbers, _) = data.as_chunks::<4>();
        sum.resize(numbers.len(), 0.0);
        sum.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += f32::from_le_bytes(*number));
    }
    let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
    let is_nothing = length <= 0.0;
    Ok((!is_nothing).then(|| sum.iter().flat_map(|value| (value / length).to_le_bytes()).collect()))
}
