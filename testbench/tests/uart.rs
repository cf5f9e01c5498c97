//! Serial cards for real: the driver's `uart:` transport over a pseudo-terminal, and behind it the Verilated card,
//! its line bit by bit at 8 clocks a bit.
#![cfg(unix)]

use mattock::transport::uart::{LinkError, Uart};
use mattock::transport::{Transport, UartUrl};
use mattock::{ContextOptions, Device, Error, GemmOptions, View, ViewMut};
use mattock_spec::CardConfig;
use mattock_spec::config::UartConfig;
use mattock_spec::regs::card::CYCLES_LO;
use mattock_testbench::sim::{Disturbance, LineDriver, PtyCard, Undisturbed, Verilated};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serialport::{SerialPort, TTYPort};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use verilator_rs::Toolchain;

const CLOCKS_PER_BIT: u32 = 8;

/// A served card; it stops when dropped.
struct Served {
    url: UartUrl,
    stop: Arc<AtomicBool>,
    cycles: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// `tiny` at 8 clocks a bit. `rate`: length of the host's bits in those of the card.
    fn new(disturbance: impl Disturbance + 'static, rate: f64) -> Served {
        let (stop, cycles) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (tell, told) = std::sync::mpsc::channel();
        let flags = (stop.clone(), cycles.clone());
        let thread = std::thread::spawn(move || {
            let mut config = CardConfig::reference("tiny").unwrap();
            config.uart = Some(UartConfig { baud: config.clock_mhz * 1_000_000 / CLOCKS_PER_BIT });
            let design = mattock_hw::card(&config).unwrap_or_else(|e| panic!("{e}"));
            let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
            let sim = Verilated::new(&design, &Toolchain::find().unwrap(), cache.as_ref());
            let sim = Box::new(sim.unwrap_or_else(|e| panic!("{e}")));
            let mut card = PtyCard::new(sim, f64::from(CLOCKS_PER_BIT) * rate).unwrap();
            card.disturb(disturbance);
            tell.send(card.path()).unwrap();
            card.run(&flags.0, &flags.1).unwrap_or_else(|e| panic!("{e}"));
        });
        let path = told.recv().expect("the card is simulated");
        // The rate is only what the driver reckons its patience with: simulated bits are slow.
        let url = UartUrl { path, baud: 115_200 };
        Served { url, stop, cycles, thread: Some(thread) }
    }

    fn open(&self) -> Uart {
        Uart::open(&self.url).unwrap_or_else(|e| panic!("{e}"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

fn bytes(rng: &mut StdRng, n: usize) -> Vec<u8> {
    (0..n).map(|_| rng.random()).collect()
}

/// A product whose result is known: every element is compared.
fn multiply(card: &Device, rng: &mut StdRng, [m, n, k]: [usize; 3]) -> Result<(), Error> {
    let a: Vec<i8> = (0..m * k).map(|_| rng.random()).collect();
    let b: Vec<i8> = (0..k * n).map(|_| rng.random()).collect();
    let (va, vb) = (View::<i8>::rows(&a, m, k)?, View::<i8>::rows(&b, k, n)?);
    let mut d = vec![0i32; m * n];
    let to = ViewMut::<i32>::rows(&mut d, m, n)?;
    let card = card.context(ContextOptions::default())?;
    card.gemm(&GemmOptions::default(), 1, va, vb, 0, to)?.wait()?;
    for (i, got) in d.iter().enumerate() {
        let (row, col) = (i / n, i % n);
        let sum: i32 = (0..k).map(|j| i32::from(a[row * k + j]) * i32::from(b[j * n + col])).sum();
        assert_eq!(*got, sum, "{m}x{n}x{k} at {row},{col}");
    }
    Ok(())
}

/// By the card's own cycle counter, read over the same line before and after: the reading counts as well.
#[test]
fn bursts_take_at_most_a_hundred_clocks_a_byte() {
    let served = Served::new(Undisturbed, 1.0);
    let mut card = served.open();
    let mut rng = StdRng::seed_from_u64(1);
    for n in [256usize, 1000, 4096] {
        let at = card.alloc(n as u64).unwrap();
        let data = bytes(&mut rng, n);
        let mut back = vec![0; n];
        let clock = |card: &mut Uart| card.read32(CYCLES_LO.address()).unwrap();
        // Reading the counter takes its time too, which does not belong to the burst.
        let readings: Vec<u32> = (0..5).map(|_| clock(&mut card)).collect();
        let reading = readings.windows(2).map(|w| w[1] - w[0]).min().unwrap();
        // The best of a few: the clock runs on while a busy machine lets the host wait.
        let mut taken = [u32::MAX; 2];
        for _ in 0..4 {
            let before = clock(&mut card);
            card.write(at, &data).unwrap();
            let between = clock(&mut card);
            card.read(at, &mut back).unwrap();
            let after = clock(&mut card);
            taken[0] = taken[0].min(between - before);
            taken[1] = taken[1].min(after - between);
        }
        assert_eq!(back, data);
        let rates: Vec<f64> = taken.iter().map(|t| f64::from(*t - reading) / n as f64).collect();
        println!("{n} bytes: {:.1} clocks a byte to the card, {:.1} back", rates[0], rates[1]);
        assert!(rates.iter().all(|rate| *rate <= 100.0), "{n} bytes: {rates:?}");
        card.free(at);
    }
    assert_eq!((card.counts().repeated, card.counts().noise), (0, 0));
    assert!(served.cycles.load(Ordering::Relaxed) > 0);
}

#[test]
fn products_over_lines_that_are_three_percent_off() {
    for rate in [0.97, 1.0, 1.03] {
        let served = Served::new(Undisturbed, rate);
        let card = Device::open_with(Box::new(served.open())).unwrap();
        let mut rng = StdRng::seed_from_u64(2);
        for dims in [[1, 1, 1], [5, 7, 9], [16, 12, 20], [3, 2, 0]] {
            multiply(&card, &mut rng, dims).unwrap_or_else(|e| panic!("at {rate}: {e}"));
        }
    }
}

/// Every kind of damage, at random, both ways.
struct Noise {
    rng: StdRng,
    /// One byte in so many is hit.
    one_in: u32,
    hits: Arc<AtomicU64>,
}

impl Noise {
    fn hit(&mut self) -> bool {
        let hit = self.rng.random_range(0..self.one_in) == 0;
        self.hits.fetch_add(hit.into(), Ordering::Relaxed);
        hit
    }
}

impl Disturbance for Noise {
    fn to_card(&mut self, byte: u8, line: &mut LineDriver) {
        if !self.hit() {
            return line.send(byte);
        }
        let bit = f64::from(CLOCKS_PER_BIT);
        match self.rng.random_range(0..7) {
            // Any of the ten bits, the start and the stop bit too.
            0 => line.send_bits((u16::from(byte) << 1 | 0x200) ^ 1 << self.rng.random_range(0..10)),
            1 => {}
            2 => (0..2).for_each(|_| line.send(byte)),
            3 => line.hold(false, self.rng.random_range(11.0..400.0) * bit),
            4 => {
                line.hold(false, 0.4 * bit);
                line.hold(true, 2.0 * bit);
                line.send(byte);
            }
            5 => line.send(self.rng.random()),
            _ => {
                line.send(byte);
                (0..self.rng.random_range(1..40)).for_each(|_| line.send(self.rng.random()));
            }
        }
    }

    fn to_host(&mut self, byte: u8, bytes: &mut Vec<u8>) {
        if !self.hit() {
            return bytes.push(byte);
        }
        match self.rng.random_range(0..4) {
            0 => bytes.push(byte ^ 1 << self.rng.random_range(0..8)),
            1 => {}
            2 => bytes.extend([byte, byte]),
            _ => bytes.extend([byte, self.rng.random(), 0x5a]),
        }
    }
}

#[test]
fn damage_is_repaired_and_never_gives_wrong_data() {
    let hits = Arc::new(AtomicU64::new(0));
    let rng = StdRng::seed_from_u64(11);
    let served = Served::new(Noise { rng, one_in: 1500, hits: hits.clone() }, 1.0);
    let mut card = served.open();
    let mut rng = StdRng::seed_from_u64(3);
    let mut model = vec![0u8; 8192];
    card.write(64, &model).unwrap();
    for _ in 0..40 {
        let n = rng.random_range(1..1500);
        let at = rng.random_range(0..=model.len() - n);
        if rng.random() {
            let data = bytes(&mut rng, n);
            card.write(64 + at as u64, &data).unwrap();
            model[at..at + n].copy_from_slice(&data);
        } else {
            let mut back = vec![0; n];
            card.read(64 + at as u64, &mut back).unwrap();
            assert_eq!(back, model[at..at + n], "{n} bytes at {at}");
        }
    }
    let counts = card.counts();
    let hits = hits.load(Ordering::Relaxed);
    println!("{hits} bytes hit; {counts:?}");
    assert!(hits > 10 && counts.repeated > 10, "{hits} hits, {counts:?}");
    let card = Device::open_with(Box::new(card)).unwrap();
    for dims in [[5, 7, 9], [8, 8, 8]] {
        multiply(&card, &mut rng, dims).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// A line on which nothing arrives whole any more: an error, soon, and the same one for every call after it.
#[test]
fn a_line_that_breaks_is_reported() {
    struct Cut(Arc<AtomicBool>);
    impl Disturbance for Cut {
        fn to_card(&mut self, byte: u8, line: &mut LineDriver) {
            line.send(if self.0.load(Ordering::Relaxed) { !byte } else { byte });
        }
    }
    let cut = Arc::new(AtomicBool::new(false));
    let served = Served::new(Cut(cut.clone()), 1.0);
    let mut card = served.open();
    card.write(64, &[7; 300]).unwrap();
    cut.store(true, Ordering::Relaxed);
    let error = card.read32(0).unwrap_err();
    let Error::Link { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(source.downcast_ref(), Some(LinkError::Silent { tries: 7, .. })), "{error}");
    cut.store(false, Ordering::Relaxed);
    assert!(matches!(card.read32(0), Err(Error::DeviceLost { .. })));
    drop(card);
    // Opened again, it is there with what it held.
    let mut card = served.open();
    let mut back = [0; 300];
    card.read(64, &mut back).unwrap();
    assert_eq!(back, [7; 300]);
}

fn raw(served: &Served) -> TTYPort {
    let port = serialport::new(&served.url.path, served.url.baud);
    port.timeout(Duration::from_secs(20)).open_native().unwrap()
}

/// A host dies in the middle of a request, or with answers unread; the next one is not harmed.
#[test]
fn a_host_that_dies_leaves_a_usable_card() {
    let served = Served::new(Undisturbed, 1.0);
    let mut rng = StdRng::seed_from_u64(5);
    let data = bytes(&mut rng, 600);
    served.open().write(64, &data).unwrap();
    for cut in [1usize, 2, 8, 9, 40, 268] {
        let mut port = raw(&served);
        // A write that would destroy the data, cut short; and reads nobody waits for.
        let mut frame = vec![0xa5, 0, 3, 0, 1, 64, 0, 0, 0];
        frame.extend([0xee; 260]);
        port.write_all(&frame[..cut]).unwrap();
        drop(port);
        let mut card = served.open();
        let mut back = vec![0; 600];
        card.read(64, &mut back).unwrap();
        assert_eq!(back, data, "cut after {cut} bytes");
    }
    // Dead with a window of reads under way.
    let mut card = served.open();
    let before = card.read32(CYCLES_LO.address()).unwrap();
    drop(card);
    let mut port = raw(&served);
    port.write_all(&[0xff; 300]).unwrap();
    let hello = [0xa5, 9, 4, 0, 0, 1, 2, 3, 4];
    let mut request = hello.to_vec();
    request.extend(mattock_spec::serial::crc32(&hello[1..]).to_le_bytes());
    port.write_all(&request).unwrap();
    for seq in 10..20 {
        let read = [0xa5, seq, 2, 0, 1, 0, 1, 0, 0];
        let mut frame = read.to_vec();
        frame.extend(mattock_spec::serial::crc32(&read[1..]).to_le_bytes());
        port.write_all(&frame).unwrap();
    }
    let mut some = [0; 8];
    port.read_exact(&mut some).unwrap();
    drop(port);
    let mut card = served.open();
    let after = card.read32(CYCLES_LO.address()).unwrap();
    assert!(after > before);
    let mut back = vec![0; 600];
    card.read(64, &mut back).unwrap();
    assert_eq!(back, data);
}

#[test]
fn what_is_no_card_is_told() {
    let error = |url: &str| Uart::open(&url.parse().unwrap()).map(drop).unwrap_err();
    assert!(matches!(error("uart:/dev/no-such-tty"), Error::NotFound { .. }));
    // A terminal where nobody answers, and one that echoes.
    let (mut terminal, other) = TTYPort::pair().unwrap();
    let url = format!("uart:{}?baud=3000000", other.name().unwrap());
    let silent = error(&url);
    let Error::Link { source, .. } = &silent else { panic!("{silent}") };
    assert!(
        matches!(source.downcast_ref(), Some(LinkError::Silent { received: 0, .. })),
        "{silent}"
    );
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let echo = std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while !stopped.load(Ordering::Relaxed) {
            if let Ok(n) = terminal.read(&mut buffer) {
                terminal.write_all(&buffer[..n]).unwrap();
            }
        }
    });
    let echoed = error(&url);
    let Error::Link { source, .. } = &echoed else { panic!("{echoed}") };
    assert!(
        matches!(source.downcast_ref(), Some(LinkError::Silent { received: 1.., .. })),
        "{echoed}"
    );
    stop.store(true, Ordering::Relaxed);
    echo.join().unwrap();
}
