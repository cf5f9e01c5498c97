//! Decoders, exact windows and rounding against the reference model.

use crate::float::Round;
use crate::gemm::TypedArray;
use mattock_spec::format::{Float, TupleList};
use mattock_spec::{Format, Rounding, Tuple};
use mattock_testbench::reference::dense::{DenseGemm, ExactSum, Number, RoundTo};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::{Design, Interpreter};
use std::collections::VecDeque;

const MODES: [Rounding; 5] =
    [Rounding::Rne, Rounding::Rz, Rounding::Ru, Rounding::Rd, Rounding::Rna];

fn tuples(names: &[&str]) -> TupleList {
    let mut list = TupleList::default();
    for name in names {
        assert!(list.push(name.parse().unwrap()));
    }
    list
}

/// An array fed tile after tile, as the engine does.
struct Bench {
    array: TypedArray,
    sim: Interpreter,
}

impl Bench {
    fn new(rows: u32, cols: u32, names: &[&str]) -> Bench {
        let array = TypedArray { rows, cols, tuples: tuples(names) };
        let design = Design::elaborate(&array).expect("elaborates");
        Bench { array, sim: Interpreter::new(&design).expect("simulates") }
    }

    /// Products of tiles, each R x K times K x C in codes; all results in order.
    fn multiply(
        &mut self,
        setting: Setting,
        tiles: &[(Vec<u32>, Vec<u32>)],
        k: usize,
    ) -> Vec<Vec<u32>> {
        let (rows, cols) = (self.array.rows as usize, self.array.cols as usize);
        let period = k.max(rows);
        let latency = self.array.latency() as usize;
        let port = |name: &str| self.sim.port(name);
        let [first, valid, a, b, result] = ["first", "valid", "a", "b", "result"].map(port);
        for (name, value) in [
            ("tuple", setting.tuple as u64),
            ("swap", setting.swap.into()),
            ("rounding", setting.mode as u64),
            ("saturate", setting.saturate.into()),
        ] {
            let port = self.sim.port(name);
            self.sim.set(port, value);
        }
        self.sim.set(valid, 0);
        self.sim.set(first, 0);
        (0..4).for_each(|_| self.sim.tick());
        let pack = |codes: &[u32]| -> Vec<u32> {
            let word = |w: &[u32]| w.iter().rev().fold(0, |v, x| v << 8 | (x & 0xff));
            codes.chunks(4).map(word).collect()
        };
        let mut out = vec![vec![0; rows * cols]; tiles.len()];
        let mut words = vec![0u32; cols];
        for cycle in 0..period * (tiles.len() + 1) + latency + rows + cols {
            let (tile, step) = (cycle / period, cycle % period);
            let there = tile < tiles.len() && step < k;
            let (mut x, mut y) = (vec![0xff; rows], vec![0xff; cols]); // stale codes that must not count
            if there {
                let (left, right) = &tiles[tile];
                x = (0..rows).map(|r| left[r * k + step]).collect();
                y = (0..cols).map(|c| right[step * cols + c]).collect();
            }
            self.sim.set(first, (step == 0 && tile <= tiles.len()).into());
            self.sim.set(valid, there.into());
            self.sim.set_words(a, &pack(&x));
            self.sim.set_words(b, &pack(&y));
            self.sim.get_words(result, &mut words);
            for (c, &word) in words.iter().enumerate() {
                let Some(since) = cycle.checked_sub(latency + c) else { continue };
                let (drain, row) = (since / period, since % period);
                if row < rows && (1..=tiles.len()).contains(&drain) {
                    out[drain - 1][row * cols + c] = word;
                }
            }
            self.sim.tick();
        }
        out
    }

    fn check(&mut self, setting: Setting, tiles: &[(Vec<u32>, Vec<u32>)], k: usize) {
        let (rows, cols) = (self.array.rows as usize, self.array.cols as usize);
        let tuple = self.array.tuples.get(setting.tuple).unwrap();
        let (a, b) = if setting.swap { (tuple.b, tuple.a) } else { (tuple.a, tuple.b) };
        let reference = DenseGemm {
            rounding: MODES[setting.mode],
            saturate: setting.saturate && !tuple.a.is_integer(),
            ..DenseGemm::new(Tuple { a, b, ..tuple })
        };
        let got = self.multiply(setting, tiles, k);
        for ((x, y), got) in tiles.iter().zip(got) {
            let expected = reference.product(x, y, &[], [rows, cols, k]).unwrap();
            for (i, (&got, &want)) in got.iter().zip(&expected).enumerate() {
                assert_eq!(
                    got, want,
                    "{tuple} {setting:?} K {k} element {i}: {got:#x}, expected {want:#x}\n{x:x?}\n{y:x?}"
                );
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Setting {
    tuple: usize,
    swap: bool,
    mode: usize,
    saturate: bool,
}

fn codes(format: Format, count: usize, any: bool, rng: &mut StdRng) -> Vec<u32> {
    let draw = |_| loop {
        let code = rng.random_range(0..1u32 << format.bits());
        if any || format.decode(code).to_f64().is_finite() {
            break code;
        }
    };
    (0..count).map(draw).collect()
}

fn random_tiles(names: &[&str], runs: usize) {
    let mut rng = StdRng::seed_from_u64(names.len() as u64);
    let mut bench = Bench::new(3, 4, names);
    for run in 0..runs {
        let setting = Setting {
            tuple: run % names.len(),
            swap: run / names.len() % 2 == 1,
            mode: run % 5,
            saturate: run % 7 == 3,
        };
        let tuple = bench.array.tuples.get(setting.tuple).unwrap();
        let (a, b) = if setting.swap { (tuple.b, tuple.a) } else { (tuple.a, tuple.b) };
        let k = rng.random_range(1..=40);
        let any = run % 4 == 0;
        let tiles: Vec<_> = (0..6)
            .map(|_| (codes(a, 3 * k, any, &mut rng), codes(b, k * 4, any, &mut rng)))
            .collect();
        bench.check(setting, &tiles, k);
    }
}

#[test]
fn random_tiles_of_mixed_cards_are_the_references() {
    random_tiles(
        &["e4m3,e4m3,f32", "e5m2,e4m3,f32", "e2m1,e2m1,f32", "i8,i8,i32", "u8,i8,i32"],
        100,
    );
    random_tiles(&["e5m2,e5m2,f32", "e3m2,e2m3,f32", "i4,i8,i32", "b4,u3,i32"], 80);
    random_tiles(&["e3m4,e1m6,f32", "e4m0,e1m0,f32", "e5m1,e3m2,f32"], 60);
    random_tiles(&["u8,u8,i32", "i5,b8,i32", "b1,i7,i32"], 60);
    random_tiles(&["e2m1,e2m1,f32"], 40);
}

/// Every pair of codes, 256 products of a 16 x 16 array at a time.
fn exhaustive(names: &[&str]) {
    let mut bench = Bench::new(16, 16, names);
    for tuple in 0..names.len() {
        let t = bench.array.tuples.get(tuple).unwrap();
        let groups = |f: Format| (1u32 << f.bits()).div_ceil(16);
        let group = |f: Format, g: u32| -> Vec<u32> {
            (0..16).map(|i| (g * 16 + i) & ((1 << f.bits()) - 1)).collect()
        };
        let tiles: Vec<_> = (0..groups(t.a))
            .flat_map(|i| (0..groups(t.b)).map(move |j| (i, j)))
            .map(|(i, j)| (group(t.a, i), group(t.b, j)))
            .collect();
        bench.check(Setting { tuple, swap: false, mode: 0, saturate: false }, &tiles, 1);
    }
}

#[test]
fn all_codes_of_pairs_multiply_exactly() {
    exhaustive(&["e4m3,e4m3,f32", "e5m2,e4m3,f32", "e2m1,e2m1,f32"]);
    exhaustive(&["e5m2,e5m2,f32", "e3m2,e2m3,f32"]);
    exhaustive(&["u8,i8,i32", "b8,i8,i32", "e4m3,e5m2,f32"]);
}

#[test]
fn sums_are_rounded_as_the_reference_rounds_them() {
    for (window, lowest) in [(53, -18), (81, -32), (32, -2), (97, -48)] {
        let round = Round { window, flags: true, to: Float::F32 };
        let design = Design::elaborate(&round).expect("elaborates");
        let mut sim = Interpreter::new(&design).expect("simulates");
        let mut rng = StdRng::seed_from_u64(window.into());
        let port = |name: &str| sim.port(name);
        let [sum, exponent, integer, mode, random, saturate, result] =
            ["sum", "exponent", "is_int", "mode", "random", "saturate", "result"].map(port);
        sim.set(exponent, (127 + lowest) as u64);
        sim.set(integer, 0);
        for mode_now in 0..6 {
            let saturates = mode_now % 2 == 1;
            sim.set(mode, mode_now as u64);
            sim.set(saturate, saturates.into());
            let mut pending: VecDeque<u32> = VecDeque::new();
            for case in 0..3000 {
                let width = rng.random_range(0..window);
                let mut value: i128 =
                    if width == 0 { 0 } else { rng.random::<u128>() as i128 & ((1 << width) - 1) };
                if width > 26 && case % 3 == 0 {
                    // A tie, or next to one.
                    let below = width - 25;
                    value = (value >> below << below | 1 << (below - 1)) + rng.random_range(-1..=1);
                }
                if rng.random() {
                    value = -value;
                }
                let flags = if case % 20 == 0 { rng.random_range(0..8u128) } else { 0 };
                let bits: u16 = rng.random();
                let word = value as u128 & ((1u128 << window) - 1) | flags << window;
                let words: Vec<u32> =
                    (0..(window + 3).div_ceil(32)).map(|i| (word >> (32 * i)) as u32).collect();
                sim.set_words(sum, &words);
                sim.set(random, bits.into());
                let mut exact = ExactSum::new();
                exact.add(Number::Finite {
                    negative: value < 0,
                    significand: value.unsigned_abs(),
                    exponent: lowest,
                });
                let infinite = |negative| Number::Infinite { negative };
                for (i, term) in
                    [infinite(true), infinite(false), Number::Nan].into_iter().enumerate()
                {
                    if flags >> i & 1 == 1 {
                        exact.add(term);
                    }
                }
                let to = RoundTo {
                    rounding: MODES[mode_now.min(4)],
                    saturate: saturates,
                    random: (mode_now == 5).then_some(bits),
                    ..RoundTo::nearest(Format::F32)
                };
                pending.push_back(exact.round(&to));
                if pending.len() > Round::LATENCY as usize {
                    let want = pending.pop_front().unwrap();
                    let got = sim.get(result) as u32;
                    assert_eq!(
                        got, want,
                        "window {window} mode {mode_now} case {case}: {got:#x}, {want:#x}"
                    );
                }
                sim.tick();
            }
        }
    }
}
