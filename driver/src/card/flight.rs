//! Jobs and their commands: a queue in the order of submission, as many commands at the card as it takes.
//!
//! A card without rings takes one command. One with rings takes as many as its rings have entries: its own command logic
//! runs them in order on each engine, and each has a record of its own. Commands for different engines may run side by
//! side, so one goes to the card only when no job at the other engine touches the same memory.
//!
//! A submission hands over what the card takes at once. From then on whoever waits, asks or submits moves the queue
//! along, so there is no thread behind the user's back, unless somebody wants a file descriptor to become readable
//! (`crate::device`).

use super::Card;
use super::registers::CardRegisters;
use crate::Error;
use crate::dense::GemmStats;
use crate::sparse::SpgemmStats;
use crate::transport::{Limit, Waited};
use mattock_firmware::{Accepted, Running, accept, finish};
use mattock_spec::command::{Command, Completion, Counters, Descriptor, Opcode};
use mattock_spec::regs::{ErrorCode, card};
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::time::Instant;

/// Interrupts without an end of the command that are put up with.
const SPURIOUS: usize = 16;

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
    /// Card memory that the job reads or writes.
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
    /// Jobs that have commands to hand over, in the order of submission.
    waiting: VecDeque<JobId>,
    /// Jobs that are not over.
    jobs: HashMap<JobId, Active>,
    /// Commands at the card, the oldest first.
    flying: VecDeque<Flight>,
    ended: HashMap<JobId, Result<Done, Failure>>,
}

struct Active {
    job: Job,
    done: Done,
    /// Its commands at the card.
    flying: usize,
    failure: Option<Failure>,
}

/// A command that was handed to the card.
struct Flight {
    job: JobId,
    taker: Taker,
    command: Command,
    timed: Timed,
}

/// How long a command may still take, counted while it is the oldest at the card.
pub(super) struct Timed {
    pub(super) whole: Limit,
    pub(super) left: Limit,
    spurious: usize,
    /// The card's clock when time was up, and the cycles it has gone since.
    pub(super) overtime: Option<(u32, u64)>,
}

/// Who knows how a command ends.
#[derive(Clone, Copy)]
enum Taker {
    /// An engine that the command logic here has started.
    Engine(Running),
    /// The record of the card's own command logic, with this cookie.
    Record(u64),
}

/// What became of a command.
enum Begun {
    Taken(Taker),
    Answered(Completion),
}

impl Card {
    /// Puts a job at the end of the queue, and hands over what the card takes.
    pub(crate) fn submit(&mut self, job: Job) -> JobId {
        self.queue.next += 1;
        let id = JobId(self.queue.next);
        let active = Active { job, done: Done::default(), flying: 0, failure: None };
        self.queue.jobs.insert(id, active);
        self.queue.waiting.push_back(id);
        self.start();
        id
    }

    /// Takes the outcome of a job; `None` while it is in the queue.
    pub(crate) fn take(&mut self, id: JobId) -> Option<Result<Done, Failure>> {
        self.queue.ended.remove(&id)
    }

    /// Whether a job is over, well or not.
    pub(crate) fn is_over(&self, id: JobId) -> bool {
        !self.queue.jobs.contains_key(&id)
    }

    /// Whether a job in the queue touches this card memory.
    pub(crate) fn uses(&self, memory: &Range<u64>) -> bool {
        self.queue.jobs.values().any(|active| active.job.touches.iter().any(|r| overlap(r, memory)))
    }

    /// Moves the queue along, waiting at most `slice` for a command that runs.
    pub(crate) fn advance(&mut self, slice: Limit) {
        if !self.queue.flying.is_empty()
            && let Err(error) = self.watch(slice)
        {
            self.all_failed(error);
        }
        self.start();
        self.tell();
    }

    /// Hands over commands as long as the card takes them.
    fn start(&mut self) {
        while let Some(&id) = self.queue.waiting.front() {
            let next = self.queue.jobs.get(&id).and_then(|active| active.job.steps.front());
            let Some(step) = next.copied() else {
                self.queue.waiting.pop_front();
                self.close(id);
                continue;
            };
            if !self.may_go(id, &step.command) {
                return;
            }
            match self.begin(&step) {
                Ok(begun) => {
                    let Some(active) = self.queue.jobs.get_mut(&id) else { continue };
                    active.job.steps.pop_front();
                    active.flying += 1;
                    match begun {
                        Begun::Taken(taker) => {
                            let Step { command, limit } = step;
                            let timed =
                                Timed { whole: limit, left: limit, spurious: 0, overtime: None };
                            self.queue.flying.push_back(Flight { job: id, taker, command, timed });
                        }
                        Begun::Answered(completion) => self.ended(id, &step.command, &completion),
                    }
                }
                Err(error) => self.fail(id, Failure::Error(error)),
            }
        }
    }

    /// Whether a command may go to the card beside those that are there.
    fn may_go(&self, id: JobId, command: &Command) -> bool {
        let Queue { flying, jobs, .. } = &self.queue;
        let Some(ring) = &self.ring else { return flying.is_empty() };
        // Rings whose commands were given up are opened anew before they take another.
        (ring.has_room() || flying.is_empty())
            && flying.iter().filter(|f| f.command.opcode() != command.opcode()).all(|flight| {
                let [theirs, ours] = [flight.job, id].map(|id| jobs.get(&id).map(|a| &a.job));
                let (Some(theirs), Some(ours)) = (theirs, ours) else { return true };
                !theirs.touches.iter().any(|r| ours.touches.iter().any(|other| overlap(r, other)))
            })
    }

    /// Accounts for the end of a command of a job.
    fn ended(&mut self, id: JobId, command: &Command, completion: &Completion) {
        let judged = self.judge(completion);
        let Some(active) = self.queue.jobs.get_mut(&id) else { return };
        active.flying -= 1;
        match judged {
            Ok(()) => {
                active.done.result = completion.result;
                match command {
                    Command::Nop => {}
                    Command::Gemm(c) => active.done.gemm.add(completion, c.compute),
                    Command::Batch(_) => active.done.gemm.add(completion, true),
                    Command::Spgemm(_) | Command::Joined(_) => active.done.spgemm.add(completion),
                }
                self.close(id);
            }
            Err(failure) => self.fail(id, failure),
        }
    }

    /// A failure ends a job: what it has not handed over stays here, what is at the card is waited for.
    fn fail(&mut self, id: JobId, failure: Failure) {
        let Some(active) = self.queue.jobs.get_mut(&id) else { return };
        active.failure.get_or_insert(failure);
        active.job.steps.clear();
        self.close(id);
    }

    /// Ends a job that has no command left.
    fn close(&mut self, id: JobId) {
        let over = |active: &Active| active.flying == 0 && active.job.steps.is_empty();
        if self.queue.jobs.get(&id).is_some_and(over)
            && let Some(active) = self.queue.jobs.remove(&id)
        {
            self.queue.ended.insert(id, active.failure.map_or(Ok(active.done), Err));
        }
    }

    /// After a failure that is not of one command, such as a time-out, after which the card has been reset: the oldest
    /// job at the card fails with `error`, all others there as aborted, or as lost when the card is.
    fn all_failed(&mut self, error: Error) {
        let lost = match &error {
            Error::DeviceLost { card } => Some(card.clone()),
            _ => None,
        };
        let mut first = Some(error);
        for flight in std::mem::take(&mut self.queue.flying) {
            if let Some(active) = self.queue.jobs.get_mut(&flight.job) {
                active.flying -= 1;
            }
            let failure = match (first.take(), &lost) {
                (Some(error), _) => Failure::Error(error),
                (None, Some(card)) => Failure::Error(Error::DeviceLost { card: card.clone() }),
                (None, None) => Failure::Fault(flight.aborted()),
            };
            self.fail(flight.job, failure);
        }
    }

    /// Every job that has a command at the card ends as aborted.
    pub(super) fn abort_flying(&mut self) {
        for flight in std::mem::take(&mut self.queue.flying) {
            if let Some(active) = self.queue.jobs.get_mut(&flight.job) {
                active.flying -= 1;
            }
            self.fail(flight.job, Failure::Fault(flight.aborted()));
        }
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

    pub(super) fn gone(&mut self) -> Result<bool, Error> {
        Ok(self.transport.read32(card::ID.address())? == u32::MAX)
    }

    /// Hands a command to the command logic: the card's own, or that here on the host.
    fn begin(&mut self, step: &Step) -> Result<Begun, Error> {
        self.queue.cookie += 1;
        let cookie = self.queue.cookie;
        if self.ring.as_ref().is_some_and(|ring| !ring.is_empty() && self.queue.flying.is_empty()) {
            // Commands were given up without their records, because the way to the card was broken.
            self.quiet()?;
        }
        if let Some(ring) = &mut self.ring {
            // The card's own limit is for a host that is gone: this one notices earlier.
            let deadline = step.limit.cycles.saturating_add(step.limit.cycles / 4);
            ring.submit(&mut *self.transport, &step.command, cookie, deadline)?;
            return Ok(Begun::Taken(Taker::Record(cookie)));
        }
        let (gemm_block, batch_block, spgemm_block, joined_block);
        let block: &[u8] = match &step.command {
            Command::Nop => &[],
            Command::Gemm(c) => {
                gemm_block = c.encode();
                &gemm_block
            }
            Command::Batch(c) => {
                batch_block = c.encode();
                &batch_block
            }
            Command::Spgemm(c) => {
                spgemm_block = c.encode();
                &spgemm_block
            }
            Command::Joined(c) => {
                joined_block = c.encode();
                &joined_block
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

    /// Takes the ends of commands, waiting for the first at most `slice`. An error is of all commands at the card.
    fn watch(&mut self, slice: Limit) -> Result<(), Error> {
        // Records lie in memory, where looking costs nothing.
        if self.ring.is_some() && self.collect()? {
            return Ok(());
        }
        let Some(oldest) = self.queue.flying.front_mut() else { return Ok(()) };
        let left = &mut oldest.timed.left;
        let slice =
            Limit { cycles: slice.cycles.min(left.cycles), time: slice.time.min(left.time) };
        let start = Instant::now();
        let waited = self.transport.wait(slice)?;
        if !self.transport.is_simulated() {
            left.time = left.time.saturating_sub(start.elapsed());
        } else if waited == Waited::Expired || self.ring.is_none() {
            left.cycles -= slice.cycles;
        }
        if self.ring.is_some() {
            // Before the look at the records, so that those that come later raise it anew; also when none was heard,
            // because one that got lost would keep others from coming.
            self.clear_causes()?;
        }
        if self.collect()? {
            return Ok(());
        }
        if self.ring.is_none() && waited == Waited::Interrupt {
            self.clear_causes()?;
        }
        let Some(mut oldest) = self.queue.flying.pop_front() else { return Ok(()) };
        oldest.timed.spurious += usize::from(waited == Waited::Interrupt);
        let over = self.out_of_time(&mut oldest.timed);
        let too_many = oldest.timed.spurious >= SPURIOUS;
        let (job, whole) = (oldest.job, oldest.timed.whole.time);
        self.queue.flying.push_front(oldest);
        if over? || too_many {
            let op = self.queue.jobs.get(&job).map_or("command", |active| active.job.op);
            return Err(self.time_out(op, whole)?);
        }
        Ok(())
    }

    /// Takes the commands that have ended; whether there was one.
    fn collect(&mut self) -> Result<bool, Error> {
        let Some(ring) = &mut self.ring else {
            let Some(Flight { taker: Taker::Engine(running), .. }) = self.queue.flying.front()
            else {
                return Ok(false);
            };
            let mut regs = CardRegisters::new(&mut *self.transport);
            let completion = finish(running, &mut regs);
            regs.finish()?;
            let Some(completion) = completion else { return Ok(false) };
            if let Some(flight) = self.queue.flying.pop_front() {
                self.ended(flight.job, &flight.command, &completion);
            }
            return Ok(true);
        };
        let record = match ring.poll(&mut *self.transport) {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(false),
            Err(error) => {
                // The rings are closed: only a reset opens them again.
                self.quiet()?;
                return Err(error);
            }
        };
        let of_record = |f: &Flight| matches!(f.taker, Taker::Record(c) if c == record.cookie);
        let at = self.queue.flying.iter().position(of_record);
        let Some(flight) = at.and_then(|at| self.queue.flying.remove(at)) else {
            self.quiet()?;
            let what = format!("a record is of command {:#x}, which is not there", record.cookie);
            return Err(Error::Controller { card: self.description(), what });
        };
        self.ended(flight.job, &flight.command, &record);
        Ok(true)
    }
}

impl Flight {
    fn aborted(&self) -> Completion {
        let (cookie, opcode, queue) = match self.taker {
            Taker::Engine(Running { descriptor: d, .. }) => (d.cookie, d.opcode, d.queue),
            Taker::Record(cookie) => (cookie, self.command.opcode(), 0),
        };
        aborted(cookie, opcode, queue)
    }
}

fn aborted(cookie: u64, opcode: Opcode, queue: u16) -> Completion {
    Completion {
        cookie,
        cycles: 0,
        code: ErrorCode::Aborted,
        info: 0,
        result: 0,
        opcode: opcode as u8,
        queue,
        counters: Counters::default(),
        phase: false,
    }
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

/// The error of a completion that is not well.
pub(crate) fn fault(completion: &Completion) -> Error {
    debug_assert_ne!(completion.code, ErrorCode::None);
    Error::DeviceFault { code: completion.code, info: completion.info }
}
