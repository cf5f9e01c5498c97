//! How the library reaches a card: registers, memory both sides see, and a way to wait.

mod arena;
mod pcie;
mod pool;
pub mod uart;
mod url;

pub use arena::Arena;
pub use pcie::{Pcie, PcieOptions};
pub use uart::{Uart, UartUrl};
pub use url::{CardUrl, Opener, open, register};

use crate::Error;
use std::ptr::NonNull;
use std::time::Duration;

/// A way to a card. One implementation for each kind of card: PCIe, serial, simulated.
///
/// Memory is what the card's bus masters reach; addresses are bus addresses.
pub trait Transport {
    /// The card's address as a user writes it, for messages.
    fn description(&self) -> String;

    /// Reads a register at a BAR0 offset.
    ///
    /// # Errors
    /// The way to the card is broken. A card that is gone reads as all ones instead.
    fn read32(&mut self, offset: u32) -> Result<u32, Error>;

    /// Writes a register; returns when the card has taken the value.
    ///
    /// # Errors
    /// As [`read32`](Self::read32).
    fn write32(&mut self, offset: u32, value: u32) -> Result<(), Error>;

    /// Reserves memory that the card can reach; a multiple of 64, at least one byte long.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    fn alloc(&mut self, bytes: u64) -> Result<u64, Error>;

    /// Gives memory back. Addresses that [`alloc`](Self::alloc) did not give are ignored.
    fn free(&mut self, address: u64);

    /// The largest piece [`alloc`](Self::alloc) can give now.
    fn available(&self) -> u64;

    /// Takes back from the card, and gives to the machine, memory that is not in use; true when there was some.
    ///
    /// # Errors
    /// The way to the card is broken.
    fn trim(&mut self) -> Result<bool, Error> {
        Ok(false)
    }

    /// Resets the whole card, as after power-up, its registers included; false when this way to it cannot. Memory stays
    /// as it is.
    ///
    /// # Errors
    /// The way to the card is broken.
    fn reset(&mut self) -> Result<bool, Error> {
        Ok(false)
    }

    /// Copies into card memory.
    ///
    /// # Errors
    /// The range is not card memory, or the way to the card is broken.
    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Error>;

    /// Copies out of card memory.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Error>;

    /// Where card memory lies in this process, when all of it does and in one piece. It stays there as long as it is not
    /// freed; who uses it keeps the order of accesses himself.
    fn host_address(&self, _address: u64, _bytes: u64) -> Option<NonNull<u8>> {
        None
    }

    /// Waits until the card raises its interrupt: at most `limit`, which a simulated card takes as its
    /// clock cycles and a real card as time. An interrupt is a hint; registers tell what happened.
    ///
    /// # Errors
    /// The way to the card is broken.
    fn wait(&mut self, limit: Limit) -> Result<Waited, Error>;

    /// Whether the card's time is a simulated clock, so that limits count in its cycles and not on the wall.
    fn is_simulated(&self) -> bool {
        false
    }
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Clock cycles of the card.
    pub cycles: u64,
    /// The same in time, at the card's nominal clock, and never less than a person would not notice.
    pub time: Duration,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The interrupt is up.
    Interrupt,
    /// The limit has passed.
    Expired,
}
