//! Limits in time, and how a card becomes quiet again.

use super::Card;
use super::flight::Timed;
use crate::Error;
use crate::transport::Limit;
use mattock_spec::regs::{card, gemm, queue, spgemm};
use std::time::Duration;

/// STATUS reads until a soft reset must be over; each takes longer than a bus transfer.
const RESET_POLLS: usize = 100_000;
/// How long a card is watched that is out of time.
const OVERTIME: Duration = Duration::from_secs(1);
/// A simulated card that is idle goes fewer cycles than this for the accesses to it.
const IDLE_CYCLES: u32 = 100;
/// A clock to reckon with when the card does not tell its own.
const SLOWEST_KHZ: u64 = 10_000;

impl Card {
    /// Whether a command has had its limit. Time decides, unless the card's clock is slower than it says, as that of a
    /// simulated card of another process is: while it has not gone the limit's cycles since the time was up, it gets
    /// more time, as long as it goes at all.
    pub(super) fn out_of_time(&mut self, timed: &mut Timed) -> Result<bool, Error> {
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

    /// Ends whatever runs on the card and waits until it is quiet. Jobs with commands at the card end as aborted. A card
    /// that does not become quiet is reset as a whole, where the way to it can do that.
    pub(crate) fn reset(&mut self) -> Result<(), Error> {
        self.abort_flying();
        let outcome = self.quiet();
        self.tell();
        outcome
    }

    /// Resets the card as a whole, by its bus: as after power-up. False when the way to it cannot do that.
    pub(crate) fn reset_device(&mut self) -> Result<bool, Error> {
        let reset = self.transport.reset()?;
        if reset {
            self.abort_flying();
            self.tell();
            if let Some(ring) = &mut self.ring {
                ring.restart(&mut *self.transport, &self.caps)?;
            }
            self.enable_interrupts()?;
        }
        Ok(reset)
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

    pub(super) fn clear_causes(&mut self) -> Result<(), Error> {
        if self.ring.is_some() {
            let cause = queue::IRQ_STATUS::CAUSE.put(1);
            return self.transport.write32(queue::IRQ_STATUS.address(), cause);
        }
        let both = card::IRQ_STATUS::GEMM_DONE.mask() | card::IRQ_STATUS::SPGEMM_DONE.mask();
        self.transport.write32(card::IRQ_STATUS.address(), both)
    }

    /// The error of a command that did not end; the card is usable again afterwards, or lost.
    pub(super) fn time_out(&mut self, op: &'static str, after: Duration) -> Result<Error, Error> {
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
}
