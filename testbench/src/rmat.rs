//! Recursive-matrix random graphs.

use mattock::Csr;
use mattock::sparse::Triplets;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::fmt;
use std::str::FromStr;

/// An R-MAT graph (Chakrabarti, Zhan, Faloutsos, R-MAT: A Recursive Model for Graph Mining, SDM
/// 2004): each edge falls into a quadrant of the matrix with probabilities a, b, c, d, and so on
/// inside that quadrant. The same parameters and seed give the same graph on every machine.
///
/// As text, `scale=14,edges=16,seed=1` or with `a`, `b` and `c` besides: `scale=14,edges=16,seed=1,a=0.3,b=0.25,c=0.25`.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// The usual probabilities: upper left, upper right, lower left.
    pub const QUADRANTS: [f64; 3] = [0.57, 0.19, 0.19];
    /// Most edges that text may ask for: 2^28.
    pub const MOST_EDGES: u64 = 1 << 28;

    /// A graph with the usual probabilities.
    pub fn new(scale: u32, edge_factor: usize, seed: u64) -> Self {
        Self { scale, edge_factor, quadrants: Self::QUADRANTS, seed }
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

impl fmt::Display for Rmat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scale, edge_factor, quadrants: [a, b, c], seed } = self;
        write!(f, "scale={scale},edges={edge_factor},seed={seed}")?;
        if self.quadrants == Self::QUADRANTS {
            return Ok(());
        }
        write!(f, ",a={a},b={b},c={c}")
    }
}

impl FromStr for Rmat {
    /// What is wrong with the text.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut scale, mut edge_factor, mut seed) = (None, None, None);
        let mut quadrants = Self::QUADRANTS;
        for part in text.split(',') {
            let (key, value) =
                part.split_once('=').ok_or_else(|| format!("{part:?} is no KEY=VALUE"))?;
            let whole = || value.parse::<u64>().map_err(|_| format!("{part:?} is no whole number"));
            match key {
                "scale" => scale = Some(whole()?),
                "edges" => edge_factor = Some(whole()?),
                "seed" => seed = Some(whole()?),
                "a" | "b" | "c" => {
                    let share = value.parse().ok().filter(|share| (0.0..=1.0).contains(share));
                    let place = &mut quadrants[usize::from(key.as_bytes()[0] - b'a')];
                    *place = share.ok_or_else(|| format!("{part:?} is no number from 0 to 1"))?;
                }
                _ => return Err(format!("{key:?} is none of scale, edges, seed, a, b, c")),
            }
        }
        let missing = |key: &str| format!("{key} is missing");
        let scale = scale.ok_or_else(|| missing("scale"))?;
        let edge_factor = edge_factor.ok_or_else(|| missing("edges"))?;
        let seed = seed.ok_or_else(|| missing("seed"))?;
        if quadrants.iter().sum::<f64>() > 1.0 {
            return Err("a, b and c together are more than 1".into());
        }
        if scale > 28 || edge_factor > Self::MOST_EDGES >> scale {
            return Err(format!("2^scale * edges is more than {}", Self::MOST_EDGES));
        }
        // Both are at most 2^28.
        Ok(Self { scale: scale as u32, edge_factor: edge_factor as usize, quadrants, seed })
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

    #[test]
    fn text_and_graph_name_each_other() {
        for text in ["scale=14,edges=16,seed=1", "scale=4,edges=2,seed=3,a=0.25,b=0.25,c=0.25"] {
            assert_eq!(text.parse::<Rmat>().unwrap().to_string(), text);
        }
        let wrong = |text: &str| text.parse::<Rmat>().unwrap_err();
        for (text, part) in [
            ("", "no KEY=VALUE"),
            ("scale=4,edges=2", "seed is missing"),
            ("scale=4,edges=2,seed=-1", "no whole number"),
            ("scale=4,edges=2,seed=1,a=NaN", "from 0 to 1"),
            ("scale=4,edges=2,seed=1,a=0.7", "more than 1"),
            ("scale=4,edges=2,seed=1,d=0.7", "none of"),
            ("scale=29,edges=1,seed=1", "more than"),
            ("scale=28,edges=2,seed=1", "more than"),
            ("scale=0,edges=18446744073709551615,seed=1", "more than"),
        ] {
            assert!(wrong(text).contains(part), "{text}: {}", wrong(text));
        }
    }
}
