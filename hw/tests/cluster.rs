//! The whole sparse engine against the reference: random matrices, hub rows, tiny tables that
//! force replays, stalls, errors.

use mattock::sparse::Csr;
use mattock_hw::spgemm::Cluster;
use mattock_spec::JoinStep;
use mattock_spec::config::{CardConfig, SpgemmConfig};
use mattock_testbench::reference;
use mattock_testbench::sim::{AxiMemory, MemoryOptions};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rtl_gen::Design;
use rtl_gen::sim::Interpreter;

fn cluster(change: impl FnOnce(&mut CardConfig)) -> Cluster {
    let mut card = CardConfig::reference("small").unwrap();
    change(&mut card);
    Cluster::of(&card).unwrap()
}

struct Run {
    c: Csr<i32>,
    cycles: u64,
    error: u64,
    counts: Vec<(&'static str, u64)>,
}

struct Bench {
    sim: Interpreter,
    memory: AxiMemory,
    /// What joins the products of clusters built for it: steps, mask, addend.
    joins: Option<(&'static [&'static str], Csr<i32>, Csr<i32>)>,
}

impl Bench {
    fn new(cluster: &Cluster, options: &MemoryOptions) -> Bench {
        let design = Design::elaborate(cluster).unwrap_or_else(|e| panic!("{e}"));
        let mut sim = Interpreter::new(&design).unwrap();
        let memory = AxiMemory::new(&sim, &["m_axi_"], options);
        sim.set("flush", 0);
        sim.set("start", 0);
        sim.set("rst", 1);
        sim.tick();
        sim.set("rst", 0);
        Bench { sim, memory, joins: None }
    }

    fn multiply(&mut self, a: &Csr<i32>, b: &Csr<i32>, capacity: usize) -> Run {
        self.multiply_spoiled(a, b, capacity, None)
    }

    /// `spoil`: array (0 to 5: A's pointers, columns, values, then B's; 9 to 14: the mask's and the addend's), index and the word to
    /// put there.
    fn multiply_spoiled(
        &mut self,
        a: &Csr<i32>,
        b: &Csr<i32>,
        capacity: usize,
        spoil: Option<(usize, usize, u32)>,
    ) -> Run {
        let base = self.memory.addresses().start;
        let mut at = base;
        let mut place = |words: Vec<u32>| {
            let address = at;
            for (i, w) in words.iter().enumerate() {
                let bytes = self
                    .memory
                    .bytes_mut(address + 4 * i as u64, 4)
                    .expect("memory is large enough");
                bytes.copy_from_slice(&w.to_le_bytes());
            }
            at += (words.len() as u64 * 4).next_multiple_of(64) + 64;
            address
        };
        let ptr = |m: &Csr<i32>| m.row_ptr().iter().map(|p| *p as u32).collect::<Vec<u32>>();
        let val = |m: &Csr<i32>| m.values().iter().map(|v| *v as u32).collect::<Vec<u32>>();
        let mut places = vec![
            ("a_ptr", place(ptr(a))),
            ("a_col", place(a.col_idx().to_vec())),
            ("a_val", place(val(a))),
            ("b_ptr", place(ptr(b))),
            ("b_col", place(b.col_idx().to_vec())),
            ("b_val", place(val(b))),
            ("c_ptr", place(vec![u32::MAX; a.rows() + 1])),
            ("c_col", place(vec![u32::MAX; capacity])),
            ("c_val", place(vec![u32::MAX; capacity])),
        ];
        for step in ["mask", "complement", "by_value", "accumulate", "prune"] {
            let port = self.sim.try_port(&format!("steps_{step}"));
            let set = self.joins.as_ref().is_some_and(|joins| joins.0.contains(&step));
            assert!(port.is_some() || !set, "{step} is not built in");
            port.into_iter().for_each(|port| self.sim.set(port, u64::from(set)));
        }
        if let Some((_, mask, addend)) = &self.joins {
            places.extend([
                ("mask_ptr", place(ptr(mask))),
                ("mask_col", place(mask.col_idx().to_vec())),
                ("mask_val", place(val(mask))),
                ("addend_ptr", place(ptr(addend))),
                ("addend_col", place(addend.col_idx().to_vec())),
                ("addend_val", place(val(addend))),
            ]);
            self.sim.set("nnz_mask", mask.nnz() as u64);
            self.sim.set("nnz_addend", addend.nnz() as u64);
        }
        if let Some((array, index, word)) = spoil {
            let bytes = self.memory.bytes_mut(places[array].1 + 4 * index as u64, 4).unwrap();
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        for &(name, address) in &places {
            self.sim.set(name, address);
        }
        for (name, value) in [
            ("mode_value", 0),
            ("mode_semiring", 0),
            ("rows", a.rows() as u64),
            ("inner", b.rows() as u64),
            ("cols", b.cols() as u64),
            ("seed", 12345),
            ("nnz_a", a.nnz() as u64),
            ("nnz_b", b.nnz() as u64),
            ("c_capacity", capacity as u64),
        ] {
            self.sim.set(name, value);
        }
        while self.sim.get("idle") == 0 {
            self.memory.step(&mut self.sim).unwrap();
        }
        self.sim.set("start", 1);
        self.memory.step(&mut self.sim).unwrap();
        self.sim.set("start", 0);
        let (begun, limit) = (self.sim.cycle(), 100_000 + 100 * a.nnz() as u64);
        while self.sim.get("done") == 0 {
            self.memory.step(&mut self.sim).unwrap();
            assert!(self.sim.failure().is_none(), "{:?}", self.sim.failure());
            assert!(self.sim.cycle() < begun + limit, "the cluster hangs");
        }
        let cycles = self.sim.cycle() - begun;
        let error = self.sim.get("error");
        let read = |address: u64, n: usize| -> Vec<u32> {
            let bytes = self.memory.bytes(address, 4 * n).unwrap();
            bytes.chunks(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect()
        };
        let nnz = self.sim.get("nnz_c") as usize;
        let c = if error == 0 {
            let ptr = read(places[6].1, a.rows() + 1).into_iter().map(u64::from).collect();
            let values = read(places[8].1, nnz).into_iter().map(|v| v as i32).collect();
            Csr::new(a.rows(), b.cols(), ptr, read(places[7].1, nnz), values)
                .expect("canonical CSR")
        } else {
            Csr::empty(a.rows(), b.cols()).unwrap()
        };
        let names = [
            "products",
            "windows",
            "spills",
            "restarts",
            "hazard_stalls",
            "cache_hits",
            "cache_misses",
        ];
        let counts = names.map(|n| (n, self.sim.get(n))).to_vec();
        Run { c, cycles, error, counts }
    }
}

fn random(rng: &mut StdRng, rows: usize, cols: usize, most: usize) -> Csr<i32> {
    let (mut ptr, mut col, mut val) = (vec![0u64], vec![], vec![]);
    for _ in 0..rows {
        let n = rng.random_range(0..=most);
        let mut row: Vec<u32> = (0..n).map(|_| rng.random_range(0..cols as u32)).collect();
        row.sort_unstable();
        row.dedup();
        for c in row {
            col.push(c);
            val.push(rng.random());
        }
        ptr.push(col.len() as u64);
    }
    Csr::new(rows, cols, ptr, col, val).unwrap()
}

fn check(bench: &mut Bench, a: &Csr<i32>, b: &Csr<i32>) -> Run {
    let want = reference::spgemm(a, b).unwrap();
    let run = bench.multiply(a, b, want.nnz() + 5);
    println!("{} cycles, nnz {}, {:?}", run.cycles, want.nnz(), run.counts);
    assert_eq!(run.error, 0);
    assert_eq!(reference::compare_exact(&want, &run.c).mismatches(), 0);
    let products: u64 = a.col_idx().iter().map(|k| b.row_nnz(*k as usize) as u64).sum();
    assert_eq!(run.counts[0].1, products);
    assert_eq!(run.counts[4].1, 0, "hazard stalls");
    run
}

#[test]
fn multiplies_random_matrices() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut bench = Bench::new(&cluster(|_| ()), &MemoryOptions::default());
    for (rows, inner, cols, most) in
        [(1, 1, 1, 1), (5, 7, 9, 3), (60, 50, 70, 8), (200, 100, 300, 20)]
    {
        let (a, b) = (random(&mut rng, rows, inner, most), random(&mut rng, inner, cols, most));
        check(&mut bench, &a, &b);
    }
}

/// A matrix with a few very long rows, so that a small table must be filled several times for one row.
fn hubs(rng: &mut StdRng, n: usize, hubs: usize, long: usize, short: usize) -> Csr<i32> {
    let (mut ptr, mut col, mut val) = (vec![0u64], vec![], vec![]);
    for r in 0..n {
        let count = if r % (n / hubs).max(1) == 0 { long } else { rng.random_range(0..=short) };
        let mut row: Vec<u32> = (0..count).map(|_| rng.random_range(0..n as u32)).collect();
        row.sort_unstable();
        row.dedup();
        for c in row {
            col.push(c);
            val.push(rng.random_range(-9..=9));
        }
        ptr.push(col.len() as u64);
    }
    Csr::new(n, n, ptr, col, val).unwrap()
}

#[test]
fn replays_windows_that_overflow() {
    let mut rng = StdRng::seed_from_u64(2);
    // Rows that fit the queue are cut before they overflow, others after.
    for (entries, tasks) in [(64, 16), (256, 16), (256, 512)] {
        let tiny = cluster(|card| {
            let s = card.spgemm.as_mut().unwrap();
            s.entries_per_half = entries;
            s.task_fifo = tasks;
            s.banks = 4;
        });
        let stalls = Some(mattock_testbench::sim::Stalls { seed: 5, chance: 40 });
        for stalls in [None, stalls] {
            let options = MemoryOptions { stalls, ..MemoryOptions::default() };
            let mut bench = Bench::new(&tiny, &options);
            let a = hubs(&mut rng, 300, 4, 160, if entries == 64 { 6 } else { 12 });
            let run = check(&mut bench, &a, &a);
            let overflows = tasks == 512 || run.counts[3].1 > 0;
            assert!(overflows, "the table of {entries} entries must overflow");
            // The engine is as good as new afterwards.
            let b = random(&mut rng, 300, 40, 5);
            check(&mut bench, &a, &b);
        }
    }
}

#[test]
fn adversarial_columns_fill_one_bank() {
    // All columns of one bank, so that it overflows while the half is nearly empty.
    let mut rng = StdRng::seed_from_u64(3);
    let tiny = cluster(|card| {
        let s = card.spgemm.as_mut().unwrap();
        (s.entries_per_half, s.banks) = (64, 8);
    });
    let mut bench = Bench::new(&tiny, &MemoryOptions::default());
    for _ in 0..2 {
        let (a, b) = (random(&mut rng, 20, 30, 12), random(&mut rng, 30, 300, 20));
        check(&mut bench, &a, &b);
    }
}

#[test]
fn empty_shapes() {
    let mut bench = Bench::new(&cluster(|_| ()), &MemoryOptions::default());
    for (rows, inner, cols) in [(0, 3, 4), (4, 0, 4), (4, 3, 1), (300, 5, 7)] {
        let (a, b) = (Csr::empty(rows, inner).unwrap(), Csr::empty(inner, cols).unwrap());
        check(&mut bench, &a, &b);
    }
}

#[test]
fn too_small_a_result_is_an_error_with_the_need() {
    let mut rng = StdRng::seed_from_u64(4);
    let mut bench = Bench::new(&cluster(|_| ()), &MemoryOptions::default());
    let a = random(&mut rng, 50, 50, 8);
    let want = reference::spgemm(&a, &a).unwrap();
    let run = bench.multiply(&a, &a, want.nnz() / 2);
    assert_eq!(run.error, mattock_spec::ErrorCode::CapacityExceeded as u64);
    assert_eq!(bench.sim.get("error_info"), want.nnz() as u64);
    check(&mut bench, &a, &a);
}

#[test]
fn corrupt_arrays_are_faults_and_the_engine_goes_on() {
    use mattock_spec::ErrorCode::{ColumnA, ColumnB, RowPointerA, RowPointerB};
    let mut rng = StdRng::seed_from_u64(6);
    let mut bench = Bench::new(&cluster(|_| ()), &MemoryOptions::default());
    let a = random(&mut rng, 60, 60, 8);
    let capacity = reference::spgemm(&a, &a).unwrap().nnz();
    let beyond = u32::MAX >> 4;
    // The same memory is not shared between A and B here, so each fault has one cause.
    let cases = [
        ((0, 30, beyond), RowPointerA),
        ((1, a.row_ptr()[20] as usize, 60), ColumnA),
        ((3, a.col_idx()[0] as usize + 1, beyond), RowPointerB),
        ((4, a.row_ptr()[a.col_idx()[0] as usize + 1] as usize - 1, 60), ColumnB),
    ];
    for (spoil, code) in cases {
        let run = bench.multiply_spoiled(&a, &a, capacity, Some(spoil));
        assert_eq!(run.error, code as u64, "{spoil:?}: {code:?}");
        check(&mut bench, &a, &a);
    }
}

/// A cluster with everything that may join.
fn joined(entries: u32) -> Cluster {
    cluster(|card| {
        let s = card.spgemm.as_mut().unwrap();
        s.entries_per_half = entries;
        s.joins = JoinStep::NAMES.iter().map(|(_, step)| *step).collect();
    })
}

#[test]
fn masks_and_addends_join_every_pass_and_replay() {
    let mut rng = StdRng::seed_from_u64(7);
    let stalls = Some(mattock_testbench::sim::Stalls { seed: 6, chance: 40 });
    let options = MemoryOptions { stalls, ..MemoryOptions::default() };
    let mut bench = Bench::new(&joined(64), &options);
    let mut restarts = 0;
    for steps in [
        &["mask"][..],
        &["mask", "complement"],
        &["mask", "by_value", "accumulate"],
        &["accumulate", "prune"],
        &["mask", "complement", "accumulate", "prune"],
    ] {
        let a = hubs(&mut rng, 120, 4, 60, 6);
        let mask = hubs(&mut rng, 120, 3, 90, 20).map(|v| v % 3);
        let addend = hubs(&mut rng, 120, 5, 70, 10).map(|v| v % 4);
        let has = |step| steps.contains(&step);
        let mut want = reference::spgemm(&a, &a).unwrap();
        if has("accumulate") {
            want = reference::onto(&addend, &want, mattock_spec::Semiring::PlusTimes);
        }
        if has("mask") {
            let mask = reference::Mask::new(&mask, has("complement"), has("by_value"));
            want = mask.apply(&want);
        }
        if has("prune") {
            want = want.retain(|_, _, value| *value != 0);
        }
        bench.joins = Some((steps, mask, addend));
        let run = bench.multiply(&a, &a, want.nnz());
        assert_eq!(run.error, 0, "{steps:?}");
        assert_eq!(reference::compare_exact(&want, &run.c).mismatches(), 0, "{steps:?}");
        restarts += run.counts[3].1;
        // Nothing of it stays for the next product.
        bench.joins = None;
        check(&mut bench, &a, &a);
    }
    assert!(restarts > 0, "no window was replayed");
}

#[test]
fn corrupt_masks_and_addends_are_faults_with_their_row() {
    use mattock_spec::ErrorCode::{ColumnB, RowPointerAddend, RowPointerB, RowPointerMask};
    let mut rng = StdRng::seed_from_u64(8);
    let mut bench = Bench::new(&joined(1024), &MemoryOptions::default());
    let a = random(&mut rng, 60, 60, 8);
    let (mask, addend) = (random(&mut rng, 60, 60, 9), random(&mut rng, 60, 60, 9));
    let row = (0..60).find(|row| a.row_nnz(*row) > 0 && mask.row_nnz(*row) > 0).unwrap();
    let last = mask.row_ptr()[row + 1] as usize - 1;
    let beyond = u32::MAX >> 4;
    for (spoil, code, info) in [
        ((9, row + 1, beyond), RowPointerMask, Some(row)),
        ((12, 31, beyond), RowPointerAddend, Some(30)),
        ((10, last, 60), ColumnB, None),
        ((3, a.col_idx()[0] as usize + 1, beyond), RowPointerB, Some(a.col_idx()[0] as usize)),
    ] {
        bench.joins = Some((&["mask", "accumulate"], mask.clone(), addend.clone()));
        let run = bench.multiply_spoiled(&a, &a, 3600, Some(spoil));
        assert_eq!(run.error, code as u64, "{spoil:?}: {code:?}");
        let told = bench.sim.get("error_info");
        assert!(info.is_none_or(|row| told == row as u64), "{code:?} tells {told}, not {info:?}");
        bench.joins = None;
        check(&mut bench, &a, &a);
    }
}

/// To the cycle, replays and passes included.
#[test]
fn what_may_join_costs_a_plain_product_nothing() {
    let mut rng = StdRng::seed_from_u64(9);
    for entries in [64, 1024] {
        let plain = Cluster {
            config: SpgemmConfig { joins: vec![], ..joined(entries).config },
            ..joined(entries)
        };
        let a = hubs(&mut rng, 200, 4, 80, 8);
        let run = |cluster: &Cluster| {
            let mut bench = Bench::new(cluster, &MemoryOptions::default());
            [(); 2].map(|()| check(&mut bench, &a, &a)).map(|run| (run.cycles, run.counts))
        };
        assert_eq!(run(&plain), run(&joined(entries)));
    }
}
