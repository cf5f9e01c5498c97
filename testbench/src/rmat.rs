//! Recursive-matrix random graphs.

use mattock::Csr;
use mattock::sparse::Triplets;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// An R-MAT graph (Chakrabarti, Zhan, Faloutsos, R-MAT: A Recursive Model for Graph Mining, SDM
/// 2004): each edge falls into a quadrant of the matrix with probabilities a, b, c, d, and so on
/// inside that quadrant. The same parameters and seed give the same graph on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Rmat {
    /// The matrix has 2^scale rows and columns; at most 30.
    pub scale: u32,
    /// Edges drawn for each row, before repeats are merged.
    pub edge_factor: usize,
    /// Probabilities of the quadrants: upper left, upper right, lower left; the rest is lower right.
    pub quadrants: [f64; 3],
    /// Seed of the generator (ChaCha8).
    pub seed: u64,
}

impl Rmat {
    /// A graph with the usual probabilities .57, .19, .19.
    pub fn new(scale: u32, edge_factor: usize, seed: u64) -> Self {
        Self { scale, edge_factor, quadrants: [0.57, 0.19, 0.19], seed }
    }

    /// The pattern of the graph; give it values with [`Csr::map`] or [`Csr::pattern`].
    ///
    /// # Panics
    /// When `scale` is above 30.
    pub fn generate(&self) -> Csr<()> {
        assert!(self.scale <= 30, "R-MAT scale {} is above 30", self.scale);
        let size = 1usize << self.scale;
        let [a, b, c] = self.quadrants;
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut edges = Triplets::new();
        for _ in 0..size * self.edge_factor {
            let (mut row, mut col) = (0u32, 0u32);
            for _ in 0..self.scale {
                let point: f64 = random.random();
                row = row << 1 | u32::from(point >= a + b);
                col = col << 1 | u32::from((a..a + b).contains(&point) || point >= a + b + c);
            }
            edges.push(row, col, ());
        }
        edges.into_csr(size, size, |(), ()| ()).expect("scale bits keep indices inside")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_one_graph_and_it_is_skewed() {
        let graph = Rmat::new(10, 8, 1).generate();
        assert_eq!(graph, Rmat::new(10, 8, 1).generate());
        assert_ne!(graph, Rmat::new(10, 8, 2).generate());
        assert_eq!(graph.rows(), 1024);
        let longest = (0..graph.rows()).map(|row| graph.row_nnz(row)).max().unwrap();
        assert!(longest > 10 * graph.nnz() / graph.rows(), "longest row {longest}");
        // Three quarters of the edges leave the first half of the vertices (.57 + .19).
        let upper = graph.row_ptr()[512] as f64 / graph.nnz() as f64;
        assert!((0.68..0.80).contains(&upper), "{upper}");
    }
}
