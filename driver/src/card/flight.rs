//! Commands in flight: a queue in the order of submission, of which the engines run one at a time.
//!
//! A submission starts its first command at once when nothing runs. From then on whoever waits, asks or submits moves
//! the queue along, so there is no thread behind the user's back.

use super::Card;
use super::registers::CardRegisters;
use crate::Error;
use crate::dense::GemmStats;
use crate::sparse::SpgemmStats;
use crate::transport::{Limit, Waited};
use mattock_firmware::{Accepted, Running, accept, finish};
use mattock_spec::command::{Command, Completion, Descriptor, Opcode};
use mattock_spec::regs::{ErrorCode, card, gemm, queue, spgemm};
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Interrupts without an end of the command that are put up with.
const SPURIOUS: usize = 16;
/// STATUS reads until a soft reset must be over; each takes longer than a bus transfer.
const RESET_POLLS: usize = 100_000;
/// How long a card is watched that is out of time.
const OVERTIME: Duration = Duration::from_secs(1);
/// A simulated card that is idle goes fewer cycles than this for the accesses to it.
const IDLE_CYCLES: u32 = 100;
/// A clock to reckon with when the card does not tell its own.
const SLOWEST_KHZ: u64 = 10_000;

/// Names a submitted job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct JobId(u64);

/// One command and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) command: Command,
    pub(crate) limit: Limit,
}

/// Commands of one call; a failure ends the job.
#[derive(Debug)]
pub(crate) struct Job {
    /// Name of the call, for messages.
    pub(crate) op: &'static str,
    pub(crate) steps: VecDeque<Step>,
    /// Card memory of buffers, not of staging, that the job reads or writes.
    pub(crate) touches: Vec<Range<u64>>,
}

/// What a job left behind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    /// Entries of C, of a sparse product.
    pub(crate) result: u32,
    pub(crate) gemm: GemmStats,
    pub(crate) spgemm: SpgemmStats,
}

/// Why a job ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The card refused or gave up a command.
    Fault(Completion),
    /// Anything else.
    Error(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::Fault(completion) => fault(&completion),
            Failure::Error(error) => error,
        }
    }
}

#[derive(Default)]
pub(super) struct Queue {
    next: u64,
    cookie: u64,
    waiting: VecDeque<Active>,
    running: Option<(Active, Timed)>,
    ended: HashMap<JobId, Result<Done, Failure>>,
}

struct Active {
    id: JobId,
    job: Job,
    done: Done,
}

/// A command that was handed to the card.
struct Timed {
    taker: Taker,
    command: Command,
    whole: Limit,
    left: Limit,
    spurious: usize,
    /// The card's clock when time was up, and the cycles it has gone since.
    overtime: Option<(u32, u64)>,
}

/// Who knows how a command ends.
#[derive(Clone, Copy)]
enum Taker {
    /// An engine that the command logic here has started.
    Engine(Running),
    /// The record of the card's own command logic.
    Record { cookie: u64, opcode: Opcode },
}

/// What became of a command.
enum Begun {
    Taken(Taker),
    Answered(Completion),
}

impl Card {
    /// Puts a job at the end of the queue, and starts it when nothing runs.
    pub(crate) fn submit(&mut self, job: Job) -> JobId {
        self.queue.next += 1;
        let id = JobId(self.queue.next);
        self.queue.waiting.push_back(Active { id, job, done: Done::default() });
        self.start();
        id
    }

    /// Takes the outcome of a job; `None` while it is in the queue.
    pub(crate) fn take(&mut self, id: JobId) -> Option<Result<Done, Failure>> {
        self.queue.ended.remove(&id)
    }

    /// Whether a job in the queue touches this card memory.
    pub(crate) fn uses(&self, memory: &Range<u64>) -> bool {
        let overlaps = |r: &Range<u64>| r.start < memory.end && memory.start < r.end;
        let running = self.queue.running.iter().map(|(active, _)| active);
        running.chain(&self.queue.waiting).any(|active| active.job.touches.iter().any(overlaps))
    }

    /// Moves the queue along, waiting at most `slice` for the command that runs.
    pub(crate) fn advance(&mut self, slice: Limit) {
        let Some((active, mut timed)) = self.queue.running.take() else { return self.start() };
        match self.watch(active.job.op, &mut timed, slice) {
            Ok(None) => self.queue.running = Some((active, timed)),
            Ok(Some(completion)) => {
                self.step_ended(active, Some(&timed.command), completion);
                self.start();
            }
            Err(error) => {
                self.queue.ended.insert(active.id, Err(Failure::Error(error)));
                self.start();
            }
        }
    }

    /// Starts commands until one runs.
    fn start(&mut self) {
        while self.queue.running.is_none() {
            let Some(mut active) = self.queue.waiting.pop_front() else { return };
            let Some(step) = active.job.steps.pop_front() else {
                self.queue.ended.insert(active.id, Ok(active.done));
                continue;
            };
            match self.begin(&step) {
                Ok(Begun::Taken(taker)) => {
                    let Step { command, limit } = step;
                    let timed = Timed {
                        taker,
                        command,
                        whole: limit,
                        left: limit,
                        spurious: 0,
                        overtime: None,
                    };
                    self.queue.running = Some((active, timed));
                }
                Ok(Begun::Answered(completion)) => self.step_ended(active, None, completion),
                Err(error) => {
                    self.queue.ended.insert(active.id, Err(Failure::Error(error)));
                }
            }
        }
    }

    /// Accounts for the end of a command, `ran` when an engine ran it. The job goes on or is over.
    fn step_ended(&mut self, mut active: Active, ran: Option<&Command>, completion: Completion) {
        let outcome = match self.judge(&completion) {
            Ok(()) => {
                active.done.result = completion.result;
                match ran.map_or(Ok(()), |c| self.add_counters(&mut active.done, c, &completion)) {
                    Ok(()) if active.job.steps.is_empty() => Ok(active.done),
                    Ok(()) => return self.queue.waiting.push_front(active),
                    Err(error) => Err(Failure::Error(error)),
                }
            }
            Err(failure) => Err(failure),
        };
        self.queue.ended.insert(active.id, outcome);
    }

    /// A card that is gone reads as all ones, which looks like an engine that is busy.
    fn judge(&mut self, completion: &Completion) -> Result<(), Failure> {
        match completion.code {
            ErrorCode::None => Ok(()),
            ErrorCode::Busy | ErrorCode::Internal if self.gone().map_err(Failure::Error)? => {
                Err(Failure::Error(Error::DeviceLost { card: self.description() }))
            }
            _ => Err(Failure::Fault(*completion)),
        }
    }

    fn gone(&mut self) -> Result<bool, Error> {
        Ok(self.transport.read32(card::ID.address())? == u32::MAX)
    }

    /// Hands a command to the command logic: the card's own, or that here on the host.
    fn begin(&mut self, step: &Step) -> Result<Begun, Error> {
        self.queue.cookie += 1;
        let cookie = self.queue.cookie;
        if self.ring.is_some() {
            self.clear_causes()?;
        }
        if let Some(ring) = &mut self.ring {
            // The card's own limit is for a host that is gone: this one notices earlier.
            let deadline = step.limit.cycles.saturating_add(step.limit.cycles / 4);
            ring.submit(&mut *self.transport, &step.command, cookie, deadline)?;
            let opcode = step.command.opcode();
            return Ok(Begun::Taken(Taker::Record { cookie, opcode }));
        }
        let (gemm_block, spgemm_block);
        let block: &[u8] = match &step.command {
            Command::Nop => &[],
            Command::Gemm(c) => {
                gemm_block = c.encode();
                &gemm_block
            }
            Command::Spgemm(c) => {
                spgemm_block = c.encode();
                &spgemm_block
            }
        };
        let entry = Descriptor {
            opcode: step.command.opcode(),
            interrupt: true,
            queue: 0,
            cookie,
            parameters: 0,
            parameter_bytes: block.len() as u32,
            deadline: step.limit.cycles,
        };
        if step.command != Command::Nop {
            self.clear_causes()?;
        }
        let mut regs = CardRegisters::new(&mut *self.transport);
        let accepted = accept(&entry.encode(), block, &self.limits, &mut regs);
        regs.finish()?;
        Ok(match accepted {
            Accepted::Started(running) => Begun::Taken(Taker::Engine(running)),
            Accepted::Answered(completion) => Begun::Answered(completion),
        })
    }

    /// Waits for the end of a command; `None` when it still runs.
    fn watch(
        &mut self,
        op: &'static str,
        timed: &mut Timed,
        slice: Limit,
    ) -> Result<Option<Completion>, Error> {
        let slice = Limit {
            cycles: slice.cycles.min(timed.left.cycles),
            time: slice.time.min(timed.left.time),
        };
        let start = Instant::now();
        let waited = self.transport.wait(slice)?;
        if self.transport.is_simulated() {
            timed.left.cycles -= slice.cycles;
        } else {
            timed.left.time = timed.left.time.saturating_sub(start.elapsed());
        }
        let completion = self.ask(&timed.taker)?;
        if completion.is_some() {
            return Ok(completion);
        }
        if waited == Waited::Interrupt {
            timed.spurious += 1;
            self.clear_causes()?;
        }
        if self.is_over(timed)? || timed.spurious >= SPURIOUS {
            return Err(self.time_out(op, timed.whole.time)?);
        }
        Ok(None)
    }

    /// How a command ended; `None` when it has not.
    fn ask(&mut self, taker: &Taker) -> Result<Option<Completion>, Error> {
        let cookie = match taker {
            Taker::Engine(running) => {
                let mut regs = CardRegisters::new(&mut *self.transport);
                let completion = finish(running, &mut regs);
                regs.finish()?;
                return Ok(completion);
            }
            Taker::Record { cookie, .. } => *cookie,
        };
        let Some(ring) = &mut self.ring else { return Ok(None) };
        let record = match ring.poll(&mut *self.transport) {
            Err(error) => {
                // The rings are closed: only a reset opens them again.
                self.quiet()?;
                return Err(error);
            }
            Ok(record) => record,
        };
        match record {
            Some(record) if record.cookie != cookie => {
                self.quiet()?;
                let what = format!("a record is of command {:#x}, not {cookie:#x}", record.cookie);
                Err(Error::Controller { card: self.description(), what })
            }
            record => Ok(record),
        }
    }

    /// Whether a command has had its limit. Time decides, unless the card's clock is slower than it says, as that of a
    /// simulated card of another process is: while it has not gone the limit's cycles since the time was up, it gets
    /// more time, as long as it goes at all.
    fn is_over(&mut self, timed: &mut Timed) -> Result<bool, Error> {
        if !timed.left.time.is_zero() || self.transport.is_simulated() {
            return Ok(timed.left.cycles == 0);
        }
        let now = self.transport.read32(card::CYCLES_LO.address())?;
        if let Some((last, gone)) = timed.overtime {
            let step = now.wrapping_sub(last);
            let gone = gone + u64::from(step);
            if step < IDLE_CYCLES || gone >= timed.whole.cycles {
                return Ok(true);
            }
            timed.overtime = Some((now, gone));
        } else {
            timed.overtime = Some((now, 0));
        }
        timed.left.time = timed.whole.time.min(OVERTIME);
        Ok(timed.left.time.is_zero())
    }

    /// How long a command of so many cycles may take; a time the user gave goes before.
    pub(crate) fn limit(&self, cycles: u64, timeout: Option<Duration>) -> Limit {
        let khz = match self.caps.clock_khz {
            0 => SLOWEST_KHZ,
            khz => khz.into(),
        };
        match timeout {
            Some(time) => {
                let cycles = time.as_micros().saturating_mul(khz.into()) / 1000;
                Limit { cycles: cycles.clamp(1, u64::MAX.into()) as u64, time }
            }
            None => {
                let time = Duration::from_micros(cycles.saturating_mul(1000) / khz);
                Limit { cycles, time: time.max(Duration::from_secs(1)) }
            }
        }
    }

    /// Ends whatever runs on the card and waits until it is quiet. The job that ran ends as aborted. A card that does
    /// not become quiet is reset as a whole, where the way to it can do that.
    pub(crate) fn reset(&mut self) -> Result<(), Error> {
        self.abort_running();
        self.quiet()
    }

    /// Resets the card as a whole, by its bus: as after power-up. False when the way to it cannot do that.
    pub(crate) fn reset_device(&mut self) -> Result<bool, Error> {
        let reset = self.transport.reset()?;
        if reset {
            self.abort_running();
            if let Some(ring) = &mut self.ring {
                ring.restart(&mut *self.transport, &self.caps)?;
            }
            self.enable_interrupts()?;
        }
        Ok(reset)
    }

    fn abort_running(&mut self) {
        let Some((active, timed)) = self.queue.running.take() else { return };
        let (cookie, opcode, queue) = match timed.taker {
            Taker::Engine(Running { descriptor: d, .. }) => (d.cookie, d.opcode, d.queue),
            Taker::Record { cookie, opcode } => (cookie, opcode, 0),
        };
        let aborted = Completion {
            cookie,
            cycles: 0,
            code: ErrorCode::Aborted,
            info: 0,
            result: 0,
            opcode: opcode as u8,
            queue,
            phase: false,
        };
        self.queue.ended.insert(active.id, Err(Failure::Fault(aborted)));
    }

    /// A soft reset, or one of the whole card when that does not help.
    pub(super) fn quiet(&mut self) -> Result<(), Error> {
        match self.soft_reset() {
            Err(Error::DeviceLost { card }) => match self.reset_device() {
                Ok(true) => Ok(()),
                _ => Err(Error::DeviceLost { card }),
            },
            other => other,
        }
    }

    fn soft_reset(&mut self) -> Result<(), Error> {
        self.transport.write32(card::SOFT_RESET.address(), card::SOFT_RESET::GO.put(1))?;
        // Every read takes a bus transfer, or of a simulated card many of its clocks.
        for _ in 0..RESET_POLLS {
            match self.transport.read32(card::STATUS.address())? {
                0 => {
                    if let Some(ring) = &mut self.ring {
                        ring.open(&mut *self.transport)?;
                    }
                    return self.clear_causes();
                }
                // A card that is gone; asking it again and again may take a bus seconds.
                u32::MAX => break,
                _ => {}
            }
        }
        Err(Error::DeviceLost { card: self.description() })
    }

    fn clear_causes(&mut self) -> Result<(), Error> {
        if self.ring.is_some() {
            let cause = queue::IRQ_STATUS::CAUSE.put(1);
            return self.transport.write32(queue::IRQ_STATUS.address(), cause);
        }
        let both = card::IRQ_STATUS::GEMM_DONE.mask() | card::IRQ_STATUS::SPGEMM_DONE.mask();
        self.transport.write32(card::IRQ_STATUS.address(), both)
    }

    /// The error of a command that did not end; the card is usable again afterwards, or lost.
    fn time_out(&mut self, op: &'static str, after: Duration) -> Result<Error, Error> {
        let mut snapshot = vec![];
        for (name, reg) in [
            ("CARD.STATUS", card::STATUS),
            ("GEMM.STATUS", gemm::STATUS),
            ("SPGEMM.STATUS", spgemm::STATUS),
        ] {
            let word = self.transport.read32(reg.address())?;
            snapshot.push(format!("{name} was {word:#010x}"));
        }
        if self.gone()? {
            return Ok(Error::DeviceLost { card: self.description() });
        }
        self.quiet()?;
        Ok(Error::Timeout { op, after, snapshot: snapshot.join(", ") })
    }

    /// Adds the engine's counters, which hold until its next command.
    fn add_counters(
        &mut self,
        done: &mut Done,
        command: &Command,
        completion: &Completion,
    ) -> Result<(), Error> {
        let mut regs = CardRegisters::new(&mut *self.transport);
        match command {
            Command::Nop => {}
            Command::Gemm(c) => done.gemm.add(&mut regs, completion.cycles, c.compute),
            Command::Spgemm(_) => done.spgemm.add(&mut regs, completion.cycles),
        }
        regs.finish()
    }
}

/// The error of a completion that is not well.
pub(crate) fn fault(completion: &Completion) -> Error {
    debug_assert_ne!(completion.code, ErrorCode::None);
    Error::DeviceFault { code: completion.code, info: completion.info }
}
