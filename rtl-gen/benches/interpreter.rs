//! Emission of a 64x64 array, and cycles per second of the interpreter against Verilator.
//!
//! `cargo bench -p rtl-gen`. Times of one run say little on a shared machine; the ratio printed at the end is
//! taken from alternating runs.

#[path = "../tests/common/array.rs"]
mod array;
#[path = "../tests/common/verilated.rs"]
mod verilated;

use array::Array;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rtl_gen::sim::Simulator;
use rtl_gen::{Design, Interpreter};
use std::time::Instant;
use verilated::Verilated;

const SMALL: Array = Array { rows: 16, cols: 16 };
const LARGE: Array = Array { rows: 64, cols: 64 };
const CYCLES: u32 = 4096;

fn emission(c: &mut Criterion) {
    let mut group = c.benchmark_group("emission");
    group.sample_size(20);
    group.bench_function("64x64", |b| {
        b.iter(|| Design::elaborate(&LARGE).expect("a correct design").verilog_text().len());
    });
    let design = Design::elaborate(&LARGE).expect("a correct design");
    println!("64x64: {} bytes of Verilog", design.verilog_text().len());
    group.bench_function("64x64 start of the interpreter", |b| {
        b.iter(|| Interpreter::new(&design).expect("no black boxes").cycle());
    });
}

fn speed(c: &mut Criterion) {
    let mut group = c.benchmark_group("cycles");
    group.sample_size(10).throughput(Throughput::Elements(CYCLES as u64));
    for array in [SMALL, LARGE] {
        let design = Design::elaborate(&array).expect("a correct design");
        let mut sim = Interpreter::new(&design).expect("no black boxes");
        let name = format!("interpreter {}x{}", array.rows, array.cols);
        group.bench_function(name, |b| b.iter(|| array::run(&mut sim, &array, CYCLES)));
    }
    let design = Design::elaborate(&SMALL).expect("a correct design");
    let mut compiled = Verilated::new(&design);
    group.bench_function("verilator 16x16", |b| {
        b.iter(|| array::run(&mut compiled, &SMALL, CYCLES))
    });
    group.finish();

    let mut interpreter = Interpreter::new(&design).expect("no black boxes");
    let rate = |sim: &mut dyn Simulator| {
        let start = Instant::now();
        array::run(sim, &SMALL, 100_000);
        100_000.0 / start.elapsed().as_secs_f64()
    };
    let mut best = [0.0f64; 2];
    for _ in 0..5 {
        best[0] = best[0].max(rate(&mut interpreter));
        best[1] = best[1].max(rate(&mut compiled));
    }
    let [ours, theirs] = best;
    println!(
        "16x16: interpreter {ours:.0} cycles/s, Verilator {theirs:.0}, ratio {:.2}",
        ours / theirs
    );
}

criterion_group!(benches, emission, speed);
criterion_main!(benches);
