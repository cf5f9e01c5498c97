//! Throughput, asserted with a margin. `cargo test -p mattock-hw merge::tests::speed -- --nocapture` prints
//! the figures; `MATTOCK_MERGE_REPEATS` sets how often one key is repeated (default 100,000).

use super::bench::{Bench, CORE, Operands};
use crate::spgemm::front::Source;
use crate::spgemm::merge::MergeCore;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const REFERENCE: MergeCore = MergeCore { entries_per_half: 4096, ..CORE };

/// `count` products on `keys` random keys of half `half`.
fn fill(bench: &mut Bench, half: u32, count: usize, keys: usize, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let pool: Vec<(u32, u32)> =
        (0..keys).map(|_| (rng.random_range(0..200), rng.random_range(0..1_000_000))).collect();
    for i in 0..count {
        // Every key once, then at random.
        let (row, col) = *pool.get(i).unwrap_or(&pool[rng.random_range(0..keys)]);
        bench.push(Operands {
            source: Source::B,
            half,
            row,
            col,
            a: rng.random(),
            b: rng.random(),
        });
    }
}

/// Products per lane and cycle while all lanes have work.
fn rate(bench: &mut Bench) -> f64 {
    let (cycles, accepted) = (bench.cycles, bench.accepted);
    bench.run_until(1_000_000, |b| b.queues.iter().any(|q| q.is_empty()));
    let products = (bench.accepted - accepted) as f64;
    products / (bench.cycles - cycles) as f64 / bench.core.lanes as f64
}

#[test]
fn random_keys_keep_the_lanes_busy() {
    for (look_ahead, least) in [(4, 0.8), (8, 0.95)] {
        let mut bench = Bench::new(MergeCore { look_ahead, ..REFERENCE }, true, 0x9e37_79b1);
        let keys = REFERENCE.entries_per_half as usize * 7 / 10;
        fill(&mut bench, 0, 4 * keys, keys, 1);
        let rate = rate(&mut bench);
        println!("look-ahead {look_ahead}: {rate:.4} products per lane and cycle");
        assert!(rate >= least, "{rate}");
        bench.settle(0);
        bench.check_counts();
    }
}

#[test]
fn one_key_is_added_every_cycle() {
    let repeats = std::env::var("MATTOCK_MERGE_REPEATS").ok().and_then(|v| v.parse().ok());
    let repeats: u32 = repeats.unwrap_or(100_000);
    let small = MergeCore { lanes: 2, banks: 2, entries_per_half: 64, sorter_width: 1, ..CORE };
    for float in [false, true] {
        let mut bench = Bench::new(small, float, 5);
        let (one, two) = if float { (1f32.to_bits(), 2f32.to_bits()) } else { (1, 2) };
        for _ in 0..repeats {
            bench.push(Operands { source: Source::B, half: 0, row: 9, col: 1234, a: one, b: two });
        }
        let cycles = bench.settle(0);
        println!(
            "one key, float {float}: {:.4} products per cycle",
            repeats as f64 / cycles as f64
        );
        assert!(cycles < repeats as u64 + 100, "{cycles} cycles for {repeats}");
        bench.drain(0, false);
        let value = bench.take_entries()[0].value;
        let value = if float { f32::from_bits(value) as u32 } else { value };
        assert_eq!(value, 2 * repeats, "all partial sums are representable");
        bench.check_counts();
    }
}

#[test]
fn a_half_drains_at_full_rate_while_the_other_fills() {
    let mut bench = Bench::new(REFERENCE, false, 77);
    let keys = REFERENCE.entries_per_half as usize * 7 / 10;
    fill(&mut bench, 0, keys, keys, 2);
    bench.settle(0);
    let idle = {
        fill(&mut bench, 1, 6000, keys, 3);
        rate(&mut bench)
    };
    bench.settle(1);
    bench.drain(1, true);
    fill(&mut bench, 1, 6000, keys, 3);
    bench.start_drain(0, false);
    let start = bench.cycles;
    let (mut cycles, accepted) = (0, bench.accepted);
    bench.run_until(100_000, |b| !b.drain_busy());
    let drain_cycles = bench.cycles - start;
    cycles += drain_cycles;
    let filling = (bench.accepted - accepted) as f64 / cycles as f64 / 4.0;
    let entries = bench.take_entries().len();
    let per_stream = entries as f64 / drain_cycles as f64 / 4.0;
    println!("{entries} entries: {per_stream:.4} per stream and cycle in {drain_cycles} cycles");
    println!(
        "filling meanwhile: {filling:.4} products per lane and cycle, {idle:.4} without a drain"
    );
    assert!(per_stream >= 0.95, "{per_stream}");
    assert!(filling >= idle - 0.02, "{filling} against {idle}");
    bench.settle(1);
    bench.check_counts();
}
