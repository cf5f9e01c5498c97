//! Products with an epilogue through the driver, bit for bit the reference model's.

use mattock::dense::{Activation, Epilogue, Per, Requant};
use mattock::{
    Context, ContextOptions, DmaBuf, DynView, DynViewMut, Error, GemmOptions, Order, View, ViewMut,
};
use mattock_spec::{CardConfig, Format, Tuple, Value};
use mattock_testbench::reference::dense as model;
use mattock_testbench::sim::{SimOptions, SimulatorKind, Stalls, open_device};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// A small card with an epilogue: `rows` x `cols` PEs on a bus of so many bytes.
fn config(rows: u32, cols: u32, bus_bytes: u32) -> CardConfig {
    let text = format!(
        "name = \"e{rows}x{cols}w{bus_bytes}\"\n[memory]\nbus_bytes = {bus_bytes}\naddress_bits = 40\n[gemm]\n\
         rows = {rows}\ncols = {cols}\nalign = 16\nepilogue = [\"requantise\", \"leaky\", \"table\"]\n\
         tuples = [\"i8,i8,i32\", \"i8,i8,i8\", \"i8,i8,u8\", \"i8,i4,i8\", \"i8,i8,i16\", \"i4,i4,i6\"]\n\
         a_kib = 4\nb_kib = 4\nresult_kib = 4\n"
    );
    CardConfig::from_toml(&text).unwrap_or_else(|e| panic!("{e}"))
}

fn open(config: &CardConfig, simulator: SimulatorKind, stalls: Option<Stalls>) -> Context {
    let mut options =
        SimOptions::new(simulator, concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated"));
    options.memory.stalls = stalls;
    let device = open_device(config, &options).unwrap_or_else(|e| panic!("{e}"));
    device.context(ContextOptions::default()).unwrap()
}

/// What the card is asked for, and the same for the model.
struct Case {
    card: Epilogue,
    model: model::Epilogue<i32>,
}

/// Values for all of D, or for each of its columns or rows.
fn per<T: Copy>(
    rng: &mut StdRng,
    by_row: bool,
    [m, n]: [usize; 2],
    mut draw: impl FnMut(&mut StdRng) -> T,
) -> (Per<T>, Vec<T>) {
    let lines = if by_row { m } else { n };
    let values: Vec<T> = (0..lines.max(1)).map(|_| draw(rng)).collect();
    if rng.random_ratio(1, 4) {
        return (Per::Tensor(values[0]), vec![values[0]; lines]);
    }
    let values = values[..lines].to_vec();
    (if by_row { Per::Row(values.clone()) } else { Per::Column(values.clone()) }, values)
}

impl Case {
    fn random(rng: &mut StdRng, shape: [usize; 2], k: usize) -> Case {
        let mut card = Epilogue::new();
        let mut model = model::Epilogue::default();
        let by_row = rng.random();
        if rng.random_ratio(2, 3) {
            let (bias, values) = per(rng, by_row, shape, |rng| rng.random_range(-9000..9000));
            card = card.bias(bias);
            model.bias =
                if by_row { model::Bias::Row(values) } else { model::Bias::Column(values) };
        }
        if rng.random_ratio(4, 5) {
            let (requant, same) = [
                (Requant::TfliteDouble, model::Requant::DoubleRounding),
                (Requant::TfliteSingle, model::Requant::SingleRounding),
                (Requant::Onnx, model::Requant::HalfEven),
            ][rng.random_range(0..3)];
            // Results of the size of the types; exact halves, and all scales of magnitude.
            let spread = 100.0 / (70.0 * 70.0 * (k.max(1) as f64).sqrt());
            let (scale, values) = per(rng, by_row, shape, |rng| match rng.random_range(0..4) {
                0 => 2f64.powi(-rng.random_range(0..14)),
                1 => f64::from(2f32.powf(rng.random_range(-34.0..8.0))),
                _ => f64::from((spread * rng.random_range(0.1..3.0)) as f32),
            });
            card = card.scale(requant, scale);
            let values = values.into_iter().map(|v| v as f32).collect();
            model.scale =
                if by_row { model::Scale::Row(values) } else { model::Scale::Column(values) };
            model.requant = same;
        }
        if rng.random() {
            model.zero_point = rng.random_range(-40..40);
            card = card.zero_point(model.zero_point);
        }
        (card, model.activation) = match rng.random_range(0..5) {
            0 => (card, model::Activation::None),
            4 => {
                let table: Vec<i16> = (0..256).map(|_| rng.random()).collect();
                (card.activation(Activation::Table(table.clone())), model::Activation::Table(table))
            }
            1 => (card.activation(Activation::Relu), model::Activation::Relu),
            2 => {
                let (low, high) = (rng.random_range(-90..0), rng.random_range(0..90));
                let limits = model::Activation::Clamp { low: low as f32, high: high as f32 };
                (card.activation(Activation::Clamp { low, high }), limits)
            }
            _ => {
                let slope = rng.random_range(0.01..1.5);
                (card.activation(Activation::Leaky { slope }), model::Activation::Leaky { slope })
            }
        };
        Case { card, model }
    }
}

/// Elements of a matrix and how they lie, row after row or column after column.
fn matrix(
    rng: &mut StdRng,
    format: Format,
    rows: usize,
    cols: usize,
) -> (Vec<i32>, Vec<u8>, Order, usize) {
    let order = if rng.random() { Order::Row } else { Order::Column };
    let (lines, len) = if order == Order::Row { (rows, cols) } else { (cols, rows) };
    let bits = format.storage_bits() as usize;
    let ld = (len + rng.random_range(0..4)).next_multiple_of(8 / bits);
    let mut bytes = vec![0u8; lines * ld * bits / 8];
    let mut values = vec![0; rows * cols];
    for line in 0..lines {
        for i in 0..len {
            let code = rng.random_range(0..1u32 << format.bits());
            let Value::Int(value) = format.decode(code) else { panic!("{format} is no integer") };
            let (row, col) = if order == Order::Row { (line, i) } else { (i, line) };
            values[row * cols + col] = value as i32;
            let at = (line * ld + i) * bits;
            bytes[at / 8] |= (code as u8) << (at % 8);
        }
    }
    (values, bytes, order, ld)
}

/// One product; its compute cycles.
fn multiply(
    card: &Context,
    rng: &mut StdRng,
    tuple: Tuple,
    [m, n, k]: [usize; 3],
    options: GemmOptions,
) -> u64 {
    let case = Case::random(rng, [m, n], k);
    let (a, a_bytes, a_order, a_ld) = matrix(rng, tuple.a, m, k);
    let (b, b_bytes, b_order, b_ld) = matrix(rng, tuple.b, k, n);
    let (a_view, b_view) = (
        DynView::new(&a_bytes, a_order, m, k, a_ld, tuple.a).unwrap(),
        DynView::new(&b_bytes, b_order, k, n, b_ld, tuple.b).unwrap(),
    );
    let order = if rng.random() { Order::Row } else { Order::Column };
    let (lines, len) = if order == Order::Row { (m, n) } else { (n, m) };
    let (ld, size) = (len + rng.random_range(0..3), tuple.d.storage_bits() as usize / 8);
    let mut d = vec![0xa5u8; lines * ld * size];
    let to = DynViewMut::new(&mut d, order, m, n, ld, tuple.d).unwrap();
    let what = format!("{tuple} {m}x{n}x{k} {:?}", case.card);
    let event = card.gemm_epilogue_dyn(&options, &case.card, a_view, b_view, to);
    let stats = event.and_then(|e| e.wait()).unwrap_or_else(|e| panic!("{what}: {e}"));
    let rounding = model::RoundTo { saturate: true, ..model::RoundTo::nearest(tuple.d) };
    for row in 0..m {
        for col in 0..n {
            let products = (0..k).map(|l| a[row * k + l].wrapping_mul(b[l * n + col]));
            let sum = products.fold(0i32, i32::wrapping_add);
            let want = case.model.apply(sum, (row, col, n), &rounding);
            let at = size * if order == Order::Row { row * ld + col } else { col * ld + row };
            let got = d[at..at + size].iter().rev().fold(0, |word, b| word << 8 | u32::from(*b));
            let mask = u32::MAX >> (32 - tuple.d.bits());
            assert_eq!(got & mask, want & mask, "{what} at {row},{col}, sum {sum}");
        }
    }
    let beside = (0..lines)
        .flat_map(|line| &d[size * (line * ld + len).min(d.len() / size)..size * (line + 1) * ld]);
    assert!(beside.into_iter().all(|b| *b == 0xa5), "{what}: wrote beside D");
    assert_eq!(stats.host_elements, 0);
    stats.compute_cycles
}

fn every_type(
    config: &CardConfig,
    simulator: SimulatorKind,
    stalls: Option<Stalls>,
    rounds: usize,
    largest: usize,
) {
    let card = open(config, simulator, stalls);
    let mut rng = StdRng::seed_from_u64(largest as u64);
    let caps = card.capabilities().gemm.unwrap();
    for round in 0..rounds {
        for tuple in caps.tuples.iter() {
            // What stays on chip must fit there.
            let resident = round % 2 == 1;
            let most = if resident { largest.min(28) } else { largest };
            let [m, n, k] = [0; 3].map(|_| rng.random_range(1..=most));
            let options = GemmOptions { resident, ..GemmOptions::default() };
            let cycles = multiply(&card, &mut rng, tuple, [m, n, k], options);
            // The contract, and the stages behind the array; either of M and N may be the array's columns.
            let (rows, cols) = (u64::from(caps.rows), u64::from(caps.cols));
            let tiles = |m: usize, n: usize| (m as u64).div_ceil(rows) * (n as u64).div_ceil(cols);
            let bound = tiles(m, n).max(tiles(n, m)) * (k as u64).max(rows) + rows + cols + 16 + 44;
            assert!(!resident || cycles <= bound, "{tuple} {m}x{n}x{k}: {cycles} of {bound}");
        }
    }
    for tuple in caps.tuples.iter() {
        multiply(&card, &mut rng, tuple, [5, 3, 0], GemmOptions::default());
        multiply(&card, &mut rng, tuple, [0, 3, 4], GemmOptions::default());
    }
}

#[test]
fn every_type_in_the_interpreter() {
    every_type(&config(4, 4, 16), SimulatorKind::Interpreter, None, 3, 20);
    every_type(&config(2, 4, 8), SimulatorKind::Interpreter, None, 2, 12);
    every_type(&config(4, 8, 64), SimulatorKind::Interpreter, None, 2, 20);
}

#[test]
fn every_type_in_verilator() {
    let config = config(8, 8, 32);
    every_type(&config, SimulatorKind::Verilator, None, 12, 70);
    every_type(&config, SimulatorKind::Verilator, Some(Stalls { seed: 3, chance: 70 }), 6, 40);
}

/// More columns than the card has parameters for: refused, or cut where that was asked for.
#[test]
fn wide_products_are_cut() {
    let config = config(2, 4, 8);
    let card = open(&config, SimulatorKind::Interpreter, None);
    let columns = card.capabilities().epilogue.unwrap().columns as usize;
    let mut rng = StdRng::seed_from_u64(1);
    let chunked = GemmOptions { chunked: true, ..GemmOptions::default() };
    let tuple = "i8,i8,i8".parse().unwrap();
    for _ in 0..3 {
        multiply(&card, &mut rng, tuple, [2, columns + 9, 2], chunked);
    }
    let layer = Epilogue::new().bias(Per::Column(vec![1; columns + 1]));
    let (a, b, mut d) = (vec![1i8; 2], vec![1i8; columns + 1], vec![0i8; 2 * (columns + 1)]);
    let (a, b) = (View::<i8>::rows(&a, 2, 1).unwrap(), View::rows(&b, 1, columns + 1).unwrap());
    let to = ViewMut::<i8>::rows(&mut d, 2, columns + 1).unwrap();
    let event = card.gemm_epilogue::<i8, i8, i8>(&GemmOptions::default(), &layer, a, b, to);
    assert!(matches!(event, Err(Error::Unsupported { .. })), "{event:?}");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_sent() {
    let mut plain = config(4, 4, 16);
    plain.gemm.as_mut().unwrap().epilogue.truncate(1);
    let card = open(&plain, SimulatorKind::Interpreter, None);
    let none = open(&CardConfig::reference("tiny").unwrap(), SimulatorKind::Interpreter, None);
    let options = GemmOptions::default();
    let ask = |card: &Context, layer: Epilogue| {
        let (a, b, mut d) = ([1i8; 6], [1i8; 12], [77i32; 8]);
        let (a, b) = (View::<i8>::rows(&a, 2, 3).unwrap(), View::<i8>::rows(&b, 3, 4).unwrap());
        let to = ViewMut::<i32>::rows(&mut d, 2, 4).unwrap();
        let error = card.gemm_epilogue(&options, &layer, a, b, to).unwrap_err().to_string();
        assert_eq!(d, [77; 8], "{error}");
        error
    };
    let new = Epilogue::new;
    let mut text = vec![
        ask(&none, new()),
        ask(&card, new().activation(Activation::Leaky { slope: 0.5 })),
        ask(&card, new().activation(Activation::Table(vec![0; 256]))),
        ask(&card, new().bias(Per::Column(vec![0; 3]))),
        ask(&card, new().scale(Requant::TfliteDouble, Per::Row(vec![0.5, 2e9]))),
        ask(&card, new().scale(Requant::Onnx, Per::Tensor(f64::NAN))),
    ];
    // In card memory: A where D is, and D between two elements' places.
    let layer = new().bias(Per::Column(vec![0; 4]));
    let mut buffer: DmaBuf<i8> = card.alloc(256).unwrap();
    let b = [1i8; 12];
    let b = View::<i8>::rows(&b, 3, 4).unwrap().into();
    let i8s = Format::I8;
    for (start, order) in [(0, Order::Row), (65, Order::Row), (64, Order::Column)] {
        let shared: &DmaBuf<i8> = &buffer;
        let a = DynView::on_card(shared, Order::Row, 2, 3, 16, i8s, 0).unwrap();
        let d = DynViewMut::on_shared_card(shared, order, 2, 4, 16, i8s, start).unwrap();
        let error = card.gemm_epilogue_dyn(&options, &layer, a, b, d).unwrap_err();
        text.push(error.to_string());
    }
    buffer.write(0, &[0; 16]).unwrap();
    let mut d = [0u8; 8];
    let to = DynViewMut::new(&mut d, Order::Row, 2, 4, 4, i8s).unwrap();
    let a = [1i8; 6];
    let a = View::<i8>::rows(&a, 2, 3).unwrap().into();
    text.push(card.gemm_dyn(&options, 2.into(), a, b, 0.into(), to).unwrap_err().to_string());
    insta::assert_snapshot!(text.join("\n"));
    // The sums as they are, cast.
    let to = DynViewMut::new(&mut d, Order::Row, 2, 4, 4, i8s).unwrap();
    card.gemm_dyn(&options, 1.into(), a, b, 0.into(), to).unwrap().wait().unwrap();
    assert_eq!(d, [3; 8]);
}
