//! What must be right before a device can be opened, looked at one by one.

use super::{cdev, dma};
use crate::bind::VFIO_PCI;
use crate::sysfs::{Address, SYSFS};
use crate::{Error, memlock_limit};
use rustix::fs::{Access as FileAccess, access};
use std::path::{Path, PathBuf};

/// A link of the chain from a process to a device.
#[derive(Debug)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What was found, or what is wrong and what to do.
    pub result: Result<String, Error>,
}

/// Looks at one link.
type Look = fn(Address) -> Result<String, Error>;

/// Locked memory that is of use: below it hardly any matrix fits.
const SMALL_LOCK: u64 = 8 << 20;

/// Looks at every link from the bus to the right to open the device, in order, up to the first broken one.
pub fn checks(address: Address) -> Vec<Check> {
    let links: [(&'static str, Look); 6] = [
        ("bus", bus),
        ("iommu", iommu),
        ("driver", driver),
        ("group", group),
        ("permissions", permissions),
        ("locked memory", memlock),
    ];
    let mut checks = vec![];
    for (name, look) in links {
        let result = look(address);
        let broken = result.is_err();
        checks.push(Check { name, result });
        if broken {
            break;
        }
    }
    checks
}

/// The first broken link, if there is one. Limits of memory only matter when memory is mapped.
pub(super) fn before_opening(address: Address) -> Result<(), Error> {
    checks(address)
        .into_iter()
        .filter(|c| c.name != "locked memory")
        .try_for_each(|c| c.result.map(drop))
}

fn bus(address: Address) -> Result<String, Error> {
    let number = |file| address.number(file).unwrap_or(0);
    if !address.folder(Path::new(SYSFS)).exists() {
        let next =
            "compare with `lspci -D`; a card that was just configured needs a rescan of the bus";
        return Err(Error::NotFound { device: address.to_string(), next });
    }
    Ok(format!(
        "{address} is {:04x}:{:04x}, class {:06x}",
        number("vendor"),
        number("device"),
        number("class")
    ))
}

fn iommu(address: Address) -> Result<String, Error> {
    match address.iommu_group() {
        Some(group) => Ok(format!("IOMMU group {group}")),
        None => Err(Error::NoIommu { device: address.to_string() }),
    }
}

fn driver(address: Address) -> Result<String, Error> {
    match address.driver() {
        Some(driver) if driver == VFIO_PCI => Ok(format!("bound to {driver}")),
        other => {
            let driver = other.unwrap_or_else(|| "no driver".into());
            Err(Error::NotBound { device: address.to_string(), driver })
        }
    }
}

/// Devices of the same group that a kernel driver has; bridges do not count.
pub(super) fn others(address: Address) -> String {
    let group = address.iommu_group().unwrap_or_default();
    let folder = Path::new(SYSFS).join("kernel/iommu_groups").join(group).join("devices");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let devices = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<Address>().ok());
    let taken = devices.filter(|other| *other != address).filter_map(|other| {
        let driver = other.driver()?;
        let harmless = [VFIO_PCI, "pci-stub", "pcieport"].contains(&driver.as_str());
        (!harmless).then(|| format!("{other} ({driver})"))
    });
    taken.collect::<Vec<_>>().join(", ")
}

fn group(address: Address) -> Result<String, Error> {
    let others = others(address);
    if others.is_empty() {
        return Ok("no other driver in its group".into());
    }
    Err(Error::NotViable { group: address.iommu_group().unwrap_or_default(), others })
}

fn permissions(address: Address) -> Result<String, Error> {
    let group = address.iommu_group().unwrap_or_default();
    let files: Vec<PathBuf> = match cdev(address) {
        Some(node) if Path::new(dma::IOMMUFD).exists() => vec![node, dma::IOMMUFD.into()],
        _ => vec![Path::new("/dev/vfio").join(group), "/dev/vfio/vfio".into()],
    };
    for path in &files {
        access(path, FileAccess::READ_OK | FileAccess::WRITE_OK)
            .map_err(|e| Error::io("open", path, e))?;
    }
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    Ok(format!("may use {}", names.join(" and ")))
}

fn memlock(_: Address) -> Result<String, Error> {
    match memlock_limit() {
        None => Ok("no limit".into()),
        Some(limit) if limit < SMALL_LOCK => Err(Error::MemlockLimit { need: SMALL_LOCK, limit }),
        Some(limit) => Ok(format!("{limit} bytes may be locked")),
    }
}
