//! Which paths have to be compared: a bounded set that gives up and says "all".

use super::scan::Scope;
use std::collections::BTreeSet;

/// More paths than this, and the whole root is compared.
const ROOM: usize = 1_024;

/// Paths that may have changed.
#[derive(Debug, Default, Clone)]
pub(super) struct Dirty {
    whole: bool,
    paths: BTreeSet<String>,
}

impl Dirty {
    pub(super) fn insert(&mut self, path: &str) {
        if self.whole || self.paths.contains(path) {
            return;
        }
        if path.is_empty() || self.paths.len() == ROOM {
            self.insert_all();
        } else {
            self.paths.insert(path.to_owned());
        }
    }

    pub(super) fn insert_all(&mut self) {
        self.whole = true;
        self.paths.clear();
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.whole {
            self.insert_all();
        }
        other.paths.iter().for_each(|path| self.insert(path));
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.whole && self.paths.is_empty()
    }

    /// Takes what is in it; paths below others are left out.
    pub(super) fn take(&mut self) -> Option<Scope> {
        if self.is_empty() {
            return None;
        }
        let Self { whole, paths } = std::mem::take(self);
        if whole {
            return Some(Scope::Whole);
        }
        let is_covered =
            |path: &&String| path.match_indices('/').any(|(end, _)| paths.contains(&path[..end]));
        Some(Scope::Paths(paths.iter().filter(|path| !is_covered(path)).cloned().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_below_others_are_left_out() {
        let mut dirty = Dirty::default();
        for path in ["a/b", "a", "a!", "ab/c", "a/b/c"] {
            dirty.insert(path);
        }
        let left = ["a", "a!", "ab/c"].map(String::from).to_vec();
        assert_eq!(dirty.take(), Some(Scope::Paths(left)));
        assert_eq!(dirty.take(), None);
    }

    #[test]
    fn too_many_paths_are_the_whole() {
        let mut dirty = Dirty::default();
        (0..=ROOM).for_each(|number| dirty.insert(&number.to_string()));
        assert_eq!(dirty.take(), Some(Scope::Whole));

        let mut root = Dirty::default();
        root.insert("");
        dirty.merge(&root);
        assert_eq!(dirty.take(), Some(Scope::Whole));
    }
}
