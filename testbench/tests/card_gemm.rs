//! Dense products through the driver on simulated cards.

use mattock::dense::{Elements, GemmCall, Operand, Order};
use mattock::{Card, Error};
use mattock_spec::CardConfig;
use mattock_testbench::reference::pack_i4;
use mattock_testbench::sim::{MemoryOptions, Response, SimCard, SimOptions, SimulatorKind, Stalls};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn options(simulator: SimulatorKind) -> SimOptions {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    SimOptions::new(simulator, cache)
}

fn open(config: &str, options: &SimOptions) -> Card {
    open_config(&CardConfig::reference(config).unwrap(), options)
}

/// The smallest array, with a memory of any kind.
fn tiny_on_axi() -> CardConfig {
    CardConfig::reference("tiny").unwrap().on_axi()
}

fn open_config(config: &CardConfig, options: &SimOptions) -> Card {
    let card = SimCard::open(config, options).unwrap_or_else(|e| panic!("{e}"));
    Card::open_with(Box::new(card)).unwrap_or_else(|e| panic!("{e}"))
}

/// A random operand: values, their memory, order and line length.
struct Random {
    values: Vec<i8>,
    bytes: Vec<u8>,
    int4: bool,
    order: Order,
    ld: usize,
    rows: usize,
    cols: usize,
}

impl Random {
    fn new(rng: &mut StdRng, rows: usize, cols: usize, int4: bool) -> Self {
        let order = if rng.random() { Order::Row } else { Order::Column };
        let (lines, len) = if order == Order::Row { (rows, cols) } else { (cols, rows) };
        let ld = (len + rng.random_range(0..5)).next_multiple_of(2);
        let limit = if int4 { 8 } else { 128 };
        let values: Vec<i8> =
            (0..lines * ld).map(|_| rng.random_range(-limit..limit) as i8).collect();
        let bytes = if int4 { pack_i4(&values).unwrap() } else { vec![] };
        Random { values, bytes, int4, order, ld, rows, cols }
    }

    fn at(&self, row: usize, col: usize) -> i32 {
        let (line, i) = if self.order == Order::Row { (row, col) } else { (col, row) };
        self.values[line * self.ld + i].into()
    }

    fn view(&self) -> Operand<'_> {
        let elements =
            if self.int4 { Elements::I4(&self.bytes) } else { Elements::I8(&self.values) };
        Operand { elements, order: self.order, ld: self.ld }
    }
}

/// One random product, compared with the definition.
fn multiply(card: &mut Card, rng: &mut StdRng, dims: [usize; 3], resident: bool) {
    let [m, n, k] = dims;
    let narrow = card.capabilities().gemm.unwrap().tuples.len() > 1;
    let kind = if narrow { rng.random_range(0..3) } else { 0 };
    let a = Random::new(rng, m, k, kind == 1);
    let b = Random::new(rng, k, n, kind > 0);
    let order = if rng.random() { Order::Row } else { Order::Column };
    let call = GemmCall { m, n, k, a: a.view(), b: b.view(), order, resident };
    let (d, stats) = card.gemm(&call).unwrap_or_else(|e| panic!("{m}x{n}x{k}: {e}"));
    assert_eq!((a.rows, a.cols, b.rows, b.cols, d.len()), (m, k, k, n, m * n));
    for row in 0..m {
        for col in 0..n {
            let expected = (0..k).map(|i| a.at(row, i).wrapping_mul(b.at(i, col)));
            let expected = expected.fold(0i32, i32::wrapping_add);
            let at = if order == Order::Row { row * n + col } else { col * m + row };
            assert_eq!(d[at], expected, "{m}x{n}x{k} at {row},{col}");
        }
    }
    if m * n > 0 {
        assert_eq!(stats.macs, (m * n * k) as u64);
        assert!(stats.cycles > 0 && stats.bytes_written >= 4 * (m * n) as u64);
    }
}

#[test]
fn tiny_in_the_interpreter() {
    // The serial card, and the same array with the memory of a host.
    for config in [CardConfig::reference("tiny").unwrap(), tiny_on_axi()] {
        let mut card = open_config(&config, &options(SimulatorKind::Interpreter));
        let mut rng = StdRng::seed_from_u64(1);
        for dims in [[1, 1, 1], [2, 4, 3], [5, 7, 9], [3, 1, 0], [0, 4, 4], [4, 0, 4], [17, 6, 11]]
        {
            multiply(&mut card, &mut rng, dims, false);
            multiply(&mut card, &mut rng, dims, true);
        }
    }
}

#[test]
fn random_shapes_in_verilator() {
    let mut plain = open("bench16", &options(SimulatorKind::Verilator));
    let mut stalled = options(SimulatorKind::Verilator);
    stalled.memory.stalls = Some(Stalls { seed: 5, chance: 60 });
    let mut stalled = open("bench16", &stalled);
    let mut rng = StdRng::seed_from_u64(2);
    for i in 0..200 {
        let dims = [0; 3].map(|_| rng.random_range(1..70));
        let card = if i % 3 == 0 { &mut stalled } else { &mut plain };
        multiply(card, &mut rng, dims, i % 4 == 0);
    }
}

#[test]
fn bad_arguments_are_refused_before_anything_is_sent() {
    let mut card = open("tiny", &options(SimulatorKind::Interpreter));
    let values = [1i8; 16];
    let good = Operand { elements: Elements::I8(&values), order: Order::Row, ld: 4 };
    let call = GemmCall { m: 4, n: 4, k: 4, a: good, b: good, order: Order::Row, resident: false };
    let huge = usize::MAX;
    let calls = [
        GemmCall { m: huge, ..call },
        GemmCall { a: Operand { ld: 3, ..good }, ..call },
        GemmCall { a: Operand { ld: huge, ..good }, ..call },
        GemmCall { b: Operand { ld: 5, ..good }, ..call },
        GemmCall { b: Operand { elements: Elements::I4(&[0; 8]), ..good }, ..call },
        GemmCall { a: Operand { elements: Elements::I4(&[0; 8]), ld: 5, ..good }, ..call },
        GemmCall { k: 5, ..call },
    ];
    let texts: Vec<String> = calls.iter().map(|c| card.gemm(c).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(texts.join("\n"));
    assert!(card.gemm(&call).is_ok());
}

#[test]
fn what_does_not_fit_is_an_error_and_the_card_goes_on() {
    let mut small = options(SimulatorKind::Interpreter);
    small.memory.bytes = 1 << 15;
    let mut card = open_config(&tiny_on_axi(), &small);
    let values = vec![3i8; 200 * 200];
    let view = Operand { elements: Elements::I8(&values), order: Order::Row, ld: 200 };
    let call =
        GemmCall { m: 200, n: 200, k: 200, a: view, b: view, order: Order::Row, resident: false };
    let error = card.gemm(&call).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    let call = GemmCall { m: 30, n: 30, k: 200, resident: true, ..call };
    let error = card.gemm(&call).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { need: 6000.., have: 4096 }), "{error}");
    let call = GemmCall { m: 2, n: 3, k: 200, ..call };
    assert_eq!(card.gemm(&call).unwrap().0, [1800; 6]);
}

#[test]
fn a_bus_error_reaches_the_caller() {
    let config = tiny_on_axi();
    let memory = MemoryOptions { base: 0x4_0000, ..MemoryOptions::default() };
    let mut faulty = options(SimulatorKind::Interpreter);
    faulty.memory = memory.clone();
    let mut sim = SimCard::open(&config, &faulty).unwrap();
    sim.inject(memory.base..memory.base + 1, Response::SlaveError);
    let mut card = Card::open_with(Box::new(sim)).unwrap();
    let values = [1i8; 16];
    let view = Operand { elements: Elements::I8(&values), order: Order::Row, ld: 4 };
    let call = GemmCall { m: 4, n: 4, k: 4, a: view, b: view, order: Order::Row, resident: false };
    let error = card.gemm(&call).unwrap_err().to_string();
    insta::assert_snapshot!(error);
}
