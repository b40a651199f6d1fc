//! Files with the same content.

use crate::catalog::Catalog;
use crate::layout::{DUPLICATES, place};
use std::collections::BTreeMap;

/// Two or more files with the same content; the one to keep comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) size: u64,
    pub(crate) paths: Vec<String>,
}

impl Group {
    /// What the needless copies take up.
    pub(crate) fn wasted(&self) -> u64 {
        self.size * (self.paths.len() as u64 - 1)
    }
}

/// All groups, those that waste most first. Empty files are all alike, and no waste.
pub(crate) fn groups(catalog: &Catalog) -> Vec<Group> {
    let mut by_hash: BTreeMap<&str, Group> = BTreeMap::new();
    for (path, entry) in &catalog.files {
        let Some(hash) = entry.hash.as_deref().filter(|_| entry.size > 0) else { continue };
        let group = by_hash.entry(hash).or_insert_with(|| Group { size: entry.size, paths: Vec::new() });
        group.paths.push(path.clone());
    }
    let mut groups: Vec<Group> = by_hash.into_values().filter(|group| group.paths.len() > 1).collect();
    for group in &mut groups {
        group.paths.sort_by_cached_key(|path| rank(catalog, path));
    }
    groups.sort_by_cached_key(|group| (std::cmp::Reverse(group.wasted()), group.paths[0].clone()));
    groups
}

/// The copy to keep sorts first: one that is not set aside already, is in its place, and has the shortest way.
fn rank(catalog: &Catalog, path: &str) -> (bool, bool, usize, usize, String) {
    let is_set_aside = path.starts_with(DUPLICATES) && path[DUPLICATES.len()..].starts_with('/');
    let is_placed = place(path, catalog.class(path)) == path;
    (is_set_aside, !is_placed, path.matches('/').count(), path.len(), path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::tests::catalog;

    #[test]
    fn the_copy_in_its_place_is_kept_then_the_one_with_the_shortest_way() {
        let files = [
            ("b/x.txt", "1"),
            ("Documents/x.txt", "1"),
            ("a.txt", "1"),
            ("Duplicates/x.txt", "1"),
            ("c", "2"),
        ];
        let groups = groups(&catalog(&files));
        let paths = ["Documents/x.txt", "a.txt", "b/x.txt", "Duplicates/x.txt"].map(String::from).to_vec();
        assert_eq!(groups, [Group { size: 1, paths }]);
        assert_eq!(groups[0].wasted(), 3);
    }

    #[test]
    fn empty_files_are_no_duplicates() {
        assert_eq!(groups(&catalog(&[("a", ""), ("b", "")])), []);
    }
}
