//! The cycle model of the sparse engine against the RTL.

use mattock::ContextOptions;
use mattock::io::read_matrix;
use mattock::sparse::{Csr, SpgemmOptions, SpgemmStats, spgemm_parts};
use mattock_hw::spgemm::Cluster;
use mattock_spec::config::{CardConfig, Dispatch, HashKind, SpgemmConfig};
use mattock_testbench::model::spgemm::{
    Command, Counts, Memory, Model, Operand, Product, Watch, run,
};
use mattock_testbench::rmat::Rmat;
use mattock_testbench::sim::{AxiMemory, MemoryOptions, SimOptions, SimulatorKind, open_device};
use rtl_gen::Design;
use rtl_gen::sim::{Interpreter, PortId};
use std::path::Path;

/// Outputs of the cluster that are compared in every cycle.
const WATCHED: [&str; 9] = [
    "watch_sends",
    "watch_core",
    "watch_window",
    "watch_data",
    "watch_task",
    "watch_drain",
    "watch_stop",
    "read_beat",
    "write_beat",
];

fn watch(sim: &mut Interpreter, pins: &[PortId; 9]) -> Watch {
    let [sends, core, window, data, task, drain, stop, read, write] = pins.map(|pin| sim.get(pin));
    Watch {
        sends: sends as u32,
        core: core as u32,
        window: window as u32,
        data: data as u32,
        task: task == 1,
        drain: drain == 1,
        stop: stop == 1,
        read_beat: read == 1,
        write_beat: write == 1,
    }
}

/// A product in the memory of a cluster without a card around it.
struct Bench {
    sim: Interpreter,
    memory: AxiMemory,
    model: Model,
    ptr: Vec<u32>,
    col: Vec<u32>,
    addresses: [u64; 3],
    rows: u32,
    ordered: bool,
}

impl Bench {
    fn new(card: &CardConfig, memory: Memory, a: &Csr<i32>, nnz_c: usize, ordered: bool) -> Self {
        let cluster = Cluster::of(card).expect("a sparse card");
        let design = Design::elaborate(&cluster).expect("the cluster elaborates");
        let mut sim = Interpreter::new(&design).expect("the cluster simulates");
        let bytes = (8 * nnz_c + 8 * a.nnz() + 8 * a.rows() + 4096).next_multiple_of(4096);
        let Memory { latency, bytes_per_cycle } = memory;
        let options = MemoryOptions { bytes, latency, bytes_per_cycle, ..Default::default() };
        let model = Model::new(card, &memory).expect("a sparse card");
        let mut memory = AxiMemory::new(&sim, &["m_axi_"], &options);
        for name in ["flush", "start"] {
            sim.set(name, 0);
        }
        sim.set("rst", 1);
        sim.tick();
        sim.set("rst", 0);
        let mut at = memory.addresses().start;
        let mut place = |words: &[u32]| {
            let address = at;
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            memory.bytes_mut(address, bytes.len()).expect("room").copy_from_slice(&bytes);
            at += (bytes.len() as u64).next_multiple_of(64);
            address
        };
        let ptr: Vec<u32> = a.row_ptr().iter().map(|p| *p as u32).collect();
        let val: Vec<u32> = a.values().iter().map(|v| *v as u32).collect();
        let addresses = [place(&ptr), place(a.col_idx()), place(&val)];
        let c = [place(&vec![0; a.rows() + 1]), place(&vec![0; nnz_c]), place(&vec![0; nnz_c])];
        let rows = a.rows() as u64;
        for (name, value) in ["a_ptr", "a_col", "a_val", "b_ptr", "b_col", "b_val"]
            .into_iter()
            .zip(addresses.into_iter().chain(addresses))
            .chain(["c_ptr", "c_col", "c_val"].into_iter().zip(c))
            .chain([("mode_value", 0), ("mode_semiring", 0), ("mode_ordered", ordered.into())])
            .chain([("rows", rows), ("inner", rows)])
            .chain([("cols", a.cols() as u64), ("seed", 1), ("nnz_a", a.nnz() as u64)])
            .chain([("nnz_b", a.nnz() as u64), ("c_capacity", nnz_c as u64)])
        {
            if sim.try_port(name).is_some() {
                sim.set(name, value);
            }
        }
        let (col, line) = (a.col_idx().to_vec(), u64::from(card.memory.bus_bytes));
        Bench {
            sim,
            memory,
            model,
            ptr,
            col,
            addresses: addresses.map(|a| a / line),
            rows: rows as u32,
            ordered,
        }
    }

    /// Runs the product; counters of the hardware and of the model.
    fn run(&mut self) -> (Counts, Counts) {
        let operand = Operand { ptr: &self.ptr, col: &self.col };
        let [b_ptr, b_col, b_val] = self.addresses;
        let rows = self.rows;
        let command = Command {
            a: operand,
            b: operand,
            cols: rows,
            first_row: 0,
            end_row: rows,
            first_col: 0,
            end_col: rows,
            capacity: u32::MAX,
            ordered: self.ordered,
            seed: 1,
            b_ptr,
            b_col,
            b_val,
        };
        while self.sim.get("idle") == 0 {
            self.memory.step(&mut self.sim).expect("the bus is sound");
            self.model.tick(&command, &[], false);
        }
        let before = self.memory.counts(0);
        self.sim.set("start", 1);
        self.memory.step(&mut self.sim).expect("the bus is sound");
        self.sim.set("start", 0);
        self.model.tick(&command, &[], true);
        let pins = WATCHED.map(|name| self.sim.port(name));
        let mut cycles = 0;
        while self.sim.get("done") == 0 {
            cycles += 1;
            self.memory.drive(&mut self.sim);
            self.memory.sample(&mut self.sim).expect("the bus is sound");
            let seen = watch(&mut self.sim, &pins);
            self.sim.tick();
            assert!(!self.model.done(), "the model ends before the hardware, in cycle {cycles}");
            self.model.tick(&command, &[], false);
            assert_eq!(self.model.watch().next(), Some(seen), "cycle {cycles}");
            assert!(cycles < 10_000_000, "the cluster hangs");
        }
        let beats = self.memory.counts(0);
        let mut get = |name: &str| self.sim.get(name);
        let hardware = Counts {
            // The card counts the cycle of the start, or that of the end, too.
            cycles: cycles + 1,
            products: get("products"),
            nnz: get("nnz_c"),
            windows: get("windows"),
            spills: get("spills"),
            restarts: get("restarts"),
            hazard_stalls: get("hazard_stalls"),
            cache_hits: get("cache_hits"),
            cache_misses: get("cache_misses"),
            read_beats: beats.read_beats - before.read_beats,
            write_beats: beats.write_beats - before.write_beats,
        };
        (hardware, self.model.counts())
    }
}

fn reference(card: &str) -> CardConfig {
    CardConfig::reference(card).expect("a reference card")
}

/// The model's counters are the hardware's, and its every cycle.
fn expect_equal(card: &CardConfig, memory: Memory, a: &Csr<i32>) -> Counts {
    let nnz = mattock_testbench::reference::spgemm(a, a).expect("it multiplies").nnz();
    let run = |ordered| {
        let (hardware, model) = Bench::new(card, memory, a, nnz, ordered).run();
        assert_eq!(hardware, model, "ordered: {ordered}");
        hardware
    };
    if card.spgemm.as_ref().is_some_and(|engine| engine.ordered) { run(true) } else { run(false) }
}

/// A matrix of the repository squared.
fn square(card: &str, path: &Path) -> Counts {
    let a = read_matrix(path, &Default::default()).expect("a matrix");
    expect_equal(&reference(card), Memory::default(), &a.matrix.map(|_| 1))
}

/// A graph of `1 << scale` vertices squared on `sparse2` with some changes.
fn graph(scale: u32, memory: Memory, change: impl Fn(&mut SpgemmConfig)) -> Counts {
    let mut card = reference("sparse2");
    change(card.spgemm.as_mut().expect("a sparse card"));
    expect_equal(&card, memory, &Rmat::new(scale, 8, 3).generate().map(|()| 1))
}

#[test]
fn matrices_on_the_benchmark_card() {
    for name in ["karate", "bcspwr10"] {
        square("sparse4", &mattock_testbench::matrix_path(name));
    }
    // The command waits until the large cache is cleared after reset.
    square("sparse4_2m", &mattock_testbench::matrix_path("karate"));
}

#[test]
fn a_matrix_on_a_small_card() {
    square("sparse2", &mattock_testbench::matrix_path("bcspwr10"));
}

/// With `MATTOCK_MATRICES`, a folder of matrices: those small enough for the interpreter.
#[test]
fn matrices_of_a_folder() {
    let Some(folder) = std::env::var_os("MATTOCK_MATRICES") else { return };
    for name in ["west0067", "mcca", "cryg2500"] {
        let path = Path::new(&folder).join(format!("{name}.mtx.gz"));
        if path.exists() {
            println!("{name}: {:?}", square("sparse4", &path));
        }
    }
}

/// In order: small and large rows, tables that force cuts and replays, all shapes of a core.
#[test]
fn sums_in_order() {
    let mut card = reference("sparse4");
    card.spgemm.as_mut().expect("a sparse card").ordered = true;
    for name in ["karate", "bcspwr10"] {
        let path = mattock_testbench::matrix_path(name);
        let a = read_matrix(&path, &Default::default()).expect("a matrix");
        expect_equal(&card, Memory::default(), &a.matrix.map(|_| 1));
    }
    let all: [fn(&mut SpgemmConfig); 8] = [
        |c| (c.lanes, c.banks) = (1, 4),
        |c| (c.banks, c.sorter_width) = (2, 1),
        |c| (c.lanes, c.banks, c.look_ahead) = (8, 16, 2),
        |c| (c.adder_latency, c.sorter_width) = (3, 4),
        |c| (c.adder_latency, c.lane_queue, c.task_fifo) = (8, 16, 16),
        |c| (c.entries_per_half, c.ways, c.banks) = (64, 1, 4),
        |c| (c.entries_per_half, c.ways, c.banks) = (128, 2, 4),
        |c| (c.lanes, c.banks, c.entries_per_half) = (4, 16, 256),
    ];
    let seen = all.map(|change| {
        graph(7, Memory::default(), |c| {
            c.ordered = true;
            change(c);
        })
    });
    let sum = |of: fn(&Counts) -> u64| seen.iter().map(of).sum::<u64>();
    let (restarts, stalls) = (sum(|c| c.restarts), sum(|c| c.hazard_stalls));
    assert!(restarts > 3 && stalls > 1000, "{seen:?}");
    graph(6, Memory { latency: 20, bytes_per_cycle: Some(4) }, |c| c.ordered = true);
}

/// Who may ask for order and does not, pays nothing.
#[test]
fn fast_cycles_of_a_card_that_knows_order() {
    let a = Rmat::new(7, 8, 3).generate().map(|()| 1);
    let mut card = reference("sparse2");
    let plain = expect_equal(&card, Memory::default(), &a);
    card.spgemm.as_mut().expect("a sparse card").ordered = true;
    let nnz = mattock_testbench::reference::spgemm(&a, &a).expect("it multiplies").nnz();
    let (fast, _) = Bench::new(&card, Memory::default(), &a, nnz, false).run();
    assert_eq!((fast, fast.hazard_stalls), (plain, 0));
}

/// Cycles and traffic of a matrix squared through the driver on a whole card, and of the model.
fn on_card(card: &CardConfig, a: &Csr<i32>) {
    let mut options = SimOptions::new(SimulatorKind::Interpreter, env!("CARGO_TARGET_TMPDIR"));
    options.memory.bytes = 1 << 22;
    let device = open_device(card, &options).expect("the card opens");
    let context = device.context(ContextOptions::default()).expect("it is idle");
    let (_, hardware) = context.spgemm(a, a, &SpgemmOptions::default()).expect("it multiplies");
    let engine = card.spgemm.as_ref().expect("a sparse card");
    let parts = spgemm_parts(a, a, engine.clusters, engine.align);
    let product = Product::new(a, a).expect("words");
    let (model, _) = run(card, &Memory::default(), &product, &parts, false).expect("it ends");
    let line = u64::from(card.memory.bus_bytes);
    let expected = SpgemmStats {
        commands: 1,
        cycles: model.cycles,
        products: model.products,
        windows: model.windows,
        spills: model.spills,
        restarts: model.restarts,
        hazard_stalls: model.hazard_stalls,
        bytes_read: line * model.read_beats,
        bytes_written: line * model.write_beats,
        cache_hits: model.cache_hits,
        cache_misses: model.cache_misses,
        host_elements: 0,
    };
    assert_eq!(hardware, expected);
}

#[test]
fn products_on_a_card() {
    let matrix = |name: &str| {
        let path = mattock_testbench::matrix_path(name);
        read_matrix(&path, &Default::default()).expect("a matrix").matrix.map(|_| 1)
    };
    on_card(&reference("sparse4"), &matrix("karate"));
    on_card(&reference("sparse4"), &matrix("bcspwr10"));
    on_card(&reference("sparse2"), &matrix("karate"));
    let mut card = reference("sparse2");
    card.spgemm.as_mut().expect("a sparse card").clusters = 2;
    on_card(&card, &matrix("karate"));
    on_card(&card, &Rmat::new(9, 8, 3).generate().map(|()| 1));
    card.spgemm.as_mut().expect("a sparse card").clusters = 4;
    on_card(&card, &Rmat::new(9, 8, 3).generate().map(|()| 1));
}

#[test]
fn windows_are_cut_and_replayed() {
    let tables = [(32, 1, 4), (64, 1, 4), (64, 1, 16), (128, 2, 4), (256, 4, 8)];
    let seen = tables.map(|(entries, ways, banks)| {
        graph(7, Memory::default(), |c| {
            (c.entries_per_half, c.ways, c.banks) = (entries, ways, banks);
        })
    });
    let sum = |of: fn(&Counts) -> u64| seen.iter().map(of).sum::<u64>();
    assert!(sum(|c| c.restarts) > 10 && sum(|c| c.spills) > 10, "{seen:?}");
}

#[test]
fn other_shapes() {
    let all: [fn(&mut SpgemmConfig); 11] = [
        |c| (c.lanes, c.banks) = (1, 4),
        |c| (c.banks, c.sorter_width) = (2, 1),
        |c| (c.lanes, c.banks, c.look_ahead) = (8, 16, 2),
        |c| (c.adder_latency, c.sorter_width) = (3, 4),
        |c| (c.adder_latency, c.lane_queue, c.task_fifo) = (8, 16, 16),
        |c| (c.cache_kib, c.cache_banks, c.misses) = (2, 4, 16),
        |c| (c.lanes, c.banks, c.ways, c.misses) = (4, 32, 1, 8),
        |c| (c.hash, c.open_windows) = (HashKind::LowBits, 1),
        |c| c.dispatch = Dispatch::Static,
        |c| (c.dispatch, c.lanes) = (Dispatch::Static, 1),
        |c| (c.hash, c.ways, c.look_ahead) = (HashKind::HighBits, 1, 2),
    ];
    for change in all {
        graph(6, Memory::default(), change);
    }
}

/// The configurations of `docs/spgemm-results.md` that stand for the versions of SMASH: each step is faster, by the model.
#[test]
fn versions_of_smash() {
    let a = Rmat::new(10, 8, 3).generate().map(|()| 1);
    let product = Product::new(&a, &a).expect("words");
    let model =
        |card: &CardConfig| run(card, &Memory::default(), &product, &[], false).expect("it ends").0;
    let cycles = ["smash_v1", "smash_v2", "smash_v3"].map(|name| {
        let path = format!("{}/../hw/configs/ladder/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("a configuration");
        let card = CardConfig::from_toml(&text).expect("a card");
        Design::elaborate(&Cluster::of(&card).expect("a sparse card")).expect("it elaborates");
        model(&card).cycles
    });
    let ours = model(&reference("sparse4")).cycles;
    assert!(cycles.is_sorted_by(|slow, fast| slow > fast) && cycles[2] > ours, "{cycles:?} {ours}");
}

#[test]
fn other_memories() {
    for (latency, bytes_per_cycle) in [(1, None), (20, Some(4)), (333, Some(11))] {
        graph(6, Memory { latency, bytes_per_cycle }, |_| {});
    }
}
