//! A bench for the whole engine: AXI memory with latency and stalls, operands in every layout.

mod array;
mod batch;
mod chain;
mod engine;
mod operand;
mod plan;
mod scratchpad;
mod typed;

use super::{GemmEngine, Geometry, reference};
use mattock_testbench::sim::{AxiMemory, MemoryOptions, Stalls};
use operand::{Layout, place, random_elements};
use rand::Rng;
use rand::rngs::StdRng;
use rtl_gen::sim::PortId;
use rtl_gen::{Design, Interpreter};
use std::collections::HashMap;

/// Engine, memory and the numbers of the last command.
struct Bench {
    geometry: Geometry,
    sim: Interpreter,
    ports: HashMap<String, PortId>,
    memory: AxiMemory,
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

const MEMORY_BYTES: usize = 1 << 20;

impl Bench {
    fn new(geometry: Geometry, latency: u64, stall_chance: u8) -> Self {
        let design = Design::elaborate(&GemmEngine { geometry }).expect("elaborates");
        let mut sim = Interpreter::new(&design).expect("simulates");
        let names: Vec<String> = design.top().ports.iter().map(|p| p.name.clone()).collect();
        let ports = names.into_iter().map(|n| (n.clone(), sim.port(&n))).collect();
        let stalls = (stall_chance > 0).then_some(Stalls { seed: 7, chance: stall_chance });
        let options =
            MemoryOptions { base: 0, bytes: MEMORY_BYTES, latency, stalls, ..Default::default() };
        let memory = AxiMemory::new(&sim, &["m_axi_"], &options);
        sim.set("rst", 1);
        sim.tick();
        sim.set("rst", 0);
        let mut bench = Bench { geometry, sim, ports, memory };
        for quiet in ["start", "stop"] {
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
        self.memory.step(&mut self.sim).expect("keeps the rules of the bus");
    }

    /// Runs one command to its end; the error code.
    fn command(&mut self, p: &Product, steps: u64) -> u64 {
        self.start(p, steps);
        let limit = 50_000 + 4 * (p.m * p.n * p.k) as u64;
        for _ in 0..limit {
            self.cycle();
            if self.get("done") == 1 {
                assert_eq!(self.get("busy"), 0);
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
            ("a_size", (!p.a.int4).into()),
            ("b_size", (!p.b.int4).into()),
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
        let bytes = self.memory.bytes_mut(0, MEMORY_BYTES).expect("mapped");
        let a = random_elements(p.m * p.k, p.a.int4, rng);
        let b = random_elements(p.k * p.n, p.b.int4, rng);
        place(bytes, &p.a, &a, p.m, p.k);
        place(bytes, &p.b, &b, p.k, p.n);
        let (lines, _) = p.d_lines();
        let end = p.d_addr as usize + lines * p.d_stride;
        bytes[p.d_addr as usize - 64..end + 64].fill(0xa5);
        reference(&a, &b, [p.m, p.n, p.k])
    }

    /// Compares D, and that nothing beside it was written.
    fn compare(&mut self, p: &Product, want: &[i32]) {
        let (lines, length) = p.d_lines();
        let bytes = self.memory.bytes(0, MEMORY_BYTES).expect("mapped");
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

    /// Runs a whole product and compares everything it reports.
    fn check(&mut self, p: &Product, rng: &mut StdRng) {
        let want = self.fill(p, rng);
        let before = self.memory.counts(0);
        assert_eq!(self.command(p, ALL), 0, "{p:?}");
        self.compare(p, &want);
        let after = self.memory.counts(0);
        let beat = u64::from(self.geometry.bus_bytes);
        assert_eq!(self.get("bytes_read"), (after.read_beats - before.read_beats) * beat);
        assert_eq!(self.get("bytes_written"), (after.write_beats - before.write_beats) * beat);
        assert_eq!(self.get("macs"), (p.m * p.n * p.k) as u64, "{p:?}");
        assert!(self.get("cycles") >= self.get("compute_cycles"));
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

fn small(rows: u32, cols: u32, bus_bytes: u32) -> Geometry {
    Geometry { bus_bytes, addr_bits: 40, ..Geometry::new(rows, cols) }
}
