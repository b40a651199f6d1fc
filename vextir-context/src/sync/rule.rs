//! The rules by which all replicas draw the same tree and the same rights from the same facts. Pure.
//!
//! # Moves
//!
//! Every creation and move of a folder is kept, with its stamp. They are done in the order of their stamps, from
//! nothing; one that would put a folder into itself is skipped, and the folder stays where it was (Kleppmann and
//! others, "A highly-available move operation for replicated trees"). The outcome depends on the set of facts alone, not
//! on the order in which they came, so replicas with the same facts have the same tree; and no step makes a circle, so
//! there is none. Documents hold nothing: the last stamp says where they are.
//!
//! # Rights
//!
//! Whoever says what a right is names what it saw of that right before (`over`). What nobody has seen and replaced
//! stands; where several stand, because they were said at the same time, the lowest counts: a revocation is never undone
//! by a grant that did not know of it.
//!
//! # How long the past is kept
//!
//! As for rights; but where several stand, the longest counts: nothing goes that somebody asked to keep. Where one of them
//! says nothing, it is kept at least for as long as the folder above says.
//!
//! # Names
//!
//! Of several nodes that want one name in a folder, the lowest uid has it, and the others get ` (2)`, ` (3)`, ..,
//! by their uids, past names that somebody wants. When the clash goes, so do the numbers.

use super::name::{Stamp, Uid};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

/// Where one creation or move puts a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step<N> {
    pub(super) stamp: Stamp,
    pub(super) node: N,
    /// `None`: out of sight.
    pub(super) parent: Option<N>,
}

/// Does moves in the order of their stamps; for each folder the stamp of the one that holds. `fixed` knows where the
/// folders are that were never moved.
pub(super) fn replay<N: Copy + Eq + Ord + Hash, E>(
    mut steps: Vec<Step<N>>,
    mut fixed: impl FnMut(N) -> Result<Option<N>, E>,
) -> Result<HashMap<N, Stamp>, E> {
    steps.sort();
    let moved: BTreeSet<N> = steps.iter().map(|step| step.node).collect();
    let mut placed: HashMap<N, (Option<N>, Stamp)> = HashMap::new();
    'steps: for step in steps {
        let mut above = step.parent;
        // In a tree without circles this ends.
        while let Some(node) = above {
            if node == step.node {
                continue 'steps;
            }
            above = match placed.get(&node) {
                Some((parent, _)) => *parent,
                None if moved.contains(&node) => None,
                None => fixed(node)?,
            };
        }
        placed.insert(step.node, (step.parent, step.stamp));
    }
    Ok(placed.into_iter().map(|(node, (_, stamp))| (node, stamp)).collect())
}

/// What stands of what was said about one right: everything that nobody replaced.
pub(super) fn standing<'f>(said: &'f [(Stamp, Vec<Stamp>, i64)]) -> impl Iterator<Item = (Stamp, i64)> + 'f {
    let replaced: BTreeSet<Stamp> = said.iter().flat_map(|(_, over, _)| over.iter().copied()).collect();
    said.iter()
        .filter(move |(stamp, _, _)| !replaced.contains(stamp))
        .map(|(stamp, _, level)| (*stamp, *level))
}

/// What a right is: the lowest of what stands.
pub(super) fn lowest(said: &[(Stamp, Vec<Stamp>, i64)]) -> i64 {
    standing(said).map(|(_, level)| level).min().unwrap_or(0)
}

/// For how long something is kept of which this was said at the same time, and whether at least as long as above.
pub(super) fn longest(said: &[Option<i64>]) -> (Option<i64>, bool) {
    let most = said.iter().copied().flatten().max();
    (most, most.is_some() && said.contains(&None))
}

/// The names of those who want the same one; `is_wanted` says whether somebody else wants a name.
pub(super) fn names<E>(
    wanted: &str,
    mut who: Vec<(Uid, i64)>,
    mut is_wanted: impl FnMut(&str) -> Result<bool, E>,
) -> Result<BTreeMap<i64, String>, E> {
    who.sort_unstable();
    let mut given = BTreeMap::new();
    let mut number = 2_u64;
    for (place, (_, node)) in who.into_iter().enumerate() {
        let mut name = wanted.to_owned();
        let mut is_free = place == 0;
        while !is_free {
            name = format!("{wanted} ({number})");
            number += 1;
            is_free = !is_wanted(&name)?;
        }
        given.insert(node, name);
    }
    Ok(given)
}

/// What a name with a number at its end would be without it.
pub(super) fn unnumbered(name: &str) -> Option<&str> {
    let (base, number) = name.strip_suffix(')')?.rsplit_once(" (")?;
    (!number.is_empty() && number.bytes().all(|sign| sign.is_ascii_digit())).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn stamp(clock: i64, replica: u8) -> Stamp {
        Stamp(clock, Uid([replica; 16]))
    }

    fn held(steps: Vec<Step<u8>>) -> Vec<(u8, i64)> {
        let mut held: Vec<_> = replay(steps, |_| Ok::<_, Infallible>(Some(0).filter(|_| false)))
            .unwrap()
            .into_iter()
            .map(|(n, s)| (n, s.0))
            .collect();
        held.sort_unstable();
        held
    }

    fn step(clock: i64, node: u8, parent: u8) -> Step<u8> {
        Step { stamp: stamp(clock, 1), node, parent: Some(parent) }
    }

    #[test]
    fn of_two_moves_into_each_other_the_later_one_is_skipped() {
        let steps = [step(1, 1, 0), step(2, 2, 0), step(3, 1, 2), step(4, 2, 1)];
        assert_eq!(held(steps.to_vec()), [(1, 3), (2, 2)]);
        let mut turned = steps.to_vec();
        turned.reverse();
        assert_eq!(held(turned), [(1, 3), (2, 2)], "in whatever order they come");
    }

    #[test]
    fn what_was_skipped_is_done_when_an_earlier_move_makes_room() {
        let steps = vec![step(1, 1, 0), step(2, 2, 0), step(4, 1, 2), step(6, 2, 1), step(5, 1, 0)];
        assert_eq!(held(steps), [(1, 5), (2, 6)]);
    }

    #[test]
    fn the_lowest_of_what_was_said_at_the_same_time_counts() {
        let (one, two, three) = (stamp(1, 1), stamp(2, 1), stamp(2, 2));
        assert_eq!(lowest(&[]), 0);
        assert_eq!(lowest(&[(one, vec![], 3)]), 3);
        assert_eq!(lowest(&[(one, vec![], 3), (two, vec![one], 4), (three, vec![one], 0)]), 0);
        let all = [
            (one, vec![], 3),
            (two, vec![one], 4),
            (three, vec![one], 0),
            (stamp(3, 1), vec![two, three], 2),
        ];
        assert_eq!(lowest(&all), 2, "who saw both decides");
    }

    #[test]
    fn who_has_the_lowest_uid_has_the_name() {
        let uid = |number| Uid([number; 16]);
        let who = vec![(uid(3), 30), (uid(1), 10), (uid(2), 20)];
        let given = names("a", who, |name| Ok::<_, Infallible>(name == "a (2)")).unwrap();
        let given: Vec<_> = given.into_iter().collect();
        assert_eq!(given, [(10, "a".into()), (20, "a (3)".into()), (30, "a (4)".into())]);
        assert_eq!(unnumbered("a (2)"), Some("a"));
        assert_eq!(unnumbered("a (2) (10)"), Some("a (2)"));
        assert_eq!([unnumbered("a"), unnumbered("a ()"), unnumbered("a(2)"), unnumbered("a (x)")], [None; 4]);
    }
}
