//! Graph algorithms as textbooks have them, with no matrix in sight. An entry (i, j) is an edge from i to j.

use mattock::Csr;
use std::collections::{BTreeSet, VecDeque};

/// Triangles of the undirected graph with an edge wherever there is one either way.
pub fn triangles<T>(graph: &Csr<T>) -> u64 {
    let mut neighbours = vec![BTreeSet::new(); graph.rows()];
    for (from, to, _) in graph.entries() {
        if from != to as usize {
            neighbours[from].insert(to);
            neighbours[to as usize].insert(from as u32);
        }
    }
    let mut count = 0;
    for (v, near) in neighbours.iter().enumerate() {
        // Each triangle at its smallest vertex.
        let later: Vec<u32> = near.range(v as u32 + 1..).copied().collect();
        for (i, &u) in later.iter().enumerate() {
            let of_u = &neighbours[u as usize];
            count += later[i + 1..].iter().filter(|w| of_u.contains(w)).count() as u64;
        }
    }
    count
}

/// The largest part of the undirected graph in which every edge is in at least `k - 2` triangles, each edge once with
/// the smaller vertex first: edges in fewer triangles go one by one.
pub fn k_truss<T>(graph: &Csr<T>, k: u32) -> BTreeSet<(u32, u32)> {
    let mut near = vec![BTreeSet::new(); graph.rows()];
    for (from, to, _) in graph.entries().filter(|(from, to, _)| *from != *to as usize) {
        near[from].insert(to);
        near[to as usize].insert(from as u32);
    }
    let all = (0..).zip(&near).flat_map(|(v, set)| set.range(v + 1..).map(move |&u| (v, u)));
    let mut edges: BTreeSet<(u32, u32)> = all.collect();
    let mut doubted: Vec<_> = edges.iter().copied().collect();
    while let Some((v, u)) = doubted.pop() {
        let common: Vec<u32> = near[v as usize].intersection(&near[u as usize]).copied().collect();
        if common.len() as u32 + 2 >= k || !edges.remove(&(v, u)) {
            continue;
        }
        near[v as usize].remove(&u);
        near[u as usize].remove(&v);
        for w in common {
            doubted.extend([(v.min(w), v.max(w)), (u.min(w), u.max(w))]);
        }
    }
    edges
}

/// Edges of a shortest path from `source` to each vertex.
pub fn bfs_levels<T>(graph: &Csr<T>, source: usize) -> Vec<Option<u32>> {
    let mut levels = vec![None; graph.rows()];
    let mut queue = VecDeque::from([(source, 0)]);
    while let Some((vertex, level)) = queue.pop_front() {
        if levels[vertex].is_none() {
            levels[vertex] = Some(level);
            queue.extend(graph.row(vertex).0.iter().map(|&next| (next as usize, level + 1)));
        }
    }
    levels
}

/// Lengths of shortest paths between all pairs, row after row, infinite where there is none (Floyd 1962); `None` when
/// there is a cycle of negative length.
pub fn shortest_paths(graph: &Csr<f64>) -> Option<Vec<f64>> {
    let n = graph.rows();
    let mut distances = vec![f64::INFINITY; n * n];
    for v in 0..n {
        distances[v * n + v] = 0.0;
    }
    for (from, to, &length) in graph.entries() {
        let at = from * n + to as usize;
        distances[at] = distances[at].min(length);
    }
    for by in 0..n {
        let second = distances[by * n..][..n].to_vec();
        for from in 0..n {
            let first = distances[from * n + by];
            if first.is_finite() {
                for (d, s) in distances[from * n..][..n].iter_mut().zip(&second) {
                    *d = d.min(first + s);
                }
            }
        }
    }
    (0..n).all(|v| distances[v * n + v] >= 0.0).then_some(distances)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_below_zero_is_seen() {
        let ring = |last: f64| {
            Csr::new(3, 3, vec![0, 1, 2, 3], vec![1, 2, 0], vec![1.0, 2.0, last]).unwrap()
        };
        assert_eq!(shortest_paths(&ring(-3.0)).unwrap()[1], 1.0);
        assert_eq!(shortest_paths(&ring(-4.0)), None);
        assert_eq!(bfs_levels(&ring(1.0), 1), [Some(2), Some(0), Some(1)]);
        assert_eq!(triangles(&ring(1.0)), 1);
    }
}
