//! DMA memory of a card: one range of bus addresses, backed by pages as it is needed.

use super::Arena;
use crate::Error;
use pcie_mmap::{Access, Memory, PciDevice, memlock_limit};
use std::ops::Range;
use std::ptr::NonNull;

/// First bus address handed out: not zero, so that a lost address is noticed; below what the smallest card reaches.
const BASE: u64 = 0x100_0000;
/// The first piece that is mapped.
const FIRST: u64 = 2 << 20;
/// No piece is larger, unless a single allocation is.
const LARGEST: u64 = 256 << 20;

/// Memory that a card reaches.
///
/// Neighbouring bus addresses, few mappings: each is as large as all before it together, because drivers and kernels
/// limit how many there can be.
pub(super) struct Pool {
    arena: Arena,
    window: Range<u64>,
    /// Rising and without gaps from the start of the window.
    pieces: Vec<(u64, Memory)>,
}

impl Pool {
    /// A pool of at most `bytes` (and of what the process may lock, when the device's memory is `locked`).
    pub(super) fn new(device: &dyn PciDevice, bytes: u64, locked: bool) -> Self {
        let allowed = memlock_limit().filter(|_| locked).unwrap_or(u64::MAX);
        let ranges = device.iova_ranges();
        let fits = ranges.iter().find(|r| r.contains(&BASE) || *r.start() > BASE);
        let (start, end) = match fits {
            Some(range) => (BASE.max(*range.start()), range.end().saturating_add(1)),
            None => (BASE, BASE),
        };
        let page = pcie_mmap::page_size();
        let start = start.next_multiple_of(page);
        let room = bytes.min(allowed).min(end.saturating_sub(start)) / page * page;
        let window = start..start + room;
        Pool { arena: Arena::new(window.clone()), window, pieces: vec![] }
    }

    pub(super) fn alloc(&mut self, device: &mut dyn PciDevice, bytes: u64) -> Result<u64, Error> {
        let address = self.arena.alloc(bytes)?;
        match self.back(device, address + bytes.max(1)) {
            Ok(()) => Ok(address),
            Err(error) => {
                self.arena.free(address);
                Err(error)
            }
        }
    }

    pub(super) fn free(&mut self, address: u64) {
        self.arena.free(address);
    }

    pub(super) fn largest(&self) -> u64 {
        self.arena.largest()
    }

    /// Gives the pieces at the end back that nothing lies in; true when there was one.
    pub(super) fn trim(&mut self, device: &mut dyn PciDevice) -> Result<bool, Error> {
        let used = self.arena.used_end();
        let mut gave = false;
        while let Some((start, memory)) = self.pieces.last()
            && *start >= used
        {
            device.dma_unmap(*start, memory.len()).map_err(Error::from)?;
            self.pieces.pop();
            gave = true;
        }
        Ok(gave)
    }

    /// Ends all mappings, so that the pages can go.
    pub(super) fn release(&mut self, device: &mut dyn PciDevice) {
        while let Some((start, memory)) = self.pieces.pop() {
            // A device that is gone has no mappings.
            let _ = device.dma_unmap(start, memory.len());
        }
    }

    fn backed(&self) -> u64 {
        self.pieces.last().map_or(self.window.start, |(start, memory)| start + memory.len())
    }

    fn back(&mut self, device: &mut dyn PciDevice, end: u64) -> Result<(), Error> {
        let start = self.backed();
        if end <= start {
            return Ok(());
        }
        let least = (end - start).next_multiple_of(pcie_mmap::page_size());
        let grow = (start - self.window.start).clamp(FIRST, LARGEST);
        let wanted = least.max(grow.min(self.window.end - start));
        self.piece(device, start, wanted).or_else(|error| match error {
            // What is to spare may be too much where what is needed is not.
            Error::MemlockLimit { .. } | Error::OutOfMemory { .. } if wanted > least => {
                self.piece(device, start, least)
            }
            error => Err(error),
        })
    }

    fn piece(&mut self, device: &mut dyn PciDevice, start: u64, bytes: u64) -> Result<(), Error> {
        let out_of_memory = |_| Error::OutOfMemory { need: bytes, have: 0 };
        let memory = usize::try_from(bytes).map_err(out_of_memory)?;
        let memory =
            Memory::new(memory).map_err(|_| Error::OutOfMemory { need: bytes, have: 0 })?;
        device.dma_map(&memory, start, Access::ReadWrite)?;
        self.pieces.push((start, memory));
        Ok(())
    }

    /// Copies into memory; `None` when not all of it is the card's.
    pub(super) fn write(&self, address: u64, data: &[u8]) -> Option<()> {
        self.copy(address, data.len(), |memory, at, range| memory.map().write(at, &data[range]))
    }

    /// Copies out of memory; `None` when not all of it is the card's.
    pub(super) fn read(&self, address: u64, data: &mut [u8]) -> Option<()> {
        self.copy(address, data.len(), |memory, at, range| memory.map().read(at, &mut data[range]))
    }

    /// Where memory lies in this process; `None` when it is not the card's or lies in several pieces.
    pub(super) fn host_address(&self, address: u64, bytes: u64) -> Option<NonNull<u8>> {
        let i = self.pieces.partition_point(|(start, _)| *start <= address).checked_sub(1)?;
        let (start, memory) = &self.pieces[i];
        let at = usize::try_from(address - start).ok()?;
        memory.map().pointer(at, usize::try_from(bytes).ok()?).ok()
    }

    fn copy(
        &self,
        address: u64,
        bytes: usize,
        mut copy: impl FnMut(&Memory, usize, Range<usize>) -> Result<(), pcie_mmap::Error>,
    ) -> Option<()> {
        let mut done = 0;
        while done < bytes {
            let here = address.checked_add(done as u64)?;
            let i = self.pieces.partition_point(|(start, _)| *start <= here).checked_sub(1)?;
            let (start, memory) = &self.pieces[i];
            let there = memory.len().checked_sub(here - start).filter(|there| *there > 0)?;
            let end = bytes.min(done + usize::try_from(there).unwrap_or(usize::MAX - done));
            copy(memory, (here - start) as usize, done..end).ok()?;
            done = end;
        }
        Some(())
    }
}
