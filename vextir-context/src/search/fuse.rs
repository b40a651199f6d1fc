//! Several lists made one: what stands far up in several is further up.

use super::arms::Ranked;
use super::sieve::Candidate;
use crate::documents::node::NodeId;
use std::collections::HashMap;
use std::rc::Rc;
use vextir_core::context::Why;

/// How little the first places of a list stand out: as usual with reciprocal ranks.
const DAMPING: f64 = 60.0;

/// One document with all that found it.
#[derive(Debug)]
pub(super) struct Fused {
    pub(super) candidate: Rc<Candidate>,
    pub(super) why: Vec<Why>,
    /// Where in its text: by words, and by meaning.
    pub(super) rows: Vec<(Why, i64)>,
    score: f64,
}

/// The documents of all lists, best first.
pub(super) fn fuse(lists: Vec<(Why, Ranked)>, limit: usize) -> Vec<Fused> {
    let mut known: HashMap<NodeId, Fused> = HashMap::new();
    for (why, list) in lists {
        for (rank, (candidate, row)) in list.into_iter().enumerate() {
            let fused = known.entry(candidate.node).or_insert_with(|| Fused {
                candidate,
                why: Vec::new(),
                rows: Vec::new(),
                score: 0.0,
            });
            #[expect(clippy::cast_precision_loss, reason = "lists are short")]
            let score = 1.0 / (DAMPING + 1.0 + rank as f64);
            fused.score += score;
            fused.why.push(why);
            fused.rows.push((why, row));
        }
    }
    let mut fused: Vec<Fused> = known.into_values().collect();
    fused.sort_by(|one, other| {
        other.score.total_cmp(&one.score).then_with(|| one.candidate.path.cmp(&other.candidate.path))
    });
    fused.truncate(limit);
    fused
}

#[cfg(test)]
mod tests {
    use super::*;
    use vextir_core::Timestamp;

    #[test]
    fn what_several_arms_found_comes_first() {
        let candidate =
            |node| Rc::new(Candidate { node, path: format!("/{node}"), updated: Timestamp::UNSET });
        let list = |nodes: &[i64]| nodes.iter().map(|node| (candidate(*node), 0)).collect::<Ranked>();
        let fused = fuse(vec![(Why::Text, list(&[1, 2, 3])), (Why::Meaning, list(&[9, 3, 2]))], 3);
        let order: Vec<i64> = fused.iter().map(|fused| fused.candidate.node).collect();
        assert_eq!(order, [2, 3, 1], "both, both, and the first path of equals");
        assert_eq!(fused[0].why, [Why::Text, Why::Meaning]);
    }
}
