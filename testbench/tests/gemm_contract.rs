//! The cycle contract of the dense engine on several arrays: corner shapes and random ones.

use mattock::{Context, ContextOptions};
use mattock_spec::CardConfig;
use mattock_testbench::contract::{
    ARRAYS, LARGEST, Measured, card, chained_card, corners, measure,
};
use mattock_testbench::sim::{SimOptions, SimulatorKind, open_device};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn open(config: &CardConfig) -> Context {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let mut options = SimOptions::new(SimulatorKind::Verilator, cache);
    options.memory.bytes = 4 << 20;
    let device = open_device(config, &options).unwrap_or_else(|e| panic!("{e}"));
    device.context(ContextOptions::default()).unwrap()
}

fn check(card: &Context, config: &CardConfig, shape: [usize; 3], seed: u64) -> Measured {
    let measured = measure(card, config, shape, seed).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(measured.cycles, measured.predicted, "{shape:?}");
    assert!(measured.slack() >= 0, "{measured:?}");
    measured
}

/// 300 random shapes over all arrays, and for each the corners: one dimension after the other at every
/// corner with the others small, and all three at once.
#[test]
fn every_shape_keeps_the_contract() {
    for (i, [rows, cols]) in ARRAYS.into_iter().enumerate() {
        let config = &card(rows, cols);
        let card = open(config);
        for size in corners(rows, cols) {
            for shape in [[size, 3, 5], [2, size, 9], [3, 2, size], [size, size, 1]] {
                check(&card, config, shape, size as u64);
            }
        }
        for shape in [[LARGEST, LARGEST, 1], [1, 1, LARGEST], [LARGEST; 3]] {
            check(&card, config, shape, 1);
        }
        let mut rng = StdRng::seed_from_u64(i as u64);
        for seed in 0..75 {
            let shape = [0; 3].map(|_| rng.random_range(1..=LARGEST));
            check(&card, config, shape, seed);
        }
        if [rows, cols] == [16, 16] {
            let cube = |card: &Context, n| check(card, config, [n; 3], 1).utilization(rows, cols);
            assert!(cube(&card, 128) >= 0.994);
            // The largest cube whose operands and results lie on chip.
            assert!(cube(&card, 512) >= 0.9998);
        }
    }
}

/// Multiply-adds in binary32, each on eight rows in turn: the same contract, a step taking eight cycles.
#[test]
fn chained_sums_keep_the_contract() {
    for (i, [rows, cols]) in [[1, 4], [2, 8]].into_iter().enumerate() {
        let config = &chained_card(rows, cols);
        let card = open(config);
        for size in corners(8 * rows, cols).into_iter().filter(|size| *size <= 129) {
            for shape in [[size, 3, 5], [2, size, 9], [3, 2, size], [size, size, 1]] {
                // A single column is computed as a row.
                if shape[1] > 1 {
                    check(&card, config, shape, size as u64);
                }
            }
        }
        let mut rng = StdRng::seed_from_u64(i as u64);
        for seed in 0..40 {
            let shape = [0; 3].map(|_| rng.random_range(2..=80));
            check(&card, config, shape, seed);
        }
        let full = check(&card, config, [128, 64, 64], 1);
        assert!(full.utilization(rows, cols) >= 0.99, "{full:?}");
    }
}
