//! Tree pseudo-LRU: one bit per inner node points to the half used longer ago. Node 0 is the root; node `i` has the
//! children `2 i + 1` and `2 i + 2`.

/// Way that the tree points to.
pub(super) fn victim(tree: u32, ways: u32) -> u32 {
    let (mut node, mut way) = (0, 0);
    for _ in 0..ways.trailing_zeros() {
        let right = tree >> node & 1;
        way = way << 1 | right;
        node = 2 * node + 1 + right;
    }
    way
}

/// The tree after a use of the way: each node on its path points away from it.
pub(super) fn touch(mut tree: u32, way: u32, ways: u32) -> u32 {
    let mut node = 0;
    for level in (0..ways.trailing_zeros()).rev() {
        let right = way >> level & 1;
        tree = (tree & !(1 << node)) | (right ^ 1) << node;
        node = 2 * node + 1 + right;
    }
    tree
}
