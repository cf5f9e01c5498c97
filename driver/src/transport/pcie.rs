//! Cards on PCI Express, real or simulated: `pci:<address>` and `vfio-user:<socket>`.

use super::pool::Pool;
use super::{CardUrl, Limit, Transport, Waited};
use crate::Error;
use mattock_spec::regs::card::ID;
use pcie_mmap::{Address, EventFd, IrqKind, PciDevice, VfioPci, VfioUser};
use std::path::Path;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

/// Registers are in this BAR.
const BAR: u8 = 0;
/// Bytes of registers that a card has at least.
const REGISTERS: u64 = 0x3000;
/// Commands that end sooner than this are waited for without sleeping.
const SPIN: Duration = Duration::from_micros(20);

/// How much of a machine a card may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcieOptions {
    /// Most bytes of memory for DMA; pages are taken as they are needed.
    pub memory: u64,
}

impl Default for PcieOptions {
    fn default() -> Self {
        PcieOptions { memory: 1 << 30 }
    }
}

/// Opens `pci:<address>` and `vfio-user:<socket>`; `?memory=<bytes>` limits the memory for DMA.
pub(super) fn open(mut url: CardUrl) -> Result<Box<dyn Transport + Send>, Error> {
    let mut options = PcieOptions::default();
    if let Some(bytes) = url.take("memory") {
        let what = || format!("the URL asks for memory={bytes}, which is no number of bytes");
        options.memory = bytes.parse().map_err(|_| Error::invalid_arg(1, what()))?;
    }
    url.no_more(&["memory"])?;
    Ok(Box::new(match url.scheme() {
        "pci" => Pcie::pci(url.place().parse()?, options)?,
        _ => Pcie::vfio_user(Path::new(url.place()), options)?,
    }))
}

/// A card that is a PCI device.
pub struct Pcie {
    device: Box<dyn PciDevice>,
    pool: Pool,
    event: EventFd,
    name: String,
}

impl Pcie {
    /// A card bound to the kernel's `vfio-pci`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Permission`], [`Error::NoIommu`], [`Error::Busy`], [`Error::Link`] with the
    /// link that is broken and what to do.
    pub fn pci(address: Address, options: PcieOptions) -> Result<Self, Error> {
        let device = VfioPci::open(address)?;
        Self::new(Box::new(device), format!("pci:{address}"), options, true)
    }

    /// A card that is another process, such as `mattock serve`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Busy`], [`Error::Permission`], [`Error::Link`].
    pub fn vfio_user(socket: &Path, options: PcieOptions) -> Result<Self, Error> {
        let device = VfioUser::open(socket)?;
        let name = device.description();
        Self::new(Box::new(device), name, options, false)
    }

    fn new(
        mut device: Box<dyn PciDevice>,
        name: String,
        options: PcieOptions,
        locked: bool,
    ) -> Result<Self, Error> {
        let link = |what: String| Error::Link { card: name.clone(), source: what.into() };
        if device.bar_len(BAR) < REGISTERS {
            let what =
                format!("BAR 0 has {:#x} bytes, a card has {REGISTERS:#x}", device.bar_len(BAR));
            return Err(link(what));
        }
        let kinds = [IrqKind::MsiX, IrqKind::Msi];
        let Some(kind) = kinds.into_iter().find(|kind| device.irq_count(*kind) > 0) else {
            return Err(link("it has neither MSI-X nor MSI".into()));
        };
        let event = EventFd::new()?;
        device.set_interrupts(kind, &[&event])?;
        device.set_bus_master(true)?;
        let pool = Pool::new(&*device, options.memory, locked);
        Ok(Pcie { device, pool, event, name })
    }

    /// The PCI device, for tools that look at it themselves.
    pub fn device(&mut self) -> &mut dyn PciDevice {
        &mut *self.device
    }

    fn range(&self, address: u64, bytes: usize) -> Error {
        let what = format!("{bytes} bytes at bus address {address:#x} are not the card's memory");
        Error::Link { card: self.name.clone(), source: what.into() }
    }
}

impl Transport for Pcie {
    fn description(&self) -> String {
        self.name.clone()
    }

    fn read32(&mut self, offset: u32) -> Result<u32, Error> {
        let value = self.device.read32(BAR, offset.into())?;
        // What was read tells what is in memory, so memory is not looked at earlier.
        pcie_mmap::after_read();
        // A card that is gone reads so everywhere; ID never does otherwise.
        if value == u32::MAX && self.device.read32(BAR, ID.address().into())? == u32::MAX {
            return Err(Error::DeviceLost { card: self.name.clone() });
        }
        Ok(value)
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), Error> {
        // What the card is told of must be in memory before it is told.
        pcie_mmap::before_write();
        Ok(self.device.write32(BAR, offset.into(), value)?)
    }

    fn alloc(&mut self, bytes: u64) -> Result<u64, Error> {
        self.pool.alloc(&mut *self.device, bytes)
    }

    fn free(&mut self, address: u64) {
        self.pool.free(address);
    }

    fn available(&self) -> u64 {
        self.pool.largest()
    }

    fn trim(&mut self) -> Result<bool, Error> {
        self.pool.trim(&mut *self.device)
    }

    fn reset(&mut self) -> Result<bool, Error> {
        match self.device.reset() {
            Err(pcie_mmap::Error::Unsupported { .. }) => return Ok(false),
            other => other?,
        }
        self.event.take()?;
        self.device.set_bus_master(true)?;
        Ok(true)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), Error> {
        self.pool.write(address, data).ok_or_else(|| self.range(address, data.len()))
    }

    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Error> {
        let bytes = data.len();
        self.pool.read(address, data).ok_or_else(|| self.range(address, bytes))
    }

    fn host_address(&self, address: u64, bytes: u64) -> Option<NonNull<u8>> {
        self.pool.host_address(address, bytes)
    }

    fn wait(&mut self, limit: Limit) -> Result<Waited, Error> {
        let start = Instant::now();
        while start.elapsed() < SPIN {
            if self.event.take()? > 0 {
                return Ok(Waited::Interrupt);
            }
            std::hint::spin_loop();
        }
        let interrupt = self.device.wait(&self.event, limit.time)?;
        Ok(if interrupt { Waited::Interrupt } else { Waited::Expired })
    }
}

impl Drop for Pcie {
    fn drop(&mut self) {
        // First no transfers, then no memory.
        let _ = self.device.set_bus_master(false);
        self.pool.release(&mut *self.device);
    }
}

impl From<pcie_mmap::Error> for Error {
    fn from(error: pcie_mmap::Error) -> Self {
        use pcie_mmap::Error as E;
        match error {
            E::NotFound { device: card, .. } => Error::NotFound { card },
            E::Busy { device: card } => Error::Busy { card },
            E::Permission { path } => Error::Permission { path },
            E::NoIommu { device: card } => Error::NoIommu { card },
            E::MemlockLimit { need, limit } => Error::MemlockLimit { need, limit },
            E::Gone { device: card } => Error::DeviceLost { card },
            E::BadAddress(_) => Error::invalid_arg(1, error.to_string()),
            E::Io { action, path, source } => Error::Io { action, path, source },
            // The message begins with the device.
            other => Error::Link { card: "PCI".into(), source: Box::new(other) },
        }
    }
}
