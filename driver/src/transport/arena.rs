//! First-fit allocation in one range of bus addresses.

use crate::Error;
use std::ops::Range;

/// Every piece starts at a multiple of this.
const ALIGN: u64 = 64;

/// Hands out pieces of a range of addresses, the lowest that fits first.
#[derive(Clone, Debug)]
pub struct Arena {
    /// Free ranges, rising, never touching each other.
    free: Vec<Range<u64>>,
    /// Pieces given out, rising.
    used: Vec<Range<u64>>,
}

impl Arena {
    /// An arena over the whole multiples of 64 in `range`.
    pub fn new(range: Range<u64>) -> Self {
        let start = range.start.next_multiple_of(ALIGN);
        let end = range.end / ALIGN * ALIGN;
        let free = std::iter::once(start..end).filter(|r| !r.is_empty()).collect();
        Arena { free, used: vec![] }
    }

    /// Reserves `bytes`, at least 64.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] with the largest piece there is.
    pub fn alloc(&mut self, bytes: u64) -> Result<u64, Error> {
        let out_of_memory = Error::OutOfMemory { need: bytes, have: self.largest() };
        let Some(len) = bytes.max(1).checked_next_multiple_of(ALIGN) else {
            return Err(out_of_memory);
        };
        let Some(i) = self.free.iter().position(|r| r.end - r.start >= len) else {
            return Err(out_of_memory);
        };
        let start = self.free[i].start;
        self.free[i].start += len;
        if self.free[i].is_empty() {
            self.free.remove(i);
        }
        let at = self.used.partition_point(|r| r.start < start);
        self.used.insert(at, start..start + len);
        Ok(start)
    }

    /// Gives a piece back; an address that was not given out is ignored.
    pub fn free(&mut self, address: u64) {
        let Ok(i) = self.used.binary_search_by_key(&address, |r| r.start) else { return };
        let mut piece = self.used.remove(i);
        let at = self.free.partition_point(|r| r.start < piece.start);
        if at < self.free.len() && self.free[at].start == piece.end {
            piece.end = self.free.remove(at).end;
        }
        if at > 0 && self.free[at - 1].end == piece.start {
            self.free[at - 1].end = piece.end;
        } else {
            self.free.insert(at, piece);
        }
    }

    /// End of the highest piece given out; 0 when there is none.
    pub fn used_end(&self) -> u64 {
        self.used.last().map_or(0, |r| r.end)
    }

    /// Bytes of the largest free piece.
    pub fn largest(&self) -> u64 {
        self.free.iter().map(|r| r.end - r.start).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pieces_come_back_together() {
        let mut arena = Arena::new(10..1000);
        assert_eq!(arena.largest(), 896);
        let [a, b, c] = [1, 64, 65].map(|n| arena.alloc(n).unwrap());
        assert_eq!([a, b, c], [64, 128, 192]);
        assert_eq!((arena.used_end(), Arena::new(0..64).used_end()), (320, 0));
        arena.free(b);
        assert_eq!(arena.alloc(65).unwrap(), 320);
        assert_eq!(arena.alloc(64).unwrap(), 128);
        for piece in [a, c, 128, 320, 7, 128] {
            arena.free(piece);
        }
        assert_eq!(arena.largest(), 896);
        let error = arena.alloc(u64::MAX).unwrap_err().to_string();
        assert_eq!(error, format!("out of memory: {} bytes are needed, 896 are there", u64::MAX));
    }

    proptest! {
        /// Against a map of bytes: pieces never overlap, stay inside, and all memory comes back.
        #[test]
        fn never_overlaps(steps in prop::collection::vec((any::<bool>(), 0u64..700), 0..80)) {
            let mut arena = Arena::new(0..4096);
            let mut given: Vec<(u64, u64)> = vec![];
            for (free, n) in steps {
                if free && !given.is_empty() {
                    let (at, _) = given.swap_remove(n as usize % given.len());
                    arena.free(at);
                } else if let Ok(at) = arena.alloc(n) {
                    prop_assert!(at % 64 == 0 && at + n <= 4096);
                    let apart = |&(other, len): &(u64, u64)| at + n.max(1) <= other || other + len.max(1) <= at;
                    prop_assert!(given.iter().all(apart));
                    given.push((at, n));
                }
            }
            for (at, _) in given {
                arena.free(at);
            }
            prop_assert_eq!(arena.largest(), 4096);
        }
    }
}
