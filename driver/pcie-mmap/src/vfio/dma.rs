//! The IOMMU of a device: which bus addresses reach which memory.

use super::ioctl::{self, Argument};
use crate::{Access, Mapping};
use iommufd_bindings as iommufd;
use rustix::io::Errno;
use std::ffi::c_ulong;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use vfio_bindings::bindings::vfio as abi;

/// Node of the second interface.
pub(super) const IOMMUFD: &str = "/dev/iommu";
/// The kind of IOMMU container that maps and unmaps piece by piece.
pub(super) const TYPE1V2: c_ulong = abi::VFIO_TYPE1v2_IOMMU as c_ulong;
/// Words for the answer about address ranges: room for more than any machine has.
const ANSWER_WORDS: usize = 256;

// SAFETY: a structure of the kernel's own header, of integers only, with `argsz` first.
unsafe impl Argument for abi::vfio_iommu_type1_dma_map {}
// SAFETY: as above; the array at its end is empty.
unsafe impl Argument for Unmap {}
// SAFETY: a structure of the kernel's own header, of integers only, with `size` first.
unsafe impl Argument for iommufd::iommu_ioas_map {}
// SAFETY: as above.
unsafe impl Argument for iommufd::iommu_ioas_unmap {}
// SAFETY: as above.
unsafe impl Argument for iommufd::iommu_ioas_iova_ranges {}

/// `struct vfio_iommu_type1_dma_unmap` without the array at its end.
#[repr(C)]
#[derive(Clone, Copy)]
struct Unmap {
    argsz: u32,
    flags: u32,
    iova: u64,
    size: u64,
}

/// Memory of one device through either interface of the kernel.
#[derive(Debug)]
pub(super) enum Iommu {
    /// A container with one group, which must stay open as long as the device.
    Container { container: OwnedFd, _group: OwnedFd },
    /// An address space of iommufd.
    Iommufd { node: OwnedFd, ioas: u32 },
}

impl Iommu {
    pub(super) fn container(container: OwnedFd, group: OwnedFd) -> Self {
        Iommu::Container { container, _group: group }
    }

    pub(super) fn iommufd(node: OwnedFd) -> Result<Self, Errno> {
        // size, flags, out_ioas_id
        let mut alloc = [12, 0, 0];
        ioctl::with_words(&node, ioctl::IOAS_ALLOC, &mut alloc)?;
        Ok(Iommu::Iommufd { node, ioas: alloc[2] })
    }

    /// Number of the address space of iommufd.
    pub(super) fn ioas(&self) -> Option<u32> {
        match self {
            Iommu::Container { .. } => None,
            Iommu::Iommufd { ioas, .. } => Some(*ioas),
        }
    }

    pub(super) fn map(&self, memory: &Mapping, iova: u64, access: Access) -> Result<(), Errno> {
        let (user_va, length) = (memory.address(), memory.len() as u64);
        match self {
            Iommu::Container { container, .. } => {
                let mut map = abi::vfio_iommu_type1_dma_map {
                    argsz: size_of::<abi::vfio_iommu_type1_dma_map>() as u32,
                    flags: access.bits(),
                    vaddr: user_va,
                    iova,
                    size: length,
                };
                ioctl::with(container, ioctl::IOMMU_MAP_DMA, &mut map).map(drop)
            }
            Iommu::Iommufd { node, ioas } => {
                let flag = |set: bool, flag: u32| if set { flag } else { 0 };
                let flags = iommufd::iommufd_ioas_map_flags_IOMMU_IOAS_MAP_FIXED_IOVA
                    | flag(access.reads(), iommufd::iommufd_ioas_map_flags_IOMMU_IOAS_MAP_READABLE)
                    | flag(
                        access.writes(),
                        iommufd::iommufd_ioas_map_flags_IOMMU_IOAS_MAP_WRITEABLE,
                    );
                let mut map = iommufd::iommu_ioas_map {
                    size: size_of::<iommufd::iommu_ioas_map>() as u32,
                    flags,
                    ioas_id: *ioas,
                    __reserved: 0,
                    user_va,
                    length,
                    iova,
                };
                ioctl::with(node, ioctl::IOAS_MAP, &mut map).map(drop)
            }
        }
    }

    pub(super) fn unmap(&self, iova: u64, length: u64) -> Result<(), Errno> {
        let done = match self {
            Iommu::Container { container, .. } => {
                let argsz = size_of::<Unmap>() as u32;
                let mut unmap = Unmap { argsz, flags: 0, iova, size: length };
                ioctl::with(container, ioctl::IOMMU_UNMAP_DMA, &mut unmap)?;
                unmap.size
            }
            Iommu::Iommufd { node, ioas } => {
                let size = size_of::<iommufd::iommu_ioas_unmap>() as u32;
                let mut unmap = iommufd::iommu_ioas_unmap { size, ioas_id: *ioas, iova, length };
                ioctl::with(node, ioctl::IOAS_UNMAP, &mut unmap)?;
                unmap.length
            }
        };
        // The first interface reports what was not there as success of nothing.
        if done == length { Ok(()) } else { Err(Errno::NOENT) }
    }

    /// Addresses that can be mapped; all, when the kernel does not say.
    pub(super) fn ranges(&self) -> Vec<RangeInclusive<u64>> {
        let ranges = match self {
            Iommu::Container { container, .. } => {
                let mut words = vec![0u32; ANSWER_WORDS];
                words[0] = 4 * ANSWER_WORDS as u32;
                match ioctl::with_words(container, ioctl::IOMMU_GET_INFO, &mut words) {
                    Ok(_) => type1_ranges(&words),
                    Err(_) => vec![],
                }
            }
            Iommu::Iommufd { node, ioas } => iommufd_ranges(node, *ioas).unwrap_or_default(),
        };
        if ranges.is_empty() { vec![0..=u64::MAX] } else { ranges }
    }
}

fn iommufd_ranges(node: &OwnedFd, ioas: u32) -> Result<Vec<RangeInclusive<u64>>, Errno> {
    let mut pairs = vec![[0u64; 2]; ANSWER_WORDS / 4];
    let mut ranges = iommufd::iommu_ioas_iova_ranges {
        size: size_of::<iommufd::iommu_ioas_iova_ranges>() as u32,
        ioas_id: ioas,
        num_iovas: pairs.len() as u32,
        __reserved: 0,
        // The kernel writes at most `num_iovas` pairs here, which is what the vector has.
        allowed_iovas: pairs.as_mut_ptr() as u64,
        out_iova_alignment: 0,
    };
    ioctl::with(node, ioctl::IOAS_IOVA_RANGES, &mut ranges)?;
    pairs.truncate(ranges.num_iovas as usize);
    Ok(pairs.into_iter().map(|[first, last]| first..=last).collect())
}

/// The list of ranges in an answer to `VFIO_IOMMU_GET_INFO`: a chain of capabilities behind the structure.
fn type1_ranges(words: &[u32]) -> Vec<RangeInclusive<u64>> {
    let word = |at: usize| words.get(at).copied().unwrap_or(0);
    let wide = |at: usize| u64::from(word(at)) | u64::from(word(at + 1)) << 32;
    if word(1) & abi::VFIO_IOMMU_INFO_CAPS == 0 {
        return vec![];
    }
    let mut at = word(4) as usize / 4;
    // Every capability is further on than the one before.
    while at > 0 && at < words.len() {
        if word(at) & 0xffff == abi::VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE {
            let count = (word(at + 2) as usize).min((words.len() - at) / 4);
            return (0..count).map(|i| wide(at + 4 + 4 * i)..=wide(at + 6 + 4 * i)).collect();
        }
        let next = word(at + 1) as usize / 4;
        at = if next > at { next } else { 0 };
    }
    vec![]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_in_the_chain() {
        let mut words = vec![0; 40];
        // argsz, flags, page sizes, offset of the first capability.
        words[..5].copy_from_slice(&[160, 2, 0, 0, 24]);
        words[6..8].copy_from_slice(&[3 | 1 << 16, 48]); // another capability; the next at byte 48
        words[12..16].copy_from_slice(&[1 | 1 << 16, 0, 2, 0]);
        words[16..24].copy_from_slice(&[0, 0, 0xfedf_ffff, 0, 0xfef0_0000, 0, u32::MAX, 0x7f]);
        assert_eq!(type1_ranges(&words), [0..=0xfedf_ffff, 0xfef0_0000..=0x7f_ffff_ffff]);
        words[7] = 24; // a chain that bites its tail
        assert_eq!(type1_ranges(&words), []);
        words[14] = u32::MAX; // more ranges than there is room for
        words[7] = 48;
        assert!(type1_ranges(&words).len() < 10);
    }
}
