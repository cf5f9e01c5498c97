//! Many products as one command, through the driver.

use mattock::dense::Strided;
use mattock::{
    Context, ContextOptions, DmaBuf, DynView, DynViewMut, Error, GemmOptions, Order, Scalar, View,
    ViewMut,
};
use mattock_spec::{CardConfig, ErrorCode, Format};
use mattock_testbench::reference;
use mattock_testbench::sim::{
    Direction, FaultyCard, Response, SimOptions, SimulatorKind, Stalls, open_device,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn config(batch: bool) -> CardConfig {
    let text = format!(
        "name = \"batch8x8\"\n[memory]\nbus_bytes = 16\naddress_bits = 40\n[gemm]\nrows = 8\ncols = 8\nalign = 64\n\
         tuples = [\"i8,i8,i32\", \"i8,i4,i32\"]\na_kib = 4\nb_kib = 4\nresult_kib = 4\nbatch = {batch}\n"
    );
    CardConfig::from_toml(&text).unwrap_or_else(|e| panic!("{e}"))
}

fn open(batch: bool, stalls: Option<Stalls>) -> Context {
    let mut options = SimOptions::new(SimulatorKind::Interpreter, env!("CARGO_TARGET_TMPDIR"));
    options.memory.stalls = stalls;
    let device = open_device(&config(batch), &options).unwrap_or_else(|e| panic!("{e}"));
    device.context(ContextOptions::default()).unwrap()
}

/// Numbers that fit, and the products that they make.
struct Case {
    shape: [usize; 3],
    count: usize,
    a: Vec<i8>,
    b: Vec<i8>,
    c: Vec<i32>,
}

impl Case {
    fn new(shape: [usize; 3], count: usize, rng: &mut StdRng) -> Case {
        let [m, n, k] = shape;
        let mut operand = |len| (0..len).map(|_| rng.random::<i8>()).collect::<Vec<_>>();
        let (a, b) = (operand(count * m * k), operand(count * k * n));
        let c = (0..count * m * n).map(|_| rng.random_range(-1000..1000)).collect();
        Case { shape, count, a, b, c }
    }

    /// `alpha * A * B + beta * C` of product `i` with the matrices of these numbers.
    fn want(&self, [a, b, c]: [usize; 3], alpha: i32, beta: i32) -> Vec<i32> {
        let [m, n, k] = self.shape;
        let wide = |x: &[i8]| x.iter().map(|&x| i32::from(x)).collect::<Vec<_>>();
        let (a, b) = (wide(&self.a[a * m * k..][..m * k]), wide(&self.b[b * k * n..][..k * n]));
        let mut product = vec![0; m * n];
        let layout = reference::Layout::row_major;
        let (left, right) = ((&a[..], layout(m, k)), (&b[..], layout(k, n)));
        reference::gemm(left, right, (&mut product, layout(m, n))).unwrap();
        let old = &self.c[c * m * n..][..m * n];
        product.iter().zip(old).map(|(p, c)| alpha * p + beta * c).collect()
    }
}

fn row(data: &[i8], [rows, cols]: [usize; 2]) -> View<'_, i8> {
    View::new(data, Order::Row, rows, cols, cols).unwrap()
}

#[test]
fn strided_products_of_host_memory_are_one_command() {
    let mut rng = StdRng::seed_from_u64(1);
    for stalls in [None, Some(Stalls { seed: 3, chance: 60 })] {
        let (card, other) = (open(true, stalls), open(false, stalls));
        for (shape, count, alpha, beta) in [
            ([3, 3, 3], 40, 1, 0),
            ([8, 8, 8], 20, 1, 0),
            ([5, 7, 6], 33, 1, 0),
            ([7, 5, 4], 9, -2, 3),
            ([20, 12, 30], 5, 1, 0),
            ([1, 8, 8], 10, 1, 0),
            ([8, 1, 8], 10, 1, 0),
            ([4, 4, 1], 10, 1, 0),
        ] {
            let [m, n, k] = shape;
            let case = Case::new(shape, count, &mut rng);
            for (card, commands) in [(&card, 1), (&other, count as u64)] {
                let mut d = case.c.clone();
                let c = ViewMut::<i32>::new(&mut d, Order::Row, m, n, n).unwrap();
                let (a, b) = (row(&case.a, [m, k]), row(&case.b, [k, n]));
                let (a, b) =
                    (Strided { first: a, stride: m * k }, Strided { first: b, stride: k * n });
                let c = Strided { first: c, stride: m * n };
                let options = GemmOptions::default();
                let event =
                    card.gemm_strided_batched(&options, alpha, a, b, beta, c, count).unwrap();
                let stats = event.wait().unwrap();
                assert_eq!(stats.commands, commands, "{shape:?}");
                assert_eq!(stats.macs, (count * m * n * k) as u64);
                for i in 0..count {
                    let got = &d[i * m * n..][..m * n];
                    assert_eq!(got, case.want([i; 3], alpha, beta), "product {i} of {shape:?}");
                }
            }
        }
    }
}

#[test]
fn an_operand_of_all_products_is_sent_once() {
    let mut rng = StdRng::seed_from_u64(2);
    let card = open(true, None);
    let case = Case::new([4, 6, 5], 12, &mut rng);
    let mut d = case.c.clone();
    let c = ViewMut::<i32>::new(&mut d, Order::Row, 4, 6, 6).unwrap();
    let a = Strided { first: row(&case.a, [4, 5]), stride: 0 };
    let b = Strided { first: row(&case.b, [5, 6]), stride: 30 };
    let c = Strided { first: c, stride: 24 };
    let event = card.gemm_strided_batched(&GemmOptions::default(), 1, a, b, 0, c, 12).unwrap();
    assert_eq!(event.wait().unwrap().commands, 1);
    for i in 0..12 {
        assert_eq!(d[i * 24..][..24], case.want([0, i, i], 1, 0));
    }
}

/// Operands and results of a case in buffers, close together: any element may be a matrix's first.
struct Buffers {
    a: DmaBuf<i8>,
    b: DmaBuf<i8>,
    d: DmaBuf<i32>,
}

impl Buffers {
    fn new(card: &Context, case: &Case) -> Buffers {
        let mut a: DmaBuf<i8> = card.alloc(case.a.len()).unwrap();
        let mut b: DmaBuf<i8> = card.alloc(case.b.len()).unwrap();
        a.write(0, &case.a).unwrap();
        b.write(0, &case.b).unwrap();
        let mut d: DmaBuf<i32> = card.alloc(case.c.len()).unwrap();
        d.write(0, &case.c).unwrap();
        Buffers { a, b, d }
    }

    fn strided(&mut self, card: &Context, case: &Case) -> Result<mattock::GemmStats, Error> {
        let [m, n, k] = case.shape;
        let a = Strided { first: self.a.view(Order::Row, m, k, k)?, stride: m * k };
        let b = Strided { first: self.b.view(Order::Row, k, n, n)?, stride: k * n };
        let c = Strided { first: self.d.view_mut(Order::Row, m, n, n)?, stride: m * n };
        let options = GemmOptions::default();
        card.gemm_strided_batched(&options, 1, a, b, 0, c, case.count)?.wait()
    }

    /// Products of the matrices of these numbers, result after result.
    fn listed(
        &self,
        card: &Context,
        case: &Case,
        order: &[[usize; 3]],
    ) -> Result<mattock::GemmStats, Error> {
        let [m, n, k] = case.shape;
        let operand = |buffer, rows, cols, start| {
            DynView::on_card(buffer, Order::Row, rows, cols, cols, Format::int(8), start).unwrap()
        };
        let a: Vec<_> = order.iter().map(|i| operand(&self.a, m, k, i[0] * m * k)).collect();
        let b: Vec<_> = order.iter().map(|i| operand(&self.b, k, n, i[1] * k * n)).collect();
        let result = |i: &[usize; 3]| {
            let start = 4 * i[2] * m * n;
            DynViewMut::on_shared_card(&self.d, Order::Row, m, n, n, Format::I32, start).unwrap()
        };
        let c = order.iter().map(result).collect();
        let (one, zero) = (Scalar::I32(1), Scalar::I32(0));
        card.gemm_batched_dyn(&GemmOptions::default(), one, &a, &b, zero, c)?.wait()
    }
}

#[test]
fn products_of_buffers_are_one_command_at_distances_or_from_a_list() {
    let mut rng = StdRng::seed_from_u64(3);
    let card = open(true, Some(Stalls { seed: 4, chance: 40 }));
    for (shape, count) in [([3, 5, 7], 24), ([8, 8, 8], 9), ([4, 4, 4], 65), ([9, 3, 2], 31)] {
        let [m, n, _] = shape;
        let case = Case::new(shape, count, &mut rng);
        let mut buffers = Buffers::new(&card, &case);
        assert_eq!(buffers.strided(&card, &case).unwrap().commands, 1);
        let got = buffers.d.to_vec().unwrap();
        for i in 0..count {
            assert_eq!(got[i * m * n..][..m * n], case.want([i; 3], 1, 0), "product {i}");
        }
        let mut order: Vec<_> = (0..count)
            .map(|i| [rng.random_range(0..count), rng.random_range(0..count), i])
            .collect();
        order.swap(0, count / 2);
        let stats = buffers.listed(&card, &case, &order).unwrap();
        assert_eq!(stats.commands, 1);
        let got = buffers.d.to_vec().unwrap();
        for numbers in order {
            let at = numbers[2] * m * n;
            assert_eq!(got[at..][..m * n], case.want(numbers, 1, 0), "{numbers:?}");
        }
    }
}

/// What is no batch for the card is done product by product.
#[test]
fn other_products_are_commands_of_their_own() {
    let mut rng = StdRng::seed_from_u64(5);
    let card = open(true, None);
    // More than half a scratchpad of 4 KiB.
    let case = Case::new([8, 8, 300], 3, &mut rng);
    let mut d = case.c.clone();
    let c =
        Strided { first: ViewMut::<i32>::new(&mut d, Order::Row, 8, 8, 8).unwrap(), stride: 64 };
    let a = Strided { first: row(&case.a, [8, 300]), stride: 2400 };
    let b = Strided { first: row(&case.b, [300, 8]), stride: 2400 };
    let event = card.gemm_strided_batched(&GemmOptions::default(), 1, a, b, 0, c, 3).unwrap();
    assert_eq!(event.wait().unwrap().commands, 3);
    assert_eq!(d[128..], case.want([2; 3], 1, 0));
    // Of different shapes.
    let (x, y) = (Case::new([3, 3, 3], 1, &mut rng), Case::new([3, 3, 4], 1, &mut rng));
    let (mut dx, mut dy) = (vec![0; 9], vec![0; 9]);
    let c = [&mut dx, &mut dy].map(|d| ViewMut::<i32>::new(d, Order::Row, 3, 3, 3).unwrap());
    let event = card.gemm_batched(
        &GemmOptions::default(),
        1,
        &[row(&x.a, [3, 3]), row(&y.a, [3, 4])],
        &[row(&x.b, [3, 3]), row(&y.b, [4, 3])],
        0,
        c.into(),
    );
    assert_eq!(event.unwrap().wait().unwrap().commands, 2);
    assert_eq!((dx, dy), (x.want([0; 3], 1, 0), y.want([0; 3], 1, 0)));
}

#[test]
fn faults_name_the_product_and_the_card_goes_on() {
    let mut rng = StdRng::seed_from_u64(6);
    let options = SimOptions::new(SimulatorKind::Interpreter, env!("CARGO_TARGET_TMPDIR"));
    let card = FaultyCard::open(&config(true), &options).unwrap_or_else(|e| panic!("{e}"));
    let context = card.device.context(ContextOptions::default()).unwrap();
    let case = Case::new([8, 8, 8], 40, &mut rng);
    let mut buffers = Buffers::new(&context, &case);
    let order: Vec<_> = (0..40).map(|i| [39 - i, i, (7 * i) % 40]).collect();
    for (direction, nth) in [
        (Direction::Read, 1),
        (Direction::Read, 30),
        (Direction::Write, 1),
        (Direction::Write, 300),
    ] {
        for listed in [false, true] {
            card.bus.arm(direction, nth, Response::DecodeError);
            let outcome = match listed {
                false => buffers.strided(&context, &case),
                true => buffers.listed(&context, &case, &order),
            };
            let at = card.bus.end()[0].address;
            let base = |buffer: u64, bytes: u64| (buffer..buffer + 40 * bytes).contains(&at);
            let (a, b) = (buffers.a.bus_address(), buffers.b.bus_address());
            let d = buffers.d.bus_address();
            let number = if base(a, 64) {
                (at - a) / 64
            } else if base(b, 64) {
                (at - b) / 64
            } else if base(d, 256) {
                (at - d) / 256
            } else {
                // The list itself: no product's.
                assert!(listed, "{at:#x}");
                assert!(matches!(outcome, Err(Error::DeviceFault { .. })), "{outcome:?}");
                continue;
            };
            let place = [base(a, 64), base(b, 64), base(d, 256)].iter().position(|is| *is).unwrap();
            let of = |i: &[usize; 3]| i[place] as u64 == number;
            let expected = if listed { order.iter().position(of).unwrap() as u64 } else { number };
            let Err(Error::BatchFault { product, code, info }) = outcome else {
                panic!("{outcome:?}")
            };
            assert_eq!((product, info), (expected, at as u32), "{direction:?} {nth} {listed}");
            let codes = [ErrorCode::ReadDecodeError, ErrorCode::WriteDecodeError];
            assert_eq!(code, codes[usize::from(direction == Direction::Write)]);
            assert_eq!(buffers.strided(&context, &case).unwrap().commands, 1);
            let got = buffers.d.to_vec().unwrap();
            assert_eq!(got[39 * 64..], case.want([39; 3], 1, 0));
        }
    }
}

#[test]
fn bad_batches_are_refused_before_anything_starts() {
    let mut rng = StdRng::seed_from_u64(7);
    let card = open(true, None);
    let case = Case::new([3, 3, 3], 4, &mut rng);
    let mut d = case.c.clone();
    let mut call = |strides: [usize; 3], count| {
        let c = Strided {
            first: ViewMut::<i32>::new(&mut d, Order::Row, 3, 3, 3).unwrap(),
            stride: strides[2],
        };
        let a = Strided { first: row(&case.a, [3, 3]), stride: strides[0] };
        let b = Strided { first: row(&case.b, [3, 3]), stride: strides[1] };
        let event = card.gemm_strided_batched(&GemmOptions::default(), 1, a, b, 0, c, count);
        event.and_then(mattock::Event::wait).map(|stats| stats.commands)
    };
    let refused = |outcome: Result<u64, Error>| outcome.unwrap_err().to_string();
    insta::assert_snapshot!(
        [
            refused(call([9, 9, 8], 4)),
            refused(call([9, 9, 0], 4)),
            refused(call([10, 9, 9], 4)),
            refused(call([9, usize::MAX, 9], 4)),
            refused(call([9, 9, 9], 1 << 40)),
        ]
        .join("\n")
    );
    assert_eq!(call([9, 9, 9], 0).unwrap(), 0);
    assert_eq!(call([9, 9, 9], 4).unwrap(), 1);
}

/// On the benchmark card, Verilator: what a product costs is what its tile costs, over all of 10^5.
#[test]
fn a_hundred_thousand_products_follow_without_a_bubble() {
    let mut rng = StdRng::seed_from_u64(8);
    let mut options = SimOptions::new(
        SimulatorKind::Verilator,
        concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated"),
    );
    options.memory.bytes = 1 << 26;
    let config = CardConfig::reference("bench16").unwrap();
    let device = open_device(&config, &options).unwrap_or_else(|e| panic!("{e}"));
    let card = device.context(ContextOptions::default()).unwrap();
    for (n, count, tile) in [(3, 100_000, 4), (8, 20_000, 8)] {
        let case = Case::new([n; 3], count, &mut rng);
        let mut d = case.c.clone();
        let c = ViewMut::<i32>::new(&mut d, Order::Row, n, n, n).unwrap();
        let [a, b] =
            [&case.a, &case.b].map(|data| Strided { first: row(data, [n, n]), stride: n * n });
        let c = Strided { first: c, stride: n * n };
        let event = card.gemm_strided_batched(&GemmOptions::default(), 1, a, b, 0, c, count);
        let stats = event.unwrap().wait().unwrap();
        println!("{count} of {n} x {n} x {n}: {} cycles", stats.cycles);
        assert_eq!(stats.commands, 1);
        for i in 0..count {
            assert_eq!(d[i * n * n..][..n * n], case.want([i; 3], 1, 0), "product {i}");
        }
        assert!(stats.cycles <= tile * count as u64 + 400, "{} cycles", stats.cycles);
    }
}
