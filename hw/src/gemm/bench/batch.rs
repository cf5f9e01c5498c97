//! Commands of many products: every layout, the pace on paper, errors.

use super::operand::{Layout, place, random_elements};
use super::{ALL, Bench, COMPUTE, LOAD_A, MEMORY_BYTES, Product, STORE, reference, small};
use crate::gemm::Geometry;
use mattock_spec::command::BatchEntry;
use mattock_testbench::sim::Response;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const LIST: u64 = 0x800;
const D: u64 = 0x60000;

/// Many products: the first, and where each lies.
#[derive(Clone, Debug)]
struct Batch {
    first: Product,
    at: Vec<[u64; 3]>,
    /// Bytes from one to the next; without, they are in a list.
    next: Option<[u64; 3]>,
}

impl Batch {
    /// Products in the first's layouts, each matrix `next` bytes after the one before.
    fn strided(first: Product, count: u64, next: [u64; 3]) -> Batch {
        let base = [first.a.addr, first.b.addr, first.d_addr];
        let at = (0..count).map(|i| [0, 1, 2].map(|x| base[x] + i * next[x])).collect();
        Batch { first, at, next: Some(next) }
    }

    /// The same addresses in an order of their own, from a list.
    fn listed(mut self, rng: &mut StdRng) -> Batch {
        for i in (1..self.at.len()).rev() {
            self.at.swap(i, rng.random_range(0..=i));
        }
        self.next = None;
        self
    }

    /// Any shape up to `most`, any layouts; matrices close together or apart, A and B also the same for all.
    fn random(count: u64, most: [usize; 3], rng: &mut StdRng) -> Batch {
        let [m, n, k] = most.map(|most| rng.random_range(1..=most));
        let mut first = Product::random([m, n, k], rng);
        first.d_addr = D + 4 * rng.random_range(0..16);
        let bytes = |layout: &Layout, rows, cols| {
            (if layout.col_major { cols } else { rows } * layout.stride) as u64
        };
        let sizes = [bytes(&first.a, m, k), bytes(&first.b, k, n)];
        let (lines, _) = first.d_lines();
        let d = (lines * first.d_stride) as u64 + 4 * rng.random_range(0..3);
        let [a, b] = sizes.map(|bytes| match rng.random_range(0..6) {
            0 => 0,
            _ => bytes + rng.random_range(0..9),
        });
        let batch = Batch::strided(first, count, [a, b, d]);
        if rng.random() { batch } else { batch.listed(rng) }
    }

    /// Row-major products of n x n x n whose lines are `line` elements apart.
    fn square(n: usize, line: usize, count: u64) -> Batch {
        let operand = |addr| Layout { addr, stride: line, col_major: false, int4: false };
        let (a, b, d_stride) = (operand(0x10000), operand(0x30000), 4 * line);
        let first = Product { m: n, n, k: n, a, b, d_col_major: false, d_addr: D, d_stride };
        let bytes = (n * line).next_power_of_two() as u64;
        Batch::strided(first, count, [bytes, bytes, 4 * (n * line) as u64])
    }

    fn product(&self, i: usize) -> Product {
        let [a, b, d_addr] = self.at[i];
        let mut product = Product { d_addr, ..self.first.clone() };
        (product.a.addr, product.b.addr) = (a, b);
        product
    }
}

impl Bench {
    /// Starts a batch with these steps.
    fn start_batch(&mut self, batch: &Batch, steps: u64) {
        let next = batch.next.unwrap_or_default();
        for (port, value) in [
            ("batch", 1),
            ("batch_listed", batch.next.is_none().into()),
            ("products", batch.at.len() as u64),
            ("a_next", next[0]),
            ("b_next", next[1]),
            ("d_next", next[2]),
            ("list", LIST),
        ] {
            self.set(port, value);
        }
        self.start(&batch.first, steps);
        self.set("batch", 0);
    }

    fn end_of_batch(&mut self, batch: &Batch) -> u64 {
        let p = &batch.first;
        let limit = 50_000 + 4 * (1000 + p.m * p.n * p.k) * batch.at.len();
        for _ in 0..limit {
            self.cycle();
            if self.get("done") == 1 {
                assert_eq!(self.get("busy"), 0);
                assert_eq!(self.sim.failure(), None);
                return self.get("error");
            }
        }
        panic!("{batch:?} does not end on {:?}", self.geometry);
    }

    /// Random operands, and the list; what D of each product is then.
    fn fill_batch(&mut self, batch: &Batch, rng: &mut StdRng) -> Vec<Vec<i32>> {
        let p = &batch.first;
        let bytes = self.memory.bytes_mut(0, MEMORY_BYTES).expect("mapped");
        bytes[D as usize - 64..].fill(0xa5);
        let mut operands = std::collections::HashMap::new();
        // Products may share an operand.
        let mut operand = |layout: &Layout, rows, cols, bytes: &mut [u8], rng: &mut StdRng| {
            let values = operands.entry(layout.addr).or_insert_with(|| {
                let values = random_elements(rows * cols, layout.int4, rng);
                place(bytes, layout, &values, rows, cols);
                values
            });
            values.clone()
        };
        let mut want = vec![];
        for i in 0..batch.at.len() {
            let each = batch.product(i);
            let a = operand(&each.a, p.m, p.k, bytes, rng);
            let b = operand(&each.b, p.k, p.n, bytes, rng);
            want.push(reference(&a, &b, [p.m, p.n, p.k]));
            let [a, b, d] = batch.at[i];
            let at = LIST as usize + i * BatchEntry::BYTES as usize;
            let entry = BatchEntry { a, b, d }.encode();
            bytes[at..at + entry.len()].copy_from_slice(&entry);
        }
        want
    }

    fn compare_batch(&mut self, batch: &Batch, want: &[Vec<i32>]) {
        let mut results = 0;
        for (i, want) in want.iter().enumerate() {
            let p = batch.product(i);
            let bytes = self.memory.bytes(0, MEMORY_BYTES).expect("mapped");
            let (lines, length) = p.d_lines();
            for line in 0..lines {
                for x in 0..length {
                    let at = p.d_addr as usize + line * p.d_stride + 4 * x;
                    let word: [u8; 4] = bytes[at..at + 4].try_into().expect("4 bytes");
                    let (row, col) = if p.d_col_major { (x, line) } else { (line, x) };
                    let (got, want) = (i32::from_le_bytes(word), want[row * p.n + col]);
                    let geometry = self.geometry;
                    assert_eq!(got, want, "D[{row},{col}] of product {i}, {batch:?}, {geometry:?}");
                }
            }
            results += 4 * lines * length;
        }
        // Nothing but results was written.
        let bytes = self.memory.bytes(0, MEMORY_BYTES).expect("mapped");
        let mut untouched = vec![true; MEMORY_BYTES];
        for i in 0..batch.at.len() {
            let p = batch.product(i);
            let (lines, length) = p.d_lines();
            for line in 0..lines {
                let at = p.d_addr as usize + line * p.d_stride;
                untouched[at..at + 4 * length].fill(false);
            }
        }
        let all = D as usize - 64..MEMORY_BYTES;
        assert_eq!(untouched[all.clone()].iter().filter(|x| !**x).count(), results);
        assert!(all.into_iter().all(|at| !untouched[at] || bytes[at] == 0xa5), "{batch:?}");
    }

    /// Runs a batch, compares everything it reports; its cycles.
    fn check_batch(&mut self, batch: &Batch, rng: &mut StdRng) -> u64 {
        let want = self.fill_batch(batch, rng);
        let before = self.memory.counts(0);
        self.start_batch(batch, ALL);
        assert_eq!(self.end_of_batch(batch), 0, "{batch:?} on {:?}", self.geometry);
        self.compare_batch(batch, &want);
        let (after, beat) = (self.memory.counts(0), u64::from(self.geometry.bus_bytes));
        assert_eq!(self.get("bytes_read"), (after.read_beats - before.read_beats) * beat);
        assert_eq!(self.get("bytes_written"), (after.write_beats - before.write_beats) * beat);
        let p = &batch.first;
        assert_eq!(self.get("macs"), (batch.at.len() * p.m * p.n * p.k) as u64, "{batch:?}");
        self.get("cycles")
    }
}

fn with_batch(geometry: Geometry) -> Geometry {
    Geometry { batch: true, ..geometry }
}

/// Random batches, single products between them.
fn random_batches(geometry: Geometry, rounds: usize, most: [usize; 3]) {
    let geometry = with_batch(geometry);
    let mut rng = StdRng::seed_from_u64(u64::from(geometry.rows * 1000 + geometry.bus_bytes));
    let mut benches = [Bench::new(geometry, 5, 0), Bench::new(geometry, 100, 80)];
    for round in 0..rounds {
        let count = rng.random_range(1..=20);
        let batch = Batch::random(count, most, &mut rng);
        let bench = &mut benches[round % 2];
        bench.check_batch(&batch, &mut rng);
        if round % 4 == 0 {
            let side = [(); 3].map(|()| rng.random_range(1..=20));
            bench.check(&Product::random(side, &mut rng), &mut rng);
        }
    }
}

#[test]
fn random_batches_of_one_tile() {
    random_batches(small(4, 4, 16), 60, [4, 4, 12]);
    random_batches(small(3, 5, 32), 40, [3, 5, 12]);
    random_batches(Geometry { a_bytes: 512, b_bytes: 512, ..small(8, 8, 64) }, 60, [8, 8, 8]);
}

#[test]
fn random_batches_of_several_tiles() {
    random_batches(Geometry { a_bytes: 4096, b_bytes: 4096, ..small(4, 4, 8) }, 30, [14, 14, 20]);
    random_batches(Geometry { a_bytes: 8192, b_bytes: 8192, ..small(2, 8, 64) }, 30, [14, 20, 30]);
}

#[test]
fn random_batches_cut_by_steps_of_k() {
    for (rows, cols, k_split, bus) in [(8, 4, 4, 32), (16, 8, 8, 64)] {
        let geometry = Geometry { k_split, a_bytes: 4096, b_bytes: 4096, ..small(rows, cols, bus) };
        random_batches(geometry, 40, [rows as usize, cols as usize, 12]);
    }
}

#[test]
fn random_batches_with_memory_on_the_card() {
    let near = Geometry { addr_bits: 20, memory_on_card: true, ..small(2, 4, 8) };
    random_batches(Geometry { a_bytes: 256, b_bytes: 512, ..near }, 60, [2, 4, 6]);
}

#[test]
fn empty_batches() {
    let mut rng = StdRng::seed_from_u64(3);
    let mut bench = Bench::new(with_batch(small(4, 4, 16)), 30, 0);
    let batch = Batch::square(4, 4, 9);
    for shape in [[4, 4, 0], [0, 4, 4], [4, 0, 4]] {
        let [m, n, k] = shape;
        let first = Product { m, n, k, ..batch.first.clone() };
        let batch = Batch { first, ..batch.clone() };
        bench.check_batch(&batch, &mut rng);
        bench.check_batch(&batch.listed(&mut rng), &mut rng);
    }
    let none = Batch { at: vec![], ..batch.clone() };
    assert!(bench.check_batch(&none, &mut rng) < 10);
    bench.check_batch(&batch, &mut rng);
}

/// What a product adds to a batch.
fn pace(bench: &mut Bench, batch: impl Fn(u64) -> Batch, rng: &mut StdRng) -> f64 {
    let [few, many] = [400, 600].map(|count| bench.check_batch(&batch(count), rng));
    (many - few) as f64 / 200.0
}

/// No bubble: n x n x n takes as long as its tile or as the beats that it lies in, whichever is longer.
#[test]
fn products_follow_without_a_bubble() {
    let mut rng = StdRng::seed_from_u64(4);
    let split = Geometry { k_split: 8, a_bytes: 1 << 16, b_bytes: 1 << 18, ..small(16, 16, 64) };
    // Where the bus is short, 64 slots are soon full, after which loads go no further ahead.
    let slots = |bus| Geometry { a_bytes: 4096, b_bytes: 4096, ..small(8, 8, bus) };
    for geometry in [small(8, 8, 64), split, slots(32), slots(16)] {
        let mut bench = Bench::new(with_batch(geometry), 100, 0);
        for n in 3..=8usize {
            let (line, bus) = (n.next_power_of_two(), geometry.bus_bytes as usize);
            let tile = if geometry.k_split > 1 && n <= 4 { 4 } else { 8 };
            let beats = 2 * (n * line).div_ceil(bus) + (4 * n * line).div_ceil(bus);
            let strided = pace(&mut bench, |count| Batch::square(n, line, count), &mut rng);
            // A bus that is always busy wastes one beat of thirty when reads and writes change places.
            let bound = |beats: f64| if beats > tile as f64 { 1.034 * beats } else { tile as f64 };
            assert!(strided <= bound(beats as f64), "{strided}: {n} on {geometry:?}");
            // An entry of a list is 32 bytes.
            let listed = |count| Batch { next: None, ..Batch::square(n, line, count) };
            let listed = pace(&mut bench, listed, &mut rng);
            let beats = beats as f64 + 32.0 / bus as f64;
            assert!(listed <= bound(beats), "{listed}: {n} on {geometry:?}, from a list");
        }
    }
}

#[test]
fn wrong_entries_are_told_by_their_product() {
    let mut rng = StdRng::seed_from_u64(5);
    for bus in [8, 16, 64] {
        let mut bench = Bench::new(with_batch(small(4, 4, bus)), 60, 0);
        let batch = Batch { next: None, ..Batch::square(4, 4, 30) };
        for (index, byte, value) in [
            (0, 0, None),
            (29, 5, Some(1)),
            (7, 7, Some(0x80)),
            (8, 13, Some(1)),
            (17, 16, Some(2)),
            (18, 16, Some(1)),
            (19, 23, Some(1)),
            (20, 24, Some(1)),
            (21, 31, Some(0x80)),
        ] {
            let want = bench.fill_batch(&batch, &mut rng);
            let bytes = bench.memory.bytes_mut(LIST, 0x1000).expect("mapped");
            if let Some(value) = value {
                bytes[index * BatchEntry::BYTES as usize + byte] |= value;
            }
            bench.start_batch(&batch, ALL);
            let code = bench.end_of_batch(&batch);
            match value {
                None => bench.compare_batch(&batch, &want),
                Some(_) => {
                    assert_eq!((code, bench.get("error_info")), (10, index as u64), "byte {byte}");
                    bench.check_batch(&batch, &mut rng);
                    bench.check(&Product::plain([9, 9, 9]), &mut rng);
                }
            }
        }
    }
}

#[test]
fn bus_errors_end_a_batch_and_the_engine_goes_on() {
    let mut rng = StdRng::seed_from_u64(6);
    let mut bench = Bench::new(with_batch(small(4, 4, 16)), 60, 0);
    let batch = Batch::square(4, 4, 60);
    let listed = Batch { next: None, ..batch.clone() };
    for (at, code) in [
        (batch.at[0][0], 17),
        (batch.at[40][0], 17),
        (batch.at[59][1], 17),
        (batch.at[33][2], 19),
        (LIST + 32 * 20, 17),
    ] {
        for batch in [&batch, &listed] {
            if (LIST..LIST + 0x1000).contains(&at) && batch.next.is_some() {
                continue;
            }
            bench.fill_batch(batch, &mut rng);
            bench.memory.inject(at..at + 1, Response::DecodeError);
            bench.start_batch(batch, ALL);
            assert_eq!(bench.end_of_batch(batch), code, "fault at {at:#x}");
            assert_eq!(bench.get("error_info"), at & !15);
            bench.memory.clear_faults();
            bench.check_batch(batch, &mut rng);
        }
    }
}

#[test]
fn abort_ends_a_batch_at_any_time() {
    let mut rng = StdRng::seed_from_u64(8);
    let mut bench = Bench::new(with_batch(small(4, 4, 16)), 100, 0);
    let strided = Batch::square(4, 4, 150);
    let listed = strided.clone().listed(&mut rng);
    for wait in (0..1100).step_by(23) {
        for batch in [&strided, &listed] {
            bench.fill_batch(batch, &mut rng);
            bench.start_batch(batch, ALL);
            for _ in 0..wait {
                bench.cycle();
            }
            if bench.get("busy") == 0 {
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
        }
        bench.check_batch(&Batch::square(3, 4, 5), &mut rng);
        bench.check(&Product::random([9, 9, 9], &mut rng), &mut rng);
    }
}

#[test]
fn what_is_no_batch_is_refused() {
    let mut rng = StdRng::seed_from_u64(9);
    let geometry = Geometry { a_bytes: 128, b_bytes: 256, ..small(4, 4, 16) };
    let mut bench = Bench::new(with_batch(geometry), 20, 0);
    let of = |shape: [usize; 3]| {
        let first = Product { d_addr: D, ..Product::plain(shape) };
        Batch::strided(first, 3, [0x400, 0x400, 0x1000])
    };
    for steps in [LOAD_A, COMPUTE, ALL & !LOAD_A, ALL & !STORE] {
        bench.start_batch(&of([4, 4, 4]), steps);
        assert_eq!(bench.end_of_batch(&of([4, 4, 4])), 7, "steps {steps}");
    }
    // Half of A holds 16 steps of a tile, of B 32.
    for (shape, code) in [
        ([4, 4, 16], 0),
        ([8, 4, 8], 0),
        ([4, 4, 17], 7),
        ([8, 4, 12], 7),
        ([16, 4, 4], 0),
        ([20, 4, 4], 7),
        ([4, 36, 4], 7),
    ] {
        let batch = of(shape);
        bench.start_batch(&batch, ALL);
        assert_eq!(bench.end_of_batch(&batch), code, "{shape:?}");
    }
    let mut odd = of([4, 4, 4]);
    odd.next = Some([16, 16, 65]);
    bench.start_batch(&odd, ALL);
    assert_eq!(bench.end_of_batch(&odd), 6);
    bench.check_batch(&of([4, 4, 4]), &mut rng);
}
