//! Masks, accumulation and pruning on simulated cards that were built with them.

use mattock::io::{ReadOptions, read_matrix};
use mattock::sparse::{Mask, SpgemmOptions};
use mattock::{Context, ContextOptions, Csr};
use mattock_spec::semiring::SEMIRINGS;
use mattock_spec::{CardConfig, JoinStep, Semiring};
use mattock_testbench::matrix_path;
use mattock_testbench::reference::{self, compare_exact, onto, spgemm_over};
use mattock_testbench::sim::{SimOptions, SimulatorKind, open_device};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// Two lanes, two halves of `entries`, and what may join a product.
fn card(entries: u32, clusters: u32, joins: &[JoinStep]) -> CardConfig {
    let mut config = CardConfig::reference("small").unwrap();
    config.gemm = None;
    let engine = config.spgemm.as_mut().unwrap();
    (engine.clusters, engine.lanes, engine.banks, engine.ways) = (clusters, 2, 4, 2);
    (engine.entries_per_half, engine.sorter_width) = (entries, 2);
    engine.joins = joins.to_vec();
    config
}

const ALL: &[JoinStep] = &[JoinStep::Mask, JoinStep::Accumulate, JoinStep::Prune];

fn open(config: &CardConfig) -> Context {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let mut options = SimOptions::new(SimulatorKind::Interpreter, cache);
    options.memory.bytes = 1 << 19;
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
    let values = entries.iter().map(|_| rng.random_range(-2..3)).collect();
    let columns = entries.into_iter().map(|e| e.1).collect();
    Csr::new(rows, cols, row_ptr, columns, values).unwrap()
}

/// Every position.
fn full(rows: usize, cols: usize) -> Csr<i32> {
    let row_ptr = (0..=rows as u64).map(|row| row * cols as u64).collect();
    let columns = (0..rows).flat_map(|_| 0..cols as u32).collect();
    let values = (0..rows * cols).map(|i| (i % 3) as i32).collect();
    Csr::new(rows, cols, row_ptr, columns, values).unwrap()
}

const CHOICES: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// What joins a product.
#[derive(Clone, Copy)]
struct Joins<'j> {
    mask: Option<&'j Csr<i32>>,
    choice: (bool, bool),
    c: Option<&'j Csr<i32>>,
    prune: bool,
}

/// The card's result against the reference model's, entry by entry; and its products, each counted once.
fn check(card: &Context, a: &Csr<i32>, b: &Csr<i32>, joins: Joins<'_>, semiring: Semiring) {
    let Joins { mask, choice: (complement, by_value), c, prune } = joins;
    let options = SpgemmOptions { semiring, prune, ..SpgemmOptions::default() };
    let asked = mask.map(|matrix| Mask { matrix, complement, by_value });
    let (d, stats) = card.spgemm_onto(a, b, asked.as_ref(), c, &options).unwrap();
    let mut want = spgemm_over(a, b, semiring).unwrap();
    if let Some(c) = c {
        want = onto(c, &want, semiring);
    }
    if let Some(mask) = mask {
        want = reference::Mask::new(mask, complement, by_value).apply(&want);
    }
    if prune {
        want = want.retain(|_, _, value| *value != 0);
    }
    let comparison = compare_exact(&want, &d);
    assert_eq!(comparison.mismatches(), 0, "{semiring} {:?} {comparison:?}", joins.choice);
    // Rows of which a mask wants nothing are not multiplied.
    let skipped = |row: usize| !complement && mask.is_some_and(|mask| mask.row_nnz(row) == 0);
    let products: usize = (a.entries().filter(|(row, _, _)| !skipped(*row)))
        .map(|(_, k, _)| b.row_nnz(k as usize))
        .sum();
    assert_eq!((stats.products, stats.hazard_stalls), (products as u64, 0));
}

const NONE: Joins<'static> = Joins { mask: None, choice: (false, false), c: None, prune: false };

#[test]
fn masks_of_every_kind_over_every_semiring() {
    let card = open(&card(256, 1, ALL));
    let mut rng = StdRng::seed_from_u64(31);
    let (a, b) = (random(&mut rng, 24, 20, 70), random(&mut rng, 20, 30, 110));
    let masks = [random(&mut rng, 24, 30, 120), Csr::empty(24, 30).unwrap(), full(24, 30)];
    for (i, &semiring) in SEMIRINGS.iter().enumerate() {
        for (j, choice) in CHOICES.into_iter().enumerate() {
            let mask = Some(&masks[if i < 3 { (i + j) % 3 } else { 0 }]);
            check(&card, &a, &b, Joins { mask, choice, ..NONE }, semiring);
        }
    }
    // A mask exactly where no product is, and the other way round.
    let product = spgemm_over(&a, &b, Semiring::PlusTimes).unwrap();
    let inside = reference::Mask::new(&product, false, false);
    let beside = full(24, 30).retain(|row, col, _| product.row(row).0.binary_search(&col).is_err());
    assert_eq!(inside.apply(&beside).nnz(), 0);
    for mask in [&product, &beside] {
        for choice in [(false, false), (true, false)] {
            let mask = Some(mask);
            check(&card, &a, &b, Joins { mask, choice, ..NONE }, Semiring::PlusTimes);
        }
    }
}

#[test]
fn sums_onto_a_matrix_over_every_semiring() {
    let card = open(&card(256, 1, ALL));
    let mut rng = StdRng::seed_from_u64(32);
    // Rows without elements of A, without entries of C, without either, at both ends too.
    let a = random(&mut rng, 40, 16, 30).retain(|row, _, _| row > 2 && row < 37);
    let b = random(&mut rng, 16, 30, 90);
    let c = random(&mut rng, 40, 30, 150).retain(|row, _, _| row % 5 != 3 && row != 39);
    let mask = random(&mut rng, 40, 30, 300);
    for &semiring in SEMIRINGS {
        // The others are about truth, or about values that are all alike.
        let c = match semiring {
            Semiring::OrAnd => c.map(|&v| i32::from(v != 0)),
            Semiring::AnyPair => c.pattern(1),
            _ => c.clone(),
        };
        let joins = Joins { c: Some(&c), ..NONE };
        check(&card, &a, &b, joins, semiring);
        check(&card, &a, &b, Joins { mask: Some(&mask), choice: (false, true), ..joins }, semiring);
        check(&card, &a, &b, Joins { prune: true, ..joins }, semiring);
    }
    check(
        &card,
        &a,
        &b,
        Joins { c: Some(&Csr::empty(40, 30).unwrap()), ..NONE },
        Semiring::PlusTimes,
    );
    check(
        &card,
        &Csr::empty(40, 16).unwrap(),
        &b,
        Joins { c: Some(&c), ..NONE },
        Semiring::PlusTimes,
    );
}

/// Halves of 32 entries: rows are cut in advance, windows overflow and are replayed, with everything that joins.
#[test]
fn small_tables_lose_nothing() {
    let card = open(&card(32, 1, ALL));
    let mut rng = StdRng::seed_from_u64(33);
    let mut restarts = 0;
    for (rows, inner, cols, nnz) in [(6, 12, 200, 60), (40, 30, 60, 150), (3, 40, 300, 110)] {
        let (a, b) = (random(&mut rng, rows, inner, nnz), random(&mut rng, inner, cols, 3 * nnz));
        let mask = random(&mut rng, rows, cols, 2 * nnz);
        let c = random(&mut rng, rows, cols, nnz);
        for choice in CHOICES {
            let joins = Joins { mask: Some(&mask), choice, ..NONE };
            check(&card, &a, &b, joins, Semiring::PlusTimes);
            let both = Joins { c: Some(&c), prune: true, ..joins };
            check(&card, &a, &b, both, Semiring::MaxPlus);
        }
        check(&card, &a, &b, Joins { c: Some(&c), ..NONE }, Semiring::PlusPair);
        let options = SpgemmOptions::default();
        let (_, stats) = card.spgemm_masked(&a, &b, &Mask::structure(&mask), &options).unwrap();
        restarts += stats.restarts;
        // Other seeds of the hash fill other banks.
        for seed in [1, 0x8000_0001] {
            let options = SpgemmOptions { seed: Some(seed), ..options };
            let (d, _) = card.spgemm_masked(&a, &b, &Mask::structure(&mask), &options).unwrap();
            let want = spgemm_over(&a, &b, Semiring::PlusTimes).unwrap();
            let want = reference::Mask::new(&mask, false, false).apply(&want);
            assert_eq!(compare_exact(&want, &d).mismatches(), 0);
        }
    }
    assert!(restarts > 0, "no window was replayed");
}

#[test]
fn clusters_share_joined_products() {
    let card = open(&card(128, 2, ALL));
    let mut rng = StdRng::seed_from_u64(34);
    let b = random(&mut rng, 60, 400, 9000);
    // One row has nearly all products, so that it is cut by columns.
    let a = full(24, 60).retain(|row, col, _| row == 11 || (row % 3 == 1 && col == row as u32));
    let a = a.map(|v| v + 1);
    let (mask, c) = (random(&mut rng, 24, 400, 1500), random(&mut rng, 24, 400, 700));
    for choice in CHOICES {
        let joins = Joins { mask: Some(&mask), choice, c: Some(&c), prune: false };
        check(&card, &a, &b, joins, Semiring::PlusTimes);
        check(&card, &a, &b, Joins { c: None, prune: true, ..joins }, Semiring::MinPlus);
    }
    check(&card, &a, &b, Joins { c: Some(&c), ..NONE }, Semiring::PlusTimes);
}

/// Values of floats go through unchanged: -0, infinities and the smallest numbers too.
#[test]
fn floats_join_as_they_are() {
    let card = open(&card(256, 1, ALL));
    let c = Csr::new(
        2,
        6,
        vec![0, 5, 6],
        vec![0, 1, 2, 3, 4, 5],
        vec![-0.0, f32::INFINITY, 1e-45, -3.5, f32::MAX, 7.0],
    )
    .unwrap();
    let a = Csr::new(2, 1, vec![0, 1, 1], vec![0], vec![2.0f32]).unwrap();
    let b = Csr::new(1, 6, vec![0, 1], vec![3], vec![1.75f32]).unwrap();
    for &semiring in SEMIRINGS {
        let options = SpgemmOptions { semiring, ..SpgemmOptions::default() };
        let (d, _) = card.spgemm_accumulate(&a, &b, &c, &options).unwrap();
        let bits = |row: usize, d: &Csr<f32>| -> Vec<u32> {
            d.row(row).1.iter().map(|v| v.to_bits()).collect()
        };
        let (got, want) = (bits(0, &d), bits(0, &c));
        assert_eq!(
            [&got[..3], &got[4..]].concat(),
            [&want[..3], &want[4..]].concat(),
            "{semiring}"
        );
        assert_eq!(bits(1, &d), bits(1, &c), "{semiring}");
    }
    // -0 is a zero, as a value of the result and as one of the mask.
    let options = SpgemmOptions { prune: true, ..SpgemmOptions::default() };
    let (d, _) = card.spgemm_accumulate(&a, &b, &c, &options).unwrap();
    assert_eq!((d.col_idx(), d.row(0).1[2]), (&[1, 2, 4, 5][..], f32::MAX));
    let mask = Mask { matrix: &c, complement: true, by_value: true };
    let (d, _) =
        card.spgemm_onto(&a, &b, Some(&mask), Some(&c), &SpgemmOptions::default()).unwrap();
    assert_eq!(d.col_idx(), [0]);
}

/// What a card was not built for the host does, with the same result.
#[test]
fn the_host_does_what_the_card_cannot() {
    let mut rng = StdRng::seed_from_u64(35);
    let (a, b) = (random(&mut rng, 12, 9, 40), random(&mut rng, 9, 14, 40));
    let (mask, c) = (random(&mut rng, 12, 14, 60), random(&mut rng, 12, 14, 50));
    for joins in [&[][..], &[JoinStep::Mask], &[JoinStep::Accumulate], &[JoinStep::Prune]] {
        let card = open(&card(256, 1, joins));
        for prune in [false, true] {
            let options = SpgemmOptions { prune, ..SpgemmOptions::default() };
            let asked = Mask { matrix: &mask, complement: false, by_value: true };
            let (d, _) = card.spgemm_onto(&a, &b, Some(&asked), Some(&c), &options).unwrap();
            let want = spgemm_over(&a, &b, Semiring::PlusTimes).unwrap();
            let want = onto(&c, &want, Semiring::PlusTimes);
            let want = reference::Mask::new(&mask, false, true).apply(&want);
            let want = want.retain(|_, _, v| !prune || *v != 0);
            assert_eq!(compare_exact(&want, &d).mismatches(), 0, "{joins:?}");
        }
    }
}

/// A masked product needs room for what the mask wants; nothing that joins costs a plain product a cycle.
#[test]
fn plain_products_cost_what_they_did() {
    let karate = read_matrix(matrix_path("karate"), &ReadOptions::default()).unwrap().matrix;
    let karate = karate.pattern(1i32);
    let cycles = |joins| {
        let card = open(&card(256, 1, joins));
        let (_, stats) = card.spgemm(&karate, &karate, &SpgemmOptions::default()).unwrap();
        (stats.cycles, stats.windows)
    };
    // A cycle more or less is the memory's, whose time does not begin with the command.
    let (without, with) = (cycles(&[]), cycles(ALL));
    assert!(without.0.abs_diff(with.0) <= 1 && without.1 == with.1, "{without:?} {with:?}");
    let card = open(&card(256, 1, ALL));
    let room = 8 * karate.nnz() as u64;
    let tight = SpgemmOptions { memory_budget: Some(room), ..SpgemmOptions::default() };
    assert!(card.spgemm(&karate, &karate, &tight).is_err());
    let mask = Mask::structure(&karate);
    let (c, _) = card.spgemm_masked(&karate, &karate, &mask, &tight).unwrap();
    assert!(c.nnz() <= karate.nnz());
    let error = card.spgemm_masked(&karate, &karate, &Mask::structure(&full(3, 34)), &tight);
    let text = error.unwrap_err().to_string();
    assert_eq!(text, "argument 3 is bad: it is 3 x 34, A * B is 34 x 34");
}
