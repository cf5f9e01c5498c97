//! An open card: what it is, and how commands run on it.

mod registers;
pub(crate) mod run;
mod selftest;
mod staging;

pub use mattock_spec::regs::{Capabilities, GemmCaps, SpgemmCaps};
pub use selftest::{Outcome, SelfCheck};
pub(crate) use staging::Staging;

use crate::Error;
use crate::transport::Transport;
use mattock_spec::regs::card::{IRQ_ENABLE, IRQ_STATUS, MAGIC, VERSION_MAJOR, VERSION_MINOR};
use mattock_spec::regs::{CapabilityError, card};
use registers::CardRegisters;

/// An open card.
///
/// Calls are methods: [`gemm`](Self::gemm), [`spgemm`](Self::spgemm). Each blocks until the card is done and
/// gives its result only on success, so a failed call can be repeated.
pub struct Card {
    transport: Box<dyn Transport>,
    caps: Capabilities,
    cookie: u64,
}

impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Card").field("at", &self.description()).finish_non_exhaustive()
    }
}

impl Card {
    /// Opens the card at a URL, see [`transport::open`](crate::transport::open).
    ///
    /// # Errors
    /// Those of the transport and of [`open_with`](Self::open_with).
    pub fn open(url: &str) -> Result<Card, Error> {
        Self::open_with(crate::transport::open(url)?)
    }

    /// Opens the card behind `transport`: reads what it is and refuses one it does not understand. A
    /// command that another process left running is ended.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], [`Error::IdMismatch`], [`Error::VersionMismatch`], [`Error::Capability`], and
    /// those of the transport.
    pub fn open_with(mut transport: Box<dyn Transport>) -> Result<Card, Error> {
        let mut regs = CardRegisters::new(&mut *transport);
        let caps = Capabilities::parse(|offset| mattock_firmware::Regs::read(&mut regs, offset));
        regs.finish()?;
        let caps = caps.map_err(|e| match e {
            CapabilityError::NoAnswer => Error::DeviceLost { card: transport.description() },
            CapabilityError::NotACard { id } => Error::IdMismatch { got: id, want: MAGIC },
            CapabilityError::Version { card } => Error::VersionMismatch {
                card: format!("{card}.x"),
                library: format!("{VERSION_MAJOR}.{VERSION_MINOR}"),
            },
            other => Error::Capability(other),
        })?;
        let mut opened = Card { transport, caps, cookie: 0 };
        if opened.transport.read32(card::STATUS.address())? != 0 {
            opened.reset()?;
        }
        opened.enable_interrupts()?;
        Ok(opened)
    }

    fn enable_interrupts(&mut self) -> Result<(), Error> {
        let both = IRQ_ENABLE::GEMM_DONE.mask() | IRQ_ENABLE::SPGEMM_DONE.mask();
        self.transport.write32(IRQ_STATUS.address(), both)?;
        self.transport.write32(IRQ_ENABLE.address(), both)
    }

    /// Address of the card, for messages.
    pub fn description(&self) -> String {
        self.transport.description()
    }

    /// What the card says about itself.
    pub fn capabilities(&self) -> &Capabilities {
        &self.caps
    }

    /// The way to the card, for tools that look at registers and memory themselves.
    pub fn transport(&mut self) -> &mut dyn Transport {
        &mut *self.transport
    }
}
