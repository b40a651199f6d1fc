//! A map that forgets what is old, all at once instead of entry by entry.

use crate::{EventId, Name};
use foldhash::{HashMap, HashMapExt};

/// An id in its scope: ours are unique everywhere, foreign ones for each user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Ours([u64; 2]),
    Foreign(Box<(EventId, Name)>),
}

impl Key {
    pub(super) fn new(user: &Name, id: &EventId) -> Self {
        match id.uuid_halves() {
            Some(halves) => Self::Ours(halves),
            None => Self::Foreign(Box::new((id.clone(), user.clone()))),
        }
    }
}

/// Two generations of entries. What is changed is young again; what is old when the generations change is
/// forgotten, unless it is still needed.
#[derive(Debug)]
pub(super) struct Recent<V> {
    young: HashMap<Key, V>,
    old: HashMap<Key, V>,
}

impl<V> Recent<V> {
    pub(super) fn new() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn get(&self, key: &Key) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut V> {
        if !self.old.is_empty()
            && let Some((key, value)) = self.old.remove_entry(key)
        {
            return Some(self.young.entry(key).insert_entry(value).into_mut());
        }
        self.young.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: Key, value: V) {
        if !self.old.is_empty() {
            self.old.remove(&key);
        }
        self.young.insert(key, value);
    }

    /// Forgets the old generation but for what is needed, and makes the young one old.
    pub(super) fn age(&mut self, is_needed: impl Fn(&V) -> bool) {
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.retain(|_, value| is_needed(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> Key {
        Key::new(&Name::literal("local"), &id.parse().unwrap())
    }

    #[test]
    fn what_is_new_stands_before_what_is_old() {
        let mut recent = Recent::new();
        recent.insert(key("again"), 1);
        recent.age(|_| false);
        recent.insert(key("again"), 2);
        assert_eq!(recent.get_mut(&key("again")), Some(&mut 2));
        recent.age(|_| true);
        assert_eq!(recent.get(&key("again")), Some(&2));
    }

    #[test]
    fn what_is_old_goes_unless_it_is_used_or_needed() {
        let mut recent = Recent::new();
        for (id, value) in [("idle", 1), ("used", 2), ("needed", 3)] {
            recent.insert(key(id), value);
        }
        recent.age(|value| *value == 3);
        assert_eq!(recent.get(&key("idle")), Some(&1));
        *recent.get_mut(&key("used")).unwrap() = 4;
        recent.age(|value| *value == 3);
        assert_eq!((recent.get(&key("idle")), recent.get(&key("used"))), (None, Some(&4)));
        assert_eq!(recent.get(&key("needed")), Some(&3));
    }
}
