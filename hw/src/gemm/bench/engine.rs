//! Whole commands: every layout and type, contracts, errors.

use super::{ALL, Bench, COMPUTE, LOAD_A, LOAD_B, Product, STORE, small};
use crate::gemm::{Geometry, cycle_bound};
use mattock_testbench::sim::Response;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[test]
fn plain_product() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut bench = Bench::new(small(4, 4, 16), 100, 0);
    for shape in [[4, 4, 4], [8, 8, 8], [5, 6, 7], [1, 1, 1], [3, 9, 40], [20, 20, 20]] {
        bench.check(&Product::plain(shape), &mut rng);
    }
}

/// Products of random shapes, types, layouts and alignments; small scratchpads make blocks and chunks.
fn random_products(geometry: Geometry, count: usize, largest: usize) {
    let mut rng = StdRng::seed_from_u64(u64::from(geometry.rows * 1000 + geometry.bus_bytes));
    // A fast memory, and a slow one that stalls.
    let mut benches = [Bench::new(geometry, 5, 0), Bench::new(geometry, 100, 80)];
    for i in 0..count {
        let bench = &mut benches[i % 2];
        let mut side = || rng.random_range(1..=largest);
        let shape = [side(), side(), side()];
        let product = Product::random(shape, &mut rng);
        bench.check(&product, &mut rng);
    }
}

#[test]
fn random_products_4x4() {
    random_products(Geometry { a_bytes: 4096, b_bytes: 1024, ..small(4, 4, 64) }, 70, 70);
}

#[test]
fn random_products_8x8_in_blocks() {
    random_products(Geometry { a_bytes: 1024, b_bytes: 1024, ..small(8, 8, 32) }, 50, 70);
}

#[test]
fn random_products_3x5_in_chunks() {
    random_products(
        Geometry { a_bytes: 128, b_bytes: 256, result_bytes: 512, ..small(3, 5, 16) },
        50,
        50,
    );
}

#[test]
fn random_products_2x4_on_a_narrow_bus() {
    random_products(
        Geometry { a_bytes: 256, b_bytes: 512, result_bytes: 256, ..small(2, 4, 8) },
        40,
        40,
    );
    random_products(
        Geometry { a_bytes: 256, b_bytes: 256, result_bytes: 256, ..small(2, 2, 4) },
        30,
        40,
    );
}

/// Counters and addresses as wide as the megabyte behind them, few bursts in flight.
#[test]
fn random_products_from_memory_on_the_card() {
    let near = |g: Geometry| Geometry { addr_bits: 20, memory_on_card: true, ..g };
    random_products(near(Geometry { a_bytes: 256, b_bytes: 512, ..small(2, 4, 8) }), 40, 60);
    random_products(near(Geometry { a_bytes: 1024, b_bytes: 1024, ..small(4, 4, 16) }), 40, 70);
}

#[test]
fn random_products_wider_than_the_bus() {
    random_products(Geometry { a_bytes: 2048, b_bytes: 1024, ..small(16, 2, 8) }, 20, 60);
    random_products(
        Geometry { a_bytes: 1024, b_bytes: 2048, result_bytes: 1 << 12, ..small(1, 16, 8) },
        20,
        60,
    );
}

#[test]
fn random_products_cut_by_steps_of_k() {
    for (rows, cols, k_split, bus) in [(8, 4, 4, 32), (16, 8, 8, 64), (4, 3, 2, 16)] {
        let geometry = Geometry { k_split, a_bytes: 2048, b_bytes: 4096, ..small(rows, cols, bus) };
        let mut rng = StdRng::seed_from_u64(rows.into());
        let mut benches = [Bench::new(geometry, 5, 0), Bench::new(geometry, 100, 80)];
        for i in 0..30 {
            let few = rng.random_range(1..=rows as usize);
            let shape = [few, rng.random_range(1..60), rng.random_range(1..150)];
            let product = Product::random(shape, &mut rng);
            benches[i % 2].check(&product, &mut rng);
        }
    }
}

#[test]
fn empty_products() {
    let mut rng = StdRng::seed_from_u64(3);
    let mut bench = Bench::new(small(4, 4, 16), 100, 0);
    for shape in [[5, 6, 0], [0, 6, 7], [5, 0, 7], [0, 0, 0], [40, 3, 0]] {
        bench.check(&Product::plain(shape), &mut rng);
    }
    assert_eq!(bench.get("bytes_read"), 0);
}

/// Runs a product as separate commands: load, load, compute, store.
fn resident(bench: &mut Bench, p: &Product, rng: &mut StdRng) -> (u64, u64) {
    let want = bench.fill(p, rng);
    for steps in [LOAD_A, LOAD_B] {
        assert_eq!(bench.command(p, steps), 0);
        assert_eq!(bench.get("bytes_written"), 0);
    }
    assert_eq!(bench.command(p, COMPUTE), 0, "{p:?}");
    assert_eq!(bench.get("bytes_read") + bench.get("bytes_written"), 0);
    let measured = (bench.get("compute_cycles"), bench.get("cycles"));
    assert_eq!(bench.command(p, STORE), 0);
    bench.compare(p, &want);
    measured
}

#[test]
fn resident_products_keep_the_cycle_contract() {
    let mut rng = StdRng::seed_from_u64(4);
    for (rows, cols) in [(4, 4), (3, 5), (8, 2), (1, 3)] {
        let mut bench =
            Bench::new(Geometry { result_bytes: 1 << 16, ..small(rows, cols, 64) }, 100, 0);
        for _ in 0..12 {
            let mut side = || rng.random_range(1..=60);
            let shape = [side(), side(), side()];
            let p = Product::random(shape, &mut rng);
            let (compute, _) = resident(&mut bench, &p, &mut rng);
            let [m, n, k] = shape.map(|x| x as u64);
            let (m, n) = if p.d_col_major { (n, m) } else { (m, n) };
            let bound = cycle_bound([m, n, k], rows.into(), cols.into());
            assert!(compute <= bound, "{shape:?} on {rows}x{cols}: {compute} > {bound}");
        }
    }
}

#[test]
fn resident_128_cubed_on_16x16_uses_over_97_percent() {
    let mut rng = StdRng::seed_from_u64(5);
    let mut bench = Bench::new(Geometry { result_bytes: 1 << 16, ..small(16, 16, 64) }, 100, 0);
    let (compute, cycles) = resident(&mut bench, &Product::plain([128; 3]), &mut rng);
    let utilization = 128f64.powi(3) / (256.0 * compute as f64);
    assert!(utilization >= 0.97, "{compute} compute cycles, {cycles} cycles: {utilization}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut rng = StdRng::seed_from_u64(6);
    let geometry = Geometry { a_bytes: 128, b_bytes: 128, result_bytes: 256, ..small(4, 4, 16) };
    let mut bench = Bench::new(geometry, 20, 30);
    let p = Product::plain([4, 4, 33]);
    for steps in [LOAD_A, LOAD_B, COMPUTE, LOAD_A | COMPUTE | STORE] {
        assert_eq!(bench.command(&p, steps), 7, "K is chunked: nothing stays on chip");
    }
    let p = Product::plain([36, 4, 4]);
    assert_eq!(bench.command(&p, LOAD_A), 7, "nine tiles of A");
    let p = Product::plain([32, 4, 4]);
    assert_eq!(bench.command(&p, LOAD_A | LOAD_B), 0);
    assert_eq!(bench.command(&p, COMPUTE), 7, "eight tiles, the buffer holds four");
    let p = Product { m: 1 << 24, ..p };
    assert_eq!(bench.command(&p, ALL), 5);
    assert_eq!(bench.get("error_info"), 4);
    let p = Product { m: 4, d_addr: 0x40002, ..p };
    assert_eq!(bench.command(&p, ALL), 6);
    assert_eq!(bench.get("error_info"), 48);
    bench.check(&Product::plain([36, 9, 40]), &mut rng);
}

#[test]
fn bus_errors_end_the_command_and_the_engine_goes_on() {
    let mut rng = StdRng::seed_from_u64(7);
    let mut bench = Bench::new(Geometry { a_bytes: 512, b_bytes: 512, ..small(4, 4, 16) }, 100, 0);
    let p = Product::plain([40, 40, 40]);
    let (slave, decode) = (Response::SlaveError, Response::DecodeError);
    for (at, response, code) in [
        (0x1000 + 20 * 40, slave, 16),
        (0x1000, decode, 17),
        (0x20000 + 30 * 40, decode, 17),
        (0x40000 + 12 * 160, slave, 18),
        (0x40000, decode, 19),
    ] {
        bench.fill(&p, &mut rng);
        bench.memory.inject(at..at + 1, response);
        assert_eq!(bench.command(&p, ALL), code, "fault at {at:#x}");
        let info = bench.get("error_info");
        assert!((at - 0x800..=at).contains(&info), "{info:#x}");
        bench.memory.clear_faults();
        bench.check(&p, &mut rng);
    }
}

#[test]
fn abort_ends_a_command_at_any_time() {
    let mut rng = StdRng::seed_from_u64(8);
    let mut bench = Bench::new(Geometry { a_bytes: 512, b_bytes: 512, ..small(4, 4, 16) }, 100, 0);
    let p = Product::plain([30, 30, 30]);
    for wait in (0..1500).step_by(37) {
        bench.fill(&p, &mut rng);
        bench.start(&p, ALL);
        let mut done = false;
        for _ in 0..wait {
            bench.cycle();
            done |= bench.get("done") == 1;
        }
        if done {
            continue;
        }
        bench.set("stop", 1);
        bench.cycle();
        bench.set("stop", 0);
        let mut left = 2000;
        while bench.get("busy") == 1 {
            bench.cycle();
            left -= 1;
            assert!(left > 0, "aborted after {wait} cycles, does not end");
        }
        assert_eq!(bench.get("error"), 9);
        bench.check(&Product::random([9, 9, 9], &mut rng), &mut rng);
    }
}

/// The whole product from memory: loading and storing hide behind the array but for the first block of B
/// (its rows arrive together) and the last tile.
#[test]
fn loads_and_stores_overlap_the_array() {
    let mut rng = StdRng::seed_from_u64(9);
    let geometry = Geometry { result_bytes: 1 << 16, ..small(16, 16, 64) };
    let mut bench = Bench::new(geometry, 100, 0);
    let mut p = Product::plain([128; 3]);
    bench.check(&p, &mut rng);
    let (row_major, compute) = (bench.get("cycles"), bench.get("compute_cycles"));
    p.b.col_major = true;
    bench.check(&p, &mut rng);
    let col_major = bench.get("cycles");
    println!("{compute} {row_major} {col_major}");
    // The first tile follows the loader; the others lose nothing.
    assert!(compute <= cycle_bound([128; 3], 16, 16) + 512, "{compute} compute cycles");
    assert!(row_major <= 9010, "B row by row: {row_major} cycles");
    assert!(col_major <= 8760, "B column by column: {col_major} cycles");
}
