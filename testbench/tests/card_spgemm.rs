//! Sparse products through the driver on simulated cards.

use mattock::io::{ReadOptions, read_matrix};
use mattock::sparse::{SparseValue, SpgemmOptions, SpgemmStats};
use mattock::{Context, ContextOptions, Csr, Error, View, ViewMut, bf16, f16};
use mattock_spec::regs::ValueType;
use mattock_spec::semiring::SEMIRINGS;
use mattock_spec::{CardConfig, ErrorCode, Semiring};
use mattock_testbench::reference::{self, Element, compare_exact, spgemm, spgemm_over, widened};
use mattock_testbench::sim::{
    Direction, FaultyCard, Response, SimOptions, SimulatorKind, open_device,
};
use mattock_testbench::{MATRICES, matrix_path};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn open(simulator: SimulatorKind, bytes: usize) -> Context {
    open_config(&CardConfig::reference("small").unwrap(), simulator, bytes)
}

fn open_config(config: &CardConfig, simulator: SimulatorKind, bytes: usize) -> Context {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let mut options = SimOptions::new(simulator, cache);
    options.memory.bytes = bytes;
    let device = open_device(config, &options).unwrap_or_else(|e| panic!("{e}"));
    device.context(ContextOptions::default()).unwrap()
}

fn random(rng: &mut StdRng, rows: usize, cols: usize, nnz: usize) -> Csr<i32> {
    let mut entries: Vec<(usize, u32)> =
        (0..nnz).map(|_| (rng.random_range(0..rows), rng.random_range(0..cols as u32))).collect();
    entries.sort_unstable();
    entries.dedup();
    let mut row_ptr = vec![0u64; rows + 1];
    entries.iter().for_each(|(row, _)| row_ptr[row + 1] += 1);
    (0..rows).for_each(|row| row_ptr[row + 1] += row_ptr[row]);
    let values = entries.iter().map(|_| rng.random_range(-9..10)).collect();
    let columns = entries.into_iter().map(|e| e.1).collect();
    Csr::new(rows, cols, row_ptr, columns, values).unwrap()
}

fn check(card: &Context, a: &Csr<i32>, b: &Csr<i32>) {
    check_over(card, a, b, Semiring::PlusTimes);
}

fn check_over(card: &Context, a: &Csr<i32>, b: &Csr<i32>, semiring: Semiring) {
    let options = SpgemmOptions { semiring, ..SpgemmOptions::default() };
    let (c, stats) = card.spgemm(a, b, &options).unwrap_or_else(|e| panic!("{e}"));
    let comparison = compare_exact(&spgemm_over(a, b, semiring).unwrap(), &c);
    assert_eq!(comparison.mismatches(), 0, "{comparison:?}");
    let products: usize = a.col_idx().iter().map(|&k| b.row_nnz(k as usize)).sum();
    assert_eq!((stats.products, stats.hazard_stalls), (products as u64, 0));
}

#[test]
fn small_products_in_the_interpreter() {
    let card = open(SimulatorKind::Interpreter, 1 << 18);
    let mut rng = StdRng::seed_from_u64(1);
    for (rows, inner, cols, nnz) in [(1, 1, 1, 1), (5, 7, 3, 12), (20, 20, 20, 60), (4, 9, 30, 0)] {
        let (a, b) = (random(&mut rng, rows, inner, nnz), random(&mut rng, inner, cols, nnz));
        check(&card, &a, &b);
    }
    let floats = Csr::identity(6, 0.5f32).unwrap();
    let (c, _) = card.spgemm(&floats, &floats, &SpgemmOptions::default()).unwrap();
    assert_eq!(c, Csr::identity(6, 0.25f32).unwrap());
    let empty = Csr::<i32>::empty(0, 4).unwrap();
    let (c, stats) =
        card.spgemm(&empty, &random(&mut rng, 4, 5, 6), &SpgemmOptions::default()).unwrap();
    assert_eq!((c.rows(), c.cols(), stats.cycles), (0, 5, 0));
}

#[test]
fn every_semiring_in_both_types() {
    let card = open(SimulatorKind::Interpreter, 1 << 18);
    let mut rng = StdRng::seed_from_u64(5);
    let (a, b) = (random(&mut rng, 12, 10, 40), random(&mut rng, 10, 15, 50));
    let (x, y) = (a.map(|&v| v as f32), b.map(|&v| v as f32));
    for &semiring in SEMIRINGS {
        check_over(&card, &a, &b, semiring);
        let options = SpgemmOptions { semiring, ..SpgemmOptions::default() };
        let (c, _) = card.spgemm(&x, &y, &options).unwrap();
        let comparison = reference::check_over(&x, &y, semiring, &c).unwrap();
        assert_eq!(comparison.mismatches(), 0, "{semiring}: {comparison:?}");
    }
}

/// The small card with every type of values.
fn all_types() -> CardConfig {
    let mut config = CardConfig::reference("small").unwrap();
    config.gemm = None;
    config.spgemm.as_mut().unwrap().values = ValueType::ALL.to_vec();
    config
}

fn i8_of(v: &i32) -> i8 {
    *v as i8
}

fn i16_of(v: &i32) -> i16 {
    *v as i16
}

/// The number with that code.
fn f16_of(v: &i32) -> f16 {
    f16::from_bits(*v as u16)
}

fn check_integers<T: SparseValue<Sum = i32>>(card: &Context, a: &Csr<T>, b: &Csr<T>) {
    for &semiring in SEMIRINGS {
        let options = SpgemmOptions { semiring, ..SpgemmOptions::default() };
        let (c, _) = card.spgemm(a, b, &options).unwrap_or_else(|e| panic!("{e}"));
        let right = spgemm_over(&widened(a), &widened(b), semiring).unwrap();
        let comparison = compare_exact(&right, &c);
        assert_eq!(comparison.mismatches(), 0, "{semiring} of {:?}: {comparison:?}", T::TYPE);
    }
}

fn check_floats<T: SparseValue<Sum = f32>>(card: &Context, a: &Csr<T>, b: &Csr<T>) {
    for &semiring in SEMIRINGS {
        let options = SpgemmOptions { semiring, ..SpgemmOptions::default() };
        let (c, _) = card.spgemm(a, b, &options).unwrap_or_else(|e| panic!("{e}"));
        let comparison = reference::check_over(a, b, semiring, &c).unwrap();
        assert_eq!(comparison.mismatches(), 0, "{semiring} of {:?}: {comparison:?}", T::TYPE);
    }
}

/// Any codes, NaN, infinities and subnormal numbers among them; rows of one to many lines, which begin anywhere.
#[test]
fn every_type_of_values_over_every_semiring() {
    let card = open_config(&all_types(), SimulatorKind::Interpreter, 1 << 20);
    let mut rng = StdRng::seed_from_u64(21);
    for (rows, inner, cols, nnz) in [(9, 12, 40, 60), (6, 5, 300, 500)] {
        let (a, b) = (random(&mut rng, rows, inner, nnz), random(&mut rng, inner, cols, nnz));
        let (a, b) = (a.map(|_| rng.random()), b.map(|_| rng.random()));
        check_integers(&card, &a, &b);
        check_integers(&card, &a.map(i16_of), &b.map(i16_of));
        check_integers(&card, &a.map(i8_of), &b.map(i8_of));
        let f32_of = |v: &i32| f32::from_bits(*v as u32);
        check_floats(&card, &a.map(f32_of), &b.map(f32_of));
        check_floats(&card, &a.map(f16_of), &b.map(f16_of));
        let bf16_of = |v: &i32| bf16::from_bits(*v as u16);
        check_floats(&card, &a.map(bf16_of), &b.map(bf16_of));
    }
    // Sums of numbers of like size, where an error would not hide behind infinities.
    let (a, b) = (random(&mut rng, 20, 20, 150), random(&mut rng, 20, 30, 200));
    let small = |m: &Csr<i32>| m.map(|&v| f16::from_f32(v as f32 * 0.37));
    check_floats(&card, &small(&a), &small(&b));
    let subnormal = |m: &Csr<i32>| m.map(|&v| f16::from_bits((v & 0x7) as u16 | 0x8000));
    check_floats(&card, &subnormal(&a), &small(&b));
    let small = |m: &Csr<i32>| m.map(|&v| bf16::from_f32(v as f32 * 0.37));
    check_floats(&card, &small(&a), &small(&b));
}

/// Fewer bytes are read, and no line of B's values twice.
#[test]
fn narrow_values_take_fewer_bytes() {
    let card = open_config(&all_types(), SimulatorKind::Interpreter, 1 << 20);
    let mut rng = StdRng::seed_from_u64(22);
    let b = random(&mut rng, 4, 4000, 2000);
    let a = random(&mut rng, 1, 4, 40);
    assert_eq!(a.nnz(), 4);
    let options = SpgemmOptions::default();
    let words = card.spgemm(&a, &b, &options).unwrap().1;
    let halves = card.spgemm(&a.map(i16_of), &b.map(i16_of), &options).unwrap().1;
    let bytes = card.spgemm(&a.map(i8_of), &b.map(i8_of), &options).unwrap().1;
    let saved = |stats: &SpgemmStats| words.bytes_read - stats.bytes_read;
    let entries = b.nnz() as u64;
    // Of each array, one line more or less at its ends.
    assert!(saved(&halves).abs_diff(2 * entries) <= 64, "{} of {entries}", saved(&halves));
    assert!(saved(&bytes).abs_diff(3 * entries) <= 64, "{} of {entries}", saved(&bytes));
    assert_eq!(words.bytes_written, bytes.bytes_written);
}

#[test]
fn narrow_values_in_phases_parts_and_dense_products() {
    let card = open_config(&all_types(), SimulatorKind::Interpreter, 1 << 18);
    let mut rng = StdRng::seed_from_u64(23);
    let (a, b) = (random(&mut rng, 30, 20, 90), random(&mut rng, 20, 25, 90));
    let (a, b) = (a.map(i8_of), b.map(i8_of));
    let right = spgemm(&widened(&a), &widened(&b)).unwrap();
    let options = SpgemmOptions::default();
    let estimate = card.spgemm_estimate(&a, &b).unwrap();
    let wide = card.spgemm_estimate(&widened(&a), &widened(&b)).unwrap();
    assert_eq!(wide.workspace - estimate.workspace, 3 * (a.nnz() + b.nnz()) as u64);
    let mut plan = card.spgemm_symbolic(&a, &b, &options).unwrap();
    assert_eq!(plan.numeric(a.values(), b.values()).unwrap().0, right);
    let chunked =
        SpgemmOptions { memory_budget: Some(8 * right.nnz() as u64 / 3), chunked: true, ..options };
    let (c, stats) = card.spgemm(&a, &b, &chunked).unwrap();
    assert!(stats.commands > 2);
    assert_eq!(c, right);
    // y = 3 A x - y.
    let x: Vec<i8> = (0..20).map(|i| i * 5 - 50).collect();
    let mut y: Vec<i32> = (0..30).collect();
    let want: Vec<i32> = (0..30)
        .map(|row| {
            let (columns, values) = a.row(row);
            let terms =
                columns.iter().zip(values).map(|(&k, &v)| i32::from(v) * i32::from(x[k as usize]));
            3 * terms.sum::<i32>() - row as i32
        })
        .collect();
    let (x, into) = (View::rows(&x, 20, 1).unwrap(), ViewMut::rows(&mut y, 30, 1).unwrap());
    card.spmv(3, &a, x, -1, into, &options).unwrap();
    assert_eq!(y, want);
    let (sum, _) = card.spadd(2, &b, -3, &b, &options).unwrap();
    assert_eq!(sum, widened(&b).map(|v| -v));

    let mut config = clusters(2);
    let engine = config.spgemm.as_mut().unwrap();
    engine.values = ValueType::ALL.to_vec();
    engine.semirings = SEMIRINGS.to_vec();
    let card = open_config(&config, SimulatorKind::Interpreter, 1 << 19);
    let (a, b) = (random(&mut rng, 90, 40, 300), random(&mut rng, 40, 60, 300));
    check_integers(&card, &a.map(i16_of), &b.map(i16_of));
    check_floats(&card, &a.map(f16_of), &b.map(f16_of));
}

#[test]
fn a_card_computes_with_the_types_it_was_built_with() {
    let mut config = all_types();
    config.spgemm.as_mut().unwrap().values = vec![ValueType::F16, ValueType::I32];
    let card = open_config(&config, SimulatorKind::Interpreter, 1 << 16);
    let mut rng = StdRng::seed_from_u64(24);
    let a = random(&mut rng, 9, 9, 30);
    check_floats(&card, &a.map(f16_of), &a.map(f16_of));
    check(&card, &a, &a);
    let eight = a.map(i8_of);
    let error = card.spgemm(&eight, &eight, &SpgemmOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "the card cannot do spgemm of i8; it has i32, f16");
    config.spgemm.as_mut().unwrap().values = vec![ValueType::I8];
    let card = open_config(&config, SimulatorKind::Interpreter, 1 << 16);
    check_integers(&card, &eight, &eight);
}

/// C + A * B against the product and C added entry by entry.
#[test]
fn products_are_added_to_a_matrix() {
    let card = open(SimulatorKind::Interpreter, 1 << 18);
    let mut rng = StdRng::seed_from_u64(9);
    let (a, b) = (random(&mut rng, 9, 8, 20), random(&mut rng, 8, 11, 20));
    let c = random(&mut rng, 9, 11, 40);
    for &semiring in SEMIRINGS {
        let options = SpgemmOptions { semiring, ..SpgemmOptions::default() };
        let c = if semiring == Semiring::OrAnd { c.map(|&v| i32::from(v != 0)) } else { c.clone() };
        let got = card.spgemm_accumulate(&a, &b, &c, &options);
        if matches!(semiring, Semiring::PlusPair | Semiring::PlusFirst | Semiring::AnyPair) {
            let text = got.unwrap_err().to_string();
            assert!(text.starts_with("the card cannot do sums into C over "), "{text}");
            continue;
        }
        let mut sums = std::collections::BTreeMap::new();
        c.entries().for_each(|(row, col, &v)| _ = sums.insert((row, col), v));
        for (row, col, &v) in spgemm_over(&a, &b, semiring).unwrap().entries() {
            let sum = sums.entry((row, col)).and_modify(|s| *s = s.add(v, semiring.add()));
            sum.or_insert(v);
        }
        let got = got.unwrap().0;
        let list: Vec<_> = got.entries().map(|(row, col, &v)| ((row, col), v)).collect();
        assert_eq!(list, sums.into_iter().collect::<Vec<_>>(), "{semiring}");
    }
    let error = card.spgemm_accumulate(&a, &b, &a, &SpgemmOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "argument 3 is bad: it is 9 x 8, A * B is 9 x 11");
}

#[test]
fn a_card_computes_over_the_semirings_it_was_built_with() {
    let mut config = CardConfig::reference("small").unwrap();
    config.spgemm.as_mut().unwrap().semirings = vec![Semiring::MinPlus, Semiring::AnyPair];
    let card = open_config(&config, SimulatorKind::Interpreter, 1 << 16);
    let mut rng = StdRng::seed_from_u64(6);
    let a = random(&mut rng, 9, 9, 30);
    check_over(&card, &a, &a, Semiring::MinPlus);
    check_over(&card, &a, &a, Semiring::AnyPair);
    let error = card.spgemm(&a, &a, &SpgemmOptions::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the card cannot do sparse products over plus-times; it has min-plus, any-pair"
    );
}

#[test]
fn errors_leave_the_card_usable() {
    let card = open(SimulatorKind::Interpreter, 1 << 16);
    let mut rng = StdRng::seed_from_u64(2);
    let (a, b) = (random(&mut rng, 12, 10, 40), random(&mut rng, 11, 12, 40));
    let error = card.spgemm(&a, &b, &SpgemmOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "argument 2 is bad: it has 11 rows, A has 10 columns");
    let b = random(&mut rng, 10, 12, 40);
    let entries = spgemm(&a, &b).unwrap().nnz() as u64;
    let tight = SpgemmOptions {
        memory_budget: Some(8 * entries - 8),
        seed: Some(7),
        ..SpgemmOptions::default()
    };
    let error = card.spgemm(&a, &b, &tight).unwrap_err();
    assert!(
        matches!(error, Error::OutOfMemory { have, need } if have == 8 * entries - 8 && need > have),
        "{error}"
    );
    let exact = SpgemmOptions { memory_budget: Some(8 * entries), ..tight };
    assert_eq!(card.spgemm(&a, &b, &exact).unwrap().0.nnz() as u64, entries);
    let wide = Csr::<i32>::empty(20_000, 12).unwrap();
    let error = card.spgemm(&wide, &random(&mut rng, 12, 3, 5), &tight).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    check(&card, &a, &b);
}

/// A small card of several clusters.
fn clusters(count: u32) -> CardConfig {
    let mut config = CardConfig::reference("small").unwrap();
    config.gemm = None;
    let engine = config.spgemm.as_mut().unwrap();
    (engine.clusters, engine.lanes, engine.banks) = (count, 2, 4);
    (engine.entries_per_half, engine.sorter_width) = (256, 2);
    engine.semirings = vec![Semiring::PlusTimes];
    config
}

#[test]
fn clusters_share_a_product() {
    let mut rng = StdRng::seed_from_u64(12);
    for count in [2, 4] {
        let card = open_config(&clusters(count), SimulatorKind::Interpreter, 1 << 19);
        for (rows, inner, cols, nnz) in
            [(1, 1, 1, 1), (2, 40, 50, 70), (90, 40, 60, 300), (300, 9, 30, 20), (3, 3, 3, 0)]
        {
            let (a, b) = (random(&mut rng, rows, inner, nnz), random(&mut rng, inner, cols, nnz));
            check(&card, &a, &b);
        }
    }
}

/// A row of nearly all products is cut by columns; each of its parts takes several passes.
#[test]
fn clusters_share_a_row() {
    let mut rng = StdRng::seed_from_u64(13);
    let card = open_config(&clusters(2), SimulatorKind::Interpreter, 1 << 20);
    let b = random(&mut rng, 100, 700, 21_000);
    let mut row_ptr: Vec<u64> = vec![0, 1, 1, 101];
    row_ptr.extend((1..8).map(|extra| 101 + extra));
    let columns: Vec<u32> = [3].into_iter().chain(0..100).chain(40..47).collect();
    let values = columns.iter().map(|&c| c as i32 - 50).collect();
    let a = Csr::new(10, 100, row_ptr, columns, values).unwrap();
    let options = SpgemmOptions::default();
    let (c, both) = card.spgemm(&a, &b, &options).unwrap();
    assert_eq!(compare_exact(&spgemm(&a, &b).unwrap(), &c).mismatches(), 0);
    // Where parts have no room one cluster does it all, with the same result.
    let alone = SpgemmOptions { memory_budget: Some(8 * c.nnz() as u64), ..options };
    let (same, one) = card.spgemm(&a, &b, &alone).unwrap();
    assert_eq!((&same, one.products), (&c, both.products));
    let times = one.cycles as f64 / both.cycles as f64;
    assert!(times > 1.6, "{} cycles, {} with one cluster", both.cycles, one.cycles);
}

/// An error on the bus of either cluster is the product's, with the burst's address; the other cluster stops, and the next
/// product is right.
#[test]
fn a_fault_of_one_cluster_ends_the_product() {
    let mut options = SimOptions::new(SimulatorKind::Interpreter, "unused");
    options.memory.bytes = 1 << 19;
    let card = FaultyCard::open(&clusters(2), &options).unwrap_or_else(|e| panic!("{e}"));
    let context = card.device.context(ContextOptions::default()).unwrap();
    let mut rng = StdRng::seed_from_u64(14);
    let (a, b) = (random(&mut rng, 90, 40, 300), random(&mut rng, 40, 60, 300));
    let ways = [
        (Direction::Read, ErrorCode::ReadSlaveError),
        (Direction::Write, ErrorCode::WriteSlaveError),
    ];
    for (way, expected) in ways {
        let before = card.bus.bursts(way);
        check(&context, &a, &b);
        let bursts = card.bus.bursts(way) - before;
        assert!(bursts > 20, "{bursts} bursts");
        for nth in (0..bursts).step_by(bursts as usize / 10) {
            card.bus.arm(way, nth, Response::SlaveError);
            let error = context.spgemm(&a, &b, &SpgemmOptions::default()).unwrap_err();
            let hits = card.bus.end();
            let Error::DeviceFault { code, info } = error else { panic!("{way:?} {nth}: {error}") };
            let told = (code, info, hits.len());
            assert_eq!(told, (expected, hits[0].address as u32, 1), "{way:?} {nth}");
            check(&context, &a, &b);
        }
    }
}

#[test]
fn real_matrices_in_verilator() {
    let card = open(SimulatorKind::Verilator, 1 << 20);
    for name in &MATRICES[..2] {
        let file = read_matrix(matrix_path(name), &ReadOptions::default()).unwrap();
        let pattern = file.matrix.pattern(1i32);
        check(&card, &pattern, &pattern);
    }
}
