//! A look at everything between this process and a right result, piece by piece.

use crate::card::{Failure, Job, Step as CardStep};
use crate::sparse::SpgemmOptions;
use crate::transport::{Limit, Waited};
use crate::{Context, ContextOptions, Csr, Device, Error, GemmOptions, GemmStats, View, ViewMut};
use mattock_spec::Format;
use mattock_spec::command::{Command, GemmCommand};
use mattock_spec::regs::card::{CYCLES_LO, ID, IRQ_STATUS, MAGIC, SCRATCH};
use mattock_spec::regs::{self, ErrorCode, Reg, ValueType, queue};
use std::time::{Duration, Instant};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfCheck {
    /// What.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// How long it took.
    pub time: Duration,
}

/// How a check went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well, with what was seen.
    Passed(String),
    /// It makes no sense on this card, and why.
    Skipped(String),
    /// Badly, with what was seen.
    Failed(String),
}

/// A check's result: what was seen, or why there is nothing to see.
type Seen = Result<Result<String, String>, Error>;

/// One check.
type Step = fn(&Context) -> Seen;

/// Cycles that no command of these checks takes.
const CYCLES: u64 = 1_000_000;

/// Words that show lines which are stuck or crossed.
const WORDS: [u32; 6] = [0, u32::MAX, 0xaaaa_aaaa, 0x5555_5555, 0x0123_4567, 0xfedc_ba98];
/// Rows of the matrix that is copied: more than a page of operands and several of results.
const ROWS: usize = 320;
const COLS: usize = 16;

impl Device {
    /// Checks the card and the way to it, in this order: identity, registers, clock, DMA patterns, interrupt, a dense
    /// and a sparse product, a transfer that must fail, reset. `tell` hears of each as it ends.
    ///
    /// A check that fails does not end the test, but a card that is lost does.
    pub fn selftest(&self, mut tell: impl FnMut(&SelfCheck)) -> Vec<SelfCheck> {
        let steps: [(&'static str, Step); 9] = [
            ("identity", identity),
            ("registers", registers),
            ("clock", clock),
            ("dma", dma),
            ("interrupt", interrupt),
            ("gemm", gemm),
            ("spgemm", spgemm),
            ("unmapped memory", unmapped),
            ("reset", reset),
        ];
        let mut checks = vec![];
        for (name, step) in steps {
            let start = Instant::now();
            let seen = self.context(ContextOptions::default()).and_then(|card| step(&card));
            let lost = matches!(seen, Err(Error::DeviceLost { .. } | Error::Link { .. }));
            let outcome = match seen {
                Ok(Ok(seen)) => Outcome::Passed(seen),
                Ok(Err(why)) => Outcome::Skipped(why),
                Err(error) => Outcome::Failed(error.to_string()),
            };
            let check = SelfCheck { name, outcome, time: start.elapsed() };
            tell(&check);
            checks.push(check);
            if lost {
                break;
            }
        }
        checks
    }
}

fn wrong(what: String) -> Error {
    Error::BadResult { what }
}

fn identity(card: &Context) -> Seen {
    let got = card.device().transport().read32(ID.address())?;
    if got != MAGIC {
        return Err(Error::IdMismatch { got, want: MAGIC });
    }
    let digest = card.capabilities().digest;
    Ok(Ok(format!("a card of ours, configuration {digest:016x}")))
}

fn registers(card: &Context) -> Seen {
    let at = SCRATCH.address();
    let walking = (0..32).map(|bit| 1 << bit);
    let mut count = 0;
    for word in WORDS.into_iter().chain(walking) {
        card.device().transport().write32(at, word)?;
        let got = card.device().transport().read32(at)?;
        if got != word {
            return Err(wrong(format!("SCRATCH gave {got:#010x} where {word:#010x} was written")));
        }
        count += 1;
    }
    card.device().transport().write32(at, 0)?;
    Ok(Ok(format!("{count} words written and read")))
}

fn clock(card: &Context) -> Seen {
    let before = card.device().transport().read32(CYCLES_LO.address())?;
    let after = card.device().transport().read32(CYCLES_LO.address())?;
    if before == after {
        return Err(wrong(format!("CYCLES stands still at {before}")));
    }
    Ok(Ok(format!("{} cycles between two reads", after.wrapping_sub(before))))
}

/// The dense types that every byte pattern can be made of.
fn has_bytes(card: &Context) -> bool {
    let (a, d) = (Format::int(8), Format::I32);
    card.capabilities().gemm.is_some_and(|caps| caps.tuples.position(a, a, d).is_some())
}

fn has_words(card: &Context) -> bool {
    card.capabilities().spgemm.is_some_and(|caps| caps.has(ValueType::I32))
}

/// Copies patterns through an engine: A times the identity.
fn dma(card: &Context) -> Seen {
    let mut ways = vec![];
    if has_bytes(card) {
        let mut random = 1u32;
        let mut bytes = 0;
        for pattern in 0..4 {
            let byte = |i: usize| match pattern {
                0 => 0xff,
                1 => [0xaa, 0x55][i % 2],
                2 => (i ^ i >> 8) as u8,
                _ => {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (random >> 24) as u8
                }
            };
            let a: Vec<i8> = (0..ROWS * COLS).map(byte).map(|byte| byte as i8).collect();
            copy_dense(card, &a)?;
            bytes += a.len() + 4 * a.len();
        }
        ways.push(format!("{bytes} bytes by the dense engine"));
    }
    if has_words(card) {
        let rows = 1100;
        let values: Vec<i32> =
            (0..rows).map(|i| WORDS[i % WORDS.len()].rotate_left(i as u32 / 6) as i32).collect();
        let columns = (0..rows as u32).map(|i| i % COLS as u32).collect();
        let a = Csr::new(rows, COLS, (0..=rows as u64).collect(), columns, values)?;
        let (c, _) = card.spgemm(&a, &unit()?, &SpgemmOptions::default())?;
        if c != a {
            return Err(wrong("a sparse matrix times the identity is another one".into()));
        }
        ways.push(format!("{} bytes by the sparse engine", 2 * (12 * rows + 4)));
    }
    Ok(if ways.is_empty() { Err("it has no integer types".into()) } else { Ok(ways.join(", ")) })
}

fn unit() -> Result<Csr<i32>, Error> {
    let n = COLS as u64;
    Ok(Csr::new(COLS, COLS, (0..=n).collect(), (0..n as u32).collect(), vec![1; COLS])?)
}

fn copy_dense(card: &Context, a: &[i8]) -> Result<(), Error> {
    let mut unit = vec![0i8; COLS * COLS];
    unit.iter_mut().step_by(COLS + 1).for_each(|one| *one = 1);
    let (d, _) = multiply(card, [a.len() / COLS, COLS, COLS], a, &unit)?;
    match a.iter().zip(&d).position(|(a, d)| i32::from(*a) != *d) {
        None if d.len() == a.len() => Ok(()),
        None => Err(wrong(format!("{} elements where {} were asked", d.len(), a.len()))),
        Some(i) => {
            let what = format!("element {i} came back as {:#x} where {:#x} was sent", d[i], a[i]);
            Err(wrong(what))
        }
    }
}

/// The product of matrices that fill their slices row after row.
fn multiply(
    card: &Context,
    [m, n, k]: [usize; 3],
    a: &[i8],
    b: &[i8],
) -> Result<(Vec<i32>, GemmStats), Error> {
    let (a, b) = (View::<i8>::rows(a, m, k)?, View::<i8>::rows(b, k, n)?);
    let mut d = vec![0; m * n];
    let to = ViewMut::<i32>::rows(&mut d, m, n)?;
    let stats = card.gemm(&GemmOptions::default(), 1, a, b, 0, to)?.wait()?;
    Ok((d, stats))
}

/// Runs the engine whose command lies in its registers, and waits; whether the interrupt came, and the error code.
fn start(card: &Context, start: Reg, status: Reg) -> Result<(Waited, ErrorCode), Error> {
    let device = card.device();
    let mut transport = device.transport();
    let both = IRQ_STATUS::GEMM_DONE.mask() | IRQ_STATUS::SPGEMM_DONE.mask();
    transport.write32(IRQ_STATUS.address(), both)?;
    // An interrupt of an earlier command may have been left on the way, its end seen in a register.
    transport.wait(Limit { cycles: 0, time: Duration::ZERO })?;
    transport.write32(start.address(), regs::gemm::START::GO.put(1))?;
    let limit = Limit { cycles: CYCLES, time: Duration::from_secs(1) };
    let mut waited = transport.wait(limit)?;
    let mut word = transport.read32(status.address())?;
    if regs::gemm::STATUS::DONE.get(word) == 0 && waited == Waited::Interrupt {
        waited = transport.wait(limit)?;
        word = transport.read32(status.address())?;
    }
    transport.write32(IRQ_STATUS.address(), both)?;
    // Both engines lay out STATUS alike.
    if regs::gemm::STATUS::DONE.get(word) == 0 {
        return Err(wrong(format!("a command did not end; STATUS is {word:#010x}")));
    }
    let code = ErrorCode::from_u8(regs::gemm::STATUS::ERROR.get(word) as u8);
    Ok((waited, code.unwrap_or(ErrorCode::Internal)))
}

/// An empty product of each engine: nothing but a start and an interrupt.
fn interrupt(card: &Context) -> Seen {
    let begin = Instant::now();
    let caps = card.capabilities();
    if caps.controller.is_some() {
        return ring_interrupt(card);
    }
    let (dense, sparse) = (caps.gemm.is_some(), caps.spgemm.is_some());
    let mut engines = vec![];
    if dense {
        let compute = regs::gemm::MODE::COMPUTE.put(1);
        card.device().transport().write32(regs::gemm::MODE.address(), compute)?;
        card.device().transport().write32(regs::gemm::M.address(), 0)?;
        engines.push(start(card, regs::gemm::START, regs::gemm::STATUS)?);
    }
    if sparse {
        card.device().transport().write32(regs::spgemm::ROWS.address(), 0)?;
        engines.push(start(card, regs::spgemm::START, regs::spgemm::STATUS)?);
    }
    if engines.iter().any(|(waited, _)| *waited == Waited::Expired) {
        return Err(wrong("a command ended and no interrupt came".into()));
    }
    Ok(Ok(format!("{} commands with their interrupts in {:.1?}", engines.len(), begin.elapsed())))
}

/// The interrupt of a record; the engines of such a card obey its own processor.
fn ring_interrupt(card: &Context) -> Seen {
    let begin = Instant::now();
    let shared = &card.inner.shared;
    let mut locked = shared.lock();
    let limit = locked.limit(CYCLES, None);
    // An interrupt of an earlier command may have been left on the way.
    let cause = queue::IRQ_STATUS::CAUSE.put(1);
    locked.transport().write32(queue::IRQ_STATUS.address(), cause)?;
    locked.transport().wait(Limit { cycles: 0, time: Duration::ZERO })?;
    let steps = [CardStep { command: Command::Nop, limit }].into();
    let id = locked.submit(Job { op: "selftest", steps, touches: vec![] });
    let waited = locked.transport().wait(limit)?;
    drop(locked);
    if let Some(Err(failure)) = shared.finish(id, None) {
        return Err(failure.into());
    }
    if waited == Waited::Expired {
        return Err(wrong("a command ended and no interrupt came".into()));
    }
    Ok(Ok(format!("an empty command with its interrupt in {:.1?}", begin.elapsed())))
}

fn gemm(card: &Context) -> Seen {
    let Some(caps) = card.capabilities().gemm else { return Ok(Err("no GEMM engine".into())) };
    if !has_bytes(card) {
        return Ok(Err("no i8,i8,i32".into()));
    }
    // Nothing divides anything: the edges of tiles are where mistakes are.
    let (m, n, k) = (2 * caps.rows as usize + 1, caps.cols as usize + 3, 29);
    let element = |i: usize| ((i * 73 + i / 7 * 31) % 251) as u8 as i8;
    let a: Vec<i8> = (0..m * k).map(element).collect();
    let b: Vec<i8> = (0..k * n).map(|i| element(i + 5)).collect();
    let (d, stats) = multiply(card, [m, n, k], &a, &b)?;
    for (at, got) in d.iter().enumerate() {
        let (row, col) = (at / n, at % n);
        let products = (0..k).map(|i| i32::from(a[row * k + i]) * i32::from(b[i * n + col]));
        let want: i32 = products.sum();
        if want != *got {
            return Err(wrong(format!("D[{row}][{col}] is {got}, it should be {want}")));
        }
    }
    Ok(Ok(format!("{m} x {n} x {k}, {} cycles", stats.cycles)))
}

fn spgemm(card: &Context) -> Seen {
    if card.capabilities().spgemm.is_none() {
        return Ok(Err("no SpGEMM engine".into()));
    }
    if !has_words(card) {
        return Ok(Err("no i32".into()));
    }
    // Rows of different lengths, none of them in step.
    let n = 48;
    let columns =
        |row: usize| (0..n as u32).filter(move |col| (row * 7 + *col as usize * 5) % 11 < row % 4);
    let mut row_ptr = vec![0u64];
    let mut col_idx = vec![];
    for row in 0..n {
        col_idx.extend(columns(row));
        row_ptr.push(col_idx.len() as u64);
    }
    let values: Vec<i32> = (0..col_idx.len() as i32).map(|i| i % 19 - 9).collect();
    let a = Csr::new(n, n, row_ptr, col_idx, values)?;
    let (c, stats) = card.spgemm(&a, &a, &SpgemmOptions::default())?;
    let mut dense = vec![None; n * n];
    let entries = |row: usize| {
        let range = a.row_ptr()[row] as usize..a.row_ptr()[row + 1] as usize;
        range.map(|i| (a.col_idx()[i] as usize, a.values()[i]))
    };
    for row in 0..n {
        for (inner, left) in entries(row) {
            for (col, right) in entries(inner) {
                let sum = dense[row * n + col].get_or_insert(0i32);
                *sum += left * right;
            }
        }
    }
    let want: Vec<i32> = dense.into_iter().flatten().collect();
    if c.values() != want {
        return Err(wrong(format!("{} entries, not the {} there should be", c.nnz(), want.len())));
    }
    Ok(Ok(format!("{n} x {n}, {} entries, {} cycles", c.nnz(), stats.cycles)))
}

/// Memory that was the card's and is no more: reading it must end the command with an error, and nothing else.
fn unmapped(card: &Context) -> Seen {
    const PIECE: u64 = 4 << 20;
    let Some(caps) = card.capabilities().gemm else { return Ok(Err("no GEMM engine".into())) };
    if !has_bytes(card) {
        return Ok(Err("no i8,i8,i32".into()));
    }
    let allocated = card.device().transport().alloc(PIECE);
    let piece = match allocated {
        Ok(piece) => piece,
        Err(Error::OutOfMemory { .. } | Error::MemlockLimit { .. }) => {
            return Ok(Err(format!("there are no {PIECE} bytes to map and unmap")));
        }
        Err(error) => return Err(error),
    };
    let address = piece + PIECE - 4096;
    let load = |card: &Context| {
        let command = GemmCommand {
            load_a: true,
            m: caps.rows,
            n: caps.cols,
            k: 16,
            a: address,
            a_stride: caps.align.next_multiple_of(16),
            ..GemmCommand::default()
        };
        let shared = &card.inner.shared;
        let mut locked = shared.lock();
        let limit = locked.limit(CYCLES, None);
        let step = CardStep { command: Command::Gemm(command), limit };
        let id = locked.submit(Job { op: "selftest", steps: [step].into(), touches: vec![] });
        drop(locked);
        match shared.finish(id, None) {
            Some(Err(Failure::Fault(completion))) => Ok(completion.code),
            Some(Err(Failure::Error(error))) => Err(error),
            Some(Ok(_)) | None => Ok(ErrorCode::None),
        }
    };
    let mapped = load(card);
    card.device().transport().free(piece);
    let mapped = mapped?;
    card.device().transport().trim()?;
    if card.device().transport().read(address, &mut [0]).is_ok() {
        return Ok(Err("memory of this card is not unmapped".into()));
    }
    let code = load(card)?;
    match (mapped, code) {
        (ErrorCode::None, ErrorCode::ReadDecodeError | ErrorCode::ReadSlaveError) => {}
        (before, after) => {
            let (before, after) = (before.name(), after.name());
            return Err(wrong(format!("{before} while it was mapped and {after} afterwards")));
        }
    }
    copy_dense(card, &[3; COLS])?;
    Ok(Ok(format!("{} after unmapping, and usable again", code.name())))
}

fn reset(card: &Context) -> Seen {
    let at = SCRATCH.address();
    card.device().reset()?;
    card.device().transport().write32(at, 0x5afe_5afe)?;
    if !card.device().reset_device()? {
        return Ok(Ok("engines reset; this way to the card cannot reset the whole".into()));
    }
    let left = card.device().transport().read32(at)?;
    if left != 0 {
        return Err(wrong(format!("SCRATCH is still {left:#010x} after a reset of the card")));
    }
    identity(card)?.map_err(wrong)?;
    if has_bytes(card) {
        copy_dense(card, &[2; COLS])?;
    }
    Ok(Ok("engines, then the whole card; usable afterwards".into()))
}
