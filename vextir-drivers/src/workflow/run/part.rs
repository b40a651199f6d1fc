//! The elements of a `for_each` and what became of them, in parts, so that a transition touches few of them.

use super::state::KeptIn;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vextir::Name;

/// The longest list.
pub(crate) const ITEMS: u32 = 10_000;
/// How many elements a part has.
pub(crate) const PART: u32 = 16;

/// Which part of which step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartKey {
    pub(crate) step: Name,
    pub(crate) number: u32,
}

/// Some elements, in the order of the list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) items: Vec<Item>,
}

/// One element.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) element: Arc<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Arc<Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept_in: Option<KeptIn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// The parts that are at hand, and which of them have changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Parts {
    loaded: BTreeMap<PartKey, Arc<Part>>,
    changed: BTreeSet<PartKey>,
}

impl Parts {
    /// Puts in what was loaded.
    pub(crate) fn load(&mut self, key: PartKey, part: Arc<Part>) {
        self.loaded.insert(key, part);
    }

    /// What has to be written since it was asked last; `None` for what has to be removed. What is at hand stays so:
    /// drop the run to have the memory back.
    pub(crate) fn take_changes(&mut self) -> Vec<(PartKey, Option<Arc<Part>>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|key| (key.clone(), self.loaded.get(&key).cloned())).collect()
    }

    /// Drops what is at hand and has not changed.
    #[cfg(test)]
    pub(crate) fn forget(&mut self) {
        self.loaded.retain(|key, _| self.changed.contains(key));
    }

    pub(super) fn get(&self, key: &PartKey) -> Option<&Arc<Part>> {
        self.loaded.get(key)
    }

    pub(super) fn edit(&mut self, key: &PartKey) -> Option<&mut Part> {
        let part = self.loaded.get_mut(key)?;
        self.changed.insert(key.clone());
        Some(Arc::make_mut(part))
    }

    pub(super) fn put(&mut self, key: PartKey, part: Arc<Part>) {
        self.changed.insert(key.clone());
        self.loaded.insert(key, part);
    }

    pub(super) fn remove(&mut self, key: PartKey) {
        self.loaded.remove(&key);
        self.changed.insert(key);
    }
}
