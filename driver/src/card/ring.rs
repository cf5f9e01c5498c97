//! Commands through rings in memory: what a card with a processor of its own takes.
//!
//! Entries and parameter blocks are written before the doorbell, whose write is a barrier for them. A record is read only
//! when the phase in its last byte says that it is there, with a barrier between the two reads.

use super::registers::CardRegisters;
use crate::Error;
use crate::transport::Transport;
use mattock_firmware::image::{CARD, Image, LIMITS_ADDRESS};
use mattock_firmware::{Limits, Regs};
use mattock_spec::command::{COMPLETION_BYTES, Command, Completion, DESCRIPTOR_BYTES, Descriptor};
use mattock_spec::regs::controller::{
    CONTROL, MEMORY_BASE, MEMORY_BYTES, PROGRAM, SELFTEST_RESULT, STATUS, TARGET,
};
use mattock_spec::regs::{Capabilities, Reg, queue};

/// Entries of the rings: many more than the card works ahead.
const ENTRIES: u32 = 16;
/// Room for a parameter block of any command there is.
const BLOCK_BYTES: u64 = 128;
/// Reads of a register until the test at power-up is over, the program has begun, or the rings have closed; each takes
/// some cycles.
const POLLS: usize = 100_000;

/// The rings of a card.
pub(super) struct Ring {
    /// Bus address of the submission ring; the completion ring and the blocks follow.
    base: u64,
    /// Entries written, and records read.
    written: u32,
    read: u32,
}

impl Ring {
    /// Loads the program into the card's processor, starts it and opens the rings.
    ///
    /// # Errors
    /// [`Error::Controller`] when the processor is not of the program's kind, fails its test, or does not begin; those
    /// of the transport.
    pub(super) fn start(t: &mut dyn Transport, caps: &Capabilities) -> Result<Ring, Error> {
        let bytes =
            u64::from(ENTRIES) * (DESCRIPTOR_BYTES as u64 + COMPLETION_BYTES as u64 + BLOCK_BYTES);
        // Memory begins at multiples of 64, records at multiples of their size.
        let memory = t.alloc(bytes + COMPLETION_BYTES as u64)?;
        let base = memory.next_multiple_of(COMPLETION_BYTES as u64);
        let mut ring = Ring { base, written: 0, read: 0 };
        match ring.restart(t, caps) {
            Ok(()) => Ok(ring),
            Err(error) => {
                t.free(memory);
                Err(error)
            }
        }
    }

    /// As [`start`](Self::start), for rings that have their memory: after the card was reset as a whole.
    pub(super) fn restart(
        &mut self,
        t: &mut dyn Transport,
        caps: &Capabilities,
    ) -> Result<(), Error> {
        let program = Image::parse(CARD).map_err(|e| fault(t, e.to_string()))?;
        match caps.controller {
            Some(c) if c.target == TARGET && c.memory_kib * 1024 >= MEMORY_BYTES => {}
            _ => return Err(fault(t, "the program is for another processor".into())),
        }
        t.write32(queue::ENABLE.address(), 0)?;
        t.write32(CONTROL.address(), 0)?;
        let tested = poll(t, SELFTEST_RESULT, |word| SELFTEST_RESULT::DONE.get(word) == 1)?;
        if tested.is_none_or(|word| SELFTEST_RESULT::PASSED.get(word) == 0) {
            let what = format!("its memory failed the test at power-up: {tested:#x?}");
            return Err(fault(t, what));
        }
        load(t, &program, &Limits::of(caps))?;
        t.write32(CONTROL.address(), CONTROL::RUN.put(1))?;
        if poll(t, STATUS, |word| STATUS::ALIVE.get(word) == 1)?.is_none() {
            let status = t.read32(STATUS.address())?;
            return Err(fault(t, format!("its program did not begin, STATUS is {status:#x}")));
        }
        let version = t.read32(PROGRAM.address())?;
        if version != program.version {
            let what = format!("its program is version {version}, loaded was {}", program.version);
            return Err(fault(t, what));
        }
        self.open(t)
    }

    /// Opens the rings anew, empty: at the start, and after a soft reset.
    pub(super) fn open(&mut self, t: &mut dyn Transport) -> Result<(), Error> {
        t.write32(queue::ENABLE.address(), 0)?;
        if poll(t, queue::STATUS, |word| queue::STATUS::RUNNING.get(word) == 0)?.is_none() {
            return Err(Error::DeviceLost { card: t.description() });
        }
        t.write(self.done(0), &vec![0; COMPLETION_BYTES * ENTRIES as usize])?;
        (self.written, self.read) = (0, 0);
        for (reg, value) in [
            (queue::RING_LO, self.base as u32),
            (queue::RING_HI, (self.base >> 32) as u32),
            (queue::DONE_LO, self.done(0) as u32),
            (queue::DONE_HI, (self.done(0) >> 32) as u32),
            (queue::SIZE, ENTRIES),
            (queue::DOORBELL, 0),
            (queue::IRQ_STATUS, queue::IRQ_STATUS::CAUSE.put(1)),
            (queue::IRQ_ENABLE, queue::IRQ_ENABLE::CAUSE.put(1)),
            (queue::ENABLE, queue::ENABLE::RUN.put(1)),
        ] {
            t.write32(reg.address(), value)?;
        }
        Ok(())
    }

    /// Whether there is room for a command.
    pub(super) fn has_room(&self) -> bool {
        self.written.wrapping_sub(self.read) < ENTRIES
    }

    /// Whether every command has had its record.
    pub(super) fn is_empty(&self) -> bool {
        self.written == self.read
    }

    /// Hands a command to the card; its record will carry `cookie`. There must be room.
    pub(super) fn submit(
        &mut self,
        t: &mut dyn Transport,
        command: &Command,
        cookie: u64,
        deadline: u64,
    ) -> Result<(), Error> {
        debug_assert!(self.has_room());
        let slot = self.written % ENTRIES;
        let (gemm, batch, spgemm, joined);
        let block: &[u8] = match command {
            Command::Nop => &[],
            Command::Gemm(c) => {
                gemm = c.encode();
                &gemm
            }
            Command::Batch(c) => {
                batch = c.encode();
                &batch
            }
            Command::Spgemm(c) => {
                spgemm = c.encode();
                &spgemm
            }
            Command::Joined(c) => {
                joined = c.encode();
                &joined
            }
        };
        let parameters = self.done(ENTRIES) + BLOCK_BYTES * u64::from(slot);
        if !block.is_empty() {
            t.write(parameters, block)?;
        }
        let entry = Descriptor {
            opcode: command.opcode(),
            interrupt: true,
            queue: 0,
            cookie,
            parameters,
            parameter_bytes: block.len() as u32,
            deadline,
        };
        t.write(self.base + DESCRIPTOR_BYTES as u64 * u64::from(slot), &entry.encode())?;
        self.written = self.written.wrapping_add(1);
        t.write32(queue::DOORBELL.address(), self.written & 0xffff)
    }

    /// Takes the next record, if it is there.
    ///
    /// # Errors
    /// [`Error::Controller`] when a fault has closed the rings or a record makes no sense.
    pub(super) fn poll(&mut self, t: &mut dyn Transport) -> Result<Option<Completion>, Error> {
        if let Some(record) = self.record(t)? {
            return Ok(Some(record));
        }
        let status = t.read32(queue::STATUS.address())?;
        if status == u32::MAX {
            return Err(Error::DeviceLost { card: t.description() });
        }
        let code = queue::STATUS::FAULT.get(status);
        if code == 0 {
            return Ok(None);
        }
        // What the card wrote before it closed the rings comes first.
        if let Some(record) = self.record(t)? {
            return Ok(Some(record));
        }
        let info = t.read32(queue::FAULT_INFO.address())?;
        let code = mattock_spec::ErrorCode::from_u8(code as u8);
        let what = code.map_or("an unknown fault", |code| code.meaning());
        Err(fault(t, format!("its rings are closed ({info:#x}): {what}")))
    }

    fn record(&mut self, t: &mut dyn Transport) -> Result<Option<Completion>, Error> {
        let at = self.done(self.read % ENTRIES);
        let mut word = [0; 4];
        t.read(at + Completion::LAST_WORD as u64, &mut word)?;
        let phase = (self.read / ENTRIES).is_multiple_of(2);
        if Completion::phase_of(u32::from_le_bytes(word)) != phase {
            return Ok(None);
        }
        // The phase is written last: the rest of the record, and what the command wrote, is read after it.
        pcie_mmap::after_read();
        let mut bytes = [0; COMPLETION_BYTES];
        t.read(at, &mut bytes)?;
        let record = Completion::decode(&bytes).map_err(|e| fault(t, format!("a record: {e}")))?;
        self.read = self.read.wrapping_add(1);
        Ok(Some(record))
    }

    fn done(&self, slot: u32) -> u64 {
        let (entries, slot) = (u64::from(ENTRIES), u64::from(slot));
        self.base + DESCRIPTOR_BYTES as u64 * entries + COMPLETION_BYTES as u64 * slot
    }
}

/// Writes program and limits into the processor's memory, zeros what is between and behind, and reads all of it back.
fn load(t: &mut dyn Transport, program: &Image<'_>, limits: &Limits) -> Result<(), Error> {
    let mut memory = vec![0u32; MEMORY_BYTES as usize / 4];
    for (place, word) in memory.iter_mut().zip(program.program.chunks_exact(4)) {
        *place = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
    }
    let behind = memory.iter_mut().skip(LIMITS_ADDRESS as usize / 4);
    behind.zip(limits.words()).for_each(|(place, word)| *place = word);
    let mut regs = CardRegisters::new(t);
    for (at, word) in (MEMORY_BASE..).step_by(4).zip(&memory) {
        regs.write(at, *word);
    }
    let wrong = (MEMORY_BASE..).step_by(4).zip(&memory).find(|(at, word)| regs.read(*at) != **word);
    let wrong = wrong.map(|(at, _)| at - MEMORY_BASE);
    regs.finish()?;
    match wrong {
        Some(at) => Err(fault(t, format!("its memory does not keep what is written at {at:#x}"))),
        None => Ok(()),
    }
}

/// Reads a register until it is as wished; `None` when it never is. None of those asked for is ever all ones.
///
/// # Errors
/// [`Error::DeviceLost`] when the card is gone, and those of the transport.
fn poll(
    t: &mut dyn Transport,
    reg: Reg,
    wished: impl Fn(u32) -> bool,
) -> Result<Option<u32>, Error> {
    for _ in 0..POLLS {
        match t.read32(reg.address())? {
            u32::MAX => return Err(Error::DeviceLost { card: t.description() }),
            word if wished(word) => return Ok(Some(word)),
            _ => {}
        }
    }
    Ok(None)
}

fn fault(t: &dyn Transport, what: String) -> Error {
    Error::Controller { card: t.description(), what }
}
