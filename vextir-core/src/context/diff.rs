//! The difference of two sequences, at a bounded cost. Every comparison of texts and lists goes through here.

use std::ops::Range;

/// A part of the old sequence and what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// What is removed of the old sequence.
    pub old: Range<usize>,
    /// What is taken of the new one.
    pub new: Range<usize>,
}

/// Steps that one comparison may take.
const STEPS: usize = 2_000_000;
/// Edits that one search may find before it goes on from where it is. Its memory grows with the square.
const REACH: usize = 400;

/// How many edits to look for at once among so many elements, old and new ones together: 8 to 400.
#[must_use]
pub fn reach(elements: usize) -> usize {
    (STEPS / elements.max(1)).clamp(8, REACH)
}

/// What turns `old` into `new`, in order, with equal elements between the hunks.
///
/// The greedy algorithm of Myers. It looks for the shortest script among those with at most `reach` edits; where more
/// are needed it keeps the way that came furthest and goes on from its end. So the cost is at most
/// `(old + new) * reach` steps, and equal stretches longer than `reach` are rarely missed.
#[must_use]
pub fn hunks<T: PartialEq>(old: &[T], new: &[T], reach: usize) -> Vec<Hunk> {
    let front = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let (old_rest, new_rest) = (&old[front..], &new[front..]);
    let back =
        old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(one, other)| one == other).count();
    let (old_end, new_end) = (old.len() - back, new.len() - back);

    let mut script = Script::default();
    let (mut x, mut y) = (front, front);
    while x < old_end && y < new_end {
        let (path, dx, dy) = furthest(&old[x..old_end], &new[y..new_end], reach.max(1));
        for step in path {
            script.push(step, x, y);
        }
        x += dx;
        y += dy;
    }
    script.replace(x..old_end, y..new_end);
    script.0
}

/// An edit relative to the start of a search: one element removed before, or one inserted.
#[derive(Clone, Copy)]
enum Step {
    Remove { x: usize, y: usize },
    Insert { x: usize, y: usize },
}

#[derive(Default)]
struct Script(Vec<Hunk>);

impl Script {
    fn push(&mut self, step: Step, from_x: usize, from_y: usize) {
        match step {
            Step::Remove { x, y } => self.replace(from_x + x..from_x + x + 1, from_y + y..from_y + y),
            Step::Insert { x, y } => self.replace(from_x + x..from_x + x, from_y + y..from_y + y + 1),
        }
    }

    fn replace(&mut self, old: Range<usize>, new: Range<usize>) {
        if old.is_empty() && new.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(last) if last.old.end == old.start && last.new.end == new.start => {
                last.old.end = old.end;
                last.new.end = new.end;
            }
            _ => self.0.push(Hunk { old, new }),
        }
    }
}

/// The way that comes furthest with at most `reach` edits: its edits, and where it ends.
fn furthest<T: PartialEq>(old: &[T], new: &[T], reach: usize) -> (Vec<Step>, usize, usize) {
    let mut rows = Rows { width: old.len(), height: new.len(), rows: Vec::new() };
    for edits in 0..=reach {
        let row =
            (0..=edits).map(|at| rows.entry(edits, at).map(|(x, _)| follow(old, new, x, y_of(x, edits, at))));
        let row: Vec<_> = row.collect();
        let end = row.iter().position(|x| x.is_some_and(|x| x == old.len()));
        let done = end.filter(|at| y_of(old.len(), edits, *at) == new.len());
        rows.rows.push(row);
        if let Some(at) = done {
            return rows.walk_back(at);
        }
    }
    rows.walk_back(rows.best())
}

/// The y of the point `x` on the diagonal `at` of the row `edits`, where x - y is `2 * at - edits`.
fn y_of(x: usize, edits: usize, at: usize) -> usize {
    (x + edits).saturating_sub(2 * at)
}

fn follow<T: PartialEq>(old: &[T], new: &[T], x: usize, y: usize) -> usize {
    let equal = old[x..].iter().zip(&new[y..]).take_while(|(one, other)| one == other).count();
    x + equal
}

/// For each number of edits and each diagonal, how far the best way comes; nothing where none leads.
struct Rows {
    width: usize,
    height: usize,
    rows: Vec<Vec<Option<usize>>>,
}

impl Rows {
    /// Where a way with `edits` edits enters diagonal `at`, and whether by a removal: one step to the right from the
    /// diagonal below, or by an insertion one step down from the diagonal above.
    fn entry(&self, edits: usize, at: usize) -> Option<(usize, bool)> {
        let Some(before) = edits.checked_sub(1).and_then(|last| self.rows.get(last)) else {
            return Some((0, false));
        };
        let removal = at.checked_sub(1).and_then(|below| before[below]);
        let removal = removal.filter(|x| *x < self.width).map(|x| (x + 1, true));
        let insertion = before.get(at).copied().flatten();
        let insertion = insertion.filter(|x| y_of(*x, edits - 1, at) < self.height).map(|x| (x, false));
        removal.max(insertion)
    }

    /// The diagonal of the last row on which most of both sides is behind us.
    fn best(&self) -> usize {
        let edits = self.rows.len() - 1;
        let behind = |at: usize| self.rows[edits][at].map(|x| x + y_of(x, edits, at));
        (0..=edits).max_by_key(|at| behind(*at)).unwrap_or_default()
    }

    fn walk_back(&self, mut at: usize) -> (Vec<Step>, usize, usize) {
        let last = self.rows.len() - 1;
        let end = self.rows[last][at].unwrap_or_default();
        let (end_x, end_y) = (end, y_of(end, last, at));
        let mut steps = Vec::with_capacity(last);
        for edits in (1..=last).rev() {
            let Some((x, removes)) = self.entry(edits, at) else { break };
            let y = y_of(x, edits, at);
            if removes {
                steps.push(Step::Remove { x: x - 1, y });
                at -= 1;
            } else {
                steps.push(Step::Insert { x, y: y - 1 });
            }
        }
        steps.reverse();
        (steps, end_x, end_y)
    }
}

#[cfg(test)]
mod tests {
    use super::{Hunk, hunks};
    use proptest::prelude::*;

    fn rebuilt(old: &[u8], new: &[u8], hunks: &[Hunk]) -> Vec<u8> {
        let mut result = Vec::new();
        let mut at = 0;
        for hunk in hunks {
            assert!(hunk.old.start >= at && hunk.old.end <= old.len(), "in order: {hunks:?}");
            result.extend(&old[at..hunk.old.start]);
            result.extend(&new[hunk.new.clone()]);
            at = hunk.old.end;
        }
        result.extend(&old[at..]);
        result
    }

    fn cost(hunks: &[Hunk]) -> usize {
        hunks.iter().map(|hunk| hunk.old.len() + hunk.new.len()).sum()
    }

    /// The length of the shortest script, by the textbook's table.
    fn shortest(old: &[u8], new: &[u8]) -> usize {
        let mut row: Vec<usize> = (0..=new.len()).collect();
        for (x, one) in old.iter().enumerate() {
            let mut diagonal = row[0];
            row[0] = x + 1;
            for (y, other) in new.iter().enumerate() {
                let best = if one == other { diagonal } else { 1 + row[y].min(row[y + 1]) };
                diagonal = std::mem::replace(&mut row[y + 1], best);
            }
        }
        row[new.len()]
    }

    proptest! {
        #[test]
        fn hunks_rebuild_the_new_side_and_a_wide_reach_finds_the_shortest(
            old in prop::collection::vec(0_u8..4, 0..40),
            new in prop::collection::vec(0_u8..4, 0..40),
        ) {
            for reach in [1, 3, 100] {
                prop_assert_eq!(&rebuilt(&old, &new, &hunks(&old, &new, reach)), &new);
            }
            prop_assert_eq!(cost(&hunks(&old, &new, 100)), shortest(&old, &new));
        }
    }

    #[test]
    fn a_short_reach_still_keeps_long_equal_stretches() {
        let old: Vec<u32> = (0..1_000).collect();
        let new: Vec<u32> = (500..1_000).chain(5_000..5_100).chain(0..400).collect();
        let kept = old.len() - hunks(&old, &new, 20).iter().map(|hunk| hunk.old.len()).sum::<usize>();
        assert!(kept >= 400, "{kept} of 1,000 elements kept");
    }
}
