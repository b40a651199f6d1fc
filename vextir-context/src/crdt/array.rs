//! Which old element each element of a changed array comes from.

use super::key::ElementId;
use super::leaf::Element;
use serde_json::Value;
use std::collections::{HashMap, HashSet, VecDeque};
use vextir_core::context::{Hunk, hunks};

/// Edits that one search may find before it goes on from where it is.
const REACH: usize = 300;

/// Where an element of the new array comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// A value without parts.
    Scalar,
    /// The old element with this id, and whether its value is the same.
    Kept(ElementId, bool),
    /// None of the old ones.
    New,
}

/// How an array changes.
pub(super) struct Plan {
    /// For each new element.
    pub(super) sources: Vec<Source>,
    /// Old elements that are gone.
    pub(super) removed: Vec<ElementId>,
}

/// Finds for each new element the old one that it is.
///
/// An object with an `id` is the old object with the same `id`; any other object or array is an old one that is
/// equal, or else the old one that stands in the same gap between found ones, in order.
pub(super) fn plan(old: &[(Element, Option<Value>)], new: &[Value]) -> Plan {
    let mut parts = Parts::of(old);
    let mut sources: Vec<_> = new.iter().map(|value| parts.find(value)).collect();
    let stand_ins: Vec<_> = new.iter().zip(&sources).map(stand_in).collect();
    let before: Vec<_> = old.iter().map(|(element, _)| Some(element)).collect();
    let after: Vec<_> = stand_ins.iter().map(Option::as_ref).collect();
    for Hunk { old: gone, new: come } in hunks(&before, &after, REACH) {
        let mut left = old[gone].iter().filter_map(|(element, value)| parts.unnamed(element, value.as_ref()));
        for at in
            come.filter(|at| sources[*at] == Source::New && name_of(&new[*at]).is_none()).collect::<Vec<_>>()
        {
            let Some((id, value)) = left.next() else { break };
            if value.is_object() == new[at].is_object() {
                sources[at] = Source::Kept(id, false);
            }
        }
    }
    let kept: HashSet<_> = sources
        .iter()
        .filter_map(|source| match source {
            Source::Kept(id, _) => Some(*id),
            _ => None,
        })
        .collect();
    let removed = parts.all.into_iter().filter(|id| !kept.contains(id)).collect();
    Plan { sources, removed }
}

/// What to remove and insert so that `old` becomes `new`.
pub(super) fn differences(old: &[Element], new: &[Element]) -> Vec<Hunk> {
    hunks(old, new, REACH)
}

fn stand_in((value, source): (&Value, &Source)) -> Option<Element> {
    match source {
        Source::Scalar => Some(Element::Scalar(value.clone())),
        Source::Kept(id, _) => Some(Element::Part(*id)),
        Source::New => None,
    }
}

/// What identifies an object to its author.
fn name_of(value: &Value) -> Option<&Value> {
    value.get("id").filter(|id| id.is_string() || id.is_number())
}

/// The old objects and arrays, by what they can be recognized by.
struct Parts<'o> {
    all: Vec<ElementId>,
    named: HashMap<String, VecDeque<(ElementId, &'o Value)>>,
    equal: HashMap<String, VecDeque<ElementId>>,
    taken: HashSet<ElementId>,
}

impl<'o> Parts<'o> {
    fn of(old: &'o [(Element, Option<Value>)]) -> Self {
        let mut parts =
            Self { all: Vec::new(), named: HashMap::new(), equal: HashMap::new(), taken: HashSet::new() };
        let mut seen = HashSet::new();
        for (element, value) in old {
            let Element::Part(id) = element else { continue };
            if !seen.insert(*id) {
                continue;
            }
            parts.all.push(*id);
            let Some(value) = value else { continue };
            match name_of(value) {
                Some(name) => parts.named.entry(name.to_string()).or_default().push_back((*id, value)),
                None => parts.equal.entry(value.to_string()).or_default().push_back(*id),
            }
        }
        parts
    }

    fn find(&mut self, value: &Value) -> Source {
        if !value.is_object() && !value.is_array() {
            return Source::Scalar;
        }
        let found = match name_of(value) {
            Some(name) => {
                let named = self.named.get_mut(&name.to_string()).and_then(VecDeque::pop_front);
                named.map(|(id, old)| (id, old == value))
            }
            None => self.equal.get_mut(&value.to_string()).and_then(VecDeque::pop_front).map(|id| (id, true)),
        };
        let Some((id, same)) = found else { return Source::New };
        self.taken.insert(id);
        Source::Kept(id, same)
    }

    /// An old part that has no name and that no new element has taken; it is taken with this.
    fn unnamed<'v>(&mut self, element: &Element, value: Option<&'v Value>) -> Option<(ElementId, &'v Value)> {
        let (Element::Part(id), Some(value)) = (element, value) else { return None };
        (name_of(value).is_none() && self.taken.insert(*id)).then_some((*id, value))
    }
}
