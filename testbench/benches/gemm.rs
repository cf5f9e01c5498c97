//! The cycle contract of the dense engine over many random shapes, in Verilator:
//! `cargo xtask bench gemm [SHAPES]` (10,000 by default, shared among the arrays, which run side by side).
//!
//! Nine of ten shapes have sizes of every order of magnitude (their logarithms are uniform), where remainders and drains matter
//! and a shape takes a few thousand cycles; every tenth is uniform up to the largest. Every product is compared element by element and every count with the exact model.

use mattock::ContextOptions;
use mattock_testbench::contract::{ARRAYS, LARGEST, Measured, card, measure};
use mattock_testbench::sim::{SimOptions, SimulatorKind, open_device};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::process::ExitCode;

fn main() -> ExitCode {
    let shapes = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(10_000usize);
    println!(
        "| array | shapes | over the contract | unlike the model | least slack | at M, N, K |"
    );
    println!("|---|--:|--:|--:|--:|---|");
    let mut good = true;
    let shapes = shapes.div_ceil(ARRAYS.len());
    let sweeps = ARRAYS
        .map(|[rows, cols]| (rows, cols, std::thread::spawn(move || sweep(rows, cols, shapes))));
    for (rows, cols, sweep) in sweeps {
        match sweep.join().unwrap_or_else(|_| Err("the sweep panicked".into())) {
            Ok(measured) => {
                let count = |wrong: fn(&&Measured) -> bool| measured.iter().filter(wrong).count();
                let (over, unlike) = (count(|m| m.slack() < 0), count(|m| m.cycles != m.predicted));
                let Some(worst) = measured.iter().min_by_key(|m| m.slack()) else { continue };
                let ([m, n, k], slack, all) = (worst.shape, worst.slack(), measured.len());
                println!(
                    "| {rows} x {cols} | {all} | {over} | {unlike} | {slack} | {m}, {n}, {k} |"
                );
                good &= over + unlike == 0;
            }
            Err(error) => {
                println!("| {rows} x {cols} | {error} |");
                good = false;
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn sweep(rows: u32, cols: u32, shapes: usize) -> Result<Vec<Measured>, String> {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let options = SimOptions::new(SimulatorKind::Verilator, cache);
    let config = card(rows, cols);
    let device = open_device(&config, &options).map_err(|e| e.to_string())?;
    let card = device.context(ContextOptions::default()).map_err(|e| e.to_string())?;
    let mut rng = StdRng::seed_from_u64(u64::from(rows * 1000 + cols));
    let mut size = |uniform: bool| match uniform {
        true => rng.random_range(1..=LARGEST),
        false => rng.random_range(0.0..((LARGEST + 1) as f64).ln()).exp() as usize,
    };
    let shape = |seed| {
        let shape = [0; 3].map(|_| size(seed % 10 == 0));
        if seed > 0 && seed % 500 == 0 {
            eprintln!("{rows} x {cols}: {seed} of {shapes} shapes");
        }
        measure(&card, &config, shape, seed as u64)
    };
    (0..shapes).map(shape).collect()
}
