//! Turns a document's value into another one by the changes that are needed, and no more.

use super::key::{self, ElementId};
use super::leaf::{self, Element, Leaf};
use super::steps::Steps;
use super::view::View;
use super::{array, text};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use yrs::types::Delta;
use yrs::{Array, In, ReadTxn, Text, WriteTxn};

/// Strings of more bytes are texts, so that edits of two replicas merge; shorter ones are replaced.
const SHORT: usize = 200;

/// Writes into one space of a document. Each key is written once: the view is what stood before.
pub(super) struct Writer<'s, 'd> {
    steps: &'s mut Steps<'d>,
    space: &'static str,
    view: View,
    client: u64,
    /// What stands at a key from now on, or that nothing does.
    changed: BTreeMap<String, Option<Leaf>>,
    /// How many elements were created.
    created: u32,
}

impl<'s, 'd> Writer<'s, 'd> {
    pub(super) fn new(steps: &'s mut Steps<'d>, space: &'static str, client: u64) -> Self {
        let view = View::of(steps.read(), space);
        Self { steps, space, view, client, changed: BTreeMap::new(), created: 0 }
    }

    /// Writes the entries that changed.
    pub(super) fn finish(self) {
        if self.changed.is_empty() {
            return;
        }
        for places in self.view.places(self.changed.keys()) {
            let txn = self.steps.next();
            let sequence = txn.get_or_insert_array(self.space);
            sequence.remove_range(txn, places.start, places.end - places.start);
        }
        let entries =
            self.changed.iter().filter_map(|(key, leaf)| Some(leaf::entry_to_any(key, leaf.as_ref()?)));
        let entries: Vec<_> = entries.collect();
        if !entries.is_empty() {
            let txn = self.steps.next();
            let sequence = txn.get_or_insert_array(self.space);
            let end = sequence.len(txn);
            sequence.insert_range(txn, end, entries);
        }
    }

    /// Makes the whole document plain text.
    pub(super) fn plain(&mut self, new: &str) {
        if !self.view.is_plain() {
            self.become_leaf("", Leaf::Plain);
            self.remove_below("");
        }
        self.edit_text("", new);
    }

    /// Makes the value at `key` equal to `value`.
    pub(super) fn value(&mut self, key: &str, value: &Value) {
        match value {
            Value::Object(members) => self.object(key, members),
            Value::Array(items) => self.array(key, items),
            Value::String(string) if string.len() > SHORT || self.view.get(key) == Some(&Leaf::Text) => {
                self.become_leaf(key, Leaf::Text);
                self.remove_below(key);
                self.edit_text(key, string);
            }
            scalar => {
                self.become_leaf(key, Leaf::Scalar(scalar.clone()));
                self.remove_below(key);
            }
        }
    }

    fn object(&mut self, key: &str, members: &Map<String, Value>) {
        self.become_leaf(key, Leaf::Object);
        for (name, child) in self.view.members(key) {
            if !members.contains_key(&name) {
                self.remove(&child);
            }
        }
        for (name, member) in members {
            self.value(&key::member(key, name), member);
        }
    }

    fn array(&mut self, key: &str, items: &[Value]) {
        self.become_leaf(key, Leaf::Array);
        self.remove_below(key);
        let txn = self.steps.read();
        let old: Vec<_> = self
            .view
            .elements(txn, key)
            .into_iter()
            .map(|element| {
                let value = match &element {
                    Element::Scalar(value) => Some(value.clone()),
                    Element::Part(id) => self.view.value(txn, id.as_str()),
                };
                (element, value)
            })
            .collect();
        let plan = array::plan(&old, items);
        for removed in &plan.removed {
            self.remove(removed.as_str());
        }
        let mut elements = Vec::with_capacity(items.len());
        for (item, source) in items.iter().zip(&plan.sources) {
            elements.push(match source {
                array::Source::Scalar => Element::Scalar(item.clone()),
                array::Source::Kept(id, same) => {
                    if !same {
                        self.value(id.as_str(), item);
                    }
                    Element::Part(*id)
                }
                array::Source::New => {
                    let id = self.fresh();
                    self.value(id.as_str(), item);
                    Element::Part(id)
                }
            });
        }
        let before: Vec<_> = old.into_iter().map(|(element, _)| element).collect();
        self.sequence(key, &before, &elements);
    }

    /// Removes and inserts elements of the array at `key`.
    fn sequence(&mut self, key: &str, old: &[Element], new: &[Element]) {
        let name = key::array(self.space, key);
        // From the end, so that positions before a change stay what they are.
        for hunk in array::differences(old, new).into_iter().rev() {
            let txn = self.steps.next();
            let array = txn.get_or_insert_array(name.as_str());
            let at = index(hunk.old.start);
            if !hunk.old.is_empty() {
                array.remove_range(txn, at, index(hunk.old.len()));
            }
            if !hunk.new.is_empty() {
                array.insert_range(txn, at, new[hunk.new].iter().map(Element::to_any));
            }
        }
    }

    /// An id that no other element has: the clock grows with the entry that is written for it in the end.
    fn fresh(&mut self) -> ElementId {
        let clock = self.steps.read().state_vector().get(&yrs::ClientID::new(self.client));
        let id = ElementId::new(self.client, clock + self.created);
        self.created += 1;
        id
    }

    fn edit_text(&mut self, key: &str, new: &str) {
        let old = self.view.text(self.steps.read(), key);
        let name = key::text(self.space, key);
        // From the end, so that positions before a change stay what they are; many changes in one pass, since each
        // pass walks the text from its start.
        for edits in text::edits(&old, new).rchunks(CHANGES_A_PASS) {
            let txn = self.steps.next();
            let text = txn.get_or_insert_text(name.as_str());
            text.apply_delta(txn, deltas(&old, new, edits));
        }
    }

    /// Removes the value at `key` with all its parts.
    fn remove(&mut self, key: &str) {
        self.remove_below(key);
        self.clear(key);
        self.erase(key);
    }

    /// Removes all parts below `key`, also those that nobody sees because something else stands there.
    fn remove_below(&mut self, key: &str) {
        let below: Vec<_> = self.view.keys_below(key).map(str::to_owned).collect();
        for part in below {
            self.clear(&part);
            self.erase(&part);
        }
    }

    /// Writes what stands at `key` itself, if it is another leaf.
    fn become_leaf(&mut self, key: &str, leaf: Leaf) {
        if self.view.get(key) == Some(&leaf) {
            return;
        }
        // A text that becomes plain text, or the other way, keeps its characters.
        if !matches!(leaf, Leaf::Text | Leaf::Plain) || self.view.get(key) == Some(&Leaf::Array) {
            self.clear(key);
        }
        self.changed.insert(key.to_owned(), Some(leaf));
    }

    /// Empties the sequence or text that belongs to `key`.
    fn clear(&mut self, key: &str) {
        match self.view.get(key) {
            Some(Leaf::Array) => {
                let old = self.view.elements(self.steps.read(), key);
                for element in &old {
                    if let Element::Part(id) = element {
                        self.remove(id.as_str());
                    }
                }
                self.sequence(key, &old, &[]);
            }
            Some(Leaf::Text | Leaf::Plain) => self.edit_text(key, ""),
            // Without an entry the whole document is a plain text.
            None if key.is_empty() => self.edit_text(key, ""),
            _ => {}
        }
    }

    fn erase(&mut self, key: &str) {
        if self.view.get(key).is_some() {
            self.changed.insert(key.to_owned(), None);
        }
    }
}

/// Edits that go into one pass over a text.
const CHANGES_A_PASS: usize = 1_000;

/// Edits of a text in the steps of the library, which counts in UTF-16 units.
fn deltas(old: &str, new: &str, edits: &[text::Edit]) -> Vec<Delta<In>> {
    let units = |range: std::ops::Range<usize>| {
        index(old.get(range).unwrap_or_default().chars().map(char::len_utf16).sum())
    };
    let mut deltas = Vec::with_capacity(3 * edits.len());
    let mut at = 0;
    for edit in edits {
        let kept = units(at..edit.old.start);
        if kept > 0 {
            deltas.push(Delta::retain(kept));
        }
        if !edit.old.is_empty() {
            deltas.push(Delta::delete(units(edit.old.clone())));
        }
        if !edit.new.is_empty() {
            deltas.push(Delta::insert(new.get(edit.new.clone()).unwrap_or_default()));
        }
        at = edit.old.end;
    }
    deltas
}

/// Positions are below the limits of a document, which are far below 32 bits.
pub(super) fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
