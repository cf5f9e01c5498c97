//! One command, from the descriptor to its completion.

use super::Card;
use super::registers::CardRegisters;
use crate::Error;
use crate::transport::{Limit, Waited};
use mattock_firmware::{Accepted, accept, finish};
use mattock_spec::command::{Command, Completion, Descriptor};
use mattock_spec::regs::{ErrorCode, card, gemm, spgemm};
use std::time::Duration;

/// Interrupts without an end of the command that are put up with.
const SPURIOUS: usize = 16;
/// STATUS reads until a soft reset must be over; each takes longer than a bus transfer.
const RESET_POLLS: usize = 100_000;
/// A clock to reckon with when the card does not tell its own.
const SLOWEST_KHZ: u64 = 10_000;

impl Card {
    /// Runs a command by the command logic, here on the host, and waits for its end.
    ///
    /// # Errors
    /// [`Error::Timeout`] after `cycles` card clocks (the card has been reset), [`Error::DeviceLost`], and those of
    /// the transport. How the card judged the command is in the completion.
    pub(crate) fn run(
        &mut self,
        op: &'static str,
        command: &Command,
        cycles: u64,
    ) -> Result<Completion, Error> {
        let (gemm_block, spgemm_block);
        let block: &[u8] = match command {
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
        self.cookie += 1;
        let entry = Descriptor {
            opcode: command.opcode(),
            interrupt: true,
            queue: 0,
            cookie: self.cookie,
            parameters: 0,
            parameter_bytes: block.len() as u32,
            deadline: cycles,
        };
        self.clear_causes()?;
        let mut regs = CardRegisters::new(&mut *self.transport);
        let accepted = accept(&entry.encode(), block, &self.caps, &mut regs);
        regs.finish()?;
        let running = match accepted {
            Accepted::Answered(completion) => return Ok(completion),
            Accepted::Started(running) => running,
        };
        let limit = self.limit(cycles);
        for _ in 0..SPURIOUS {
            let waited = self.transport.wait(limit)?;
            let mut regs = CardRegisters::new(&mut *self.transport);
            let completion = finish(&running, &mut regs);
            regs.finish()?;
            match completion {
                Some(completion) => return Ok(completion),
                None if waited == Waited::Expired => break,
                None => self.clear_causes()?,
            }
        }
        Err(self.time_out(op, limit.time)?)
    }

    /// Ends whatever runs on the card and waits until it is quiet. A card that does not become quiet is reset as a
    /// whole, where the way to it can do that.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when nothing helps or it no longer answers.
    pub fn reset(&mut self) -> Result<(), Error> {
        match self.soft_reset() {
            Err(Error::DeviceLost { card }) => match self.reset_device() {
                Ok(true) => Ok(()),
                _ => Err(Error::DeviceLost { card }),
            },
            other => other,
        }
    }

    /// Resets the card as a whole, by its bus: as after power-up. False when the way to it cannot do that.
    ///
    /// # Errors
    /// Those of the transport.
    pub fn reset_device(&mut self) -> Result<bool, Error> {
        let reset = self.transport.reset()?;
        if reset {
            self.enable_interrupts()?;
        }
        Ok(reset)
    }

    fn soft_reset(&mut self) -> Result<(), Error> {
        self.transport.write32(card::SOFT_RESET.address(), card::SOFT_RESET::GO.put(1))?;
        // Every read takes a bus transfer, or of a simulated card many of its clocks.
        for _ in 0..RESET_POLLS {
            if self.transport.read32(card::STATUS.address())? == 0 {
                return self.clear_causes();
            }
        }
        Err(Error::DeviceLost { card: self.description() })
    }

    fn clear_causes(&mut self) -> Result<(), Error> {
        let both = card::IRQ_STATUS::GEMM_DONE.mask() | card::IRQ_STATUS::SPGEMM_DONE.mask();
        self.transport.write32(card::IRQ_STATUS.address(), both)
    }

    fn limit(&self, cycles: u64) -> Limit {
        let khz = match self.caps.clock_khz {
            0 => SLOWEST_KHZ,
            khz => khz.into(),
        };
        let time = Duration::from_micros(cycles.saturating_mul(1000) / khz);
        Limit { cycles, time: time.max(Duration::from_secs(1)) }
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
        if self.transport.read32(card::ID.address())? == u32::MAX {
            return Ok(Error::DeviceLost { card: self.description() });
        }
        self.reset()?;
        Ok(Error::Timeout { op, after, snapshot: snapshot.join(", ") })
    }
}

/// The error of a completion that is not well.
pub(crate) fn fault(completion: &Completion) -> Error {
    debug_assert_ne!(completion.code, ErrorCode::None);
    Error::DeviceFault { code: completion.code, info: completion.info }
}
