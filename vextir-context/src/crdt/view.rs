//! A document as it stands: its entries by key, and the values that they make.

use super::key::{self, ElementId};
use super::leaf::{self, Element, Leaf};
use super::limits;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use std::ops::{Bound, Range};
use yrs::{Any, Array, GetString, Out, ReadTxn};

/// What a list holds, in order; nothing if there is text in it.
///
/// A damaged or hostile document can have text there, and the library's way through a list never ends at characters
/// beyond the basic plane.
pub(super) fn items(txn: &impl ReadTxn, name: &str) -> Option<Vec<Any>> {
    let Some(list) = txn.get_array(name) else { return Some(Vec::new()) };
    if txn.get_text(name).is_some_and(|text| !text.get_string(txn).is_empty()) {
        return None;
    }
    let any = |out| match out {
        Out::Any(any) => any,
        _ => Any::Null,
    };
    Some(list.iter(txn).map(any).collect())
}

/// The entries of one space (the content or the metadata) of a document.
///
/// They stand in a sequence, in the order in which they were written: a write removes the old entry of its key and
/// adds a new one at the end. So what was removed merges into few stretches, where a map of the library would keep a
/// trace of each write for good. Of two entries with one key, from two replicas, the later one counts.
pub(super) struct View {
    space: &'static str,
    entries: BTreeMap<String, Entry>,
    /// Places of entries that do not count any more.
    stale: Vec<u32>,
    /// How many steps the longest key has.
    deepest: usize,
}

struct Entry {
    leaf: Leaf,
    place: u32,
}

impl View {
    /// Reads the entries of a space.
    pub(super) fn of(txn: &impl ReadTxn, space: &'static str) -> Self {
        let mut view = Self { space, entries: BTreeMap::new(), stale: Vec::new(), deepest: 0 };
        for (place, any) in (0..).zip(items(txn, space).unwrap_or_default()) {
            let Some((key, leaf)) = leaf::entry_of(&any) else { continue };
            view.deepest = view.deepest.max(steps(key));
            let before = view.entries.insert(key.to_owned(), Entry { leaf, place });
            view.stale.extend(before.map(|entry| entry.place));
        }
        view
    }

    pub(super) fn get(&self, key: &str) -> Option<&Leaf> {
        self.entries.get(key).map(|entry| &entry.leaf)
    }

    /// The places of the entries with these keys, and of those that do not count any more: from the end, in
    /// stretches.
    pub(super) fn places<'k>(&self, keys: impl Iterator<Item = &'k String>) -> Vec<Range<u32>> {
        let gone = keys.filter_map(|key| self.entries.get(key)).map(|entry| entry.place);
        let mut places: Vec<_> = gone.chain(self.stale.iter().copied()).collect();
        places.sort_unstable_by(|one, other| other.cmp(one));
        let mut stretches: Vec<Range<u32>> = Vec::new();
        for place in places {
            match stretches.last_mut() {
                Some(last) if last.start == place + 1 => last.start = place,
                _ => stretches.push(place..place + 1),
            }
        }
        stretches
    }

    /// Whether the document is plain text, as it is before anything is written.
    pub(super) fn is_plain(&self) -> bool {
        match self.get("") {
            Some(leaf) => *leaf == Leaf::Plain,
            None => self.keys_below("").next().is_none(),
        }
    }

    /// All keys below `key`.
    pub(super) fn keys_below(&self, key: &str) -> impl Iterator<Item = &str> {
        // Of most values it is known that nothing is below them.
        let below = (steps(key) < self.deepest).then(|| key::below(key));
        below.into_iter().flat_map(|(from, to)| self.entries.range(from..to).map(|(key, _)| key.as_str()))
    }

    /// The names of the members of the object at `key`, with their keys.
    pub(super) fn members(&self, key: &str) -> Vec<(String, String)> {
        let (start, end) = key::below(key);
        let range =
            |from: &str| self.entries.range::<str, _>((Bound::Included(from), Bound::Excluded(end.as_str())));
        let mut members: Vec<(String, String)> = Vec::new();
        let mut found = range(&start);
        while let Some((next, _)) = found.next() {
            let token = next[start.len()..].split('/').next().unwrap_or_default();
            let child = &next[..start.len() + token.len()];
            // The keys below a child do not follow it at once: `a-b` stands between `a` and `a/b`.
            if child.len() < next.len() {
                found = range(&key::below(child).1);
                // It came before, with an entry of its own.
                if self.entries.contains_key(child) {
                    continue;
                }
            }
            members.push((key::name(token), child.to_owned()));
        }
        members
    }

    /// The elements of the array at `key`, in order.
    pub(super) fn elements(&self, txn: &impl ReadTxn, key: &str) -> Vec<Element> {
        let items = items(txn, &key::array(self.space, key)).unwrap_or_default();
        items.iter().map(Element::of).collect()
    }

    /// The characters of the text at `key`.
    pub(super) fn text(&self, txn: &impl ReadTxn, key: &str) -> String {
        txn.get_text(key::text(self.space, key)).map(|text| text.get_string(txn)).unwrap_or_default()
    }

    /// The value at `key`, if there is one.
    pub(super) fn value(&self, txn: &impl ReadTxn, key: &str) -> Option<Value> {
        Reading { view: self, txn, shown: HashSet::new() }.value(key, 0)
    }
}

/// How many steps a key goes down.
fn steps(key: &str) -> usize {
    key.bytes().filter(|byte| *byte == b'/').count()
}

/// Puts a value together.
struct Reading<'a, T> {
    view: &'a View,
    txn: &'a T,
    /// Elements that were moved by two replicas at once stand in their array twice: the first one is shown.
    shown: HashSet<ElementId>,
}

impl<T: ReadTxn> Reading<'_, T> {
    fn value(&mut self, key: &str, depth: usize) -> Option<Value> {
        if depth > 2 * limits::DEPTH {
            return Some(Value::Null);
        }
        match self.view.get(key) {
            Some(Leaf::Scalar(scalar)) => Some(scalar.clone()),
            Some(Leaf::Text | Leaf::Plain) => Some(Value::String(self.view.text(self.txn, key))),
            Some(Leaf::Array) => Some(Value::Array(self.elements(key, depth))),
            Some(Leaf::Object) => Some(Value::Object(self.object(key, depth))),
            None => Some(self.object(key, depth)).filter(|members| !members.is_empty()).map(Value::Object),
        }
    }

    fn object(&mut self, key: &str, depth: usize) -> Map<String, Value> {
        let members = self.view.members(key).into_iter();
        members.filter_map(|(name, child)| Some((name, self.value(&child, depth + 1)?))).collect()
    }

    fn elements(&mut self, key: &str, depth: usize) -> Vec<Value> {
        let elements = self.view.elements(self.txn, key).into_iter();
        let shown = elements.filter_map(|element| match element {
            Element::Scalar(scalar) => Some(scalar),
            Element::Part(id) if self.shown.insert(id) => self.value(id.as_str(), depth + 1),
            Element::Part(_) => None,
        });
        shown.collect()
    }
}
