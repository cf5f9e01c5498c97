//! Whatever goes wrong around a card: a call ends in time with an error that says what, nothing it returns is wrong, and
//! the card works afterwards.

use mattock::sparse::SpgemmOptions;
use mattock::{Context, ContextOptions, Csr, Device, Error, GemmOptions, View, ViewMut};
use mattock_spec::config::{Control, MemoryConfig};
use mattock_spec::{CardConfig, ErrorCode};
use mattock_testbench::reference;
use mattock_testbench::serve::Served;
use mattock_testbench::sim::{Direction, FaultyCard, Response, SimOptions, SimulatorKind};
use mattock_testbench::soak::soak;
use std::io::Write;
use std::time::{Duration, Instant};

const WAYS: [Direction; 2] = [Direction::Read, Direction::Write];
const ERRORS: [Response; 2] = [Response::SlaveError, Response::DecodeError];

/// Both engines, command logic in the driver.
fn small() -> CardConfig {
    CardConfig::reference("small").unwrap()
}

/// The smallest array with a processor of its own.
fn ringed() -> CardConfig {
    let tiny = CardConfig::reference("tiny").unwrap().on_axi();
    let memory = MemoryConfig { address_bits: 40, ..tiny.memory };
    CardConfig { control: Control::Riscv, name: "tiny_riscv".into(), memory, ..tiny }
}

fn options() -> SimOptions {
    let cache = concat!(env!("CARGO_TARGET_TMPDIR"), "/verilated");
    SimOptions::new(SimulatorKind::Verilator, cache)
}

fn open(config: &CardConfig) -> FaultyCard {
    FaultyCard::open(config, &options()).unwrap_or_else(|e| panic!("{e}"))
}

fn context(device: &Device, timeout: Option<Duration>) -> Context {
    device.context(ContextOptions { timeout, ..ContextOptions::default() }).unwrap()
}

/// A product of matrices of n x n; a wrong result fails the test.
fn dense(card: &Context, n: usize) -> Result<u64, Error> {
    let a: Vec<i8> = (0..n * n).map(|i| (i * 37 % 251) as u8 as i8).collect();
    let view = View::<i8>::rows(&a, n, n)?;
    let mut d = vec![-1; n * n];
    let to = ViewMut::<i32>::rows(&mut d, n, n)?;
    let stats = card.gemm(&GemmOptions::default(), 1, view, view, 0, to)?.wait()?;
    for (at, got) in d.iter().enumerate() {
        let (row, col) = (at / n, at % n);
        let products = (0..n).map(|i| i32::from(a[row * n + i]) * i32::from(a[i * n + col]));
        assert_eq!(*got, products.sum::<i32>(), "at {row},{col}");
    }
    assert_eq!(stats.macs, (n * n * n) as u64);
    Ok(stats.cycles)
}

fn sparse(card: &Context) -> Result<u64, Error> {
    let columns = (0..30u32).flat_map(|r| (0..3).map(move |i| (r % 10) + 10 * i)).collect();
    let row_ptr = (0..=30).map(|r| 3 * r).collect();
    let a = Csr::new(30, 30, row_ptr, columns, (0..90).map(|v| v - 45).collect()).unwrap();
    let (c, stats) = card.spgemm(&a, &a, &SpgemmOptions::default())?;
    assert_eq!(c, reference::spgemm(&a, &a).unwrap());
    Ok(stats.cycles)
}

type Call = fn(&Context) -> Result<u64, Error>;
const DENSE: Call = |card| dense(card, 12);

fn code(way: Direction, response: Response) -> ErrorCode {
    match (way, response) {
        (Direction::Read, Response::SlaveError) => ErrorCode::ReadSlaveError,
        (Direction::Read, _) => ErrorCode::ReadDecodeError,
        (Direction::Write, Response::SlaveError) => ErrorCode::WriteSlaveError,
        (Direction::Write, _) => ErrorCode::WriteDecodeError,
    }
}

/// Every burst of a command answered with either error: the code and the very address are told, and the next call is
/// right, with a reset in between or without.
fn every_burst(call: Call) -> usize {
    let card = open(&small());
    let context = context(&card.device, None);
    let mut failed = 0;
    for way in WAYS {
        let before = card.bus.bursts(way);
        call(&context).unwrap();
        let bursts = card.bus.bursts(way) - before;
        assert!(bursts > 3, "{bursts}");
        for nth in 0..bursts {
            for response in ERRORS {
                card.bus.arm(way, nth, response);
                let error = call(&context).unwrap_err();
                let [hit] = card.bus.end()[..] else { panic!("{way:?} {nth}") };
                let Error::DeviceFault { code: told, info } = error else { panic!("{error}") };
                assert_eq!((told, info), (code(way, response), hit.address as u32));
                failed += 1;
            }
            if nth % 2 == 0 {
                card.device.reset().unwrap();
            }
            call(&context).unwrap();
        }
    }
    failed
}

#[test]
fn an_error_on_any_burst_of_a_dense_command() {
    println!("{} bursts answered with errors", every_burst(DENSE));
}

#[test]
fn an_error_on_any_burst_of_a_sparse_command() {
    println!("{} bursts answered with errors", every_burst(sparse));
}

/// Entries, parameter blocks, operands, results and records of a card with rings.
#[test]
fn an_error_on_any_burst_of_a_command_in_a_ring() {
    let card = open(&ringed());
    let context = context(&card.device, None);
    let mut kinds = [0; 2];
    for way in WAYS {
        let before = card.bus.bursts(way);
        DENSE(&context).unwrap();
        for nth in 0..card.bus.bursts(way) - before {
            let response = ERRORS[nth as usize % 2];
            card.bus.arm(way, nth, response);
            let error = DENSE(&context).unwrap_err();
            let [hit] = card.bus.end()[..] else { panic!("{way:?} {nth}") };
            match error {
                Error::DeviceFault { code: told, info } => {
                    assert_eq!((told, info), (code(way, response), hit.address as u32));
                    kinds[0] += 1;
                }
                // Without its entry or its record no command has an end: the rings close.
                Error::Controller { what, .. } => {
                    assert!(what.contains(code(way, response).meaning()), "{what}");
                    kinds[1] += 1;
                }
                other => panic!("{other}"),
            }
            DENSE(&context).unwrap();
        }
    }
    println!("{} commands with an error, {} closed rings", kinds[0], kinds[1]);
    assert!(kinds[0] > 10 && kinds[1] >= 2, "{kinds:?}");
}

/// The card leaves the bus before any access of a call: registers are all ones.
fn gone(config: &CardConfig, call: Call) {
    let card = open(config);
    let context = context(&card.device, None);
    let before = card.link.accesses();
    call(&context).unwrap();
    let accesses = card.link.accesses() - before;
    for left in 0..accesses {
        let start = Instant::now();
        card.link.leave_after(left);
        let before = card.link.accesses();
        match call(&context) {
            // Its record was in memory when it left, so result and counters were too.
            Ok(_) => assert!(config.control == Control::Riscv && accesses - left <= 2, "{left}"),
            Err(error) => {
                assert!(matches!(error, Error::DeviceLost { .. }), "after {left}: {error}");
            }
        }
        // It is asked a few times more, not again and again: on a real bus each time may take long.
        let asked = card.link.accesses() - before - left;
        assert!(asked < 100, "after {left}: {asked} accesses more");
        assert!(matches!(call(&context), Err(Error::DeviceLost { .. })));
        assert!(matches!(card.device.reset(), Err(Error::DeviceLost { .. })));
        assert!(start.elapsed() < Duration::from_secs(20));
        card.link.end();
        card.device.reset().unwrap();
        call(&context).unwrap();
        assert_eq!(context.memory_held(), 0);
    }
}

#[test]
fn a_card_that_leaves_the_bus() {
    gone(&small(), DENSE);
    gone(&small(), sparse);
}

#[test]
fn a_card_with_rings_that_leaves_the_bus() {
    gone(&ringed(), DENSE);
}

/// Time runs out in each state of a command, from its first cycle to its last store.
#[test]
fn too_little_time() {
    let mut ends = [0; 2];
    for (config, call) in [(small(), DENSE), (small(), sparse as Call), (ringed(), DENSE)] {
        let card = open(&config);
        let whole = call(&context(&card.device, None)).unwrap();
        let khz = u64::from(card.device.capabilities().clock_khz);
        let steps = 24;
        for step in 1..=steps {
            let limit = Duration::from_nanos(whole * 1_000_000 / khz * step / steps + 1000);
            match call(&context(&card.device, Some(limit))) {
                Ok(_) => ends[0] += 1,
                Err(Error::Timeout { after, .. }) if after == limit => ends[1] += 1,
                Err(error) => panic!("after {step} of {steps}: {error}"),
            }
            call(&context(&card.device, None)).unwrap();
        }
    }
    println!("{} in time, {} timeouts", ends[0], ends[1]);
    assert!(ends[1] > 40, "{ends:?}");
}

/// A bus that stands still: for a while, the command's time runs out and the card is reset when the bus moves again;
/// for good, the card cannot be made quiet and is lost, until the bus is back.
#[test]
fn a_bus_that_stands_still() {
    let card = open(&small());
    let limit = Some(Duration::from_micros(50));
    for call in [DENSE, sparse] {
        card.bus.hang(20_000);
        let error = call(&context(&card.device, limit)).unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
        call(&context(&card.device, None)).unwrap();
        let start = Instant::now();
        card.bus.hang(u64::MAX);
        let error = call(&context(&card.device, limit)).unwrap_err();
        assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
        // The engine still waits for the bus.
        let error = call(&context(&card.device, limit)).unwrap_err();
        assert!(matches!(error, Error::DeviceFault { code: ErrorCode::Busy, .. }), "{error}");
        card.bus.end();
        card.device.reset().unwrap();
        call(&context(&card.device, None)).unwrap();
    }
}

#[test]
fn interrupts_that_get_lost() {
    for config in [small(), ringed()] {
        let card = open(&config);
        card.link.lose_interrupts(true);
        for _ in 0..3 {
            DENSE(&context(&card.device, None)).unwrap();
        }
    }
}

/// The other process dies under a command: the call and all after it say so at once.
#[test]
fn surprise_removal() {
    for after in [0, 20, 200] {
        let served = Served::start("small", None);
        let device = Device::open(&served.url()).unwrap();
        let context = context(&device, None);
        dense(&context, 9).unwrap();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(after));
            drop(served);
            Instant::now()
        });
        let error = loop {
            if let Err(error) = dense(&context, 120) {
                break error;
            }
        };
        let died = killer.join().unwrap();
        assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
        assert!(died.elapsed() < Duration::from_secs(5));
        assert!(matches!(dense(&context, 9), Err(Error::DeviceLost { .. })));
        assert!(matches!(device.reset(), Err(Error::DeviceLost { .. })));
    }
}

/// A few hundred commands with random faults; `cargo xtask bench soak` gives 10,000.
#[test]
fn a_short_soak() {
    for (config, commands) in [(small(), 250), (ringed(), 250)] {
        let report = soak(&config, &options(), commands, 1, |_| {}).unwrap();
        let _ = writeln!(std::io::stderr(), "{}: {report}", config.name);
        assert!(report.is_good(), "{report}");
        assert!(report.right > commands / 4 && report.errors.len() > 4, "{report}");
    }
}
