//! Products of every type of cards of many types through the driver, bit for bit the reference model's: those of exact sums, and floats of
//! 16 and 32 bits, whose sums are chained.

use mattock::{Context, ContextOptions, DynView, DynViewMut, Error, GemmOptions, Order, Scalar};
use mattock_spec::{CardConfig, Format, Rounding, Tuple};
use mattock_testbench::reference::dense::DenseGemm;
use mattock_testbench::sim::{SimOptions, SimulatorKind, Stalls, open_device};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn open(simulator: SimulatorKind, stalls: Option<Stalls>) -> Context {
    open_card(&CardConfig::reference("mixed").unwrap(), simulator, stalls)
}

/// A small card for these tuples: tiles of 8 * `rows` x `cols` results, scratchpads of some dozen steps of k.
fn chained(rows: u32, cols: u32, kib: [u32; 2], tuples: &[&str]) -> CardConfig {
    let text = format!(
        "name = \"chained\"\nhost = \"axi\"\ncontrol = \"host\"\n[memory]\nbus_bytes = 16\n\
         address_bits = 40\n[gemm]\nrows = {rows}\ncols = {cols}\ntuples = {tuples:?}\n\
         a_kib = {}\nb_kib = {}\nresult_kib = 64\nalign = 4\n",
        kib[0], kib[1]
    );
    CardConfig::from_toml(&text).unwrap_or_else(|e| panic!("{e}"))
}

fn open_card(config: &CardConfig, simulator: SimulatorKind, stalls: Option<Stalls>) -> Context {
    let mut options =
        SimOptions::new(simulator, concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated"));
    options.memory.stalls = stalls;
    let device = open_device(config, &options).unwrap_or_else(|e| panic!("{e}"));
    device.context(ContextOptions::default()).unwrap()
}

/// Codes of a `rows` x `cols` matrix, and how they lie in memory.
struct Matrix {
    codes: Vec<u32>,
    bytes: Vec<u8>,
    format: Format,
    shape: (usize, usize),
    order: Order,
    ld: usize,
}

impl Matrix {
    /// Random codes; `any`: infinities and NaN among them.
    fn new(rng: &mut StdRng, format: Format, (rows, cols): (usize, usize), any: bool) -> Matrix {
        let order = if rng.random() { Order::Row } else { Order::Column };
        let (lines, len) = if order == Order::Row { (rows, cols) } else { (cols, rows) };
        let ld = (len + rng.random_range(0..4)).next_multiple_of(2);
        // Of wide floats mostly numbers near one: others would be the whole sum.
        let near = |code: u32| match format {
            Format::Float(f) if f.bits() > 8 => {
                let (m, field) = (f.mantissa_bits(), (1 << f.exponent_bits()) - 1);
                code & !(field << m) | (f.bias() as u32 - code % 7) << m
            }
            _ => code,
        };
        let mut draw = || loop {
            let code = rng.random::<u32>() & (u32::MAX >> (32 - format.bits()));
            let code = if any || rng.random_ratio(1, 8) { code } else { near(code) };
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
                let code = codes[row * cols + col];
                if bits >= 8 {
                    bytes[at / 8..][..bits / 8].copy_from_slice(&code.to_le_bytes()[..bits / 8]);
                    continue;
                }
                let mask = ((1u32 << bits) - 1) as u8;
                let byte = &mut bytes[at / 8];
                *byte &= !(mask << (at % 8));
                *byte |= (code as u8 & mask) << (at % 8);
            }
        }
        Matrix { codes, bytes, format, shape: (rows, cols), order, ld }
    }

    fn view(&self) -> DynView<'_> {
        let (rows, cols) = self.shape;
        DynView::new(&self.bytes, self.order, rows, cols, self.ld, self.format).unwrap()
    }
}

fn multiply(card: &Context, rng: &mut StdRng, tuple: Tuple, [m, n, k]: [usize; 3], resident: bool) {
    let any = rng.random_ratio(1, 5);
    let a = Matrix::new(rng, tuple.a, (m, k), any);
    let b = Matrix::new(rng, tuple.b, (k, n), any);
    let order = if rng.random() { Order::Row } else { Order::Column };
    let float = !tuple.a.is_integer();
    let rounding = if float { Rounding::ALL[rng.random_range(0..5)] } else { Rounding::Rne };
    let saturate = float && rng.random();
    let options = GemmOptions { resident, rounding, saturate, ..GemmOptions::default() };
    let mut d = vec![0u8; 4 * m * n];
    let ld = if order == Order::Row { n } else { m };
    let to = DynViewMut::new(&mut d, order, m, n, ld, tuple.d).unwrap();
    let (one, zero) = Scalar::one_and_zero(tuple.d);
    let event = card.gemm_dyn(&options, one, a.view(), b.view(), zero, to);
    let stats = event.and_then(|e| e.wait()).unwrap_or_else(|e| panic!("{tuple} {m}x{n}x{k}: {e}"));
    let d: Vec<u32> =
        d.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
    let model = DenseGemm { rounding, saturate, ..DenseGemm::new(tuple) };
    let expected = model.product(&a.codes, &b.codes, &[], [m, n, k]).unwrap();
    for row in 0..m {
        for col in 0..n {
            let at = if order == Order::Row { row * n + col } else { col * m + row };
            // Without products there is nothing to round: C = 0 * C.
            let (got, want) = (d[at], if k == 0 { 0 } else { expected[row * n + col] });
            assert_eq!(
                got, want,
                "{tuple} {rounding:?} {m}x{n}x{k} at {row},{col}: {got:#x}, {want:#x}"
            );
        }
    }
    if m * n > 0 {
        let caps = card.capabilities().gemm.unwrap();
        let by_rows = m.div_ceil(caps.rows as usize) * n.div_ceil(caps.cols as usize);
        let by_cols = n.div_ceil(caps.rows as usize) * m.div_ceil(caps.cols as usize);
        // A single line is of either order.
        let tiles = match order {
            _ if m == 1 || n == 1 => by_rows.max(by_cols),
            Order::Row => by_rows,
            Order::Column => by_cols,
        } as u64;
        let steps = k as u64 * u64::from(caps.interleave);
        let bound = tiles * steps.max(caps.rows.into()) + u64::from(caps.rows + caps.cols) + 16;
        assert_eq!(stats.macs, (m * n * k) as u64);
        assert!(
            !resident || stats.compute_cycles <= bound,
            "{tuple} {m}x{n}x{k}: {}",
            stats.compute_cycles
        );
    }
}

/// `resident`: every other product on chip.
fn every_type(card: &Context, rounds: usize, largest: usize, resident: bool) {
    let mut rng = StdRng::seed_from_u64(largest as u64);
    let tuples = card.capabilities().gemm.unwrap().tuples;
    for round in 0..rounds {
        for tuple in tuples.iter() {
            let shape = [0; 3].map(|_| rng.random_range(1..=largest));
            multiply(card, &mut rng, tuple, shape, resident && round % 2 == 1);
        }
    }
    for tuple in tuples.iter() {
        multiply(card, &mut rng, tuple, [5, 3, 0], false);
        multiply(card, &mut rng, tuple, [0, 3, 4], false);
    }
}

#[test]
fn every_type_in_the_interpreter() {
    every_type(&open(SimulatorKind::Interpreter, None), 2, 20, true);
}

#[test]
fn every_type_in_verilator() {
    every_type(&open(SimulatorKind::Verilator, None), 6, 60, true);
    every_type(&open(SimulatorKind::Verilator, Some(Stalls { seed: 3, chance: 70 })), 3, 40, true);
}

const CHAINED: &[&str] = &[
    "f16,f16,f32",
    "bf16,bf16,f32",
    "f32,f32,f32",
    "f16,f32,f32",
    "bf16,f16,f32",
    "e4m3,f16,f32",
    "e5m2,bf16,f32",
    "e2m1,f32,f32",
];

#[test]
fn every_chained_type_in_the_interpreter() {
    let halves = chained(1, 3, [4, 4], &["f16,f16,f32", "bf16,bf16,f32", "e2m1,bf16,f32"]);
    every_type(&open_card(&halves, SimulatorKind::Interpreter, None), 4, 25, true);
    every_type(
        &open_card(&chained(2, 2, [8, 4], CHAINED), SimulatorKind::Interpreter, None),
        2,
        20,
        true,
    );
}

#[test]
fn every_chained_type_in_verilator() {
    let stalls = Some(Stalls { seed: 3, chance: 70 });
    let config = chained(2, 4, [64, 64], CHAINED);
    every_type(&open_card(&config, SimulatorKind::Verilator, None), 12, 70, true);
    // Deep sums run in chunks.
    let config = chained(2, 4, [8, 4], CHAINED);
    every_type(&open_card(&config, SimulatorKind::Verilator, None), 8, 130, false);
    every_type(&open_card(&config, SimulatorKind::Verilator, stalls), 6, 70, false);
}

/// The card rounds the sum, the host what it makes of it with alpha, beta and C: each once.
#[test]
fn alpha_and_beta_of_floats() {
    let card = open(SimulatorKind::Interpreter, None);
    let mut rng = StdRng::seed_from_u64(9);
    let tuple: Tuple = "e5m2,e4m3,f32".parse().unwrap();
    let [m, n, k] = [9, 5, 11];
    let a = Matrix::new(&mut rng, tuple.a, (m, k), false);
    let b = Matrix::new(&mut rng, tuple.b, (k, n), false);
    let product = DenseGemm::new(tuple).product(&a.codes, &b.codes, &[], [m, n, k]).unwrap();
    for (alpha, beta) in [(1.0f32, 1.0f32), (-0.3, 1.0), (1.7e-3, 0.0), (0.0, 2.5), (1.0, -0.1)] {
        let before: Vec<f32> = (0..m * n).map(|_| rng.random_range(-9e3..9e3)).collect();
        let mut c: Vec<f32> =
            before.iter().map(|&c| if beta == 0.0 { f32::NAN } else { c }).collect();
        let to = mattock::ViewMut::<f32>::rows(&mut c, m, n).unwrap().into();
        let options = GemmOptions::default();
        let event = card.gemm_dyn(&options, alpha.into(), a.view(), b.view(), beta.into(), to);
        let stats = event.unwrap().wait().unwrap();
        assert_eq!(stats.host_elements, (m * n) as u64);
        for ((got, old), p) in c.iter().zip(&before).zip(&product) {
            let p = f32::from_bits(*p);
            let want = if beta == 1.0 {
                alpha.mul_add(p, *old)
            } else if alpha == 1.0 {
                beta.mul_add(*old, p)
            } else {
                alpha * p + beta * old
            };
            assert_eq!(*got, want, "{alpha} * {p} + {beta} * {old}");
        }
    }
}

#[test]
fn what_the_card_cannot_do_is_refused_with_what_it_can() {
    let card = open(SimulatorKind::Interpreter, None);
    let e4m3: Format = "e4m3".parse().unwrap();
    let bytes = vec![0u8; 1 << 17];
    let multiply = |k, a, b, alpha: f32| {
        let mut d = [7u8; 4];
        let a = DynView::new(&bytes, Order::Row, 1, k, k, a).unwrap();
        let b = DynView::new(&bytes, Order::Row, k, 1, 1, b).unwrap();
        let to = DynViewMut::new(&mut d, Order::Row, 1, 1, 1, Format::F32).unwrap();
        card.gemm_dyn(&GemmOptions::default(), alpha.into(), a, b, 0.0.into(), to)?.wait()?;
        Ok::<_, Error>(d)
    };
    let deep = multiply(85_599, e4m3, e4m3, 1.0).unwrap_err();
    let missing = multiply(1, "f16".parse().unwrap(), e4m3, 1.0).unwrap_err();
    assert!(
        matches!(deep, Error::Unsupported { .. }) && matches!(missing, Error::Unsupported { .. })
    );
    insta::assert_snapshot!(format!("{deep}\n{missing}"));
    // With alpha = 0 there is no sum.
    assert_eq!(multiply(85_599, e4m3, e4m3, 0.0).unwrap(), [0; 4]);
}
