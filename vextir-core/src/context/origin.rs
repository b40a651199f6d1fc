//! Where a document comes from that some changes lead to: back through their moves, removals and restorations.

use super::{Change, Intent, is_within, rebase};

/// What a path means before some changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// What is at this path.
    At(String),
    /// What lies at `path` within something that was removed.
    Removed {
        /// The path that one of the changes restores.
        restored: String,
        /// How many of the changes restore it before that: each brings back what was removed earlier.
        before: usize,
        /// That path, or one below it.
        path: String,
    },
    /// Nothing: a change took away what was there.
    Nowhere {
        /// The number of that change.
        by: usize,
        /// The path before it.
        path: String,
    },
    /// It cannot be told.
    Unclear,
}

/// Follows a path back through numbered changes; also the numbers of those about the content of what it leads to, last
/// first.
#[must_use]
pub fn origin(path: &str, changes: &[(usize, &Change)]) -> (Origin, Vec<usize>) {
    let (mut path, mut steps) = (path.to_owned(), Vec::new());
    // What is being restored, and how often it still is before that.
    let mut restoring: Option<(String, usize)> = None;
    for (number, change) in changes.iter().rev() {
        if let Some((restored, before)) = &mut restoring {
            match &change.what {
                Intent::Remove if change.path == *restored && *before == 0 => restoring = None,
                Intent::Remove if change.path == *restored => *before -= 1,
                Intent::Restore if change.path == *restored => *before += 1,
                Intent::Move(to) if to != restored && is_within(restored, to) => {
                    let was = |path: &str| rebase(path, to, &change.path);
                    match (was(restored), was(&path)) {
                        (Some(then), Some(below)) => (*restored, path) = (then, below),
                        _ => return (Origin::Unclear, steps),
                    }
                }
                Intent::Remove | Intent::Move(_) | Intent::Restore
                    if change.path != *restored && is_within(restored, &change.path) =>
                {
                    return (Origin::Unclear, steps);
                }
                _ => {}
            }
            continue;
        }
        match &change.what {
            Intent::Move(to) if is_within(&path, to) => match rebase(&path, to, &change.path) {
                Some(before) => path = before,
                None => return (Origin::Unclear, steps),
            },
            Intent::Move(_) | Intent::Remove if is_within(&path, &change.path) => {
                return (Origin::Nowhere { by: *number, path }, steps);
            }
            Intent::Restore if is_within(&path, &change.path) => restoring = Some((change.path.clone(), 0)),
            what if what.is_content() && !matches!(what, Intent::Guide(_)) && change.path == path => {
                steps.push(*number);
            }
            _ => {}
        }
    }
    match restoring {
        Some((restored, before)) => (Origin::Removed { restored, before, path }, steps),
        None => (Origin::At(path), steps),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_followed_back_through_moves_removals_and_restorations() {
        let change = |path: &str, what| Change::new(path, what);
        let all = [
            change("/a/x", Intent::Remove),
            change("/a", Intent::Move("/b".into())),
            change("/c/d", Intent::Append("x".into())),
            change("/c", Intent::Remove),
            change("/c", Intent::Write("another".into())),
            change("/c", Intent::Move("/e".into())),
            change("/c", Intent::Restore),
            change("/c/d", Intent::Append("y".into())),
            change("/f", Intent::Restore),
            change("/f", Intent::Move("/g".into())),
            change("/f", Intent::Restore),
        ];
        let all: Vec<_> = all.iter().enumerate().collect();
        let at = |path: &str| Origin::At(path.to_owned());
        let nowhere = |by, path: &str| Origin::Nowhere { by, path: path.to_owned() };
        let removed = |restored: &str, before, path: &str| Origin::Removed {
            restored: restored.to_owned(),
            before,
            path: path.to_owned(),
        };
        assert_eq!(origin("/b/y", &all), (at("/a/y"), vec![]));
        assert_eq!(origin("/b/x", &all), (nowhere(0, "/a/x"), vec![]));
        assert_eq!(origin("/a/y", &all), (nowhere(1, "/a/y"), vec![]));
        assert_eq!(origin("/c/d", &all), (at("/c/d"), vec![7, 2]));
        assert_eq!(origin("/e", &all), (nowhere(3, "/c"), vec![4]));
        assert_eq!(origin("/f/x", &all), (removed("/f", 1, "/f/x"), vec![]));
        assert_eq!(origin("/g/x", &all), (removed("/f", 0, "/f/x"), vec![]));
    }
}
