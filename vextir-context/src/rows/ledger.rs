//! The ledgers of the trees at work, in memory: each is read once and written once for each batch.

use crate::key::Key;
use std::collections::HashMap;
use vextir_core::Lease;

/// Ledgers by root. What was not used lately is forgotten; what was changed is kept until it is written.
#[derive(Debug)]
pub(super) struct Ledger {
    young: HashMap<Key, Slot>,
    old: HashMap<Key, Slot>,
    /// Used since the last write, and so perhaps changed.
    touched: Vec<Key>,
    capacity: usize,
}

/// What is known about a root.
#[derive(Debug)]
pub(super) struct Slot {
    /// `None`: this root has no ledger.
    pub(super) lease: Option<Lease>,
    /// Whether the table has a row for it.
    pub(super) stored: bool,
    touched: bool,
}

impl Ledger {
    /// Keeps up to about `capacity` ledgers, and at least half as many.
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), touched: Vec::new(), capacity: capacity / 2 }
    }

    /// Whether it is known if this root has a ledger.
    pub(super) fn knows(&mut self, key: &Key) -> bool {
        if self.young.contains_key(key) {
            return true;
        }
        match self.old.remove(key) {
            Some(slot) => {
                self.young.insert(key.clone(), slot);
                true
            }
            None => false,
        }
    }

    /// Notes what the table holds for a root.
    pub(super) fn learn(&mut self, key: Key, stored: Option<Lease>) {
        let slot = Slot { stored: stored.is_some(), lease: stored, touched: false };
        self.young.insert(key, slot);
    }

    /// A ledger that [`Ledger::knows`], to be changed.
    pub(super) fn touch(&mut self, key: &Key) -> Option<&mut Lease> {
        let slot = self.young.get_mut(key)?;
        let lease = slot.lease.as_mut()?;
        if !slot.touched {
            slot.touched = true;
            self.touched.push(key.clone());
        }
        Some(lease)
    }

    /// Opens a ledger for a root that has none, or none that is known.
    pub(super) fn open(&mut self, key: Key, lease: Lease) {
        let stored = self.young.get(&key).is_some_and(|slot| slot.stored);
        self.young.insert(key.clone(), Slot { lease: Some(lease), stored, touched: true });
        self.touched.push(key);
    }

    /// Shows each ledger that may have changed, to be written.
    pub(super) fn settle<E>(
        &mut self,
        mut write: impl FnMut(&Key, &Lease, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        for key in self.touched.drain(..) {
            let Some(slot) = self.young.get_mut(&key) else { continue };
            slot.touched = false;
            if let Some(lease) = &slot.lease {
                write(&key, lease, slot.stored)?;
                slot.stored = true;
            }
        }
        if self.young.len() > self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        Ok(())
    }

    /// Forgets everything, changes included: the transaction was rolled back.
    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.touched.clear();
    }

    /// Forgets a ledger whose row is gone.
    pub(super) fn forget(&mut self, key: &Key) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vextir_core::{EventId, Limits, Name};

    fn key(text: &str) -> (Key, Lease) {
        let id: EventId = text.parse().unwrap();
        (Key::new("local", &id), Lease::new(id, Name::literal("local"), Limits::default()))
    }

    #[test]
    fn a_changed_ledger_is_written_once() {
        let mut ledger = Ledger::new(16);
        let (root, lease) = key("a");
        ledger.open(root.clone(), lease);
        ledger.touch(&root).unwrap().open = 1;
        ledger.touch(&root).unwrap().open = 2;
        let mut written = Vec::new();
        let mut write = |_: &Key, lease: &Lease, stored| {
            written.push((lease.open, stored));
            Ok::<_, ()>(())
        };
        ledger.settle(&mut write).unwrap();
        ledger.touch(&root).unwrap().open = 3;
        ledger.settle(&mut write).unwrap();
        ledger.settle(&mut write).unwrap();
        assert_eq!(written, [(2, false), (3, true)]);
    }

    #[test]
    fn what_was_not_used_is_forgotten_and_what_was_used_stays() {
        let mut ledger = Ledger::new(4);
        let (used, lease) = key("used");
        ledger.open(used.clone(), lease);
        for round in 0..10 {
            let (other, lease) = key(&format!("other-{round}"));
            ledger.open(other, lease);
            assert!(ledger.knows(&used), "round {round}");
            ledger.settle(|_, _, _| Ok::<_, ()>(())).unwrap();
        }
        assert!(!ledger.knows(&key("other-0").0));
        assert!(ledger.young.len() + ledger.old.len() <= 8);
    }
}
