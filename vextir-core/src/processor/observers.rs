//! Which patterns are subscribed to.

use crate::{EventFilter, Pattern};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// The patterns of the streams that are open, and how many streams wait for each.
#[derive(Debug, Clone, Default)]
pub(super) struct Observers(Arc<Mutex<BTreeMap<Pattern, usize>>>);

/// A stream's place among the observers, given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Observed {
    patterns: Vec<Pattern>,
    observers: Observers,
}

impl Observers {
    /// Notes a stream.
    pub(super) fn note(&self, filter: &EventFilter) -> Observed {
        let patterns = filter.patterns().to_vec();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for pattern in &patterns {
            *open.entry(pattern.clone()).or_default() += 1;
        }
        Observed { patterns, observers: self.clone() }
    }

    pub(super) fn patterns(&self) -> BTreeSet<Pattern> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        let mut open = self.observers.0.lock().unwrap_or_else(PoisonError::into_inner);
        for pattern in &self.patterns {
            let left = open.get(pattern).copied().unwrap_or_default().saturating_sub(1);
            if left == 0 {
                open.remove(pattern);
            } else {
                open.insert(pattern.clone(), left);
            }
        }
    }
}
