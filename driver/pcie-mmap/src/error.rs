//! Why a device cannot be used, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why an operation on a device failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such device.
    #[error("no device {device}: {next}")]
    NotFound {
        /// The device as it was named.
        device: String,
        /// What to do.
        next: &'static str,
    },
    /// Another process has the device.
    #[error("{device} is in use by another process: end that one first")]
    Busy {
        /// The device as it was named.
        device: String,
    },
    /// The device is bound to a driver that does not give it to user space.
    #[error("{device} is bound to {driver}, not to vfio-pci: bind it first")]
    NotBound {
        /// The device as it was named.
        device: String,
        /// Its driver, or `no driver`.
        driver: String,
    },
    /// A file may not be opened.
    #[error("no permission for {}: let your user read and write it, for example by a udev rule", path.display())]
    Permission {
        /// The file.
        path: PathBuf,
    },
    /// The machine has no IOMMU, or it is off.
    #[error(
        "{device} has no IOMMU group: switch the IOMMU on in the firmware and the kernel (intel_iommu=on)"
    )]
    NoIommu {
        /// The device as it was named.
        device: String,
    },
    /// Another device of the same IOMMU group belongs to a kernel driver.
    #[error(
        "IOMMU group {group} also holds {others}: bind those to vfio-pci too, or use another slot"
    )]
    NotViable {
        /// Number of the group.
        group: String,
        /// The other devices with their drivers.
        others: String,
    },
    /// More memory would be locked than the process may lock.
    #[error("DMA needs {need} bytes of locked memory, the limit is {limit}: raise `ulimit -l`")]
    MemlockLimit {
        /// Bytes needed.
        need: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// This way to the device, or the device, cannot do it.
    #[error("{device}: {what} is not supported")]
    Unsupported {
        /// The device as it was named.
        device: String,
        /// What was asked.
        what: &'static str,
    },
    /// An access outside of what is there.
    #[error("{bytes} bytes at {offset:#x} are not in {what}, which has {len:#x}")]
    Range {
        /// What was accessed.
        what: String,
        /// Where.
        offset: u64,
        /// How many bytes.
        bytes: u64,
        /// How many there are.
        len: u64,
    },
    /// The device went away: it was removed, or its process ended.
    #[error("{device} is gone")]
    Gone {
        /// The device as it was named.
        device: String,
    },
    /// The device's process did not answer in time; nothing more is sent to it.
    #[error("{device} did not answer {what} within {after:?}")]
    Timeout {
        /// The device as it was named.
        device: String,
        /// What was asked.
        what: &'static str,
        /// How long it was waited for.
        after: Duration,
    },
    /// The kernel or the device's process refused.
    #[error("{device} refused {what}: {source}")]
    Refused {
        /// The device as it was named.
        device: String,
        /// What was asked.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// What the other process sends is not vfio-user.
    #[error("{device} breaks the protocol: {what}")]
    Protocol {
        /// The device as it was named.
        device: String,
        /// What is wrong.
        what: String,
    },
    /// The text is not the address of a PCI device.
    #[error("{0:?} is no PCI address: write it as `0000:03:00.0`")]
    BadAddress(String),
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// What the system said about a file.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        let (path, source) = (path.into(), source.into());
        match source.kind() {
            io::ErrorKind::PermissionDenied => Error::Permission { path },
            _ => Error::Io { action, path, source },
        }
    }
}
