//! Graph algorithms as sparse products on the card.
//!
//! A graph is a square matrix: an entry (i, j) is an edge from vertex i to vertex j. The linear-algebraic forms are
//! those of Kepner and Gilbert (ed.), Graph Algorithms in the Language of Linear Algebra, SIAM 2011.

use crate::device::Context;
use crate::sparse::{Mask, Semiring, SparseSum, SparseValue, SpgemmOptions, SpgemmStats, Triplets};
use crate::{Csr, Error};

/// Positions of the arguments, for [`Error::InvalidArg`].
const ARG_GRAPH: usize = 1;
const ARG_SOURCE: usize = 2;
const ARG_K: usize = 2;

impl Context {
    /// Triangles of the undirected graph with an edge wherever `graph` has one either way; loops count for nothing.
    ///
    /// With U = [`oriented`]: the sum of U * U over plus and pair at the entries of U. Each triangle is counted once, at
    /// its vertex of least degree.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] for a matrix that is not square; otherwise as [`spgemm`](Self::spgemm).
    pub fn triangles<T>(&self, graph: &Csr<T>) -> Result<(u64, SpgemmStats), Error> {
        let edges = oriented(graph)?;
        let options = over(Semiring::PlusPair);
        let (c, stats) = self.spgemm_masked(&edges, &edges, &Mask::structure(&edges), &options)?;
        // A count is below the number of vertices, which 32 bits hold.
        Ok((c.values().iter().map(|&count| u64::from(count as u32)).sum(), stats))
    }

    /// For each vertex the number of edges of a shortest path from `source` along the edges' directions; `None` where
    /// there is no path.
    ///
    /// One product of a sparse row vector with the graph, over or and and, for each level; the graph stays in card
    /// memory.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] for a matrix that is not square or a source that is no vertex; otherwise as
    /// [`spgemm`](Self::spgemm).
    pub fn bfs_levels<T>(
        &self,
        graph: &Csr<T>,
        source: usize,
    ) -> Result<(Vec<Option<u32>>, SpgemmStats), Error> {
        let vertices = square(graph)?;
        if source >= vertices {
            let what = format!("it is vertex {source}, the graph has {vertices}, from 0");
            return Err(Error::invalid_arg(ARG_SOURCE, what));
        }
        let pattern = graph.map(|_| 1i32);
        let resident = self.resident(&pattern, &over(Semiring::OrAnd))?;
        let mut levels = vec![None; vertices];
        let mut stats = SpgemmStats::default();
        levels[source] = Some(0);
        // Below 2^32: columns are 32 bits.
        let mut frontier = vec![source as u32];
        for level in 1.. {
            let ones = vec![1; frontier.len()];
            let row = Csr::new(1, vertices, vec![0, frontier.len() as u64], frontier, ones)?;
            let (reached, cost) = resident.multiply(&row)?;
            stats += cost;
            frontier = reached.col_idx().to_vec();
            frontier.retain(|&v| levels[v as usize].is_none());
            if frontier.is_empty() {
                break;
            }
            frontier.iter().for_each(|&v| levels[v as usize] = Some(level));
        }
        Ok((levels, stats))
    }

    /// The k-truss of the undirected graph: its largest part in which every edge is in at least k - 2 triangles. Both
    /// directions of each edge are entries; the value is the number of its triangles.
    ///
    /// S = A * A over plus and pair at the entries of A; edges with less than k - 2 go, until all stay (Davis, Graph
    /// algorithms via SuiteSparse:GraphBLAS: triangle counting and K-truss, HPEC 2018).
    ///
    /// # Errors
    /// [`Error::InvalidArg`] for a matrix that is not square or a `k` below 3; otherwise as [`spgemm`](Self::spgemm).
    pub fn k_truss<T>(&self, graph: &Csr<T>, k: u32) -> Result<(Csr<i32>, SpgemmStats), Error> {
        if k < 3 {
            let what = format!("it is {k}, at least 3: all edges are a 2-truss");
            return Err(Error::invalid_arg(ARG_K, what));
        }
        let mut edges = undirected(graph)?;
        let mut stats = SpgemmStats::default();
        loop {
            let (ones, options) = (edges.pattern(1i32), over(Semiring::PlusPair));
            let (support, cost) =
                self.spgemm_masked(&ones, &ones, &Mask::structure(&ones), &options)?;
            stats += cost;
            // A count is below the number of vertices, which 32 bits hold.
            let kept = support.retain(|_, _, count| *count as u32 >= k - 2);
            let done = kept.nnz() == edges.nnz();
            edges = kept;
            if done {
                return Ok((edges, stats));
            }
        }
    }

    /// Lengths of the shortest paths between all pairs of vertices; no entry where there is no path, 0 from a vertex to
    /// itself. Edges may have negative lengths.
    ///
    /// D = D * D over min and plus, until nothing changes or every path has been seen: at most log2 of the vertices,
    /// rounded up, products. Lengths of `f32` are rounded at each doubling.
    ///
    /// # Errors
    /// [`Error::InvalidArg`] for a matrix that is not square, lengths that are NaN or whose sums may leave `i32`, and a cycle
    /// of negative length; otherwise as [`spgemm`](Self::spgemm).
    pub fn shortest_paths<T: SparseSum + PartialOrd + Into<f64>>(
        &self,
        graph: &Csr<T>,
    ) -> Result<(Csr<T>, SpgemmStats), Error> {
        let vertices = square(graph)?;
        check_lengths(graph)?;
        let mut distances = with_diagonal(graph)?;
        let mut stats = SpgemmStats::default();
        let options = over(Semiring::MinPlus);
        let refuse_cycles = |distances: &Csr<T>| match negative_cycle(distances) {
            None => Ok(()),
            Some(vertex) => {
                let what = format!("it has a cycle of negative length through vertex {vertex}");
                Err(Error::invalid_arg(ARG_GRAPH, what))
            }
        };
        // After k products paths of 2^k edges are seen; a cycle has at most as many as there are vertices.
        for _ in 0..vertices.next_power_of_two().trailing_zeros() {
            refuse_cycles(&distances)?;
            let (next, cost) = self.spgemm(&distances, &distances, &options)?;
            stats += cost;
            let settled = next == distances;
            distances = next;
            if settled {
                break;
            }
        }
        refuse_cycles(&distances)?;
        Ok((distances, stats))
    }
}

/// The undirected graph with each edge once, from the vertex of lower degree (of equal ones, the lower number) to the other:
/// rows are short even where degrees are not. Loops are left out.
///
/// # Errors
/// [`Error::InvalidArg`] for a matrix that is not square.
pub fn oriented<T>(graph: &Csr<T>) -> Result<Csr<i32>, Error> {
    let vertices = square(graph)?;
    let mut pairs = Triplets::new();
    for (row, col, _) in graph.entries() {
        let row = row as u32; // as many rows as columns
        if row != col {
            pairs.push(row.min(col), row.max(col), 1);
        }
    }
    let pairs = pairs.into_csr(vertices, vertices, |_, _| 1)?;
    let mut degree = vec![0u32; vertices];
    for (row, col, _) in pairs.entries() {
        degree[row] += 1;
        degree[col as usize] += 1;
    }
    let mut edges = Triplets::new();
    for (row, col, _) in pairs.entries() {
        let row = row as u32;
        let forward = degree[row as usize] <= degree[col as usize];
        let (from, to) = if forward { (row, col) } else { (col, row) };
        edges.push(from, to, 1);
    }
    Ok(edges.into_csr(vertices, vertices, |_, _| 1)?)
}

/// An edge each way wherever there is one; no loops.
///
/// # Errors
/// [`Error::InvalidArg`] for a matrix that is not square.
pub fn undirected<T>(graph: &Csr<T>) -> Result<Csr<i32>, Error> {
    let vertices = square(graph)?;
    let mut edges = Triplets::new();
    for (row, col, _) in graph.entries() {
        let row = row as u32; // as many rows as columns
        if row != col {
            edges.push(row, col, 1);
            edges.push(col, row, 1);
        }
    }
    Ok(edges.into_csr(vertices, vertices, |_, _| 1)?)
}

fn over(semiring: Semiring) -> SpgemmOptions {
    SpgemmOptions { semiring, chunked: true, ..SpgemmOptions::default() }
}

fn square<T>(graph: &Csr<T>) -> Result<usize, Error> {
    if graph.rows() == graph.cols() {
        return Ok(graph.rows());
    }
    let what = format!("it is {} x {}, a graph is square", graph.rows(), graph.cols());
    Err(Error::invalid_arg(ARG_GRAPH, what))
}

/// No NaN, and no sum of lengths that leaves `i32`.
fn check_lengths<T: SparseValue + Into<f64>>(graph: &Csr<T>) -> Result<(), Error> {
    let refuse = |row: usize, col: u32, value: f64, why: &str| {
        let what = format!("the edge from {row} to {col} has length {value}, {why}");
        Err(Error::invalid_arg(ARG_GRAPH, what))
    };
    // A doubled path of all vertices, as squaring forms it.
    let most = f64::from(i32::MAX) / (2.0 * graph.rows().max(1) as f64);
    for (row, col, &value) in graph.entries() {
        let value: f64 = value.into();
        if value.is_nan() {
            return refuse(row, col, value, "which is no length");
        }
        if T::TYPE == i32::TYPE && value.abs() > most {
            let why =
                format!("sums of which may leave 32 bits; at most {} is allowed", most.floor());
            return refuse(row, col, value, &why);
        }
    }
    Ok(())
}

/// The same lengths, and from each vertex to itself at most 0.
fn with_diagonal<T: SparseSum + PartialOrd>(graph: &Csr<T>) -> Result<Csr<T>, Error> {
    let mut lengths = Triplets::new();
    for (row, col, &value) in graph.entries() {
        lengths.push(row as u32, col, value);
    }
    for vertex in 0..graph.rows() {
        lengths.push(vertex as u32, vertex as u32, T::ZERO);
    }
    let least = |x: &T, y: &T| if y < x { *y } else { *x };
    Ok(lengths.into_csr(graph.rows(), graph.cols(), least)?)
}

fn negative_cycle<T: SparseSum + PartialOrd>(distances: &Csr<T>) -> Option<usize> {
    let negative = |&(row, col, value): &(usize, u32, &T)| row == col as usize && *value < T::ZERO;
    distances.entries().find(negative).map(|(row, _, _)| row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_point_to_higher_degrees_once() {
        let mut entries = Triplets::new();
        for (row, col) in [(0, 1), (1, 0), (0, 2), (3, 0), (2, 2), (1, 2)] {
            entries.push(row, col, 7u8);
        }
        let edges = oriented(&entries.into_csr(4, 4, |a, _| *a).unwrap()).unwrap();
        let list: Vec<_> = edges.entries().map(|(row, col, _)| (row, col)).collect();
        assert_eq!(list, [(1, 0), (1, 2), (2, 0), (3, 0)]);
        assert!(oriented(&Csr::<u8>::empty(2, 3).unwrap()).is_err());
    }

    #[test]
    fn lengths_out_of_range_are_refused() {
        let one = |value: f32| Csr::new(2, 2, vec![0, 1, 1], vec![1], vec![value]).unwrap();
        assert!(check_lengths(&one(f32::NAN)).is_err());
        assert!(check_lengths(&one(f32::INFINITY)).is_ok());
        let whole = |value: i32| one(0.0).map(|_| value);
        assert!(check_lengths(&whole(i32::MAX / 4)).is_ok());
        assert!(check_lengths(&whole(i32::MIN)).is_err());
    }
}
