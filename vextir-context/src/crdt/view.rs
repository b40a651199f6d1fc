//! A document as it stands: its entries by key, and the values that they make.

use super::key::{self, ElementId};
use super::leaf::{Element, Leaf};
use super::limits;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use yrs::{Array, GetString, Map as _, Out, ReadTxn};

/// The entries of one space (the content or the metadata) of a document.
pub(super) struct View {
    space: &'static str,
    leaves: BTreeMap<String, Leaf>,
}

impl View {
    /// Reads the entries of a space.
    pub(super) fn of(txn: &impl ReadTxn, space: &'static str) -> Self {
        let leaf = |(key, out): (&str, Out)| match out {
            Out::Any(any) => Some((key.to_owned(), Leaf::of(&any))),
            _ => None,
        };
        let leaves = txn.get_map(space).map(|map| map.iter(txn).filter_map(leaf).collect());
        Self { space, leaves: leaves.unwrap_or_default() }
    }

    pub(super) fn len(&self) -> usize {
        self.leaves.len()
    }

    pub(super) fn get(&self, key: &str) -> Option<&Leaf> {
        self.leaves.get(key)
    }

    /// Whether an object stands at `key`: one that says so, or members without a holder.
    pub(super) fn is_object(&self, key: &str) -> bool {
        match self.get(key) {
            Some(leaf) => *leaf == Leaf::Object,
            None => self.keys_below(key).next().is_some(),
        }
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
        let (from, to) = key::below(key);
        self.leaves.range(from..to).map(|(key, _)| key.as_str())
    }

    /// The keys of the members of the object at `key`, with their names.
    pub(super) fn members(&self, key: &str) -> BTreeMap<String, String> {
        let (start, end) = key::below(key);
        let mut members = BTreeMap::new();
        let mut from = Bound::Included(start.clone());
        while let Some((found, _)) = self.leaves.range((from, Bound::Excluded(end.clone()))).next() {
            let token = found[start.len()..].split('/').next().unwrap_or_default();
            let child = &found[..start.len() + token.len()];
            // The keys below a child do not follow it at once: `a-b` stands between `a` and `a/b`.
            from = if child.len() == found.len() {
                Bound::Excluded(found.clone())
            } else {
                Bound::Included(key::below(child).1)
            };
            members.insert(key::name(token), child.to_owned());
        }
        members
    }

    /// The elements of the array at `key`, in order.
    pub(super) fn elements(&self, txn: &impl ReadTxn, key: &str) -> Vec<Element> {
        let Some(array) = txn.get_array(key::array(self.space, key)) else { return Vec::new() };
        let element = |out| match out {
            Out::Any(any) => Element::of(&any),
            _ => Element::Scalar(Value::Null),
        };
        array.iter(txn).map(element).collect()
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
