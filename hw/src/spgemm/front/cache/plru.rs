//! Tree pseudo-LRU: one bit per inner node of a binary tree over the ways points to the half used
//! longer ago. Node 0 is the root; node `i` has the children `2 i + 1` and `2 i + 2`.

use rtl_gen::{Sig, all, any, cat};

/// One-hot way that the tree points to. `tree` has `ways - 1` bits.
pub(super) fn victim<'m>(tree: Sig<'m>, ways: u32) -> Vec<Sig<'m>> {
    (0..ways)
        .map(|way| {
            let steps: Vec<Sig> = path(way, ways)
                .map(|(node, right)| if right { tree.bit(node) } else { !tree.bit(node) })
                .collect();
            all(&steps)
        })
        .collect()
}

/// The tree after a use of the one-hot way: each node on its path points away from it.
pub(super) fn touch<'m>(tree: Sig<'m>, used: &[Sig<'m>]) -> Sig<'m> {
    let ways = used.len() as u32;
    let nodes: Vec<Sig> = (0..ways - 1)
        .rev()
        .map(|node| {
            let below = |side: bool| -> Sig<'m> {
                let list: Vec<Sig> = (0..ways)
                    .filter(|&way| path(way, ways).any(|step| step == (node, side)))
                    .map(|way| used[way as usize])
                    .collect();
                any(&list)
            };
            below(false) | (tree.bit(node) & !below(true))
        })
        .collect();
    cat(&nodes)
}

/// From the root to a way: the nodes and whether the way lies to the right.
fn path(way: u32, ways: u32) -> impl Iterator<Item = (u32, bool)> {
    let levels = ways.trailing_zeros();
    (0..levels).scan(0, move |node, level| {
        let right = way >> (levels - 1 - level) & 1 == 1;
        let step = (*node, right);
        *node = 2 * *node + 1 + u32::from(right);
        Some(step)
    })
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn paths_lead_to_distinct_leaves() {
        let steps: Vec<Vec<(u32, bool)>> = (0..4).map(|w| path(w, 4).collect()).collect();
        assert_eq!(steps[0], [(0, false), (1, false)]);
        assert_eq!(steps[1], [(0, false), (1, true)]);
        assert_eq!(steps[2], [(0, true), (2, false)]);
        assert_eq!(steps[3], [(0, true), (2, true)]);
    }
}
