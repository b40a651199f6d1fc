//! The row numbers of the index: whose tree, which document, which part of it. So all of one user's rows lie together,
//! and a search goes through no others.

use crate::documents::node::NodeId;
use std::ops::RangeInclusive;

/// How many parts of a document have a number.
pub(super) const PARTS: usize = 1 << 8;

const NODE_BITS: u32 = 31;
const PART_BITS: u32 = 8;
const TREES: i64 = 1 << 24;

/// The row of a part; `None` where the numbers are too large to be indexed (two thousand million documents).
pub(super) fn row(tree: i64, node: NodeId, part: usize) -> Option<i64> {
    let part = i64::try_from(part).ok().filter(|_| part < PARTS)?;
    let fits = (0..TREES).contains(&tree) && (0..1 << NODE_BITS).contains(&node);
    fits.then_some(tree << (NODE_BITS + PART_BITS) | node << PART_BITS | part)
}

/// All rows of a tree.
pub(super) fn of_tree(tree: i64) -> RangeInclusive<i64> {
    let first = tree << (NODE_BITS + PART_BITS);
    first..=first | ((1 << (NODE_BITS + PART_BITS)) - 1)
}

/// Whose row it is.
pub(super) fn tree(row: i64) -> i64 {
    row >> (NODE_BITS + PART_BITS)
}

/// [`node`], of a column, in SQL.
pub(super) fn node_in_sql(column: &str) -> String {
    format!("({column} >> {PART_BITS}) & {}", (1_i64 << NODE_BITS) - 1)
}

/// Which document's row it is.
pub(super) fn node(row: i64) -> NodeId {
    row >> PART_BITS & ((1 << NODE_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_its_tree_and_node_and_lies_in_its_tree() {
        for (tree_number, id, part) in
            [(1, 1, 0), (TREES - 1, (1 << NODE_BITS) - 1, PARTS - 1), (7, 300, 255)]
        {
            let row = row(tree_number, id, part).unwrap();
            assert!(row > 0);
            assert_eq!((tree(row), node(row)), (tree_number, id));
            assert!(of_tree(tree_number).contains(&row));
            assert!(!of_tree(tree_number - 1).contains(&row));
        }
        assert_eq!(row(TREES, 1, 0), None);
        assert_eq!(row(1, 1 << NODE_BITS, 0), None);
        assert_eq!(row(1, 1, PARTS), None);
    }
}
