//! The calls of the kernel's VFIO and iommufd interfaces, each with the type it takes.

use iommufd_bindings as iommufd;
use rustix::io::Errno;
use std::ffi::c_ulong;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use vfio_bindings::bindings::vfio::{VFIO_BASE, VFIO_TYPE};

/// `_IO(';', 100 + n)`: the kernel's numbers for VFIO carry no size.
const fn number(n: u32) -> c_ulong {
    ((VFIO_TYPE as u32) << 8 | (VFIO_BASE + n)) as c_ulong
}

pub(super) const GET_API_VERSION: c_ulong = number(0);
pub(super) const CHECK_EXTENSION: c_ulong = number(1);
pub(super) const SET_IOMMU: c_ulong = number(2);
pub(super) const GROUP_GET_STATUS: c_ulong = number(3);
pub(super) const GROUP_SET_CONTAINER: c_ulong = number(4);
pub(super) const GROUP_GET_DEVICE_FD: c_ulong = number(6);
pub(super) const DEVICE_GET_INFO: c_ulong = number(7);
pub(super) const DEVICE_GET_REGION_INFO: c_ulong = number(8);
pub(super) const DEVICE_GET_IRQ_INFO: c_ulong = number(9);
pub(super) const DEVICE_SET_IRQS: c_ulong = number(10);
pub(super) const DEVICE_RESET: c_ulong = number(11);
pub(super) const IOMMU_GET_INFO: c_ulong = number(12);
pub(super) const IOMMU_MAP_DMA: c_ulong = number(13);
pub(super) const IOMMU_UNMAP_DMA: c_ulong = number(14);
pub(super) const DEVICE_BIND_IOMMUFD: c_ulong = number(18);
pub(super) const DEVICE_ATTACH_IOMMUFD_PT: c_ulong = number(19);
// iommufd has numbers of its own in the same range.
pub(super) const IOAS_ALLOC: c_ulong = of_iommufd(iommufd::IOMMUFD_CMD_IOAS_ALLOC);
pub(super) const IOAS_IOVA_RANGES: c_ulong = of_iommufd(iommufd::IOMMUFD_CMD_IOAS_IOVA_RANGES);
pub(super) const IOAS_MAP: c_ulong = of_iommufd(iommufd::IOMMUFD_CMD_IOAS_MAP);
pub(super) const IOAS_UNMAP: c_ulong = of_iommufd(iommufd::IOMMUFD_CMD_IOAS_UNMAP);

/// `_IO(IOMMUFD_TYPE, n)`.
const fn of_iommufd(n: u32) -> c_ulong {
    ((iommufd::IOMMUFD_TYPE as u32) << 8 | n) as c_ulong
}

/// A structure that one of the calls above reads and writes.
///
/// # Safety
/// The type consists of integers only (any bytes are a value), is laid out as the kernel's structure for the calls it
/// is used with, and has `argsz` or `size` as its first word, no larger than the type.
pub(super) unsafe trait Argument: Copy {}

/// Calls the kernel with a number or nothing.
pub(super) fn plain(fd: impl AsFd, call: c_ulong, number: c_ulong) -> Result<i32, Errno> {
    // SAFETY: the calls this is used for take an integer by value, or nothing; the kernel touches no memory of ours.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), call as _, number) };
    checked(result)
}

/// Calls the kernel with a structure.
pub(super) fn with<T: Argument>(
    fd: impl AsFd,
    call: c_ulong,
    argument: &mut T,
) -> Result<i32, Errno> {
    let argument: *mut T = argument;
    // SAFETY: the pointer is to a whole `T`, exclusively borrowed for the call; `Argument` promises that the kernel
    // touches no more than that and that what it leaves is a `T`.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), call as _, argument) };
    checked(result)
}

/// Calls the kernel with words whose first is their length in bytes.
pub(super) fn with_words(fd: impl AsFd, call: c_ulong, words: &mut [u32]) -> Result<i32, Errno> {
    if words.first().copied() != Some(size_of_val(words) as u32) {
        return Err(Errno::INVAL);
    }
    // SAFETY: the calls this is used for begin with their length, which was just checked to be that of the slice; the
    // kernel reads and writes within it, and any words are valid.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), call as _, words.as_mut_ptr()) };
    checked(result)
}

/// Calls the kernel with the number of a file descriptor.
pub(super) fn with_fd(fd: impl AsFd, call: c_ulong, other: impl AsFd) -> Result<i32, Errno> {
    let number: i32 = other.as_fd().as_raw_fd();
    // SAFETY: the calls this is used for read one `int` behind the pointer, which lives until the call returns.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), call as _, &raw const number) };
    checked(result)
}

/// Asks the kernel for a file descriptor by name.
pub(super) fn descriptor(
    fd: impl AsFd,
    call: c_ulong,
    name: &std::ffi::CStr,
) -> Result<OwnedFd, Errno> {
    // SAFETY: the call reads a string that ends with 0 behind the pointer.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), call as _, name.as_ptr()) };
    let number = checked(result)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn checked(result: i32) -> Result<i32, Errno> {
    if result >= 0 {
        return Ok(result);
    }
    let error = std::io::Error::last_os_error();
    Err(error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's header: `#define VFIO_DEVICE_RESET _IO(VFIO_TYPE, VFIO_BASE + 11)` and so on.
    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!((GET_API_VERSION, DEVICE_RESET, IOMMU_MAP_DMA), (0x3b64, 0x3b6f, 0x3b71));
        assert_eq!((DEVICE_BIND_IOMMUFD, DEVICE_ATTACH_IOMMUFD_PT), (0x3b76, 0x3b77));
        let ioas = [IOAS_ALLOC, IOAS_IOVA_RANGES, IOAS_MAP, IOAS_UNMAP];
        assert_eq!(ioas, [0x3b81, 0x3b84, 0x3b85, 0x3b86]);
    }

    /// What is given as words lies where the kernel's header has it.
    #[test]
    fn words_are_the_kernels() {
        use std::mem::offset_of;
        use vfio_bindings::bindings::vfio::{
            vfio_device_attach_iommufd_pt as attach, vfio_device_bind_iommufd as bind,
        };
        let words = [offset_of!(bind, argsz), offset_of!(bind, flags), offset_of!(bind, iommufd)];
        assert_eq!((words, offset_of!(bind, out_devid)), ([0, 4, 8], 12));
        let words =
            [offset_of!(attach, argsz), offset_of!(attach, flags), offset_of!(attach, pt_id)];
        assert_eq!(words, [0, 4, 8]);
        use iommufd::iommu_ioas_alloc as alloc;
        let words =
            [offset_of!(alloc, size), offset_of!(alloc, flags), offset_of!(alloc, out_ioas_id)];
        assert_eq!((words, size_of::<alloc>()), ([0, 4, 8], 12));
    }
}
