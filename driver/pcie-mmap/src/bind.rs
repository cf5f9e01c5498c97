//! Giving a device to user space, and back to its driver.
//!
//! Both need root, once: afterwards the device's group belongs to whoever the node `/dev/vfio/<group>` belongs to.

use crate::Error;
use crate::sysfs::{Address, SYSFS, linked};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The driver that gives a device to user space.
pub const VFIO_PCI: &str = "vfio-pci";

/// A probe is over when this has passed.
const PROBE: Duration = Duration::from_secs(1);

/// What a device was bound to, and what it is bound to now; `None` is no driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Driver before.
    pub from: Option<String>,
    /// Driver now.
    pub to: Option<String>,
}

/// Binds a device to `vfio-pci`. When that fails the device is given back to the driver it had.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NoIommu`], [`Error::Permission`], and [`Error::NotBound`] when the
/// `vfio-pci` module is not loaded.
pub fn bind(address: Address) -> Result<Moved, Error> {
    Sysfs::new(Path::new(SYSFS), address)?.bind()
}

/// Takes a device from `vfio-pci` and lets the kernel choose its driver again.
///
/// # Errors
/// As [`bind`].
pub fn unbind(address: Address) -> Result<Moved, Error> {
    Sysfs::new(Path::new(SYSFS), address)?.unbind()
}

/// A device in the tree of files by which the kernel is told what to do.
struct Sysfs {
    address: Address,
    bus: PathBuf,
    device: PathBuf,
}

impl Sysfs {
    fn new(sysfs: &Path, address: Address) -> Result<Self, Error> {
        let device = address.folder(sysfs);
        if !device.exists() {
            let next = "compare with `lspci -D`";
            return Err(Error::NotFound { device: address.to_string(), next });
        }
        Ok(Sysfs { address, bus: sysfs.join("bus/pci"), device })
    }

    fn driver(&self) -> Option<String> {
        linked(&self.device.join("driver"))
    }

    fn bind(&self) -> Result<Moved, Error> {
        let from = self.driver();
        if from.as_deref() == Some(VFIO_PCI) {
            return Ok(Moved { to: from.clone(), from });
        }
        if linked(&self.device.join("iommu_group")).is_none() {
            return Err(Error::NoIommu { device: self.address.to_string() });
        }
        if !self.bus.join("drivers").join(VFIO_PCI).exists() {
            let driver = "a kernel without the vfio-pci module (modprobe vfio-pci)".into();
            return Err(Error::NotBound { device: self.address.to_string(), driver });
        }
        let moved = self.hand_over(VFIO_PCI, from.as_deref());
        if !matches!(&moved, Ok(moved) if moved.to.as_deref() == Some(VFIO_PCI)) {
            // The override would keep every other driver away from the device for good.
            let _ = self.release(self.driver().as_deref());
        }
        let moved = moved?;
        if moved.to.as_deref() != Some(VFIO_PCI) {
            let driver = moved.to.unwrap_or_else(|| "no driver".into());
            return Err(Error::NotBound { device: self.address.to_string(), driver });
        }
        Ok(moved)
    }

    fn unbind(&self) -> Result<Moved, Error> {
        let from = self.driver();
        self.release(from.as_deref().filter(|driver| *driver == VFIO_PCI))?;
        Ok(Moved { from, to: self.settled(None) })
    }

    fn hand_over(&self, to: &str, from: Option<&str>) -> Result<Moved, Error> {
        write(&self.device.join("driver_override"), to)?;
        if from.is_some() {
            write(&self.device.join("driver/unbind"), &self.address.to_string())?;
        }
        write(&self.bus.join("drivers_probe"), &self.address.to_string())?;
        Ok(Moved { from: from.map(str::to_owned), to: self.settled(Some(to)) })
    }

    /// Ends the override and probes again.
    fn release(&self, driver: Option<&str>) -> Result<(), Error> {
        write(&self.device.join("driver_override"), "\n")?;
        if driver.is_some() {
            write(&self.device.join("driver/unbind"), &self.address.to_string())?;
        }
        write(&self.bus.join("drivers_probe"), &self.address.to_string())
    }

    /// The driver when the probe is over. A probe runs to its end inside the write, except for drivers that
    /// ask to be probed later.
    fn settled(&self, want: Option<&str>) -> Option<String> {
        let end = Instant::now() + PROBE;
        while want.is_some() && self.driver().as_deref() != want && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.driver()
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|e| Error::io("write", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A tree of plain files: what was written can be read back.
    fn tree() -> (tempfile::TempDir, Address) {
        let folder = tempfile::tempdir().unwrap();
        let address: Address = "03:00.0".parse().unwrap();
        let bus = folder.path().join("bus/pci");
        for driver in ["nvme", VFIO_PCI] {
            std::fs::create_dir_all(bus.join("drivers").join(driver)).unwrap();
        }
        std::fs::create_dir_all(address.folder(folder.path())).unwrap();
        (folder, address)
    }

    fn read(path: PathBuf) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_device_without_iommu_is_left_alone() {
        let (folder, address) = tree();
        let device = address.folder(folder.path());
        let sysfs = Sysfs::new(folder.path(), address).unwrap();
        assert!(matches!(sysfs.bind(), Err(Error::NoIommu { .. })));
        assert!(!device.join("driver_override").exists());
        let other = "04:00.0".parse().unwrap();
        assert!(matches!(Sysfs::new(folder.path(), other), Err(Error::NotFound { .. })));
    }

    /// Nobody answers the probe here, so the device never reaches vfio-pci: the override must be gone again.
    #[test]
    fn a_failed_bind_is_taken_back() {
        let (folder, address) = tree();
        let device = address.folder(folder.path());
        symlink("/sys/kernel/iommu_groups/7", device.join("iommu_group")).unwrap();
        symlink(folder.path().join("bus/pci/drivers/nvme"), device.join("driver")).unwrap();
        let sysfs = Sysfs::new(folder.path(), address).unwrap();
        let moved = sysfs.hand_over("nvme", Some("nvme")).unwrap();
        assert_eq!(moved, Moved { from: Some("nvme".into()), to: Some("nvme".into()) });
        assert_eq!(read(device.join("driver_override")), "nvme");
        assert_eq!(read(folder.path().join("bus/pci/drivers/nvme/unbind")), "0000:03:00.0");
        let error = sysfs.bind().unwrap_err().to_string();
        assert!(error.contains("bound to nvme"), "{error}");
        assert_eq!(read(device.join("driver_override")), "\n");
    }

    #[test]
    fn unbind_ends_the_override_and_probes() {
        let (folder, address) = tree();
        let device = address.folder(folder.path());
        let vfio = folder.path().join("bus/pci/drivers").join(VFIO_PCI);
        symlink(&vfio, device.join("driver")).unwrap();
        let sysfs = Sysfs::new(folder.path(), address).unwrap();
        assert_eq!(sysfs.bind().unwrap().from.as_deref(), Some(VFIO_PCI)); // nothing to do
        sysfs.unbind().unwrap();
        assert_eq!(read(device.join("driver_override")), "\n");
        assert_eq!(read(vfio.join("unbind")), "0000:03:00.0");
        assert_eq!(read(folder.path().join("bus/pci/drivers_probe")), "0000:03:00.0");
    }
}
