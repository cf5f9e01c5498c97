//! Devices through the kernel's VFIO.

mod checks;
mod dma;
mod ioctl;

pub use checks::{Check, checks};

use crate::device::register;
use crate::event::wait_any;
use crate::sysfs::{Address, SYSFS};
use crate::{Access, Error, EventFd, IrqKind, Mapping, Memory, PciDevice, memlock_limit};
use dma::Iommu;
use ioctl::Argument;
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vfio_bindings::bindings::vfio as abi;

/// Regions: six BARs, ROM, configuration space.
const REGIONS: usize = 8;
const CONFIG: usize = 7;
/// Most vectors that can be asked for: the size of the largest MSI-X table.
const MOST_VECTORS: u32 = 2048;
/// Interrupt index by which the kernel asks for the device back.
const REQUEST: u32 = abi::VFIO_PCI_REQ_IRQ_INDEX;

// SAFETY: all of them are structures of the kernel's own header, of integers only, with `argsz` first.
unsafe impl Argument for abi::vfio_group_status {}
// SAFETY: as above.
unsafe impl Argument for abi::vfio_device_info {}
// SAFETY: as above.
unsafe impl Argument for abi::vfio_region_info {}
// SAFETY: as above.
unsafe impl Argument for abi::vfio_irq_info {}

/// A device bound to `vfio-pci`, as an ordinary user with access to its group may use it.
///
/// Registers are mapped; the IOMMU keeps the device from all memory that was not given to it. The kernel stops
/// the device's DMA when this is dropped, or when the process dies.
#[derive(Debug)]
pub struct VfioPci {
    address: Address,
    regions: [abi::vfio_region_info; REGIONS],
    irqs: [u32; 5],
    resettable: bool,
    bars: [Option<Mapping>; 6],
    /// The kernel wants the device back: it is being removed or unbound.
    request: EventFd,
    locked: u64,
    device: File,
    iommu: Iommu,
}

impl VfioPci {
    /// Opens a device that is bound to `vfio-pci`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoIommu`], [`Error::NotBound`], [`Error::NotViable`],
    /// [`Error::Permission`] with the file, [`Error::Busy`] when another process has the group.
    pub fn open(address: Address) -> Result<Self, Error> {
        checks::before_opening(address)?;
        let (device, iommu) = match cdev(address) {
            Some(path) if Path::new(dma::IOMMUFD).exists() => Self::open_cdev(address, &path)?,
            _ => Self::open_group(address)?,
        };
        Self::look(address, device.into(), iommu)
    }

    /// The first interface: group and container.
    fn open_group(address: Address) -> Result<(OwnedFd, Iommu), Error> {
        let name = address.to_string();
        let number =
            address.iommu_group().ok_or_else(|| Error::NoIommu { device: name.clone() })?;
        let group = open(Path::new("/dev/vfio").join(&number), &name)?;
        let mut status = abi::vfio_group_status { argsz: 8, flags: 0 };
        refused(&name, "its group", ioctl::with(&group, ioctl::GROUP_GET_STATUS, &mut status))?;
        if status.flags & abi::VFIO_GROUP_FLAGS_VIABLE == 0 {
            return Err(Error::NotViable { others: checks::others(address), group: number });
        }
        let container = open("/dev/vfio/vfio".into(), &name)?;
        let version =
            refused(&name, "its version", ioctl::plain(&container, ioctl::GET_API_VERSION, 0))?;
        let type1 = ioctl::plain(&container, ioctl::CHECK_EXTENSION, dma::TYPE1V2);
        if version != abi::VFIO_API_VERSION as i32 || type1 != Ok(1) {
            return Err(Error::Unsupported { device: name, what: "this kernel's kind of IOMMU" });
        }
        refused(
            &name,
            "its group",
            ioctl::with_fd(&group, ioctl::GROUP_SET_CONTAINER, &container),
        )?;
        refused(&name, "its IOMMU", ioctl::plain(&container, ioctl::SET_IOMMU, dma::TYPE1V2))?;
        let c_name =
            std::ffi::CString::new(name.clone()).map_err(|_| Error::BadAddress(name.clone()))?;
        let device = ioctl::descriptor(&group, ioctl::GROUP_GET_DEVICE_FD, &c_name);
        Ok((refused(&name, "the device", device)?, Iommu::container(container, group)))
    }

    /// The second interface: the device's own node, and memory through iommufd.
    fn open_cdev(address: Address, path: &Path) -> Result<(OwnedFd, Iommu), Error> {
        let name = address.to_string();
        let device = open(path.to_owned(), &name)?;
        let iommufd = open(dma::IOMMUFD.into(), &name)?;
        // argsz, flags, iommufd, out_devid
        let mut bind = [16, 0, iommufd.as_raw_fd() as u32, 0];
        refused(
            &name,
            "its IOMMU",
            ioctl::with_words(&device, ioctl::DEVICE_BIND_IOMMUFD, &mut bind),
        )?;
        let iommu = refused(&name, "its IOMMU", Iommu::iommufd(iommufd))?;
        if let Some(ioas) = iommu.ioas() {
            // argsz, flags, pt_id
            let mut attach = [12, 0, ioas];
            let attached = ioctl::with_words(&device, ioctl::DEVICE_ATTACH_IOMMUFD_PT, &mut attach);
            refused(&name, "its IOMMU", attached)?;
        }
        Ok((device, iommu))
    }

    /// Maps the registers and reads what interrupts there are.
    fn look(address: Address, device: File, iommu: Iommu) -> Result<Self, Error> {
        let name = address.to_string();
        let mut info = abi::vfio_device_info {
            argsz: size_of::<abi::vfio_device_info>() as u32,
            flags: 0,
            num_regions: 0,
            num_irqs: 0,
            cap_offset: 0,
            pad: 0,
        };
        refused(&name, "what it is", ioctl::with(&device, ioctl::DEVICE_GET_INFO, &mut info))?;
        let empty = abi::vfio_region_info {
            argsz: size_of::<abi::vfio_region_info>() as u32,
            flags: 0,
            index: 0,
            cap_offset: 0,
            size: 0,
            offset: 0,
        };
        let mut regions = [empty; REGIONS];
        for (index, region) in regions.iter_mut().enumerate() {
            region.index = index as u32;
            let got = ioctl::with(&device, ioctl::DEVICE_GET_REGION_INFO, region);
            if got.is_err() {
                *region = empty; // a ROM that is not there is an error to the kernel
            }
        }
        let mut irqs = [0; 5];
        for (index, count) in irqs.iter_mut().enumerate() {
            let mut irq = abi::vfio_irq_info { argsz: 16, flags: 0, index: index as u32, count: 0 };
            if ioctl::with(&device, ioctl::DEVICE_GET_IRQ_INFO, &mut irq).is_ok() {
                *count = irq.count;
            }
        }
        let mut bars = [const { None }; 6];
        for (bar, region) in bars.iter_mut().zip(&regions) {
            let len = usize::try_from(region.size).unwrap_or(0);
            if len > 0 && region.flags & abi::VFIO_REGION_INFO_FLAG_MMAP != 0 {
                // A BAR that the kernel does not let us map whole is accessed by calls.
                *bar = Mapping::new(device.as_fd(), region.offset, len, true, "BAR").ok();
            }
        }
        let resettable = info.flags & abi::VFIO_DEVICE_FLAGS_RESET != 0;
        let request = EventFd::new()?;
        let opened =
            VfioPci { address, regions, irqs, resettable, bars, request, locked: 0, device, iommu };
        if opened.irqs[REQUEST as usize] > 0 {
            // Without it removal still works; the process only learns of it later.
            let _ = opened.set_irqs(REQUEST, &[&opened.request]);
        }
        Ok(opened)
    }

    fn set_irqs(&self, index: u32, events: &[&EventFd]) -> Result<(), Error> {
        use abi::{VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_IRQ_SET_DATA_NONE};
        let data =
            if events.is_empty() { VFIO_IRQ_SET_DATA_NONE } else { VFIO_IRQ_SET_DATA_EVENTFD };
        let bytes = 4 * (5 + events.len()) as u32;
        let mut words =
            vec![bytes, VFIO_IRQ_SET_ACTION_TRIGGER | data, index, 0, events.len() as u32];
        words.extend(events.iter().map(|event| event.as_fd().as_raw_fd() as u32));
        let set = ioctl::with_words(&self.device, ioctl::DEVICE_SET_IRQS, &mut words);
        refused(&self.description(), "its interrupts", set).map(drop)
    }

    fn region(&self, index: usize, offset: u64, bytes: usize) -> Result<u64, Error> {
        let region = self.regions[index];
        let bytes = bytes as u64;
        if offset.checked_add(bytes).is_some_and(|end| end <= region.size) {
            return Ok(region.offset + offset);
        }
        let what =
            if index == CONFIG { "configuration space".into() } else { format!("BAR {index}") };
        Err(Error::Range { what, offset, bytes, len: region.size })
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let device = self.description();
        move |source| match source.raw_os_error() {
            Some(libc::ENODEV | libc::EIO) => Error::Gone { device },
            _ => Error::Refused { device, what, source },
        }
    }

    fn bar(&self, bar: u8, offset: u64) -> Result<(Option<&Mapping>, usize), Error> {
        let at = register(bar, self.bar_len(bar), offset)?;
        Ok((self.bars.get(usize::from(bar)).and_then(Option::as_ref), at))
    }
}

impl PciDevice for VfioPci {
    fn description(&self) -> String {
        self.address.to_string()
    }

    fn bar_len(&self, bar: u8) -> u64 {
        if bar < 6 { self.regions[usize::from(bar)].size } else { 0 }
    }

    fn read32(&mut self, bar: u8, offset: u64) -> Result<u32, Error> {
        if let (Some(map), at) = self.bar(bar, offset)? {
            return map.read32(at);
        }
        let at = self.region(bar.into(), offset, 4)?;
        let mut word = [0; 4];
        self.device.read_exact_at(&mut word, at).map_err(self.failed("a read"))?;
        Ok(u32::from_le_bytes(word))
    }

    fn write32(&mut self, bar: u8, offset: u64, value: u32) -> Result<(), Error> {
        if let (Some(map), at) = self.bar(bar, offset)? {
            return map.write32(at, value);
        }
        let at = self.region(bar.into(), offset, 4)?;
        self.device.write_all_at(&value.to_le_bytes(), at).map_err(self.failed("a write"))
    }

    fn config_read(&mut self, offset: u16, data: &mut [u8]) -> Result<(), Error> {
        let at = self.region(CONFIG, offset.into(), data.len())?;
        self.device.read_exact_at(data, at).map_err(self.failed("a read"))
    }

    fn config_write(&mut self, offset: u16, data: &[u8]) -> Result<(), Error> {
        let at = self.region(CONFIG, offset.into(), data.len())?;
        self.device.write_all_at(data, at).map_err(self.failed("a write"))
    }

    fn iova_ranges(&self) -> Vec<RangeInclusive<u64>> {
        self.iommu.ranges()
    }

    fn dma_map(&mut self, memory: &Memory, iova: u64, access: Access) -> Result<(), Error> {
        let need = self.locked + memory.len();
        let limit = memlock_limit();
        if let Some(limit) = limit.filter(|limit| need > *limit) {
            return Err(Error::MemlockLimit { need, limit });
        }
        match self.iommu.map(memory.map(), iova, access) {
            Ok(()) => {
                self.locked = need;
                Ok(())
            }
            // Other processes of this user count too.
            Err(Errno::NOMEM) if limit.is_some() => {
                Err(Error::MemlockLimit { need, limit: limit.unwrap_or(0) })
            }
            Err(error) => refused(&self.description(), "a DMA mapping", Err(error)),
        }
    }

    fn dma_unmap(&mut self, iova: u64, len: u64) -> Result<(), Error> {
        let unmapped = self.iommu.unmap(iova, len);
        refused(&self.description(), "the end of a DMA mapping", unmapped)?;
        self.locked = self.locked.saturating_sub(len);
        Ok(())
    }

    fn irq_count(&self, kind: IrqKind) -> u32 {
        self.irqs[kind as usize]
    }

    fn set_interrupts(&mut self, kind: IrqKind, events: &[&EventFd]) -> Result<(), Error> {
        if events.len() > self.irq_count(kind).min(MOST_VECTORS) as usize {
            let what = "that many interrupt vectors";
            return Err(Error::Unsupported { device: self.description(), what });
        }
        self.set_irqs(kind as u32, events)
    }

    fn wait(&mut self, event: &EventFd, limit: Duration) -> Result<bool, Error> {
        let fds = [(event.as_fd(), PollFlags::IN), (self.request.as_fd(), PollFlags::IN)];
        match wait_any(&fds, limit)? {
            Some(0) => Ok(event.take()? > 0),
            Some(_) => Err(Error::Gone { device: self.description() }),
            None => Ok(false),
        }
    }

    fn reset(&mut self) -> Result<(), Error> {
        let device = self.description();
        if !self.resettable {
            return Err(Error::Unsupported { device, what: "reset" });
        }
        let reset = ioctl::plain(&self.device, ioctl::DEVICE_RESET, 0);
        refused(&device, "a reset", reset).map(drop)
    }
}

/// The device's own node, on kernels that have one.
fn cdev(address: Address) -> Option<PathBuf> {
    let folder = address.folder(Path::new(SYSFS)).join("vfio-dev");
    let entry = std::fs::read_dir(folder).ok()?.flatten().next()?;
    let path = Path::new("/dev/vfio/devices").join(entry.file_name());
    path.exists().then_some(path)
}

fn open(path: PathBuf, device: &str) -> Result<OwnedFd, Error> {
    let file = OpenOptions::new().read(true).write(true).open(&path);
    match file {
        Ok(file) => Ok(file.into()),
        Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {
            Err(Error::Busy { device: device.to_owned() })
        }
        Err(e) => Err(Error::io("open", path, e)),
    }
}

fn refused<T>(device: &str, what: &'static str, result: Result<T, Errno>) -> Result<T, Error> {
    result.map_err(|error| match error {
        Errno::BUSY => Error::Busy { device: device.to_owned() },
        Errno::NODEV => Error::Gone { device: device.to_owned() },
        _ => Error::Refused { device: device.to_owned(), what, source: error.into() },
    })
}
