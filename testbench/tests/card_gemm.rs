//! Dense products through the driver on simulated cards.

use mattock::{Context, ContextOptions, Device, DynView, Error, GemmOptions, Order, View, ViewMut};
use mattock_spec::{CardConfig, Format};
use mattock_testbench::reference::pack_i4;
use mattock_testbench::sim::{
    MemoryOptions, OpenError, Response, SimCard, SimOptions, SimulatorKind, Stalls, ThreadedCard,
    open_device,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn options(simulator: SimulatorKind) -> SimOptions {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    SimOptions::new(simulator, cache)
}

fn open(config: &str, options: &SimOptions) -> Context {
    open_config(&CardConfig::reference(config).unwrap(), options)
}

/// The smallest array, with a memory of any kind.
fn tiny_on_axi() -> CardConfig {
    CardConfig::reference("tiny").unwrap().on_axi()
}

fn open_config(config: &CardConfig, options: &SimOptions) -> Context {
    let device = open_device(config, options).unwrap_or_else(|e| panic!("{e}"));
    device.context(ContextOptions::default()).unwrap()
}

/// A random operand: values, their memory, order and line length.
struct Random {
    values: Vec<i8>,
    bytes: Vec<u8>,
    format: Format,
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
        let as_bytes = || values.iter().map(|&v| v as u8).collect();
        let bytes = if int4 { pack_i4(&values).unwrap() } else { as_bytes() };
        let format = if int4 { Format::I4 } else { Format::I8 };
        Random { values, bytes, format, order, ld, rows, cols }
    }

    fn at(&self, row: usize, col: usize) -> i32 {
        let (line, i) = if self.order == Order::Row { (row, col) } else { (col, row) };
        self.values[line * self.ld + i].into()
    }

    fn view(&self) -> DynView<'_> {
        DynView::new(&self.bytes, self.order, self.rows, self.cols, self.ld, self.format).unwrap()
    }
}

/// One random product, compared with the definition. Gives the compute cycles.
fn multiply(card: &Context, rng: &mut StdRng, dims: [usize; 3], resident: bool) -> u64 {
    let [m, n, k] = dims;
    let narrow = card.capabilities().gemm.unwrap().tuples.len() > 1;
    let kind = if narrow { rng.random_range(0..3) } else { 0 };
    let a = Random::new(rng, m, k, kind == 1);
    let b = Random::new(rng, k, n, kind > 0);
    let order = if rng.random() { Order::Row } else { Order::Column };
    let ld = if order == Order::Row { n } else { m };
    let mut d = vec![-1; m * n];
    let c = ViewMut::<i32>::new(&mut d, order, m, n, ld).unwrap().into();
    let options = GemmOptions { resident, ..Default::default() };
    let event = card.gemm_dyn(&options, 1.into(), a.view(), b.view(), 0.into(), c);
    let stats = event.and_then(|event| event.wait());
    let stats = stats.unwrap_or_else(|e| panic!("{m}x{n}x{k}: {e}"));
    for row in 0..m {
        for col in 0..n {
            let expected = (0..k).map(|i| a.at(row, i).wrapping_mul(b.at(i, col)));
            let expected = expected.fold(0i32, i32::wrapping_add);
            let at = if order == Order::Row { row * n + col } else { col * m + row };
            assert_eq!(d[at], expected, "{m}x{n}x{k} at {row},{col}");
        }
    }
    if m * n * k > 0 {
        assert_eq!(stats.macs, (m * n * k) as u64);
        assert!(stats.cycles > 0 && stats.bytes_written >= 4 * (m * n) as u64);
    }
    stats.compute_cycles
}

#[test]
fn tiny_in_the_interpreter() {
    // The serial card, and the same array with the memory of a host: the array takes the same cycles.
    let cycles = [CardConfig::reference("tiny").unwrap(), tiny_on_axi()].map(|config| {
        let card = open_config(&config, &options(SimulatorKind::Interpreter));
        let mut rng = StdRng::seed_from_u64(1);
        let dims = [[1, 1, 1], [2, 4, 3], [5, 7, 9], [3, 1, 0], [0, 4, 4], [4, 0, 4], [17, 6, 11]];
        dims.map(|dims| {
            multiply(&card, &mut rng, dims, false);
            multiply(&card, &mut rng, dims, true)
        })
    });
    assert_eq!(cycles[0], cycles[1]);
}

/// Cards whose memory lies beside the engine: narrow and wide buses, one row, packed elements, blocks and chunks.
#[test]
fn serial_cards_in_the_interpreter() {
    let nano = CardConfig::reference("nano").unwrap();
    let with = |change: &dyn Fn(&mut CardConfig)| {
        let mut config = nano.clone();
        change(&mut config);
        config.check_buildable().unwrap();
        config
    };
    let rows = |card: &mut CardConfig, rows| card.gemm.as_mut().unwrap().rows = rows;
    let configs = [
        nano.clone(),
        with(&|card| rows(card, 2)),
        with(&|card| {
            rows(card, 3);
            let gemm = card.gemm.as_mut().unwrap();
            let narrow = mattock_spec::Tuple { b: Format::I4, ..gemm.tuples[0] };
            gemm.tuples.extend([narrow, mattock_spec::Tuple { a: Format::I4, ..narrow }]);
        }),
        with(&|card| {
            rows(card, 8);
            card.memory.bus_bytes = 8;
        }),
    ];
    for config in configs {
        let card = open_config(&config, &options(SimulatorKind::Interpreter));
        let mut rng = StdRng::seed_from_u64(2);
        for dims in [[1, 1, 1], [3, 5, 0], [5, 7, 9], [33, 21, 40], [2, 3, 1500], [40, 3, 130]] {
            multiply(&card, &mut rng, dims, false);
        }
    }
}

/// What is past the end of memory is told with its address, and the card goes on.
#[test]
fn a_serial_card_tells_what_is_not_in_its_memory() {
    use mattock::transport::Transport;
    use mattock_spec::ErrorCode;
    use mattock_spec::regs::gemm::{
        A_LO, A_STRIDE, B_LO, B_STRIDE, D_LO, D_STRIDE, ERROR_INFO, K, M, MODE, N, START, STATUS,
    };
    let config = CardConfig::reference("nano").unwrap();
    let mut card = SimCard::open(&config, &options(SimulatorKind::Interpreter)).unwrap();
    let end = config.memory.kib * 1024;
    let steps = [MODE::LOAD_A, MODE::LOAD_B, MODE::COMPUTE, MODE::STORE];
    let steps = steps.map(|field| field.put(1)).iter().sum();
    let mut run = |a: u32, b: u32, d: u32, m: u32| {
        let values = [(MODE, steps), (M, m), (N, 2), (K, 4), (A_LO, a), (A_STRIDE, 4), (B_LO, b)];
        let more = [(B_STRIDE, 4), (D_LO, d), (D_STRIDE, 8), (START, 1)];
        for (reg, value) in values.into_iter().chain(more) {
            card.write32(reg.address(), value).unwrap();
        }
        while STATUS::DONE.get(card.read32(STATUS.address()).unwrap()) == 0 {}
        let status = card.read32(STATUS.address()).unwrap();
        let info = card.read32(ERROR_INFO.address()).unwrap();
        assert_eq!(card.read32(A_LO.address()).unwrap(), a);
        (STATUS::ERROR.get(status), info)
    };
    let (read, write) = (ErrorCode::ReadDecodeError as u32, ErrorCode::WriteDecodeError as u32);
    assert_eq!(run(0, 64, 128, 3), (0, 0));
    assert_eq!(run(end - 8, 64, 128, 3), (read, end));
    assert_eq!(run(0, end - 12, 128, 3), (read, end));
    assert_eq!(run(0, 64, end - 16, 3), (write, end));
    assert_eq!(run(0, 64, end - 16, 2), (0, 0));
    assert_eq!(run(0, 64, 129, 3), (ErrorCode::BadAddress as u32, 0x30));
    assert_eq!(run(0, 64, 128, 1 << 20), (ErrorCode::BadShape as u32, 4));
}

#[test]
fn random_shapes_in_verilator() {
    let plain = open("bench16", &options(SimulatorKind::Verilator));
    let mut stalled = options(SimulatorKind::Verilator);
    stalled.memory.stalls = Some(Stalls { seed: 5, chance: 60 });
    let stalled = open("bench16", &stalled);
    let mut rng = StdRng::seed_from_u64(2);
    for i in 0..200 {
        let dims = [0; 3].map(|_| rng.random_range(1..70));
        let card = if i % 3 == 0 { &stalled } else { &plain };
        multiply(card, &mut rng, dims, i % 4 == 0);
    }
}

/// A product of matrices that fill their slices row after row.
fn plain(
    card: &Context,
    options: &GemmOptions,
    [m, n, k]: [usize; 3],
    a: &[i8],
    b: &[i8],
) -> Result<Vec<i32>, Error> {
    let (a, b) = (View::<i8>::rows(a, m, k)?, View::<i8>::rows(b, k, n)?);
    let mut c = vec![-1; m * n];
    let event = card.gemm(options, 1, a, b, 0, ViewMut::<i32>::rows(&mut c, m, n)?)?;
    event.wait()?;
    Ok(c)
}

#[test]
fn bad_arguments_are_refused_before_anything_is_sent() {
    let card = open("tiny", &options(SimulatorKind::Interpreter));
    let values = [1i8; 16];
    let dense = DynView::new(&[1; 16], Order::Row, 4, 4, 4, Format::I8).unwrap();
    let packed = DynView::new(&[0; 8], Order::Row, 4, 4, 4, Format::I4).unwrap();
    let wide = DynView::new(&[1; 16], Order::Row, 4, 3, 4, Format::I8).unwrap();
    let mut c = [0i32; 16];
    let mut refused = |a, b, alpha: mattock::Scalar, rows| {
        let c = ViewMut::<i32>::rows(&mut c, rows, 4).unwrap().into();
        let event = card.gemm_dyn(&GemmOptions::default(), alpha, a, b, 0.into(), c);
        event.map(drop).unwrap_err().to_string()
    };
    let texts = [
        refused(wide, dense, 1.into(), 4),
        refused(dense, dense, 1.into(), 3),
        refused(dense, packed, 1.into(), 4),
        refused(dense, dense, 1.0.into(), 4),
    ];
    insta::assert_snapshot!(texts.join("\n"));
    let ok = plain(&card, &GemmOptions::default(), [4; 3], &values, &values);
    assert_eq!(ok.unwrap(), [4; 16]);
}

#[test]
fn what_does_not_fit_is_an_error_and_the_card_goes_on() {
    let mut small = options(SimulatorKind::Interpreter);
    small.memory.bytes = 1 << 15;
    let card = open_config(&tiny_on_axi(), &small);
    let values = vec![3i8; 200 * 200];
    let error = plain(&card, &GemmOptions::default(), [200; 3], &values, &values).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { need: 240_000, have: 32_768 }), "{error}");
    let resident = GemmOptions { resident: true, ..Default::default() };
    let error = plain(&card, &resident, [30, 30, 200], &values, &values).unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { need: 6000.., have: 4096 }), "{error}");
    let few = plain(&card, &resident, [2, 3, 200], &values[..400], &values[..600]);
    assert_eq!(few.unwrap(), [1800; 6]);
}

#[test]
fn a_bus_error_reaches_the_caller() {
    let mut faulty = options(SimulatorKind::Interpreter);
    faulty.memory = MemoryOptions { base: 0x4_0000, ..MemoryOptions::default() };
    let base = faulty.memory.base;
    let card = ThreadedCard::spawn(move || {
        let mut sim = SimCard::open(&tiny_on_axi(), &faulty)?;
        sim.inject(base..base + 1, Response::SlaveError);
        Ok::<_, OpenError>(sim)
    });
    let device = Device::open_with(Box::new(card.unwrap())).unwrap();
    let card = device.context(ContextOptions::default()).unwrap();
    let values = [1i8; 16];
    let error = plain(&card, &GemmOptions::default(), [4; 3], &values, &values).unwrap_err();
    insta::assert_snapshot!(error);
}
