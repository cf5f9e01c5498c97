//! The engines behind a transport: what they are, and how commands run on them.

mod flight;
pub(crate) mod registers;
mod reset;
mod ring;
mod watch;

pub(crate) use flight::{Done, Failure, Job, JobId, Step};

use crate::Error;
use crate::transport::Transport;
use flight::Queue;
use mattock_firmware::Limits;
use mattock_spec::regs::card::{IRQ_ENABLE, IRQ_STATUS, MAGIC, VERSION_MAJOR, VERSION_MINOR};
use mattock_spec::regs::{Capabilities, CapabilityError, card, controller, queue};
use registers::CardRegisters;
use ring::Ring;
use watch::Watched;

/// An open card. Everything that talks to it holds its lock.
pub(crate) struct Card {
    transport: Box<dyn Transport + Send>,
    caps: Capabilities,
    limits: Limits,
    queue: Queue,
    /// Of a card with a processor of its own.
    ring: Option<Ring>,
    watched: Vec<Watched>,
    /// A thread moves the queue along for those that are watched.
    pumped: bool,
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
        let limits = Limits::of(&caps);
        let mut opened = Card {
            transport,
            caps,
            limits,
            queue: Queue::default(),
            ring: None,
            watched: vec![],
            pumped: false,
        };
        if caps.controller.is_some() {
            // What another process left: rings in memory that is no longer the card's.
            opened.transport.write32(queue::ENABLE.address(), 0)?;
            opened.transport.write32(controller::CONTROL.address(), 0)?;
            let left = opened.transport.read32(queue::STATUS.address())?;
            if queue::STATUS::RUNNING.get(left) == 1 {
                opened.quiet()?;
            }
        }
        if opened.transport.read32(card::STATUS.address())? != 0 {
            opened.quiet()?;
        }
        if caps.controller.is_some() {
            opened.ring = Some(Ring::start(&mut *opened.transport, &caps)?);
        }
        opened.enable_interrupts()?;
        Ok(opened)
    }

    /// Interrupts of the engines; the rings have their own, and need none of these.
    pub(crate) fn enable_interrupts(&mut self) -> Result<(), Error> {
        if self.ring.is_some() {
            return self.transport.write32(IRQ_ENABLE.address(), 0);
        }
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
