//! Random commands with random faults: whatever goes wrong, a call ends with the right result or with an error that says
//! what happened, and the card goes on.

use crate::reference;
use crate::sim::{Direction, FaultyCard, Hit, OpenError, Response, SimOptions};
use mattock::sparse::{SpgemmOptions, Triplets};
use mattock::{Context, ContextOptions, Csr, Error, GemmOptions, View, ViewMut};
use mattock_spec::{CardConfig, ErrorCode};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// Many times what the slowest of these calls takes in simulation, on a busy machine.
pub const HANG: Duration = Duration::from_secs(60);

/// What is made to go wrong with one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    None,
    /// A burst is answered with an error.
    Bus,
    /// The bus stands still for a while; the card's time may run out meanwhile.
    Stall,
    /// The bus stands still for good.
    Hang,
    /// The card leaves the bus.
    Gone,
    /// Interrupts get lost.
    Deaf,
    /// Less time than the command needs, or hardly enough.
    Hurry,
    /// Somebody resets the card under the command.
    Reset,
    /// An entry of the card's ring is damaged in memory.
    Entry,
}

impl Fault {
    /// Names and weights; together 1000.
    const TABLE: [(Fault, &'static str, u32); 9] = [
        (Fault::None, "none", 250),
        (Fault::Bus, "bus error on one burst", 300),
        (Fault::Stall, "bus stands still for a while", 80),
        (Fault::Hang, "bus stands still for good", 2),
        (Fault::Gone, "card leaves the bus", 100),
        (Fault::Deaf, "interrupt lost", 80),
        (Fault::Hurry, "too little time", 88),
        (Fault::Reset, "reset under the command", 50),
        (Fault::Entry, "damaged ring entry", 50),
    ];

    fn random(rng: &mut StdRng, rings: bool) -> Fault {
        let mut left = rng.random_range(0..1000);
        for (fault, _, weight) in Fault::TABLE {
            if left < weight {
                return if fault == Fault::Entry && !rings { Fault::Bus } else { fault };
            }
            left -= weight;
        }
        Fault::None
    }

    fn name(self) -> &'static str {
        Fault::TABLE.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }
}

/// What a run has counted.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Commands given.
    pub commands: u64,
    /// Right results.
    pub right: u64,
    /// By fault: commands with it, and those that ended with an error.
    pub faults: BTreeMap<&'static str, [u64; 2]>,
    /// Errors by kind.
    pub errors: BTreeMap<String, u64>,
    /// Resets by the caller.
    pub resets: u64,
    /// Wrong results.
    pub wrong: u64,
    /// Errors that do not say what went wrong, and calls that succeeded where they could not.
    pub unexpected: Vec<String>,
    /// Calls that did not end within [`HANG`].
    pub hangs: u64,
    /// The longest call.
    pub longest: Duration,
}

impl Report {
    /// Whether nothing was lost, wrong or untold.
    pub fn is_good(&self) -> bool {
        self.wrong + self.hangs == 0 && self.unexpected.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { commands, right, resets, wrong, hangs, longest, .. } = self;
        writeln!(f, "{commands} commands: {right} right results, {wrong} wrong, {hangs} hangs")?;
        for (fault, [given, ended]) in &self.faults {
            writeln!(f, "  fault: {fault}: {given} commands, {ended} ended with an error")?;
        }
        for (error, count) in &self.errors {
            writeln!(f, "  error: {error}: {count}")?;
        }
        writeln!(f, "  {resets} resets, longest call {:.1} s", longest.as_secs_f64())?;
        for what in &self.unexpected {
            writeln!(f, "  UNEXPECTED: {what}")?;
        }
        Ok(())
    }
}

/// Gives a simulated card `commands` random commands. The same seed gives the same commands and faults.
///
/// A call that never ends never ends here either; whoever runs this limits its time.
///
/// # Errors
/// [`OpenError`] when the card cannot be opened, or cannot be reset after a fault has ended.
pub fn soak(
    config: &CardConfig,
    options: &SimOptions,
    commands: u64,
    seed: u64,
    mut progress: impl FnMut(u64),
) -> Result<Report, OpenError> {
    let card = FaultyCard::open(config, options)?;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut report = Report::default();
    for number in 0..commands {
        let fault = Fault::random(&mut rng, card.device.capabilities().controller.is_some());
        let work = Work::random(&mut rng, config.gemm.is_some(), config.spgemm.is_some());
        let timeout = arm(&card, fault, &mut rng);
        let context =
            card.device.context(ContextOptions { timeout, ..ContextOptions::default() })?;
        let start = Instant::now();
        let outcome = work.run(&context, fault == Fault::Reset);
        report.longest = report.longest.max(start.elapsed());
        report.hangs += u64::from(start.elapsed() > HANG);
        let gone = card.link.is_gone();
        card.link.end();
        let hits = card.bus.end();
        report.commands += 1;
        let count = report.faults.entry(fault.name()).or_default();
        count[0] += 1;
        count[1] += u64::from(outcome.is_err());
        match &outcome {
            Ok(true) => report.right += 1,
            Ok(false) => report.wrong += 1,
            Err(error) => *report.errors.entry(kind(error)).or_default() += 1,
        }
        if !expected(fault, gone, &hits, outcome.as_ref().err()) || context.memory_held() != 0 {
            let held = context.memory_held();
            let what = outcome.map_or_else(|e| e.to_string(), |right| format!("right: {right}"));
            report.unexpected.push(format!(
                "command {number}, {work:?}, {fault:?}, gone {gone}, hits {hits:?}: {what}; {held} bytes held"
            ));
        } else if outcome.is_err() && (gone || fault == Fault::Hang || rng.random()) {
            // After any other error the card is usable as it is.
            card.device.reset()?;
            report.resets += 1;
        }
        progress(report.commands);
    }
    Ok(report)
}

/// Prepares a fault; the time the command may take.
fn arm(card: &FaultyCard, fault: Fault, rng: &mut StdRng) -> Option<Duration> {
    let micros = Duration::from_micros;
    match fault {
        Fault::None | Fault::Reset => {}
        Fault::Bus => {
            let direction = if rng.random() { Direction::Read } else { Direction::Write };
            let response = if rng.random() { Response::SlaveError } else { Response::DecodeError };
            card.bus.arm(direction, rng.random_range(0..40), response);
        }
        Fault::Stall => {
            card.bus.hang(rng.random_range(1..20_000));
            return Some(micros(100));
        }
        Fault::Hang => {
            card.bus.hang(u64::MAX);
            return Some(micros(100));
        }
        Fault::Gone => card.link.leave_after(rng.random_range(0..60)),
        Fault::Deaf => card.link.lose_interrupts(true),
        Fault::Hurry => return Some(micros(rng.random_range(1..20))),
        Fault::Entry => {
            // A byte whose damage cannot go unnoticed: opcode, reserved, length.
            let byte = [0, 1, 4, 5, 6, 32, 63][rng.random_range(0..7)];
            card.link.damage_entry(byte, 0x80);
        }
    }
    None
}

/// Whether a call may end like this.
fn expected(fault: Fault, gone: bool, hits: &[Hit], error: Option<&Error>) -> bool {
    let Some(error) = error else { return hits.is_empty() && fault != Fault::Hang };
    match (fault, error) {
        (Fault::Bus, Error::DeviceFault { code, info }) => hits.iter().any(|hit| {
            let expected = match (hit.direction, hit.response) {
                (Direction::Read, Response::SlaveError) => ErrorCode::ReadSlaveError,
                (Direction::Read, _) => ErrorCode::ReadDecodeError,
                (Direction::Write, Response::SlaveError) => ErrorCode::WriteSlaveError,
                (Direction::Write, _) => ErrorCode::WriteDecodeError,
            };
            *code == expected && *info == hit.address as u32
        }),
        // An entry that cannot be read, a record that cannot be written.
        (Fault::Bus, Error::Controller { .. }) => !hits.is_empty(),
        (Fault::Stall | Fault::Hurry, Error::Timeout { .. }) => true,
        (Fault::Hang, Error::Timeout { .. } | Error::DeviceLost { .. }) => true,
        (Fault::Gone, Error::DeviceLost { .. }) => gone,
        (Fault::Reset, Error::DeviceFault { code: ErrorCode::Aborted, .. }) => true,
        (Fault::Entry, Error::DeviceFault { code, .. }) => {
            [ErrorCode::BadOpcode, ErrorCode::BadLength, ErrorCode::ReservedBits].contains(code)
        }
        _ => false,
    }
}

fn kind(error: &Error) -> String {
    match error {
        Error::DeviceFault { code, .. } => format!("DeviceFault {}", code.name()),
        other => format!("{other:?}").split([' ', '(', '{']).next().unwrap_or_default().to_owned(),
    }
}

/// A command, with its operands.
enum Work {
    Gemm { dims: [usize; 3], a: Vec<i8>, b: Vec<i8> },
    Spgemm { a: Csr<i32>, b: Csr<i32> },
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::Gemm { dims, .. } => write!(f, "gemm {dims:?}"),
            Work::Spgemm { a, b } => write!(f, "spgemm of {} and {} entries", a.nnz(), b.nnz()),
        }
    }
}

impl Work {
    fn random(rng: &mut StdRng, dense: bool, sparse: bool) -> Work {
        let dims = [0; 3].map(|_| rng.random_range(1..=24usize));
        let [m, n, k] = dims;
        if !sparse || (dense && rng.random()) {
            let mut values = |len| (0..len).map(|_| rng.random()).collect();
            return Work::Gemm { dims, a: values(m * k), b: values(k * n) };
        }
        let mut matrix = |rows: usize, cols: usize| {
            let mut triplets = Triplets::new();
            for _ in 0..rng.random_range(0..=3 * rows) {
                let at = [rows, cols].map(|most| rng.random_range(0..most as u32));
                triplets.push(at[0], at[1], rng.random_range(-99..99));
            }
            triplets.into_csr(rows, cols, |a, b| a + b).unwrap_or_else(|e| panic!("{e}"))
        };
        Work::Spgemm { a: matrix(m, k), b: matrix(k, n) }
    }

    /// Runs the command; whether its result is right.
    fn run(&self, card: &Context, reset: bool) -> Result<bool, Error> {
        match self {
            Work::Gemm { dims: [m, n, k], a, b } => {
                let mut c = vec![-1i32; m * n];
                let (va, vb) = (View::<i8>::rows(a, *m, *k)?, View::<i8>::rows(b, *k, *n)?);
                let to = ViewMut::<i32>::rows(&mut c, *m, *n)?;
                let event = card.gemm(&GemmOptions::default(), 1, va, vb, 0, to)?;
                if reset {
                    card.device().reset()?;
                }
                event.wait()?;
                let sum = |at: usize| -> i32 {
                    let (row, col) = (at / n, at % n);
                    (0..*k).map(|i| i32::from(a[row * k + i]) * i32::from(b[i * n + col])).sum()
                };
                Ok(c.iter().enumerate().all(|(at, got)| *got == sum(at)))
            }
            Work::Spgemm { a, b } => {
                let (c, _) = card.spgemm(a, b, &SpgemmOptions::default())?;
                Ok(reference::spgemm(a, b).is_ok_and(|expected| c == expected))
            }
        }
    }
}
