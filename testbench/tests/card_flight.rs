//! Many commands at a card with rings, by the calls of the driver: results, clocks between commands, faults, events.

use mattock::sparse::SpgemmOptions;
use mattock::transport::{Limit, Transport, Waited};
use mattock::{
    Context, ContextOptions, Csr, Device, DmaBuf, Error, GemmOptions, Order, View, ViewMut,
};
use mattock_spec::config::{Control, MemoryConfig, SpgemmConfig};
use mattock_spec::regs::{card, queue};
use mattock_spec::{CardConfig, ErrorCode, Rounding};
use mattock_testbench::reference::{compare_exact, spgemm};
use mattock_testbench::sim::{Response, SimCard, SimOptions, SimulatorKind, ThreadedCard};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::Arc;
use std::time::Duration;

const PLAIN: GemmOptions =
    GemmOptions { resident: false, chunked: false, rounding: Rounding::Rne, saturate: false };

/// The smallest card with a processor and both engines.
fn both() -> CardConfig {
    let tiny = CardConfig::reference("tiny").unwrap().on_axi();
    let spgemm = SpgemmConfig {
        lanes: 2,
        banks: 4,
        entries_per_half: 256,
        sorter_width: 2,
        align: 8,
        ..CardConfig::reference("small").unwrap().spgemm.unwrap()
    };
    let memory = MemoryConfig { address_bits: 40, ..tiny.memory };
    let name = "tiny_both_riscv".into();
    CardConfig { control: Control::Riscv, name, memory, spgemm: Some(spgemm), ..tiny }
}

/// A simulated card whose memory can be made faulty while the driver has it.
struct Hooked(Arc<ThreadedCard>);

impl Transport for Hooked {
    fn description(&self) -> String {
        "sim:hooked".into()
    }
    fn read32(&mut self, offset: u32) -> Result<u32, Error> {
        self.0.with(move |card| card.read32(offset))?
    }
    fn write32(&mut self, offset: u32, value: u32) -> Result<(), Error> {
        self.0.with(move |card| card.write32(offset, value))?
    }
    fn alloc(&mut self, bytes: u64) -> Result<u64, Error> {
        self.0.with(move |card| card.alloc(bytes))?
    }
    fn free(&mut self, address: u64) {
        self.0.with(move |card| card.free(address)).unwrap();
    }
    fn available(&self) -> u64 {
        self.0.with(|card| card.available()).unwrap()
    }
    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Error> {
        let data = data.to_vec();
        self.0.with(move |card| card.write(address, &data))?
    }
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Error> {
        let bytes = data.len();
        let read = self.0.with(move |card| {
            let mut data = vec![0; bytes];
            card.read(address, &mut data).map(|()| data)
        })?;
        data.copy_from_slice(&read?);
        Ok(())
    }
    fn wait(&mut self, limit: Limit) -> Result<Waited, Error> {
        self.0.with(move |card| card.wait(limit))?
    }
    fn is_simulated(&self) -> bool {
        true
    }
}

fn open() -> (Context, Arc<ThreadedCard>) {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    let options = SimOptions::new(SimulatorKind::Verilator, cache);
    let config = both();
    let card = ThreadedCard::spawn(move || SimCard::open(&config, &options));
    let card = Arc::new(card.unwrap_or_else(|e| panic!("{e}")));
    let device = Device::open_with(Box::new(Hooked(Arc::clone(&card)))).unwrap();
    (device.context(ContextOptions::default()).unwrap(), card)
}

fn written(card: &Context) -> u32 {
    card.device().transport().read32(queue::DOORBELL.address()).unwrap()
}

/// A product in buffers, which go to the card without copies.
struct Product {
    shape: [usize; 3],
    a: DmaBuf<i8>,
    b: DmaBuf<i8>,
    c: DmaBuf<i32>,
    expected: Vec<i32>,
}

impl Product {
    fn new(card: &Context, rng: &mut StdRng, shape: [usize; 3]) -> Self {
        let [m, n, k] = shape;
        assert!(n.is_multiple_of(16) && k.is_multiple_of(16));
        let mut random = |len| (0..len).map(|_| rng.random()).collect::<Vec<i8>>();
        let (left, right) = (random(m * k), random(k * n));
        let expected = multiply(&left, &right, shape);
        let (mut a, mut b) = (card.alloc(m * k).unwrap(), card.alloc(k * n).unwrap());
        a.write(0, &left).unwrap();
        b.write(0, &right).unwrap();
        let c = card.alloc(m * n).unwrap();
        Product { shape, a, b, c, expected }
    }

    fn submit<'p>(
        &'p mut self,
        card: &Context,
        options: &GemmOptions,
    ) -> Result<mattock::Event<'p>, Error> {
        let [m, n, k] = self.shape;
        let a = self.a.view(Order::Row, m, k, k).unwrap();
        let b = self.b.view(Order::Row, k, n, n).unwrap();
        card.gemm(options, 1, a, b, 0, self.c.view_mut(Order::Row, m, n, n).unwrap())
    }

    fn check(&self) {
        assert_eq!(self.c.to_vec().unwrap(), self.expected);
    }
}

fn multiply(a: &[i8], b: &[i8], [m, n, k]: [usize; 3]) -> Vec<i32> {
    let element = |at: usize| {
        (0..k).map(|i| i32::from(a[at / n * k + i]) * i32::from(b[i * n + at % n])).sum()
    };
    (0..m * n).map(element).collect()
}

/// Products of 512 clocks and more behind one another: the set-up of the next is done while one runs.
#[test]
fn an_engine_waits_little_between_two_calls() {
    let (card, _) = open();
    let mut rng = StdRng::seed_from_u64(1);
    let count = 12;
    let mut products: Vec<_> =
        (0..count).map(|_| Product::new(&card, &mut rng, [8, 16, 16])).collect();
    let clock =
        |card: &Context| card.device().transport().read32(card::CYCLES_LO.address()).unwrap();
    let start = clock(&card);
    let one = products[0].submit(&card, &PLAIN).unwrap().wait().unwrap().cycles;
    let alone = u64::from(clock(&card) - start);
    let doorbell = written(&card);
    let start = clock(&card);
    let events: Vec<_> =
        products.iter_mut().map(|product| product.submit(&card, &PLAIN).unwrap()).collect();
    assert_eq!(written(&card) - doorbell, count, "all of them are at the card");
    let cycles: Vec<u64> = events.into_iter().map(|event| event.wait().unwrap().cycles).collect();
    let together = u64::from(clock(&card) - start);
    assert!(cycles.iter().all(|&c| c >= 512), "{cycles:?}");
    let ran: u64 = cycles.iter().sum();
    // What one call costs beside its product is there once.
    let idle = (together - ran).saturating_sub(alone - one) / u64::from(count - 1);
    println!(
        "calls of {one} clocks, {count} at the card: the engine waits {idle} clocks between two"
    );
    assert!(idle <= 150, "{idle}: {together} clocks, {ran} in the engine, {alone} alone");
    products.iter().for_each(Product::check);
}

fn sparse(rng: &mut StdRng, n: usize) -> Csr<i32> {
    let nnz = rng.random_range(0..4 * n);
    let mut entries: Vec<(usize, u32)> =
        (0..nnz).map(|_| (rng.random_range(0..n), rng.random_range(0..n as u32))).collect();
    entries.sort_unstable();
    entries.dedup();
    let mut row_ptr = vec![0u64; n + 1];
    entries.iter().for_each(|(row, _)| row_ptr[row + 1] += 1);
    (0..n).for_each(|row| row_ptr[row + 1] += row_ptr[row]);
    let values = entries.iter().map(|_| rng.random_range(-9..10)).collect();
    Csr::new(n, n, row_ptr, entries.into_iter().map(|e| e.1).collect(), values).unwrap()
}

/// Dense products in buffers and in host memory, some of three commands, more than the rings take, sparse ones between
/// them, waited for in any order.
#[test]
fn random_interleavings_are_right() {
    let (card, _) = open();
    for seed in 0..6 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut products: Vec<_> = (0..rng.random_range(1..24))
            .map(|_| {
                let shape = [rng.random_range(1..9), 16, 16 * rng.random_range(1..3)];
                Product::new(&card, &mut rng, shape)
            })
            .collect();
        let mut macs = 0;
        let host: Vec<_> = (0..5)
            .map(|_| {
                let shape = [1, 2, 3].map(|_| rng.random_range(1..12));
                let [m, n, k] = shape;
                let mut random = |len| (0..len).map(|_| rng.random()).collect::<Vec<i8>>();
                (shape, random(m * k), random(k * n), vec![0i32; m * n])
            })
            .collect();
        let (inputs, mut results): (Vec<_>, Vec<_>) =
            host.into_iter().map(|(shape, a, b, c)| ((shape, a, b), c)).unzip();
        let mut events = vec![];
        for product in &mut products {
            macs += product.shape.iter().product::<usize>() as u64;
            let options = GemmOptions { resident: rng.random_ratio(1, 4), ..PLAIN };
            events.push(product.submit(&card, &options).unwrap());
            if rng.random_ratio(1, 3) {
                check_sparse(&card, &mut rng);
            }
            if rng.random_ratio(1, 4) {
                let at = rng.random_range(0..events.len());
                events[at].query();
            }
        }
        for (([m, n, k], a, b), c) in inputs.iter().zip(&mut results) {
            macs += (m * n * k) as u64;
            let (a, b) =
                (View::<i8>::rows(a, *m, *k).unwrap(), View::<i8>::rows(b, *k, *n).unwrap());
            let c = ViewMut::<i32>::rows(c, *m, *n).unwrap();
            events.push(card.gemm(&PLAIN, 1, a, b, 0, c).unwrap());
        }
        check_sparse(&card, &mut rng);
        let mut counted = 0;
        while !events.is_empty() {
            let event = events.swap_remove(rng.random_range(0..events.len()));
            counted += event.wait().unwrap().macs;
        }
        drop(events);
        assert_eq!(counted, macs, "each call is told what it cost");
        products.iter().for_each(Product::check);
        for ((shape, a, b), c) in inputs.iter().zip(&results) {
            assert_eq!(c, &multiply(a, b, *shape));
        }
    }
}

fn check_sparse(card: &Context, rng: &mut StdRng) {
    let n = rng.random_range(1..30);
    let (a, b) = (sparse(rng, n), sparse(rng, n));
    let (c, stats) = card.spgemm(&a, &b, &SpgemmOptions::default()).unwrap();
    assert_eq!(compare_exact(&spgemm(&a, &b).unwrap(), &c).mismatches(), 0);
    let products: usize = a.col_idx().iter().map(|&k| b.row_nnz(k as usize)).sum();
    assert_eq!(stats.products, products as u64);
}

/// One of several commands fails: its call says so, and only that one.
#[test]
fn a_fault_is_of_its_own_call() {
    let (card, sim) = open();
    let mut rng = StdRng::seed_from_u64(7);
    let mut products: Vec<_> = (0..6).map(|_| Product::new(&card, &mut rng, [8, 16, 16])).collect();
    let resident = GemmOptions { resident: true, ..PLAIN };
    for (faulty, options) in [(2, &PLAIN), (0, &PLAIN), (5, &PLAIN), (3, &resident)] {
        let at = products[faulty].b.bus_address();
        sim.with(move |card| card.inject(at..at + 8, Response::SlaveError)).unwrap();
        let events: Vec<_> =
            products.iter_mut().map(|p| p.submit(&card, options).unwrap()).collect();
        for (i, event) in events.into_iter().enumerate() {
            match event.wait() {
                Ok(stats) => assert!(i != faulty && stats.macs == 8 * 16 * 16),
                Err(Error::DeviceFault { code, .. }) => {
                    assert_eq!((i, code), (faulty, ErrorCode::ReadSlaveError));
                }
                Err(other) => panic!("{i}: {other}"),
            }
        }
        sim.with(|card| card.clear_faults()).unwrap();
        products.iter().enumerate().filter(|(i, _)| *i != faulty).for_each(|(_, p)| p.check());
    }
    // Too large for the buffers: refused by the card's own program, among others.
    let mut large = Product::new(&card, &mut rng, [64, 16, 256]);
    let [first, last, ..] = &mut products[..] else { panic!() };
    let events = [
        first.submit(&card, &PLAIN).unwrap(),
        large.submit(&card, &resident).unwrap(),
        last.submit(&card, &resident).unwrap(),
    ];
    let ends = events.map(|event| event.wait());
    assert!(matches!(ends, [Ok(_), Err(Error::OutOfMemory { .. }), Ok(_)]), "{ends:?}");
}

/// A call that has no time left resets the card: it says so, those at the card with it are aborted, those behind run.
#[test]
fn a_time_out_tells_everybody() {
    let (card, _) = open();
    let options = ContextOptions { timeout: Some(Duration::from_micros(2)), ..Default::default() };
    let hasty = card.device().context(options).unwrap();
    let mut rng = StdRng::seed_from_u64(9);
    let mut long = Product::new(&hasty, &mut rng, [256, 16, 128]);
    let mut behind: Vec<_> = (0..18).map(|_| Product::new(&card, &mut rng, [1, 16, 16])).collect();
    let first = long.submit(&hasty, &PLAIN).unwrap();
    let events: Vec<_> = behind.iter_mut().map(|p| p.submit(&card, &PLAIN).unwrap()).collect();
    assert!(matches!(first.wait(), Err(Error::Timeout { .. })));
    let ends: Vec<_> = events.into_iter().map(|event| event.wait()).collect();
    for (i, end) in ends.iter().enumerate() {
        match end {
            // The rings have sixteen entries.
            Err(Error::DeviceFault { code: ErrorCode::Aborted, .. }) => assert!(i < 15),
            Ok(_) => assert!(i >= 15),
            Err(other) => panic!("{i}: {other}"),
        }
    }
    behind[15..].iter().for_each(Product::check);
    for product in &mut behind {
        product.submit(&card, &PLAIN).unwrap().wait().unwrap();
        product.check();
    }
    // A reset while several are there aborts them.
    let events: Vec<_> = behind.iter_mut().map(|p| p.submit(&card, &PLAIN).unwrap()).collect();
    card.device().reset().unwrap();
    let aborted = events.into_iter().filter_map(|event| event.wait().err()).count();
    assert!((1..=16).contains(&aborted), "{aborted}");
}

/// File descriptors become readable when an event is over and not before, without anybody who waits otherwise.
#[test]
fn events_are_file_descriptors() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::os::fd::AsFd;
    let (card, _) = open();
    let mut rng = StdRng::seed_from_u64(11);
    let mut products: Vec<_> =
        (0..20).map(|_| Product::new(&card, &mut rng, [64, 16, 64])).collect();
    let mut events: Vec<_> =
        products.iter_mut().map(|p| p.submit(&card, &PLAIN).unwrap()).collect();
    let mut waiting: Vec<usize> = (0..events.len()).collect();
    let mut order = vec![];
    while !waiting.is_empty() {
        let mut fds: Vec<_> = waiting
            .iter()
            .map(|&i| PollFd::from_borrowed_fd(events[i].as_fd(), PollFlags::IN))
            .collect();
        let limit = Timespec { tv_sec: 60, tv_nsec: 0 };
        assert!(poll(&mut fds, Some(&limit)).unwrap() > 0, "nothing within a minute");
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        let over = waiting.iter().zip(&ready).filter(|(_, ready)| **ready).map(|(i, _)| *i);
        for i in over.collect::<Vec<_>>() {
            assert!(events[i].query(), "readable, so over");
            order.push(i);
        }
        waiting.retain(|i| !order.contains(i));
    }
    assert!(order.is_sorted(), "{order:?}");
    // It stays readable, and an event that was over before it was asked is so at once.
    let mut fds = [PollFd::from_borrowed_fd(events[3].as_fd(), PollFlags::IN)];
    assert_eq!(poll(&mut fds, Some(&Timespec::default())).unwrap(), 1);
    drop(events);
    products.iter().for_each(Product::check);
}
