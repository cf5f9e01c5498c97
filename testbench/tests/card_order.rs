//! Sums in order: the bits of a loop over k, whatever the card and its memory; and that sums in the order products come do differ.

use mattock::sparse::{Determinism, SparseValue, SpgemmOptions, SpgemmStats};
use mattock::{Context, ContextOptions, Csr, Error, bf16, f16};
use mattock_spec::config::SpgemmConfig;
use mattock_spec::regs::ValueType;
use mattock_spec::{CardConfig, JoinStep, Semiring};
use mattock_testbench::reference::{compare_floats, spgemm_from, spgemm_over, widened};
use mattock_testbench::sim::{MemoryOptions, SimOptions, SimulatorKind, Stalls, open_device};
use rand::{Rng, SeedableRng, rngs::StdRng};

const ORDERED: SpgemmOptions = SpgemmOptions {
    memory_budget: None,
    seed: None,
    chunked: false,
    semiring: Semiring::PlusTimes,
    determinism: Determinism::Ordered,
    prune: false,
};

/// A small sparse card that knows order, with some changes.
fn config(change: impl Fn(&mut SpgemmConfig)) -> CardConfig {
    let mut config = CardConfig::reference("small").unwrap();
    config.gemm = None;
    let engine = config.spgemm.as_mut().unwrap();
    (engine.lanes, engine.banks, engine.ways, engine.sorter_width) = (2, 4, 2, 2);
    (engine.entries_per_half, engine.ordered) = (1024, true);
    engine.semirings = vec![Semiring::PlusTimes];
    change(engine);
    config
}

fn open_with(config: &CardConfig, memory: MemoryOptions) -> Context {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let mut options = SimOptions::new(SimulatorKind::Interpreter, cache);
    options.memory = MemoryOptions { bytes: 1 << 20, ..memory };
    let device = open_device(config, &options).unwrap_or_else(|e| panic!("{e}"));
    device.context(ContextOptions::default()).unwrap()
}

fn open(config: &CardConfig) -> Context {
    open_with(config, MemoryOptions::default())
}

/// Entries at random places with values of random signs and magnitudes over 2^24, so that almost every other order of a sum of three
/// gives other bits.
fn cancelling(rng: &mut StdRng, rows: usize, cols: usize, nnz: usize) -> Csr<f32> {
    let mut entries: Vec<(usize, u32)> =
        (0..nnz).map(|_| (rng.random_range(0..rows), rng.random_range(0..cols as u32))).collect();
    entries.sort_unstable();
    entries.dedup();
    let mut row_ptr = vec![0u64; rows + 1];
    entries.iter().for_each(|(row, _)| row_ptr[row + 1] += 1);
    (0..rows).for_each(|row| row_ptr[row + 1] += row_ptr[row]);
    let values = entries.iter().map(|_| value(rng)).collect();
    let columns = entries.into_iter().map(|e| e.1).collect();
    Csr::new(rows, cols, row_ptr, columns, values).unwrap()
}

fn value(rng: &mut StdRng) -> f32 {
    let magnitude = 2f32.powi(rng.random_range(-12..13)) * rng.random_range(1.0f32..2.0);
    if rng.random() { magnitude } else { -magnitude }
}

/// All entries of a row, and a few of others: the product's first row is one that every row of B adds to.
fn with_hub(rng: &mut StdRng, size: usize, nnz: usize) -> Csr<f32> {
    let sparse = cancelling(rng, size, size, nnz);
    let mut row_ptr = vec![0u64];
    let (mut columns, mut values) = (vec![], vec![]);
    for row in 0..size {
        if row == size / 2 {
            columns.extend(0..size as u32);
            values.extend((0..size).map(|_| value(rng)));
        } else {
            columns.extend(sparse.row(row).0);
            values.extend(sparse.row(row).1);
        }
        row_ptr.push(columns.len() as u64);
    }
    Csr::new(size, size, row_ptr, columns, values).unwrap()
}

/// The product's bits are those of the loop; returns its cost, and how many entries sums in any order got otherwise.
fn check<T: SparseValue<Sum = f32>>(card: &Context, a: &Csr<T>, b: &Csr<T>) -> (SpgemmStats, u64) {
    let expected = spgemm_over(&widened(a), &widened(b), Semiring::PlusTimes).unwrap();
    let (c, stats) = card.spgemm(a, b, &ORDERED).unwrap_or_else(|e| panic!("{e}"));
    let comparison = compare_floats(&expected, &c);
    assert_eq!(comparison.mismatches(), 0, "{comparison:?}");
    let products: usize = a.col_idx().iter().map(|&k| b.row_nnz(k as usize)).sum();
    assert_eq!(stats.products, products as u64);
    let (fast, cost) = card.spgemm(a, b, &SpgemmOptions::default()).unwrap();
    assert_eq!(cost.hazard_stalls, 0, "fast sums never wait");
    (stats, compare_floats(&expected, &fast).mismatches())
}

#[test]
fn the_bits_of_a_loop_on_every_shape_of_card() {
    let shapes: [fn(&mut SpgemmConfig); 9] = [
        |_| {},
        |c| (c.lanes, c.banks, c.sorter_width) = (1, 2, 1),
        |c| (c.lanes, c.banks) = (4, 16),
        |c| (c.lanes, c.banks, c.look_ahead) = (8, 8, 2),
        |c| (c.adder_latency, c.ways) = (3, 1),
        |c| c.adder_latency = 8,
        |c| c.clusters = 2,
        |c| (c.clusters, c.adder_latency) = (4, 4),
        |c| (c.lane_queue, c.task_fifo, c.misses) = (16, 16, 16),
    ];
    for (seed, change) in shapes.into_iter().enumerate() {
        let card = open(&config(change));
        let mut rng = StdRng::seed_from_u64(seed as u64);
        let (a, b) = (cancelling(&mut rng, 40, 50, 500), cancelling(&mut rng, 50, 30, 450));
        let (stats, differ) = check(&card, &a, &b);
        assert!(stats.hazard_stalls > 0, "{seed}: {stats:?}");
        let hub = with_hub(&mut rng, 60, 300);
        let of_hub = check(&card, &hub, &hub).1;
        println!("{seed}: fast sums got {differ} and {of_hub} entries otherwise");
        // One lane brings products in order already.
        assert!(differ + of_hub > 20 || seed == 1, "{seed}: {differ}, {of_hub}");
    }
}

#[test]
fn stalls_of_the_memory_change_no_bit() {
    let config = config(|c| (c.lanes, c.banks) = (4, 8));
    let mut rng = StdRng::seed_from_u64(31);
    let hub = with_hub(&mut rng, 64, 500);
    for (latency, bytes_per_cycle, chance) in
        [(1, None, 0), (20, Some(4), 0), (300, None, 0), (10, None, 60), (90, Some(8), 140)]
    {
        let stalls = (chance > 0).then_some(Stalls { seed: latency, chance });
        let memory = MemoryOptions { latency, bytes_per_cycle, stalls, ..Default::default() };
        check(&open_with(&config, memory), &hub, &hub);
    }
}

/// Rows cut by columns, in advance and by replays: every piece sees its keys by rising k.
#[test]
fn tiny_tables_that_force_cuts() {
    let (mut restarts, mut spills) = (0, 0);
    for (entries, ways, banks) in [(32, 1, 4), (64, 2, 4), (128, 1, 16), (256, 4, 8)] {
        let lanes = if banks == 16 { 4 } else { 2 };
        let card = open(&config(|c| {
            (c.entries_per_half, c.ways, c.banks, c.lanes) = (entries, ways, banks, lanes);
        }));
        let mut rng = StdRng::seed_from_u64(entries.into());
        let hub = with_hub(&mut rng, 150, 1100);
        let (stats, differ) = check(&card, &hub, &hub);
        println!("{entries} entries: fast sums got {differ} otherwise");
        assert!(differ > 3, "{entries}: {differ}");
        (restarts, spills) = (restarts + stats.restarts, spills + stats.spills);
    }
    assert!(restarts > 5 && spills > 5, "{restarts} {spills}");
}

/// One entry of C that 100,000 products are added to, by themselves and among others.
#[test]
fn one_key_many_times() {
    let n = 100_000;
    let mut rng = StdRng::seed_from_u64(77);
    for latency in [3, 6, 8] {
        let engine = config(|c| (c.adder_latency, c.banks) = (latency, 2));
        let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
        let mut options = SimOptions::new(SimulatorKind::Interpreter, cache);
        options.memory.bytes = 4 << 20;
        let device = open_device(&engine, &options).unwrap_or_else(|e| panic!("{e}"));
        let card = device.context(ContextOptions::default()).unwrap();
        let count = if latency == 6 { n } else { n / 20 };
        let row = Csr::new(
            1,
            count,
            vec![0, count as u64],
            (0..count as u32).collect(),
            (0..count).map(|_| value(&mut rng)).collect(),
        );
        let column = Csr::new(
            count,
            1,
            (0..=count as u64).collect(),
            vec![0; count],
            (0..count).map(|_| value(&mut rng)).collect(),
        );
        let (stats, differ) = check(&card, &row.unwrap(), &column.unwrap());
        assert_eq!(differ, 1);
        // A sum is back `latency` + 1 cycles after it was issued, and the next one is issued then.
        let each = u64::from(latency) + 1;
        let least = each * count as u64;
        assert!((least..least + least / 10 + 2000).contains(&stats.cycles), "{stats:?}");
        assert!(stats.hazard_stalls > (each - 2) * count as u64, "{stats:?}");
    }
}

/// Values of 16 bits, which are added as f32.
#[test]
fn narrow_values() {
    let card = open(&config(|c| c.values = ValueType::ALL.to_vec()));
    let mut rng = StdRng::seed_from_u64(5);
    let hub = with_hub(&mut rng, 70, 500);
    let (halves, brains) = (hub.map(|v| f16::from_f32(*v)), hub.map(|v| bf16::from_f32(*v)));
    assert!(check(&card, &halves, &halves).1 > 10);
    assert!(check(&card, &brains, &brains).1 > 10);
}

/// A sum begins with what it is added to, on cards that add to C themselves and on those that multiply it with ones.
#[test]
fn onto_a_matrix() {
    let mut rng = StdRng::seed_from_u64(9);
    let (a, b) = (cancelling(&mut rng, 30, 40, 300), cancelling(&mut rng, 40, 35, 300));
    let c = cancelling(&mut rng, 30, 35, 500);
    let expected = spgemm_from(&c, &a, &b, Semiring::PlusTimes).unwrap();
    for joins in [vec![], vec![JoinStep::Accumulate, JoinStep::Mask]] {
        let card = open(&config(|engine| engine.joins.clone_from(&joins)));
        let none: Option<&mattock::sparse::Mask<'_, f32>> = None;
        let (d, _) = card.spgemm_onto(&a, &b, none, Some(&c), &ORDERED).unwrap();
        let comparison = compare_floats(&expected, &d);
        assert_eq!(comparison.mismatches(), 0, "{joins:?}: {comparison:?}");
        let fast = SpgemmOptions::default();
        let (d, _) = card.spgemm_onto(&a, &b, none, Some(&c), &fast).unwrap();
        let differ = compare_floats(&expected, &d).mismatches();
        println!("{joins:?}: fast sums got {differ} entries otherwise");
        assert!(differ > 0, "{joins:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_and_what_costs_nothing_is_not() {
    let card = open(&config(|c| c.ordered = false));
    let one = Csr::identity(3, 1f32).unwrap();
    let error = card.spgemm(&one, &one, &ORDERED).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("sums of f32 in order") && text.contains("spgemm.determinism"), "{text}");
    // Integers have one sum.
    let ones = Csr::identity(3, 1i32).unwrap();
    let (c, stats) = card.spgemm(&ones, &ones, &ORDERED).unwrap();
    assert_eq!((c, stats.hazard_stalls), (ones, 0));
}
