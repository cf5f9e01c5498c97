//! A bench for the whole engine: memory with latency and stalls, operands in every layout.

mod array;
mod memory;
mod operand;

use super::{GemmEngine, Geometry, reference};
use memory::Memory;
use operand::{Layout, place, random_elements};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtl_gen::sim::PortId;
use rtl_gen::{Design, Interpreter};
use std::collections::HashMap;

/// Engine, memory and the numbers of the last command.
struct Bench {
    geometry: Geometry,
    sim: Interpreter,
    ports: HashMap<String, PortId>,
    memory: Memory,
}

/// A product: shape, layouts, where everything lies.
#[derive(Clone, Debug)]
struct Product {
    m: usize,
    n: usize,
    k: usize,
    a: Layout,
    b: Layout,
    d_col_major: bool,
    d_addr: u64,
    d_stride: usize,
}

const LOAD_A: u64 = 1;
const LOAD_B: u64 = 2;
const COMPUTE: u64 = 4;
const STORE: u64 = 8;
const ALL: u64 = 15;

impl Bench {
    fn new(geometry: Geometry) -> Self {
        let design = Design::elaborate(&GemmEngine { geometry }).expect("elaborates");
        let mut sim = Interpreter::new(&design).expect("simulates");
        let names: Vec<String> = design.top().ports.iter().map(|p| p.name.clone()).collect();
        let ports = names.into_iter().map(|n| (n.clone(), sim.port(&n))).collect();
        let memory = Memory::new(1 << 20, geometry.bus_bytes as usize);
        sim.set("rst", 1);
        sim.tick();
        sim.set("rst", 0);
        let mut bench = Bench { geometry, sim, ports, memory };
        for quiet in ["start", "abort"] {
            bench.set(quiet, 0);
        }
        bench
    }

    fn set(&mut self, port: &str, value: u64) {
        let id = self.ports[port];
        self.sim.set(id, value);
    }

    fn get(&mut self, port: &str) -> u64 {
        let id = self.ports[port];
        self.sim.get(id)
    }

    /// One clock cycle with the memory attached.
    fn cycle(&mut self) {
        self.memory.cycle(&mut self.sim, &self.ports);
    }

    /// Runs one command to its end; the error code.
    fn command(&mut self, p: &Product, steps: u64) -> u64 {
        self.start(p, steps);
        let limit = 20_000 + 200 * (p.m * p.n * p.k.max(1)) as u64;
        for _ in 0..limit {
            self.cycle();
            if self.get("done") == 1 {
                assert_eq!(self.get("busy"), 0);
                assert!(self.memory.is_idle(), "bus traffic after the end");
                assert_eq!(self.sim.failure(), None);
                return self.get("error");
            }
        }
        panic!("{p:?} does not end");
    }

    fn start(&mut self, p: &Product, steps: u64) {
        for (port, value) in [
            ("m", p.m as u64),
            ("n", p.n as u64),
            ("k", p.k as u64),
            ("a_addr", p.a.addr),
            ("b_addr", p.b.addr),
            ("d_addr", p.d_addr),
            ("a_stride", p.a.stride as u64),
            ("b_stride", p.b.stride as u64),
            ("d_stride", p.d_stride as u64),
            ("a_col_major", p.a.col_major.into()),
            ("b_col_major", p.b.col_major.into()),
            ("d_col_major", p.d_col_major.into()),
            ("a_int4", p.a.int4.into()),
            ("b_int4", p.b.int4.into()),
            ("load_a", steps & LOAD_A),
            ("load_b", steps >> 1 & 1),
            ("compute", steps >> 2 & 1),
            ("store", steps >> 3 & 1),
        ] {
            self.set(port, value);
        }
        self.set("start", 1);
        self.cycle();
        self.set("start", 0);
    }

    /// Places random operands, and a pattern where D goes.
    fn fill(&mut self, p: &Product, rng: &mut StdRng) -> Vec<i32> {
        let a = random_elements(p.m * p.k, p.a.int4, rng);
        let b = random_elements(p.k * p.n, p.b.int4, rng);
        place(&mut self.memory.bytes, &p.a, &a, p.m, p.k);
        place(&mut self.memory.bytes, &p.b, &b, p.k, p.n);
        let (lines, _) = p.d_lines();
        let end = p.d_addr as usize + lines * p.d_stride;
        self.memory.bytes[p.d_addr as usize - 64..end + 64].fill(0xa5);
        reference(&a, &b, [p.m, p.n, p.k])
    }

    /// Compares D, and that nothing beside it was written.
    fn compare(&mut self, p: &Product, want: &[i32]) {
        let (lines, length) = p.d_lines();
        let bytes = &self.memory.bytes;
        for line in 0..lines {
            let at = p.d_addr as usize + line * p.d_stride;
            for x in 0..length {
                let (i, j) = if p.d_col_major { (x, line) } else { (line, x) };
                let word: [u8; 4] = bytes[at + 4 * x..at + 4 * x + 4].try_into().expect("4 bytes");
                assert_eq!(
                    i32::from_le_bytes(word),
                    want[i * p.n + j],
                    "D[{i},{j}] of {p:?} on {:?}",
                    self.geometry
                );
            }
            let gap = &bytes[at + 4 * length..at + p.d_stride.max(4 * length)];
            assert!(gap.iter().all(|b| *b == 0xa5), "written beside line {line} of {p:?}");
        }
        let before = &bytes[p.d_addr as usize - 64..p.d_addr as usize];
        assert!(before.iter().all(|b| *b == 0xa5), "written before D of {p:?}");
    }

    fn check(&mut self, p: &Product, rng: &mut StdRng) {
        let want = self.fill(p, rng);
        assert_eq!(self.command(p, ALL), 0, "{p:?}");
        self.compare(p, &want);
        assert_eq!(self.get("macs"), (p.m * p.n * p.k) as u64, "{p:?}");
        let beat = u64::from(self.geometry.bus_bytes);
        assert_eq!(self.get("bytes_written"), self.memory.beats_written * beat);
        assert_eq!(self.get("bytes_read"), self.memory.beats_read * beat);
    }
}

impl Product {
    /// Random layouts and alignments for a shape.
    fn random([m, n, k]: [usize; 3], rng: &mut StdRng) -> Product {
        let a = Layout::random(0x1000, m, k, rng);
        let b = Layout::random(0x20000, k, n, rng);
        let d_col_major = rng.random();
        let length = if d_col_major { m } else { n };
        let d_stride = 4 * (length + if rng.random() { 0 } else { rng.random_range(0..9) });
        let d_addr = 0x40000 + 4 * rng.random_range(0..16);
        Product { m, n, k, a, b, d_col_major, d_addr, d_stride }
    }

    /// Row-major, aligned int8.
    fn plain([m, n, k]: [usize; 3]) -> Product {
        let operand = |addr, stride| Layout { addr, stride, col_major: false, int4: false };
        let (a, b) = (operand(0x1000, k), operand(0x20000, n));
        Product { m, n, k, a, b, d_col_major: false, d_addr: 0x40000, d_stride: 4 * n }
    }

    fn d_lines(&self) -> (usize, usize) {
        if self.d_col_major { (self.n, self.m) } else { (self.m, self.n) }
    }
}

#[test]
fn plain_product() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut bench = Bench::new(small(4, 4, 16));
    for shape in [[4, 4, 4], [8, 8, 8], [5, 6, 7], [1, 1, 1], [3, 9, 40], [20, 20, 20]] {
        bench.check(&Product::plain(shape), &mut rng);
    }
}

fn small(rows: u32, cols: u32, bus_bytes: u32) -> Geometry {
    Geometry { bus_bytes, addr_bits: 40, ..Geometry::new(rows, cols) }
}

/// Products of random shapes, types, layouts and alignments; small scratchpads make blocks and chunks.
fn random_products(geometry: Geometry, count: usize, largest: usize) {
    let mut rng = StdRng::seed_from_u64(u64::from(geometry.rows * 1000 + geometry.bus_bytes));
    let mut bench = Bench::new(geometry);
    for i in 0..count {
        let mut side = || rng.random_range(1..=largest);
        let shape = [side(), side(), side()];
        bench.memory.stall = if i % 2 == 0 { 0.0 } else { 0.3 };
        bench.memory.latency = if i % 3 == 0 { 5 } else { 100 };
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
fn empty_products() {
    let mut rng = StdRng::seed_from_u64(3);
    let mut bench = Bench::new(small(4, 4, 16));
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
        let mut bench = Bench::new(Geometry { result_bytes: 1 << 16, ..small(rows, cols, 64) });
        for _ in 0..25 {
            let mut side = || rng.random_range(1..=60);
            let shape = [side(), side(), side()];
            let p = Product::random(shape, &mut rng);
            let (compute, _) = resident(&mut bench, &p, &mut rng);
            let [m, n, k] = shape.map(|x| x as u64);
            let (m, n) = if p.d_col_major { (n, m) } else { (m, n) };
            let bound = super::cycle_bound([m, n, k], rows.into(), cols.into());
            assert!(compute <= bound, "{shape:?} on {rows}x{cols}: {compute} > {bound}");
        }
    }
}

#[test]
fn resident_128_cubed_on_16x16_uses_over_97_percent() {
    let mut rng = StdRng::seed_from_u64(5);
    let mut bench = Bench::new(Geometry { result_bytes: 1 << 16, ..small(16, 16, 64) });
    let (compute, cycles) = resident(&mut bench, &Product::plain([128; 3]), &mut rng);
    let utilization = 128f64.powi(3) / (256.0 * compute as f64);
    assert!(utilization >= 0.97, "{compute} compute cycles, {cycles} cycles: {utilization}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut rng = StdRng::seed_from_u64(6);
    let geometry = Geometry { a_bytes: 128, b_bytes: 128, result_bytes: 256, ..small(4, 4, 16) };
    let mut bench = Bench::new(geometry);
    let p = Product::plain([4, 4, 17]);
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
    let mut bench = Bench::new(Geometry { a_bytes: 512, b_bytes: 512, ..small(4, 4, 16) });
    let p = Product::plain([40, 40, 40]);
    bench.memory.stall = 0.2;
    for (from, resp, code) in [
        (0x1000 + 20 * 40, 2, 16),
        (0x1000, 3, 17),
        (0x20000 + 30 * 40, 3, 17),
        (0x40000 + 12 * 160, 2, 18),
        (0x40000, 3, 19),
    ] {
        bench.fill(&p, &mut rng);
        bench.memory.fault = Some((from, resp));
        assert_eq!(bench.command(&p, ALL), code, "fault from {from:#x}");
        let info = bench.get("error_info");
        assert!((from - 48..from + 0x20000).contains(&info), "{info:#x}");
        bench.memory.fault = None;
        bench.check(&p, &mut rng);
    }
}

#[test]
fn abort_ends_a_command_at_any_time() {
    let mut rng = StdRng::seed_from_u64(8);
    let mut bench = Bench::new(Geometry { a_bytes: 512, b_bytes: 512, ..small(4, 4, 16) });
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
        bench.set("abort", 1);
        bench.cycle();
        bench.set("abort", 0);
        let mut left = 2000;
        while bench.get("busy") == 1 {
            bench.cycle();
            left -= 1;
            assert!(left > 0, "aborted after {wait} cycles, does not end");
        }
        assert!(bench.memory.is_idle());
        assert_eq!(bench.get("error"), 9);
        bench.check(&Product::random([9, 9, 9], &mut rng), &mut rng);
    }
}
