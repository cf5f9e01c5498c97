//! Memory of a client as the device sees it: bus addresses to pieces of files.

use super::message::{DmaMap, DmaUnmap};
use crate::{Access, Mapping};
use rustix::fs::{SealFlags, fcntl_get_seals, fstat};
use rustix::io::Errno;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::{Rc, Weak};

/// A guest with an IOMMU maps page by page; more ranges than this are a client that never unmaps.
const MOST_RANGES: usize = 1 << 20;

/// No memory there that may be accessed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no memory for {bytes} bytes at bus address {iova:#x}")]
pub struct Fault {
    /// First bus address of the access.
    pub iova: u64,
    /// Its length.
    pub bytes: usize,
}

/// A file that is mapped once, however many ranges lie in it.
#[derive(Debug)]
struct HostFile {
    identity: (u64, u64),
    len: u64,
    file: OwnedFd,
    /// `None` when the client could shorten the file: then an access through a mapping could kill us.
    map: Option<Mapping>,
}

#[derive(Clone, Debug)]
struct Range {
    len: u64,
    offset: u64,
    access: Access,
    file: Rc<HostFile>,
}

/// What a client has mapped. Later mappings win over earlier ones.
#[derive(Debug, Default)]
pub struct HostMemory {
    ranges: BTreeMap<u64, Range>,
    files: Vec<Weak<HostFile>>,
    /// Range of the last access: the next one is mostly in it.
    last: Cell<Option<u64>>,
}

impl HostMemory {
    /// Memory can be reached from now on. A range without file cannot, but hides what was there before.
    ///
    /// # Errors
    /// `EINVAL` when the file is shorter than the range, `ENOSPC` with too many ranges, those of `mmap`.
    pub fn map(&mut self, map: DmaMap) -> Result<(), Errno> {
        let DmaMap { iova, size, offset, access, file } = map;
        let file = file.map(|file| self.file(file)).transpose()?;
        if self.ranges.len() >= MOST_RANGES {
            return Err(Errno::NOSPC);
        }
        if let Some(file) = &file
            && offset.checked_add(size).is_none_or(|end| end > file.len)
        {
            return Err(Errno::INVAL);
        }
        self.remove(iova, size);
        if let Some(file) = file {
            self.ranges.insert(iova, Range { len: size, offset, access, file });
        }
        Ok(())
    }

    /// Memory can be reached no more. Nothing there is no error: the client may have mapped it without file.
    pub fn unmap(&mut self, unmap: &DmaUnmap) {
        if unmap.all {
            self.clear();
        } else {
            self.remove(unmap.iova, unmap.size);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = HostMemory::default();
    }

    /// Copies out of memory.
    ///
    /// # Errors
    /// [`Fault`] when not all of it is mapped for reading; then `to` may be filled in part.
    pub fn read(&self, iova: u64, to: &mut [u8]) -> Result<(), Fault> {
        let fault = Fault { iova, bytes: to.len() };
        self.pieces(iova, to.len(), |range, at, piece| {
            let to = &mut to[piece];
            let file = &range.file;
            range.access.reads()
                && match &file.map {
                    Some(map) => map.read(at as usize, to).is_ok(),
                    None => rustix::io::pread(&file.file, &mut *to, at) == Ok(to.len()),
                }
        })
        .then_some(())
        .ok_or(fault)
    }

    /// Copies into memory.
    ///
    /// # Errors
    /// [`Fault`] when not all of it is mapped for writing; then some of it may have been written.
    pub fn write(&self, iova: u64, from: &[u8]) -> Result<(), Fault> {
        let fault = Fault { iova, bytes: from.len() };
        self.pieces(iova, from.len(), |range, at, piece| {
            let from = &from[piece];
            let file = &range.file;
            range.access.writes()
                && match &file.map {
                    Some(map) => map.write(at as usize, from).is_ok(),
                    None => rustix::io::pwrite(&file.file, from, at) == Ok(from.len()),
                }
        })
        .then_some(())
        .ok_or(fault)
    }

    /// Whether all of a range can be accessed so.
    pub fn covers(&self, iova: u64, bytes: usize, write: bool) -> bool {
        self.pieces(
            iova,
            bytes,
            |range, _, _| {
                if write { range.access.writes() } else { range.access.reads() }
            },
        )
    }

    /// Number of ranges mapped.
    pub fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// Calls `copy` with each range an access touches, the place in its file, and which bytes of the access lie
    /// there; false as soon as nothing is mapped or `copy` says so.
    fn pieces(
        &self,
        iova: u64,
        bytes: usize,
        mut copy: impl FnMut(&Range, u64, std::ops::Range<usize>) -> bool,
    ) -> bool {
        let mut done = 0;
        while done < bytes {
            let Some(address) = iova.checked_add(done as u64) else { return false };
            let Some((start, range)) = self.find(address) else { return false };
            let skip = address - start;
            let there = usize::try_from(range.len - skip).unwrap_or(usize::MAX);
            let piece = done..done + there.min(bytes - done);
            done = piece.end;
            if !copy(range, range.offset + skip, piece) {
                return false;
            }
        }
        true
    }

    fn find(&self, address: u64) -> Option<(u64, &Range)> {
        let holds = |start: u64, range: &Range| address >= start && address - start < range.len;
        if let Some(start) = self.last.get()
            && let Some(range) = self.ranges.get(&start)
            && holds(start, range)
        {
            return Some((start, range));
        }
        let (start, range) = self.ranges.range(..=address).next_back()?;
        self.last.set(Some(*start));
        holds(*start, range).then_some((*start, range))
    }

    /// Cuts a range of addresses out of all that is mapped.
    fn remove(&mut self, iova: u64, size: u64) {
        let end = iova.saturating_add(size);
        let touched = self.ranges.range(..end).rev();
        let touched = touched.take_while(|(start, range)| *start + range.len > iova);
        let touched: Vec<u64> = touched.map(|(start, _)| *start).collect();
        for start in touched {
            let Some(range) = self.ranges.remove(&start) else { continue };
            if start < iova {
                let head = Range { len: iova - start, ..range.clone() };
                self.ranges.insert(start, head);
            }
            if start + range.len > end {
                let skip = end - start;
                let tail = Range { len: range.len - skip, offset: range.offset + skip, ..range };
                self.ranges.insert(end, tail);
            }
        }
        self.files.retain(|file| file.strong_count() > 0);
    }

    /// The file, mapped once.
    fn file(&mut self, file: OwnedFd) -> Result<Rc<HostFile>, Errno> {
        let status = fstat(&file)?;
        let identity = (status.st_dev, status.st_ino);
        let known = self.files.iter().filter_map(Weak::upgrade).find(|f| f.identity == identity);
        if let Some(known) = known {
            return Ok(known);
        }
        let len = u64::try_from(status.st_size).map_err(|_| Errno::INVAL)?;
        let seals = fcntl_get_seals(&file).unwrap_or(SealFlags::empty());
        let sealed = seals.contains(SealFlags::SHRINK);
        let map = sealed
            .then(|| {
                let bytes = usize::try_from(len).map_err(|_| Errno::NOMEM)?;
                Mapping::new(file.as_fd(), 0, bytes, true, "client memory")
                    .map_err(|_| Errno::ACCESS)
            })
            .transpose()?;
        let file = Rc::new(HostFile { identity, len, file, map });
        self.files.push(Rc::downgrade(&file));
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;
    use proptest::prelude::*;
    use std::io::Write;

    fn map(memory: &Memory, iova: u64, offset: u64, size: u64, access: Access) -> DmaMap {
        let file = Some(memory.file().try_clone_to_owned().unwrap());
        DmaMap { iova, size, offset, access, file }
    }

    #[test]
    fn accesses_follow_the_map() {
        let memory = Memory::new(3 * 4096).unwrap();
        memory.map().write(4090, &[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        let mut host = HostMemory::default();
        // Two pages that are neighbours on the bus and swapped in the file.
        host.map(map(&memory, 0x10_0000, 4096, 4096, Access::Read)).unwrap();
        host.map(map(&memory, 0x10_1000, 0, 4096, Access::ReadWrite)).unwrap();
        let mut bytes = [0; 4];
        host.read(0x10_1ffc, &mut bytes).unwrap();
        assert_eq!(bytes, [3, 4, 5, 6]);
        host.read(0x10_0ffe, &mut bytes).unwrap();
        assert_eq!(bytes, [0, 0, 0, 0]);
        assert!(host.read(0x10_1ffd, &mut bytes).is_err());
        assert!(host.read(u64::MAX - 1, &mut bytes).is_err());
        assert!(host.write(0x10_0000, &[9]).is_err(), "mapped for reading only");
        host.write(0x10_1000, &[9]).unwrap();
        memory.map().read(0, &mut bytes[..1]).unwrap();
        assert_eq!(bytes[0], 9);
        // The newest wins; what is left of an older one stays.
        host.map(DmaMap { file: None, ..map(&memory, 0x10_0800, 0, 0x400, Access::Read) }).unwrap();
        assert!(host.covers(0x10_07ff, 1, false) && host.covers(0x10_0c00, 1, false));
        assert!(!host.covers(0x10_0800, 1, false) && !host.covers(0x10_0bff, 1, false));
        assert_eq!(host.map(map(&memory, 0, 4096, 3 * 4096, Access::Read)), Err(Errno::INVAL));
        host.unmap(&DmaUnmap { iova: 0, size: 0, all: true });
        assert_eq!(host.ranges(), 0);
    }

    /// A file that can be cut off under us is read by calls instead of through a mapping.
    #[test]
    fn a_file_that_shrinks_gives_a_fault() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[5; 8192]).unwrap();
        let mut host = HostMemory::default();
        let owned = OwnedFd::from(file.try_clone().unwrap());
        let access = Access::ReadWrite;
        host.map(DmaMap { iova: 0, size: 8192, offset: 0, access, file: Some(owned) }).unwrap();
        let mut bytes = [0; 2];
        host.read(8000, &mut bytes).unwrap();
        file.set_len(100).unwrap();
        assert_eq!(host.read(8000, &mut bytes), Err(Fault { iova: 8000, bytes: 2 }));
    }

    proptest! {
        /// Against one entry per byte of a small address space.
        #[test]
        fn maps_and_unmaps_agree_with_a_table(
            steps in prop::collection::vec((0u64..60, 1u64..20, 0u64..10, any::<bool>()), 1..40),
        ) {
            let memory = Memory::new(4096).unwrap();
            let bytes: Vec<u8> = (0..4096).map(|i| i as u8).collect();
            memory.map().write(0, &bytes).unwrap();
            let mut host = HostMemory::default();
            let mut table = [None; 80];
            for (iova, size, offset, on) in steps {
                for i in 0..size {
                    table[(iova + i) as usize] = on.then_some((offset + i) as u8);
                }
                if on {
                    host.map(map(&memory, iova, offset, size, Access::Read)).unwrap();
                } else {
                    host.unmap(&DmaUnmap { iova, size, all: false });
                }
            }
            for (iova, want) in table.iter().enumerate() {
                let mut got = [0];
                let got = host.read(iova as u64, &mut got).is_ok().then_some(got[0]);
                prop_assert_eq!(got, *want, "at {}", iova);
            }
        }
    }
}
