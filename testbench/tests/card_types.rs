//! Products of every type of the `mixed` card through the driver, bit for bit the reference model's.

use mattock::dense::{Elements, GemmCall, Operand, Order, RoundingOptions};
use mattock::{Card, Error};
use mattock_spec::{CardConfig, Format, Rounding, Tuple};
use mattock_testbench::reference::dense::DenseGemm;
use mattock_testbench::sim::{SimCard, SimOptions, SimulatorKind, Stalls};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn open(simulator: SimulatorKind, stalls: Option<Stalls>) -> Card {
    let mut options =
        SimOptions::new(simulator, concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated"));
    options.memory.stalls = stalls;
    let config = CardConfig::reference("mixed").unwrap();
    let card = SimCard::open(&config, &options).unwrap_or_else(|e| panic!("{e}"));
    Card::open_with(Box::new(card)).unwrap_or_else(|e| panic!("{e}"))
}

/// Codes of a `rows` x `cols` matrix, and how they lie in memory.
struct Matrix {
    codes: Vec<u32>,
    bytes: Vec<u8>,
    format: Format,
    order: Order,
    ld: usize,
}

impl Matrix {
    /// Random codes; `any`: infinities and NaN among them.
    fn new(rng: &mut StdRng, format: Format, (rows, cols): (usize, usize), any: bool) -> Matrix {
        let order = if rng.random() { Order::Row } else { Order::Column };
        let (lines, len) = if order == Order::Row { (rows, cols) } else { (cols, rows) };
        let ld = (len + rng.random_range(0..4)).next_multiple_of(2);
        let mut draw = || loop {
            let code = rng.random_range(0..1u32 << format.bits());
            if any || format.decode(code).to_f64().is_finite() {
                break code;
            }
        };
        let codes: Vec<u32> = (0..rows * cols).map(|_| draw()).collect();
        let bits = format.storage_bits() as usize;
        // What lies around the elements must not matter.
        let mut bytes: Vec<u8> = (0..lines * ld * bits / 8).map(|_| rng.random()).collect();
        for row in 0..rows {
            for col in 0..cols {
                let (line, i) = if order == Order::Row { (row, col) } else { (col, row) };
                let at = (line * ld + i) * bits;
                let mask = ((1u32 << bits) - 1) as u8;
                let byte = &mut bytes[at / 8];
                *byte &= !(mask << (at % 8));
                *byte |= (codes[row * cols + col] as u8 & mask) << (at % 8);
            }
        }
        Matrix { codes, bytes, format, order, ld }
    }

    fn view(&self) -> Operand<'_> {
        let elements = Elements::Packed { format: self.format, bytes: &self.bytes };
        Operand { elements, order: self.order, ld: self.ld }
    }
}

fn multiply(
    card: &mut Card,
    rng: &mut StdRng,
    tuple: Tuple,
    [m, n, k]: [usize; 3],
    resident: bool,
) {
    let any = rng.random_ratio(1, 5);
    let a = Matrix::new(rng, tuple.a, (m, k), any);
    let b = Matrix::new(rng, tuple.b, (k, n), any);
    let order = if rng.random() { Order::Row } else { Order::Column };
    let float = !tuple.a.is_integer();
    let rounding = RoundingOptions {
        rounding: if float { Rounding::ALL[rng.random_range(0..5)] } else { Rounding::Rne },
        saturate: float && rng.random(),
    };
    let call = GemmCall { m, n, k, a: a.view(), b: b.view(), order, resident };
    let (d, stats) =
        card.gemm_rounded(&call, rounding).unwrap_or_else(|e| panic!("{tuple} {m}x{n}x{k}: {e}"));
    let RoundingOptions { rounding, saturate } = rounding;
    let model = DenseGemm { rounding, saturate, ..DenseGemm::new(tuple) };
    let expected = model.product(&a.codes, &b.codes, &[], [m, n, k]).unwrap();
    for row in 0..m {
        for col in 0..n {
            let at = if order == Order::Row { row * n + col } else { col * m + row };
            let (got, want) = (d[at] as u32, expected[row * n + col]);
            assert_eq!(
                got, want,
                "{tuple} {rounding:?} {m}x{n}x{k} at {row},{col}: {got:#x}, {want:#x}"
            );
        }
    }
    if m * n > 0 {
        let tiles = m.div_ceil(8) as u64 * n.div_ceil(8) as u64;
        let bound = tiles * (k as u64).max(8) + 8 + 8 + 16;
        assert_eq!(stats.macs, (m * n * k) as u64);
        assert!(
            !resident || stats.compute_cycles <= bound,
            "{tuple} {m}x{n}x{k}: {}",
            stats.compute_cycles
        );
    }
}

fn every_type(card: &mut Card, rounds: usize, largest: usize) {
    let mut rng = StdRng::seed_from_u64(largest as u64);
    let tuples = card.capabilities().gemm.unwrap().tuples;
    for round in 0..rounds {
        for tuple in tuples.iter() {
            let shape = [0; 3].map(|_| rng.random_range(1..=largest));
            multiply(card, &mut rng, tuple, shape, round % 2 == 1);
        }
    }
    for tuple in tuples.iter() {
        multiply(card, &mut rng, tuple, [5, 3, 0], false);
        multiply(card, &mut rng, tuple, [0, 3, 4], false);
    }
}

#[test]
fn every_type_in_the_interpreter() {
    every_type(&mut open(SimulatorKind::Interpreter, None), 2, 20);
}

#[test]
fn every_type_in_verilator() {
    every_type(&mut open(SimulatorKind::Verilator, None), 6, 60);
    every_type(&mut open(SimulatorKind::Verilator, Some(Stalls { seed: 3, chance: 70 })), 3, 40);
}

#[test]
fn what_the_card_cannot_do_is_refused_with_what_it_can() {
    let mut card = open(SimulatorKind::Interpreter, None);
    let e4m3: Format = "e4m3".parse().unwrap();
    let bytes = vec![0u8; 1 << 17];
    let view = |format| Operand {
        elements: Elements::Packed { format, bytes: &bytes },
        order: Order::Row,
        ld: 1,
    };
    let row = |format| Operand { ld: 1 << 17, ..view(format) };
    let call = |k, a, b| GemmCall { m: 1, n: 1, k, a, b, order: Order::Row, resident: false };
    let deep = card.gemm(&call(85_599, row(e4m3), view(e4m3))).unwrap_err();
    let missing = card.gemm(&call(1, row("f16".parse().unwrap()), view(e4m3))).unwrap_err();
    assert!(
        matches!(deep, Error::Unsupported { .. }) && matches!(missing, Error::Unsupported { .. })
    );
    insta::assert_snapshot!(format!("{deep}\n{missing}"));
}
