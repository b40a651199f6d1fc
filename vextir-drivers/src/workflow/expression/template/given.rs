//! What the engine is given to read: no more than its texts name, and counted.
//!
//! The engine's fuel does not count what a comparison does deep inside of lists and objects, so they count it.

use super::super::Names;
use super::super::names::Part;
use minijinja::value::{Enumerator, Object, ObjectRepr, Serde};
use minijinja::{Error, ErrorKind, Value};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many elements and fields are read in one rendering.
const READS: usize = 1_000_000;

/// How many elements and fields may still be read.
#[derive(Debug, Clone)]
pub(super) struct Reads(Arc<AtomicUsize>);

impl Reads {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(READS)))
    }

    pub(super) fn are_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Counts, and says whether there was as much left.
    fn spend(&self, count: usize) -> bool {
        let left = self.0.load(Ordering::Relaxed).saturating_sub(count);
        self.0.store(left, Ordering::Relaxed);
        left > 0
    }

    fn read(&self, value: Option<&Value>) -> Option<Value> {
        if self.spend(1) {
            return value.cloned();
        }
        // Nothing equals it, and who uses it fails.
        Some(Value::from(Error::from(ErrorKind::OutOfFuel)))
    }
}

/// What stands at the paths.
pub(super) fn given(names: &Names, paths: &[Vec<Part>], reads: &Reads) -> Value {
    if paths.is_empty() {
        return Value::UNDEFINED;
    }
    let paths: Vec<&[Part]> = paths.iter().map(Vec::as_slice).collect();
    let mut picked = fields(names, &paths, reads);
    // `steps['fetch-mails']` is for ids that are no names.
    let steps = Value::from_pairs(picked.iter().map(|(name, value)| (name.clone(), value.clone())));
    picked.push(("steps".to_owned(), steps));
    Value::from_pairs(picked)
}

fn fields(object: &Map<String, Json>, paths: &[&[Part]], reads: &Reads) -> Vec<(String, Value)> {
    let mut below: BTreeMap<&str, Vec<&[Part]>> = BTreeMap::new();
    for path in paths {
        if let Some((Part::Key(key), rest)) = path.split_first() {
            below.entry(key).or_default().push(rest);
        }
    }
    let pick = |(key, paths): (&str, Vec<&[Part]>)| {
        let whole = paths.iter().any(|path| !matches!(path.first(), Some(Part::Key(_))));
        let picked = match object.get(key)? {
            Json::Object(object) if !whole => Value::from_pairs(fields(object, &paths, reads)),
            value => held(value, reads),
        };
        Some((key.to_owned(), picked))
    };
    below.into_iter().filter_map(pick).collect()
}

fn held(value: &Json, reads: &Reads) -> Value {
    match value {
        Json::Array(list) => {
            let elements = list.iter().map(|element| held(element, reads)).collect();
            Value::from_object(List { elements, reads: reads.clone() })
        }
        Json::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), held(value, reads))).collect();
            Value::from_object(Fields { fields, reads: reads.clone() })
        }
        value => Value::from(Serde(value)),
    }
}

#[derive(Debug)]
struct List {
    elements: Vec<Value>,
    reads: Reads,
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let element = self.elements.get(key.as_usize()?)?;
        self.reads.read(Some(element))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.elements.len())
    }
}

#[derive(Debug)]
struct Fields {
    fields: BTreeMap<String, Value>,
    reads: Reads,
}

impl Object for Fields {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.reads.read(self.fields.get(key.as_str()?))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if self.reads.spend(self.fields.len()) {
            return Enumerator::Values(self.fields.keys().map(|key| Value::from(key.as_str())).collect());
        }
        Enumerator::Empty
    }
}
