//! PCI devices from user space, by an ordinary user.
//!
//! One trait, [`PciDevice`], and three ways to a device:
//!
//! | way                         | registers | DMA | interrupts | needs                                   |
//! |-----------------------------|-----------|-----|------------|-----------------------------------------|
//! | [`VfioPci`]                 | mapped    | yes | yes        | `vfio-pci` bound, an IOMMU, the group's node |
//! | [`VfioUser`]                | messages  | yes | yes        | the socket of a process that is the device |
//! | [`SysfsPci`]                | mapped    | no  | no         | root; for looking at registers only     |
//!
//! The other end of a vfio-user socket is here as well: [`vfio_user::Server`] serves any
//! [`vfio_user::Backend`], so that a simulated device is seen by this library, by QEMU and so by a
//! guest's kernel.
//!
//! Addresses that a device uses for DMA (IOVAs) are chosen by the caller and mean nothing to the rest of
//! the machine: the IOMMU, or the process at the other end of the socket, lets the device reach what was
//! mapped with [`PciDevice::dma_map`] and nothing else.
//!
//! ```no_run
//! use pcie_mmap::{Access, EventFd, IrqKind, Memory, PciDevice, VfioPci};
//!
//! let mut device = VfioPci::open("0000:03:00.0".parse()?)?;
//! let id = device.read32(0, 0x0)?; // BAR 0, offset 0
//! let memory = Memory::new(1 << 20)?;
//! device.dma_map(&memory, 0x100_0000, Access::ReadWrite)?;
//! let event = EventFd::new()?;
//! device.set_interrupts(IrqKind::Msi, &[&event])?;
//! device.set_bus_master(true)?;
//! # Ok::<(), pcie_mmap::Error>(())
//! ```

mod barrier;
pub mod bind;
pub mod config;
mod device;
mod error;
mod event;
mod limits;
mod memory;
mod sysfs;
mod vfio;
pub mod vfio_user;

pub use barrier::{after_read, before_write};
pub use device::{Access, IrqKind, PciDevice};
pub use error::Error;
pub use event::EventFd;
pub use limits::{memlock_limit, page_size};
pub use memory::{Mapping, Memory};
pub use sysfs::{Address, SysfsPci};
pub use vfio::{Check, VfioPci, checks};
pub use vfio_user::VfioUser;
