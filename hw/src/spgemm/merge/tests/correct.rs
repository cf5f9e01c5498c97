//! Results: every key once, every sum right. `MATTOCK_MERGE_ROUNDS` sets the number of random
//! windows (default 6).

use super::bench::{Bench, CORE, Entry, Operands};
use crate::spgemm::front::Source;
use crate::spgemm::merge::{Algebra, MergeCore, Spread};
use mattock_spec::Semiring;
use mattock_spec::semiring::SEMIRINGS;
use mattock_testbench::reference::Element;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

fn rounds() -> u32 {
    std::env::var("MATTOCK_MERGE_ROUNDS").ok().and_then(|v| v.parse().ok()).unwrap_or(6)
}

/// Products of one window by key, in the order given.
#[derive(Default)]
struct Model {
    products: BTreeMap<(u32, u32), Vec<(u32, u32)>>,
}

impl Model {
    fn add(&mut self, o: Operands) {
        self.products.entry((o.row, o.col)).or_default().push((o.a, o.b));
    }

    fn keys(&self) -> Vec<(u32, u32)> {
        self.products.keys().copied().collect()
    }

    fn check_integers(&self, entries: &[Entry]) {
        let expected: Vec<_> = (self.products.iter())
            .map(|(&(row, col), products)| {
                let sum = |s: u32, &(a, b): &(u32, u32)| s.wrapping_add(a.wrapping_mul(b));
                Entry { row, col, value: products.iter().fold(0, sum), wanted: true }
            })
            .collect();
        assert_eq!(entries.len(), expected.len(), "entries");
        for (got, want) in entries.iter().zip(&expected) {
            assert_eq!(got, want);
        }
    }

    /// Over a semiring, in numbers whose sums are exact in any order.
    fn check_over<T: Element>(
        &self,
        entries: &[Entry],
        semiring: Semiring,
        from: fn(u32) -> T,
        bits: fn(T) -> u32,
    ) {
        let product = |&(a, b): &(u32, u32)| from(a).multiply(from(b), semiring.multiply());
        let expected: Vec<_> = (self.products.iter())
            .map(|(&(row, col), products)| {
                let sum = products.iter().map(product).reduce(|x, y| x.add(y, semiring.add()));
                Entry { row, col, value: bits(sum.expect("a key has a product")), wanted: true }
            })
            .collect();
        assert_eq!(entries, expected, "{semiring}");
    }

    /// `|error| <= n u sum|a||b|`, whatever the order of additions (products rounded once, n - 1 sums).
    fn check_floats(&self, entries: &[Entry]) {
        let keys: Vec<_> = entries.iter().map(|e| (e.row, e.col)).collect();
        assert_eq!(keys, self.keys(), "keys");
        for (entry, products) in entries.iter().zip(self.products.values()) {
            let exact = |&(a, b): &(u32, u32)| f32::from_bits(a) as f64 * f32::from_bits(b) as f64;
            let sum: f64 = products.iter().map(exact).sum();
            let size: f64 = products.iter().map(|p| exact(p).abs()).sum();
            let n = products.len() as f64;
            // One more unit for what the bound drops: higher powers of u.
            let bound =
                (n + 1.0) * f64::from(f32::EPSILON) / 2.0 * size + f64::from(f32::from_bits(1)) * n;
            let error = (f64::from(f32::from_bits(entry.value)) - sum).abs();
            assert!(error <= bound, "{entry:?}: {error:e} beyond {bound:e}, {sum} of {n} products");
        }
    }
}

/// A window of `count` products over about `keys` keys of `rows` rows.
fn window(
    rng: &mut StdRng,
    half: u32,
    count: usize,
    keys: u32,
    rows: u32,
    float: bool,
) -> Vec<Operands> {
    let pool: Vec<(u32, u32)> =
        (0..keys).map(|_| (rng.random_range(0..rows), rng.random_range(0..keys * 2))).collect();
    (0..count)
        .map(|_| {
            let (row, col) = pool[rng.random_range(0..pool.len())];
            let value = |rng: &mut StdRng| {
                if float { rng.random_range(-2.0f32..2.0).to_bits() } else { rng.random() }
            };
            Operands { source: Source::B, half, row, col, a: value(rng), b: value(rng) }
        })
        .collect()
}

/// Windows on alternating halves, each draining while the next one fills.
fn alternating(core: MergeCore, float: bool, pauses: (u32, u32), seed: u32) {
    let mut bench = Bench::new(core, float, seed);
    (bench.lane_pause, bench.drain_pause) = pauses;
    let mut rng = StdRng::seed_from_u64(seed as u64);
    let mut draining: Option<Model> = None;
    for round in 0..rounds() {
        let half = round & 1;
        let keys = [30, 300, 650][round as usize % 3] * core.entries_per_half / 1024;
        let rows = [1, 7, 200][rng.random_range(0..3)];
        let mut model = Model::default();
        for operands in window(&mut rng, half, 3000, keys.max(2), rows, float) {
            model.add(operands);
            bench.push(operands);
        }
        // The half before drains while this one fills.
        bench.settle(half);
        bench.run_until(100_000, |b| !b.drain_busy());
        if let Some(before) = draining.take() {
            let entries = bench.take_entries();
            if float { before.check_floats(&entries) } else { before.check_integers(&entries) }
        }
        bench.start_drain(half, false);
        draining = Some(model);
    }
    bench.run_until(100_000, |b| !b.drain_busy());
    let entries = bench.take_entries();
    let last = draining.expect("a last window");
    if float {
        last.check_floats(&entries)
    } else {
        last.check_integers(&entries)
    }
    bench.check_counts();
    assert_eq!(bench.overflow, [0, 0]);
}

#[test]
fn integer_windows_are_exact() {
    alternating(CORE, false, (0, 0), 1);
}

#[test]
fn integer_windows_are_exact_with_pauses() {
    alternating(CORE, false, (4, 6), 2);
}

#[test]
fn float_windows_keep_the_bound() {
    alternating(CORE, true, (1, 1), 3);
}

#[test]
fn other_shapes_are_exact() {
    let two = MergeCore { lanes: 2, banks: 8, ways: 2, look_ahead: 4, sorter_width: 2, ..CORE };
    alternating(MergeCore { entries_per_half: 256, adder_latency: 3, ..two }, false, (2, 2), 4);
    let one = MergeCore { lanes: 1, banks: 2, ways: 1, look_ahead: 2, sorter_width: 1, ..CORE };
    let one = MergeCore { entries_per_half: 64, index_bits: 20, row_bits: 8, ..one };
    alternating(MergeCore { adder_latency: 8, ..one }, false, (0, 0), 5);
}

/// A core with a choice, cores with one semiring only, and cores whose choice needs few cells.
#[test]
fn every_semiring_adds_up_in_both_types() {
    let all = Algebra::of(SEMIRINGS);
    let small = MergeCore { lanes: 2, banks: 4, entries_per_half: 256, sorter_width: 2, ..CORE };
    let mut algebras: Vec<_> = SEMIRINGS.iter().map(|&s| (all, s)).collect();
    for list in [
        &[Semiring::MinPlus][..],
        &[Semiring::PlusTimes, Semiring::MaxPlus],
        &[Semiring::PlusPair, Semiring::PlusSecond],
        &[Semiring::OrAnd],
    ] {
        algebras.extend(list.iter().map(|&s| (Algebra::of(list), s)));
    }
    for (i, (algebra, semiring)) in algebras.into_iter().enumerate() {
        for float in [false, true] {
            let seed = 100 + i as u32;
            let mut bench = Bench::over(MergeCore { algebra, ..small }, semiring, float, seed);
            (bench.lane_pause, bench.drain_pause) = (1, 1);
            let mut rng = StdRng::seed_from_u64(seed.into());
            let mut model = Model::default();
            for mut operands in window(&mut rng, 1, 500, 100, 9, false) {
                for value in [&mut operands.a, &mut operands.b] {
                    let whole = rng.random_range(-6i32..6);
                    *value = if float { (whole as f32).to_bits() } else { whole as u32 };
                }
                model.add(operands);
                bench.push(operands);
            }
            bench.settle(1);
            bench.drain(1, false);
            let entries = bench.take_entries();
            if float {
                // A sum of -0 and +0 depends on the order; nothing else does.
                let plain = |value: f32| if value == 0.0 { 0 } else { value.to_bits() };
                let mut entries = entries;
                entries.iter_mut().for_each(|e| e.value = plain(f32::from_bits(e.value)));
                model.check_over(&entries, semiring, f32::from_bits, plain);
            } else {
                model.check_over(&entries, semiring, |x| x as i32, |x| x as u32);
            }
            bench.check_counts();
        }
    }
}

/// Least and greatest of special values: signed zeros, infinities, NaN.
#[test]
fn extremes_of_special_floats() {
    let values = [0.0f32, -0.0, 1.5, -1.5, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    for semiring in [Semiring::MinPlus, Semiring::MaxPlus, Semiring::MaxTimes] {
        let core = MergeCore { algebra: Algebra::of(SEMIRINGS), ..CORE };
        let mut bench = Bench::over(core, semiring, true, 5);
        let mut model = Model::default();
        let neutral = if semiring == Semiring::MaxTimes { 1.0f32 } else { -0.0 };
        for (row, &x) in values.iter().enumerate() {
            for (col, &y) in values.iter().enumerate() {
                for a in [x, y] {
                    let (row, col) = (row as u32, col as u32);
                    let (a, b) = (a.to_bits(), neutral.to_bits());
                    let operands = Operands { source: Source::B, half: 0, row, col, a, b };
                    model.add(operands);
                    bench.push(operands);
                }
            }
        }
        bench.settle(0);
        bench.drain(0, false);
        let canonical = |x: f32| if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() };
        model.check_over(&bench.take_entries(), semiring, f32::from_bits, canonical);
    }
}

/// The younger window begins before the older one has settled.
#[test]
fn both_halves_fill_at_once() {
    let mut bench = Bench::new(CORE, false, 21);
    let mut rng = StdRng::seed_from_u64(21);
    let mut models = [Model::default(), Model::default()];
    let older = window(&mut rng, 0, 3000, 600, 30, false);
    let younger = window(&mut rng, 1, 3000, 600, 30, false);
    for pair in older.into_iter().zip(younger) {
        for operands in [pair.0, pair.1] {
            models[operands.half as usize].add(operands);
            bench.push(operands);
        }
    }
    bench.settle(0);
    bench.settle(1);
    for (half, model) in models.iter().enumerate() {
        bench.drain(half as u32, false);
        model.check_integers(&bench.take_entries());
    }
    bench.check_counts();
}

#[test]
fn one_key_is_exact_in_both_types() {
    for float in [false, true] {
        let mut bench = Bench::new(CORE, float, 9);
        let mut model = Model::default();
        for i in 0..4000u32 {
            // Partial sums in any order are integers below 2^24: exact in binary32 too.
            let (a, b) = (i % 61, 1 + i % 67);
            let bits = |x: u32| if float { (x as f32).to_bits() } else { x };
            let operands =
                Operands { source: Source::B, half: 1, row: 3, col: 77, a: bits(a), b: bits(b) };
            model.add(Operands { a, b, ..operands });
            bench.push(operands);
        }
        bench.settle(1);
        bench.drain(1, false);
        let mut entries = bench.take_entries();
        if float {
            entries.iter_mut().for_each(|e| e.value = f32::from_bits(e.value) as u32);
        }
        model.check_integers(&entries);
        bench.check_counts();
    }
}

/// Keys whose first bucket is `bucket` of `bank`.
fn colliding(core: &MergeCore, seed: u32, bank: u32, bucket: u32, count: usize) -> Vec<(u32, u32)> {
    let table = core.table();
    (0u32..)
        .map(|i| (i % 200, i / 3))
        .filter(|&(row, col)| table.place(Spread { seed, lead: 0 }, row, col) == (bank, bucket))
        .take(count)
        .collect()
}

#[test]
fn one_bucket_probes_on() {
    let mut bench = Bench::new(CORE, false, 0xabcd_1234);
    // Eight buckets' worth of keys that all begin at the last bucket of a bank.
    let keys = colliding(&CORE, bench.seed, 5, CORE.table().buckets() - 1, 32);
    let mut rng = StdRng::seed_from_u64(3);
    let mut model = Model::default();
    for i in 0..1500u32 {
        let (row, col) = keys[rng.random_range(0..keys.len())];
        let operands = Operands { source: Source::B, half: 0, row, col, a: i, b: 3 };
        model.add(operands);
        bench.push(operands);
    }
    bench.settle(0);
    bench.drain(0, false);
    model.check_integers(&bench.take_entries());
    bench.check_counts();
}

#[test]
fn an_overflow_drops_and_reports_only_what_has_no_room() {
    let core = MergeCore { entries_per_half: 64, banks: 4, lanes: 2, sorter_width: 2, ..CORE };
    let mut bench = Bench::new(core, false, 17);
    // 16 entries in each bank; 20 keys for bank 2, in turn.
    let keys: Vec<_> = (0..core.table().buckets())
        .flat_map(|bucket| colliding(&core, bench.seed, 2, bucket, 5))
        .collect();
    assert_eq!(keys.len(), 20);
    let mut model = Model::default();
    for round in 0..30u32 {
        for &(row, col) in &keys {
            let operands = Operands { source: Source::B, half: 1, row, col, a: round, b: 7 };
            model.add(operands);
            bench.push(operands);
        }
    }
    bench.settle(1);
    assert!(bench.overflow[1] > 0 && bench.overflow[0] == 0);
    bench.drain(1, false);
    let entries = bench.take_entries();
    assert_eq!(entries.len(), 16, "the bank is full");
    bench.check_counts();
    assert_eq!(bench.dropped, 4 * 30);
    model.products.retain(|&(row, col), _| entries.iter().any(|e| (e.row, e.col) == (row, col)));
    model.check_integers(&entries);

    // A discarded half is empty, and the table works on.
    bench.push(Operands { source: Source::B, half: 1, row: 1, col: 1, a: 5, b: 5 });
    bench.settle(1);
    bench.drain(1, true);
    assert_eq!(bench.take_entries(), []);
    bench.push(Operands { source: Source::B, half: 1, row: 1, col: 2, a: 5, b: 5 });
    bench.settle(1);
    bench.drain(1, false);
    assert_eq!(bench.take_entries(), [Entry { row: 1, col: 2, value: 25, wanted: true }]);
}

#[test]
fn bad_shapes_are_refused() {
    let text = |core: MergeCore| rtl_gen::Design::elaborate(&core).unwrap_err().to_string();
    let cases = [
        (MergeCore { banks: 6, ..CORE }, "banks = 6: must be a power of two"),
        (MergeCore { entries_per_half: 64, ..CORE }, "at least two buckets per bank"),
        (MergeCore { lanes: 32, ..CORE }, "must be a power of two from lanes = 32"),
        (MergeCore { sorter_width: 32, ..CORE }, "sorter_width = 32"),
        (MergeCore { look_ahead: 5, ..CORE }, "look_ahead = 5"),
        (MergeCore { adder_latency: 2, ..CORE }, "adder latency 2 is outside 3 to 8"),
        (MergeCore { index_bits: 40, ..CORE }, "index_bits = 40"),
    ];
    for (core, expected) in cases {
        let text = text(core);
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
