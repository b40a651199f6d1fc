//! The steps as a graph: an order, what comes before what, and cycles.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// What each step depends on, by its place in the plan.
pub(super) struct Graph {
    before: Vec<Vec<usize>>,
    /// Each after all that it depends on, otherwise as they were written; without those that wait for each other.
    order: Vec<usize>,
}

/// What has surely run, or was skipped, before each step.
pub(super) struct Ancestors(Vec<Vec<u64>>);

impl Graph {
    pub(super) fn of(before: Vec<Vec<usize>>) -> Self {
        let mut after = vec![Vec::new(); before.len()];
        let mut open: Vec<usize> = before.iter().map(Vec::len).collect();
        for (step, before) in before.iter().enumerate() {
            for earlier in before {
                after[*earlier].push(step);
            }
        }
        let free = open.iter().enumerate().filter(|(_, open)| **open == 0);
        let mut free: BinaryHeap<_> = free.map(|(step, _)| Reverse(step)).collect();
        let mut order = Vec::with_capacity(before.len());
        while let Some(Reverse(step)) = free.pop() {
            order.push(step);
            for later in &after[step] {
                open[*later] -= 1;
                if open[*later] == 0 {
                    free.push(Reverse(*later));
                }
            }
        }
        Self { before, order }
    }

    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Cycles that have no step in common, each from its first step along what it depends on.
    pub(super) fn cycles(&self) -> Vec<Vec<usize>> {
        let mut done = vec![false; self.before.len()];
        self.order.iter().for_each(|step| done[*step] = true);
        let mut cycles = Vec::new();
        for start in 0..self.before.len() {
            let (mut way, mut place, mut step) = (Vec::new(), HashMap::new(), start);
            // What is not in the order waits for something that is not in it either, so the way ends in a circle, or
            // at a step that was looked at before.
            while !done[step] {
                if let Some(from) = place.get(&step) {
                    let mut cycle: Vec<usize> = way.split_off(*from);
                    let least = (0..cycle.len()).min_by_key(|index| cycle[*index]).unwrap_or(0);
                    cycle.rotate_left(least);
                    cycle.iter().for_each(|step| done[*step] = true);
                    cycles.push(cycle);
                    break;
                }
                place.insert(step, way.len());
                way.push(step);
                match self.before[step].iter().find(|earlier| !done[**earlier]) {
                    Some(earlier) => step = *earlier,
                    None => break,
                }
            }
            way.iter().for_each(|step| done[*step] = true);
        }
        cycles
    }

    /// What is over before each step: what it depends on, and what that depends on. A step that compensates knows what
    /// failed, too; where it compensates for several, what is before all of them.
    pub(super) fn ancestors(&self, compensates: &HashMap<usize, Vec<usize>>) -> Ancestors {
        let words = self.before.len().div_ceil(64);
        let mut all = vec![vec![0u64; words]; self.before.len()];
        for step in &self.order {
            let mut own = vec![0u64; words];
            for earlier in &self.before[*step] {
                join(&mut own, &all[*earlier], |own, other| own | other);
                own[earlier / 64] |= 1 << (earlier % 64);
            }
            all[*step] = own;
        }
        for (step, failed) in compensates {
            let mut own = vec![u64::MAX; words];
            for failed in failed {
                let mut before = all[*failed].clone();
                before[failed / 64] |= 1 << (failed % 64);
                join(&mut own, &before, |own, other| own & other);
            }
            all[*step] = own;
        }
        Ancestors(all)
    }
}

fn join(own: &mut [u64], others: &[u64], how: impl Fn(u64, u64) -> u64) {
    own.iter_mut().zip(others).for_each(|(own, other)| *own = how(*own, *other));
}

impl Ancestors {
    /// Whether `earlier` is over before `step` begins.
    pub(super) fn has(&self, step: usize, earlier: usize) -> bool {
        let word = self.0.get(step).and_then(|own| own.get(earlier / 64));
        word.is_some_and(|word| word >> (earlier % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::Graph;
    use std::collections::HashMap;

    #[test]
    fn order_keeps_to_what_was_written_where_it_can() {
        let graph = Graph::of(vec![vec![2], vec![], vec![], vec![0, 1]]);
        assert!(graph.cycles().is_empty());
        let before = graph.ancestors(&HashMap::new());
        assert!(before.has(3, 2) && before.has(0, 2) && !before.has(0, 1) && !before.has(2, 2));
        assert_eq!(graph.order(), [1, 2, 0, 3]);
    }

    #[test]
    fn each_cycle_is_found_once() {
        // 0 -> 1 -> 0; 2 -> 2; 3 waits for the first and is in no cycle; 4 is free.
        let graph = Graph::of(vec![vec![1], vec![0], vec![2], vec![0], vec![]]);
        assert_eq!(graph.cycles(), [vec![0, 1], vec![2]]);
        assert_eq!(graph.order(), [4]);
    }

    #[test]
    fn what_compensates_for_two_knows_what_both_know() {
        // 0; 1 and 2 after it; 3 compensates for 1 and 2; 4 for 1 alone.
        let graph = Graph::of(vec![vec![], vec![0], vec![0], vec![], vec![]]);
        let before = graph.ancestors(&HashMap::from([(3, vec![1, 2]), (4, vec![1])]));
        assert!(before.has(3, 0) && !before.has(3, 1) && before.has(4, 1) && before.has(4, 0));
    }
}
