//! What every PCI device can be asked, however it is reached.

use crate::config::{COMMAND, COMMAND_BUS_MASTER, COMMAND_MEMORY};
use crate::{Error, EventFd, Memory};
use std::ops::RangeInclusive;
use std::time::Duration;

/// What a device may do with mapped memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read only; a write is an error on the device's bus.
    Read,
    /// Write only.
    Write,
    /// Both.
    ReadWrite,
}

impl Access {
    /// Whether the device may read.
    pub const fn reads(self) -> bool {
        matches!(self, Access::Read | Access::ReadWrite)
    }

    /// Whether the device may write.
    pub const fn writes(self) -> bool {
        matches!(self, Access::Write | Access::ReadWrite)
    }

    /// As the flag bits of the VFIO interfaces: 1 reads, 2 writes.
    pub(crate) const fn bits(self) -> u32 {
        self.reads() as u32 | (self.writes() as u32) << 1
    }
}

/// How a device interrupts. The number is the interrupt index of the VFIO interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum IrqKind {
    /// Message signalled, consecutive vectors.
    Msi = 1,
    /// Message signalled, a table of vectors in a BAR.
    MsiX = 2,
}

/// A PCI device that belongs to this process.
///
/// Registers are accessed whole, 32 bits at a time, little-endian. Reads may return all ones when the device
/// has gone: PCIe answers so. Every other failure is an error, and nothing waits for ever.
pub trait PciDevice: Send {
    /// The device's address as a user writes it, for messages.
    fn description(&self) -> String;

    /// Length of a BAR (0 to 5) in bytes; 0 when there is none.
    fn bar_len(&self, bar: u8) -> u64;

    /// Reads a register.
    ///
    /// # Errors
    /// [`Error::Range`] outside the BAR or at an odd offset, and those of the way to the device.
    fn read32(&mut self, bar: u8, offset: u64) -> Result<u32, Error>;

    /// Writes a register. The write may still be on its way when this returns; a read of the same device comes after it.
    ///
    /// # Errors
    /// As [`read32`](Self::read32).
    fn write32(&mut self, bar: u8, offset: u64, value: u32) -> Result<(), Error>;

    /// Reads configuration space.
    ///
    /// # Errors
    /// [`Error::Range`] outside it, and those of the way to the device.
    fn config_read(&mut self, offset: u16, data: &mut [u8]) -> Result<(), Error>;

    /// Writes configuration space.
    ///
    /// # Errors
    /// As [`config_read`](Self::config_read).
    fn config_write(&mut self, offset: u16, data: &[u8]) -> Result<(), Error>;

    /// Bus addresses that [`dma_map`](Self::dma_map) accepts, rising.
    fn iova_ranges(&self) -> Vec<RangeInclusive<u64>>;

    /// Lets the device reach all of `memory` at bus address `iova`, a multiple of the page size, until
    /// [`dma_unmap`](Self::dma_unmap) or until the device is dropped. The pages stay reachable even when the
    /// `Memory` is dropped.
    ///
    /// # Errors
    /// [`Error::MemlockLimit`], [`Error::Unsupported`], [`Error::Refused`].
    fn dma_map(&mut self, memory: &Memory, iova: u64, access: Access) -> Result<(), Error>;

    /// Ends a mapping made by [`dma_map`](Self::dma_map), whole. When this returns the device reaches it no more.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is none.
    fn dma_unmap(&mut self, iova: u64, len: u64) -> Result<(), Error>;

    /// Vectors of a kind of interrupt; 0 when the device has none.
    fn irq_count(&self, kind: IrqKind) -> u32;

    /// Vector n of the device adds to `events[n]`; no event at all ends interrupts of this kind.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with more events than vectors.
    fn set_interrupts(&mut self, kind: IrqKind, events: &[&EventFd]) -> Result<(), Error>;

    /// Waits until `event` was added to, and clears it; false when `limit` has passed. An interrupt is a hint:
    /// look at the device's registers afterwards.
    ///
    /// # Errors
    /// [`Error::Gone`] when the device went away meanwhile.
    fn wait(&mut self, event: &EventFd, limit: Duration) -> Result<bool, Error> {
        event.wait(limit)
    }

    /// Resets the device (function level): registers as after power-up, no DMA under way.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the device cannot.
    fn reset(&mut self) -> Result<(), Error>;

    /// Lets the device use the bus on its own, for DMA and interrupts, or stops it.
    ///
    /// # Errors
    /// Those of [`config_write`](Self::config_write).
    fn set_bus_master(&mut self, on: bool) -> Result<(), Error> {
        let mut word = [0; 2];
        self.config_read(COMMAND, &mut word)?;
        let command = u16::from_le_bytes(word) & !COMMAND_BUS_MASTER | COMMAND_MEMORY;
        let command = if on { command | COMMAND_BUS_MASTER } else { command };
        self.config_write(COMMAND, &command.to_le_bytes())
    }

    /// Vendor and device number.
    ///
    /// # Errors
    /// Those of [`config_read`](Self::config_read).
    fn ids(&mut self) -> Result<(u16, u16), Error> {
        let mut words = [0; 4];
        self.config_read(0, &mut words)?;
        let word = |at: usize| u16::from_le_bytes([words[at], words[at + 1]]);
        Ok((word(0), word(2)))
    }
}

/// The offset as a number of bytes into a BAR of `len` bytes, for an aligned access of four bytes.
pub(crate) fn register(bar: u8, len: u64, offset: u64) -> Result<usize, Error> {
    match usize::try_from(offset) {
        Ok(at)
            if offset.is_multiple_of(4) && offset.checked_add(4).is_some_and(|end| end <= len) =>
        {
            Ok(at)
        }
        _ => Err(Error::Range { what: format!("BAR {bar}"), offset, bytes: 4, len }),
    }
}
