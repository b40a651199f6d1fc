//! The merge layer: one CRDT document for each document of the hub.
//!
//! A [`Body`] holds what merges: content (a text or a JSON value) and metadata (a JSON object). It is pure: bytes in,
//! bytes out, no file and no clock. Path, place, permissions and deletion of a document are rows, and not here.
//!
//! # How replicas merge
//!
//! * **Texts** by character. Whole new texts become edits of what differs; edits of two replicas at different
//!   places both survive, and what both insert at one place stands there twice, one behind the other.
//! * **JSON** by leaf. Objects are no containers: each leaf stands under its pointer in one flat list, so two
//!   replicas that create one object at the same time fill the same one. Of two writes to one leaf one wins, the same
//!   on every replica. A member that is written while its object is removed elsewhere brings the object back, with
//!   that member alone. Strings of more than 200 bytes merge as texts and go on doing so when they become shorter.
//! * **Arrays** by element. Concurrent appends both survive. Objects and arrays within an array have an identity:
//!   changes of different leaves of one element merge; an element that one replica moves and another changes is
//!   moved and changed; moved by two, it stands at one of the two places; removed by one, it is gone. A whole new
//!   array is compared with the old one: an object with an `id` is the old one with that `id`, others are found by equality,
//!   then by position. Other values have no identity: two replicas that change `2` to `3` and to `4` make `3, 4`, and one that is moved and changed is doubled.
//! * **Kinds**: where one replica makes an object and another a text, one of them wins; members of what is no object
//!   any more are not shown, and the next write to that place clears them away. An array or a long text that is
//!   removed takes with it what others add to it at the same time. Two arrays or long texts that are created
//!   at the same pointer at the same time are one, with the parts of both.
//! * **Plain text or JSON** is the kind of the root, and merges as any kind does.
//!
//! # What the caller must do
//!
//! Give each incarnation of a process a fresh client id, below 2^53: two that write under one id fork, and no
//! library can join them again. A [`Body`] refuses an update that claims its own id for what it has not made.

mod array;
mod check;
mod key;
mod leaf;
mod limits;
mod pack;
mod squeeze;
mod steps;
#[cfg(test)]
mod tests;
mod text;
mod view;
mod wire;
mod write;

pub(crate) use limits::{check_json, check_text};
pub(crate) use squeeze::{LONGEST, squeeze, unsqueeze};

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use steps::Steps;
use vextir_core::{Error, ErrorKind, Result};
use view::View;
use write::Writer;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{
    Doc, GetString, IdSet, OffsetKind, Options, ReadTxn, StateVector, Text, Transact, Update, WriteTxn,
};

/// The entries of the content, and the beginning of the names of its texts and arrays.
const CONTENT: &str = "c";
/// The same for the metadata.
const METADATA: &str = "m";
const SPACES: [&str; 2] = [CONTENT, METADATA];

/// What a document contains.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Plain text. A new document is an empty one.
    Text(String),
    /// A JSON value.
    Json(Value),
}

/// One document, as one replica has it.
#[derive(Debug)]
pub(crate) struct Body {
    doc: Doc,
    client: u64,
    /// How many of our own operations were taken.
    taken: u32,
    /// What was removed since the last take.
    removed: IdSet,
    /// The number of characters of the plain text, once somebody asked for it.
    characters: Option<usize>,
}

impl Body {
    /// An empty document. `client` identifies this incarnation of this replica; it is below 2^53.
    pub(crate) fn new(client: u64) -> Self {
        let client = client & wire::CLIENTS;
        Self { doc: doc(client), client, taken: 0, removed: IdSet::new(), characters: None }
    }

    /// The document of a stored [`state`](Self::state).
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the state is damaged.
    pub(crate) fn load(client: u64, state: &[u8]) -> Result<Self> {
        let mut body = Self::new(client);
        let update = pack::unpack(state).map_err(damaged)?;
        wire::contents(&update).map_err(damaged)?;
        let update = Update::decode_v1(&update).map_err(damaged)?;
        body.doc = built(body.client, vec![update])?.map_err(damaged)?;
        if body.doc.transact().has_missing_updates() {
            return Err(Error::new(ErrorKind::Corrupt, "a part of the document's state is missing"));
        }
        body.taken = body.clock();
        Ok(body)
    }

    /// The document that these updates make, in any order; to read it.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if one is damaged or missing.
    pub(crate) fn of_updates(updates: &[Vec<u8>]) -> Result<Self> {
        let mut body = Self::new(0);
        let read = |update: &Vec<u8>| Update::decode_v1(update).map_err(damaged);
        let updates = updates.iter().filter(|update| !update.is_empty()).map(read).collect::<Result<_>>()?;
        body.doc = built(body.client, updates)?.map_err(damaged)?;
        if body.doc.transact().has_missing_updates() {
            return Err(Error::new(ErrorKind::Corrupt, "a part of the document's history is missing"));
        }
        Ok(body)
    }

    /// The content.
    pub(crate) fn content(&self) -> Content {
        let txn = self.doc.transact();
        let view = View::of(&txn, CONTENT);
        if view.is_plain() {
            return Content::Text(view.text(&txn, ""));
        }
        Content::Json(view.value(&txn, "").unwrap_or_default())
    }

    /// The metadata, an object.
    pub(crate) fn metadata(&self) -> Value {
        let txn = self.doc.transact();
        View::of(&txn, METADATA).value(&txn, "").unwrap_or_else(|| Value::Object(Map::new()))
    }

    /// Makes the content this text, by edits of what differs.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is longer than 16 MiB.
    pub(crate) fn set_text(&mut self, text: &str) -> Result<()> {
        limits::check_text(text.len())?;
        self.write(CONTENT, |writer| writer.plain(text));
        Ok(())
    }

    /// Makes the content this value, by changes of the leaves that differ.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it has more than 100,000 values or 16 MiB, is nested more than 64 deep, or
    /// the names on the way to a value have more than 4 KiB.
    pub(crate) fn set_json(&mut self, value: &Value) -> Result<()> {
        limits::check_json(value)?;
        self.write(CONTENT, |writer| writer.value("", value));
        Ok(())
    }

    /// Makes the metadata this object.
    ///
    /// # Errors
    /// As [`set_json`](Self::set_json), or it is not an object.
    pub(crate) fn set_metadata(&mut self, value: &Value) -> Result<()> {
        if !value.is_object() {
            return Err(Error::invalid("metadata must be a JSON object"));
        }
        limits::check_json(value)?;
        self.write(METADATA, |writer| writer.value("", value));
        Ok(())
    }

    /// Replaces a range of characters (Unicode code points) of the plain text.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the content is not plain text, the range is not within it, or it becomes too long.
    pub(crate) fn splice(&mut self, range: Range<usize>, text: &str) -> Result<()> {
        let length = self.characters()?;
        if range.start > range.end || range.end > length {
            let Range { start, end } = range;
            return Err(Error::invalid(format!(
                "characters {start} to {end} of a text that has {length}; read it again and count anew"
            )));
        }
        let mut steps = Steps::new(&self.doc);
        let txn = steps.next();
        let root = txn.get_or_insert_text(key::text(CONTENT, ""));
        let units = root.len(txn) as usize;
        limits::check_text(units + text.len())?;
        let at = if units == length { range.clone() } else { in_units(&root.get_string(txn), &range) };
        let (start, count) = (write::index(at.start), write::index(at.len()));
        if count > 0 {
            root.remove_range(txn, start, count);
        }
        root.insert(txn, start, text);
        self.removed.merge_with(steps.finish());
        self.characters = Some(length - range.len() + text.chars().count());
        Ok(())
    }

    /// Adds to the end of the plain text.
    ///
    /// # Errors
    /// As [`splice`](Self::splice).
    pub(crate) fn append(&mut self, text: &str) -> Result<()> {
        let end = self.characters()?;
        self.splice(end..end, text)
    }

    /// What was written here since the last take, as an update for other replicas; empty if nothing was. What came
    /// through [`apply`](Self::apply) is not in it.
    pub(crate) fn take_update(&mut self) -> Vec<u8> {
        let clock = self.clock();
        if clock == self.taken && self.removed.is_empty() {
            return Vec::new();
        }
        let txn = self.doc.transact();
        let mut known = txn.state_vector();
        known.set_min(yrs::ClientID::new(self.client), self.taken);
        let mut update = txn.encode_diff_v1(&known);
        // The library adds all that was ever removed. Only what is new need travel.
        if let Ok(contents) = wire::contents(&update) {
            update.truncate(contents.removals);
            update.extend(self.removed.encode_v1());
        }
        self.taken = clock;
        self.removed = IdSet::new();
        update
    }

    /// The whole document, for storage.
    pub(crate) fn state(&self) -> Vec<u8> {
        pack::pack(&self.doc.transact().encode_diff_v1(&StateVector::default()))
    }

    /// The whole document as one update.
    pub(crate) fn whole(&self) -> Vec<u8> {
        self.doc.transact().encode_diff_v1(&StateVector::default())
    }

    /// Whether a replica has edited the document.
    pub(crate) fn has_edits_of(&self, client: u64) -> bool {
        self.doc.transact().state_vector().get(&yrs::ClientID::new(client)) > 0
    }

    /// How many operations of each replica there are.
    pub(crate) fn clocks(&self) -> BTreeMap<u64, u32> {
        self.doc.transact().state_vector().iter().map(|(client, clock)| (client.get(), *clock)).collect()
    }

    /// Whether an update comes from replicas of which nothing is here, and builds on nothing that is.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is malformed.
    pub(crate) fn is_by_strangers(&self, update: &[u8]) -> Result<bool> {
        if update.is_empty() {
            return Ok(false);
        }
        let (known, contents) = (self.clocks(), wire::contents(update)?);
        let authors = contents.operations.iter().map(|(client, _)| client);
        let removed = contents.removed.iter().map(|(client, _)| client);
        let mut met = authors.chain(removed).chain(&contents.beside);
        Ok(!known.is_empty() && !contents.operations.is_empty() && met.all(|by| !known.contains_key(by)))
    }

    /// Which operations this replica has, for [`since`](Self::since) on another one.
    pub(crate) fn vector(&self) -> Vec<u8> {
        self.doc.transact().state_vector().encode_v1()
    }

    /// What a replica with this vector lacks, as an update for [`apply`](Self::apply).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the vector is malformed.
    pub(crate) fn since(&self, vector: &[u8]) -> Result<Vec<u8>> {
        let known = wire::vector(vector)?;
        Ok(self.doc.transact().encode_diff_v1(&known))
    }

    /// Takes in an update from another replica. Doing so twice does nothing twice, and an empty
    /// one does nothing.
    ///
    /// The update is read with suspicion and tried on a copy; a refused one leaves the document as it was.
    ///
    /// # Errors
    /// * [`ErrorKind::Invalid`]: it is malformed, or the document would be too large.
    /// * [`ErrorKind::Gap`]: it builds on operations that are not here; get those first ([`since`](Self::since)).
    /// * [`ErrorKind::Conflict`]: it claims to be ours and is not; this replica runs under an id that another one
    ///   uses, and must be given a fresh one.
    pub(crate) fn apply(&mut self, update: &[u8]) -> Result<()> {
        self.apply_all(&[update])
    }

    /// As [`apply`](Self::apply), for several updates in the order in which they were made; all of them or none.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub(crate) fn apply_all(&mut self, updates: &[&[u8]]) -> Result<()> {
        let mut known = self.doc.transact().state_vector();
        let own = known.get(&yrs::ClientID::new(self.client));
        let mut all = vec![all_of(&self.doc)?];
        for update in updates.iter().filter(|update| !update.is_empty()) {
            limits::check_update(update.len())?;
            let contents = wire::contents(update)?;
            if contents.operations.iter().any(|(client, clocks)| *client == self.client && clocks.end > own) {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "the update was written under the id of this replica, but not by it (a copied or restored \
                     file?); open the file anew, so that it gets a fresh id",
                ));
            }
            if !contents.follow(&known) {
                return Err(gap());
            }
            for (client, clocks) in &contents.operations {
                known.set_max(yrs::ClientID::new(*client), clocks.end);
            }
            all.push(Update::decode_v1(update).map_err(|error| {
                Error::invalid("the update cannot be read; it was not applied").with_source(error)
            })?);
        }
        if all.len() == 1 {
            return Ok(());
        }
        let (merged, shown) = self.tried(all)?;
        // What is stored is loaded again some day, and must be the same then.
        let (again, shown_again) = self.tried(vec![all_of(&merged)?])?;
        if shown != shown_again {
            return Err(Error::invalid("the update names neighbours in the wrong order; it was not applied"));
        }
        self.doc = again;
        self.characters = None;
        Ok(())
    }

    /// A document of these updates, and the hash of what it holds.
    fn tried(&self, updates: Vec<Update>) -> Result<(Doc, u64)> {
        let doc = built(self.client, updates)?.map_err(|error| {
            Error::invalid("the update does not fit together; it was not applied").with_source(error)
        })?;
        let txn = doc.transact();
        if txn.has_missing_updates() {
            return Err(gap());
        }
        let shown = check::check(&txn)?;
        drop(txn);
        Ok((doc, shown))
    }

    fn write<T>(&mut self, space: &'static str, change: impl FnOnce(&mut Writer<'_, '_>) -> T) -> T {
        let mut steps = Steps::new(&self.doc);
        let mut writer = Writer::new(&mut steps, space, self.client);
        let result = change(&mut writer);
        writer.finish();
        self.removed.merge_with(steps.finish());
        self.characters = None;
        result
    }

    /// How many operations this incarnation has made.
    fn clock(&self) -> u32 {
        self.doc.transact().state_vector().get(&yrs::ClientID::new(self.client))
    }

    /// The length of the plain text.
    fn characters(&mut self) -> Result<usize> {
        if let Some(characters) = self.characters {
            return Ok(characters);
        }
        let Content::Text(text) = self.content() else {
            return Err(Error::invalid("the document is JSON and not a text; use a patch to change it"));
        };
        let characters = text.chars().count();
        self.characters = Some(characters);
        Ok(characters)
    }
}

fn doc(client: u64) -> Doc {
    let mut options = Options::with_client_id(yrs::ClientID::new(client));
    options.offset_kind = OffsetKind::Utf16;
    Doc::with_options(options)
}

/// A document of these updates. A failure within the library is an error here: nothing but the new document
/// has seen it.
fn built(client: u64, updates: Vec<Update>) -> Result<Result<Doc, yrs::error::UpdateError>> {
    let build = || {
        let doc = doc(client);
        let mut txn = doc.transact_mut();
        updates.into_iter().try_for_each(|update| txn.apply_update(update))?;
        drop(txn);
        Ok(doc)
    };
    catch_unwind(AssertUnwindSafe(build))
        .map_err(|_| Error::invalid("the update broke the CRDT library; it was not applied"))
}

/// The whole document as an update.
fn all_of(doc: &Doc) -> Result<Update> {
    Update::decode_v1(&doc.transact().encode_diff_v1(&StateVector::default())).map_err(damaged)
}

fn gap() -> Error {
    Error::new(
        ErrorKind::Gap,
        "the update builds on changes that are not here; it was not applied. Ask for what is missing first",
    )
}

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    crate::fault::damaged("the state of a document").with_source(error)
}

/// A range of characters in UTF-16 units.
fn in_units(text: &str, range: &Range<usize>) -> Range<usize> {
    let mut signs = text.chars().map(char::len_utf16);
    let start = signs.by_ref().take(range.start).sum();
    start..start + signs.take(range.len()).sum::<usize>()
}
