//! Memory that a device sees too.

use crate::{Error, page_size};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

/// A mapped piece of a file: memory or registers of a device. Somebody else may read and write it at any time,
/// so it is never lent out as a slice; data is copied in and out.
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
    what: &'static str,
}

// SAFETY: a mapping belongs to the process, not to a thread; `start` is only used by the copies and volatile accesses
// below, which are valid from any thread.
unsafe impl Send for Mapping {}
// SAFETY: as above. Two threads that copy over each other mix bytes, as the device could; no reference into the
// mapping exists that such a copy could break.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of `file` from `offset` on, to be read and, with `writable`, written.
    ///
    /// The file must not be shortened while it is mapped: an access past its end kills the process (SIGBUS). Seal
    /// memory files against it, or check that they are.
    ///
    /// # Errors
    /// [`Error::Io`] from the kernel; `offset` must be a multiple of the page size and `len` not zero.
    pub fn new(
        file: BorrowedFd<'_>,
        offset: u64,
        len: usize,
        writable: bool,
        what: &'static str,
    ) -> Result<Self, Error> {
        let access = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: with a null hint the kernel chooses addresses that nothing else uses, so no memory of this
        // program changes its meaning.
        let start =
            unsafe { mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, file, offset) };
        let start = start.map_err(|e| Error::io("map", what, e))?;
        let Some(start) = NonNull::new(start.cast::<u8>()) else {
            return Err(Error::io("map", what, std::io::Error::other("mapped at address 0")));
        };
        // A child would share the pages while the device uses them. Registers cannot be excluded on old
        // kernels, and need not be.
        // SAFETY: the range is the mapping just made; the advice only concerns children of a fork.
        let _ = unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxDontFork) };
        Ok(Mapping { start, len, what })
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is mapped; never so.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address of the first byte in this process.
    pub(crate) fn address(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    /// Reads a register.
    ///
    /// # Errors
    /// [`Error::Range`] outside the mapping or at an odd offset.
    pub fn read32(&self, offset: usize) -> Result<u32, Error> {
        let at = self.at(offset, 4)?;
        if !offset.is_multiple_of(4) {
            return Err(self.range(offset, 4));
        }
        // SAFETY: `at` was checked to have four bytes of the mapping behind it; a mapping begins at a page, so the
        // pointer is aligned. Volatile, because a device may be on the other side.
        Ok(u32::from_le(unsafe { at.cast::<u32>().read_volatile() }))
    }

    /// Writes a register.
    ///
    /// # Errors
    /// As [`read32`](Self::read32). The mapping must be writable.
    pub fn write32(&self, offset: usize, value: u32) -> Result<(), Error> {
        let at = self.at(offset, 4)?;
        if !offset.is_multiple_of(4) {
            return Err(self.range(offset, 4));
        }
        // SAFETY: as in `read32`. Registers are only mapped writable in this crate.
        unsafe { at.cast::<u32>().write_volatile(value.to_le()) };
        Ok(())
    }

    /// Copies out of the mapping.
    ///
    /// # Errors
    /// [`Error::Range`] outside it.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result<(), Error> {
        let from = self.at(offset, to.len())?;
        // SAFETY: `from` has `to.len()` bytes of the mapping behind it, and `to` is a slice of this program, which no
        // mapping overlaps. Bytes that a device changes meanwhile come old or new; any bytes are valid `u8`s.
        unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    /// Copies into the mapping, which must be writable.
    ///
    /// # Errors
    /// [`Error::Range`] outside it.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result<(), Error> {
        let to = self.at(offset, from.len())?;
        // SAFETY: as in `read`, the other way round. Memory is only mapped writable where this is called.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
        Ok(())
    }

    /// Where `bytes` bytes at `offset` lie in this process, valid as long as the mapping. Others may change them at any
    /// time; whoever goes there sees to it that they do not.
    ///
    /// # Errors
    /// [`Error::Range`] when not all of them are inside.
    pub fn pointer(&self, offset: usize, bytes: usize) -> Result<NonNull<u8>, Error> {
        let at = self.at(offset, bytes)?;
        NonNull::new(at).ok_or_else(|| self.range(offset, bytes))
    }

    /// The address of `bytes` bytes at `offset`, all of them inside.
    fn at(&self, offset: usize, bytes: usize) -> Result<*mut u8, Error> {
        match offset.checked_add(bytes) {
            // SAFETY: offset <= len, so the pointer stays inside the mapping or one past its end.
            Some(end) if end <= self.len => Ok(unsafe { self.start.as_ptr().add(offset) }),
            _ => Err(self.range(offset, bytes)),
        }
    }

    fn range(&self, offset: usize, bytes: usize) -> Error {
        let (offset, bytes, len) = (offset as u64, bytes as u64, self.len as u64);
        Error::Range { what: self.what.into(), offset, bytes, len }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this mapping, made in `new` and unmapped only here; no pointer into it outlives `self`.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").field("what", &self.what).field("len", &self.len).finish()
    }
}

/// Memory for DMA: whole pages, zero at first, physically there when touched.
///
/// It is a sealed memory file, so that another process (a simulated device) can map the same pages and be sure
/// that they stay.
#[derive(Debug)]
pub struct Memory {
    file: OwnedFd,
    map: Mapping,
}

impl Memory {
    /// Memory of at least `bytes`, rounded up to whole pages.
    ///
    /// # Errors
    /// [`Error::Io`] when there is not that much.
    pub fn new(bytes: usize) -> Result<Self, Error> {
        let failed = |e: rustix::io::Errno| Error::io("reserve", "DMA memory", e);
        let page = page_size() as usize;
        let len = bytes.max(1).checked_next_multiple_of(page).ok_or(rustix::io::Errno::NOMEM);
        let len = len.map_err(failed)?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = memfd_create("dma", flags).map_err(failed)?;
        ftruncate(&file, len as u64).map_err(failed)?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals).map_err(failed)?;
        let map = Mapping::new(file.as_fd(), 0, len, true, "DMA memory")?;
        Ok(Memory { file, map })
    }

    /// The pages in this process.
    pub fn map(&self) -> &Mapping {
        &self.map
    }

    /// Bytes, whole pages.
    pub fn len(&self) -> u64 {
        self.map.len() as u64
    }

    /// Whether there is no memory; never so.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_stay_inside() {
        let memory = Memory::new(5000).unwrap();
        let len = memory.len() as usize;
        assert_eq!(len, 8192);
        let map = memory.map();
        map.write(len - 3, &[1, 2, 3]).unwrap();
        let mut back = [0; 4];
        map.read(len - 4, &mut back).unwrap();
        assert_eq!(back, [0, 1, 2, 3]);
        for (offset, bytes) in [(len - 3, 4), (len + 1, 0), (usize::MAX, 2)] {
            assert!(matches!(map.read(offset, &mut vec![0; bytes]), Err(Error::Range { .. })));
            assert!(matches!(map.write(offset, &vec![0; bytes]), Err(Error::Range { .. })));
        }
        map.write32(len - 4, 0x0403_0201).unwrap();
        map.read(len - 4, &mut back).unwrap();
        assert_eq!((back, map.read32(len - 4).unwrap()), ([1, 2, 3, 4], 0x0403_0201));
        for offset in [2, len - 3, len, usize::MAX - 3] {
            assert!(map.read32(offset).is_err() && map.write32(offset, 0).is_err());
        }
    }

    /// The other process relies on it.
    #[test]
    fn memory_cannot_be_shortened() {
        let memory = Memory::new(4096).unwrap();
        assert_eq!(ftruncate(memory.file(), 0), Err(rustix::io::Errno::PERM));
    }
}
