//! The engines behind a transport: what they are, and how commands run on them, one after the other.

mod queue;
pub(crate) mod registers;

pub(crate) use queue::{Done, Failure, Job, JobId, Step};

use crate::Error;
use crate::transport::Transport;
use mattock_spec::regs::card::{IRQ_ENABLE, IRQ_STATUS, MAGIC, VERSION_MAJOR, VERSION_MINOR};
use mattock_spec::regs::{Capabilities, CapabilityError, card};
use queue::Queue;
use registers::CardRegisters;

/// An open card. Everything that talks to it holds its lock.
pub(crate) struct Card {
    transport: Box<dyn Transport + Send>,
    caps: Capabilities,
    queue: Queue,
}

impl Card {
    /// Reads what the card is and refuses one it does not understand. A command that another process left running is
    /// ended.
    pub(crate) fn open(mut transport: Box<dyn Transport + Send>) -> Result<Card, Error> {
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
        let mut opened = Card { transport, caps, queue: Queue::default() };
        if opened.transport.read32(card::STATUS.address())? != 0 {
            opened.quiet()?;
        }
        opened.enable_interrupts()?;
        Ok(opened)
    }

    pub(crate) fn enable_interrupts(&mut self) -> Result<(), Error> {
        let both = IRQ_ENABLE::GEMM_DONE.mask() | IRQ_ENABLE::SPGEMM_DONE.mask();
        self.transport.write32(IRQ_STATUS.address(), both)?;
        self.transport.write32(IRQ_ENABLE.address(), both)
    }

    pub(crate) fn description(&self) -> String {
        self.transport.description()
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.caps
    }

    pub(crate) fn transport_ref(&self) -> &(dyn Transport + Send + 'static) {
        &*self.transport
    }

    pub(crate) fn transport(&mut self) -> &mut (dyn Transport + Send + 'static) {
        &mut *self.transport
    }
}
