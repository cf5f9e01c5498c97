//! The array of multiply-adds against the reference model, and its timing.

use crate::gemm::ChainArray;
use crate::pe::Chain;
use mattock_spec::format::TupleList;
use mattock_spec::{Format, Rounding, Tuple};
use mattock_testbench::reference::dense::DenseGemm;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter, Module};

const L: usize = Chain::ROWS as usize;

/// An array fed turn after turn, as the engine does.
struct Bench {
    array: ChainArray,
    sim: Interpreter,
}

#[derive(Clone, Copy, Debug)]
struct Setting {
    tuple: usize,
    swap: bool,
    mode: usize,
    saturate: bool,
    /// A turn in so many is without a step.
    idle: u32,
}

/// Codes of a tile, R x K and K x C.
type Tile = (Vec<u32>, Vec<u32>);

impl Bench {
    fn new(pe_rows: u32, cols: u32, names: &[&str]) -> Bench {
        let mut tuples = TupleList::default();
        names.iter().for_each(|name| assert!(tuples.push(name.parse().unwrap())));
        let bits = tuples.iter().flat_map(|t| [t.a, t.b]).map(Format::storage_bits);
        let width = bits.max().unwrap();
        let array = ChainArray { rows: pe_rows * Chain::ROWS, cols, width, tuples };
        let design = Design::elaborate(&array).expect("elaborates");
        Bench { array, sim: Interpreter::new(&design).expect("simulates") }
    }

    /// Elements of the array's width as words.
    fn pack(&self, codes: &[u32]) -> Vec<u32> {
        let width = self.array.width;
        let word =
            |some: &[u32]| some.iter().rev().fold(0u64, |v, x| v << width | u64::from(*x)) as u32;
        codes.chunks(32 / width as usize).map(word).collect()
    }

    /// Products of tiles; all results in order.
    fn multiply(
        &mut self,
        s: Setting,
        tiles: &[Tile],
        k: usize,
        rng: &mut StdRng,
    ) -> Vec<Vec<u32>> {
        let (rows, cols) = (self.array.rows as usize, self.array.cols as usize);
        let latency = self.array.latency() as usize;
        for (name, value) in [
            ("tuple", s.tuple as u64),
            ("swap", s.swap.into()),
            ("rounding", s.mode as u64),
            ("saturate", s.saturate.into()),
        ] {
            let port = self.sim.port(name);
            self.sim.set(port, value);
        }
        let port = |name: &str| self.sim.port(name);
        let [turn, first, valid, a, b, result] =
            ["turn", "first", "valid", "a", "b", "result"].map(port);
        // The formats settle.
        [turn, first, valid].into_iter().for_each(|port| self.sim.set(port, 0));
        (0..4).for_each(|_| self.sim.tick());
        // Turns: (tile, step), or nothing; a tile lasts at least as long as its rows leave.
        let mut turns: Vec<Option<(usize, usize)>> = vec![];
        for tile in 0..tiles.len() {
            let begin = turns.len();
            for step in 0..k {
                turns.push(Some((tile, step)));
                while s.idle > 0 && rng.random_ratio(1, s.idle) {
                    turns.push(None);
                }
            }
            while turns.len() < begin + rows / L {
                turns.push(None);
            }
        }
        turns.push(Some((tiles.len(), 0)));
        let mut out = vec![vec![0; rows * cols]; tiles.len()];
        let mut drains = vec![];
        let mut words = vec![0u32; cols];
        for cycle in 0..turns.len() * L + latency + rows + cols {
            let now = turns.get(cycle / L).copied().flatten().filter(|_| cycle % L == 0);
            // Stale codes that must not count.
            let (mut x, mut y) = (vec![!0; rows], vec![!0; cols]);
            if let Some((tile, step)) = now
                && let Some((left, right)) = tiles.get(tile)
            {
                x = (0..rows).map(|r| left[r * k + step]).collect();
                y = (0..cols).map(|c| right[step * cols + c]).collect();
            }
            let there = now.is_some_and(|(tile, _)| tile < tiles.len());
            let starts = now.is_some_and(|(_, step)| step == 0);
            if let Some((tile, 0)) = now
                && tile > 0
            {
                drains.push((cycle + latency, tile - 1));
            }
            self.sim.set(turn, (cycle % L == 0).into());
            self.sim.set(first, starts.into());
            self.sim.set(valid, there.into());
            let mask = |codes: Vec<u32>| -> Vec<u32> {
                codes.iter().map(|x| x & (u32::MAX >> (32 - self.array.width))).collect()
            };
            let (x, y) = (self.pack(&mask(x)), self.pack(&mask(y)));
            self.sim.set_words(a, &x);
            self.sim.set_words(b, &y);
            self.sim.get_words(result, &mut words);
            for &(from, tile) in &drains {
                for (c, &word) in words.iter().enumerate() {
                    let Some(row) = cycle.checked_sub(from + c) else { continue };
                    if row < rows {
                        out[tile][row * cols + c] = word;
                    }
                }
            }
            self.sim.tick();
        }
        out
    }

    fn check(&mut self, s: Setting, tiles: &[Tile], k: usize, rng: &mut StdRng) {
        let (rows, cols) = (self.array.rows as usize, self.array.cols as usize);
        let tuple = self.array.tuples.get(s.tuple).unwrap();
        let (a, b) = if s.swap { (tuple.b, tuple.a) } else { (tuple.a, tuple.b) };
        let reference = DenseGemm {
            rounding: Rounding::ALL[s.mode],
            saturate: s.saturate,
            ..DenseGemm::new(Tuple { a, b, ..tuple })
        };
        let got = self.multiply(s, tiles, k, rng);
        for ((x, y), got) in tiles.iter().zip(got) {
            let expected = reference.product(x, y, &[], [rows, cols, k]).unwrap();
            for (i, (&got, &want)) in got.iter().zip(&expected).enumerate() {
                let (row, col) = (i / cols, i % cols);
                let (x, y): (Vec<u32>, Vec<u32>) =
                    (0..k).map(|l| (x[row * k + l], y[l * cols + col])).unzip();
                assert_eq!(
                    got, want,
                    "{tuple} {s:?} at {row}, {col}: {got:#x}, {want:#x}\n{x:x?}\n{y:x?}"
                );
            }
        }
    }
}

/// Codes of every kind: any, small numbers, those of sums that cancel, specials.
fn codes(format: Format, count: usize, kind: usize, rng: &mut StdRng) -> Vec<u32> {
    let Format::Float(f) = format else { unreachable!("a float") };
    let (m, e) = (f.mantissa_bits(), f.exponent_bits());
    let any = |rng: &mut StdRng| rng.random::<u32>() & (u32::MAX >> (32 - f.bits()));
    let mut draw = |_| match kind {
        // Near one, so that sums neither overflow nor are all one term's.
        0 => {
            any(rng) & !(((1 << e) - 1) << m)
                | ((f.bias() as u32).wrapping_sub(rng.random_range(0..4)) & ((1 << e) - 1)) << m
        }
        1 => loop {
            let code = any(rng);
            if format.decode(code).to_f64().is_finite() {
                break code;
            }
        },
        // Subnormals and the smallest normal numbers.
        2 => any(rng) & !((((1 << e) - 1) & !1) << m),
        _ => {
            let edges = [0, 1, 1 << m, f.max_code(), f.max_code() + 1, (1 << (m + e)) - 1];
            let edge = edges[rng.random_range(0..edges.len())] & ((1 << (m + e)) - 1);
            if rng.random_ratio(1, 3) {
                any(rng)
            } else {
                edge | u32::from(rng.random::<bool>()) << (m + e)
            }
        }
    };
    (0..count).map(&mut draw).collect()
}

fn random_tiles(pe_rows: u32, cols: u32, names: &[&str], runs: usize) {
    let mut rng = StdRng::seed_from_u64(names.len() as u64);
    let mut bench = Bench::new(pe_rows, cols, names);
    for run in 0..runs {
        let s = Setting {
            tuple: run % names.len(),
            swap: run / names.len() % 2 == 1,
            mode: run % 5,
            saturate: run % 7 == 3,
            idle: [0, 3, 0][run % 3],
        };
        let tuple = bench.array.tuples.get(s.tuple).unwrap();
        let (a, b) = if s.swap { (tuple.b, tuple.a) } else { (tuple.a, tuple.b) };
        let (k, rows) = (rng.random_range(1..=20), bench.array.rows as usize);
        let tiles: Vec<_> = (0..4)
            .map(|_| {
                let kind = rng.random_range(0..4);
                let left = codes(a, rows * k, kind, &mut rng);
                (left, codes(b, k * cols as usize, kind, &mut rng))
            })
            .collect();
        bench.check(s, &tiles, k, &mut rng);
    }
}

#[test]
fn chains_of_one_format_are_the_references() {
    random_tiles(2, 3, &["f16,f16,f32"], 40);
    random_tiles(1, 1, &["bf16,bf16,f32"], 60);
    random_tiles(3, 2, &["f32,f32,f32"], 40);
    // A column further to the right than a turn is long.
    random_tiles(1, 18, &["f16,f16,f32"], 10);
}

#[test]
fn chains_of_several_formats_are_the_references() {
    random_tiles(2, 2, &["f16,f16,f32", "bf16,bf16,f32", "e4m3,f16,f32", "e5m2,bf16,f32"], 80);
    random_tiles(1, 2, &["f32,f32,f32", "f16,f32,f32", "bf16,f16,f32", "e2m1,f16,f32"], 80);
}

#[test]
fn refuses_what_is_not_chained() {
    let mut array = Bench::new(1, 1, &["f16,f16,f32"]).array;
    array.rows = 12;
    assert_eq!(array.check().unwrap_err(), "12 rows of sums; a multiple of 8 up to 256 is built");
    array.rows = 8;
    assert!(array.tuples.push("e4m3,e4m3,f32".parse().unwrap()));
    assert_eq!(array.check().unwrap_err(), "gemm.tuples lists e4m3,e4m3,f32, whose sums are exact");
}
