//! What the kernel tells about PCI devices, and registers without a driver.

use crate::device::register;
use crate::{Access, Error, EventFd, IrqKind, Mapping, Memory, PciDevice};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::ops::RangeInclusive;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where the kernel shows devices.
pub(crate) const SYSFS: &str = "/sys";

/// Address of a PCI device: domain, bus, device, function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl FromStr for Address {
    type Err = Error;

    /// Reads `0000:03:00.0`, or `03:00.0` in domain 0.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (slot, function) = text.rsplit_once('.')?;
            let (bus, device) = slot.rsplit_once(':')?;
            let (domain, bus) = bus.rsplit_once(':').unwrap_or(("0000", bus));
            let hex = |digits: &str, min: usize, max: usize| {
                let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
                let fits = (min..=max).contains(&digits.len()) && plain;
                fits.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
            };
            let (device, function) = (hex(device, 2, 2)?, hex(function, 1, 1)?);
            (device < 32 && function < 8).then_some(())?;
            Some(Address {
                domain: hex(domain, 4, 8)?,
                bus: hex(bus, 2, 2)? as u8,
                device: device as u8,
                function: function as u8,
            })
        };
        parse().ok_or_else(|| Error::BadAddress(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { domain, bus, device, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function}")
    }
}

impl Address {
    /// Every PCI device of this machine, rising; none where there is no PCI bus.
    pub fn all() -> Vec<Address> {
        let folder = Path::new(SYSFS).join("bus/pci/devices");
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut all: Vec<Address> =
            entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        all.sort();
        all
    }

    /// The device's folder below `sysfs`, which is `/sys` except in tests.
    pub(crate) fn folder(&self, sysfs: &Path) -> PathBuf {
        sysfs.join("bus/pci/devices").join(self.to_string())
    }

    /// A number that the kernel shows in a file of the device, such as `vendor`, `device` or `class`.
    pub fn number(&self, file: &str) -> Option<u32> {
        let text = std::fs::read_to_string(self.folder(Path::new(SYSFS)).join(file)).ok()?;
        u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
    }

    /// Name of the driver the device is bound to.
    pub fn driver(&self) -> Option<String> {
        linked(&self.folder(Path::new(SYSFS)).join("driver"))
    }

    /// Number of the device's IOMMU group.
    pub fn iommu_group(&self) -> Option<String> {
        linked(&self.folder(Path::new(SYSFS)).join("iommu_group"))
    }
}

/// Last part of what a symbolic link points to.
pub(crate) fn linked(link: &Path) -> Option<String> {
    let target = std::fs::read_link(link).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

/// A device's registers through files that only root may open. No DMA, since nothing would keep the device from
/// the rest of memory, and no interrupts: for looking at a device, not for driving it.
#[derive(Debug)]
pub struct SysfsPci {
    address: Address,
    bars: [Option<Mapping>; 6],
    config: File,
}

impl SysfsPci {
    /// Maps the memory BARs of a device that no other driver uses.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Permission`], [`Error::Busy`] when a driver has the device.
    pub fn open(address: Address) -> Result<Self, Error> {
        Self::open_in(Path::new(SYSFS), address)
    }

    fn open_in(sysfs: &Path, address: Address) -> Result<Self, Error> {
        let folder = address.folder(sysfs);
        let device = address.to_string();
        if !folder.exists() {
            return Err(Error::NotFound { device, next: "compare with `lspci -D`" });
        }
        if let Some(driver) = linked(&folder.join("driver")) {
            return Err(Error::Busy { device: format!("{device} (bound to {driver})") });
        }
        let open = |file: &str| {
            let path = folder.join(file);
            let file = OpenOptions::new().read(true).write(true).open(&path);
            file.map_err(|e| Error::io("open", path, e))
        };
        let config = open("config")?;
        let mut bars = [const { None }; 6];
        for (bar, map) in bars.iter_mut().enumerate() {
            let name = format!("resource{bar}");
            // Ports and BARs that are not there have no file, or an empty one.
            let len = std::fs::metadata(folder.join(&name)).map_or(0, |m| m.len());
            let Ok(len @ 1..) = usize::try_from(len) else { continue };
            *map = Some(Mapping::new(open(&name)?.as_fd(), 0, len, true, "BAR")?);
        }
        Ok(SysfsPci { address, bars, config })
    }

    fn bar(&self, bar: u8, offset: u64) -> Result<(&Mapping, usize), Error> {
        let at = register(bar, self.bar_len(bar), offset)?;
        match self.bars.get(usize::from(bar)) {
            Some(Some(map)) => Ok((map, at)),
            _ => Err(Error::Range { what: format!("BAR {bar}"), offset, bytes: 4, len: 0 }),
        }
    }

    fn unsupported(&self, what: &'static str) -> Error {
        Error::Unsupported { device: self.description(), what }
    }
}

impl PciDevice for SysfsPci {
    fn description(&self) -> String {
        format!("{} (sysfs)", self.address)
    }

    fn bar_len(&self, bar: u8) -> u64 {
        let map = self.bars.get(usize::from(bar)).and_then(Option::as_ref);
        map.map_or(0, |map| map.len() as u64)
    }

    fn read32(&mut self, bar: u8, offset: u64) -> Result<u32, Error> {
        let (map, at) = self.bar(bar, offset)?;
        map.read32(at)
    }

    fn write32(&mut self, bar: u8, offset: u64, value: u32) -> Result<(), Error> {
        let (map, at) = self.bar(bar, offset)?;
        map.write32(at, value)
    }

    fn config_read(&mut self, offset: u16, data: &mut [u8]) -> Result<(), Error> {
        let read = self.config.read_exact_at(data, offset.into());
        read.map_err(|e| Error::io("read", "config", e))
    }

    fn config_write(&mut self, offset: u16, data: &[u8]) -> Result<(), Error> {
        let written = self.config.write_all_at(data, offset.into());
        written.map_err(|e| Error::io("write", "config", e))
    }

    fn iova_ranges(&self) -> Vec<RangeInclusive<u64>> {
        vec![]
    }

    fn dma_map(&mut self, _: &Memory, _: u64, _: Access) -> Result<(), Error> {
        Err(self.unsupported("DMA"))
    }

    fn dma_unmap(&mut self, _: u64, _: u64) -> Result<(), Error> {
        Err(self.unsupported("DMA"))
    }

    fn irq_count(&self, _: IrqKind) -> u32 {
        0
    }

    fn set_interrupts(&mut self, _: IrqKind, _: &[&EventFd]) -> Result<(), Error> {
        Err(self.unsupported("an interrupt"))
    }

    fn reset(&mut self) -> Result<(), Error> {
        Err(self.unsupported("reset"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, shown) in [
            ("0000:03:00.0", "0000:03:00.0"),
            ("03:1f.7", "0000:03:1f.7"),
            ("10000:E1:00.1", "10000:e1:00.1"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
        for text in
            ["", "3:00.0", "03:00", "03:20.0", "03:00.8", "03:00.00", "0000:0+:00.0", "../x"]
        {
            assert!(matches!(text.parse::<Address>(), Err(Error::BadAddress(_))), "{text:?}");
        }
    }

    /// Files in place of the kernel's.
    #[test]
    fn registers_through_files() {
        let folder = tempfile::tempdir().unwrap();
        let address: Address = "03:00.0".parse().unwrap();
        assert!(matches!(SysfsPci::open_in(folder.path(), address), Err(Error::NotFound { .. })));
        let device = address.folder(folder.path());
        std::fs::create_dir_all(&device).unwrap();
        std::fs::write(device.join("config"), [0x34, 0x12, 0x41, 0x4d, 0, 0, 0, 0]).unwrap();
        std::fs::write(device.join("resource0"), [7; 4096]).unwrap();
        std::fs::write(device.join("resource1"), []).unwrap();
        let mut card = SysfsPci::open_in(folder.path(), address).unwrap();
        assert_eq!((card.bar_len(0), card.bar_len(1), card.bar_len(9)), (4096, 0, 0));
        assert_eq!(card.ids().unwrap(), (0x1234, 0x4d41));
        card.write32(0, 8, 5).unwrap();
        assert_eq!((card.read32(0, 8).unwrap(), card.read32(0, 12).unwrap()), (5, 0x0707_0707));
        assert!(card.read32(0, 4096).is_err() && card.read32(1, 0).is_err());
        card.set_bus_master(true).unwrap();
        let mut command = [0];
        card.config_read(4, &mut command).unwrap();
        assert_eq!(command, [6]);
        assert!(matches!(card.reset(), Err(Error::Unsupported { .. })));
        std::os::unix::fs::symlink("/drivers/nvme", device.join("driver")).unwrap();
        let busy = SysfsPci::open_in(folder.path(), address).unwrap_err().to_string();
        assert!(busy.contains("bound to nvme"), "{busy}");
    }
}
