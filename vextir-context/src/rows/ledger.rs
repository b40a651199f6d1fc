//! The ledgers of the trees at work, in memory: each is read once and written once for each batch.

use crate::key::{Key, Mixer};
use std::collections::HashMap;
use vextir_core::Lease;

/// Ledgers by root. What was not used lately is forgotten; what was changed is kept until it is written.
#[derive(Debug)]
pub(super) struct Ledger {
    slots: Vec<Slot>,
    young: HashMap<Key, usize, Mixer>,
    old: HashMap<Key, usize, Mixer>,
    /// What was asked for last: a command asks for one tree several times.
    last: Option<(Key, usize)>,
    /// Used since the last write, and so perhaps changed.
    touched: Vec<usize>,
    free: Vec<usize>,
    capacity: usize,
}

/// What is known about a root.
#[derive(Debug)]
struct Slot {
    key: Key,
    /// `None`: this root has no ledger.
    lease: Option<Lease>,
    /// Whether the table has a row for it.
    stored: bool,
    touched: bool,
}

impl Ledger {
    /// Keeps up to about `capacity` ledgers, and at least half as many.
    pub(super) fn new(capacity: usize) -> Self {
        let mixer = Mixer::new();
        Self {
            slots: Vec::new(),
            young: HashMap::with_hasher(mixer),
            old: HashMap::with_hasher(mixer),
            last: None,
            touched: Vec::new(),
            free: Vec::new(),
            capacity: capacity / 2,
        }
    }

    /// Whether it is known if this root has a ledger. [`Ledger::current`] is then about this root.
    pub(super) fn seek(&mut self, key: &Key) -> bool {
        if self.last.as_ref().is_some_and(|(last, _)| last == key) {
            return true;
        }
        let found = match self.young.get(key) {
            Some(found) => *found,
            None => match self.old.remove_entry(key) {
                Some((key, found)) => {
                    self.young.insert(key, found);
                    found
                }
                None => return false,
            },
        };
        self.last = Some((key.clone(), found));
        true
    }

    /// Notes what the table holds for a root.
    pub(super) fn learn(&mut self, key: &Key, stored: Option<Lease>) {
        self.put(key, stored, true);
    }

    /// The ledger that [`Ledger::seek`] found, to be changed.
    pub(super) fn current(&mut self) -> Option<&mut Lease> {
        let found = self.last.as_ref()?.1;
        let slot = &mut self.slots[found];
        let lease = slot.lease.as_mut()?;
        if !slot.touched {
            slot.touched = true;
            self.touched.push(found);
        }
        Some(lease)
    }

    /// Opens a ledger for a root that has none.
    pub(super) fn open(&mut self, key: &Key, lease: Lease) {
        self.put(key, Some(lease), false);
        self.current();
    }

    /// Puts a ledger into a slot and makes it the current one. A row that is known to be there stays known.
    fn put(&mut self, key: &Key, lease: Option<Lease>, from_table: bool) {
        let known = self.seek(key).then(|| self.last.as_ref().map(|(_, found)| *found)).flatten();
        let stored = if from_table { lease.is_some() } else { known.is_some_and(|at| self.slots[at].stored) };
        let found = if let Some(at) = known {
            (self.slots[at].lease, self.slots[at].stored) = (lease, stored);
            at
        } else {
            let slot = Slot { key: key.clone(), lease, stored, touched: false };
            let at = match self.free.pop() {
                Some(at) => {
                    self.slots[at] = slot;
                    at
                }
                None => {
                    self.slots.push(slot);
                    self.slots.len() - 1
                }
            };
            self.young.insert(key.clone(), at);
            at
        };
        self.last = Some((key.clone(), found));
    }

    /// Shows each ledger that may have changed, to be written.
    pub(super) fn settle<E>(
        &mut self,
        mut write: impl FnMut(&Key, &Lease, bool) -> Result<(), E>,
    ) -> Result<(), E> {
        for at in self.touched.drain(..) {
            let slot = &mut self.slots[at];
            slot.touched = false;
            let Some(lease) = &slot.lease else { continue };
            write(&slot.key, lease, slot.stored)?;
            slot.stored = true;
            if lease.open == 0 && lease.parked == 0 {
                // A tree that is over is hardly asked for again.
                let gone = self.young.remove(&slot.key).or_else(|| self.old.remove(&slot.key));
                self.free.extend(gone);
            }
        }
        self.last = None;
        if self.young.len() > self.capacity {
            self.free.extend(self.old.drain().map(|(_, at)| at));
            std::mem::swap(&mut self.old, &mut self.young);
        }
        Ok(())
    }

    /// Forgets everything, changes included: the transaction was rolled back.
    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.slots.clear();
        self.free.clear();
        self.touched.clear();
        self.last = None;
    }

    /// Forgets a ledger whose row is gone.
    pub(super) fn forget(&mut self, key: &Key) {
        self.last = None;
        self.free.extend(self.young.remove(key).into_iter().chain(self.old.remove(key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vextir_core::{EventId, Limits, Name};

    /// A tree at work.
    fn key(text: &str) -> (Key, Lease) {
        let id: EventId = text.parse().unwrap();
        let mut lease = Lease::new(id.clone(), Name::literal("local"), Limits::default());
        lease.open = 1;
        (Key::new("local", &id), lease)
    }

    fn set_open(ledger: &mut Ledger, key: &Key, open: u64) {
        assert!(ledger.seek(key));
        ledger.current().unwrap().open = open;
    }

    #[test]
    fn a_changed_ledger_is_written_once() {
        let mut ledger = Ledger::new(16);
        let (root, lease) = key("a");
        ledger.open(&root, lease);
        set_open(&mut ledger, &root, 1);
        set_open(&mut ledger, &root, 2);
        let mut written = Vec::new();
        let mut write = |_: &Key, lease: &Lease, stored| {
            written.push((lease.open, stored));
            Ok::<_, ()>(())
        };
        ledger.settle(&mut write).unwrap();
        set_open(&mut ledger, &root, 3);
        ledger.settle(&mut write).unwrap();
        ledger.settle(&mut write).unwrap();
        assert_eq!(written, [(2, false), (3, true)]);
    }

    #[test]
    fn a_tree_that_is_over_is_forgotten_when_it_is_written() {
        let mut ledger = Ledger::new(16);
        let (root, lease) = key("a");
        for round in 0..3 {
            ledger.open(&root, lease.clone());
            set_open(&mut ledger, &root, 0);
            ledger.settle(|_, _, _| Ok::<_, ()>(())).unwrap();
            assert!(!ledger.seek(&root), "round {round}");
        }
        assert_eq!(ledger.slots.len(), 1);
    }

    #[test]
    fn what_was_not_used_is_forgotten_and_what_was_used_stays() {
        let mut ledger = Ledger::new(4);
        let (used, lease) = key("used");
        ledger.open(&used, lease);
        for round in 0..10 {
            let (other, lease) = key(&format!("other-{round}"));
            ledger.open(&other, lease);
            set_open(&mut ledger, &used, round + 1);
            ledger.settle(|_, _, _| Ok::<_, ()>(())).unwrap();
        }
        assert!(!ledger.seek(&key("other-0").0));
        assert!(ledger.seek(&used));
        assert_eq!(ledger.current().unwrap().open, 10);
        assert!(ledger.slots.len() <= 8, "{}", ledger.slots.len());
    }

    #[test]
    fn absence_is_known_too() {
        let mut ledger = Ledger::new(4);
        let (root, lease) = key("a");
        assert!(!ledger.seek(&root));
        ledger.learn(&root, None);
        assert!(ledger.seek(&root) && ledger.current().is_none());
        ledger.open(&root, lease);
        assert!(ledger.seek(&root) && ledger.current().is_some());
    }
}
